/* Groups of elementwise operations, block by block: each operation is one vector loop over a block
 * that lies in the first-level cache, so memory is read and written once a group however many
 * operations it has. An optimizer's update runs at the speed of its arrays' memory.
 *
 * A value of a program is held in a register: a constant one in a few equal floats, an input where
 * it lies, or in a block of its own when it repeats or is no float; results share blocks. */
#include "ops/fused.h"
#include "ops/native/native.h"

enum {
    BLOCK = 1024,
    COPIES = 16, /* of a number for all */
    MAX_VALUES = KRTI_FUSED_MAX_IN + KRTI_FUSED_MAX_OPS + 1,
    NEVER = -1
};

typedef enum place {
    PLACE_CONSTANT, /* one number for all */
    PLACE_MEMORY,   /* an input that is read where it lies */
    PLACE_REPEAT,   /* an input that repeats: in its place, or spread over a block */
    PLACE_CONVERT,  /* an input of another dtype */
    PLACE_RESULT
} place;

typedef struct value {
    place place;
    int block;    /* which; constants count on their own */
    int last_use; /* by an operation of the main list */
    int made;     /* by which */
} value;

typedef struct fused_state {
    const krti_isa *isa;
    int num_values, num_blocks, num_constants, zero; /* zero: the value that is 0 */
    int num_first, num_main;
    size_t block;           /* elements at once */
    short same[MAX_VALUES]; /* what changes nothing is its input */
    value values[MAX_VALUES];
    krti_group_op first[KRTI_FUSED_MAX_OPS]; /* on constants: once */
    krti_group_op main[KRTI_FUSED_MAX_OPS];  /* block by block */
    const krti_fused_op *first_source[KRTI_FUSED_MAX_OPS], *main_source[KRTI_FUSED_MAX_OPS];
} fused_state;

/* ------------------------------------------------------------------------------- translation */

static const struct {
    const krti_op *op;
    krti_binary_fn fn;
    bool is_swapped;
} binaries[] = {
    {&krti_op_add, KRTI_BIN_ADD, false},
    {&krti_op_subtract, KRTI_BIN_SUB, false},
    {&krti_op_multiply, KRTI_BIN_MUL, false},
    {&krti_op_divide, KRTI_BIN_DIV, false},
    {&krti_op_maximum, KRTI_BIN_MAX, false},
    {&krti_op_minimum, KRTI_BIN_MIN, false},
    {&krti_op_squared_difference, KRTI_BIN_SQUARED_DIFFERENCE, false},
    {&krti_op_greater, KRTI_BIN_GREATER, false},
    {&krti_op_greater_equal, KRTI_BIN_GREATER_EQUAL, false},
    {&krti_op_less, KRTI_BIN_GREATER, true},
    {&krti_op_less_equal, KRTI_BIN_GREATER_EQUAL, true},
    {&krti_op_equal, KRTI_BIN_EQUAL, false},
    {&krti_op_not_equal, KRTI_BIN_NOT_EQUAL, false},
    {&krti_op_logical_and, KRTI_BIN_MUL, false},
    {&krti_op_logical_or, KRTI_BIN_MAX, false},
    {&krti_op_logical_xor, KRTI_BIN_NOT_EQUAL, false},
};

static krti_group_op translate_binary(const krti_fused_op *f)
{
    krti_group_op op = {.kind = KRTI_GROUP_OTHER};

    if (f->op == &krti_op_relu_grad)
        return (krti_group_op){.kind = f->a == 0 && isinf(f->c) ? KRTI_GROUP_BINARY
                                                                : KRTI_GROUP_RELU_GRAD,
                               .act = {KRTI_FN_NONE, (float)f->a, 0, (float)f->c},
                               .binary = KRTI_BIN_WHERE_ABOVE,
                               .in = {(short)f->in[0], (short)f->in[1], 0}};
    for (size_t i = 0; i < KRTI_COUNT(binaries); i++) {
        if (binaries[i].op != f->op)
            continue;
        op.kind = KRTI_GROUP_BINARY;
        op.binary = binaries[i].fn;
        op.in[0] = (short)f->in[binaries[i].is_swapped ? 1 : 0];
        op.in[1] = (short)f->in[binaries[i].is_swapped ? 0 : 1];
        return op;
    }
    op.in[0] = (short)f->in[0];
    op.in[1] = (short)f->in[1];
    return op;
}

static krti_group_op translate(const fused_state *st, const krti_fused_op *f)
{
    const krti_activation function = {f->op, f->a, f->b, f->c};
    krti_group_op op = {.kind = KRTI_GROUP_OTHER, .in = {(short)f->in[0], 0, 0}};

    if (f->op == &krti_op_where)
        return (krti_group_op){.kind = KRTI_GROUP_SELECT,
                               .in = {(short)f->in[0], (short)f->in[1], (short)f->in[2]}};
    if (f->op == &krti_op_cast || f->op == &krti_op_logical_not)
        return (krti_group_op){.kind = KRTI_GROUP_BINARY,
                               .binary =
                                   f->op == &krti_op_cast ? KRTI_BIN_NOT_EQUAL : KRTI_BIN_EQUAL,
                               .in = {(short)f->in[0], (short)st->zero, 0}};
    if (f->in[1] >= 0)
        return translate_binary(f);
    if (krti_native_act(function, &op.act))
        op.kind = KRTI_GROUP_FUNCTION;
    return op;
}

static int num_inputs(const krti_group_op *op, const krti_fused_op *source)
{
    if (op->kind == KRTI_GROUP_BINARY)
        return 2;
    return source->in[2] >= 0 ? 3 : source->in[1] >= 0 ? 2 : 1;
}

static bool is_nothing(const krti_fused_op *f)
{
    return (f->op == &krti_op_cast && !f->is_bool) || f->op == &krti_op_broadcast_to;
}

static void add_op(fused_state *st, const krti_fused *f, int number)
{
    const krti_fused_op *source = &f->ops[number];
    const int out = f->num_in + number;
    krti_group_op op = translate(st, source);
    value *v = &st->values[out];
    bool is_constant = true;

    st->same[out] = (short)out;
    *v = (value){PLACE_RESULT, NEVER, NEVER, st->num_main};
    op.out = (short)out;
    for (int i = 0; i < num_inputs(&op, source); i++) {
        op.in[i] = st->same[op.in[i]];
        is_constant = is_constant && st->values[op.in[i]].place == PLACE_CONSTANT;
    }
    if (is_nothing(source)) {
        st->same[out] = st->same[source->in[0]];
    } else if (is_constant) {
        v->place = PLACE_CONSTANT;
        v->block = st->num_constants++;
        st->first_source[st->num_first] = source;
        st->first[st->num_first++] = op;
    } else {
        for (int i = 0; i < num_inputs(&op, source); i++)
            st->values[op.in[i]].last_use = st->num_main;
        st->main_source[st->num_main] = source;
        st->main[st->num_main++] = op;
    }
}

static void add_input(fused_state *st, const krti_fused *f, const krti_node *n, int i)
{
    const krti_fused_input see = f->in[i];
    value *v = &st->values[i];

    st->same[i] = (short)i;
    *v = (value){PLACE_MEMORY, NEVER, NEVER, NEVER};
    if (see.period == 1 && f->size > 1)
        *v = (value){PLACE_CONSTANT, st->num_constants++, NEVER, NEVER};
    else if (see.repeat != 1 || see.period != f->size)
        *v = (value){PLACE_REPEAT, st->num_blocks++, NEVER, NEVER};
    else if (n->in[i]->dtype != KRT_FLOAT32)
        *v = (value){PLACE_CONVERT, st->num_blocks++, NEVER, NEVER};
}

/* Results share blocks: one is free again with its last use, which may write over it. */
static void place_results(fused_state *st)
{
    bool is_free[KRTI_FUSED_MAX_OPS] = {false};
    const int own = st->num_blocks;

    for (int i = 0; i < st->num_main; i++) {
        int b = own;

        for (int j = 0; j < st->num_values; j++)
            if (st->values[j].place == PLACE_RESULT && st->values[j].block >= own &&
                st->values[j].last_use == i)
                is_free[st->values[j].block - own] = true;
        while (b < st->num_blocks && !is_free[b - own])
            b++;
        st->num_blocks += b == st->num_blocks;
        is_free[b - own] = false;
        st->values[st->main[i].out].block = b;
    }
}

/* Blocks end where repeating inputs do, where that is soon enough. */
static size_t block_size(const krti_fused *f)
{
    size_t unit = 1;

    for (int i = 0; i < f->num_in; i++) {
        const int64_t own = f->in[i].repeat * f->in[i].period;
        int64_t a = own, b = (int64_t)unit;

        if (own == f->size || own > BLOCK)
            continue;
        while (b != 0) { /* the greatest common divisor */
            const int64_t rest = a % b;

            a = b;
            b = rest;
        }
        if ((int64_t)unit / a * own <= BLOCK)
            unit = unit / (size_t)a * (size_t)own;
    }
    return BLOCK / unit * unit;
}

static size_t scratch_floats(const fused_state *st)
{
    return (size_t)st->num_constants * COPIES + (size_t)st->num_blocks * BLOCK;
}

static bool supports(const krti_node *n, int threads)
{
    (void)n;
    (void)threads;
    return true;
}

static krt_status prepare(krti_build *b, krti_step *s)
{
    const krti_fused *f = s->node->attrs.fused;
    fused_state *st = krti_alloc(b->k, sizeof *st);

    if (st == NULL)
        return KRT_E_NOMEM;
    s->state = st;
    st->isa = krti_isa_get();
    st->block = block_size(f);
    st->zero = f->num_in + f->num_ops;
    st->num_values = st->zero + 1;
    st->same[st->zero] = (short)st->zero;
    st->values[st->zero] = (value){PLACE_CONSTANT, st->num_constants++, NEVER, NEVER};
    for (int i = 0; i < f->num_in; i++)
        add_input(st, f, s->node, i);
    for (int i = 0; i < f->num_ops; i++)
        add_op(st, f, i);
    for (int i = 0; i < f->num_out; i++)
        st->values[st->same[f->out[i]]].last_use = st->num_main;
    place_results(st);
    s->scratch_bytes = (size_t)b->threads * scratch_floats(st) * sizeof(float);
    return KRT_OK;
}

/* ------------------------------------------------------------------------------- running */

typedef struct run_of {
    const krti_step *s;
    const fused_state *st;
    const krti_fused *f;
    void *const *ptr;
    float *scratch; /* this thread's */
    bool is_direct[KRTI_MAX_OUT];
    krti_group_register registers[MAX_VALUES];
} run_of;

static void to_floats(float *y, const void *x, krt_dtype dtype, size_t n)
{
    const unsigned char *bytes = x;

    if (dtype == KRT_FLOAT32)
        memcpy(y, x, n * sizeof *y);
    else
        for (size_t i = 0; i < n; i++)
            y[i] = dtype == KRT_BOOL ? (float)(bytes[i] != 0) : (float)bytes[i];
}

static const char *input_at(const run_of *r, int i, size_t at)
{
    return (const char *)r->ptr[r->s->in[i]] + at * krt_dtype_size(r->s->node->in[i]->dtype);
}

/* Elements [from, from + n) of an input that repeats. */
static void spread(const run_of *r, int i, size_t from, size_t n, float *y)
{
    const size_t repeat = (size_t)r->f->in[i].repeat, period = (size_t)r->f->in[i].period;
    const krt_dtype dtype = r->s->node->in[i]->dtype;

    for (size_t done = 0; done < n;) {
        const size_t at = (from + done) / repeat % period, rest = n - done;

        if (repeat == 1) {
            const size_t m = krti_smaller_size(period - at, rest);

            to_floats(y + done, input_at(r, i, at), dtype, m);
            done += m;
            continue;
        }
        const size_t m = krti_smaller_size(repeat - (from + done) % repeat, rest);
        float one;
        to_floats(&one, input_at(r, i, at), dtype, 1);
        for (size_t j = 0; j < m; j++)
            y[done + j] = one;
        done += m;
    }
}

static float *block_of(const run_of *r, const value *v)
{
    float *blocks = r->scratch + (size_t)r->st->num_constants * COPIES;

    return v->place == PLACE_CONSTANT ? r->scratch + (size_t)v->block * COPIES
                                      : blocks + (size_t)v->block * BLOCK;
}

static void set_input(run_of *r, int i, size_t from, size_t n, bool is_first)
{
    const krti_fused_input see = r->f->in[i];
    const size_t unit = (size_t)(see.repeat * see.period);
    const value *v = &r->st->values[i];
    krti_group_register *reg = &r->registers[i];
    const krt_dtype dtype = r->s->node->in[i]->dtype;

    switch (v->place) {
    case PLACE_MEMORY:
        reg->at = (float *)r->ptr[r->s->in[i]] + from;
        break;
    case PLACE_CONVERT:
        to_floats(reg->at, input_at(r, i, from), dtype, n);
        break;
    case PLACE_REPEAT:
        if (see.repeat == 1 && dtype == KRT_FLOAT32 && from % unit + n <= unit) {
            reg->at = (float *)r->ptr[r->s->in[i]] + from % unit;
            break;
        }
        reg->at = block_of(r, v);
        if (is_first || r->st->block % unit != 0)
            spread(r, i, from, n, reg->at);
        break;
    default:
        break;
    }
}

/* By the reference rows, which know every function. */
static void run_other(const run_of *r, const krti_group_op *op, const krti_fused_op *f, size_t n)
{
    const krti_node node = {.op = f->op, .attrs = {.scalar = {f->a, f->b, f->c}}};
    const krt_shape whole = {.rank = 1, .dim = {(int64_t)n}}, one = {.rank = 1, .dim = {1}};
    float *y = r->registers[op->out].at;
    unsigned char *bits = (unsigned char *)y;
    krti_view in[3], out = {y, f->is_bool ? KRT_BOOL : KRT_FLOAT32, whole};

    for (int i = 0; i < 3 && f->in[i] >= 0; i++) {
        const krti_group_register *x = &r->registers[op->in[i]];

        in[i] = (krti_view){x->at, KRT_FLOAT32, x->step == 0 ? one : whole};
    }
    f->op->reference(&node, in, &out);
    for (size_t i = n; f->is_bool && i-- > 0;)
        y[i] = bits[i];
}

static void run_ops(const run_of *r, const krti_group_op *ops, const krti_fused_op *const *sources,
                    int num_ops, size_t n)
{
    for (int i = 0; i < num_ops;) {
        int end = i;

        while (end < num_ops && ops[end].kind != KRTI_GROUP_OTHER)
            end++;
        if (end > i)
            r->st->isa->group(ops + i, end - i, r->registers, n);
        if (end < num_ops)
            run_other(r, &ops[end], sources[end], n);
        i = end + 1;
    }
}

/* Constants are filled in and what is computed of them alone is. */
static void begin_run(run_of *r)
{
    const fused_state *st = r->st;

    for (int i = 0; i < st->num_values; i++)
        if (st->values[i].block != NEVER)
            r->registers[i] = (krti_group_register){block_of(r, &st->values[i]), 1};
        else
            r->registers[i].step = 1;
    memset(r->registers[st->zero].at, 0, COPIES * sizeof(float));
    for (int i = 0; i < r->f->num_in; i++)
        if (st->values[i].place == PLACE_CONSTANT) {
            float *y = r->registers[i].at;

            to_floats(y, input_at(r, i, 0), r->s->node->in[i]->dtype, 1);
            for (int j = 1; j < COPIES; j++)
                y[j] = y[0];
        }
    run_ops(r, st->first, st->first_source, st->num_first, COPIES);
    for (int i = 0; i < st->num_values; i++)
        if (st->values[i].place == PLACE_CONSTANT)
            r->registers[i].step = 0;
}

static void store(const run_of *r, int i, size_t from, size_t n)
{
    const krti_group_register *x = &r->registers[r->st->same[r->f->out[i]]];
    void *y = r->ptr[r->s->out[i]];

    if (r->is_direct[i])
        return;
    if (r->f->out_dtype[i] == KRT_FLOAT32 && x->step == 1) {
        memcpy((float *)y + from, x->at, n * sizeof(float));
    } else {
        for (size_t j = 0; j < n; j++)
            if (r->f->out_dtype[i] == KRT_BOOL)
                ((unsigned char *)y)[from + j] = x->at[j * x->step] != 0;
            else
                ((float *)y)[from + j] = x->at[j * x->step];
    }
}

static void run_range(run_of *r, size_t from, size_t to)
{
    const fused_state *st = r->st;
    const size_t begin = from;

    begin_run(r);
    for (; from < to; from += st->block) {
        const size_t n = krti_smaller_size(st->block, to - from);

        for (int i = 0; i < r->f->num_in; i++)
            set_input(r, i, from, n, from == begin);
        for (int i = 0; i < r->f->num_out; i++)
            if (r->is_direct[i])
                r->registers[st->same[r->f->out[i]]].at = (float *)r->ptr[r->s->out[i]] + from;
        run_ops(r, st->main, st->main_source, st->num_main, n);
        for (int i = 0; i < r->f->num_out; i++)
            store(r, i, from, n);
    }
}

/* A result may be written where it belongs at once unless an input that lies there too is read by a
 * later operation. */
static bool can_be_direct(const run_of *r, int out)
{
    const fused_state *st = r->st;
    const value *v = &st->values[st->same[r->f->out[out]]];

    if (v->place != PLACE_RESULT || r->f->out_dtype[out] != KRT_FLOAT32)
        return false;
    for (int i = 0; i < out; i++)
        if (st->same[r->f->out[i]] == st->same[r->f->out[out]])
            return false;
    for (int i = 0; i < r->f->num_in; i++)
        if (r->ptr[r->s->in[i]] == r->ptr[r->s->out[out]] && st->values[i].last_use > v->made)
            return false;
    return true;
}

typedef struct sharing {
    run_of all;
    void *scratch;
    size_t size, share; /* elements; those of a task */
} sharing;

static void run_task(void *arg, size_t task, size_t thread)
{
    const sharing *a = arg;
    const size_t from = task * a->share;
    run_of r = a->all;

    r.scratch = (float *)a->scratch + thread * scratch_floats(r.st);
    run_range(&r, from, krti_smaller_size(a->size, from + a->share));
}

static void run(const krti_step *s, void *const *ptr, void *scratch, void *run_state)
{
    const fused_state *st = s->state;
    const krti_fused *f = s->node->attrs.fused;
    const size_t size = (size_t)f->size, blocks = (size + st->block - 1) / st->block;
    const int threads = krti_share(s, (double)size * (double)(f->num_ops + f->num_in));
    const size_t tasks = threads > 1 ? (size_t)threads * 4 : 1;
    sharing a = {.all = {.s = s, .st = st, .f = f, .ptr = ptr}, .scratch = scratch, .size = size};

    (void)run_state;
    a.share = (blocks + tasks - 1) / tasks * st->block;
    for (int i = 0; i < f->num_out; i++)
        a.all.is_direct[i] = can_be_direct(&a.all, i);
    krti_share_tasks(threads, (size + a.share - 1) / a.share, run_task, &a);
}

/* Element for element: an input of its own for every element may be written over. */
static bool may_write_over(const krti_node *n, int out, int in)
{
    const krti_fused *f = n->attrs.fused;

    return n->in[in]->dtype == KRT_FLOAT32 && f->out_dtype[out] == KRT_FLOAT32 &&
           f->in[in].repeat == 1 && f->in[in].period == f->size;
}

const krti_kernel krti_native_fused = {
    .name = "native_fused",
    .op = &krti_op_fused,
    .may_write_over = may_write_over,
    .supports = supports,
    .prepare = prepare,
    .release = krti_native_release,
    .run = run,
};
