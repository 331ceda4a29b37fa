/* Elementwise functions, binary operations with broadcasting, and scale_shift. */
#include "ops/native/native.h"

enum { CHUNK = 4096, WIDE = 256 };

/* ------------------------------------------------------------------------------- one input */

static bool supports_unary(const krti_node *n, int threads)
{
    const krti_activation f = {n->op, n->attrs.scalar.a, n->attrs.scalar.b, n->attrs.scalar.c};
    krti_act act;

    (void)threads;
    return krti_all_float(n) && krti_native_act(f, &act);
}

static void run_unary(const krti_step *s, void *const *ptr, void *scratch, void *run_state)
{
    const krti_node *n = s->node;
    const krti_activation f = {n->op, n->attrs.scalar.a, n->attrs.scalar.b, n->attrs.scalar.c};
    const size_t size = krti_size(n->out[0].shape);
    const int threads = krti_share(s, 8.0 * (double)size);
    const float *x = krti_input_ptr(s, ptr, 0);
    float *y = ptr[s->out[0]];
    const krti_isa *isa = krti_isa_get();
    krti_act act;

    (void)scratch;
    (void)run_state;
    (void)krti_native_act(f, &act);
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
    for (size_t i = 0; i < size; i += CHUNK)
        isa->activate(y + i, x + i, size - i < CHUNK ? size - i : CHUNK, act);
}

#define UNARY(opname)                                                       \
    {                                                                       \
        .name = "native_" #opname, .op = &krti_op_##opname, .may_alias = 1, \
        .supports = supports_unary, .run = run_unary                        \
    }
const krti_kernel krti_native_unary[] = {
    UNARY(relu),   UNARY(clip),         UNARY(affine),    UNARY(sigmoid),    UNARY(tanh),
    UNARY(silu),   UNARY(gelu),         UNARY(gelu_tanh), UNARY(elu),        UNARY(selu),
    UNARY(exp),    UNARY(hard_sigmoid), UNARY(hard_silu), UNARY(sqrt),       UNARY(rsqrt),
    UNARY(square), UNARY(absolute),     UNARY(negative),  UNARY(reciprocal), UNARY(softsign),
    {.op = NULL},
};

/* ------------------------------------------------------------------------------- two inputs */

static const struct {
    const krti_op *op;
    krti_binary_fn fn;
} binaries[] = {
    {&krti_op_add, KRTI_BIN_ADD},      {&krti_op_subtract, KRTI_BIN_SUB},
    {&krti_op_multiply, KRTI_BIN_MUL}, {&krti_op_divide, KRTI_BIN_DIV},
    {&krti_op_maximum, KRTI_BIN_MAX},  {&krti_op_minimum, KRTI_BIN_MIN},
};

static krti_binary_fn binary_of(const krti_op *op)
{
    for (size_t i = 0; i < KRTI_COUNT(binaries); i++)
        if (binaries[i].op == op)
            return binaries[i].fn;
    return KRTI_BIN_ADD;
}

/* The result's axes merged where both inputs walk alike: at most a few loops remain. */
typedef struct walk {
    int rank;
    size_t dim[KRT_MAX_RANK], a[KRT_MAX_RANK], b[KRT_MAX_RANK]; /* strides, 0 where broadcast */
} walk;

static void input_strides(size_t *strides, krt_shape x, krt_shape y)
{
    size_t step = 1;

    for (int i = y.rank; i-- > 0;) {
        const int at = i - (y.rank - x.rank);
        const bool spread = at < 0 || x.dim[at] == 1;

        strides[i] = spread ? 0 : step;
        if (at >= 0)
            step *= (size_t)x.dim[at];
    }
}

static walk make_walk(const krti_node *n)
{
    const krt_shape y = n->out[0].shape;
    walk w = {.rank = y.rank}, merged = {.rank = 0};

    for (int i = 0; i < y.rank; i++)
        w.dim[i] = (size_t)y.dim[i];
    input_strides(w.a, n->in[0]->shape, y);
    input_strides(w.b, n->in[1]->shape, y);
    for (int i = y.rank; i-- > 0;) {
        const int last = merged.rank - 1; /* merged is built innermost first */

        if (w.dim[i] == 1)
            continue;
        if (last >= 0 && w.a[i] == merged.a[last] * merged.dim[last] &&
            w.b[i] == merged.b[last] * merged.dim[last]) {
            merged.dim[last] *= w.dim[i];
            continue;
        }
        merged.dim[merged.rank] = w.dim[i];
        merged.a[merged.rank] = w.a[i];
        merged.b[merged.rank++] = w.b[i];
    }
    if (merged.rank == 0)
        merged = (walk){.rank = 1, .dim = {1}};
    return merged;
}

static bool supports_binary(const krti_node *n, int threads)
{
    (void)threads;
    if (!krti_all_float(n))
        return false;
    const walk w = make_walk(n);
    return w.a[0] <= 1 && w.b[0] <= 1;
}

/* Offsets of the i-th innermost row. */
static void row_offsets(const walk *w, size_t i, size_t *a, size_t *b)
{
    *a = 0;
    *b = 0;
    for (int d = 1; d < w->rank; d++) {
        const size_t at = i % w->dim[d];

        *a += at * w->a[d];
        *b += at * w->b[d];
        i /= w->dim[d];
    }
}

static void run_binary(const krti_step *s, void *const *ptr, void *scratch, void *run_state)
{
    const krti_node *n = s->node;
    const walk w = make_walk(n);
    const krti_binary_fn fn = binary_of(n->op);
    const krti_isa *isa = krti_isa_get();
    const size_t inner = w.dim[0], size = krti_size(n->out[0].shape), rows = size / inner;
    const size_t pieces = rows >= 16 ? 1 : (inner + CHUNK - 1) / CHUNK;
    const int threads = krti_share(s, (double)size);
    const float *a = krti_input_ptr(s, ptr, 0), *b = krti_input_ptr(s, ptr, 1);
    float *y = ptr[s->out[0]];

    (void)scratch;
    (void)run_state;
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
    for (size_t i = 0; i < rows * pieces; i++) {
        const size_t from = pieces > 1 ? i % pieces * CHUNK : 0;
        const size_t count = pieces > 1 && inner - from > CHUNK ? CHUNK : inner - from;
        size_t at_a, at_b;

        row_offsets(&w, i / pieces, &at_a, &at_b);
        isa->binary(y + i / pieces * inner + from, a + at_a + from * w.a[0], w.a[0],
                    b + at_b + from * w.b[0], w.b[0], count, fn);
    }
}

#define BINARY(opname)                                                      \
    {                                                                       \
        .name = "native_" #opname, .op = &krti_op_##opname, .may_alias = 3, \
        .supports = supports_binary, .run = run_binary                      \
    }
const krti_kernel krti_native_binary[] = {
    BINARY(add),     BINARY(subtract), BINARY(multiply), BINARY(divide),
    BINARY(maximum), BINARY(minimum),  {.op = NULL},
};

/* ------------------------------------------------------------------------------- scale_shift */

static bool supports_scale_shift(const krti_node *n, int threads)
{
    krti_act act;

    (void)threads;
    return krti_all_float(n) && krti_has_input(n, 2) && krti_native_act(n->activation, &act);
}

/* Rows too narrow for a vector are taken several at a time, the scale and shift repeated. */
typedef struct wide_rows {
    float scale[WIDE], shift[WIDE];
    size_t repeats; /* rows of the original in one of these */
} wide_rows;

static void widen(wide_rows *w, const float *scale, const float *shift, size_t columns)
{
    w->repeats = WIDE / columns;
    for (size_t i = 0; i < w->repeats; i++) {
        memcpy(w->scale + i * columns, scale, columns * sizeof *scale);
        memcpy(w->shift + i * columns, shift, columns * sizeof *shift);
    }
}

static void run_scale_shift(const krti_step *s, void *const *ptr, void *scratch, void *run_state)
{
    const krti_node *n = s->node;
    const size_t columns = (size_t)n->in[1]->shape.dim[0];
    const size_t rows = krti_size(n->out[0].shape) / columns;
    const float *x = krti_input_ptr(s, ptr, 0), *scale = krti_input_ptr(s, ptr, 1);
    const float *shift = krti_input_ptr(s, ptr, 2), *residual = krti_input_ptr(s, ptr, 3);
    const int threads = krti_share(s, 2.0 * (double)rows * (double)columns);
    float *y = ptr[s->out[0]];
    const krti_isa *isa = krti_isa_get();
    wide_rows wide = {.repeats = 1};
    krti_act act;

    (void)scratch;
    (void)run_state;
    (void)krti_native_act(n->activation, &act);
    if (columns * 2 <= WIDE)
        widen(&wide, scale, shift, columns);
    const size_t block = columns < CHUNK ? CHUNK / (columns * wide.repeats) * wide.repeats : 1;
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
    for (size_t r = 0; r < rows; r += block) {
        const size_t m = rows - r < block ? rows - r : block, at = r * columns;
        const size_t whole = wide.repeats > 1 ? m / wide.repeats * wide.repeats : 0;
        const float *rest = residual != NULL ? residual + at : NULL;

        if (whole > 0)
            isa->scale_shift(y + at, x + at, wide.scale, wide.shift, rest, whole / wide.repeats,
                             columns * wide.repeats, act);
        if (rest != NULL)
            rest += whole * columns;
        isa->scale_shift(y + at + whole * columns, x + at + whole * columns, scale, shift, rest,
                         m - whole, columns, act);
    }
}

const krti_kernel krti_native_scale_shift = {
    .name = "native_scale_shift",
    .op = &krti_op_scale_shift,
    .may_alias = 1u | 1u << 3,
    .supports = supports_scale_shift,
    .run = run_scale_shift,
};
