/* Kernels over rows: softmax, layer normalization, and reductions over leading or spatial axes. */
#include "ops/native/native.h"

enum { BLOCK_ELEMENTS = 8192 };

/* Rows a task: enough that handing it out costs nothing against it. */
static size_t rows_a_task(size_t columns)
{
    return columns < BLOCK_ELEMENTS ? BLOCK_ELEMENTS / columns : 1;
}

/* ------------------------------------------------------------------------------- softmax */

static bool supports_softmax(const krti_node *n, int threads)
{
    (void)threads;
    return krti_all_float(n) && n->attrs.axis.axis == n->out[0].shape.rank - 1;
}

/* Softmax or layer normalization of some rows. */
typedef struct rows_run {
    const krti_isa *isa;
    const float *x, *gamma, *beta;
    float *y, epsilon;
    size_t rows, columns, block; /* rows a task */
} rows_run;

static void set_rows(rows_run *r, const krti_step *s, void *const *ptr)
{
    const krt_shape shape = s->node->out[0].shape;

    r->isa = krti_isa_get();
    r->x = krti_input_ptr(s, ptr, 0);
    r->y = ptr[s->out[0]];
    r->columns = (size_t)shape.dim[shape.rank - 1];
    r->rows = krti_size(shape) / r->columns;
    r->block = rows_a_task(r->columns);
}

static void softmax_task(void *arg, size_t task, size_t thread)
{
    const rows_run *r = arg;
    const size_t from = task * r->block, at = from * r->columns;

    (void)thread;
    r->isa->softmax_rows(r->y + at, r->x + at, krti_smaller_size(r->block, r->rows - from),
                         r->columns);
}

static void run_softmax(const krti_step *s, void *const *ptr, void *scratch, void *run_state)
{
    rows_run r = {0};

    (void)scratch;
    (void)run_state;
    set_rows(&r, s, ptr);
    krti_share_tasks(krti_share(s, 20.0 * (double)(r.rows * r.columns)),
                     (r.rows + r.block - 1) / r.block, softmax_task, &r);
}

const krti_kernel krti_native_softmax = {
    .name = "native_softmax",
    .op = &krti_op_softmax,
    .may_alias = 1,
    .supports = supports_softmax,
    .run = run_softmax,
};

/* ------------------------------------------------------------------------------- layer normalization */

static bool supports_layer_norm(const krti_node *n, int threads)
{
    (void)threads;
    return krti_all_float(n);
}

static void layer_norm_task(void *arg, size_t task, size_t thread)
{
    const rows_run *r = arg;
    const size_t from = task * r->block, at = from * r->columns;

    (void)thread;
    r->isa->layer_norm(r->y + at, r->x + at, r->gamma, r->beta,
                       krti_smaller_size(r->block, r->rows - from), r->columns, r->epsilon);
}

static void run_layer_norm(const krti_step *s, void *const *ptr, void *scratch, void *run_state)
{
    rows_run r = {.gamma = krti_input_ptr(s, ptr, 1),
                  .beta = krti_input_ptr(s, ptr, 2),
                  .epsilon = (float)s->node->attrs.norm.epsilon};

    (void)scratch;
    (void)run_state;
    set_rows(&r, s, ptr);
    krti_share_tasks(krti_share(s, 6.0 * (double)(r.rows * r.columns)),
                     (r.rows + r.block - 1) / r.block, layer_norm_task, &r);
}

const krti_kernel krti_native_layer_norm = {
    .name = "native_layer_norm",
    .op = &krti_op_layer_norm,
    .may_alias = 1,
    .supports = supports_layer_norm,
    .run = run_layer_norm,
};

/* Rows in fixed parts, whose sums for gamma and beta are added up behind. */
typedef struct norm_parts {
    size_t rows, columns, part, parts;
} norm_parts;

static norm_parts norm_parts_of(const krti_node *n, int threads)
{
    norm_parts p = {.columns = krti_size(n->out[1].shape)};

    p.rows = krti_size(n->out[0].shape) / p.columns;
    const size_t least = rows_a_task(p.columns), wanted = threads > 1 ? (size_t)threads * 4 : 1;
    p.part = (p.rows + wanted - 1) / wanted;
    p.part = p.part > least ? p.part : least;
    p.parts = (p.rows + p.part - 1) / p.part;
    return p;
}

static bool supports_layer_norm_grad(const krti_node *n, int threads)
{
    (void)threads;
    return krti_all_float(n) && n->attrs.norm.axis == n->out[0].shape.rank - 1;
}

static krt_status prepare_layer_norm_grad(krti_build *b, krti_step *s)
{
    const norm_parts p = norm_parts_of(s->node, b->threads);

    s->scratch_bytes = 2 * p.parts * p.columns * sizeof(float);
    return KRT_OK;
}

typedef struct norm_grad_run {
    const krti_isa *isa;
    norm_parts p;
    const float *dy, *x, *gamma;
    float *dx, *sums, epsilon; /* of gamma by part, then of beta */
} norm_grad_run;

static void norm_grad_task(void *arg, size_t task, size_t thread)
{
    const norm_grad_run *r = arg;
    const norm_parts *p = &r->p;
    const size_t from = task * p->part, at = from * p->columns;
    float *dgamma = r->sums + task * p->columns, *dbeta = dgamma + p->parts * p->columns;

    (void)thread;
    memset(dgamma, 0, p->columns * sizeof *dgamma);
    memset(dbeta, 0, p->columns * sizeof *dbeta);
    r->isa->layer_norm_grad(r->dx + at, dgamma, dbeta, r->dy + at, r->x + at, r->gamma,
                            krti_smaller_size(p->part, p->rows - from), p->columns, r->epsilon);
}

static void run_layer_norm_grad(const krti_step *s, void *const *ptr, void *scratch,
                                void *run_state)
{
    const norm_parts p = norm_parts_of(s->node, s->threads);
    norm_grad_run r = {krti_isa_get(),
                       p,
                       krti_input_ptr(s, ptr, 0),
                       krti_input_ptr(s, ptr, 1),
                       krti_input_ptr(s, ptr, 2),
                       ptr[s->out[0]],
                       scratch,
                       (float)s->node->attrs.norm.epsilon};

    (void)run_state;
    krti_share_tasks(krti_share(s, krti_node_flops(s->node)), p.parts, norm_grad_task, &r);
    r.isa->sum_rows(ptr[s->out[1]], r.sums, p.parts, p.columns);
    r.isa->sum_rows(ptr[s->out[2]], r.sums + p.parts * p.columns, p.parts, p.columns);
}

const krti_kernel krti_native_layer_norm_grad = {
    .name = "native_layer_norm_grad",
    .op = &krti_op_layer_norm_grad,
    .supports = supports_layer_norm_grad,
    .prepare = prepare_layer_norm_grad,
    .run = run_layer_norm_grad,
};

/* ------------------------------------------------------------------------------- reductions */

/* The reduced axes must be neighbours: the array is then (outer, reduced, inner). */
typedef struct reduction {
    size_t outer, reduced, inner;
} reduction;

static bool as_reduction(const krti_node *n, reduction *r)
{
    const krt_shape x = n->in[0]->shape;
    const int count = n->attrs.reduce.n;

    *r = (reduction){1, 1, 1};
    if (count == 0)
        return false;
    const int first = n->attrs.reduce.axis[0], last = n->attrs.reduce.axis[count - 1];
    if (last - first != count - 1)
        return false;
    for (int i = 0; i < x.rank; i++) {
        size_t *part = i < first ? &r->outer : i <= last ? &r->reduced : &r->inner;

        *part *= (size_t)x.dim[i];
    }
    return true;
}

static bool supports_reduce(const krti_node *n, int threads)
{
    reduction r;

    (void)threads;
    return krti_all_float(n) && as_reduction(n, &r) && r.inner >= 8;
}

typedef void (*rows_fn)(float *y, const float *x, size_t rows, size_t n);

typedef struct reduce_run {
    const krti_isa *isa;
    rows_fn rows;
    bool is_mean;
    reduction r;
    const float *x;
    float *y, *parts;
    size_t part; /* rows of a part */
} reduce_run;

static void reduce_task(void *arg, size_t i, size_t thread)
{
    const reduce_run *a = arg;
    const reduction *r = &a->r;
    const krti_act over = {KRTI_FN_AFFINE, 1.0f / (float)r->reduced, 0, 0};

    (void)thread;
    a->rows(a->y + i * r->inner, a->x + i * r->reduced * r->inner, r->reduced, r->inner);
    if (a->is_mean)
        a->isa->activate(a->y + i * r->inner, a->y + i * r->inner, r->inner, over);
}

/* Threads share the outer index. */
static void run_reduce(const krti_step *s, void *const *ptr, rows_fn rows, bool is_mean)
{
    reduce_run a = {.isa = krti_isa_get(),
                    .rows = rows,
                    .is_mean = is_mean,
                    .x = krti_input_ptr(s, ptr, 0),
                    .y = ptr[s->out[0]]};

    (void)as_reduction(s->node, &a.r);
    krti_share_tasks(krti_share(s, (double)krti_size(s->node->in[0]->shape)), a.r.outer,
                     reduce_task, &a);
}

/* A long sum into one row is shared out in fixed parts, so that a run gives the same bits again. */
enum { MIN_PART = 64 * 1024 };

static size_t reduce_parts(const krti_step *s, const reduction *r, int threads)
{
    const size_t most = r->reduced * r->inner / MIN_PART, wanted = (size_t)threads * 4;

    (void)s;
    return r->outer != 1 || threads <= 1 ? 1 : krti_smaller_size(most > 0 ? most : 1, wanted);
}

static krt_status prepare_reduce(krti_build *b, krti_step *s)
{
    reduction r;

    (void)as_reduction(s->node, &r);
    s->scratch_bytes = reduce_parts(s, &r, b->threads) * r.inner * sizeof(float);
    return KRT_OK;
}

static void part_task(void *arg, size_t part, size_t thread)
{
    const reduce_run *a = arg;
    const size_t from = part * a->part, end = krti_smaller_size(from + a->part, a->r.reduced);

    (void)thread;
    a->rows(a->parts + part * a->r.inner, a->x + from * a->r.inner, end - from, a->r.inner);
}

static void run_parts(const krti_step *s, void *const *ptr, void *scratch, rows_fn rows,
                      bool is_mean)
{
    reduce_run a = {.isa = krti_isa_get(),
                    .rows = rows,
                    .x = krti_input_ptr(s, ptr, 0),
                    .y = ptr[s->out[0]],
                    .parts = scratch};

    (void)as_reduction(s->node, &a.r);
    const size_t wanted = reduce_parts(s, &a.r, s->threads);
    if (wanted == 1) {
        run_reduce(s, ptr, rows, is_mean);
        return;
    }
    a.part = (a.r.reduced + wanted - 1) / wanted;
    const size_t parts = (a.r.reduced + a.part - 1) / a.part;
    krti_share_tasks(s->threads, parts, part_task, &a);
    const krti_act over = {KRTI_FN_AFFINE, 1.0f / (float)a.r.reduced, 0, 0};
    rows(a.y, a.parts, parts, a.r.inner);
    if (is_mean)
        a.isa->activate(a.y, a.y, a.r.inner, over);
}

static void run_mean(const krti_step *s, void *const *ptr, void *scratch, void *run_state)
{
    (void)run_state;
    run_parts(s, ptr, scratch, krti_isa_get()->sum_rows, true);
}

static void run_sum(const krti_step *s, void *const *ptr, void *scratch, void *run_state)
{
    (void)run_state;
    run_parts(s, ptr, scratch, krti_isa_get()->sum_rows, false);
}

static void run_max(const krti_step *s, void *const *ptr, void *scratch, void *run_state)
{
    (void)run_state;
    run_parts(s, ptr, scratch, krti_isa_get()->max_rows, false);
}

const krti_kernel krti_native_mean = {.name = "native_mean",
                                      .op = &krti_op_reduce_mean,
                                      .supports = supports_reduce,
                                      .prepare = prepare_reduce,
                                      .run = run_mean};
const krti_kernel krti_native_sum = {.name = "native_sum",
                                     .op = &krti_op_reduce_sum,
                                     .supports = supports_reduce,
                                     .prepare = prepare_reduce,
                                     .run = run_sum};
const krti_kernel krti_native_max = {.name = "native_max",
                                     .op = &krti_op_reduce_max,
                                     .supports = supports_reduce,
                                     .prepare = prepare_reduce,
                                     .run = run_max};
