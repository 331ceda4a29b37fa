/* TerminateOnNaN: a loss that is no finite number ends the training with its batch, or is an error. Keras:
 * callbacks/terminate_on_nan.py. */
#include "base/number.h"
#include "callbacks/monitor.h"
#include "callbacks/stock.h"
#include "models/model.h"

#include <inttypes.h>
#include <math.h>

typedef struct terminator {
    const krt_terminate_on_nan_args *a;
} terminator;

static krt_status init(void *state, krt_model *m, const void *args)
{
    (void)m;
    ((terminator *)state)->a = args;
    return KRT_OK;
}

static krt_status on_train_batch_end(void *state, krt_model *m, int64_t batch, const krt_logs *logs)
{
    const terminator *t = state;
    char line[96], number[KRTI_NUMBER_TEXT];
    double loss = 0;

    if (!krt_logs_get(logs, "loss", &loss) || isfinite(loss))
        return KRT_OK;
    if (t->a->raise_error)
        return krti_fail(m->base.owned.k, KRT_E_USER, NULL,
                         "NaN or Inf loss encountered at batch %" PRId64
                         ". Loss value: %s. Terminating training immediately.",
                         batch, krti_number_repr(number, sizeof number, loss));
    snprintf(line, sizeof line, "Batch %" PRId64 ": Invalid loss, terminating training", batch);
    krti_callback_print(line);
    krt_stop_training(m);
    return KRT_OK;
}

static const krt_terminate_on_nan_args terminate_on_nan_defaults = {
    .spec = {sizeof terminate_on_nan_defaults, "TerminateOnNaN"}, .raise_error = false};

static const krt_field terminate_on_nan_fields[] = {
    KRT_FIELD(krt_terminate_on_nan_args, BOOL, raise_error),
};

KRTI_STOCK(terminate_on_nan, "TerminateOnNaN", krt_terminate_on_nan_args, terminate_on_nan_fields,
           .state_size = sizeof(terminator), .init = init,
           .hooks = {.on_train_batch_end = on_train_batch_end});
