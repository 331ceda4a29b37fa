/* Max and average pooling over one or two spatial axes, channels last: every output row is the
 * largest or the mean of the rows its window covers. */
#include "ops/native/native.h"

enum { MAX_WINDOW = 256 };

typedef struct pool {
    int in_h, in_w, out_h, out_w, channels;
    int size_h, size_w, stride_h, stride_w, dilation_h, dilation_w, pad_h, pad_w;
    bool is_max;
} pool;

static bool supports_pool(const krti_node *n, int threads)
{
    const krti_window *w = &n->attrs.window;
    int64_t area = 1;

    (void)threads;
    for (int i = 0; i < w->rank; i++)
        area *= w->size[i];
    return krti_all_float(n) && w->rank <= 2 && area <= MAX_WINDOW;
}

static pool describe(const krti_node *n)
{
    const krti_window *w = &n->attrs.window;
    const krt_shape x = n->in[0]->shape, y = n->out[0].shape;
    const int last = w->rank - 1, two = w->rank == 2;

    return (pool){
        .in_h = two ? (int)x.dim[1] : 1,
        .in_w = (int)x.dim[w->rank],
        .out_h = two ? (int)y.dim[1] : 1,
        .out_w = (int)y.dim[w->rank],
        .channels = (int)x.dim[x.rank - 1],
        .size_h = two ? (int)w->size[0] : 1,
        .size_w = (int)w->size[last],
        .stride_h = two ? (int)w->stride[0] : 1,
        .stride_w = (int)w->stride[last],
        .dilation_h = two ? (int)w->dilation[0] : 1,
        .dilation_w = (int)w->dilation[last],
        .pad_h = two ? (int)w->before[0] : 0,
        .pad_w = (int)w->before[last],
        .is_max = n->op == &krti_op_max_pool,
    };
}

static void pool_row(const pool *p, const krti_isa *isa, const float *x, float *y, int row)
{
    const float *rows[MAX_WINDOW];
    const size_t channels = (size_t)p->channels;

    for (int column = 0; column < p->out_w; column++, y += channels) {
        size_t n = 0;

        for (int i = 0; i < p->size_h; i++) {
            const int h = row * p->stride_h - p->pad_h + i * p->dilation_h;

            for (int j = 0; h >= 0 && h < p->in_h && j < p->size_w; j++) {
                const int w = column * p->stride_w - p->pad_w + j * p->dilation_w;

                if (w >= 0 && w < p->in_w)
                    rows[n++] = x + ((size_t)h * (size_t)p->in_w + (size_t)w) * channels;
            }
        }
        if (n == 0) { /* a window of padding alone */
            for (size_t c = 0; c < channels; c++)
                y[c] = p->is_max ? -INFINITY : 0;
        } else if (p->is_max) {
            isa->pool_max(y, rows, n, channels);
        } else {
            isa->pool_avg(y, rows, n, channels, 1.0f / (float)n);
        }
    }
}

typedef struct pool_run {
    pool p;
    const krti_isa *isa;
    const float *x;
    float *y;
} pool_run;

static void pool_task(void *arg, size_t i, size_t thread)
{
    const pool_run *r = arg;
    const pool *p = &r->p;
    const size_t image = (size_t)p->in_h * (size_t)p->in_w * (size_t)p->channels;
    const size_t out_row = (size_t)p->out_w * (size_t)p->channels, out_h = (size_t)p->out_h;

    (void)thread;
    pool_row(p, r->isa, r->x + i / out_h * image, r->y + i * out_row, (int)(i % out_h));
}

static void run_pool(const krti_step *s, void *const *ptr, void *scratch, void *run_state)
{
    pool_run r = {describe(s->node), krti_isa_get(), krti_input_ptr(s, ptr, 0), ptr[s->out[0]]};
    const size_t rows = (size_t)s->node->in[0]->shape.dim[0] * (size_t)r.p.out_h;
    const double work =
        (double)krti_size(s->node->out[0].shape) * (double)r.p.size_h * (double)r.p.size_w;

    (void)scratch;
    (void)run_state;
    krti_share_tasks(krti_share(s, work), rows, pool_task, &r);
}

const krti_kernel krti_native_max_pool = {
    .name = "native_max_pool", .op = &krti_op_max_pool, .supports = supports_pool, .run = run_pool};
const krti_kernel krti_native_avg_pool = {
    .name = "native_avg_pool", .op = &krti_op_avg_pool, .supports = supports_pool, .run = run_pool};
