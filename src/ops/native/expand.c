/* A pointwise convolution and the depthwise convolution behind it, without the image between them.
 *
 * A task is a group of channels of some rows of one image. It goes down in strips: the rows that the
 * next output rows need are expanded into a scratch of this group's channels alone, small enough
 * for the cache; those the next strip sees as well are moved up. The input is read once for each
 * group, which is cheap where the expansion is what is wide. */
#include "ops/native/native.h"

#include <limits.h>

/* The scratch of a thread: a tenth of what second-level caches are now, measured best. */
enum { SCRATCH_FLOATS = 48 * 1024, MIN_ROWS = 8, TASKS_A_THREAD = 4 };

typedef struct expand_state {
    krti_depthwise_job d; /* without pointers of the run */
    krti_gemm_job g;      /* likewise; n is a group's */
    krti_act between;
    const krti_isa *isa;
    int images, groups, group; /* group: channels of one */
    int strip;                 /* output rows at once */
    int chunks, rows;          /* output rows of a task */
    size_t scratch_floats;     /* of one thread */
    krti_panels panels;
    krti_packing weights;
} expand_state;

static int reach(const krti_depthwise_job *d)
{
    return (d->kernel_h - 1) * d->dilation_h + 1;
}

static int larger(int a, int b)
{
    return a > b ? a : b;
}

/* The image between is never made, but its size must fit the numbers of a job. Without vectors there
 * is nothing to gain. */
static bool supports(const krti_node *n, int threads)
{
    const krt_shape x = n->in[0]->shape;
    krti_act act;

    (void)threads;
    return krti_native_window(n) && krti_native_act(n->attrs.expand.activation, &act) &&
           krti_size(x) / (size_t)x.dim[3] < INT_MAX / (size_t)n->in[4]->shape.dim[3] &&
           krti_isa_get()->vector > 1;
}

/* Channels of a group: a few vectors, whole panels of the product, and none half empty where that
 * can be. */
static int group_of(const krti_isa *isa, int channels)
{
    const int panel = isa->panel, vectors = panel / isa->vector;
    const int wide = vectors > 2 ? panel - isa->vector : 2 * panel;

    return krti_smaller(channels % wide == 0 ? wide : larger(panel, 32), channels);
}

static void cut(expand_state *st, int threads)
{
    const krti_depthwise_job *d = &st->d;
    const size_t row = (size_t)d->in_w * (size_t)st->group;
    const int fit = (int)(SCRATCH_FLOATS / row);
    const int most = fit > reach(d) ? (fit - reach(d)) / d->stride_h + 1 : 1;

    st->groups = (d->channels + st->group - 1) / st->group;
    const int without = st->groups * st->images; /* tasks without cutting images */
    const int wanted = threads > 1 ? (threads * TASKS_A_THREAD + without - 1) / without : 1;
    st->chunks = krti_smaller(wanted, larger(1, d->out_h / MIN_ROWS));
    st->rows = (d->out_h + st->chunks - 1) / st->chunks;
    st->chunks = (d->out_h + st->rows - 1) / st->rows;
    st->strip = krti_smaller(most, st->rows);
    const int rows = (st->strip - 1) * d->stride_h; /* beside the window's */
    st->scratch_floats = (size_t)(rows < d->in_h - reach(d) ? rows + reach(d) : d->in_h) * row;
}

static krt_status prepare(krti_build *b, krti_step *s)
{
    const krti_node *n = s->node;
    expand_state *st = krti_alloc(b->k, sizeof *st);

    if (st == NULL)
        return KRT_E_NOMEM;
    s->state = st;
    st->isa = krti_isa_get();
    st->images = (int)n->in[0]->shape.dim[0];
    st->d = krti_native_describe_depthwise(n);
    (void)krti_native_act(n->attrs.expand.activation, &st->between);
    st->group = group_of(st->isa, st->d.channels);
    cut(st, b->threads);
    st->d.step_x = st->group;
    st->g.k = (size_t)n->in[0]->shape.dim[3];
    st->g.lda = st->g.k;
    if (krti_act_is_quick(st->between))
        st->g.act = st->between;
    st->panels = krti_native_panels(st->g.k, (size_t)st->d.channels, st->isa);
    st->panels.panel = krti_smaller(st->group, st->isa->panel);
    const krt_status status = krti_native_pack_panels(b, s, 4, &st->panels, &st->weights);
    st->g.b = st->weights.packed; /* the compiler makes the pair only where it is known */
    s->scratch_bytes = (size_t)b->threads * st->scratch_floats * sizeof(float);
    return status;
}

/* The rows of the image between that are in the scratch: [first, end). */
typedef struct band {
    float *rows;
    int first, end;
} band;

/* Makes the band hold [first, end) of image x: moves what it has, expands the rest. */
static void slide(const expand_state *st, const krti_gemm_job *group, const float *x, band *b,
                  int first, int end)
{
    const size_t in_w = (size_t)st->d.in_w, row = in_w * group->n;
    const int kept = larger(0, b->end - first), from = first + kept;
    krti_gemm_job g = *group;

    if (kept > 0 && first > b->first)
        memmove(b->rows, b->rows + (size_t)(first - b->first) * row,
                (size_t)kept * row * sizeof(float));
    b->first = first;
    b->end = larger(end, from);
    if (end <= from)
        return;
    g.a = x + (size_t)from * in_w * g.k;
    g.y = b->rows + (size_t)kept * row;
    g.m = (size_t)(end - from) * in_w;
    st->isa->gemm(&g);
    if (!krti_act_is_quick(st->between))
        st->isa->activate(g.y, g.y, g.m * g.n, st->between);
}

/* What a run knows beside the state. */
typedef struct expand_run {
    const expand_state *st;
    const float *x, *w, *bias, *bias_between;
    float *y, *scratch;
} expand_run;

static void run_task(const expand_run *r, int image, int chunk, int group, float *scratch)
{
    const expand_state *st = r->st;
    const int at = group * st->group, last = krti_smaller((chunk + 1) * st->rows, st->d.out_h);
    const int channels = krti_smaller(st->group, st->d.channels - at);
    const size_t pixels = (size_t)image * (size_t)st->d.out_h * (size_t)st->d.out_w;
    const float *x = r->x + (size_t)image * (size_t)st->d.in_h * (size_t)st->d.in_w * st->g.k;
    krti_gemm_job g = st->g;
    const int then = at + st->group; /* a thread's tasks are neighbours */
    krti_depthwise_job d = st->d;
    band b = {scratch, 0, 0};

    g.ahead = then < st->d.channels ? g.b + (size_t)then * g.k : NULL;
    g.b += (size_t)at * g.k;
    g.n = g.ldy = (size_t)channels;
    g.bias = r->bias_between != NULL ? r->bias_between + at : NULL;
    d.x = scratch;
    d.w = r->w + at;
    d.y = r->y + pixels * (size_t)d.step_y + at;
    d.bias = r->bias != NULL ? r->bias + at : NULL;
    d.channels = d.step_x = channels;
    for (int row = chunk * st->rows; row < last; row += st->strip) {
        const int stop = krti_smaller(row + st->strip, last);
        const int top = row * d.stride_h - st->d.pad_h;
        const int bottom = (stop - 1) * d.stride_h - st->d.pad_h + reach(&d);
        const int first = krti_smaller(larger(top, 0), st->d.in_h);

        slide(st, &g, x, &b, first, larger(first, krti_smaller(bottom, st->d.in_h)));
        g.ahead = NULL;
        d.in_h = b.end - b.first;
        d.pad_h = st->d.pad_h + b.first;
        st->isa->depthwise_rows(&d, 0, row, stop);
    }
}

static void task(void *arg, size_t number, size_t thread)
{
    const expand_run *r = arg;
    const expand_state *st = r->st;
    const int i = (int)number;

    run_task(r, i / st->groups / st->chunks, i / st->groups % st->chunks, i % st->groups,
             r->scratch + thread * st->scratch_floats);
}

static void run(const krti_step *s, void *const *ptr, void *scratch, void *run_state)
{
    const expand_state *st = s->state;
    const int threads = krti_share(s, krti_node_flops(s->node));
    expand_run r = {st,
                    krti_input_ptr(s, ptr, 0),
                    krti_input_ptr(s, ptr, 1),
                    krti_input_ptr(s, ptr, 2),
                    krti_input_ptr(s, ptr, 5),
                    ptr[s->out[0]],
                    scratch};

    (void)run_state;
    krti_share_tasks(threads, (size_t)(st->images * st->chunks * st->groups), task, &r);
}

const krti_kernel krti_native_expand = {
    .name = "native_expand_depthwise",
    .op = &krti_op_expand_depthwise,
    .supports = supports,
    .prepare = prepare,
    .release = krti_native_release,
    .run = run,
};
