/* 3 x 3 convolutions by Winograd's method, where it pays: step 1, enough channels that the products
 * outweigh the transforms, and enough tiles that the weights, 16 / 9 of their size now, are not what
 * is read most. See winograd.inc. */
#include "ops/native/native.h"

enum { POINTS = 16, MIN_CHANNELS = 32, MIN_TILES = 36, CACHE_FLOATS = 200 * 1024 };
/* From so many on, transforming the weights is so little of a run that those of a single image, where they
 * and not the pixels are most of the memory, are kept as they are. */
enum { MANY_TILES = 800 };

typedef struct form {
    size_t in_c, out_c;
    const krti_isa *isa;
    bool is_rotated; /* the source is (3, 3, out, in), its taps in reverse: a gradient's */
    int threads;
} form;

typedef struct winograd_state {
    krti_conv_job c; /* without pointers of the run */
    const krti_isa *isa;
    int images, tiles, panels; /* tiles: of one image */
    int block, blocks;         /* tiles at once, blocks of an image */
    int panel_group, panel_groups;
    size_t scratch_floats; /* of one task */
    form form;
    krti_packing weights;
    float zeros[]; /* one for each input channel */
} winograd_state;

static bool is_three_by_three(const krti_window *w)
{
    for (int i = 0; i < 2; i++)
        if (w->size[i] != 3 || w->stride[i] != 1 || w->dilation[i] != 1)
            return false;
    return w->rank == 2 && w->groups <= 1;
}

static bool supports(const krti_node *n, int threads)
{
    (void)threads;
    if (!is_three_by_three(&n->attrs.window) || !krti_native_window(n))
        return false;
    const krt_shape y = n->out[0].shape;
    const int64_t tiles = (y.dim[1] + 1) / 2 * ((y.dim[2] + 1) / 2);
    return n->in[0]->shape.dim[3] >= MIN_CHANNELS && y.dim[3] >= MIN_CHANNELS && tiles >= MIN_TILES;
}

/* ------------------------------------------------------------------------------- weights */

static size_t rounded(size_t n, int vector)
{
    return (n + (size_t)vector - 1) / (size_t)vector * (size_t)vector;
}

typedef struct filling {
    const form *f;
    const float *g;
    float *y;
} filling;

enum { WIDEST_PANEL = 64 };

/* The taps, side by side, of n filters from o on for input channel i. */
static void gather_taps(const filling *a, size_t i, size_t o, size_t n, float taps[9][WIDEST_PANEL])
{
    const form *f = a->f;
    const float *g = a->g + o * f->in_c + i;

    for (size_t t = 0; t < 9; t++)
        for (size_t l = 0; l < n; l++)
            taps[8 - t][l] = g[t * f->in_c * f->out_c + l * f->in_c];
}

static void fill_channel(void *arg, size_t i, size_t thread)
{
    const filling *a = arg;
    const form *f = a->f;
    const size_t wide = rounded(f->out_c, f->isa->vector), panel = (size_t)f->isa->panel;
    float taps[9][WIDEST_PANEL];

    (void)thread;
    KRTI_ASSERT(panel <= WIDEST_PANEL);
    for (size_t first = 0; first < f->out_c; first += panel) {
        const size_t columns = krti_smaller_size(wide - first, panel);
        const size_t n = krti_smaller_size(f->out_c - first, panel);
        float *y = a->y + first * f->in_c + i * columns;

        if (f->is_rotated) {
            gather_taps(a, i, first, n, taps);
            f->isa->winograd_weights(y, wide * f->in_c, taps[0], WIDEST_PANEL, n);
        } else {
            f->isa->winograd_weights(y, wide * f->in_c, a->g + i * f->out_c + first,
                                     f->in_c * f->out_c, n);
        }
    }
}

/* (3, 3, in, out) to (point, panel, in, columns). */
static void fill(void *dst, const void *src, void *user)
{
    const form *f = user;
    filling a = {f, src, dst};

    krti_share_tasks(f->in_c * f->out_c > 4096 ? f->threads : 1, f->in_c, fill_channel, &a);
}

static krt_status pack(krti_build *b, krti_step *s, winograd_state *st)
{
    form *f = &st->form;
    char key[64];

    *f = (form){(size_t)st->c.in_c, (size_t)st->c.out_c, st->isa,
                s->node->op == &krti_op_conv_grad_input, b->threads};
    snprintf(key, sizeof key, "winograd:%zu:%zu:%d:%d:%d", f->in_c, f->out_c, f->isa->panel,
             f->isa->vector, f->is_rotated);
    st->weights = (krti_packing){.input = 1,
                                 .each_run = st->images == 1 && st->tiles >= MANY_TILES,
                                 .size_bytes = POINTS * rounded(f->out_c, f->isa->vector) *
                                               f->in_c * sizeof(float),
                                 .fill = fill,
                                 .user = f};
    return krti_native_pack(b, s, &st->weights, key);
}

/* ------------------------------------------------------------------------------- steps */

/* Blocks as large as the cache holds, a multiple of the kernel's rows; where that leaves too few
 * tasks for the threads, the panels are shared out as well and the input is transformed twice. */
static void cut(winograd_state *st, int threads)
{
    const int row_floats = POINTS * (st->c.in_c + st->isa->panel);
    const int most = CACHE_FLOATS / row_floats;
    const int whole = most > st->isa->rows ? most / st->isa->rows * st->isa->rows : st->isa->rows;

    st->block = krti_smaller(whole, st->tiles);
    st->blocks = (st->tiles + st->block - 1) / st->block;
    if (st->images * st->blocks < 2 * threads && st->tiles >= 4 * threads * st->isa->rows &&
        st->panels < threads) { /* one panel: more, smaller blocks instead */
        st->blocks = 2 * threads;
        st->block = (st->tiles + st->blocks - 1) / st->blocks;
    }
    st->blocks = (st->tiles + st->block - 1) / st->block;
    const int groups = threads > 1 && st->images * st->blocks < 2 * threads ? threads : 1;
    st->panel_group = (st->panels + groups - 1) / groups;
    st->panel_groups = (st->panels + st->panel_group - 1) / st->panel_group;
    st->scratch_floats = (size_t)st->block * (size_t)row_floats;
}

static krt_status prepare(krti_build *b, krti_step *s)
{
    const krt_shape x = s->node->in[0]->shape;
    const size_t channels = (size_t)x.dim[x.rank - 1];
    winograd_state *st = krti_alloc(b->k, sizeof *st + channels * sizeof st->zeros[0]);
    const krt_shape y = s->node->out[0].shape;

    if (st == NULL)
        return KRT_E_NOMEM;
    s->state = st;
    st->isa = krti_isa_get();
    krti_native_describe(&st->c, s->node);
    st->images = (int)y.dim[0];
    st->tiles = (st->c.out_h + 1) / 2 * ((st->c.out_w + 1) / 2);
    st->panels = (st->c.out_c + st->isa->panel - 1) / st->isa->panel;
    cut(st, b->threads);
    st->c.zeros = st->zeros;
    const krt_status status = pack(b, s, st);
    s->scratch_bytes += (size_t)b->threads * st->scratch_floats * sizeof(float);
    return status;
}

typedef struct winograd_run {
    const winograd_state *st;
    krti_conv_job c;
    float *scratch;
} winograd_run;

static void task(void *arg, size_t number, size_t thread)
{
    const winograd_run *r = arg;
    const winograd_state *st = r->st;
    const int i = (int)number, block = i % st->blocks, image = i / st->blocks % st->images;
    const int group = i / st->blocks / st->images; /* so that a thread reads few weights */

    st->isa->winograd(&r->c, image, block * st->block,
                      krti_smaller((block + 1) * st->block, st->tiles), group * st->panel_group,
                      krti_smaller((group + 1) * st->panel_group, st->panels),
                      r->scratch + thread * st->scratch_floats);
}

static void run(const krti_step *s, void *const *ptr, void *scratch, void *run_state)
{
    const winograd_state *st = s->state;
    winograd_run r = {st, st->c, (float *)((char *)scratch + st->weights.scratch_bytes)};

    (void)run_state;
    r.c.w = krti_native_packed(&st->weights, s, ptr, scratch);
    r.c.x = krti_input_ptr(s, ptr, 0);
    r.c.y = ptr[s->out[0]];
    r.c.bias = krti_input_ptr(s, ptr, 2);
    r.c.residual = krti_input_ptr(s, ptr, 3);
    krti_share_tasks(s->threads, (size_t)(st->images * st->blocks * st->panel_groups), task, &r);
}

const krti_kernel krti_native_winograd = {
    .name = "native_winograd",
    .op = &krti_op_conv,
    .may_alias = 1u << 3,
    .supports = supports,
    .prepare = prepare,
    .release = krti_native_release,
    .run = run,
};

/* The gradient for the input is the convolution of dy with the rotated kernel. */
const krti_kernel krti_native_winograd_grad = {
    .name = "native_winograd_grad",
    .op = &krti_op_conv_grad_input,
    .supports = supports,
    .prepare = prepare,
    .release = krti_native_release,
    .run = run,
};
