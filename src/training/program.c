/* The program of a step: forward, losses, metrics, gradients and the optimizer's update as one graph,
 * compiled once for the shapes of a batch. Keras: backend/tensorflow/trainer.py train_step() and
 * test_step().
 *
 * Weights and slots are updated in place by the program; what only counts up (iterations, the sums of
 * metrics) is kept by the host. A program is made for each shape of batch that occurs, usually the full
 * one and the last of an epoch. */
#include "layers/weight_rules.h"
#include "ops/autodiff.h"
#include "ops/plan.h"
#include "training/training.h"
#include "training/update.h"

/* Results of one metric: sum and count, or the predictions it looks at; -1: none. */
typedef struct metric_result {
    int total, count;
} metric_result;

/* A layer that draws random numbers in a step, and how often. */
typedef struct drawing {
    uint32_t *state; /* [seed, draws], Keras's SeedGenerator */
    uint32_t draws;
} drawing;

struct krti_program {
    struct krti_program *next;
    krti_program_kind kind;
    size_t num_x, num_y;
    krt_shape *x, *y, *weights; /* rank -1: no weights for this output */
    krti_plan *plan;
    krti_exec *exec;
    const void **inputs;
    /* The scalar inputs of an updating step, in this order, where it has them. */
    float rate, scalars[KRTI_MAX_SCALARS], average, loss_scale;
    bool overwrite;
    bool updates;           /* it trains, and there is something to train */
    int output_losses;      /* results: the first of the outputs' losses */
    int is_finite;          /* -1: not asked */
    int *predictions;       /* by output; -1: not kept */
    metric_result *metrics; /* all outputs' metrics in order */
    drawing *drawings;
    size_t num_drawings;
};

static void program_free(krt_ctx *k, struct krti_program *p)
{
    if (p == NULL)
        return;
    krti_exec_free(p->exec);
    krti_plan_free(p->plan);
    krti_free(k, p->x);
    krti_free(k, p->y);
    krti_free(k, p->weights);
    krti_free(k, (void *)p->inputs);
    krti_free(k, p->predictions);
    krti_free(k, p->metrics);
    krti_free(k, p->drawings);
    krti_free(k, p);
}

void krti_programs_free(struct krti_training *t)
{
    while (t->programs != NULL) {
        struct krti_program *next = t->programs->next;

        program_free(t->k, t->programs);
        t->programs = next;
    }
    krti_packs_free(t->packs);
    t->packs = NULL;
}

/* ------------------------------------------------------------------------------- describing */

/* A step while it is described. */
typedef struct describing {
    struct krti_training *t;
    struct krti_program *p;
    krti_graph *g;
    krt_value **x, **y, **weights;   /* inputs; NULL entries of weights: none */
    krt_value **out, **mask;         /* the model's */
    krt_value *scale_input;          /* of a LossScaleOptimizer's loss */
    krt_value *reported, *minimized; /* the whole loss, twice */
    krti_optimizing step;
    bool *trains; /* by variable of the optimizer: it is not frozen now */
    size_t num_trained;
    size_t num_results;
} describing;

static krt_status add_result(describing *d, krt_value *v, int *index)
{
    const krt_status st = krti_graph_add_output(d->g, v);

    *index = (int)d->num_results;
    d->num_results += st == KRT_OK;
    return st;
}

static krt_status make_inputs(describing *d)
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

static krti_scoring scoring_of(const describing *d, size_t i)
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

static krt_status describe_losses(describing *d, krt_value **each)
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
static krt_status describe_penalties(describing *d)
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

static krt_status keep_prediction(describing *d, size_t i)
{
    if (d->p->predictions[i] >= 0)
        return KRT_OK;
    return add_result(d, krti_cast(d->g, d->out[i], KRT_FLOAT32), &d->p->predictions[i]);
}

static krt_status describe_metrics(describing *d)
{
    /* On JAX the outputs come back from the function that is differentiated without their masks. */
    const bool has_masks = d->p->kind == KRTI_PROGRAM_TEST || strcmp(d->t->backend, "jax") != 0;
    metric_result *r = d->p->metrics;
    krt_status st = KRT_OK;

    for (size_t i = 0; i < d->t->num_outputs; i++) {
        const krti_trained_output *o = &d->t->outputs[i];

        d->g->scope = o->name;
        for (size_t j = 0; j < o->num_metrics; j++, r++) {
            const krti_output_metric *m = &o->metrics[j];
            krti_scoring s = scoring_of(d, i);
            krt_value *total = NULL, *count = NULL;

            *r = (metric_result){-1, -1};
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

static krt_value *scalar_input(describing *d)
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

static krt_status warn_of_missing(describing *d, krt_value *const *gradients)
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
static krt_status describe_gradients(describing *d)
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

static krt_status describe_update(describing *d)
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

static krt_status describe_outputs(describing *d)
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

static krt_status describe_results(describing *d)
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

static krt_status find_drawings(describing *d)
{
    struct krti_program *p = d->p;

    p->drawings = krti_array(d->t->k, d->g->num_updates + 1, sizeof *p->drawings);
    if (p->drawings == NULL)
        return KRT_E_NOMEM;
    for (size_t i = 0; i < d->g->num_updates; i++) {
        const krti_update *u = &d->g->updates[i];

        if (u->variable->dtype == KRT_UINT32)
            p->drawings[p->num_drawings++] =
                (drawing){u->variable->node->attrs.tensor->data, num_draws(u)};
    }
    return KRT_OK;
}

static krt_status describe(describing *d)
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

/* ------------------------------------------------------------------------------- making */

static krt_status copy_shapes(krt_ctx *k, krt_shape **out, const krt_shape *shapes, size_t n)
{
    *out = krti_array(k, n + 1, sizeof **out);
    if (*out == NULL)
        return KRT_E_NOMEM;
    if (n > 0)
        memcpy(*out, shapes, n * sizeof **out);
    return KRT_OK;
}

static krt_shape weight_shape(const krti_step_data *data, size_t i)
{
    return data->weights != NULL && data->weights[i] != NULL ? data->weight_shapes[i]
                                                             : (krt_shape){.rank = -1};
}

static krt_status program_new(struct krti_training *t, struct krti_program **out,
                              krti_program_kind kind, const krti_step_data *data)
{
    const size_t n = t->m->num_outputs;
    struct krti_program *p = krti_alloc(t->k, sizeof *p);
    krt_status st = KRT_OK;

    *out = p;
    if (p == NULL)
        return KRT_E_NOMEM;
    p->kind = kind;
    p->num_x = t->m->num_inputs;
    p->num_y = data->num_y;
    p->is_finite = -1;
    TRY(copy_shapes(t->k, &p->x, data->x_shapes, p->num_x));
    TRY(copy_shapes(t->k, &p->y, data->y_shapes, p->num_y));
    p->weights = krti_array(t->k, n + 1, sizeof *p->weights);
    p->predictions = krti_array(t->k, n + 1, sizeof *p->predictions);
    if (p->weights == NULL || p->predictions == NULL)
        return KRT_E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        p->weights[i] = weight_shape(data, i);
        p->predictions[i] = -1;
    }

done:
    return st;
}

static krt_status compile_program(struct krti_training *t, struct krti_program *p, krti_graph *g)
{
    const krti_compile_args args = {.threads = t->k->threads};
    krt_status st = KRT_OK;

    if (t->packs == NULL && (st = krti_packs_new(t->k, &t->packs)) != KRT_OK) {
        krti_graph_free(g);
        return st;
    }
    st = krti_compile(t->k, &p->plan, g, t->packs, &args);
    if (st != KRT_OK)
        return st;
    p->inputs = krti_array(t->k, p->plan->graph->num_inputs + 1, sizeof *p->inputs);
    if (p->inputs == NULL)
        return KRT_E_NOMEM;
    return krti_exec_new(t->k, &p->exec, p->plan);
}

/* A program that trains writes into the weights: they must be ours, not a file's mapping. One that only
 * reads takes them where they lie, but an archive may hold them at any address. */
typedef struct readying {
    bool trains, moved;
} readying;

static krt_status ready_weight(void *user, krt_variable *v)
{
    readying *r = user;

    if (v->tensor->data == NULL ||
        (krti_tensor_is_aligned(v->tensor) && (!r->trains || krti_tensor_is_private(v->tensor))))
        return KRT_OK;
    r->moved = true;
    return krti_tensor_align(v->tensor);
}

static krt_status make_program(struct krti_training *t, struct krti_program **out,
                               krti_program_kind kind, const krti_step_data *data)
{
    const size_t room = t->m->num_inputs + data->num_y + 3 * t->m->num_outputs + 1;
    describing d = {.t = t};
    readying r = {.trains = kind != KRTI_PROGRAM_TEST};
    krt_value **values = krti_array(t->k, room, sizeof *values);
    krt_status st = values != NULL ? KRT_OK : KRT_E_NOMEM;

    if (st != KRT_OK)
        return st;
    TRY(krti_layer_each_variable(&t->m->base, ready_weight, &r));
    if (r.moved) /* the other programs look where the weights no longer are */
        krti_programs_free(t);
    TRY(program_new(t, &d.p, kind, data));
    TRY(krti_graph_new(t->k, &d.g));
    d.x = values;
    d.y = d.x + t->m->num_inputs;
    d.weights = d.y + data->num_y;
    d.out = d.weights + t->m->num_outputs;
    d.mask = d.out + t->m->num_outputs;
    TRY(describe(&d));
    st = compile_program(t, d.p, d.g);
    d.g = NULL;

done:
    krti_free(t->k, values);
    krti_graph_free(d.g);
    if (st != KRT_OK) {
        program_free(t->k, d.p);
        d.p = NULL;
    }
    *out = d.p;
    return st;
}

static bool same_shapes(const krt_shape *a, const krt_shape *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!krt_shape_equal(a[i], b[i]))
            return false;
    return true;
}

static bool fits(const struct krti_training *t, const struct krti_program *p,
                 krti_program_kind kind, const krti_step_data *data)
{
    if (p->kind != kind || p->num_y != data->num_y ||
        !same_shapes(p->x, data->x_shapes, p->num_x) ||
        !same_shapes(p->y, data->y_shapes, p->num_y))
        return false;
    for (size_t i = 0; i < t->m->num_outputs; i++)
        if (!krt_shape_equal(p->weights[i], weight_shape(data, i)))
            return false;
    return true;
}

/* Sequences of every length would make a program each: the oldest goes. */
enum { MOST_PROGRAMS = 32 };

static void drop_oldest(struct krti_training *t)
{
    struct krti_program **at = &t->programs;
    size_t n = 0;

    for (struct krti_program *p = t->programs; p != NULL; p = p->next)
        n++;
    if (n < MOST_PROGRAMS)
        return;
    while ((*at)->next != NULL)
        at = &(*at)->next;
    program_free(t->k, *at);
    *at = NULL;
}

static krt_status find_program(struct krti_training *t, struct krti_program **out,
                               krti_program_kind kind, const krti_step_data *data)
{
    krt_status st = KRT_OK;

    for (*out = t->programs; *out != NULL; *out = (*out)->next)
        if (fits(t, *out, kind, data))
            return KRT_OK;
    drop_oldest(t);
    st = make_program(t, out, kind, data);
    if (st != KRT_OK)
        return st;
    (*out)->next = t->programs;
    t->programs = *out;
    return KRT_OK;
}

/* ------------------------------------------------------------------------------- running */

static void step_numbers(const struct krti_training *t, struct krti_program *p)
{
    const krti_optimizer *outer = t->optimizer;
    const krti_optimizer *o = outer->inner != NULL ? outer->inner : outer;
    const krti_optimizer_args *a = o->args;
    const int64_t done = krti_optimizer_iterations(o);

    p->rate = krti_optimizer_rate(o);
    if (o->cls->scalars != NULL)
        o->cls->scalars(o, (float)(done + 1), p->rate, p->scalars);
    p->average = done != 0 ? (float)a->ema_momentum : 0;
    p->overwrite = a->use_ema && a->ema_overwrite_frequency != KRT_NONE &&
                   (done + 1) % a->ema_overwrite_frequency == 0;
    /* Noise is a function of seed and step, so that a training can go on from any file. */
    for (size_t i = 0; i < p->num_drawings; i++)
        p->drawings[i].state[1] =
            (uint32_t) * (const int64_t *)o->iteration->data * p->drawings[i].draws;
    p->loss_scale = 1;
    if (outer->inner != NULL)
        p->loss_scale =
            *(const float *)krti_optimizer_find(outer, "dynamic_scale", NULL)->tensor->data;
}

static void bind(struct krti_training *t, struct krti_program *p, const krti_step_data *data)
{
    size_t n = 0;

    for (size_t i = 0; i < p->num_x; i++)
        p->inputs[n++] = data->x[i];
    for (size_t i = 0; i < p->num_y; i++)
        p->inputs[n++] = data->y[i];
    for (size_t i = 0; i < t->m->num_outputs; i++)
        if (p->weights[i].rank >= 0)
            p->inputs[n++] = data->weights[i];
    if (p->kind == KRTI_PROGRAM_TEST)
        return;
    step_numbers(t, p);
    p->inputs[n++] = &p->rate;
    for (int i = 0; i < KRTI_MAX_SCALARS; i++)
        p->inputs[n++] = &p->scalars[i];
    p->inputs[n++] = &p->average;
    p->inputs[n++] = &p->loss_scale;
    p->inputs[n++] = &p->overwrite;
}

static float result(const struct krti_program *p, int i)
{
    return *(const float *)krti_exec_output(p->exec, (size_t)i);
}

/* Weights of the rows, when they have one each. */
static const float *row_weights(const krti_step_data *data, size_t i)
{
    const bool given = data->weights != NULL && data->weights[i] != NULL;

    return given && krt_shape_size(data->weight_shapes[i]) == data->rows ? data->weights[i] : NULL;
}

static void track_metrics(struct krti_training *t, const struct krti_program *p,
                          const krti_step_data *data)
{
    const metric_result *r = p->metrics;

    for (size_t i = 0; i < t->num_outputs; i++) {
        krti_trained_output *o = &t->outputs[i];

        for (size_t j = 0; j < o->num_metrics; j++, r++) {
            krti_metric *m = &o->metrics[j].metric;

            if (r->total >= 0) {
                krti_metric_add_mean(m, result(p, r->total), result(p, r->count));
                continue;
            }
            const krt_metric_batch b = {
                .y_true = data->y[o->target],
                .y_pred = krti_exec_output(p->exec, (size_t)p->predictions[i]),
                .true_shape = data->y_shapes[o->target],
                .pred_shape = p->plan->graph->outputs[p->predictions[i]]->shape,
                .weight = o->metrics[j].is_weighted ? row_weights(data, i) : NULL};
            m->cls->rule->update(m, &b);
        }
    }
}

static void track_losses(struct krti_training *t, const struct krti_program *p, int64_t rows)
{
    /* Keras weighs an output's loss by the batch's static size, which TensorFlow does not know. */
    const float weight = strcmp(t->backend, "jax") == 0 ? (float)rows : 1;
    int next = p->output_losses;

    t->total += result(p, 0) * (float)rows;
    t->count += (float)rows;
    for (size_t i = 0; t->num_losses > 1 && i < t->num_outputs; i++) {
        if (!t->outputs[i].has_loss)
            continue;
        t->outputs[i].total += result(p, next++) * weight;
        t->outputs[i].count += weight;
    }
}

/* What LossScaleOptimizer does with its scale. */
static bool adapt_scale(krti_optimizer *o, bool is_finite)
{
    const int64_t growth = ((const krt_loss_scale_optimizer_args *)o->args)->dynamic_growth_steps;
    int64_t *counter = krti_optimizer_find(o, "step_counter", NULL)->tensor->data;
    float *scale = krti_optimizer_find(o, "dynamic_scale", NULL)->tensor->data;

    if (!is_finite) {
        *counter = 0;
        *scale *= 0.5f;
    } else if (*counter == growth - 1) {
        *counter = 0;
        *scale *= 2;
    } else {
        ++*counter;
    }
    return is_finite;
}

static void count_step(struct krti_training *t, const struct krti_program *p)
{
    krti_optimizer *o = t->optimizer;

    if (o->inner != NULL) {
        const bool is_finite = p->is_finite < 0 || *(const unsigned char *)krti_exec_output(
                                                       p->exec, (size_t)p->is_finite) != 0;

        if (!adapt_scale(o, is_finite))
            return;
        o = o->inner;
    }
    if (p->kind == KRTI_PROGRAM_TRAIN && o->cls->commit != NULL)
        o->cls->commit(o, p->scalars);
    ++*(int64_t *)o->iteration->data;
}

krt_status krti_check_labels(const struct krti_training *t, const krti_trained_output *o,
                             const krti_labels *l)
{
    for (size_t j = 0; j < l->n; j++) {
        const float y = l->y[j];

        if (!(y >= 0 && y < (float)o->num_classes) &&
            !(o->ignore_class != KRT_NONE && y == (float)o->ignore_class))
            return krti_fail(t->k, KRT_E_INVALID, o->name,
                             "label %g in row %zu of %s is outside [0, %lld), the classes the "
                             "output has: labels count from 0, and the last layer needs a unit "
                             "for each class",
                             (double)y, (l->first + j) / l->a_row, l->of,
                             (long long)o->num_classes);
    }
    return KRT_OK;
}

static krt_status check_labels(const struct krti_training *t, const krti_step_data *data)
{
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < t->num_outputs; i++) {
        const krti_trained_output *o = &t->outputs[i];

        if (!o->has_loss || o->num_classes == 0)
            continue;
        const int64_t n = krt_shape_size(data->y_shapes[o->target]);
        st = krti_check_labels(t, o,
                               &(krti_labels){data->y[o->target], (size_t)n, 0,
                                              (size_t)(n / data->rows), "the batch"});
    }
    return st;
}

krt_status krti_prepare_step(struct krti_training *t, krti_program_kind kind,
                             const krti_step_data *data)
{
    struct krti_program *p = NULL;

    return find_program(t, &p, kind, data);
}

krt_status krti_run_step(struct krti_training *t, krti_program_kind kind,
                         const krti_step_data *data, float *loss)
{
    struct krti_program *p = NULL;
    krt_status st = find_program(t, &p, kind, data);

    if (st == KRT_OK)
        st = check_labels(t, data);
    if (st != KRT_OK)
        return st;
    bind(t, p, data);
    st = krti_exec_run(p->exec, p->inputs);
    if (st != KRT_OK)
        return st;
    track_losses(t, p, data->rows);
    track_metrics(t, p, data);
    if (p->updates)
        count_step(t, p);
    if (loss != NULL)
        *loss = result(p, 0);
    return KRT_OK;
}
