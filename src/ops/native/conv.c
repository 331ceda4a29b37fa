/* Convolution and depthwise convolution with our own loops: up to three spatial axes (depthwise: two),
 * those that are missing seen as 1 long; channels last, float32. Groups are convolutions of their own
 * side by side. */
#include "ops/native/native.h"

#include <limits.h>

/* A window's entry for depth, height or width. */
int krti_native_axis(const krti_window *w, const int64_t *list, int i, int fallback)
{
    const int at = i - (2 - w->rank);

    return at < 0 ? fallback : (int)list[at];
}

int krti_native_dim(krt_shape s, int i)
{
    const int spatial = s.rank - 2, at = i - (2 - spatial);

    return at < 0 ? 1 : (int)s.dim[1 + at];
}

static bool fits_int(const krti_node *n)
{
    return krti_size(n->in[0]->shape) < INT_MAX && krti_size(n->out[0].shape) < INT_MAX;
}

bool krti_native_window(const krti_node *n)
{
    const krti_window *w = &n->attrs.window;
    krti_act act;

    return krti_all_float(n) && n->in[0]->shape.rank == w->rank + 2 && fits_int(n) &&
           krti_native_act(n->activation, &act);
}

int krti_native_groups(const krti_node *n)
{
    return n->attrs.window.groups > 1 ? (int)n->attrs.window.groups : 1;
}

void krti_native_to_group(krti_conv_job *c, int group, size_t weights)
{
    const size_t first = (size_t)group * (size_t)c->out_c;

    c->x += (size_t)group * (size_t)c->in_c;
    c->w += (size_t)group * weights;
    c->y += first;
    c->bias = c->bias != NULL ? c->bias + first : NULL;
    c->residual = c->residual != NULL ? c->residual + first : NULL;
}

/* ------------------------------------------------------------------------------- full convolution */

typedef struct conv_state {
    krti_conv_job c; /* without pointers of the run */
    const krti_isa *isa;
    int planes, panels, groups; /* planes: of all volumes */
    krti_panels form;
    krti_packing weights;
    float zeros[]; /* one for each input channel of a group, where there is padding */
} conv_state;

/* Groups of one or two channels leave the vectors mostly empty: oneDNN has loops for those, five times as
 * fast, and is as fast or slower from 4 channels and filters on. */
#ifdef KERATIN_HAVE_ONEDNN
enum { SMALL_GROUP = 16 };
#else
enum { SMALL_GROUP = 1 };
#endif

static bool supports_conv(const krti_node *n, int threads)
{
    const krti_window *w = &n->attrs.window;
    const krt_shape kernel = n->in[1]->shape;
    const int64_t filters = kernel.dim[kernel.rank - 1] / krti_native_groups(n);
    int64_t taps = 1;

    (void)threads;
    for (int i = 0; i < w->rank; i++)
        taps *= w->size[i];
    return krti_native_window(n) && taps <= KRTI_MAX_TAPS &&
           (w->groups <= 1 || kernel.dim[kernel.rank - 2] * filters >= SMALL_GROUP);
}

void krti_native_describe(krti_conv_job *c, const krti_node *n)
{
    const krti_window *w = &n->attrs.window;
    const krt_shape x = n->in[0]->shape, y = n->out[0].shape;

    c->in_d = krti_native_dim(x, KRTI_DEPTH);
    c->in_h = krti_native_dim(x, KRTI_HEIGHT);
    c->in_w = krti_native_dim(x, KRTI_WIDTH);
    c->in_c = (int)x.dim[x.rank - 1] / krti_native_groups(n);
    c->out_d = krti_native_dim(y, KRTI_DEPTH);
    c->out_h = krti_native_dim(y, KRTI_HEIGHT);
    c->out_w = krti_native_dim(y, KRTI_WIDTH);
    c->out_c = (int)y.dim[y.rank - 1] / krti_native_groups(n);
    c->kernel_d = krti_native_axis(w, w->size, KRTI_DEPTH, 1);
    c->kernel_h = krti_native_axis(w, w->size, KRTI_HEIGHT, 1);
    c->kernel_w = krti_native_axis(w, w->size, KRTI_WIDTH, 1);
    c->stride_d = krti_native_axis(w, w->stride, KRTI_DEPTH, 1);
    c->stride_h = krti_native_axis(w, w->stride, KRTI_HEIGHT, 1);
    c->stride_w = krti_native_axis(w, w->stride, KRTI_WIDTH, 1);
    c->dilation_d = krti_native_axis(w, w->dilation, KRTI_DEPTH, 1);
    c->dilation_h = krti_native_axis(w, w->dilation, KRTI_HEIGHT, 1);
    c->dilation_w = krti_native_axis(w, w->dilation, KRTI_WIDTH, 1);
    c->pad_d = krti_native_axis(w, w->before, KRTI_DEPTH, 0);
    c->pad_h = krti_native_axis(w, w->before, KRTI_HEIGHT, 0);
    c->pad_w = krti_native_axis(w, w->before, KRTI_WIDTH, 0);
    if (n->op == &krti_op_conv_grad_input || n->op == &krti_op_conv_transpose) {
        c->stride_d = c->stride_h = c->stride_w = 1;
        c->pad_d = (c->kernel_d - 1) * c->dilation_d - c->pad_d;
        c->pad_h = (c->kernel_h - 1) * c->dilation_h - c->pad_h;
        c->pad_w = (c->kernel_w - 1) * c->dilation_w - c->pad_w;
    }
    c->x_pixel = (size_t)x.dim[x.rank - 1];
    c->y_pixel = (size_t)y.dim[y.rank - 1];
    c->y_row = (size_t)c->out_w * c->y_pixel;
    c->y_plane = (size_t)c->out_h * c->y_row;
    c->y_image = (size_t)c->out_d * c->y_plane;
    (void)krti_native_act(n->activation, &c->act);
}

/* Whether a window in a plane leaves it; planes outside are never read. */
static bool is_padded(const krti_conv_job *c)
{
    return c->pad_h != 0 || c->pad_w != 0 ||
           (c->out_h - 1) * c->stride_h + (c->kernel_h - 1) * c->dilation_h >= c->in_h ||
           (c->out_w - 1) * c->stride_w + (c->kernel_w - 1) * c->dilation_w >= c->in_w;
}

void krti_native_narrow(krti_conv_job *c, krti_panels *f, const krti_isa *isa)
{
    const int run = c->x_pixel == (size_t)c->in_c ? c->kernel_w * c->in_c : c->in_c;

    c->is_narrow = c->out_c <= isa->narrow && run >= isa->vector;
    if (c->is_narrow)
        f->panel = f->vector = 1;
}

/* Of one group. */
static size_t num_weights(const krti_conv_job *c)
{
    return (size_t)c->kernel_d * (size_t)c->kernel_h * (size_t)c->kernel_w * (size_t)c->in_c *
           (size_t)c->out_c;
}

/* A product of pixels and weights: all pixels of the batch are one column, which is cut where the
 * micro-kernel likes it and not where rows and images end. */
static void make_column(conv_state *st)
{
    krti_conv_job *c = &st->c;

    if (c->kernel_d * c->kernel_h * c->kernel_w != 1 ||
        c->stride_d * c->stride_h * c->stride_w != 1 || is_padded(c) || c->is_narrow)
        return;
    c->in_h = c->out_h = st->planes * c->in_h * c->in_w;
    c->in_d = c->in_w = c->out_d = c->out_w = 1;
    c->y_row = c->y_pixel;
    c->y_plane = c->y_image = (size_t)c->out_h * c->y_pixel;
    st->planes = 1;
}

static krt_status prepare_conv(krti_build *b, krti_step *s)
{
    krti_conv_job job = {0};
    conv_state *st = NULL;

    krti_native_describe(&job, s->node);
    st = krti_alloc(b->k,
                    sizeof *st + (is_padded(&job) ? (size_t)job.in_c : 0) * sizeof st->zeros[0]);
    if (st == NULL)
        return KRT_E_NOMEM;
    s->state = st;
    st->c = job;
    st->isa = krti_isa_get();
    st->planes = (int)s->node->in[0]->shape.dim[0] * st->c.out_d;
    st->panels = (st->c.out_c + st->isa->panel - 1) / st->isa->panel;
    st->groups = krti_native_groups(s->node);
    st->c.zeros = st->zeros;
    st->form =
        krti_native_panels(num_weights(&st->c) / (size_t)st->c.out_c, (size_t)st->c.out_c, st->isa);
    st->form.row_step = st->c.y_pixel;
    st->form.num_groups = (size_t)st->groups;
    st->form.group_step = (size_t)st->c.out_c;
    krti_native_narrow(&st->c, &st->form, st->isa);
    make_column(st);
    return krti_native_pack_panels(b, s, 1, &st->form, &st->weights);
}

/* Work is cut into tasks of some rows by some panels. Threads take tasks as they come, since on a
 * shared machine no two run equally fast. */
typedef struct cutting {
    int row_tasks, units, unit; /* units: of so many rows, which stay together */
    int panel_tasks, panels, total;
} cutting;

/* What of x a task reads again for every panel stays in the second-level cache. */
enum { TASKS_A_THREAD = 6, CACHED = 256 * 1024 / sizeof(float) };

static int num_row_tasks(const conv_state *st, int units, int unit, int threads)
{
    const krti_conv_job *c = &st->c;
    const int planes = st->planes * st->groups, wanted = threads * TASKS_A_THREAD;
    const size_t row = (size_t)c->in_w * (size_t)c->in_c * (size_t)(c->stride_h * unit);
    const size_t fitting = st->panels > 1 ? (size_t)units * row / CACHED + 1 : 1;
    const int least = threads > 1 ? (wanted + planes - 1) / planes : 1;
    const int most = krti_smaller(fitting > (size_t)least ? (int)fitting : least, units);

    return most > threads && most % threads > 0
               ? krti_smaller(most + threads - most % threads, units)
               : most;
}

static cutting cut(const conv_state *st, int threads)
{
    const krti_conv_job *c = &st->c;
    const size_t pixels = (size_t)c->in_d * (size_t)c->in_h * (size_t)c->in_w * (size_t)c->in_c;
    const int unit = c->out_w == 1 ? st->isa->rows : 1;
    cutting t = {.row_tasks = 1, .unit = unit, .panel_tasks = 1};

    t.units = (c->out_h + unit - 1) / unit;
    if (num_weights(c) > pixels &&
        st->panels >= threads) /* late layers: each weight is read once */
        t.panel_tasks = threads > 1 ? krti_smaller(st->panels, threads * TASKS_A_THREAD) : 1;
    else
        t.row_tasks = num_row_tasks(st, t.units, unit, threads);
    t.panels = (st->panels + t.panel_tasks - 1) / t.panel_tasks;
    t.panel_tasks = (st->panels + t.panels - 1) / t.panels;
    t.total = st->planes * st->groups * t.row_tasks * t.panel_tasks;
    return t;
}

/* Where the i-th of the tasks by rows begins. */
static int first_row(const cutting *t, int i, int rows)
{
    const int64_t units = (int64_t)t->units * i / t->row_tasks;

    return krti_smaller((int)units * t->unit, rows);
}

typedef struct conv_run {
    const conv_state *st;
    krti_conv_job c;
    cutting t;
} conv_run;

static void conv_task(void *arg, size_t task, size_t thread)
{
    const conv_run *r = arg;
    const cutting *t = &r->t;
    const int i = (int)task, panel = i % t->panel_tasks, row = i / t->panel_tasks % t->row_tasks;
    const int plane = i / t->panel_tasks / t->row_tasks;
    const int then = (panel + 1) * t->panels; /* a thread's tasks are neighbours */
    krti_conv_job c = r->c;

    (void)thread;
    krti_native_to_group(&c, plane / r->st->planes, krti_native_panels_size(&r->st->form));
    if (t->panel_tasks > 1 && then < r->st->panels)
        c.ahead = c.w + (size_t)then * (size_t)r->st->isa->panel * r->st->form.inner *
                            r->st->form.num_taps;
    r->st->isa->conv_rows(&c, plane % r->st->planes, first_row(t, row, c.out_h),
                          first_row(t, row + 1, c.out_h), panel * t->panels,
                          krti_smaller((panel + 1) * t->panels, r->st->panels));
}

static void run_conv(const krti_step *s, void *const *ptr, void *scratch, void *run_state)
{
    const conv_state *st = s->state;
    const int threads = krti_share(s, krti_node_flops(s->node));
    conv_run r = {st, st->c, cut(st, threads)};

    (void)run_state;
    r.c.w = krti_native_packed(&st->weights, s, ptr, scratch);
    r.c.x = krti_input_ptr(s, ptr, 0);
    r.c.y = ptr[s->out[0]];
    r.c.bias = krti_input_ptr(s, ptr, 2);
    r.c.residual = krti_input_ptr(s, ptr, 3);
    krti_share_tasks(threads, (size_t)r.t.total, conv_task, &r);
}

const krti_kernel krti_native_conv = {
    .name = "native_conv",
    .op = &krti_op_conv,
    .may_alias = 1u << 3,
    .supports = supports_conv,
    .prepare = prepare_conv,
    .release = krti_native_release,
    .run = run_conv,
};

/* ------------------------------------------------------------------------------- depthwise */

typedef struct depthwise_state {
    krti_depthwise_job d;
    const krti_isa *isa;
    int images;
} depthwise_state;

static bool supports_depthwise(const krti_node *n, int threads)
{
    const krti_window *w = &n->attrs.window;
    const int64_t channels = n->in[0]->shape.dim[n->in[0]->shape.rank - 1];

    (void)threads;
    return krti_native_window(n) && w->rank <= 2 && w->groups > 1 && w->groups == channels &&
           n->out[0].shape.dim[n->out[0].shape.rank - 1] == channels;
}

krti_depthwise_job krti_native_describe_depthwise(const krti_node *n)
{
    krti_conv_job c = {0};

    krti_native_describe(&c, n);
    return (krti_depthwise_job){.act = c.act,
                                .in_h = c.in_h,
                                .in_w = c.in_w,
                                .out_h = c.out_h,
                                .out_w = c.out_w,
                                .channels = (int)c.y_pixel,
                                .step_x = (int)c.y_pixel,
                                .step_y = (int)c.y_pixel,
                                .step_w = (int)c.y_pixel,
                                .row_y = c.y_row,
                                .image_y = c.y_image,
                                .kernel_h = c.kernel_h,
                                .kernel_w = c.kernel_w,
                                .stride_h = c.stride_h,
                                .stride_w = c.stride_w,
                                .dilation_h = c.dilation_h,
                                .dilation_w = c.dilation_w,
                                .pad_h = c.pad_h,
                                .pad_w = c.pad_w};
}

static krt_status prepare_depthwise(krti_build *b, krti_step *s)
{
    depthwise_state *st = krti_alloc(b->k, sizeof *st);

    if (st == NULL)
        return KRT_E_NOMEM;
    s->state = st;
    st->isa = krti_isa_get();
    st->images = (int)s->node->in[0]->shape.dim[0];
    st->d = krti_native_describe_depthwise(s->node);
    return KRT_OK;
}

typedef struct depthwise_run {
    const krti_isa *isa;
    krti_depthwise_job d;
    int rows, tasks; /* rows a task, tasks an image */
} depthwise_run;

static void depthwise_task(void *arg, size_t task, size_t thread)
{
    const depthwise_run *r = arg;
    const int i = (int)task, row = i % r->tasks * r->rows;

    (void)thread;
    r->isa->depthwise_rows(&r->d, i / r->tasks, row, krti_smaller(row + r->rows, r->d.out_h));
}

static void run_depthwise(const krti_step *s, void *const *ptr, void *scratch, void *run_state)
{
    const depthwise_state *st = s->state;
    const int threads = krti_share(s, krti_node_flops(s->node));
    const int parts = threads <= 1 ? 1 : krti_smaller(threads * 4, st->d.out_h);
    const int rows = (st->d.out_h + parts - 1) / parts;
    depthwise_run r = {st->isa, st->d, rows, (st->d.out_h + rows - 1) / rows};

    (void)scratch;
    (void)run_state;
    r.d.x = krti_input_ptr(s, ptr, 0);
    r.d.w = krti_input_ptr(s, ptr, 1);
    r.d.bias = krti_input_ptr(s, ptr, 2);
    r.d.residual = krti_input_ptr(s, ptr, 3);
    r.d.y = ptr[s->out[0]];
    krti_share_tasks(threads, (size_t)st->images * (size_t)r.tasks, depthwise_task, &r);
}

const krti_kernel krti_native_depthwise = {
    .name = "native_depthwise",
    .op = &krti_op_conv,
    .may_alias = 1u << 3,
    .supports = supports_depthwise,
    .prepare = prepare_depthwise,
    .release = krti_native_release,
    .run = run_depthwise,
};
