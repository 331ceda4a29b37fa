/* Gradients of convolutions with our own loops: up to three spatial axes, groups side by side, float32.
 *
 * For the input: a convolution of dy with the kernel rotated and its channels exchanged. With steps
 * the pixels of the input fall into classes that meet different taps; each class is a small
 * convolution of its own whose result lies spread over the input's pixels.
 *
 * For the kernel: sums of outer products over pixels, image by image (outer.inc); of a volume every
 * plane of dy with every plane of x that it saw, for that plane of the kernel. Images are shared out in fixed parts with sums of their own, added up in order behind, so that a run gives the same
 * bits again whatever the threads did; where the kernel is large its rows are shared out instead. */
#include "ops/native/native.h"

#include <limits.h>

enum { SMALL_KERNEL = 128 * 1024 };

static bool is_window(const krti_node *n)
{
    const krti_window *w = &n->attrs.window;
    int64_t taps = 1;

    for (int i = 0; i < w->rank; i++) {
        taps *= w->size[i];
        if (w->stride[i] > 1 && w->dilation[i] > 1)
            return false;
    }
    return krti_all_float(n) && taps <= KRTI_MAX_TAPS && krti_size(n->in[0]->shape) < INT_MAX &&
           krti_size(n->in[1]->shape) < INT_MAX && krti_size(n->out[0].shape) < INT_MAX;
}

/* ------------------------------------------------------------------------------- for the input */

/* The pixels of the input that are so far beyond a multiple of the steps. */
typedef struct pixel_class {
    krti_conv_job c; /* c.y: an offset only, in y_first */
    size_t y_first, weights;
} pixel_class;

typedef struct input_state {
    const krti_isa *isa;
    int images, groups, panels, num_classes;
    bool is_covered; /* every pixel is in a class */
    pixel_class classes[KRTI_MAX_CLASSES];
    krti_panels forms[KRTI_MAX_CLASSES];
    size_t taps[KRTI_MAX_TAPS]; /* of all classes */
    krti_packing weights;
    float zeros[]; /* one for each channel of dy in a group */
} input_state;

static bool supports_input(const krti_node *n, int threads)
{
    const krti_window *w = &n->attrs.window;
    int64_t classes = 1;

    (void)threads;
    for (int i = 0; i < w->rank; i++)
        classes *= w->stride[i];
    return is_window(n) && classes <= KRTI_MAX_CLASSES;
}

static void fill_classes(void *dst, const void *src, void *user)
{
    const input_state *st = user;

    for (int i = 0; i < st->num_classes; i++)
        krti_native_fill_panels((float *)dst + st->classes[i].weights, src,
                                (void *)(uintptr_t)&st->forms[i]);
}

krti_class_axis krti_native_class(const krti_node *n, int axis, int at)
{
    const krti_window *w = &n->attrs.window;
    const int stride = krti_native_axis(w, w->stride, axis, 1);
    const int kernel = krti_native_axis(w, w->size, axis, 1);
    const int before = krti_native_axis(w, w->before, axis, 0);
    const int size = krti_native_dim(n->out[0].shape, axis);
    krti_class_axis a = {.pixels = at < size ? (size - at + stride - 1) / stride : 0};

    a.first = (at + before) % stride;
    a.taps = a.first < kernel ? (kernel - a.first + stride - 1) / stride : 0;
    a.pad =
        (a.taps - 1) * krti_native_axis(w, w->dilation, axis, 1) - (at + before - a.first) / stride;
    return a;
}

enum { AXES = 3 };

/* A class: one of each axis, depth first, and how far its pixels are beyond the steps. */
typedef struct class_axes {
    krti_class_axis axis[AXES];
    int at[AXES], stride[AXES], size[AXES];
} class_axes;

/* Where the class's taps lie in the kernel, in reverse: the first to be read is the class's last. */
static void add_taps(input_state *st, const class_axes *a, size_t tap_floats, size_t *num_taps)
{
    const krti_class_axis *d = &a->axis[0], *h = &a->axis[1], *w = &a->axis[2];

    for (int i = d->taps; i-- > 0;)
        for (int j = h->taps; j-- > 0;)
            for (int k = w->taps; k-- > 0;) {
                const int plane = d->first + i * a->stride[0];
                const int row = plane * a->size[1] + h->first + j * a->stride[1];
                const int tap = row * a->size[2] + w->first + k * a->stride[2];

                st->taps[(*num_taps)++] = (size_t)tap * tap_floats;
            }
}

/* The kernel is (taps, channels of a group, filters). */
static void add_class(input_state *st, const krti_node *n, const class_axes *a, size_t *num_taps)
{
    const krti_class_axis *d = &a->axis[0], *h = &a->axis[1], *w = &a->axis[2];
    pixel_class *p = &st->classes[st->num_classes];
    krti_panels *f = &st->forms[st->num_classes++];
    krti_conv_job *c = &p->c;

    krti_native_describe(c, n);
    c->out_d = d->pixels;
    c->out_h = h->pixels;
    c->out_w = w->pixels;
    c->kernel_d = d->taps;
    c->kernel_h = h->taps;
    c->kernel_w = w->taps;
    c->pad_d = d->pad;
    c->pad_h = h->pad;
    c->pad_w = w->pad;
    p->y_first =
        (size_t)a->at[0] * c->y_plane + (size_t)a->at[1] * c->y_row + (size_t)a->at[2] * c->y_pixel;
    c->y_plane *= (size_t)a->stride[0];
    c->y_row *= (size_t)a->stride[1];
    c->y_pixel *= (size_t)a->stride[2];
    *f = krti_native_panels((size_t)c->in_c, (size_t)c->out_c, st->isa);
    f->row_step = 1;
    f->column_step = c->x_pixel;
    f->num_groups = (size_t)st->groups;
    f->group_step = (size_t)c->in_c;
    f->taps = st->taps + *num_taps;
    f->num_taps = (size_t)(d->taps * h->taps * w->taps);
    krti_native_narrow(c, f, st->isa);
    add_taps(st, a, (size_t)c->out_c * c->x_pixel, num_taps);
}

static void add_classes(input_state *st, const krti_node *n)
{
    const krti_window *w = &n->attrs.window;
    class_axes a = {.at = {0}};
    size_t num_taps = 0;
    int classes = 1;

    st->is_covered = true;
    for (int i = 0; i < AXES; i++) {
        a.stride[i] = krti_native_axis(w, w->stride, i + KRTI_DEPTH, 1);
        a.size[i] = krti_native_axis(w, w->size, i + KRTI_DEPTH, 1);
        classes *= a.stride[i];
    }
    for (int number = 0; number < classes; number++) {
        bool is_empty = false;

        a.at[0] = number / a.stride[2] / a.stride[1];
        a.at[1] = number / a.stride[2] % a.stride[1];
        a.at[2] = number % a.stride[2];
        for (int i = 0; i < AXES; i++) {
            a.axis[i] = krti_native_class(n, i + KRTI_DEPTH, a.at[i]);
            is_empty = is_empty || a.axis[i].taps == 0 || a.axis[i].pixels == 0;
        }
        if (is_empty)
            st->is_covered = false;
        else
            add_class(st, n, &a, &num_taps);
    }
}

static krt_status prepare_input(krti_build *b, krti_step *s)
{
    const krti_window *w = &s->node->attrs.window;
    const krt_shape dy = s->node->in[0]->shape;
    const int groups = krti_native_groups(s->node);
    const size_t channels = (size_t)dy.dim[dy.rank - 1] / (size_t)groups;
    input_state *st = krti_alloc(b->k, sizeof *st + channels * sizeof st->zeros[0]);
    size_t floats = 0;
    char key[160];

    if (st == NULL)
        return KRT_E_NOMEM;
    s->state = st;
    st->isa = krti_isa_get();
    st->images = (int)dy.dim[0];
    st->groups = groups;
    add_classes(st, s->node);
    for (int i = 0; i < st->num_classes; i++) {
        pixel_class *p = &st->classes[i];

        p->c.zeros = st->zeros;
        p->weights = floats;
        st->forms[i].threads = b->threads;
        floats += (size_t)groups * krti_native_panels_size(&st->forms[i]);
        st->panels = (p->c.out_c + st->isa->panel - 1) / st->isa->panel;
    }
    size_t n = (size_t)snprintf(key, sizeof key, "grad:%d:%s", groups, st->isa->name);
    for (int i = 0; i < w->rank; i++)
        n += (size_t)snprintf(key + n, sizeof key - n, ":%d:%d:%d", (int)w->size[i],
                              (int)w->stride[i], (int)w->before[i]);
    st->weights = (krti_packing){
        .input = 1, .size_bytes = floats * sizeof(float), .fill = fill_classes, .user = st};
    return krti_native_pack(b, s, &st->weights, key);
}

typedef struct input_run {
    const input_state *st;
    const float *dy, *weights, *bias, *residual;
    float *dx;
    int parts; /* of a plane's rows */
} input_run;

static void input_task(void *arg, size_t task, size_t thread)
{
    const input_run *r = arg;
    const input_state *st = r->st;
    const int number = (int)task / r->parts, part = (int)task % r->parts;
    const int image = number % st->images, group = number / st->images;

    (void)thread;
    for (int i = 0; i < st->num_classes; i++) {
        krti_conv_job c = st->classes[i].c;
        const int first = c.out_h * part / r->parts, last = c.out_h * (part + 1) / r->parts;

        c.x = r->dy;
        c.w = r->weights + st->classes[i].weights;
        c.y = r->dx + st->classes[i].y_first;
        c.bias = r->bias;
        c.residual = r->residual != NULL ? r->residual + st->classes[i].y_first : NULL;
        krti_native_to_group(&c, group, krti_native_panels_size(&st->forms[i]));
        for (int plane = image * c.out_d; first < last && plane < (image + 1) * c.out_d; plane++)
            st->isa->conv_rows(&c, plane, first, last, 0, st->panels);
    }
}

static void run_input(const krti_step *s, void *const *ptr, void *scratch, void *run_state)
{
    const input_state *st = s->state;
    const int threads = krti_share(s, krti_node_flops(s->node));
    input_run r = {st,
                   krti_input_ptr(s, ptr, 0),
                   krti_native_packed(&st->weights, s, ptr, scratch),
                   krti_input_ptr(s, ptr, 2),
                   krti_input_ptr(s, ptr, 3),
                   ptr[s->out[0]],
                   1};
    const int tasks = st->images * st->groups;

    (void)run_state;
    if (threads > 1)
        r.parts = (threads * 4 + tasks - 1) / tasks;
    if (!st->is_covered)
        memset(r.dx, 0, krti_size(s->node->out[0].shape) * sizeof(float));
    krti_share_tasks(threads, (size_t)(tasks * r.parts), input_task, &r);
}

const krti_kernel krti_native_conv_grad_input = {
    .name = "native_conv_grad_input",
    .op = &krti_op_conv_grad_input,
    .supports = supports_input,
    .prepare = prepare_input,
    .release = krti_native_release,
    .run = run_input,
};

/* A transposed convolution is the same arithmetic with a tail. Where no tap reaches a pixel the tail
 * alone would have to be computed: left to others. */
static bool supports_transpose(const krti_node *n, int threads)
{
    const krti_window *w = &n->attrs.window;
    krti_act act;

    for (int i = 0; i < w->rank; i++)
        if (w->stride[i] > w->size[i])
            return false;
    return supports_input(n, threads) && krti_native_act(n->activation, &act);
}

const krti_kernel krti_native_conv_transpose = {
    .name = "native_conv_transpose",
    .op = &krti_op_conv_transpose,
    .may_alias = 1u << 3,
    .supports = supports_transpose,
    .prepare = prepare_input,
    .release = krti_native_release,
    .run = run_input,
};

/* ------------------------------------------------------------------------------- for the kernel */

typedef struct kernel_state {
    const krti_isa *isa;
    krti_conv_job c;
    bool is_flat; /* no depth: every plane of dy sees all of the kernel */
    int images, groups;
    int parts, part;                  /* images of a part; one part: its sums are the result */
    size_t rows, row_tasks, row_task; /* rows of the kernel, where those are shared out */
    size_t plane_rows;                /* those of one plane of the kernel */
    size_t columns, wide;             /* filters of a group; those as whole vectors */
    size_t filters, sum_floats;       /* of all groups; floats of the kernel */
    size_t x_pixel, x_row; /* floats from one to the next, with a border if one is needed */
    size_t padded;         /* floats of a plane with its border; 0: none needed */
    size_t image_floats;   /* scratch of one task for x and dy */
    int offsets[];         /* by row of a plane */
} kernel_state;

static bool supports_kernel(const krti_node *n, int threads)
{
    (void)threads;
    return is_window(n);
}

/* The convolution's job from its gradient's node: what was read and what comes of it. */
static void describe_kernel(krti_conv_job *c, const krti_node *n)
{
    const krt_shape dy = n->in[1]->shape;

    krti_native_describe(c, n);
    c->out_d = krti_native_dim(dy, KRTI_DEPTH);
    c->out_h = krti_native_dim(dy, KRTI_HEIGHT);
    c->out_w = krti_native_dim(dy, KRTI_WIDTH);
    c->out_c = (int)dy.dim[dy.rank - 1] / krti_native_groups(n);
}

static void plan_border(kernel_state *st)
{
    const krti_conv_job *c = &st->c;
    const int reach_h = (c->kernel_h - 1) * c->dilation_h,
              reach_w = (c->kernel_w - 1) * c->dilation_w;
    const int height = (c->out_h - 1) * c->stride_h + reach_h + 1;
    const int width = (c->out_w - 1) * c->stride_w + reach_w + 1;
    const bool fits = c->pad_h == 0 && c->pad_w == 0 && height <= c->in_h && width <= c->in_w;

    st->x_pixel = fits ? c->x_pixel : (size_t)c->in_c;
    st->x_row = (size_t)(fits ? c->in_w : width) * st->x_pixel;
    st->padded = fits ? 0 : (size_t)height * st->x_row;
}

static void plan_sharing(kernel_state *st, int threads)
{
    const size_t wanted = threads > 1 ? (size_t)threads * 4 : 1;

    st->parts = 1;
    st->part = st->images;
    st->row_tasks = 1;
    if (st->sum_floats <= SMALL_KERNEL && st->images >= threads) {
        st->part = (int)(((size_t)st->images + wanted - 1) / wanted);
        st->parts = (st->images + st->part - 1) / st->part;
    } else {
        st->row_tasks = krti_smaller_size((st->rows + 47) / 48, wanted / 2 + 1);
    }
    st->row_task = ((st->rows + st->row_tasks - 1) / st->row_tasks + 47) / 48 * 48;
    st->row_tasks = (st->rows + st->row_task - 1) / st->row_task;
}

static void fill_offsets(kernel_state *st)
{
    const krti_conv_job *c = &st->c;
    size_t n = 0;

    for (int i = 0; i < c->kernel_h; i++)
        for (int j = 0; j < c->kernel_w; j++)
            for (int k = 0; k < c->in_c; k++)
                st->offsets[n++] =
                    i * c->dilation_h * (int)st->x_row + j * c->dilation_w * (int)st->x_pixel + k;
    for (size_t i = 0; i < KRTI_OUTER_SPARE; i++)
        st->offsets[n + i] = st->offsets[n - 1];
}

/* Whether dy has to be brought into panels of whole vectors. */
static bool is_packed(const kernel_state *st)
{
    return st->columns > (size_t)st->isa->panel || st->wide != st->columns || st->groups > 1;
}

static krt_status prepare_kernel(krti_build *b, krti_step *s)
{
    const krt_shape dw = s->node->out[0].shape;
    const size_t filters = (size_t)dw.dim[dw.rank - 1], rows = krti_size(dw) / filters;
    kernel_state *st =
        krti_alloc(b->k, sizeof *st + (rows + KRTI_OUTER_SPARE) * sizeof st->offsets[0]);

    if (st == NULL)
        return KRT_E_NOMEM;
    s->state = st;
    st->isa = krti_isa_get();
    describe_kernel(&st->c, s->node);
    const size_t vector = (size_t)st->isa->vector;
    st->is_flat = s->node->attrs.window.rank < 3;
    st->images = (int)s->node->in[0]->shape.dim[0];
    st->groups = krti_native_groups(s->node);
    st->rows = rows;
    st->plane_rows = rows / (size_t)st->c.kernel_d;
    st->columns = (size_t)st->c.out_c;
    st->wide = (st->columns + vector - 1) / vector * vector;
    st->filters = filters;
    st->sum_floats = krti_size(dw);
    plan_border(st);
    plan_sharing(st, b->threads);
    fill_offsets(st);
    const size_t pixels = (size_t)st->c.out_h * (size_t)st->c.out_w;
    st->image_floats = st->padded + (is_packed(st) ? pixels * st->wide : 0) + 16;
    s->scratch_bytes = ((size_t)b->threads * st->image_floats +
                        (st->parts > 1 ? (size_t)st->parts * st->sum_floats : 0)) *
                       sizeof(float);
    return KRT_OK;
}

typedef struct kernel_run {
    const kernel_state *st;
    const float *x, *dy;
    float *dw, *images, *sums;
} kernel_run;

/* count pixels of a group's channels, side by side. */
static void copy_pixels(const kernel_state *st, float *to, const float *x, size_t count)
{
    const size_t channels = (size_t)st->c.in_c;

    if (st->c.x_pixel == channels) {
        memcpy(to, x, count * channels * sizeof *to);
        return;
    }
    for (size_t i = 0; i < count; i++)
        memcpy(to + i * channels, x + i * st->c.x_pixel, channels * sizeof *to);
}

/* A plane of x with its border, as much of it as the window reaches. */
static const float *with_border(const kernel_state *st, const float *x, float *to)
{
    const krti_conv_job *c = &st->c;
    const size_t channels = (size_t)c->in_c;
    const int width = (int)(st->x_row / channels);
    const int left = c->pad_w > 0 ? c->pad_w : 0, first = c->pad_w < 0 ? -c->pad_w : 0;
    const int count = krti_smaller(width - left, c->in_w - first);

    if (st->padded == 0)
        return x;
    memset(to, 0, st->padded * sizeof *to);
    for (size_t h = 0; h < st->padded / st->x_row; h++) {
        const int row = (int)h - c->pad_h;

        if (row >= 0 && row < c->in_h && count > 0)
            copy_pixels(st, to + h * st->x_row + (size_t)left * channels,
                        x + ((size_t)row * (size_t)c->in_w + (size_t)first) * c->x_pixel,
                        (size_t)count);
    }
    return to;
}

/* A plane of dy by panels of whole vectors: (panel, pixel, columns). */
static const float *by_panels(const kernel_state *st, const float *dy, float *to)
{
    const size_t pixels = (size_t)st->c.out_h * (size_t)st->c.out_w;
    const size_t panel = (size_t)st->isa->panel;

    if (!is_packed(st))
        return dy;
    for (size_t first = 0; first < st->columns; first += panel) {
        const size_t real = krti_smaller_size(st->columns - first, panel);
        const size_t wide = krti_smaller_size(st->wide - first, panel);
        float *p = to + first * pixels;

        for (size_t i = 0; i < pixels; i++, p += wide) {
            memcpy(p, dy + i * st->filters + first, real * sizeof *p);
            memset(p + real, 0, (wide - real) * sizeof *p);
        }
    }
    return to;
}

/* What a task sums up: rows [first, last) of the kernel for one group. */
typedef struct kernel_rows {
    size_t first, last;
    int group;
    float *sums; /* at the group's first filter */
} kernel_rows;

/* A plane of x and one of dy, by panels, that meet in rows [first, last) of the kernel; those from
 * `plane` on are of its plane. */
static void add_plane(const kernel_state *st, const kernel_rows *k, const float *x, const float *dy,
                      size_t plane, bool is_first)
{
    const krti_conv_job *c = &st->c;
    const size_t pixels = (size_t)c->out_h * (size_t)c->out_w, panel = (size_t)st->isa->panel;
    const size_t first = k->first > plane ? k->first : plane;
    const size_t last = krti_smaller_size(k->last, plane + st->plane_rows);

    for (size_t at = 0; at < st->columns; at += panel) {
        const krti_outer_job g = {.x = x,
                                  .b = dy + at * pixels,
                                  .x_row = (size_t)c->stride_h * st->x_row,
                                  .x_pixel = (size_t)c->stride_w * st->x_pixel,
                                  .ldb = krti_smaller_size(st->wide - at, panel),
                                  .height = c->out_h,
                                  .width = c->out_w,
                                  .offsets = st->offsets + (first - plane),
                                  .num_rows = last - first,
                                  .columns = krti_smaller_size(st->columns - at, panel),
                                  .y = k->sums + first * st->filters + at,
                                  .ldy = st->filters,
                                  .is_first = is_first};

        st->isa->outer(&g);
    }
}

static void add_image(const kernel_run *r, const kernel_rows *k, int image, bool is_first,
                      float *scratch)
{
    const kernel_state *st = r->st;
    const krti_conv_job *c = &st->c;
    const size_t pixels = (size_t)c->out_h * (size_t)c->out_w;
    const size_t size = (size_t)c->in_h * (size_t)c->in_w * c->x_pixel;
    const float *x = r->x + (size_t)(image * c->in_d) * size + (size_t)k->group * (size_t)c->in_c;
    const float *dy =
        r->dy + (size_t)(image * c->out_d) * pixels * st->filters + (size_t)k->group * st->columns;

    for (int d = 0; d < c->out_d; d++) {
        const float *y = by_panels(st, dy + (size_t)d * pixels * st->filters, scratch + st->padded);

        for (int i = 0; i < c->kernel_d; i++) {
            const int at = d * c->stride_d - c->pad_d + i * c->dilation_d;
            const size_t plane = (size_t)i * st->plane_rows;

            if (at >= 0 && at < c->in_d && plane < k->last && plane + st->plane_rows > k->first)
                add_plane(st, k, with_border(st, x + (size_t)at * size, scratch), y, plane,
                          is_first);
        }
    }
}

static void kernel_task(void *arg, size_t task, size_t thread)
{
    const kernel_run *r = arg;
    const kernel_state *st = r->st;
    const int number = (int)(task / st->row_tasks), group = number % st->groups;
    const int part = number / st->groups, first = part * st->part;
    const size_t row = task % st->row_tasks * st->row_task;
    float *sums = st->parts > 1 ? r->sums + (size_t)part * st->sum_floats : r->dw;
    const kernel_rows k = {row, krti_smaller_size(row + st->row_task, st->rows), group,
                           sums + (size_t)group * st->columns};

    for (size_t i = k.first; i < k.last && !st->is_flat; i++)
        memset(k.sums + i * st->filters, 0, st->columns * sizeof *k.sums);
    for (int i = first; i < krti_smaller(first + st->part, st->images); i++)
        add_image(r, &k, i, st->is_flat && i == first, r->images + thread * st->image_floats);
}

static void run_kernel(const krti_step *s, void *const *ptr, void *scratch, void *run_state)
{
    const kernel_state *st = s->state;
    const int threads = krti_share(s, krti_node_flops(s->node));
    float *images = scratch;
    kernel_run r = {st,
                    krti_input_ptr(s, ptr, 0),
                    krti_input_ptr(s, ptr, 1),
                    ptr[s->out[0]],
                    images,
                    images + (size_t)s->threads * st->image_floats};

    (void)run_state;
    krti_share_tasks(threads, (size_t)(st->parts * st->groups) * st->row_tasks, kernel_task, &r);
    if (st->parts > 1)
        st->isa->sum_rows(r.dw, r.sums, (size_t)st->parts, st->sum_floats);
}

const krti_kernel krti_native_conv_grad_kernel = {
    .name = "native_conv_grad_kernel",
    .op = &krti_op_conv_grad_kernel,
    .supports = supports_kernel,
    .prepare = prepare_kernel,
    .release = krti_native_release,
    .run = run_kernel,
};
