/* Pooling: a window slides, or the input is cut into a given number of windows; see pool.inc. */
#include "ops/reference/reference.h"

enum { STRIP = 64 };

/* Where the windows lie: of window o along axis i, [low, high) inside the input. */
typedef struct pool_shape {
    int rank;
    bool adaptive, mean;
    int64_t batch, channels;
    int64_t in[3], out[3];
    const krti_window *window;
} pool_shape;

static pool_shape pool_shape_of(const krti_node *n, const krti_view *in, const krti_view *out)
{
    const int rank = out->shape.rank - 2;
    pool_shape p = {.rank = rank,
                    .batch = out->shape.dim[0],
                    .channels = out->shape.dim[rank + 1],
                    .in = {1, 1, 1},
                    .out = {1, 1, 1},
                    .window = &n->attrs.window};

    for (int i = 0; i < rank; i++) {
        p.in[i] = in[0].shape.dim[i + 1];
        p.out[i] = out->shape.dim[i + 1];
    }
    return p;
}

/* First element of a window, its end and its step along one axis. */
typedef struct pool_range {
    int64_t low, high, step;
} pool_range;

static pool_range pool_range_of(const pool_shape *p, int i, int64_t o)
{
    pool_range r = {.low = 0, .high = 1, .step = 1};

    if (i >= p->rank)
        return r;
    if (p->adaptive) { /* floor(o in / out) to ceil((o + 1) in / out) */
        r.low = o * p->in[i] / p->out[i];
        r.high = ((o + 1) * p->in[i] + p->out[i] - 1) / p->out[i];
        return r;
    }
    r.step = p->window->dilation[i];
    r.low = o * p->window->stride[i] - p->window->before[i];
    r.high = r.low + (p->window->size[i] - 1) * r.step + 1;
    if (r.low < 0)
        r.low += (-r.low + r.step - 1) / r.step * r.step;
    if (r.high > p->in[i])
        r.high = p->in[i];
    return r;
}

#define TEMPLATE "ops/reference/pool.inc"
#include "ops/reference/floats.inc"
#undef TEMPLATE

static void pool(const krti_node *n, const krti_view *in, krti_view *out, bool adaptive, bool mean)
{
    pool_shape p = pool_shape_of(n, in, out);

    p.adaptive = adaptive;
    p.mean = mean;
    if (out->dtype == KRT_FLOAT64)
        pool_f64(&p, in[0].data, out->data);
    else
        pool_f32(&p, in[0].data, out->data);
}

void krti_ref_max_pool(const krti_node *n, const krti_view *in, krti_view *out)
{
    pool(n, in, out, false, false);
}

void krti_ref_avg_pool(const krti_node *n, const krti_view *in, krti_view *out)
{
    pool(n, in, out, false, true);
}

void krti_ref_adaptive_avg_pool(const krti_node *n, const krti_view *in, krti_view *out)
{
    pool(n, in, out, true, true);
}

void krti_ref_adaptive_max_pool(const krti_node *n, const krti_view *in, krti_view *out)
{
    pool(n, in, out, true, false);
}

/* Backwards: dx stands where the pooled input stood, dy where the result did. */
static void pool_grad(const krti_node *n, const krti_view *in, krti_view *out, bool adaptive,
                      bool mean)
{
    pool_shape p = pool_shape_of(n, out, &in[0]);
    const void *x = mean ? NULL : in[1].data, *y = mean ? NULL : in[2].data;

    p.adaptive = adaptive;
    p.mean = mean;
    if (out->dtype == KRT_FLOAT64)
        pool_grad_f64(&p, in[0].data, x, y, out->data);
    else
        pool_grad_f32(&p, in[0].data, x, y, out->data);
}

void krti_ref_max_pool_grad(const krti_node *n, const krti_view *in, krti_view *out)
{
    pool_grad(n, in, out, false, false);
}

void krti_ref_avg_pool_grad(const krti_node *n, const krti_view *in, krti_view *out)
{
    pool_grad(n, in, out, false, true);
}

void krti_ref_adaptive_max_pool_grad(const krti_node *n, const krti_view *in, krti_view *out)
{
    pool_grad(n, in, out, true, false);
}

void krti_ref_adaptive_avg_pool_grad(const krti_node *n, const krti_view *in, krti_view *out)
{
    pool_grad(n, in, out, true, true);
}
