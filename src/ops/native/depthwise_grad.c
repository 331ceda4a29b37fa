/* Gradients of a depthwise convolution, one filter a channel.
 *
 * For the input: depthwise convolutions of dy with the rotated filter, one for each class of pixels
 * that meets the same taps (conv_grad.c). For the filter: sums over rows of dy, which are shared out
 * in fixed parts with sums of their own, so that a run gives the same bits again. */
#include "ops/native/native.h"

#include <limits.h>

static bool is_depthwise(const krti_node *n, const krt_value *x, const krt_value *y)
{
    const krti_window *w = &n->attrs.window;
    const int64_t channels = x->shape.dim[x->shape.rank - 1];

    for (int i = 0; i < w->rank; i++)
        if (w->stride[i] > 1 && w->dilation[i] > 1)
            return false;
    return krti_all_float(n) && w->rank <= 2 && w->groups > 1 && w->groups == channels &&
           y->shape.dim[y->shape.rank - 1] == channels && krti_size(x->shape) < INT_MAX &&
           krti_size(y->shape) < INT_MAX;
}

/* ------------------------------------------------------------------------------- for the input */

typedef struct pixel_class {
    krti_depthwise_job d; /* without pointers of the run */
    krti_class_axis h, w;
    size_t y_first, filter; /* floats */
} pixel_class;

typedef struct input_state {
    const krti_isa *isa;
    int images, rows, num_classes; /* rows of the class that has most */
    int stride_h, stride_w, kernel_w;
    bool is_covered; /* every pixel is in a class */
    size_t channels, image;
    pixel_class classes[KRTI_MAX_CLASSES];
    krti_packing filter;
} input_state;

static bool supports_input(const krti_node *n, int threads)
{
    const krti_window *w = &n->attrs.window;
    int64_t classes = 1;

    (void)threads;
    for (int i = 0; i < w->rank; i++)
        classes *= w->stride[i];
    return is_depthwise(n, &n->out[0], n->in[0]) && classes <= KRTI_MAX_CLASSES;
}

/* Every class's taps in reverse: the first to be read is its last. */
static void fill_filters(void *dst, const void *src, void *user)
{
    const input_state *st = user;
    float *to = dst;

    for (int i = 0; i < st->num_classes; i++) {
        const pixel_class *p = &st->classes[i];

        for (int h = p->h.taps; h-- > 0;)
            for (int w = p->w.taps; w-- > 0; to += st->channels) {
                const int row = p->h.first + h * st->stride_h,
                          column = p->w.first + w * st->stride_w;

                memcpy(to,
                       (const float *)src + (size_t)(row * st->kernel_w + column) * st->channels,
                       st->channels * sizeof *to);
            }
    }
}

static void add_class(input_state *st, const krti_node *n, int row, int column, size_t *floats)
{
    pixel_class *p = &st->classes[st->num_classes];
    krti_depthwise_job *d = &p->d;

    p->h = krti_native_class(n, 0, row);
    p->w = krti_native_class(n, 1, column);
    if (p->h.taps == 0 || p->w.taps == 0 || p->h.pixels == 0 || p->w.pixels == 0) {
        st->is_covered = false;
        return;
    }
    *d = krti_native_describe_depthwise(n);
    p->y_first = (size_t)row * d->row_y + (size_t)(column * d->step_y);
    d->out_h = p->h.pixels;
    d->out_w = p->w.pixels;
    d->kernel_h = p->h.taps;
    d->kernel_w = p->w.taps;
    d->pad_h = p->h.pad;
    d->pad_w = p->w.pad;
    d->row_y *= (size_t)st->stride_h;
    d->step_y *= st->stride_w;
    p->filter = *floats;
    *floats += (size_t)(p->h.taps * p->w.taps) * st->channels;
    st->rows = st->rows > d->out_h ? st->rows : d->out_h;
    st->num_classes++;
}

static krt_status prepare_input(krti_build *b, krti_step *s)
{
    const krti_window *w = &s->node->attrs.window;
    const krt_shape dx = s->node->out[0].shape;
    input_state *st = krti_alloc(b->k, sizeof *st);
    size_t floats = 0;
    char key[160];

    if (st == NULL)
        return KRT_E_NOMEM;
    s->state = st;
    *st = (input_state){.isa = krti_isa_get(),
                        .images = (int)dx.dim[0],
                        .stride_h = krti_native_axis(w, w->stride, 0, 1),
                        .stride_w = krti_native_axis(w, w->stride, 1, 1),
                        .kernel_w = krti_native_axis(w, w->size, 1, 1),
                        .is_covered = true,
                        .channels = (size_t)dx.dim[dx.rank - 1],
                        .image = krti_size(dx) / (size_t)dx.dim[0]};
    for (int row = 0; row < st->stride_h; row++)
        for (int column = 0; column < st->stride_w; column++)
            add_class(st, s->node, row, column, &floats);
    snprintf(key, sizeof key, "depthwise:%d:%d:%d:%d:%d:%d", krti_native_axis(w, w->size, 0, 1),
             st->kernel_w, st->stride_h, st->stride_w, krti_native_axis(w, w->before, 0, 0),
             krti_native_axis(w, w->before, 1, 0));
    st->filter = (krti_packing){
        .input = 1, .size_bytes = floats * sizeof(float), .fill = fill_filters, .user = st};
    return krti_native_pack(b, s, &st->filter, key);
}

typedef struct input_run {
    const input_state *st;
    const float *dy, *filter;
    float *dx;
    int rows, tasks; /* rows of a task; tasks an image */
} input_run;

static void input_task(void *arg, size_t task, size_t thread)
{
    const input_run *r = arg;
    const input_state *st = r->st;
    const int image = (int)task / r->tasks, first = (int)task % r->tasks * r->rows;

    (void)thread;
    for (int row = first; row < krti_smaller(first + r->rows, st->rows); row++)
        for (int i = 0; i < st->num_classes; i++) {
            krti_depthwise_job d = st->classes[i].d;

            if (row >= d.out_h)
                continue;
            d.x = r->dy;
            d.w = r->filter + st->classes[i].filter;
            d.y = r->dx + st->classes[i].y_first;
            st->isa->depthwise_rows(&d, image, row, row + 1);
        }
}

static void run_input(const krti_step *s, void *const *ptr, void *scratch, void *run_state)
{
    const input_state *st = s->state;
    const int threads = krti_share(s, krti_node_flops(s->node));
    const int parts = threads <= 1 ? 1 : threads * 4;
    input_run r = {st,
                   krti_input_ptr(s, ptr, 0),
                   krti_native_packed(&st->filter, s, ptr, scratch),
                   ptr[s->out[0]],
                   0,
                   0};

    (void)run_state;
    if (!st->is_covered)
        memset(r.dx, 0, (size_t)st->images * st->image * sizeof *r.dx);
    if (st->num_classes == 0)
        return;
    r.rows = (st->rows + parts - 1) / parts;
    r.tasks = (st->rows + r.rows - 1) / r.rows;
    krti_share_tasks(threads, (size_t)st->images * (size_t)r.tasks, input_task, &r);
}

const krti_kernel krti_native_depthwise_grad_input = {
    .name = "native_depthwise_grad_input",
    .op = &krti_op_conv_grad_input,
    .supports = supports_input,
    .prepare = prepare_input,
    .release = krti_native_release,
    .run = run_input,
};

/* ------------------------------------------------------------------------------- for the filter */

typedef struct filter_state {
    const krti_isa *isa;
    krti_depthwise_job d;
    int rows, part, parts; /* rows of dy in all images, those of a part */
    size_t floats;         /* of the filter */
} filter_state;

static bool supports_filter(const krti_node *n, int threads)
{
    (void)threads;
    return is_depthwise(n, n->in[0], n->in[1]);
}

static krt_status prepare_filter(krti_build *b, krti_step *s)
{
    const krti_node *n = s->node;
    const krt_shape dy = n->in[1]->shape;
    const int wanted = b->threads > 1 ? b->threads * 4 : 1;
    filter_state *st = krti_alloc(b->k, sizeof *st);

    if (st == NULL)
        return KRT_E_NOMEM;
    s->state = st;
    st->isa = krti_isa_get();
    st->d = krti_native_describe_depthwise(n);
    st->d.out_h = krti_native_dim(dy, 0);
    st->d.out_w = krti_native_dim(dy, 1);
    st->d.channels = st->d.step_x = st->d.step_y = st->d.step_w = (int)dy.dim[dy.rank - 1];
    st->d.row_y = (size_t)(st->d.out_w * st->d.step_y);
    st->d.image_y = (size_t)st->d.out_h * st->d.row_y;
    st->rows = (int)dy.dim[0] * st->d.out_h;
    st->part = (st->rows + wanted - 1) / wanted;
    st->parts = (st->rows + st->part - 1) / st->part;
    st->floats = krti_size(n->out[0].shape);
    s->scratch_bytes = st->parts > 1 ? (size_t)st->parts * st->floats * sizeof(float) : 0;
    return KRT_OK;
}

typedef struct filter_run {
    const filter_state *st;
    krti_depthwise_job d;
    float *sums;
} filter_run;

static void filter_task(void *arg, size_t task, size_t thread)
{
    const filter_run *r = arg;
    const filter_state *st = r->st;
    const int first = (int)task * st->part, end = krti_smaller(first + st->part, st->rows);
    const int height = st->d.out_h;
    float *sums = r->sums + task * st->floats;

    (void)thread;
    memset(sums, 0, st->floats * sizeof *sums);
    for (int row = first, next; row < end; row = next) {
        next = krti_smaller((row / height + 1) * height, end);
        st->isa->depthwise_grad_rows(&r->d, row / height, row % height, row % height + (next - row),
                                     sums);
    }
}

static void run_filter(const krti_step *s, void *const *ptr, void *scratch, void *run_state)
{
    const filter_state *st = s->state;
    float *dw = ptr[s->out[0]];
    filter_run r = {st, st->d, st->parts > 1 ? scratch : dw};

    (void)run_state;
    r.d.x = krti_input_ptr(s, ptr, 0);
    r.d.y = ptr[s->in[1]];
    krti_share_tasks(krti_share(s, krti_node_flops(s->node)), (size_t)st->parts, filter_task, &r);
    if (st->parts > 1)
        st->isa->sum_rows(dw, r.sums, (size_t)st->parts, st->floats);
}

const krti_kernel krti_native_depthwise_grad_kernel = {
    .name = "native_depthwise_grad_kernel",
    .op = &krti_op_conv_grad_kernel,
    .supports = supports_filter,
    .prepare = prepare_filter,
    .release = krti_native_release,
    .run = run_filter,
};
