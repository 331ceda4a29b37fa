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

static pool describe(const krti_node *n, krt_shape x, krt_shape y)
{
    const krti_window *w = &n->attrs.window;
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
        .is_max = n->op == &krti_op_max_pool || n->op == &krti_op_max_pool_grad,
    };
}

/* Offsets of the elements inside the image that a window covers; returns how many. */
static size_t window_rows(const pool *p, int row, int column, size_t *at)
{
    size_t n = 0;

    for (int i = 0; i < p->size_h; i++) {
        const int h = row * p->stride_h - p->pad_h + i * p->dilation_h;

        for (int j = 0; h >= 0 && h < p->in_h && j < p->size_w; j++) {
            const int w = column * p->stride_w - p->pad_w + j * p->dilation_w;

            if (w >= 0 && w < p->in_w)
                at[n++] = ((size_t)h * (size_t)p->in_w + (size_t)w) * (size_t)p->channels;
        }
    }
    return n;
}

static void pool_row(const pool *p, const krti_isa *isa, const float *x, float *y, int row)
{
    const float *rows[MAX_WINDOW];
    size_t at[MAX_WINDOW], n = 0;
    const size_t channels = (size_t)p->channels, step = (size_t)p->stride_w * channels;
    const int reach = (p->size_w - 1) * p->dilation_w - p->pad_w;

    for (int column = 0; column < p->out_w; column++, y += channels) {
        if (n == (size_t)(p->size_h * p->size_w) && column * p->stride_w + reach < p->in_w) {
            for (size_t i = 0; i < n; i++) /* from one whole window to the next */
                rows[i] += step;
        } else {
            n = window_rows(p, row, column, at);
            for (size_t i = 0; i < n; i++)
                rows[i] = x + at[i];
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
    pool_run r = {describe(s->node, s->node->in[0]->shape, s->node->out[0].shape), krti_isa_get(),
                  krti_input_ptr(s, ptr, 0), ptr[s->out[0]]};
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

/* ------------------------------------------------------------------------------- gradients */

typedef struct grad_run {
    pool p;
    const krti_isa *isa;
    bool is_shared; /* an element may lie in several windows, or in none */
    const float *dy, *x, *y;
    float *dx;
} grad_run;

/* Every element in one window and only one. */
static bool is_tiling(const pool *p)
{
    return p->stride_h == p->size_h && p->stride_w == p->size_w && p->dilation_h == 1 &&
           p->dilation_w == 1 && p->pad_h == 0 && p->pad_w == 0 &&
           p->in_h == p->out_h * p->size_h && p->in_w == p->out_w * p->size_w;
}

static void max_window(const grad_run *r, size_t out, float *dx, const float *x, const size_t *at,
                       size_t n)
{
    const float *rows[MAX_WINDOW];
    float *to[MAX_WINDOW];

    for (size_t i = 0; i < n; i++) {
        rows[i] = x + at[i];
        to[i] = dx + at[i];
    }
    r->isa->pool_max_grad(to, rows, n, r->y + out, r->dy + out, (size_t)r->p.channels,
                          r->is_shared);
}

/* What a window hands back is added to what others have, a block of channels at a time. */
static void avg_window(const grad_run *r, size_t out, float *dx, const size_t *at, size_t n)
{
    enum { BLOCK = 256 };
    const size_t channels = (size_t)r->p.channels;
    const krti_act over = {KRTI_FN_AFFINE, 1.0f / (float)n, 0, 0};
    float part[BLOCK];

    for (size_t c = 0; c < channels; c += BLOCK) {
        const size_t m = krti_smaller_size(BLOCK, channels - c);

        r->isa->activate(part, r->dy + out + c, m, over);
        for (size_t i = 0; i < n; i++) {
            float *to = dx + at[i] + c;

            r->isa->binary(to, to, 1, part, 1, m, KRTI_BIN_ADD);
        }
    }
}

static void grad_task(void *arg, size_t image, size_t thread)
{
    const grad_run *r = arg;
    const pool *p = &r->p;
    const size_t channels = (size_t)p->channels;
    const size_t size = (size_t)p->in_h * (size_t)p->in_w * channels;
    size_t out = image * (size_t)p->out_h * (size_t)p->out_w * channels, at[MAX_WINDOW];
    float *dx = r->dx + image * size;

    (void)thread;
    if (r->is_shared)
        memset(dx, 0, size * sizeof *dx);
    for (int row = 0; row < p->out_h; row++)
        for (int column = 0; column < p->out_w; column++, out += channels) {
            const size_t n = window_rows(p, row, column, at);

            if (p->is_max && n > 0)
                max_window(r, out, dx, r->x + image * size, at, n);
            else if (n > 0)
                avg_window(r, out, dx, at, n);
        }
}

static void run_grad(const krti_step *s, void *const *ptr, void *scratch, void *run_state)
{
    const krti_node *n = s->node;
    grad_run r = {.p = describe(n, n->out[0].shape, n->in[0]->shape),
                  .isa = krti_isa_get(),
                  .dy = krti_input_ptr(s, ptr, 0),
                  .x = krti_input_ptr(s, ptr, 1),
                  .y = krti_input_ptr(s, ptr, 2),
                  .dx = ptr[s->out[0]]};

    (void)scratch;
    (void)run_state;
    r.is_shared = !r.p.is_max || !is_tiling(&r.p);
    krti_share_tasks(krti_share(s, 2.0 * (double)krti_size(n->out[0].shape)),
                     (size_t)n->out[0].shape.dim[0], grad_task, &r);
}

const krti_kernel krti_native_max_pool_grad = {.name = "native_max_pool_grad",
                                               .op = &krti_op_max_pool_grad,
                                               .supports = supports_pool,
                                               .run = run_grad};
const krti_kernel krti_native_avg_pool_grad = {.name = "native_avg_pool_grad",
                                               .op = &krti_op_avg_pool_grad,
                                               .supports = supports_pool,
                                               .run = run_grad};
