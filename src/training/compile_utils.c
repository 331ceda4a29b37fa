/* From compile settings to a loss and metrics for each output, once the shapes of the targets are
 * known. Keras: trainers/compile_utils.py.
 *
 * Settings come as one thing for all outputs, as a list in the outputs' order, or as a dict by output:
 * by its key where the model's outputs are a dict, else by the name of its layer. */
#include "training/training.h"

/* ------------------------------------------------------------------------------- outputs */

/* Whether the config is an object or a name, and not a list or dict of such. */
static bool is_single(const krti_conf *c)
{
    return !krti_conf_is(c, KRTI_CONF_LIST) &&
           (!krti_conf_is(c, KRTI_CONF_DICT) || krti_conf_get_text(c, "class_name") != NULL);
}

static bool is_output(const krt_model *m, const char *name)
{
    for (size_t i = 0; i < m->num_outputs; i++)
        if (strcmp(krt_model_output_key(m, i), name) == 0)
            return true;
    return false;
}

static krt_status output_keys(const krt_model *m, krti_str *names)
{
    for (size_t i = 0; i < m->num_outputs; i++)
        krti_str_addf(names, "%s'%s'", i > 0 ? ", " : "", krt_model_output_key(m, i));
    return names->status;
}

static krt_status refuse_key(const struct krti_training *t, const char *what, const char *key)
{
    krti_str names = KRTI_STR_INIT(t->k);
    krt_status st = output_keys(t->m, &names);

    if (st == KRT_OK)
        st = krti_fail(t->k, KRT_E_INVALID, NULL,
                       "Expected keys [%s] in %s dict, but found the key '%s'",
                       krti_str_text(&names), what, key);
    krti_str_free(&names);
    return st;
}

/* What a list or dict of settings says about output i; null when nothing. */
static krt_status setting_of(const struct krti_training *t, const krti_conf *c, const char *what,
                             size_t i, const krti_conf **out)
{
    *out = NULL;
    if (krti_conf_is(c, KRTI_CONF_DICT)) {
        for (size_t j = 0; j < krti_conf_num(c); j++)
            if (!is_output(t->m, krti_conf_key_at(c, j)))
                return refuse_key(t, what, krti_conf_key_at(c, j));
        *out = krti_conf_get(c, krt_model_output_key(t->m, i));
        return KRT_OK;
    }
    if (krti_conf_num(c) != t->m->num_outputs)
        return krti_fail(t->k, KRT_E_INVALID, NULL,
                         "`%s` is a list of %zu, the model has %zu outputs", what, krti_conf_num(c),
                         t->m->num_outputs);
    *out = krti_conf_at(c, i);
    return KRT_OK;
}

/* Losses and metrics are computed in float32, whatever other float they ask for. */
static void warn_of_dtype(const struct krti_training *t, const krti_conf *object, const char *what)
{
    const char *const name =
        krti_policy_name(krti_conf_get(krti_conf_get(object, "config"), "dtype"));

    if (name != NULL && strstr(name, "float") != NULL && strcmp(name, "float32") != 0)
        krti_warn(t->k, "the %s %s wants dtype %s and is computed in float32", what,
                  krti_conf_get_text(object, "class_name"), name);
}

/* ------------------------------------------------------------------------------- losses */

static krt_status loss_object(const struct krti_training *t, size_t i, const krti_conf **out)
{
    const krti_conf *loss = krti_conf_get(t->m->compile_config, "loss");

    *out = loss;
    if (krti_conf_is_null(loss) || is_single(loss))
        return KRT_OK;
    return setting_of(t, loss, "loss", i, out);
}

static krt_status read_weight(struct krti_training *t, size_t i)
{
    const krti_conf *weights = krti_conf_get(t->m->compile_config, "loss_weights"), *own = weights;
    krti_trained_output *o = &t->outputs[i];
    krt_status st = KRT_OK;

    o->weight = NAN;
    if (krti_conf_is_null(weights))
        return KRT_OK;
    if (!krti_conf_as_float(weights, &o->weight))
        st = setting_of(t, weights, "loss_weights", i, &own);
    if (st == KRT_OK && !krti_conf_is_null(own) && !krti_conf_as_float(own, &o->weight))
        st = krti_fail(t->k, KRT_E_INVALID, o->name, "a loss weight must be a number");
    return st;
}

static krt_status refuse_loss_keys(const struct krti_training *t, const krti_conf *loss)
{
    krti_str names = KRTI_STR_INIT(t->k), found = KRTI_STR_INIT(t->k);
    krt_status st = output_keys(t->m, &names);

    for (size_t i = 0; i < krti_conf_num(loss); i++)
        krti_str_addf(&found, "%s'%s'", i > 0 ? ", " : "", krti_conf_key_at(loss, i));
    if (st == KRT_OK && found.status == KRT_OK)
        st = krti_fail(t->k, KRT_E_INVALID, NULL,
                       "Expected keys [%s] in loss dict, but found loss.keys()=[%s]; an output "
                       "without a loss has null",
                       krti_str_text(&names), krti_str_text(&found));
    krti_str_free(&names);
    krti_str_free(&found);
    return st;
}

/* What Keras 3 wants of losses and their weights and tf.keras does not: a dict names every output, unless
 * the outputs are a dict themselves, and there are as many weights as losses. */
static krt_status check_numbers(const struct krti_training *t)
{
    const krt_model *m = t->m;
    const krti_conf *loss = krti_conf_get(m->compile_config, "loss"),
                    *weights = krti_conf_get(m->compile_config, "loss_weights");
    const size_t losses = is_single(loss) ? 1 : krti_conf_num(loss);

    if (m->base.trains_as < 3 || krti_conf_is_null(loss))
        return KRT_OK;
    if (krti_conf_is(loss, KRTI_CONF_DICT) && !is_single(loss) && losses != m->num_outputs &&
        !krti_conf_is(krti_conf_get(krti_conf_get(m->config, "config"), "output_layers"),
                      KRTI_CONF_DICT))
        return refuse_loss_keys(t, loss);
    if (krti_conf_num(weights) > 0 && krti_conf_num(weights) != losses)
        return krti_fail(t->k, KRT_E_INVALID, NULL,
                         "`loss_weights` must match the number of losses, got %zu losses and %zu "
                         "weights",
                         losses, krti_conf_num(weights));
    return KRT_OK;
}

/* Which outputs have a loss decides which y belongs to which. */
static krt_status find_losses(struct krti_training *t)
{
    krt_status st = check_numbers(t);

    for (size_t i = 0; st == KRT_OK && i < t->num_outputs; i++) {
        const krti_conf *object = NULL;

        t->outputs[i].name = krt_model_output_key(t->m, i);
        st = loss_object(t, i, &object);
        t->outputs[i].has_loss = !krti_conf_is_null(object);
        t->num_losses += t->outputs[i].has_loss;
        if (st == KRT_OK)
            st = read_weight(t, i);
    }
    return st;
}

static krt_status assign_targets(struct krti_training *t)
{
    const bool all = t->num_targets == t->num_outputs;
    int next = 0;

    if (!all && t->num_targets != t->num_losses)
        return krti_fail(t->k, KRT_E_INVALID, NULL,
                         "the model has %zu outputs, %zu of them with a loss; %zu y were given",
                         t->num_outputs, t->num_losses, t->num_targets);
    for (size_t i = 0; i < t->num_outputs; i++)
        t->outputs[i].target = all || t->outputs[i].has_loss ? next++ : -1;
    return KRT_OK;
}

static krt_status read_loss(struct krti_training *t, size_t i, const krt_shape *targets,
                            krt_shape prediction)
{
    krti_trained_output *o = &t->outputs[i];
    const krti_conf *object = NULL;
    const char *by_shape = NULL;
    krt_status st = loss_object(t, i, &object);

    if (st != KRT_OK || !o->has_loss)
        return st;
    if (krti_conf_text(object) != NULL)
        by_shape = krti_loss_by_shape(krti_conf_text(object), targets[o->target], prediction);
    if (by_shape != NULL)
        object = krti_conf_string(&t->built, by_shape);
    warn_of_dtype(t, object, "loss");
    TRY(krti_loss_read(&t->m->base, &t->built, object, &o->loss));
    o->ignore_class = KRT_NONE;
    if (o->loss.cls->wants_classes && prediction.rank > 0)
        o->num_classes = prediction.dim[prediction.rank - 1];
    if (o->loss.cls->score == krti_score_sparse_categorical_crossentropy) {
        const krt_sparse_categorical_crossentropy_args *a = o->loss.args;
        const int64_t axis = a->axis < 0 ? a->axis + prediction.rank : a->axis;

        o->ignore_class = a->ignore_class;
        if (axis >= 0 && axis < prediction.rank)
            o->num_classes = prediction.dim[axis];
    }
    if (t->num_losses > 1) {
        krti_str name = KRTI_STR_INIT(t->k);

        krti_str_addf(&name, "%s_loss", o->name);
        o->reported = krti_arena_strdup(&t->built, krti_str_text(&name));
        krti_str_free(&name);
        st = o->reported != NULL ? KRT_OK : KRT_E_NOMEM;
    }

done:
    return krti_fail_in_object(t->k, st, o->name);
}

/* ------------------------------------------------------------------------------- metrics */

/* Every name or object in a setting, lists opened. */
typedef krt_status (*each_fn)(void *user, const krti_conf *object);
static krt_status each_object(const krti_conf *c, each_fn fn, void *user)
{
    krt_status st = KRT_OK;

    if (krti_conf_is_null(c))
        return KRT_OK;
    if (is_single(c))
        return fn(user, c);
    for (size_t i = 0; st == KRT_OK && i < krti_conf_num(c); i++)
        st = each_object(krti_conf_at(c, i), fn, user);
    return st;
}

typedef struct reading {
    struct krti_training *t;
    krti_trained_output *o;
    krt_shape target, prediction;
    bool is_weighted;
    size_t capacity;
} reading;

static krt_status count_metric(void *user, const krti_conf *object)
{
    (void)object;
    ++*(size_t *)user;
    return KRT_OK;
}

static krt_status add_metric(void *user, const krti_conf *object)
{
    reading *r = user;
    krti_output_metric *m = &r->o->metrics[r->o->num_metrics];
    krt_status st = krti_metric_read(&r->t->m->base, &r->t->built, object, r->target, r->prediction,
                                     &m->metric);

    warn_of_dtype(r->t, object, "metric");
    if (st == KRT_OK)
        st = krti_metric_build(&m->metric, r->target, r->prediction);
    m->is_weighted = r->is_weighted;
    r->o->num_metrics += st == KRT_OK;
    return st;
}

static krt_status metrics_setting(const struct krti_training *t, const char *key, size_t i,
                                  const krti_conf **out)
{
    const krti_conf *c = krti_conf_get(t->m->compile_config, key);

    *out = c;
    if (krti_conf_is_null(c) || t->num_outputs == 1)
        return KRT_OK;
    if (is_single(c) || (krti_conf_num(c) == 0))
        return is_single(c) ? krti_fail(t->k, KRT_E_INVALID, NULL,
                                        "`%s` must be a list or dict with an entry for each of the "
                                        "%zu outputs",
                                        key, t->num_outputs)
                            : KRT_OK;
    return setting_of(t, c, key, i, out);
}

static krt_status read_metrics(struct krti_training *t, size_t i, const krt_shape *targets,
                               krt_shape prediction)
{
    static const char *const keys[] = {"metrics", "weighted_metrics"};
    krti_trained_output *o = &t->outputs[i];
    const krti_conf *settings[2] = {NULL, NULL};
    reading r = {.t = t, .o = o, .prediction = prediction};
    size_t n = 0;
    krt_status st = KRT_OK;

    for (size_t s = 0; s < 2; s++) {
        TRY(metrics_setting(t, keys[s], i, &settings[s]));
        TRY(each_object(settings[s], count_metric, &n));
    }
    if (n == 0)
        return KRT_OK;
    if (o->target < 0)
        return krti_fail(t->k, KRT_E_INVALID, o->name, "the output has metrics and no y");
    r.target = targets[o->target];
    o->metrics = krti_arena_array(&t->built, n, sizeof *o->metrics);
    if (o->metrics == NULL)
        return KRT_E_NOMEM;
    for (size_t s = 0; s < 2; s++) {
        r.is_weighted = s == 1;
        TRY(each_object(settings[s], add_metric, &r));
    }

done:
    return krti_fail_in_object(t->k, st, o->name);
}

/* ------------------------------------------------------------------------------- names */

static bool is_taken(const struct krti_training *t, const char *name)
{
    for (size_t i = 0; i < t->num_outputs; i++)
        for (size_t j = 0; j < t->outputs[i].num_metrics; j++)
            if (t->outputs[i].metrics[j].reported != NULL &&
                strcmp(t->outputs[i].metrics[j].reported, name) == 0)
                return true;
    return false;
}

/* Keras's CompileMetrics.result(): a repeated name gets "_1", a weighted metric's "weighted_". */
static krt_status name_metric(struct krti_training *t, const krti_trained_output *o,
                              krti_output_metric *m)
{
    const bool prefixed = t->num_outputs > 1;
    krti_str name = KRTI_STR_INIT(t->k);
    int times = 0;

    for (;; times++) {
        const bool says_weighted = m->is_weighted && times > 0;
        const int number = m->is_weighted ? times - 1 : times;

        krti_str_clear(&name);
        krti_str_addf(&name, "%s%s%s%s", prefixed ? o->name : "", prefixed ? "_" : "",
                      says_weighted ? "weighted_" : "", m->metric.name);
        if (number > 0)
            krti_str_addf(&name, "_%d", number);
        if (name.status != KRT_OK || !is_taken(t, name.ptr))
            break;
    }
    m->reported = krti_arena_strdup(&t->built, krti_str_text(&name));
    krti_str_free(&name);
    return m->reported != NULL ? KRT_OK : KRT_E_NOMEM;
}

static krt_status name_metrics(struct krti_training *t, bool weighted)
{
    krt_status st = KRT_OK;

    for (size_t i = 0; i < t->num_outputs; i++)
        for (size_t j = 0; st == KRT_OK && j < t->outputs[i].num_metrics; j++)
            if (t->outputs[i].metrics[j].is_weighted == weighted)
                st = name_metric(t, &t->outputs[i], &t->outputs[i].metrics[j]);
    return st;
}

/* ------------------------------------------------------------------------------- all */

void krti_forget_outputs(struct krti_training *t)
{
    krti_arena_free(&t->built);
    t->outputs = NULL;
    t->num_outputs = t->num_losses = t->num_targets = 0;
    t->is_built = false;
    t->total = t->count = 0;
}

krt_status krti_build_outputs(struct krti_training *t, const krt_shape *targets, size_t num_targets,
                              const krt_shape *predictions)
{
    krt_status st = KRT_OK;

    if (t->is_built && num_targets == t->num_targets)
        return KRT_OK;
    krti_forget_outputs(t);
    t->num_outputs = t->m->num_outputs;
    t->num_targets = num_targets;
    t->outputs = krti_arena_array(&t->built, t->num_outputs + 1, sizeof *t->outputs);
    if (t->outputs == NULL)
        TRY(KRT_E_NOMEM);
    TRY(find_losses(t));
    TRY(assign_targets(t));
    for (size_t i = 0; i < t->num_outputs; i++) {
        TRY(read_loss(t, i, targets, predictions[i]));
        TRY(read_metrics(t, i, targets, predictions[i]));
    }
    TRY(name_metrics(t, false));
    TRY(name_metrics(t, true));
    t->is_built = true;

done:
    if (st != KRT_OK)
        krti_forget_outputs(t);
    return st;
}

void krti_reset_trackers(struct krti_training *t)
{
    t->total = t->count = 0;
    for (size_t i = 0; i < t->num_outputs; i++) {
        t->outputs[i].total = t->outputs[i].count = 0;
        for (size_t j = 0; j < t->outputs[i].num_metrics; j++)
            krti_metric_reset(&t->outputs[i].metrics[j].metric);
    }
}

static krt_status log_metric(krti_logs *out, const krti_output_metric *m)
{
    double few[64], *values = few;
    krti_str name = KRTI_STR_INIT(out->k);
    size_t n = krti_metric_result(&m->metric, few, KRTI_COUNT(few));
    krt_status st = KRT_OK;

    if (n == 1)
        return krti_logs_set(out, m->reported, few[0]);
    if (n > KRTI_COUNT(few)) {
        values = krti_array(out->k, n, sizeof *values);
        if (values == NULL)
            return KRT_E_NOMEM;
        n = krti_metric_result(&m->metric, values, n);
    }
    for (size_t i = 0; st == KRT_OK && i < n; i++) {
        krti_str_clear(&name);
        krti_str_addf(&name, "%s[%zu]", m->reported, i);
        st = name.status == KRT_OK ? krti_logs_set(out, name.ptr, values[i]) : name.status;
    }
    krti_str_free(&name);
    if (values != few)
        krti_free(out->k, values);
    return st;
}

krt_status krti_collect_logs(struct krti_training *t, krti_logs *out)
{
    krt_status st = KRT_OK;

    krti_logs_clear(out);
    TRY(krti_logs_set(out, "loss", (double)krti_divide_no_nan(t->total, t->count)));
    for (size_t i = 0; i < t->num_outputs; i++) {
        const krti_trained_output *o = &t->outputs[i];

        if (o->reported != NULL)
            TRY(krti_logs_set(out, o->reported, (double)krti_divide_no_nan(o->total, o->count)));
        for (size_t j = 0; j < o->num_metrics; j++)
            TRY(log_metric(out, &o->metrics[j]));
    }
    krti_logs_sort(out);

done:
    return st;
}

krt_status krti_expected_logs(struct krti_training *t, bool will_validate, krti_logs *out)
{
    krti_str name = KRTI_STR_INIT(t->k);
    krt_status st = KRT_OK;

    krti_logs_clear(out);
    if (!t->is_built || t->has_own_callbacks)
        return KRT_OK;
    st = krti_collect_logs(t, out);
    const size_t n = out->logs.n;
    for (size_t i = 0; st == KRT_OK && will_validate && i < n; i++) {
        krti_str_clear(&name);
        st = krti_str_addf(&name, "val_%s", out->logs.names[i]);
        if (st == KRT_OK)
            st = krti_logs_set(out, krti_str_text(&name), 0);
    }
    krti_str_free(&name);
    return st;
}
