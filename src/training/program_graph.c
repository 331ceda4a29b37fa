/* A step as a graph: forward, losses, metrics, gradients and the optimizer's update. Keras:
 * backend/tensorflow/trainer.py train_step() and test_step(), trainers/compile_utils.py.
 *
 * Nothing is computed here. The order of the graph's outputs is that of the results which program.c reads;
 * where a loss is scaled, the update is chosen by whether all gradients are finite. */
#include "layers/weight_rules.h"
#include "ops/autodiff.h"
#include "training/program.h"

static krt_status add_result(krti_program_making *d, krt_value *v, int *index)
{
    const krt_status st = krti_graph_add_output(d->g, v);

    *index = (int)d->num_results;
    d->num_results += st == KRT_OK;
    return st;
}

static krt_status make_inputs(krti_program_making *d)
{
    const krt_model *m = d->t->m;
    struct krti_program *p = d->p;

    for (size_t i = 0; i < p->num_x; i++)
        d->x[i] = krti_input(d->g, m->inputs[i].dtype, p->x[i]);
    for (size_t i = 0; i < p->num_y; i++)
        d->y[i] = krti_input(d->g, KRT_FLOAT32, p->y[i]);
    for (size_t i = 0; i < m->num_outputs; i++)
        if (p->weights[i].rank >= 0)
            d->weights[i] = krti_input(d->g, KRT_FLOAT32, p->weights[i]);
    return d->g->status;
}

static krti_scoring scoring_of(const krti_program_making *d, size_t i)
{
    return (krti_scoring){.g = d->g,
                          .y_true = d->y[d->t->outputs[i].target],
                          .y_pred = krti_cast(d->g, d->out[i], KRT_FLOAT32),
                          .looks_through = strcmp(d->t->backend, "jax") != 0};
}

static void add_to(krti_graph *g, krt_value **sum, krt_value *v)
{
    *sum = *sum == NULL ? v : krti_add(g, *sum, v);
}

static krt_value *weighted(krti_graph *g, krt_value *v, double weight)
{
    return isnan(weight) ? v : krti_affine(g, v, weight, 0, 0);
}

static krt_status describe_losses(krti_program_making *d, krt_value **each)
{
    for (size_t i = 0; i < d->t->num_outputs; i++) {
        const krti_trained_output *o = &d->t->outputs[i];
        krti_scoring s;
        krt_value *minimized = NULL;

        if (!o->has_loss)
            continue;
        d->g->scope = o->name;
        s = scoring_of(d, i);
        s.args = o->loss.args;
        each[i] = krti_loss_describe(&o->loss, &s, d->weights[i], d->mask[i], &minimized);
        if (each[i] == NULL)
            return d->g->status;
        add_to(d->g, &d->reported, weighted(d->g, each[i], o->weight));
        add_to(d->g, &d->minimized, weighted(d->g, minimized, o->weight));
    }
    d->g->scope = NULL;
    return d->g->status;
}

typedef struct penalizing {
    krti_graph *g;
    const krt_layer *model;
    krt_value *sum;
} penalizing;

/* Keras penalizes what is trained, tf.keras what is frozen too. */
static bool is_penalized(const krt_layer *model, const krt_variable *v)
{
    if (model->trains_as < 3)
        return v->trainable;
    return model->trainable && krti_variable_trains(v);
}

static krt_status penalize(void *user, krt_variable *v)
{
    penalizing *p = user;
    const krt_spec *regularizer = is_penalized(p->model, v) ? krti_variable_regularizer(v) : NULL;

    if (regularizer == NULL)
        return KRT_OK;
    add_to(p->g, &p->sum,
           krti_regularize(p->g, v->layer, regularizer, krti_variable(p->g, v->tensor)));
    return p->g->status;
}

/* Penalties on weights, and what layers add by themselves. */
static krt_status describe_penalties(krti_program_making *d)
{
    penalizing p = {.g = d->g, .model = &d->t->m->base};
    krt_status st = krti_layer_each_variable(&d->t->m->base, penalize, &p);

    for (size_t i = 0; st == KRT_OK && i < d->g->num_losses; i++)
        add_to(d->g, &p.sum, d->g->losses[i]);
    if (st != KRT_OK || p.sum == NULL)
        return st;
    add_to(d->g, &d->reported, p.sum);
    add_to(d->g, &d->minimized, p.sum);
    return d->g->status;
}

static krt_status keep_prediction(krti_program_making *d, size_t i)
{
    if (d->p->predictions[i] >= 0)
        return KRT_OK;
    return add_result(d, krti_cast(d->g, d->out[i], KRT_FLOAT32), &d->p->predictions[i]);
}

static krt_status describe_metrics(krti_program_making *d)
{
    /* On JAX the outputs come back from the function that is differentiated without their masks. */
    const bool has_masks = d->p->kind == KRTI_PROGRAM_TEST || strcmp(d->t->backend, "jax") != 0;
    krti_metric_places *r = d->p->metrics;
    krt_status st = KRT_OK;

    for (size_t i = 0; i < d->t->num_outputs; i++) {
        const krti_trained_output *o = &d->t->outputs[i];

        d->g->scope = o->name;
        for (size_t j = 0; j < o->num_metrics; j++, r++) {
            const krti_output_metric *m = &o->metrics[j];
            krti_scoring s = scoring_of(d, i);
            krt_value *total = NULL, *count = NULL;

            *r = (krti_metric_places){-1, -1};
            if (!krti_metric_is_mean(&m->metric)) {
                TRY(m->metric.cls->rule->check(&m->metric, d->p->y[o->target], d->out[i]->shape));
                TRY(keep_prediction(d, i));
                continue;
            }
            TRY(krti_metric_describe(&m->metric, &s, m->is_weighted ? d->weights[i] : NULL,
                                     has_masks ? d->mask[i] : NULL, &total, &count));
            TRY(add_result(d, total, &r->total));
            TRY(add_result(d, count, &r->count));
        }
    }
    d->g->scope = NULL;

done:
    return st;
}

static krt_value *scalar_input(krti_program_making *d)
{
    return krti_input(d->g, KRT_FLOAT32, (krt_shape){.rank = 0});
}

static krt_value *all_finite(krti_graph *g, krt_value *const *gradients, size_t n)
{
    krt_value *all = NULL;

    for (size_t i = 0; i < n; i++) {
        if (gradients[i] == NULL)
            continue;
        krt_value *own = krti_reduce_all(g, krti_isfinite(g, gradients[i]), NULL, 0, false);

        all = all == NULL ? own : krti_logical_and(g, all, own);
    }
    return all;
}

static krt_status warn_of_missing(krti_program_making *d, krt_value *const *gradients)
{
    const krti_optimizer *o = d->step.o;
    krti_str names = KRTI_STR_INIT(d->t->k);
    size_t missing = 0;
    krt_status st = KRT_OK;

    for (size_t i = 0; i < o->num_trainable; i++)
        if (d->trains[i] && gradients[i] == NULL && missing++ < 8)
            krti_str_addf(&names, "%s'%s'", missing > 1 ? ", " : "",
                          krt_variable_path(o->trainable[i]));
    if (missing > 0 && missing == d->num_trained)
        st = krti_fail(d->t->k, KRT_E_INVALID, NULL, "No gradients provided for any variable");
    else if (missing > 0)
        krti_warn(d->t->k, "Gradients do not exist for variables [%s] when minimizing the loss",
                  krti_str_text(&names));
    krti_str_free(&names);
    return st;
}

static krt_value *unscale(krti_graph *g, krt_value *x, const void *scale)
{
    return krti_divide(g, x, (krt_value *)(uintptr_t)scale);
}

/* Gradients of the loss, unscaled. */
static krt_status describe_gradients(krti_program_making *d)
{
    const krti_optimizer *o = d->step.o;
    const double factor = ((const krti_optimizer_args *)o->args)->loss_scale_factor;
    krt_value *loss = d->minimized;
    krt_value **wrt = krti_array(d->t->k, o->num_trainable + 1, sizeof *wrt);
    krt_status st = wrt != NULL ? KRT_OK : KRT_E_NOMEM;

    for (size_t i = 0; wrt != NULL && i < o->num_trainable; i++)
        wrt[i] = krti_before_update(&d->step, o->trainable[i]);
    if (d->scale_input != NULL)
        loss = krti_multiply(d->g, loss, d->scale_input);
    else if (!isnan(factor))
        loss = krti_affine(d->g, loss, factor, 0, 0);
    if (st == KRT_OK)
        st = krti_gradients(d->g, loss, wrt, o->num_trainable, d->step.gradients);
    for (size_t i = 0; st == KRT_OK && i < o->num_trainable; i++)
        if (!d->trains[i]) /* frozen since: it stays, and so do its slots */
            d->step.gradients[i] = NULL;
    if (st == KRT_OK)
        st = warn_of_missing(d, d->step.gradients);
    if (st == KRT_OK && d->scale_input != NULL)
        d->step.is_finite = all_finite(d->g, d->step.gradients, o->num_trainable);
    for (size_t i = 0; st == KRT_OK && i < o->num_trainable; i++) {
        krt_value **x = &d->step.gradients[i];

        if (*x != NULL && d->scale_input != NULL)
            *x = krti_of_rows(d->g, d->step.follows_tensorflow, *x, unscale, d->scale_input);
        else if (*x != NULL && !isnan(factor))
            *x = krti_affine(d->g, *x, 1 / factor, 0, 0);
    }
    krti_free(d->t->k, wrt);
    return st;
}

static krt_status describe_update(krti_program_making *d)
{
    const krti_optimizer *outer = d->t->optimizer;
    const krti_optimizer *o = outer->inner != NULL ? outer->inner : outer;
    const krti_optimizer_args *a = o->args;
    krti_optimizing *s = &d->step;
    krt_status st = KRT_OK;

    s->g = d->g;
    s->o = o;
    s->follows_tensorflow = strcmp(d->t->backend, "jax") != 0;
    s->undecayed = d->t->undecayed;
    s->accumulates = d->p->kind == KRTI_PROGRAM_ACCUMULATE;
    s->rate = scalar_input(d);
    for (int i = 0; i < KRTI_MAX_SCALARS; i++)
        s->scalars[i] = scalar_input(d);
    s->average = scalar_input(d);
    d->scale_input = scalar_input(d);
    krt_value *overwrite = krti_input(d->g, KRT_BOOL, (krt_shape){.rank = 0});
    if (a->use_ema && a->ema_overwrite_frequency != KRT_NONE)
        s->overwrite = overwrite;
    if (outer->inner == NULL)
        d->scale_input = NULL;
    s->gradients = krti_array(d->t->k, o->num_trainable + 1, sizeof(krt_value *));
    d->trains = krti_array(d->t->k, o->num_trainable + 1, sizeof *d->trains);
    if (s->gradients == NULL || d->trains == NULL)
        TRY(KRT_E_NOMEM);
    TRY(krti_optimizer_trains(o, d->t->m, d->trains, &d->num_trained));
    d->p->updates = d->num_trained > 0;
    if (!d->p->updates) {
        krti_warn(d->t->k, "The model does not have any trainable weights");
        goto done;
    }
    TRY(describe_gradients(d));
    TRY(krti_describe_step(s));
    if (s->is_finite != NULL)
        TRY(add_result(d, s->is_finite, &d->p->is_finite));

done:
    krti_free(d->t->k, s->gradients);
    krti_free(d->t->k, d->trains);
    return st;
}

static krt_status describe_outputs(krti_program_making *d)
{
    krti_tracing tracing = {.tap = NULL};
    const krt_model *m = d->t->m;
    krt_shape *shapes = krti_array(d->t->k, m->num_outputs + 1, sizeof *shapes);
    krt_status st = shapes != NULL ? KRT_OK : KRT_E_NOMEM;

    if (st == KRT_OK && m->num_texts > 0)
        st = krti_fail(d->t->k, KRT_E_UNSUPPORTED, NULL,
                       "a TextVectorization without output_sequence_length predicts, it does not "
                       "train; give it one");
    if (st == KRT_OK)
        st = krti_model_trace(d->t->m, d->g, d->x, NULL, m->num_inputs,
                              d->p->kind != KRTI_PROGRAM_TEST, &tracing, d->out, d->mask);
    for (size_t i = 0; st == KRT_OK && i < m->num_outputs; i++)
        shapes[i] = d->out[i]->shape;
    if (st == KRT_OK)
        st = krti_build_outputs(d->t, d->p->y, d->p->num_y, shapes);
    krti_free(d->t->k, shapes);
    return st;
}

static size_t num_metrics(const struct krti_training *t)
{
    size_t n = 0;

    for (size_t i = 0; i < t->num_outputs; i++)
        n += t->outputs[i].num_metrics;
    return n;
}

static krt_status describe_results(krti_program_making *d)
{
    struct krti_training *t = d->t;
    krt_value **each = krti_array(t->k, t->num_outputs + 1, sizeof *each);
    int index = 0;
    krt_status st = each != NULL ? KRT_OK : KRT_E_NOMEM;

    d->p->metrics = krti_array(t->k, num_metrics(t) + 1, sizeof *d->p->metrics);
    if (st != KRT_OK || d->p->metrics == NULL)
        TRY(KRT_E_NOMEM);
    TRY(describe_losses(d, each));
    TRY(describe_penalties(d));
    if (d->reported == NULL)
        TRY(krti_fail(t->k, KRT_E_STATE, NULL,
                      "No loss to compute. Provide a `loss` argument in `compile()`"));
    TRY(add_result(d, d->reported, &index));
    d->p->output_losses = (int)d->num_results;
    for (size_t i = 0; t->num_losses > 1 && i < t->num_outputs; i++)
        if (each[i] != NULL)
            TRY(add_result(d, each[i], &index));
    TRY(describe_metrics(d));

done:
    krti_free(t->k, each);
    return st;
}

/* Draws are counted by one each; see krti_call_draw(). */
static uint32_t num_draws(const krti_update *u)
{
    const krt_value *v = u->value;
    uint32_t n = 0;

    for (; v != u->variable && krti_is(v, &krti_op_add); v = v->node->in[0])
        n++;
    return n;
}

static krt_status find_drawings(krti_program_making *d)
{
    struct krti_program *p = d->p;

    p->drawings = krti_array(d->t->k, d->g->num_updates + 1, sizeof *p->drawings);
    if (p->drawings == NULL)
        return KRT_E_NOMEM;
    for (size_t i = 0; i < d->g->num_updates; i++) {
        const krti_update *u = &d->g->updates[i];

        if (u->variable->dtype == KRT_UINT32)
            p->drawings[p->num_drawings++] =
                (krti_drawing){u->variable->node->attrs.tensor->data, num_draws(u)};
    }
    return KRT_OK;
}

krt_status krti_program_describe(krti_program_making *d)
{
    krt_status st = KRT_OK;

    d->g->variables_change = true;
    TRY(make_inputs(d));
    TRY(describe_outputs(d));
    TRY(find_drawings(d));
    TRY(describe_results(d));
    if (d->p->kind != KRTI_PROGRAM_TEST)
        TRY(describe_update(d));
    TRY(d->g->status);

done:
    return st;
}
