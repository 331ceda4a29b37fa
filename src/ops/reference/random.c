/* Random numbers by position; see base/rng.h. */
#include "base/rng.h"
#include "ops/reference/reference.h"

void krti_ref_random_uniform(const krti_node *n, const krti_view *in, krti_view *out)
{
    const float low = (float)n->attrs.random.a, high = (float)n->attrs.random.b;
    float *y = out->data;

    for (int64_t i = 0; i < krt_shape_size(out->shape); i++)
        y[i] = krti_random_uniform(krti_random_bits(in[0].data, (uint64_t)i), low, high);
}

void krti_ref_random_normal(const krti_node *n, const krti_view *in, krti_view *out)
{
    float *y = out->data;

    (void)n;
    for (int64_t i = 0; i < krt_shape_size(out->shape); i++)
        y[i] = krti_random_normal(krti_random_bits(in[0].data, (uint64_t)i));
}

void krti_ref_random_bernoulli(const krti_node *n, const krti_view *in, krti_view *out)
{
    const float p = (float)n->attrs.random.a;
    uint8_t *y = out->data;

    for (int64_t i = 0; i < krt_shape_size(out->shape); i++)
        y[i] = krti_random_uniform(krti_random_bits(in[0].data, (uint64_t)i), 0, 1) < p;
}
