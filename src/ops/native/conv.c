/* Convolution and depthwise convolution with our own loops: two spatial axes (one is seen as a
 * height of 1), channels last, float32, weights known. */
#include "ops/native/native.h"

#include <limits.h>

enum { MAX_KERNEL = 225, MAX_PANELS_A_TASK = 4 };

/* A window's entry for height or width; a 1-D convolution has a height of 1. */
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

    return krti_all_float(n) && w->rank <= 2 && n->in[0]->shape.rank == w->rank + 2 &&
           fits_int(n) && krti_native_act(n->activation, &act);
}

/* ------------------------------------------------------------------------------- full convolution */

typedef struct conv_state {
    krti_conv_job c; /* without pointers of the run */
    const krti_isa *isa;
    int images, panels;
    krti_panels form;
    krti_packing weights;
    float zeros[]; /* one for each input channel, where there is padding */
} conv_state;

static bool supports_conv(const krti_node *n, int threads)
{
    const krti_window *w = &n->attrs.window;

    (void)threads;
    return krti_native_window(n) && w->groups <= 1 &&
           (int64_t)krti_native_axis(w, w->size, 0, 1) * krti_native_axis(w, w->size, 1, 1) <=
               MAX_KERNEL;
}

void krti_native_describe(krti_conv_job *c, const krti_node *n)
{
    const krti_window *w = &n->attrs.window;
    const krt_shape x = n->in[0]->shape, y = n->out[0].shape;

    c->in_h = krti_native_dim(x, 0);
    c->in_w = krti_native_dim(x, 1);
    c->in_c = (int)x.dim[x.rank - 1];
    c->out_h = krti_native_dim(y, 0);
    c->out_w = krti_native_dim(y, 1);
    c->out_c = (int)y.dim[y.rank - 1];
    c->kernel_h = krti_native_axis(w, w->size, 0, 1);
    c->kernel_w = krti_native_axis(w, w->size, 1, 1);
    c->stride_h = krti_native_axis(w, w->stride, 0, 1);
    c->stride_w = krti_native_axis(w, w->stride, 1, 1);
    c->dilation_h = krti_native_axis(w, w->dilation, 0, 1);
    c->dilation_w = krti_native_axis(w, w->dilation, 1, 1);
    c->pad_h = krti_native_axis(w, w->before, 0, 0);
    c->pad_w = krti_native_axis(w, w->before, 1, 0);
    if (n->op == &krti_op_conv_grad_input || n->op == &krti_op_conv_transpose) {
        c->stride_h = c->stride_w = 1;
        c->pad_h = (c->kernel_h - 1) * c->dilation_h - c->pad_h;
        c->pad_w = (c->kernel_w - 1) * c->dilation_w - c->pad_w;
    }
    c->y_pixel = (size_t)c->out_c;
    c->y_row = (size_t)c->out_w * c->y_pixel;
    c->y_image = (size_t)c->out_h * c->y_row;
    (void)krti_native_act(n->activation, &c->act);
}

static bool is_padded(const krti_conv_job *c)
{
    return c->pad_h != 0 || c->pad_w != 0 ||
           (c->out_h - 1) * c->stride_h + (c->kernel_h - 1) * c->dilation_h >= c->in_h ||
           (c->out_w - 1) * c->stride_w + (c->kernel_w - 1) * c->dilation_w >= c->in_w;
}

void krti_native_narrow(krti_conv_job *c, krti_panels *f, const krti_isa *isa)
{
    c->is_narrow = c->out_c <= isa->narrow && c->kernel_w * c->in_c >= isa->vector;
    if (c->is_narrow)
        f->panel = f->vector = 1;
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
    st->images = (int)s->node->in[0]->shape.dim[0];
    st->panels = (st->c.out_c + st->isa->panel - 1) / st->isa->panel;
    st->c.zeros = st->zeros;
    const size_t k = (size_t)st->c.kernel_h * (size_t)st->c.kernel_w * (size_t)st->c.in_c;
    st->form = krti_native_panels(k, (size_t)st->c.out_c, st->isa);
    krti_native_narrow(&st->c, &st->form, st->isa);
    return krti_native_pack_panels(b, s, 1, &st->form, &st->weights);
}

/* Work is cut into tasks of some rows by some panels. Threads take tasks as they come, since on a
 * shared machine no two run equally fast. */
typedef struct cutting {
    int row_tasks, rows, panel_tasks, panels, total;
} cutting;

static cutting cut(const conv_state *st, int threads)
{
    const krti_conv_job *c = &st->c;
    const size_t weights =
        (size_t)c->kernel_h * (size_t)c->kernel_w * (size_t)c->in_c * (size_t)c->out_c;
    const size_t pixels = (size_t)c->in_h * (size_t)c->in_w * (size_t)c->in_c;
    const int wanted = threads <= 1 ? 1 : threads * 6;
    cutting t = {.row_tasks = 1, .panel_tasks = 1};

    if (weights > pixels && st->panels >= threads) { /* late layers: each weight is read once */
        t.panel_tasks = st->panels < wanted ? st->panels : wanted;
    } else {
        const int a_image = (wanted + st->images - 1) / st->images;

        t.row_tasks = a_image < c->out_h ? a_image : c->out_h;
    }
    t.rows = (c->out_h + t.row_tasks - 1) / t.row_tasks;
    t.panels = (st->panels + t.panel_tasks - 1) / t.panel_tasks;
    t.row_tasks = (c->out_h + t.rows - 1) / t.rows;
    t.panel_tasks = (st->panels + t.panels - 1) / t.panels;
    t.total = st->images * t.row_tasks * t.panel_tasks;
    return t;
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
    const int then = (panel + 1) * t->panels; /* a thread's tasks are neighbours */
    krti_conv_job c = r->c;

    (void)thread;
    if (t->panel_tasks > 1 && then < r->st->panels)
        c.ahead = c.w + (size_t)then * (size_t)r->st->isa->panel * r->st->form.inner *
                            r->st->form.num_taps;
    r->st->isa->conv_rows(&c, i / t->panel_tasks / t->row_tasks, row * t->rows,
                          krti_smaller((row + 1) * t->rows, c.out_h), panel * t->panels,
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
    return krti_native_window(n) && w->groups > 1 && w->groups == channels &&
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
                                .channels = c.out_c,
                                .step_x = c.out_c,
                                .step_y = (int)c.y_pixel,
                                .step_w = c.out_c,
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
