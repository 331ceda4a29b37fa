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

typedef struct unary_run {
    const krti_isa *isa;
    krti_act act;
    const float *x;
    float *y;
    size_t size;
} unary_run;

static void unary_task(void *arg, size_t task, size_t thread)
{
    const unary_run *r = arg;
    const size_t i = task * CHUNK;

    (void)thread;
    r->isa->activate(r->y + i, r->x + i, krti_smaller_size(CHUNK, r->size - i), r->act);
}

static void run_unary(const krti_step *s, void *const *ptr, void *scratch, void *run_state)
{
    const krti_node *n = s->node;
    const krti_activation f = {n->op, n->attrs.scalar.a, n->attrs.scalar.b, n->attrs.scalar.c};
    unary_run r = {.isa = krti_isa_get(),
                   .x = krti_input_ptr(s, ptr, 0),
                   .y = ptr[s->out[0]],
                   .size = krti_size(n->out[0].shape)};

    (void)scratch;
    (void)run_state;
    (void)krti_native_act(f, &r.act);
    krti_share_tasks(krti_share(s, 8.0 * (double)r.size), (r.size + CHUNK - 1) / CHUNK, unary_task,
                     &r);
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

typedef struct binary_run {
    const krti_isa *isa;
    walk w;
    krti_binary_fn fn;
    const float *a, *b;
    float *y;
    size_t pieces; /* a row is cut into */
} binary_run;

static void binary_task(void *arg, size_t task, size_t thread)
{
    const binary_run *r = arg;
    const size_t inner = r->w.dim[0], row = task / r->pieces;
    const size_t from = task % r->pieces * CHUNK;
    const size_t count = r->pieces > 1 ? krti_smaller_size(inner - from, CHUNK) : inner;
    size_t at_a, at_b;

    (void)thread;
    row_offsets(&r->w, row, &at_a, &at_b);
    r->isa->binary(r->y + row * inner + from, r->a + at_a + from * r->w.a[0], r->w.a[0],
                   r->b + at_b + from * r->w.b[0], r->w.b[0], count, r->fn);
}

static void run_binary(const krti_step *s, void *const *ptr, void *scratch, void *run_state)
{
    const krti_node *n = s->node;
    binary_run r = {.isa = krti_isa_get(),
                    .w = make_walk(n),
                    .fn = binary_of(n->op),
                    .a = krti_input_ptr(s, ptr, 0),
                    .b = krti_input_ptr(s, ptr, 1),
                    .y = ptr[s->out[0]]};
    const size_t inner = r.w.dim[0], size = krti_size(n->out[0].shape), rows = size / inner;

    (void)scratch;
    (void)run_state;
    r.pieces = rows >= 16 ? 1 : (inner + CHUNK - 1) / CHUNK;
    krti_share_tasks(krti_share(s, (double)size), rows * r.pieces, binary_task, &r);
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

typedef struct scale_run {
    const krti_isa *isa;
    krti_act act;
    wide_rows wide;
    const float *x, *scale, *shift, *residual;
    float *y;
    size_t rows, columns, block; /* rows a task */
} scale_run;

static void scale_task(void *arg, size_t task, size_t thread)
{
    const scale_run *r = arg;
    const size_t from = task * r->block, m = krti_smaller_size(r->rows - from, r->block);
    const size_t columns = r->columns, at = from * columns, repeats = r->wide.repeats;
    const size_t whole = repeats > 1 ? m / repeats * repeats : 0, next = at + whole * columns;
    const float *rest = r->residual != NULL ? r->residual + at : NULL;

    (void)thread;
    if (whole > 0)
        r->isa->scale_shift(r->y + at, r->x + at, r->wide.scale, r->wide.shift, rest,
                            whole / repeats, columns * repeats, r->act);
    if (rest != NULL)
        rest += whole * columns;
    r->isa->scale_shift(r->y + next, r->x + next, r->scale, r->shift, rest, m - whole, columns,
                        r->act);
}

static void run_scale_shift(const krti_step *s, void *const *ptr, void *scratch, void *run_state)
{
    const krti_node *n = s->node;
    const size_t columns = (size_t)n->in[1]->shape.dim[0], size = krti_size(n->out[0].shape);
    scale_run r = {.isa = krti_isa_get(),
                   .x = krti_input_ptr(s, ptr, 0),
                   .scale = krti_input_ptr(s, ptr, 1),
                   .shift = krti_input_ptr(s, ptr, 2),
                   .residual = krti_input_ptr(s, ptr, 3),
                   .y = ptr[s->out[0]],
                   .rows = size / columns,
                   .columns = columns,
                   .block = 1};

    (void)scratch;
    (void)run_state;
    (void)krti_native_act(n->activation, &r.act);
    r.wide.repeats = 1;
    if (columns * 2 <= WIDE)
        widen(&r.wide, r.scale, r.shift, columns);
    if (columns < CHUNK)
        r.block = CHUNK / (columns * r.wide.repeats) * r.wide.repeats;
    krti_share_tasks(krti_share(s, 2.0 * (double)size), (r.rows + r.block - 1) / r.block,
                     scale_task, &r);
}

const krti_kernel krti_native_scale_shift = {
    .name = "native_scale_shift",
    .op = &krti_op_scale_shift,
    .may_alias = 1u | 1u << 3,
    .supports = supports_scale_shift,
    .run = run_scale_shift,
};
