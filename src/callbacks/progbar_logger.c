/* ProgbarLogger, which fit() adds when it is verbose. Keras: callbacks/progbar_logger.py. */
#include "callbacks/monitor.h"
#include "callbacks/stock.h"

#include "base/fs.h"
#include "training/progbar.h"

#include <inttypes.h>
#include <stdio.h>

typedef struct logger {
    krti_progbar bar;
    krti_str text;
    int64_t seen, target; /* batches of the pass; as many as the first one had, once it is over */
    bool in_fit;          /* validation has no bar of its own then */
} logger;

static double now(void)
{
    return (double)krti_now_ns() * 1e-9;
}

static krt_status init(void *state, krt_model *m, const void *args)
{
    (void)args;
    ((logger *)state)->target = KRT_NONE;
    ((logger *)state)->text = (krti_str)KRTI_STR_INIT(m->base.owned.k);
    return KRT_OK;
}

static void fini(void *state)
{
    krti_str_free(&((logger *)state)->text);
}

static void begin(logger *l, const krt_model *m)
{
    const krt_fit_params *p = krt_params(m);

    if (p->steps != KRT_NONE)
        l->target = p->steps;
    l->bar = krti_progbar_begin(l->target, p->verbose > 1 ? 2 : 1, now());
    l->seen = 0;
}

static krt_status update(logger *l, int64_t current, const krt_logs *logs, bool is_last)
{
    krt_status st = KRT_OK;

    krti_str_clear(&l->text);
    st = krti_progbar_update(&l->bar, current, logs, is_last, now(), &l->text);
    if (st == KRT_OK && l->text.length > 0) {
        fputs(krti_str_text(&l->text), stdout);
        fflush(stdout);
    }
    return st;
}

static krt_status finish(logger *l, const krt_logs *logs)
{
    if (l->target == KRT_NONE)
        l->target = l->bar.target = l->seen;
    return update(l, l->bar.target, logs, true);
}

static krt_status on_train_begin(void *state, krt_model *m, const krt_logs *logs)
{
    (void)m;
    (void)logs;
    ((logger *)state)->in_fit = true;
    return KRT_OK;
}

static krt_status on_epoch_begin(void *state, krt_model *m, int64_t epoch, const krt_logs *logs)
{
    const krt_fit_params *p = krt_params(m);
    char line[64];

    (void)logs;
    begin(state, m);
    if (p->epochs > 1) {
        snprintf(line, sizeof line, "Epoch %" PRId64 "/%" PRId64, epoch + 1, p->epochs);
        krti_callback_print(line);
    }
    return KRT_OK;
}

static krt_status on_train_batch_end(void *state, krt_model *m, int64_t batch, const krt_logs *logs)
{
    logger *l = state;

    (void)m;
    l->seen = batch + 1;
    return l->bar.verbose == 1 ? update(l, l->seen, logs, false) : KRT_OK;
}

static krt_status on_epoch_end(void *state, krt_model *m, int64_t epoch, const krt_logs *logs)
{
    (void)m;
    (void)epoch;
    return finish(state, logs);
}

static krt_status on_test_begin(void *state, krt_model *m, const krt_logs *logs)
{
    (void)logs;
    if (!((logger *)state)->in_fit)
        begin(state, m);
    return KRT_OK;
}

static krt_status on_test_batch_end(void *state, krt_model *m, int64_t batch, const krt_logs *logs)
{
    return ((logger *)state)->in_fit ? KRT_OK : on_train_batch_end(state, m, batch, logs);
}

static krt_status on_test_end(void *state, krt_model *m, const krt_logs *logs)
{
    (void)m;
    return ((logger *)state)->in_fit ? KRT_OK : finish(state, logs);
}

static krt_status on_predict_begin(void *state, krt_model *m, const krt_logs *logs)
{
    (void)logs;
    begin(state, m);
    return KRT_OK;
}

static krt_status on_predict_end(void *state, krt_model *m, const krt_logs *logs)
{
    (void)m;
    return finish(state, logs);
}

typedef struct progbar_args {
    krt_spec spec;
} progbar_args;

static const progbar_args progbar_defaults = {.spec = {sizeof progbar_defaults, "ProgbarLogger"}};

static const krt_field progbar_fields[] = {{"count_mode", KRT_FIELD_IGNORED, 0}};

KRTI_STOCK(progbar, "ProgbarLogger", progbar_args, progbar_fields, .state_size = sizeof(logger),
           .init = init, .fini = fini,
           .hooks = {.on_train_begin = on_train_begin,
                     .on_epoch_begin = on_epoch_begin,
                     .on_epoch_end = on_epoch_end,
                     .on_train_batch_end = on_train_batch_end,
                     .on_test_begin = on_test_begin,
                     .on_test_batch_end = on_test_batch_end,
                     .on_test_end = on_test_end,
                     .on_predict_begin = on_predict_begin,
                     .on_predict_batch_end = on_train_batch_end,
                     .on_predict_end = on_predict_end});
