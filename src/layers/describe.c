/* Inputs cast, call arguments found, and refusals said alike. See describe.h. */
#include "layers/describe.h"

krt_value *krti_as_float32(krti_graph *g, krt_value *x)
{
    return x == NULL || x->dtype == KRT_FLOAT32 ? x : krti_cast(g, x, KRT_FLOAT32);
}

krt_value *krti_float_input(krt_call *c, size_t i)
{
    return krti_as_float32(c->g, krt_call_input(c, i));
}

krt_value *krti_cast_input(krt_call *c, size_t i)
{
    krt_value *x = krt_call_input(c, i);

    return x != NULL && krti_dtype_is_float(x->dtype) ? krti_as_float32(c->g, x) : x;
}

krt_status krti_fail_inputs(const krt_layer *l, size_t wanted, size_t found)
{
    return krti_layer_fail(l, KRT_E_INVALID,
                           "Layer \"%s\" expects %zu input(s), but it received %zu input tensors",
                           l->name, wanted, found);
}

krt_value *krti_rsqrt_above(krti_graph *g, krt_value *x, double epsilon)
{
    return krti_rsqrt(g, krti_affine(g, x, 1, epsilon, 0));
}

krt_status krti_unsupported_call(const krt_layer *l, const void *args, krt_call *c)
{
    (void)args;
    (void)c;
    return krti_layer_fail(l, KRT_E_UNSUPPORTED, "%s", l->unsupported);
}

static const krti_conf *find_argument(const krt_call *c, const char *name, size_t position)
{
    const krti_conf *arg = krti_conf_get(c->kwargs, name);

    return krti_conf_is_null(arg) ? krti_conf_at(c->args, position) : arg;
}

bool krti_call_flag(const krt_call *c, const char *name, size_t position)
{
    const krti_conf *arg = find_argument(c, name, position);

    return krti_conf_is(arg, KRTI_CONF_BOOL) && arg->as.boolean;
}

krt_value *krti_call_argument(krt_call *c, const char *name, size_t position, bool *given)
{
    const krti_conf *arg = find_argument(c, name, position);

    *given = !krti_conf_is_null(arg);
    return *given ? krti_call_arg(c, arg) : NULL;
}

krt_value *krti_call_mask(krt_call *c, size_t position)
{
    bool given = false;
    krt_value *mask = krti_call_argument(c, "mask", position, &given);

    if (given)
        return mask;
    return c->in_mask != NULL && c->num_in > 0 ? c->in_mask[0] : NULL;
}

krt_value *krti_a_sample(krti_graph *g, krt_value *penalty, krt_shape shape)
{
    const bool empty = shape.rank == 0 || shape.dim[0] == KRT_NONE || shape.dim[0] <= 0;

    return empty ? penalty : krti_affine(g, penalty, 1 / (double)shape.dim[0], 0, 0);
}

krt_value *krti_fold_time(krti_graph *g, krt_value *x)
{
    krt_shape shape = {.rank = x != NULL ? x->shape.rank - 1 : 0};

    if (x == NULL)
        return NULL;
    shape.dim[0] = krti_dim_mul(x->shape.dim[0], x->shape.dim[1]);
    for (int i = 1; i < shape.rank; i++)
        shape.dim[i] = x->shape.dim[i + 1];
    return krti_reshape(g, x, shape);
}

krt_value *krti_unfold_time(krti_graph *g, krt_value *y, int64_t batch, int64_t time)
{
    krt_shape shape = {.dim = {batch, time}};

    if (y == NULL)
        return NULL;
    if (y->shape.rank >= KRT_MAX_RANK)
        return krti_graph_fail(g, KRT_E_UNSUPPORTED, "the result would have more than %d axes",
                               KRT_MAX_RANK);
    shape.rank = y->shape.rank + 1;
    for (int i = 2; i < shape.rank; i++)
        shape.dim[i] = y->shape.dim[i - 1];
    return krti_reshape(g, y, shape);
}
