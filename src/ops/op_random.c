/* Random numbers in a graph: a key in, an array out. The i-th element depends on the key and i
 * alone, so the numbers are the same with any number of threads, and a run can be repeated from the
 * key. Mirrors keras/src/backend/jax/random.py, number by number; see base/rng.h. */
#include "ops/op_infer.h"
#include "ops/reference/reference.h"

static krt_status infer_random(krti_graph *g, krti_node *n)
{
    const krt_value *key = n->in[0];

    if (key->dtype != KRT_UINT32 || key->shape.rank != 1 || key->shape.dim[0] != 2)
        return INFER_FAIL(g, "%s takes a key of uint32 (2,), found %s %s", n->op->name,
                          krt_dtype_name(key->dtype), krti_shape_text(key->shape).s);
    return krti_infer_set(n, n->op == &krti_op_random_bernoulli ? KRT_BOOL : KRT_FLOAT32,
                          n->attrs.random.shape);
}

/* Twenty rounds of a handful of integer operations. */
static double flops_random(const krti_node *n)
{
    const int64_t size = krt_shape_size(n->out[0].shape);

    return size == KRT_NONE ? 0 : 100.0 * (double)size;
}

#define RANDOM(NAME)                                              \
    const krti_op krti_op_##NAME = {.name = #NAME,                \
                                    .min_in = 1,                  \
                                    .max_in = 1,                  \
                                    .infer = infer_random,        \
                                    .reference = krti_ref_##NAME, \
                                    .flops = flops_random}
RANDOM(random_uniform);
RANDOM(random_normal);
RANDOM(random_bernoulli);

static krt_value *draw(krti_graph *g, const krti_op *op, krt_value *key, krt_shape shape, double a,
                       double b)
{
    const krti_attrs attrs = {.random = {.shape = shape, .a = a, .b = b}};

    return krti_graph_add1(g, op, &key, 1, &attrs);
}

krt_value *krti_random_uniform_of(krti_graph *g, krt_value *key, krt_shape shape, double low,
                                  double high)
{
    return draw(g, &krti_op_random_uniform, key, shape, low, high);
}

static krt_value *scaled(krti_graph *g, krt_value *x, double mean, double stddev)
{
    return mean == 0 && stddev == 1 ? x : krti_affine(g, x, stddev, mean, 0);
}

krt_value *krti_random_normal_of(krti_graph *g, krt_value *key, krt_shape shape, double mean,
                                 double stddev)
{
    return scaled(g, draw(g, &krti_op_random_normal, key, shape, 0, 0), mean, stddev);
}

krt_value *krti_random_bernoulli_of(krti_graph *g, krt_value *key, krt_shape shape, double p)
{
    return draw(g, &krti_op_random_bernoulli, key, shape, p, 0);
}

krt_value *krti_dropout(krti_graph *g, krt_value *x, krt_value *key, double rate, krt_shape noise)
{
    krt_value *zero = krti_scalar_like(g, x, 0);

    if (x == NULL || rate == 0)
        return x;
    if (rate == 1)
        return krti_broadcast_to(g, zero, x->shape);
    krt_value *kept = krti_random_bernoulli_of(g, key, noise, 1 - rate);
    krt_value *scaled_x = krti_divide(g, x, krti_scalar_like(g, x, 1 - rate));
    return krti_where(g, kept, scaled_x, zero);
}
