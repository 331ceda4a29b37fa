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

static void run_softmax(const krti_step *s, void *const *ptr, void *scratch, void *run_state)
{
    const krt_shape shape = s->node->out[0].shape;
    const size_t columns = (size_t)shape.dim[shape.rank - 1], rows = krti_size(shape) / columns;
    const size_t block = rows_a_task(columns);
    const int threads = krti_share(s, 20.0 * (double)krti_size(shape));
    const float *x = krti_input_ptr(s, ptr, 0);
    const krti_isa *isa = krti_isa_get();
    float *y = ptr[s->out[0]];

    (void)scratch;
    (void)run_state;
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
    for (size_t r = 0; r < rows; r += block)
        isa->softmax_rows(y + r * columns, x + r * columns, krti_smaller_size(block, rows - r),
                          columns);
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

static void run_layer_norm(const krti_step *s, void *const *ptr, void *scratch, void *run_state)
{
    const krt_shape shape = s->node->out[0].shape;
    const size_t columns = (size_t)shape.dim[shape.rank - 1], rows = krti_size(shape) / columns;
    const size_t block = rows_a_task(columns);
    const float epsilon = (float)s->node->attrs.norm.epsilon;
    const int threads = krti_share(s, 6.0 * (double)krti_size(shape));
    const float *x = krti_input_ptr(s, ptr, 0), *gamma = krti_input_ptr(s, ptr, 1);
    const float *beta = krti_input_ptr(s, ptr, 2);
    const krti_isa *isa = krti_isa_get();
    float *y = ptr[s->out[0]];

    (void)scratch;
    (void)run_state;
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
    for (size_t r = 0; r < rows; r += block)
        isa->layer_norm(y + r * columns, x + r * columns, gamma, beta,
                        krti_smaller_size(block, rows - r), columns, epsilon);
}

const krti_kernel krti_native_layer_norm = {
    .name = "native_layer_norm",
    .op = &krti_op_layer_norm,
    .may_alias = 1,
    .supports = supports_layer_norm,
    .run = run_layer_norm,
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

/* Threads share the outer index and, when that is small, blocks of the inner one. */
static void run_reduce(const krti_step *s, void *const *ptr, rows_fn rows, bool is_mean)
{
    const krti_isa *isa = krti_isa_get();
    const float *x = krti_input_ptr(s, ptr, 0);
    float *y = ptr[s->out[0]];
    reduction r;

    (void)as_reduction(s->node, &r);
    const krti_act over = {KRTI_FN_AFFINE, 1.0f / (float)r.reduced, 0, 0};
    const int threads = krti_share(s, (double)krti_size(s->node->in[0]->shape));
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
    for (size_t i = 0; i < r.outer; i++) {
        rows(y + i * r.inner, x + i * r.reduced * r.inner, r.reduced, r.inner);
        if (is_mean)
            isa->activate(y + i * r.inner, y + i * r.inner, r.inner, over);
    }
}

static void run_mean(const krti_step *s, void *const *ptr, void *scratch, void *run_state)
{
    (void)scratch;
    (void)run_state;
    run_reduce(s, ptr, krti_isa_get()->sum_rows, true);
}

static void run_sum(const krti_step *s, void *const *ptr, void *scratch, void *run_state)
{
    (void)scratch;
    (void)run_state;
    run_reduce(s, ptr, krti_isa_get()->sum_rows, false);
}

static void run_max(const krti_step *s, void *const *ptr, void *scratch, void *run_state)
{
    (void)scratch;
    (void)run_state;
    run_reduce(s, ptr, krti_isa_get()->max_rows, false);
}

const krti_kernel krti_native_mean = {.name = "native_mean",
                                      .op = &krti_op_reduce_mean,
                                      .supports = supports_reduce,
                                      .run = run_mean};
const krti_kernel krti_native_sum = {
    .name = "native_sum", .op = &krti_op_reduce_sum, .supports = supports_reduce, .run = run_sum};
const krti_kernel krti_native_max = {
    .name = "native_max", .op = &krti_op_reduce_max, .supports = supports_reduce, .run = run_max};
