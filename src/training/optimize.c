/* One step of an optimizer over all variables: everything around the update rule. Keras:
 * optimizers/base_optimizer.py apply() and _backend_apply_gradients(). */
#include "base/regex.h"
#include "layers/weight_rules.h"
#include "training/update.h"

/* ------------------------------------------------------------------------------- rows */

/* Whether a gradient is nothing but what gathers add up. */
static bool is_rows(const krt_value *x)
{
    if (krti_is(x, &krti_op_add))
        return is_rows(x->node->in[0]) && is_rows(x->node->in[1]);
    return krti_is(x, &krti_op_gather_grad);
}

static krt_value *of_each(krti_graph *g, krt_value *x, krti_element_fn fn, const void *how)
{
    krti_node *n = x->node;

    if (krti_is(x, &krti_op_add))
        return krti_add(g, of_each(g, n->in[0], fn, how), of_each(g, n->in[1], fn, how));
    return krti_graph_add1(g, &krti_op_gather_grad, (krt_value *[]){fn(g, n->in[0], how), n->in[1]},
                           2, &n->attrs);
}

krt_value *krti_of_rows(krti_graph *g, bool by_row, krt_value *x, krti_element_fn fn,
                        const void *how)
{
    return by_row && x != NULL && is_rows(x) ? of_each(g, x, fn, how) : fn(g, x, how);
}

static krt_value *square(krti_graph *g, krt_value *x, const void *how)
{
    (void)how;
    return krti_square(g, x);
}

krt_value *krti_rows_squared(krti_graph *g, bool by_row, krt_value *x)
{
    return krti_of_rows(g, by_row, x, square, NULL);
}

/* ------------------------------------------------------------------------------- clipping */

static krt_value *square_sum(const krti_optimizing *s, krt_value *x)
{
    return krti_reduce_sum(s->g, krti_rows_squared(s->g, s->follows_tensorflow, x), NULL, 0, false);
}

typedef struct norm_clip {
    krt_value *norm;
    double limit;
} norm_clip;

static krt_value *to_norm(krti_graph *g, krt_value *x, const void *how)
{
    const norm_clip *c = how;

    return krti_divide(g, krti_affine(g, x, c->limit, 0, 0),
                       krti_maximum(g, c->norm, krti_scalar(g, c->limit)));
}

static krt_value *to_value(krti_graph *g, krt_value *x, const void *how)
{
    const double limit = *(const double *)how;

    return krti_clip(g, x, -limit, limit, 0);
}

/* limit * min(1 / norm, 1 / limit), and NaN where the norm is none. */
static krt_value *global_factor(krti_optimizing *s, size_t n, double limit)
{
    krti_graph *g = s->g;
    krt_value *total = NULL;

    for (size_t i = 0; i < n; i++)
        if (s->gradients[i] != NULL)
            total = total == NULL ? square_sum(s, s->gradients[i])
                                  : krti_add(g, total, square_sum(s, s->gradients[i]));
    krt_value *norm = krti_sqrt(g, total);
    krt_value *least = krti_minimum(g, krti_reciprocal(g, norm), krti_scalar(g, 1 / limit));
    return krti_add(g, krti_affine(g, least, limit, 0, 0), krti_subtract(g, norm, norm));
}

static bool is_set(double limit)
{
    return !isnan(limit) && limit > 0;
}

static void clip(krti_optimizing *s, const krti_optimizer_args *a)
{
    krti_graph *g = s->g;
    const size_t n = s->o->num_trainable;
    krt_value *factor = is_set(a->global_clipnorm) ? global_factor(s, n, a->global_clipnorm) : NULL;

    for (size_t i = 0; i < n; i++) {
        krt_value **x = &s->gradients[i];

        if (*x == NULL)
            continue;
        if (is_set(a->clipnorm))
            *x = krti_of_rows(g, s->follows_tensorflow, *x, to_norm,
                              &(norm_clip){krti_sqrt(g, square_sum(s, *x)), a->clipnorm});
        else if (factor != NULL)
            *x = krti_multiply(g, *x, factor);
        else if (is_set(a->clipvalue))
            *x = krti_of_rows(g, s->follows_tensorflow, *x, to_value, &a->clipvalue);
    }
}

/* ------------------------------------------------------------------------------- one variable */

static bool decays(const krti_optimizing *s, const krt_variable *v)
{
    return !krti_regex_finds(s->undecayed, v->name);
}

static krt_value *decay(krti_optimizing *s, const krt_variable *v, krt_value *value)
{
    const krti_optimizer_args *a = s->o->args;
    const double rate = s->o->cls->decay != NULL ? s->o->cls->decay(a, v) : a->weight_decay;
    krti_graph *g = s->g;

    if (isnan(rate) || !decays(s, v))
        return value;
    return krti_subtract(g, value, krti_multiply(g, krti_affine(g, value, rate, 0, 0), s->rate));
}

static krt_value *slot_of(krti_optimizing *s, const char *slot, const krt_variable *v)
{
    const krti_optimizer_variable *found = krti_optimizer_find(s->o, slot, v);

    return found != NULL ? krti_variable(s->g, found->tensor) : NULL;
}

/* The mean over all steps since the last update; the sum begins anew. */
static krt_status take_accumulated(krti_optimizing *s)
{
    const krti_optimizer_args *a = s->o->args;
    krti_graph *g = s->g;
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < s->o->num_trainable; i++) {
        krt_variable *v = s->o->trainable[i];
        krt_value *sum = slot_of(s, "gradient_accumulator", v);

        if (s->gradients[i] == NULL || sum == NULL)
            continue;
        krt_value *total = krti_add(g, s->gradients[i], sum);
        if (s->accumulates) {
            st = krti_assign(g, sum, total);
            continue;
        }
        s->gradients[i] =
            krti_divide(g, total, krti_scalar(g, (double)a->gradient_accumulation_steps));
        st = krti_assign(g, sum, krti_broadcast_to(g, krti_scalar(g, 0), v->tensor->shape));
    }
    return st;
}

krt_value *krti_before_update(const krti_optimizing *s, const krt_variable *v)
{
    krt_value *own = krti_variable(s->g, v->tensor);

    return s->follows_tensorflow ? krti_current(s->g, own) : own;
}

static krt_status update_variable(krti_optimizing *s, size_t i)
{
    krt_variable *v = s->o->trainable[i];
    krt_value *own = krti_variable(s->g, v->tensor);
    krti_updating u = {.g = s->g,
                       .o = s->o,
                       .args = s->o->args,
                       .v = v,
                       .gradient = s->gradients[i],
                       .follows_tensorflow = s->follows_tensorflow,
                       .rate = s->rate};

    memcpy(u.scalars, s->scalars, sizeof u.scalars);
    u.variable = decay(s, v, krti_before_update(s, v));
    krt_value *value = s->o->cls->update(&u);
    return value != NULL ? krti_assign(s->g, own, value) : s->g->status;
}

/* ------------------------------------------------------------------------------- averages */

static krt_status average_variable(krti_optimizing *s, krt_variable *v)
{
    krti_graph *g = s->g;
    krt_value *own = krti_variable(g, v->tensor), *slot = slot_of(s, "average", v);
    krt_value *value = krti_current(g, own), *rest = krti_affine(g, s->average, -1, 1, 0);
    krt_value *mean =
        krti_add(g, krti_multiply(g, s->average, slot), krti_multiply(g, rest, value));
    krt_status st = KRT_OK;

    if (mean == NULL)
        return g->status;
    st = krti_assign(g, slot, mean);
    if (st == KRT_OK && s->overwrite != NULL)
        st = krti_assign(g, own, krti_where(g, s->overwrite, mean, value));
    return st;
}

static krt_status constrain(krti_optimizing *s, krt_variable *v)
{
    const krt_spec *constraint = krti_variable_constraint(v);
    krt_value *own = krti_variable(s->g, v->tensor), *value = NULL;

    if (constraint == NULL)
        return KRT_OK;
    value = krti_constrain(s->g, v->layer, constraint, krti_current(s->g, own));
    return value != NULL ? krti_assign(s->g, own, value) : s->g->status;
}

static krt_status keep_unless_finite(krti_optimizing *s, const krt_tensor *tensor)
{
    krt_value *own = krti_variable(s->g, tensor), *value = krti_current(s->g, own);

    if (value == own)
        return KRT_OK;
    value = krti_where(s->g, s->is_finite, value, own);
    return value != NULL ? krti_assign(s->g, own, value) : s->g->status;
}

/* Nothing at all happens in a step whose gradients are not finite. */
static krt_status guard(krti_optimizing *s)
{
    const krti_optimizer *o = s->o;
    krt_status st = KRT_OK;

    if (s->is_finite == NULL)
        return KRT_OK;
    for (size_t i = 0; st == KRT_OK && i < o->num_trainable; i++)
        st = keep_unless_finite(s, o->trainable[i]->tensor);
    for (size_t i = o->first_slot; st == KRT_OK && i < o->num_variables; i++)
        st = keep_unless_finite(s, o->variables[i].tensor);
    return st;
}

krt_status krti_describe_step(krti_optimizing *s)
{
    const krti_optimizer_args *a = s->o->args;
    krt_status st = KRT_OK;

    TRY(take_accumulated(s));
    if (!s->accumulates) {
        clip(s, a);
        for (size_t i = 0; i < s->o->num_trainable; i++)
            if (s->gradients[i] != NULL)
                TRY(update_variable(s, i));
    }
    for (size_t i = 0; a->use_ema && i < s->o->num_trainable; i++)
        TRY(average_variable(s, s->o->trainable[i]));
    for (size_t i = 0; i < s->o->num_trainable; i++)
        if (s->gradients[i] != NULL)
            TRY(constrain(s, s->o->trainable[i]));
    TRY(guard(s));

done:
    return st;
}
