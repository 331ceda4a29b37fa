/* Losses and metrics that a host registers: include/keratin/sys/score_class.h. Keras:
 * saving/object_registration.py, losses/loss.py, metrics/metric.py.
 *
 * They live in the context under their registered names and stand before Keras's own. What they
 * compute is a layer's call on labels and predictions, or plain C on the batch. */
#include "layers/config.h"
#include "training/metric.h"

krt_status krt_register_loss(krt_ctx *k, const krt_layer_class *cls)
{
    const krt_status st = krti_class_check(k, cls, sizeof *cls, "loss");

    if (st != KRT_OK)
        return st;
    if (cls->call == NULL)
        return krti_fail(k, KRT_E_INVALID, cls->name, "a loss class needs a call");
    if (cls->defaults->struct_size < sizeof(krti_loss_args))
        return krti_fail(k, KRT_E_INVALID, cls->name,
                         "the arguments of a loss begin with KRT_LOSS_MEMBERS");
    return krti_class_add(k, &k->losses, cls);
}

krt_status krt_register_metric(krt_ctx *k, const krt_metric_class *cls)
{
    const krt_status st =
        krti_class_check(k, cls != NULL ? &cls->base : NULL, sizeof *cls, "metric");

    if (st != KRT_OK)
        return st;
    const bool is_mean = cls->base.call != NULL;
    const bool has_state = cls->num_states > 0 && cls->update != NULL && cls->result != NULL;
    if (is_mean == (cls->update != NULL) || (!is_mean && !has_state))
        return krti_fail(k, KRT_E_INVALID, cls->base.name,
                         "a metric class needs either a call, or num_states, update and result");
    if (cls->base.defaults->struct_size < sizeof(krt_metric_args))
        return krti_fail(k, KRT_E_INVALID, cls->base.name,
                         "the arguments of a metric begin with KRT_METRIC_MEMBERS");
    return krti_class_add(k, &k->metrics, &cls->base);
}

const krt_layer_class *krti_own_loss(krt_ctx *k, const char *name)
{
    return krti_map_get(k->losses, name);
}

const krt_layer_class *krti_own_metric(krt_ctx *k, const char *name)
{
    return krti_map_get(k->metrics, name);
}

/* ------------------------------------------------------------------------------- values */

krt_value *krti_score_own(krti_scoring *s)
{
    krti_graph *const g = s->g;
    krt_value *const in[2] = {s->y_true, s->y_pred};
    krt_call c = {.g = g, .training = !s->is_metric, .num_in = 2, .in = in};

    if (s->y_true == NULL || s->y_pred == NULL)
        return NULL;
    krt_status st = s->own->call(NULL, s->args, &c);
    if (st == KRT_OK && g->status == KRT_OK && c.out[0] == NULL)
        st = krti_fail(g->k, KRT_E_USER, NULL, "its call set no output");
    if (st == KRT_OK)
        st = g->status;
    else if (g->k->error.status != st)
        (void)krti_fail(g->k, st, NULL, "its call failed (%s)", krt_status_name(st));
    g->status = krti_fail_in_object(g->k, st, s->own->name);
    return st == KRT_OK ? krti_cast(g, c.out[0], KRT_FLOAT32) : NULL;
}

/* ------------------------------------------------------------------------------- state */

static const krt_metric_class *class_of(const krti_metric *m)
{
    return (const krt_metric_class *)(const void *)m->own;
}

static krt_status check(const krti_metric *m, krt_shape y_true, krt_shape y_pred)
{
    (void)m;
    (void)y_true;
    (void)y_pred;
    return KRT_OK;
}

static krt_status build(krti_metric *m, krt_shape y_true, krt_shape y_pred)
{
    (void)y_true;
    (void)y_pred;
    return krti_metric_add_state(m, "states", class_of(m)->num_states);
}

static void update(krti_metric *m, const krt_metric_batch *b)
{
    class_of(m)->update(m->args, m->states[0].values, b);
}

static size_t result(const krti_metric *m, double *out, size_t room)
{
    (void)room;
    out[0] = class_of(m)->result(m->args, m->states[0].values);
    return 1;
}

const krti_metric_rule krti_rule_own = {check, build, update, result};
