/* TensorBoard. Keras: callbacks/tensorboard.py. Files are made when there is something to write, so
 * that a training without validation has no "validation" run. */
#include "callbacks/event_file.h"
#include "callbacks/monitor.h"
#include "callbacks/stock.h"

#include "base/fs.h"
#include "models/model.h"
#include <keratin/saving.h>

#include <inttypes.h>

typedef struct writer {
    const char *name;
    krti_events events;
    bool is_open;
} writer;

typedef struct tensorboard {
    const krt_tensorboard_args *a;
    krt_ctx *k;
    writer train, validation;
    krti_str tag;
    int64_t batch, test_batch; /* seen, from 1 */
    int64_t steps_before;      /* iterations at the beginning of the epoch */
    int64_t epoch_began, batch_began;
} tensorboard;

static krt_status init(void *state, krt_model *m, const void *args)
{
    tensorboard *t = state;

    t->a = args;
    t->k = m->base.owned.k;
    t->train.name = "train";
    t->validation.name = "validation";
    t->tag = (krti_str)KRTI_STR_INIT(t->k);
    if (t->a->log_dir == NULL || t->a->log_dir[0] == '\0')
        return krti_fail(t->k, KRT_E_INVALID, NULL, "TensorBoard has no log_dir");
    if (t->a->update_freq != KRT_EVERY_EPOCH && t->a->update_freq < 1)
        return krti_fail(t->k, KRT_E_INVALID, NULL,
                         "update_freq is %" PRId64 ", expected 1 or more, or KRT_EVERY_EPOCH",
                         t->a->update_freq);
    if (t->a->histogram_freq < 0)
        return krti_fail(t->k, KRT_E_INVALID, NULL,
                         "histogram_freq is %" PRId64 ", expected 0 or more", t->a->histogram_freq);
    return KRT_OK;
}

static void close_writer(writer *w)
{
    if (w->is_open)
        krti_events_close(&w->events);
    w->is_open = false;
}

static void fini(void *state)
{
    tensorboard *t = state;

    close_writer(&t->train);
    close_writer(&t->validation);
    krti_str_free(&t->tag);
}

static krt_status open_writer(tensorboard *t, writer *w)
{
    krti_str dir = KRTI_STR_INIT(t->k);
    krt_status st = KRT_OK;

    if (w->is_open)
        return KRT_OK;
    TRY(krti_path_join(&dir, t->a->log_dir, w->name));
    w->is_open = true;
    TRY(krti_events_open(t->k, &w->events, krti_str_text(&dir)));

done:
    krti_str_free(&dir);
    return st;
}

/* Writes "PREFIXnameSUFFIX". */
static krt_status put(tensorboard *t, writer *w, const char *const affix[2], const char *name,
                      int64_t step, double value)
{
    krt_status st = open_writer(t, w);

    krti_str_clear(&t->tag);
    if (st == KRT_OK)
        st = krti_str_addf(&t->tag, "%s%s%s", affix[0], name, affix[1]);
    return st == KRT_OK ? krti_events_scalar(&w->events, krti_str_text(&t->tag), step, (float)value)
                        : st;
}

static const char *const epoch_affix[2] = {"epoch_", ""};
static const char *const batch_affix[2] = {"batch_", ""};
static const char *const evaluation_affix[2] = {"evaluation_", "_vs_iterations"};

static krt_status on_train_begin(void *state, krt_model *m, const krt_logs *logs)
{
    tensorboard *t = state;
    char *json = NULL;
    krt_status st = KRT_OK;

    (void)logs;
    t->batch = 0;
    if (!t->a->write_graph)
        return KRT_OK;
    TRY(open_writer(t, &t->train));
    if (strcmp(krt_model_class_name(m), "Sequential") != 0 &&
        strcmp(krt_model_class_name(m), "Functional") != 0)
        return KRT_OK;
    TRY(krt_to_json(m, &json, NULL));
    TRY(krti_events_graph(&t->train.events, "keras", 0, json));

done:
    krt_free(t->k, json);
    return st;
}

static krt_status on_train_end(void *state, krt_model *m, const krt_logs *logs)
{
    tensorboard *t = state;

    (void)m;
    (void)logs;
    close_writer(&t->train);
    close_writer(&t->validation);
    return KRT_OK;
}

/* --- batches --------------------------------------------------------------------------------- */

static bool is_due(const tensorboard *t, int64_t batch)
{
    return t->a->update_freq == KRT_EVERY_EPOCH || batch % t->a->update_freq == 0;
}

static krt_status on_train_batch_begin(void *state, krt_model *m, int64_t batch,
                                       const krt_logs *logs)
{
    tensorboard *t = state;

    (void)m;
    (void)batch;
    (void)logs;
    t->batch++;
    t->batch_began = krti_now_ns();
    return KRT_OK;
}

static krt_status on_train_batch_end(void *state, krt_model *m, int64_t batch, const krt_logs *logs)
{
    tensorboard *t = state;
    krt_status st = KRT_OK;

    (void)m;
    (void)batch;
    if (t->a->update_freq == KRT_EVERY_EPOCH || !is_due(t, t->batch))
        return KRT_OK;
    if (t->a->write_steps_per_second)
        st = put(t, &t->train, batch_affix, "steps_per_second", t->batch,
                 1e9 / (double)(krti_now_ns() - t->batch_began + 1));
    for (size_t i = 0; st == KRT_OK && i < logs->n; i++)
        st = put(t, &t->train, batch_affix, logs->names[i], t->batch, logs->values[i]);
    return st;
}

static krt_status on_test_batch_begin(void *state, krt_model *m, int64_t batch,
                                      const krt_logs *logs)
{
    (void)m;
    (void)batch;
    (void)logs;
    ((tensorboard *)state)->test_batch++;
    return KRT_OK;
}

/* --- ends ------------------------------------------------------------------------------------ */

static krt_status on_test_end(void *state, krt_model *m, const krt_logs *logs)
{
    tensorboard *t = state;
    int64_t steps = 0;
    krt_status st = krt_iterations(m, &steps);

    if (st != KRT_OK || !is_due(t, t->test_batch))
        return st;
    for (size_t i = 0; st == KRT_OK && i < logs->n; i++)
        st = put(t, &t->validation, evaluation_affix, logs->names[i], steps, logs->values[i]);
    return st;
}

static krt_status on_epoch_begin(void *state, krt_model *m, int64_t epoch, const krt_logs *logs)
{
    tensorboard *t = state;

    (void)epoch;
    (void)logs;
    t->epoch_began = krti_now_ns();
    return krt_iterations(m, &t->steps_before);
}

typedef struct histograms {
    tensorboard *t;
    int64_t epoch;
} histograms;

static krt_status put_weight(void *user, krt_variable *v)
{
    const histograms *h = user;
    tensorboard *t = h->t;
    krt_tensor *cast = NULL;
    krt_status st = KRT_OK;

    krti_str_clear(&t->tag);
    TRY(krti_str_addf(&t->tag, "%s/histogram", krt_variable_path(v)));
    for (char *c = t->tag.ptr; *c != '\0'; c++)
        *c = (char)(*c == ':' ? '_' : *c);
    TRY(krt_tensor_cast(v->tensor, &cast, KRT_FLOAT32));
    TRY(krti_events_histogram(&t->train.events, krti_str_text(&t->tag), h->epoch,
                              krt_tensor_data(cast), cast->size_bytes / sizeof(float)));

done:
    krt_tensor_free(cast);
    return st;
}

static krt_status put_rates(tensorboard *t, krt_model *m, int64_t epoch)
{
    double rate = 0;
    int64_t steps = 0;
    krt_status st = KRT_OK;

    TRY(krt_learning_rate(m, &rate));
    TRY(put(t, &t->train, epoch_affix, "learning_rate", epoch, rate));
    if (!t->a->write_steps_per_second)
        return KRT_OK;
    TRY(krt_iterations(m, &steps));
    const double seconds = (double)(krti_now_ns() - t->epoch_began + 1) * 1e-9;
    TRY(put(t, &t->train, epoch_affix, "steps_per_second", epoch,
            (double)(steps - t->steps_before) / seconds));

done:
    return st;
}

static krt_status on_epoch_end(void *state, krt_model *m, int64_t epoch, const krt_logs *logs)
{
    tensorboard *t = state;
    krt_status st = KRT_OK;

    if (!is_due(t, t->batch)) /* as Keras, whose filter for batches is still on */
        return KRT_OK;
    for (size_t i = 0; i < logs->n; i++)
        if (!krti_starts_with(logs->names[i], "val_") &&
            strcmp(logs->names[i], "learning_rate") != 0)
            TRY(put(t, &t->train, epoch_affix, logs->names[i], epoch, logs->values[i]));
    TRY(put_rates(t, m, epoch));
    for (size_t i = 0; i < logs->n; i++)
        if (krti_starts_with(logs->names[i], "val_"))
            TRY(put(t, &t->validation, epoch_affix, logs->names[i] + 4, epoch, logs->values[i]));
    if (t->a->histogram_freq > 0 && epoch % t->a->histogram_freq == 0)
        TRY(krti_layer_each_variable(&m->base, put_weight, &(histograms){t, epoch}));

done:
    return st;
}

static const krt_tensorboard_args tensorboard_defaults = {
    .spec = {sizeof tensorboard_defaults, "TensorBoard"},
    .log_dir = "logs",
    .write_graph = true,
    .update_freq = KRT_EVERY_EPOCH};

static const krt_field tensorboard_fields[] = {
    KRT_FIELD(krt_tensorboard_args, STRING, log_dir),
    KRT_FIELD(krt_tensorboard_args, INT, histogram_freq),
    KRT_FIELD(krt_tensorboard_args, BOOL, write_graph),
    KRT_FIELD(krt_tensorboard_args, BOOL, write_steps_per_second),
    KRT_FIELD(krt_tensorboard_args, INT, update_freq),
};

KRTI_STOCK(tensorboard, "TensorBoard", krt_tensorboard_args, tensorboard_fields,
           .state_size = sizeof(tensorboard), .init = init, .fini = fini,
           .hooks = {.on_train_begin = on_train_begin,
                     .on_train_end = on_train_end,
                     .on_epoch_begin = on_epoch_begin,
                     .on_epoch_end = on_epoch_end,
                     .on_train_batch_begin = on_train_batch_begin,
                     .on_train_batch_end = on_train_batch_end,
                     .on_test_batch_begin = on_test_batch_begin,
                     .on_test_end = on_test_end});
