/* fit(), evaluate() and steps on single batches. Keras: trainers/trainer.py,
 * backend/tensorflow/trainer.py. */
#include "training/callback.h"
#include "training/data_adapter.h"
#include "training/update.h"

/* ------------------------------------------------------------------------------- readiness */

/* Layers without a seed of their own draw by the optimizer's, which files keep. */
static krt_status seed_layer(void *user, krt_layer *l, krt_tensor *state)
{
    const krti_optimizer *o = user;

    if (!krti_layer_has_seed(l))
        ((uint32_t *)state->data)[0] = krti_layer_default_seed(l, o->seed);
    return KRT_OK;
}

/* Compiled, with its losses and metrics, and for_update with an optimizer that is built. */
static krt_status prepare(krt_model *m, struct krti_training **out, bool for_update)
{
    krti_optimizer *o = NULL;
    krt_status st = m->failed;

    if (st != KRT_OK)
        return st;
    if (krti_compile_config(m) == NULL)
        return krti_fail(m->base.owned.k, KRT_E_STATE, NULL,
                         "You must call `compile()` before using the model: its file brought no "
                         "compile settings, and krt_compile() gave it none");
    TRY(krti_training_of(m, out));
    if (!for_update)
        return KRT_OK;
    TRY(krti_model_optimizer(m, &o));
    if (o == NULL)
        TRY(krti_fail(m->base.owned.k, KRT_E_STATE, NULL,
                      "You must call `compile()` before using the model: it has no optimizer"));
    TRY(krti_optimizer_build(o, m));
    TRY(krti_layer_each_seed(&m->base, seed_layer, o));

done:
    return st;
}

/* The model can be traced on what the data brings, and weights exist. */
static krt_status ready(krt_model *m, const krt_data *data, struct krti_training **out,
                        bool for_update)
{
    static const krt_shape unknown = {.rank = -1};
    const bool has_x = data->num_x > 0 && data->x != NULL && data->x[0] != NULL;
    krt_status st = prepare(m, out, false);

    if (st == KRT_OK)
        st = krti_model_ready(m, has_x ? data->x[0]->shape : unknown);
    return st == KRT_OK ? prepare(m, out, for_update) : st;
}

/* One input, one output and one array of weights; the last two may be NULL. Points at the pointers. */
static krt_data single(const krt_tensor *const *x, const krt_tensor *const *y,
                       const krt_tensor *const *weight)
{
    return (krt_data){.struct_size = sizeof(krt_data),
                      .num_x = 1,
                      .x = x,
                      .num_y = *y != NULL,
                      .y = y,
                      .num_weights = *weight != NULL,
                      .sample_weight = weight};
}

static krti_program_kind kind_of_step(const krti_optimizer *o)
{
    const krti_optimizer *own = o->inner != NULL ? o->inner : o;
    const int64_t steps = ((const krti_optimizer_args *)own->args)->gradient_accumulation_steps;
    const int64_t calls = *(const int64_t *)own->iteration->data;

    if (steps == KRT_NONE || steps < 2 || (calls + 1) % steps == 0)
        return KRTI_PROGRAM_TRAIN;
    return KRTI_PROGRAM_ACCUMULATE;
}

static krt_status train_step(struct krti_training *t, const krti_step_data *data, float *loss)
{
    const krt_status st = krti_run_step(t, kind_of_step(t->optimizer), data, loss);

    /* predict() keeps weights in forms of its own, which are old now */
    return st == KRT_OK && t->m->plans != NULL ? krti_model_forget_plans(t->m) : st;
}

/* ------------------------------------------------------------------------------- evaluate */

typedef struct evaluating {
    struct krti_training *t;
    krti_feed *feed;
    const krti_callbacks *callbacks; /* NULL: none */
    int64_t steps;                   /* KRT_NONE: all */
} evaluating;

static krt_status evaluate_batch(const evaluating *e, int64_t batch, bool *is_end)
{
    const krti_step_data *data = NULL;
    const bool reports = e->callbacks != NULL && e->callbacks->wants_test_batches;
    krt_status st = krti_feed_next(e->feed, &data);

    *is_end = data == NULL;
    if (st != KRT_OK || data == NULL)
        return st;
    TRY(krti_prepare_step(e->t, KRTI_PROGRAM_TEST, data));
    TRY(krti_feed_check_labels(e->feed));
    if (e->callbacks != NULL)
        TRY(krti_call_on_test_batch_begin(e->callbacks, batch, NULL));
    TRY(krti_run_step(e->t, KRTI_PROGRAM_TEST, data, NULL));
    if (reports) {
        TRY(krti_collect_logs(e->t, &e->t->evaluated));
        TRY(krti_call_on_test_batch_end(e->callbacks, batch, &e->t->evaluated.logs));
    }

done:
    return st;
}

/* All batches with the weights as they are; the values end up in t->evaluated. */
static krt_status evaluate(const evaluating *e)
{
    bool is_end = false;
    int64_t batch = 0;
    krt_status st = KRT_OK;

    krti_reset_trackers(e->t);
    TRY(krti_feed_begin(e->feed, KRTI_IN_ORDER, 0, 0));
    if (e->callbacks != NULL)
        TRY(krti_call_on_test_begin(e->callbacks, NULL));
    for (; !is_end && (e->steps == KRT_NONE || batch < e->steps); batch++) {
        TRY(evaluate_batch(e, batch, &is_end));
        if (atomic_load(&e->t->is_requested) != 0)
            TRY(krti_fail(e->t->k, KRT_E_CANCELLED, NULL, "interrupted while evaluating"));
    }
    if (batch == (is_end ? 1 : 0))
        TRY(krti_fail(e->t->k, KRT_E_INVALID, NULL, "the data to evaluate has no batches"));
    TRY(krti_collect_logs(e->t, &e->t->evaluated));
    if (e->callbacks != NULL)
        TRY(krti_call_on_test_end(e->callbacks, &e->t->evaluated.logs));

done:
    return st;
}

krt_status krt_evaluate_data(krt_model *m, const krt_logs **out, const krt_data *data,
                             const krt_evaluate_args *args)
{
    static const krt_evaluate_args defaults = {
        .struct_size = sizeof defaults, .batch_size = 32, .steps = KRT_NONE};
    krt_ctx *k = m->base.owned.k;
    krti_callbacks callbacks = {.t = NULL};
    krt_fit_params params = {.epochs = 1};
    krt_evaluate_args a;
    evaluating e = {.callbacks = &callbacks};
    krt_status st = KRT_OK;

    *out = NULL;
    TRY(krti_args_import(k, &a, &defaults, sizeof a, args));
    TRY(ready(m, data, &e.t, false));
    atomic_store(&e.t->is_requested, 0);
    TRY(krti_callbacks_new(e.t, &callbacks, a.callbacks, a.verbose, false));
    TRY(krti_feed_new(e.t, &e.feed, data,
                      &(krti_feed_args){.batch_size = a.batch_size, .rows = KRT_NONE}));
    e.steps = a.steps;
    params.verbose = a.verbose;
    params.steps = a.steps != KRT_NONE ? a.steps : krti_feed_steps(e.feed);
    params.batch_size = krti_feed_rows(e.feed) != KRT_NONE ? a.batch_size : KRT_NONE;
    e.t->params = &params;
    TRY(evaluate(&e));
    *out = &e.t->evaluated.logs;

done:
    if (e.t != NULL)
        e.t->params = NULL;
    krti_feed_free(e.feed);
    krti_callbacks_free(&callbacks);
    return st;
}

krt_status krt_evaluate(krt_model *m, const krt_logs **out, const krt_tensor *x,
                        const krt_tensor *y, const krt_evaluate_args *args)
{
    const bool weighs = args != NULL && args->struct_size >= sizeof *args;
    const krt_tensor *const weight = weighs ? args->sample_weight : NULL;
    const krt_data data = single(&x, &y, &weight);

    return krt_evaluate_data(m, out, &data, args);
}

/* ------------------------------------------------------------------------------- fit */

typedef struct fitting {
    krt_model *m;
    struct krti_training *t;
    krt_fit_args a;
    krt_data data, validation;
    const krt_tensor *validation_x, *validation_y, *validation_weight;
    krti_feed *feed, *validation_feed;
    krti_callbacks callbacks;
    krt_fit_params params;
    krt_history *history;
    krti_logs logs; /* of the epoch */
    bool is_begun;  /* a pass over the data is under way */
    int64_t seen;   /* its batches so far */
    bool warned;
    uint64_t seed;
    int64_t skip; /* batches of the first epoch that a restored training has done */
} fitting;

static const krt_fit_args default_fit = {.struct_size = sizeof default_fit,
                                         .batch_size = 32,
                                         .epochs = 1,
                                         .shuffle = true,
                                         .shuffle_seed = KRT_NONE,
                                         .steps_per_epoch = KRT_NONE,
                                         .validation_steps = KRT_NONE,
                                         .validation_batch_size = KRT_NONE,
                                         .validation_freq = 1};

static krt_status check_fit_args(const fitting *f)
{
    const krt_fit_args *a = &f->a;
    krt_ctx *k = f->m->base.owned.k;
    const struct {
        const char *name;
        int64_t value, least;
    } counts[] = {{"epochs", a->epochs, 0},
                  {"initial_epoch", a->initial_epoch, 0},
                  {"initial_batch", a->initial_batch, 0},
                  {"validation_freq", a->validation_freq, 1},
                  {"steps_per_epoch", a->steps_per_epoch, 1},
                  {"validation_steps", a->validation_steps, 1},
                  {"validation_batch_size", a->validation_batch_size, 1}};

    for (size_t i = 0; i < KRTI_COUNT(counts); i++)
        if (counts[i].value != KRT_NONE && counts[i].value < counts[i].least)
            return krti_fail(k, KRT_E_INVALID, NULL, "%s is %lld, expected %lld or more",
                             counts[i].name, (long long)counts[i].value,
                             (long long)counts[i].least);
    if (!(a->validation_split >= 0 && a->validation_split < 1))
        return krti_fail(k, KRT_E_INVALID, NULL, "validation_split is %g, expected [0, 1)",
                         a->validation_split);
    if (a->validation_split > 0 && f->data.source != NULL)
        return krti_fail(k, KRT_E_INVALID, NULL,
                         "`validation_split` is only supported for arrays, the data is a source");
    return KRT_OK;
}

/* The last part validates; taken before any shuffling. */
static krt_status split(fitting *f, krti_feed_args *train, krti_feed_args *rest)
{
    const krt_shape shape = f->data.x[0]->shape;
    const int64_t rows = shape.rank > 0 ? shape.dim[0] : 0;
    const int64_t at = (int64_t)floor((double)rows * (1 - f->a.validation_split));

    if (at == 0 || at == rows)
        return krti_fail(
            f->t->k, KRT_E_INVALID, NULL,
            "Training data contains %lld samples, which is not sufficient to split it "
            "into a validation and training set as specified by "
            "`validation_split=%g`. Either provide more data, or a different value for "
            "the `validation_split` argument",
            (long long)rows, f->a.validation_split);
    train->rows = at;
    rest->first = at;
    rest->rows = rows - at;
    return KRT_OK;
}

static krt_status make_feeds(fitting *f)
{
    const krt_fit_args *a = &f->a;
    const int64_t batch =
        a->validation_batch_size != KRT_NONE ? a->validation_batch_size : a->batch_size;
    krti_feed_args train = {
        .batch_size = a->batch_size, .class_weight = a->class_weight, .rows = KRT_NONE};
    const bool is_given = f->validation.num_x > 0 || f->validation.source != NULL;
    krti_feed_args rest = {
        .batch_size = batch, .rows = KRT_NONE, .what = is_given ? "validation " : NULL};
    const bool is_split = !is_given && a->validation_split > 0;
    krt_status st = KRT_OK;

    if (is_split)
        TRY(split(f, &train, &rest));
    TRY(krti_feed_new(f->t, &f->feed, &f->data, &train));
    if (is_split || is_given)
        TRY(krti_feed_new(f->t, &f->validation_feed, is_given ? &f->validation : &f->data, &rest));
    if (krti_feed_rows(f->feed) != KRT_NONE && a->batch_size > krti_feed_rows(f->feed) &&
        a->batch_size != default_fit.batch_size)
        krti_warn(f->t->k,
                  "batch_size %lld is more than the %lld samples: an epoch is one step on all",
                  (long long)a->batch_size, (long long)krti_feed_rows(f->feed));

done:
    return st;
}

/* Losses, metrics and the names they are reported by are known before the first step. Not with a
 * source, whose batches come once. */
static krt_status look_at_data(fitting *f)
{
    const krti_step_data *data = NULL;
    krt_status st = KRT_OK;

    if (f->data.source != NULL)
        return KRT_OK;
    TRY(krti_feed_begin(f->feed, KRTI_IN_ORDER, 0, 0));
    TRY(krti_feed_next(f->feed, &data));
    TRY(krti_prepare_step(f->t, kind_of_step(f->t->optimizer), data));
    TRY(krti_feed_check_labels(f->feed));
    if (f->validation_feed != NULL)
        TRY(krti_feed_check_labels(f->validation_feed));

done:
    return st;
}

static krt_status begin_pass(fitting *f, int64_t epoch)
{
    f->is_begun = true;
    f->seen = 0;
    return krti_feed_begin(f->feed,
                           f->a.shuffle_in_batches ? KRTI_SHUFFLED_IN_BATCHES
                           : f->a.shuffle          ? KRTI_SHUFFLED
                                                   : KRTI_IN_ORDER,
                           f->seed, epoch);
}

static void warn_of_loss(fitting *f, float loss, int64_t epoch, int64_t batch)
{
    if (isfinite(loss) || f->warned || f->t->optimizer->inner != NULL)
        return;
    f->warned = true;
    krti_warn(f->t->k,
              "the loss is %s in epoch %lld, batch %lld: a smaller learning rate or clipnorm may "
              "help, and TerminateOnNaN stops here",
              isnan(loss) ? "NaN" : "infinite", (long long)(epoch + 1), (long long)(batch + 1));
}

static krt_status fit_batch(fitting *f, int64_t epoch, int64_t batch, bool *is_end)
{
    const krti_step_data *data = NULL;
    float loss = 0;
    krt_status st = krti_feed_next(f->feed, &data);

    if (st == KRT_OK && data == NULL && batch == 0 &&
        f->seen > 0) { /* the pass ended with an epoch */
        TRY(begin_pass(f, epoch));
        TRY(krti_feed_next(f->feed, &data));
    }
    *is_end = data == NULL;
    if (st != KRT_OK || data == NULL)
        return st;
    f->seen++;
    TRY(krti_call_on_train_batch_begin(&f->callbacks, batch, NULL));
    TRY(train_step(f->t, data, &loss));
    warn_of_loss(f, loss, epoch, batch);
    if (f->callbacks.wants_train_batches) {
        TRY(krti_collect_logs(f->t, &f->t->logs));
        TRY(krti_call_on_train_batch_end(&f->callbacks, batch, &f->t->logs.logs));
    }
    if (atomic_load(&f->t->is_requested) != 0)
        TRY(krti_fail(f->t->k, KRT_E_CANCELLED, NULL, "interrupted in epoch %lld, after batch %lld",
                      (long long)(epoch + 1), (long long)(batch + 1)));

done:
    return st;
}

/* The batches of one epoch. With steps_per_epoch a pass may go on in the next. */
static krt_status fit_batches(fitting *f, int64_t epoch)
{
    const int64_t steps = f->a.steps_per_epoch;
    bool is_end = false;
    int64_t batch = 0;
    krt_status st = KRT_OK;

    if (steps == KRT_NONE || !f->is_begun)
        TRY(begin_pass(f, epoch));
    for (; f->skip > 0; f->skip--, batch++) {
        const krti_step_data *done = NULL;

        TRY(krti_feed_next(f->feed, &done));
        f->seen++;
    }
    for (; !is_end && !f->t->stops && (steps == KRT_NONE || batch < steps); batch++)
        TRY(fit_batch(f, epoch, batch, &is_end));
    if (is_end)
        f->is_begun = false;
    if (is_end && batch == 1)
        TRY(krti_fail(f->t->k, KRT_E_INVALID, NULL, "the data has no batches"));
    if (is_end && steps != KRT_NONE)
        krti_warn(f->t->k, "Your input ran out of data; interrupting training. Make sure that your "
                           "dataset or generator can generate at least `steps_per_epoch * epochs` "
                           "batches");

done:
    return st;
}

static krt_status add_validation(fitting *f)
{
    const evaluating e = {f->t, f->validation_feed, &f->callbacks, f->a.validation_steps};
    krti_str name = KRTI_STR_INIT(f->t->k);
    krt_status st = evaluate(&e);

    for (size_t i = 0; st == KRT_OK && i < f->t->evaluated.logs.n; i++) {
        krti_str_clear(&name);
        krti_str_addf(&name, "val_%s", f->t->evaluated.logs.names[i]);
        st = name.status == KRT_OK
                 ? krti_logs_set(&f->logs, name.ptr, f->t->evaluated.logs.values[i])
                 : name.status;
    }
    krti_str_free(&name);
    return st;
}

/* Keras's _should_eval(): every so many epochs, or these. */
static bool validates_after(const fitting *f, int64_t epoch)
{
    const krt_numbers listed = f->a.validation_epochs;

    for (size_t i = 0; i < listed.n; i++)
        if (listed.items[i] == (double)epoch)
            return true;
    return listed.n == 0 && epoch % f->a.validation_freq == 0;
}

static krt_status end_epoch(fitting *f, int64_t epoch)
{
    krt_status st = KRT_OK;

    TRY(krti_collect_logs(f->t, &f->logs));
    if (f->validation_feed != NULL && validates_after(f, epoch + 1))
        TRY(add_validation(f));
    krti_logs_sort(&f->logs); /* val_accuracy before weighted_accuracy: Keras's pythonify_logs() */
    f->t->logs_under_way = &f->logs;
    TRY(krti_call_on_epoch_end(&f->callbacks, epoch, &f->logs.logs));
    TRY(krti_history_add(f->history, epoch, &f->logs.logs));

done:
    f->t->logs_under_way = NULL;
    return st;
}

static krt_status fit_epochs(fitting *f)
{
    krt_status st = KRT_OK;

    const bool is_restored = f->t->start_epoch != KRT_NONE;
    const int64_t start = is_restored ? f->t->start_epoch : f->a.initial_epoch;

    f->skip = is_restored ? f->t->start_batch : f->a.initial_batch;
    for (int64_t epoch = start; epoch < f->a.epochs && !f->t->stops; epoch++) {
        krti_reset_trackers(f->t);
        TRY(krti_call_on_epoch_begin(&f->callbacks, epoch, NULL));
        TRY(fit_batches(f, epoch));
        TRY(end_epoch(f, epoch));
    }

done:
    return st;
}

/* The averages take the place of the weights. Keras: finalize_variable_values(). */
static void finalize(struct krti_training *t)
{
    const krti_optimizer *o = t->optimizer->inner != NULL ? t->optimizer->inner : t->optimizer;

    if (!((const krti_optimizer_args *)o->args)->use_ema)
        return;
    for (size_t i = 0; i < o->num_trainable; i++) {
        const krti_optimizer_variable *average = krti_optimizer_find(o, "average", o->trainable[i]);

        memcpy(o->trainable[i]->tensor->data, average->tensor->data, average->tensor->size_bytes);
    }
}

static krt_status run_fit(fitting *f)
{
    krt_status st = KRT_OK, ended = KRT_OK;

    f->t->stops = false;
    f->t->start_epoch = KRT_NONE;
    f->t->params = &f->params;
    TRY(krti_call_on_train_begin(&f->callbacks, NULL));
    /* A callback may have restored an earlier training, whose seed goes on. */
    f->seed = f->a.shuffle_seed != KRT_NONE ? (uint64_t)f->a.shuffle_seed : f->t->optimizer->seed;
    TRY(krti_layer_each_seed(&f->m->base, seed_layer, f->t->optimizer));
    st = fit_epochs(f);
    if (st == KRT_OK)
        finalize(f->t);
    if (st == KRT_OK && f->m->plans != NULL)
        TRY(krti_model_forget_plans(f->m));
    if (st == KRT_OK || st == KRT_E_CANCELLED) {
        /* An interrupted training still ends: files are closed, the best weights restored. */
        krt_error failed = f->t->k->error;
        char message[KRTI_MESSAGE_MAX];

        snprintf(message, sizeof message, "%s", failed.message != NULL ? failed.message : "");
        ended = krti_call_on_train_end(&f->callbacks, &f->logs.logs);
        if (st == KRT_E_CANCELLED)
            (void)krti_fail(f->t->k, st, NULL, "%s", message);
    }

done:
    f->t->params = NULL;
    return st != KRT_OK ? st : ended;
}

static krt_status prepare_fit(fitting *f, const krt_fit_args *args)
{
    krt_ctx *k = f->m->base.owned.k;
    krt_status st = krti_args_import(k, &f->a, &default_fit, sizeof f->a, args);

    if (st != KRT_OK)
        return st;
    if (f->a.validation != NULL) {
        static const krt_data none = {.struct_size = sizeof none};

        TRY(krti_args_import(k, &f->validation, &none, sizeof none, f->a.validation));
    } else if (f->a.validation_x != NULL) {
        f->validation_x = f->a.validation_x;
        f->validation_y = f->a.validation_y;
        f->validation_weight = f->a.validation_sample_weight;
        f->validation = single(&f->validation_x, &f->validation_y, &f->validation_weight);
    }
    TRY(check_fit_args(f));
    TRY(ready(f->m, &f->data, &f->t, true));
    atomic_store(&f->t->is_requested, 0);
    f->logs = (krti_logs)KRTI_LOGS_INIT(k);
    TRY(make_feeds(f));
    TRY(look_at_data(f));
    TRY(krti_history_new(k, &f->history));
    f->params = (krt_fit_params){
        .verbose = f->a.verbose,
        .epochs = f->a.epochs,
        .initial_epoch = f->a.initial_epoch,
        .steps = f->a.steps_per_epoch != KRT_NONE ? f->a.steps_per_epoch : krti_feed_steps(f->feed),
        .batch_size = krti_feed_rows(f->feed) != KRT_NONE ? f->a.batch_size : KRT_NONE};
    TRY(krti_callbacks_new(f->t, &f->callbacks, f->a.callbacks, f->a.verbose,
                           f->validation_feed != NULL));

done:
    return st;
}

krt_status krt_fit_data(krt_model *m, const krt_data *data, const krt_fit_args *args)
{
    static const krt_data none = {.struct_size = sizeof none};
    fitting f = {.m = m};
    krt_status st = krti_args_import(m->base.owned.k, &f.data, &none, sizeof none, data);

    if (st == KRT_OK)
        st = prepare_fit(&f, args);
    if (st == KRT_OK)
        st = run_fit(&f);
    if (f.a.history != NULL) {
        *f.a.history = f.history;
        f.history = NULL;
    }
    krt_history_free(f.history);
    krti_callbacks_free(&f.callbacks);
    krti_feed_free(f.feed);
    krti_feed_free(f.validation_feed);
    if (f.t != NULL)
        krti_logs_free(&f.logs);
    return st;
}

krt_status krt_fit(krt_model *m, const krt_tensor *x, const krt_tensor *y, const krt_fit_args *args)
{
    const bool weighs = args != NULL && args->struct_size >= sizeof *args;
    const krt_tensor *const weight = weighs ? args->sample_weight : NULL;
    const krt_data data = single(&x, &y, &weight);

    return krt_fit_data(m, &data, args);
}

/* ------------------------------------------------------------------------------- batches */

static krt_status on_batch(krt_model *m, const krt_logs **out, const krt_data *data, bool trains)
{
    struct krti_training *t = NULL;
    const krti_step_data *step = NULL;
    krti_feed *feed = NULL;
    const int64_t all = data->num_x > 0 && data->x[0] != NULL && data->x[0]->shape.rank > 0
                            ? data->x[0]->shape.dim[0]
                            : 0;
    krt_status st = KRT_OK;

    if (out != NULL)
        *out = NULL;
    TRY(ready(m, data, &t, trains));
    TRY(krti_feed_new(t, &feed, data, &(krti_feed_args){.batch_size = all, .rows = KRT_NONE}));
    TRY(krti_feed_begin(feed, KRTI_IN_ORDER, 0, 0));
    TRY(krti_feed_next(feed, &step));
    if (step == NULL)
        TRY(krti_fail(t->k, KRT_E_INVALID, NULL, "the data has no rows"));
    krti_reset_trackers(t);
    TRY(trains ? train_step(t, step, NULL) : krti_run_step(t, KRTI_PROGRAM_TEST, step, NULL));
    TRY(krti_collect_logs(t, &t->logs));
    if (out != NULL)
        *out = &t->logs.logs;

done:
    krti_feed_free(feed);
    return st;
}

krt_status krt_train_on_batch(krt_model *m, const krt_logs **out, const krt_data *data)
{
    return on_batch(m, out, data, true);
}

krt_status krt_test_on_batch(krt_model *m, const krt_logs **out, const krt_data *data)
{
    return on_batch(m, out, data, false);
}

void krt_reset_metrics(krt_model *m)
{
    if (m->training != NULL)
        krti_reset_trackers(m->training);
}

/* ------------------------------------------------------------------------------- for hooks */

void krti_set_start(struct krti_training *t, int64_t epoch, int64_t batch)
{
    t->start_epoch = epoch;
    t->start_batch = batch;
}

bool krti_training_is_interrupted(struct krti_training *t)
{
    return atomic_load(&t->is_requested) != 0;
}

const krt_fit_params *krt_params(const krt_model *m)
{
    return m->training != NULL ? m->training->params : NULL;
}

krt_status krt_add_log(krt_model *m, const char *name, double value)
{
    if (m->training == NULL || m->training->logs_under_way == NULL)
        return krti_fail(m->base.owned.k, KRT_E_STATE, NULL,
                         "logs are added to in on_epoch_end, and nowhere else");
    return krti_logs_set(m->training->logs_under_way, name, value);
}

void krt_stop_training(krt_model *m)
{
    if (m->training != NULL)
        m->training->stops = true;
}

void krt_request_stop(krt_model *m)
{
    if (m->training != NULL)
        atomic_store(&m->training->is_requested, 1);
}
