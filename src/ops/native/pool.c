/* Max and average pooling over one to three spatial axes, channels last: every output row is the
 * largest or the mean of the rows its window covers. */
#include "ops/native/native.h"

enum { MAX_WINDOW = 256, AXES = 3 };

/* One spatial axis; those that a window has not are 1 long. */
typedef struct pool_axis {
    int in, out, size, stride, dilation, pad;
} pool_axis;

typedef struct pool {
    pool_axis axis[AXES]; /* depth, height, width */
    int channels;
    bool is_max;
} pool;

static bool supports_pool(const krti_node *n, int threads)
{
    const krti_window *w = &n->attrs.window;
    int64_t area = 1;

    (void)threads;
    for (int i = 0; i < w->rank; i++)
        area *= w->size[i];
    return krti_all_float(n) && area <= MAX_WINDOW;
}

static pool describe(const krti_node *n, krt_shape x, krt_shape y)
{
    const krti_window *w = &n->attrs.window;
    pool p = {.channels = (int)x.dim[x.rank - 1],
              .is_max = n->op == &krti_op_max_pool || n->op == &krti_op_max_pool_grad};

    for (int i = 0; i < AXES; i++) {
        const int of = i - (AXES - w->rank);

        p.axis[i] = of < 0 ? (pool_axis){1, 1, 1, 1, 1, 0}
                           : (pool_axis){.in = (int)x.dim[1 + of],
                                         .out = (int)y.dim[1 + of],
                                         .size = (int)w->size[of],
                                         .stride = (int)w->stride[of],
                                         .dilation = (int)w->dilation[of],
                                         .pad = (int)w->before[of]};
    }
    return p;
}

/* The place of tap i of the window at `out`; -1 where that is padding. */
static int tap(const pool_axis *a, int out, int i)
{
    const int at = out * a->stride - a->pad + i * a->dilation;

    return at < a->in ? at : -1;
}

/* Offsets of the elements inside the image that a window covers; returns how many. */
static size_t window_rows(const pool *p, const int *out, size_t *at)
{
    const pool_axis *depth = &p->axis[0], *height = &p->axis[1], *width = &p->axis[2];
    size_t n = 0;

    for (int i = 0; i < depth->size; i++) {
        const int d = tap(depth, out[0], i);

        for (int j = 0; d >= 0 && j < height->size; j++) {
            const int h = tap(height, out[1], j);

            for (int k = 0; h >= 0 && k < width->size; k++) {
                const int w = tap(width, out[2], k);

                if (w >= 0)
                    at[n++] = (((size_t)d * (size_t)height->in + (size_t)h) * (size_t)width->in +
                               (size_t)w) *
                              (size_t)p->channels;
            }
        }
    }
    return n;
}

static size_t in_size(const pool *p)
{
    return (size_t)p->axis[0].in * (size_t)p->axis[1].in * (size_t)p->axis[2].in *
           (size_t)p->channels;
}

/* row: of depth and height together. */
static void pool_row(const pool *p, const krti_isa *isa, const float *x, float *y, int row)
{
    const float *rows[MAX_WINDOW];
    size_t at[MAX_WINDOW], n = 0;
    const pool_axis *width = &p->axis[2];
    const size_t channels = (size_t)p->channels, step = (size_t)width->stride * channels;
    const int reach = (width->size - 1) * width->dilation - width->pad;
    const int whole = p->axis[0].size * p->axis[1].size * width->size;
    int out[AXES] = {row / p->axis[1].out, row % p->axis[1].out, 0};

    for (int column = 0; column < width->out; column++, y += channels) {
        if (n == (size_t)whole && column * width->stride + reach < width->in) {
            for (size_t i = 0; i < n; i++) /* from one whole window to the next */
                rows[i] += step;
        } else {
            out[2] = column;
            n = window_rows(p, out, at);
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
    const size_t rows = (size_t)(p->axis[0].out * p->axis[1].out);
    const size_t out_row = (size_t)p->axis[2].out * (size_t)p->channels;

    (void)thread;
    pool_row(p, r->isa, r->x + i / rows * in_size(p), r->y + i * out_row, (int)(i % rows));
}

static void run_pool(const krti_step *s, void *const *ptr, void *scratch, void *run_state)
{
    const krti_node *n = s->node;
    pool_run r = {describe(n, n->in[0]->shape, n->out[0].shape), krti_isa_get(),
                  krti_input_ptr(s, ptr, 0), ptr[s->out[0]]};
    const pool_axis *a = r.p.axis;
    const size_t rows = (size_t)n->in[0]->shape.dim[0] * (size_t)(a[0].out * a[1].out);
    const double work = (double)krti_size(n->out[0].shape) * (double)a[0].size * (double)a[1].size *
                        (double)a[2].size;

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
    float *dx, *shares; /* shares: of avg_image, by thread */
} grad_run;

/* Every element in one window and only one. */
static bool is_tiling(const pool *p)
{
    for (int i = 0; i < AXES; i++) {
        const pool_axis *a = &p->axis[i];

        if (a->stride != a->size || a->dilation != 1 || a->pad != 0 || a->in != a->out * a->size)
            return false;
    }
    return true;
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

static size_t num_windows(const pool *p)
{
    return (size_t)p->axis[0].out * (size_t)p->axis[1].out * (size_t)p->axis[2].out;
}

/* The places along an axis of the windows that see place i; returns how many. */
static int seen_by(const pool_axis *a, int i, int *places)
{
    int n = 0;

    for (int k = 0; k < a->size; k++) {
        const int first = i + a->pad - k * a->dilation;

        if (first >= 0 && first % a->stride == 0 && first / a->stride < a->out)
            places[n++] = first / a->stride;
    }
    return n;
}

/* What each window hands to every element that it sees. */
static void find_shares(const grad_run *r, const float *dy, float *shares)
{
    const pool *p = &r->p;
    const pool_axis *a = p->axis;
    const size_t channels = (size_t)p->channels;
    size_t at[MAX_WINDOW];

    for (int i = 0; i < (int)num_windows(p); i++, dy += channels, shares += channels) {
        const int row = i / a[2].out, place[] = {row / a[1].out, row % a[1].out, i % a[2].out};
        const size_t n = window_rows(p, place, at);
        const krti_act over = {KRTI_FN_AFFINE, 1.0f / (float)(n > 0 ? n : 1), 0, 0};

        r->isa->activate(shares, dy, channels, over);
    }
}

/* An element's gradient is the sum of the shares of the windows that see it, written once. */
static void avg_image(const grad_run *r, const float *dy, float *dx, float *shares)
{
    const pool_axis *a = r->p.axis;
    const size_t channels = (size_t)r->p.channels;
    const float *rows[MAX_WINDOW];
    int d[MAX_WINDOW], h[MAX_WINDOW], w[MAX_WINDOW];

    find_shares(r, dy, shares);
    for (int row = 0; row < a[0].in * a[1].in; row++) {
        const int num_d = seen_by(&a[0], row / a[1].in, d);
        const int num_h = seen_by(&a[1], row % a[1].in, h);

        for (int column = 0; column < a[2].in; column++, dx += channels) {
            const int num_w = seen_by(&a[2], column, w);
            size_t n = 0;

            for (int i = 0; i < num_d; i++)
                for (int j = 0; j < num_h; j++)
                    for (int k = 0; k < num_w; k++)
                        rows[n++] = shares +
                                    (size_t)((d[i] * a[1].out + h[j]) * a[2].out + w[k]) * channels;
            if (n > 0)
                r->isa->pool_avg(dx, rows, n, channels, 1);
            else
                memset(dx, 0, channels * sizeof *dx);
        }
    }
}

static void grad_task(void *arg, size_t image, size_t thread)
{
    const grad_run *r = arg;
    const pool *p = &r->p;
    const pool_axis *a = p->axis;
    const size_t size = in_size(p), windows = num_windows(p);
    size_t out = image * windows * (size_t)p->channels, at[MAX_WINDOW];
    float *dx = r->dx + image * size;

    if (!p->is_max) {
        avg_image(r, r->dy + out, dx, r->shares + thread * windows * (size_t)p->channels);
        return;
    }
    if (r->is_shared)
        memset(dx, 0, size * sizeof *dx);
    for (size_t i = 0; i < windows; i++, out += (size_t)p->channels) {
        const int row = (int)i / a[2].out,
                  place[] = {row / a[1].out, row % a[1].out, (int)i % a[2].out};
        const size_t n = window_rows(p, place, at);

        if (n > 0)
            max_window(r, out, dx, r->x + image * size, at, n);
    }
}

static krt_status prepare_avg_grad(krti_build *b, krti_step *s)
{
    const krt_shape dy = s->node->in[0]->shape;

    s->scratch_bytes = (size_t)b->threads * krti_size(dy) / (size_t)dy.dim[0] * sizeof(float);
    return KRT_OK;
}

static void run_grad(const krti_step *s, void *const *ptr, void *scratch, void *run_state)
{
    const krti_node *n = s->node;
    grad_run r = {.p = describe(n, n->out[0].shape, n->in[0]->shape),
                  .isa = krti_isa_get(),
                  .dy = krti_input_ptr(s, ptr, 0),
                  .x = krti_input_ptr(s, ptr, 1),
                  .y = krti_input_ptr(s, ptr, 2),
                  .dx = ptr[s->out[0]],
                  .shares = scratch};

    (void)run_state;
    r.is_shared = !is_tiling(&r.p);
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
                                               .prepare = prepare_avg_grad,
                                               .run = run_grad};
