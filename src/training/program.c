/* The program of a step: its graph (program_graph.c), compiled once for the shapes of a batch, and run. Keras:
 * backend/tensorflow/trainer.py, make_train_function() and make_test_function().
 *
 * Weights and slots are updated in place by the program; what only counts up (iterations, the sums of
 * metrics) is kept by the host. A program is made for each shape of batch that occurs, usually the full
 * one and the last of an epoch. */
#include "training/program.h"

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
    krti_program_making d = {.t = t};
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
    TRY(krti_program_describe(&d));
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
    const krti_metric_places *r = p->metrics;

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
