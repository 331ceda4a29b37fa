/* Gradients of convolutions with our own loops: one or two spatial axes, one group, float32.
 *
 * For the input: a convolution of dy with the kernel rotated and its channels exchanged. With steps
 * the pixels of the input fall into classes that meet different taps; each class is a small
 * convolution of its own whose result lies spread over the input's pixels.
 *
 * For the kernel: sums of outer products over pixels, image by image (outer.inc). Images are shared
 * out in fixed parts with sums of their own, added up in order behind, so that a run gives the same
 * bits again whatever the threads did; where the kernel is large its rows are shared out instead. */
#include "ops/native/native.h"

#include <limits.h>

enum { MAX_TAPS = 225, SMALL_KERNEL = 128 * 1024 };

static bool is_window(const krti_node *n)
{
    const krti_window *w = &n->attrs.window;
    int64_t taps = 1;

    for (int i = 0; i < w->rank; i++) {
        taps *= w->size[i];
        if (w->stride[i] > 1 && w->dilation[i] > 1)
            return false;
    }
    return krti_all_float(n) && w->rank <= 2 && w->groups <= 1 && taps <= MAX_TAPS &&
           krti_size(n->in[0]->shape) < INT_MAX && krti_size(n->in[1]->shape) < INT_MAX &&
           krti_size(n->out[0].shape) < INT_MAX;
}

/* ------------------------------------------------------------------------------- for the input */

/* The pixels of the input that are `row`, `column` beyond a multiple of the steps. */
typedef struct pixel_class {
    krti_conv_job c; /* c.y: an offset only, in y_first */
    size_t y_first, weights;
} pixel_class;

typedef struct input_state {
    const krti_isa *isa;
    int images, panels, num_classes;
    bool is_covered; /* every pixel is in a class */
    pixel_class classes[KRTI_MAX_CLASSES];
    krti_panels forms[KRTI_MAX_CLASSES];
    size_t taps[MAX_TAPS]; /* of all classes */
    krti_packing weights;
    float zeros[]; /* one for each channel of dy */
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

/* Taps in reverse: the first to be read is the class's last. */
static void add_class(input_state *st, const krti_node *n, krti_class_axis h, krti_class_axis w,
                      int row, int column, size_t *num_taps)
{
    const krti_window *window = &n->attrs.window;
    const krt_shape kernel = n->in[1]->shape, dx = n->out[0].shape;
    const int stride_h = krti_native_axis(window, window->stride, 0, 1);
    const int stride_w = krti_native_axis(window, window->stride, 1, 1);
    const size_t width = (size_t)krti_native_axis(window, window->size, 1, 1);
    const size_t channels = (size_t)kernel.dim[kernel.rank - 2];
    const size_t filters = (size_t)kernel.dim[kernel.rank - 1];
    const size_t image_row = (size_t)krti_native_dim(dx, 1) * channels;
    pixel_class *p = &st->classes[st->num_classes];
    krti_panels *f = &st->forms[st->num_classes++];

    krti_native_describe(&p->c, n);
    p->c.out_h = h.pixels;
    p->c.out_w = w.pixels;
    p->c.kernel_h = h.taps;
    p->c.kernel_w = w.taps;
    p->c.pad_h = h.pad;
    p->c.pad_w = w.pad;
    p->c.y_pixel = (size_t)stride_w * channels;
    p->c.y_row = (size_t)stride_h * image_row;
    p->c.y_image = (size_t)krti_native_dim(dx, 0) * image_row;
    p->y_first = (size_t)row * image_row + (size_t)column * channels;
    *f = krti_native_panels(filters, channels, st->isa);
    f->row_step = 1;
    f->column_step = filters;
    f->taps = st->taps + *num_taps;
    f->num_taps = (size_t)(h.taps * w.taps);
    krti_native_narrow(&p->c, f, st->isa);
    for (int i = h.taps; i-- > 0;)
        for (int j = w.taps; j-- > 0;)
            st->taps[(*num_taps)++] =
                ((size_t)(h.first + i * stride_h) * width + (size_t)(w.first + j * stride_w)) *
                channels * filters;
}

static void add_classes(input_state *st, const krti_node *n)
{
    const krti_window *window = &n->attrs.window;
    const int stride_h = krti_native_axis(window, window->stride, 0, 1);
    const int stride_w = krti_native_axis(window, window->stride, 1, 1);
    size_t num_taps = 0;

    st->is_covered = true;
    for (int row = 0; row < stride_h; row++)
        for (int column = 0; column < stride_w; column++) {
            const krti_class_axis h = krti_native_class(n, 0, row);
            const krti_class_axis w = krti_native_class(n, 1, column);

            if (h.taps > 0 && w.taps > 0 && h.pixels > 0 && w.pixels > 0)
                add_class(st, n, h, w, row, column, &num_taps);
            else
                st->is_covered = false;
        }
}

static krt_status prepare_input(krti_build *b, krti_step *s)
{
    const krt_shape dy = s->node->in[0]->shape;
    const size_t channels = (size_t)dy.dim[dy.rank - 1];
    input_state *st = krti_alloc(b->k, sizeof *st + channels * sizeof st->zeros[0]);
    size_t floats = 0;
    char key[160];

    if (st == NULL)
        return KRT_E_NOMEM;
    s->state = st;
    st->isa = krti_isa_get();
    st->images = (int)dy.dim[0];
    add_classes(st, s->node);
    for (int i = 0; i < st->num_classes; i++) {
        pixel_class *p = &st->classes[i];

        p->c.zeros = st->zeros;
        p->weights = floats;
        st->forms[i].threads = b->threads;
        floats += krti_native_panels_size(&st->forms[i]);
        st->panels = (p->c.out_c + st->isa->panel - 1) / st->isa->panel;
    }
    const krti_window *w = &s->node->attrs.window;
    snprintf(key, sizeof key, "grad:%d:%d:%d:%d:%d:%d:%s", krti_native_axis(w, w->size, 0, 1),
             krti_native_axis(w, w->size, 1, 1), krti_native_axis(w, w->stride, 0, 1),
             krti_native_axis(w, w->stride, 1, 1), krti_native_axis(w, w->before, 0, 0),
             krti_native_axis(w, w->before, 1, 0), st->isa->name);
    st->weights = (krti_packing){
        .input = 1, .size_bytes = floats * sizeof(float), .fill = fill_classes, .user = st};
    return krti_native_pack(b, s, &st->weights, key);
}

typedef struct input_run {
    const input_state *st;
    const float *dy, *weights, *bias, *residual;
    float *dx;
    int parts; /* of an image's rows */
} input_run;

static void input_task(void *arg, size_t task, size_t thread)
{
    const input_run *r = arg;
    const input_state *st = r->st;
    const int image = (int)task / r->parts, part = (int)task % r->parts;

    (void)thread;
    for (int i = 0; i < st->num_classes; i++) {
        krti_conv_job c = st->classes[i].c;

        c.x = r->dy;
        c.w = r->weights + st->classes[i].weights;
        c.y = r->dx + st->classes[i].y_first;
        c.bias = r->bias;
        c.residual = r->residual != NULL ? r->residual + st->classes[i].y_first : NULL;
        st->isa->conv_rows(&c, image, c.out_h * part / r->parts, c.out_h * (part + 1) / r->parts, 0,
                           st->panels);
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
                   threads == 1 ? 1 : (threads * 4 + st->images - 1) / st->images};

    (void)run_state;
    if (!st->is_covered)
        memset(r.dx, 0, krti_size(s->node->out[0].shape) * sizeof(float));
    krti_share_tasks(threads, (size_t)(st->images * r.parts), input_task, &r);
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
    int images, parts, part;          /* images of a part; one part: its sums are the result */
    size_t rows, row_tasks, row_task; /* rows of the kernel, where those are shared out */
    size_t columns, wide;             /* filters; those as whole vectors */
    size_t padded_row, padded; /* floats of a row and of an image with its border; 0: none needed */
    size_t image_floats;       /* scratch of one task for image and dy */
    size_t sum_floats;
    int offsets[]; /* by row */
} kernel_state;

static bool supports_kernel(const krti_node *n, int threads)
{
    (void)threads;
    return is_window(n);
}

/* The convolution's job from its gradient's node: what was read and what comes of it. */
static void describe_kernel(krti_conv_job *c, const krti_node *n)
{
    krti_native_describe(c, n);
    c->out_h = krti_native_dim(n->in[1]->shape, 0);
    c->out_w = krti_native_dim(n->in[1]->shape, 1);
    c->out_c = (int)n->in[1]->shape.dim[n->in[1]->shape.rank - 1];
}

static void plan_border(kernel_state *st)
{
    const krti_conv_job *c = &st->c;
    const int reach_h = (c->kernel_h - 1) * c->dilation_h,
              reach_w = (c->kernel_w - 1) * c->dilation_w;
    const int height = (c->out_h - 1) * c->stride_h + reach_h + 1;
    const int width = (c->out_w - 1) * c->stride_w + reach_w + 1;
    const bool fits = c->pad_h == 0 && c->pad_w == 0 && height <= c->in_h && width <= c->in_w;

    st->padded_row = (size_t)(fits ? c->in_w : width) * (size_t)c->in_c;
    st->padded = fits ? 0 : (size_t)height * st->padded_row;
}

static void plan_sharing(kernel_state *st, int threads)
{
    const size_t wanted = threads > 1 ? (size_t)threads * 4 : 1;

    st->parts = 1;
    st->part = st->images;
    st->row_tasks = 1;
    if (st->rows * st->wide <= SMALL_KERNEL && st->images >= threads) {
        st->part = (int)(((size_t)st->images + wanted - 1) / wanted);
        st->parts = (st->images + st->part - 1) / st->part;
    } else {
        st->row_tasks = krti_smaller_size((st->rows + 47) / 48, wanted / 2 + 1);
    }
    st->row_task = ((st->rows + st->row_tasks - 1) / st->row_tasks + 47) / 48 * 48;
    st->row_tasks = (st->rows + st->row_task - 1) / st->row_task;
    st->sum_floats = st->parts > 1 ? st->rows * st->columns : 0;
}

static krt_status prepare_kernel(krti_build *b, krti_step *s)
{
    const krt_shape dw = s->node->out[0].shape;
    const size_t columns = (size_t)dw.dim[dw.rank - 1], rows = krti_size(dw) / columns;
    kernel_state *st =
        krti_alloc(b->k, sizeof *st + (rows + KRTI_OUTER_SPARE) * sizeof st->offsets[0]);
    size_t n = 0;

    if (st == NULL)
        return KRT_E_NOMEM;
    s->state = st;
    st->isa = krti_isa_get();
    describe_kernel(&st->c, s->node);
    st->images = (int)s->node->in[0]->shape.dim[0];
    st->rows = rows;
    st->columns = columns;
    st->wide =
        (columns + (size_t)st->isa->vector - 1) / (size_t)st->isa->vector * (size_t)st->isa->vector;
    plan_border(st);
    plan_sharing(st, b->threads);
    for (int i = 0; i < st->c.kernel_h; i++)
        for (int j = 0; j < st->c.kernel_w; j++)
            for (int c = 0; c < st->c.in_c; c++)
                st->offsets[n++] = i * st->c.dilation_h * (int)st->padded_row +
                                   j * st->c.dilation_w * st->c.in_c + c;
    for (size_t i = 0; i < KRTI_OUTER_SPARE; i++)
        st->offsets[n + i] = st->offsets[n - 1];
    const bool is_packed = columns > (size_t)st->isa->panel || st->wide != columns;
    const size_t pixels = (size_t)st->c.out_h * (size_t)st->c.out_w;
    st->image_floats = st->padded + (is_packed ? pixels * st->wide : 0) + 16;
    s->scratch_bytes =
        ((size_t)b->threads * st->image_floats + (size_t)st->parts * st->sum_floats) *
        sizeof(float);
    return KRT_OK;
}

typedef struct kernel_run {
    const kernel_state *st;
    const float *x, *dy;
    float *dw, *images, *sums;
} kernel_run;

/* The image with its border, as much of it as the window reaches. */
static const float *with_border(const kernel_state *st, const float *x, float *to)
{
    const krti_conv_job *c = &st->c;
    const size_t channels = (size_t)c->in_c;
    const int width = (int)(st->padded_row / channels);
    const int left = c->pad_w > 0 ? c->pad_w : 0, first = c->pad_w < 0 ? -c->pad_w : 0;
    const int count = krti_smaller(width - left, c->in_w - first);

    if (st->padded == 0)
        return x;
    memset(to, 0, st->padded * sizeof *to);
    for (size_t h = 0; h < st->padded / st->padded_row; h++) {
        const int row = (int)h - c->pad_h;

        if (row >= 0 && row < c->in_h && count > 0)
            memcpy(to + h * st->padded_row + (size_t)left * channels,
                   x + ((size_t)row * (size_t)c->in_w + (size_t)first) * channels,
                   (size_t)count * channels * sizeof *to);
    }
    return to;
}

/* dy by panels of whole vectors: (panel, pixel, columns). */
static const float *by_panels(const kernel_state *st, const float *dy, float *to)
{
    const size_t pixels = (size_t)st->c.out_h * (size_t)st->c.out_w;
    const size_t panel = (size_t)st->isa->panel;

    if (st->columns <= panel && st->wide == st->columns)
        return dy;
    for (size_t first = 0; first < st->columns; first += panel) {
        const size_t real = krti_smaller_size(st->columns - first, panel);
        const size_t wide = krti_smaller_size(st->wide - first, panel);
        float *p = to + first * pixels;

        for (size_t i = 0; i < pixels; i++, p += wide) {
            memcpy(p, dy + i * st->columns + first, real * sizeof *p);
            memset(p + real, 0, (wide - real) * sizeof *p);
        }
    }
    return to;
}

static void add_image(const kernel_run *r, int image, size_t first_row, size_t num_rows,
                      float *sums, bool is_first, float *scratch)
{
    const kernel_state *st = r->st;
    const krti_conv_job *c = &st->c;
    const size_t pixels = (size_t)c->out_h * (size_t)c->out_w, panel = (size_t)st->isa->panel;
    const size_t size = (size_t)c->in_h * (size_t)c->in_w * (size_t)c->in_c;
    const float *x = with_border(st, r->x + (size_t)image * size, scratch);
    const float *dy =
        by_panels(st, r->dy + (size_t)image * pixels * st->columns, scratch + st->padded);

    for (size_t at = 0; at < st->columns; at += panel) {
        const krti_outer_job g = {.x = x,
                                  .b = dy + at * pixels,
                                  .x_row = (size_t)c->stride_h * st->padded_row,
                                  .x_pixel = (size_t)c->stride_w * (size_t)c->in_c,
                                  .ldb = krti_smaller_size(st->wide - at, panel),
                                  .height = c->out_h,
                                  .width = c->out_w,
                                  .offsets = st->offsets + first_row,
                                  .num_rows = num_rows,
                                  .columns = krti_smaller_size(st->columns - at, panel),
                                  .y = sums + first_row * st->columns + at,
                                  .ldy = st->columns,
                                  .is_first = is_first};

        st->isa->outer(&g);
    }
}

static void kernel_task(void *arg, size_t task, size_t thread)
{
    const kernel_run *r = arg;
    const kernel_state *st = r->st;
    const int part = (int)(task / st->row_tasks), first = part * st->part;
    const size_t row = task % st->row_tasks * st->row_task;
    const size_t rows = krti_smaller_size(st->row_task, st->rows - row);
    float *sums = st->parts > 1 ? r->sums + (size_t)part * st->sum_floats : r->dw;

    for (int i = first; i < krti_smaller(first + st->part, st->images); i++)
        add_image(r, i, row, rows, sums, i == first, r->images + thread * st->image_floats);
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
    krti_share_tasks(threads, (size_t)st->parts * st->row_tasks, kernel_task, &r);
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
