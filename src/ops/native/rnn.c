/* Recurrent cells over time: each step is the product of the states with the recurrent kernel, added to the
 * projected inputs where the gates lie, and one pass over the elements (rnn.inc). The samples of a
 * batch are shared out; each thread takes its samples through all steps, so nobody waits for anybody.
 * Up to FEW samples read the weights where they lie. Keras: backend/.../rnn.py. */
#include "ops/native/native.h"

enum { FEW = 3, ALIGN_FLOATS = 16 };

/* A part of the recurrent kernel, packed: all of it, or the gates that are multiplied together. */
typedef struct part {
    size_t first; /* its first column in the kernel */
    size_t columns;
    krti_panels form;
    krti_packing packing;
} part;

typedef struct rnn_state {
    const krti_isa *isa;
    krti_rnn_cell cell;
    krti_act act, gate;
    size_t batch, steps, units, width; /* width: of all gates */
    size_t tasks, rows;                /* rows: samples of a task */
    bool few;
    int num_parts;
    part parts[2];
    size_t packed_bytes, own_floats; /* scratch: of all parts; a task's */
} rnn_state;

static size_t round_up(size_t n)
{
    return (n + ALIGN_FLOATS - 1) / ALIGN_FLOATS * ALIGN_FLOATS;
}

static krti_act act_of(krti_rnn_fn f)
{
    static const krti_act acts[] = {
        [KRTI_RNN_LINEAR] = {.fn = KRTI_FN_NONE},
        [KRTI_RNN_RELU] = {.fn = KRTI_FN_RELU, .c = INFINITY},
        [KRTI_RNN_SIGMOID] = {.fn = KRTI_FN_SIGMOID},
        [KRTI_RNN_TANH] = {.fn = KRTI_FN_TANH},
        [KRTI_RNN_HARD_SIGMOID] = {.fn = KRTI_FN_HARD_SIGMOID},
        [KRTI_RNN_HARD_SIGMOID_V2] = {.fn = KRTI_FN_HARD_SIGMOID_V2},
    };

    return acts[f];
}

static bool is_gru(krti_rnn_cell cell)
{
    return cell == KRTI_RNN_GRU || cell == KRTI_RNN_GRU_BEFORE;
}

/* ------------------------------------------------------------------------------- preparing */

static bool supports(const krti_node *n, int threads)
{
    (void)threads;
    return n->out[0].dtype == KRT_FLOAT32 && krt_shape_size(n->out[0].shape) > 0;
}

/* The kernel's parts, or their transposes. */
static void cut_parts(rnn_state *st, bool transposed)
{
    st->num_parts = is_gru(st->cell) ? 2 : 1;
    for (int i = 0; i < st->num_parts; i++) {
        part *p = &st->parts[i];

        p->first = i == 0 ? 0 : 2 * st->units;
        p->columns = !is_gru(st->cell) ? st->width : i == 0 ? 2 * st->units : st->units;
        p->form = transposed ? krti_native_panels(p->columns, st->units, st->isa)
                             : krti_native_panels(st->units, p->columns, st->isa);
        p->form.row_step = transposed ? 1 : st->width;
        p->form.column_step = transposed ? st->width : 1;
        p->form.taps = &p->first;
    }
}

static rnn_state *state_new(krti_build *b, krti_step *s, krt_shape y, bool transposed)
{
    rnn_state *st = krti_alloc(b->k, sizeof *st);

    s->state = st;
    if (st == NULL)
        return NULL;
    st->isa = krti_isa_get();
    st->cell = s->node->attrs.rnn.kind.cell;
    st->act = act_of(s->node->attrs.rnn.kind.activation);
    st->gate = act_of(s->node->attrs.rnn.kind.recurrent);
    st->batch = (size_t)y.dim[0];
    st->steps = (size_t)y.dim[1];
    st->units = (size_t)y.dim[2];
    st->width = st->units * (size_t)krti_rnn_gates(st->cell);
    const size_t threads = (size_t)krti_share(s, krti_node_flops(s->node));
    st->rows = (st->batch + threads - 1) / threads;
    st->tasks = (st->batch + st->rows - 1) / st->rows;
    cut_parts(st, transposed);
    return st;
}

/* Behind each other in scratch when the kernel changes. */
static krt_status pack_parts(krti_build *b, krti_step *s, rnn_state *st, int input)
{
    krt_status status = KRT_OK;

    for (int i = 0; status == KRT_OK && i < st->num_parts; i++) {
        part *p = &st->parts[i];

        status = krti_native_pack_panels(b, s, input, &p->form, &p->packing);
        st->packed_bytes += p->packing.scratch_bytes;
    }
    return status;
}

/* A task has a row of zeros and room for a product of its samples. */
static void plan_scratch(krti_step *s, rnn_state *st)
{
    st->own_floats = round_up(st->units) * (1 + st->rows);
    s->scratch_bytes += st->tasks * st->own_floats * sizeof(float);
}

static krt_status prepare_rnn(krti_build *b, krti_step *s)
{
    rnn_state *st = state_new(b, s, s->node->out[0].shape, false);
    krt_status status = st != NULL ? KRT_OK : KRT_E_NOMEM;

    if (status != KRT_OK)
        return status;
    st->few = st->batch <= FEW;
    if (!st->few)
        status = pack_parts(b, s, st, KRTI_RNN_KERNEL);
    plan_scratch(s, st);
    return status;
}

static krt_status prepare_rnn_grad(krti_build *b, krti_step *s)
{
    rnn_state *st = state_new(b, s, s->node->in[KRTI_RNN_GRAD_Y]->shape, true);
    const krt_status status = st != NULL ? pack_parts(b, s, st, KRTI_RNN_GRAD_KERNEL) : KRT_E_NOMEM;

    if (status == KRT_OK)
        plan_scratch(s, st);
    return status;
}

/* ------------------------------------------------------------------------------- running */

typedef struct rnn_run {
    const rnn_state *st;
    const float *weights[2]; /* packed; few: the kernel itself */
    const float *x, *bias, *h, *c, *dy, *dc;
    const uint8_t *mask;
    float *y, *gates, *kept, *dx, *last_dh, *last_dc;
    char *scratch; /* behind what is packed */
} rnn_run;

/* Rows of one step: the first one's address and the distance to the next sample's. */
typedef struct rows {
    const float *at;
    size_t step;
} rows;

typedef struct task {
    const rnn_run *r;
    size_t first, n; /* samples */
    float *zeros, *own;
} task;

static task task_of(const rnn_run *r, size_t i)
{
    const rnn_state *st = r->st;
    float *own = (float *)(void *)r->scratch + i * st->own_floats;
    const size_t first = i * st->rows;
    task t = {r, first, krti_smaller_size(st->rows, st->batch - first), own,
              own + round_up(st->units)};

    memset(t.zeros, 0, st->units * sizeof *t.zeros);
    return t;
}

/* Where the samples' rows of a step lie in an array over time. */
static size_t place(const task *t, size_t step, size_t width)
{
    return (t->first * t->r->st->steps + step) * width;
}

/* The states before a step. */
static rows before(const task *t, size_t step, const float *all, const float *first)
{
    const rnn_state *st = t->r->st;

    if (step > 0 && all != NULL)
        return (rows){all + place(t, step - 1, st->units), st->steps * st->units};
    return first != NULL ? (rows){first + t->first * st->units, st->units} : (rows){t->zeros, 0};
}

/* y = a times a part of the kernel + bias + residual; y and the residual are `ldy` apart. */
static void multiply(const task *t, int which, rows a, float *y, size_t ldy, const float *residual,
                     const float *bias, krti_act act)
{
    const rnn_state *st = t->r->st;
    const part *p = &st->parts[which];
    const krti_gemm_job g = {.a = a.at,
                             .b = t->r->weights[which],
                             .y = y,
                             .m = t->n,
                             .n = p->form.n,
                             .k = p->form.inner,
                             .lda = a.step,
                             .ldy = ldy,
                             .ldb = st->width,
                             .bias = bias,
                             .residual = residual,
                             .act = act};

    if (st->few)
        st->isa->gemv(&g);
    else
        st->isa->gemm(&g);
}

static bool is_masked(const task *t, size_t step, size_t i)
{
    const rnn_state *st = t->r->st;

    return t->r->mask != NULL && t->r->mask[(t->first + i) * st->steps + step] == 0;
}

static float *moved(float *p, size_t by)
{
    return p != NULL ? p + by : NULL;
}

/* One pass over a step's samples that count. */
static void pass_rows(const task *t, size_t step, krti_rnn_pass pass, rows h, rows c)
{
    const rnn_run *r = t->r;
    const rnn_state *st = r->st;
    const size_t at = place(t, step, st->units), wide = place(t, step, st->width);

    for (size_t i = 0; i < t->n; i++) {
        const size_t y = at + i * st->steps * st->units, x = wide + i * st->steps * st->width;
        const krti_rnn_row row = {.pass = pass,
                                  .act = st->act,
                                  .gate = st->gate,
                                  .n = st->units,
                                  .h = h.at + i * h.step,
                                  .c = c.at + i * c.step,
                                  .y = r->y + y,
                                  .gates = moved(r->gates, x),
                                  .kept = moved(r->kept, y),
                                  .other = t->own + i * st->units,
                                  .dx = moved(r->dx, x),
                                  .dh = moved(r->last_dh, (t->first + i) * st->units),
                                  .dc = moved(r->last_dc, (t->first + i) * st->units)};

        if (!is_masked(t, step, i))
            st->isa->rnn_row(&row);
    }
}

/* ------------------------------------------------------------------------------- forward */

/* Where a sample is masked its states stay. */
static void keep_masked(const task *t, size_t step, rows h, rows c)
{
    const rnn_run *r = t->r;
    const rnn_state *st = r->st;
    const size_t at = place(t, step, st->units), bytes = st->units * sizeof(float);

    for (size_t i = 0; i < t->n; i++) {
        const size_t y = at + i * st->steps * st->units;

        if (!is_masked(t, step, i))
            continue;
        memcpy(r->y + y, h.at + i * h.step, bytes);
        if (st->cell == KRTI_RNN_LSTM)
            memcpy(r->kept + y, c.at + i * c.step, bytes);
    }
}

/* The last gate's part of the inputs goes where the gate will be. */
static void copy_last(const task *t, const float *x, float *gates)
{
    const rnn_state *st = t->r->st;

    for (size_t i = 0; x != gates && i < t->n; i++)
        memcpy(gates + i * st->steps * st->width, x + i * st->steps * st->width,
               st->units * sizeof *x);
}

static void step_forward(const task *t, size_t step)
{
    static const krti_act none = {.fn = KRTI_FN_NONE};
    const rnn_run *r = t->r;
    const rnn_state *st = r->st;
    const size_t units = st->units, wide = place(t, step, st->width), ld = st->steps * st->width;
    const rows h = before(t, step, r->y, r->h), c = before(t, step, r->kept, r->c);
    const float *const x = r->x + wide, *const last_bias =
                                            r->bias != NULL ? r->bias + 2 * units : NULL;
    float *const gates = moved(r->gates, wide), *const kept = moved(r->kept, place(t, step, units));

    if (st->cell == KRTI_RNN_SIMPLE) {
        multiply(t, 0, h, r->y + wide, ld, x, r->bias, st->act);
    } else if (st->cell == KRTI_RNN_LSTM) {
        multiply(t, 0, h, gates, ld, x, r->bias, none);
        pass_rows(t, step, KRTI_RNN_ROW_LSTM, h, c);
    } else {
        multiply(t, 0, h, gates, ld, x, r->bias, none);
        if (st->cell == KRTI_RNN_GRU) {
            multiply(t, 1, h, kept, st->steps * units, NULL, last_bias, none);
            copy_last(t, x + 2 * units, gates + 2 * units);
            pass_rows(t, step, KRTI_RNN_ROW_GRU, h, c);
        } else {
            pass_rows(t, step, KRTI_RNN_ROW_RESET, h, c);
            multiply(t, 1, (rows){t->own, units}, gates + 2 * units, ld, x + 2 * units, last_bias,
                     none);
            pass_rows(t, step, KRTI_RNN_ROW_GRU_END, h, c);
        }
    }
    if (r->mask != NULL)
        keep_masked(t, step, h, c);
}

static void forward_task(void *arg, size_t i, size_t thread)
{
    const task t = task_of(arg, i);

    (void)thread;
    for (size_t step = 0; step < t.r->st->steps; step++)
        step_forward(&t, step);
}

static void find_weights(rnn_run *r, const krti_step *s, void *const *ptr, int input, char *scratch)
{
    const rnn_state *st = r->st;

    r->scratch = scratch + st->packed_bytes;
    for (int i = 0; i < st->num_parts; i++) {
        const part *p = &st->parts[i];

        if (st->few) {
            r->weights[i] = krti_input_ptr(s, ptr, input) + p->first;
            continue;
        }
        r->weights[i] = krti_native_packed(&p->packing, s, ptr, scratch);
        scratch += p->packing.scratch_bytes;
    }
}

static const uint8_t *mask_ptr(const krti_step *s, void *const *ptr, int i)
{
    return s->in[i] >= 0 ? ptr[s->in[i]] : NULL;
}

static void run_rnn(const krti_step *s, void *const *ptr, void *scratch, void *run_state)
{
    const rnn_state *st = s->state;
    rnn_run r = {.st = st,
                 .x = krti_input_ptr(s, ptr, KRTI_RNN_X),
                 .bias = krti_input_ptr(s, ptr, KRTI_RNN_BIAS),
                 .h = krti_input_ptr(s, ptr, KRTI_RNN_H),
                 .c = krti_input_ptr(s, ptr, KRTI_RNN_C),
                 .mask = mask_ptr(s, ptr, KRTI_RNN_MASK),
                 .y = ptr[s->out[0]],
                 .gates = s->num_out > 1 ? ptr[s->out[1]] : NULL,
                 .kept = s->num_out > 2 ? ptr[s->out[2]] : NULL};

    (void)run_state;
    find_weights(&r, s, ptr, KRTI_RNN_KERNEL, scratch);
    krti_share_tasks((int)st->tasks, st->tasks, forward_task, &r);
}

/* The gates lie over their inputs; a simple cell's are its results. */
static bool rnn_writes_over(const krti_node *n, int out, int in)
{
    return in == KRTI_RNN_X && out == (n->num_out > 1 ? 1 : 0);
}

const krti_kernel krti_native_rnn = {.name = "native_rnn",
                                     .op = &krti_op_rnn,
                                     .may_write_over = rnn_writes_over,
                                     .supports = supports,
                                     .prepare = prepare_rnn,
                                     .release = krti_native_release,
                                     .run = run_rnn};

/* ------------------------------------------------------------------------------- backward */

/* What flows in from outside. */
static void add_outer(const task *t, size_t step, const float *d, float *to)
{
    const rnn_state *st = t->r->st;

    for (size_t i = 0; d != NULL && i < t->n; i++)
        st->isa->binary(to + i * st->units, to + i * st->units, 1,
                        d + place(t, step, st->units) + i * st->steps * st->units, 1, st->units,
                        KRTI_BIN_ADD);
}

static void clear_masked(const task *t, size_t step)
{
    const rnn_state *st = t->r->st;

    for (size_t i = 0; i < t->n; i++) {
        if (!is_masked(t, step, i))
            continue;
        memset(t->r->dx + place(t, step, st->width) + i * st->steps * st->width, 0,
               st->width * sizeof(float));
        memset(t->own + i * st->units, 0, st->units * sizeof(float));
    }
}

static void step_back(const task *t, size_t step, float *dh)
{
    static const krti_act none = {.fn = KRTI_FN_NONE};
    const rnn_run *r = t->r;
    const rnn_state *st = r->st;
    const size_t units = st->units;
    const rows h = before(t, step, r->y, r->h), c = before(t, step, r->kept, r->c);
    const rows dx = {r->dx + place(t, step, st->width), st->steps * st->width};
    const rows own = {t->own, units};

    if (r->mask != NULL)
        clear_masked(t, step);
    if (!is_gru(st->cell)) {
        pass_rows(t, step,
                  st->cell == KRTI_RNN_LSTM ? KRTI_RNN_ROW_LSTM_BACK : KRTI_RNN_ROW_SIMPLE_BACK, h,
                  c);
    } else {
        pass_rows(t, step, KRTI_RNN_ROW_GRU_BACK, h, c);
        if (st->cell == KRTI_RNN_GRU) {
            multiply(t, 1, own, dh, units, dh, NULL, none);
        } else {
            multiply(t, 1, (rows){dx.at + 2 * units, dx.step}, t->own, units, NULL, NULL, none);
            pass_rows(t, step, KRTI_RNN_ROW_RESET_BACK, h, c);
        }
    }
    multiply(t, 0, dx, dh, units, dh, NULL, none);
}

static void backward_task(void *arg, size_t i, size_t thread)
{
    const task t = task_of(arg, i);
    const rnn_run *r = t.r;
    const size_t at = t.first * r->st->units, bytes = t.n * r->st->units * sizeof(float);

    (void)thread;
    memset(r->last_dh + at, 0, bytes);
    if (r->last_dc != NULL)
        memset(r->last_dc + at, 0, bytes);
    for (size_t step = r->st->steps; step-- > 0;) {
        add_outer(&t, step, r->dy, r->last_dh + at);
        add_outer(&t, step, r->dc, moved(r->last_dc, at));
        step_back(&t, step, r->last_dh + at);
    }
}

static void run_rnn_grad(const krti_step *s, void *const *ptr, void *scratch, void *run_state)
{
    const rnn_state *st = s->state;
    rnn_run r = {.st = st,
                 .h = krti_input_ptr(s, ptr, KRTI_RNN_GRAD_H),
                 .c = krti_input_ptr(s, ptr, KRTI_RNN_GRAD_C),
                 .dy = krti_input_ptr(s, ptr, KRTI_RNN_GRAD_DY),
                 .dc = krti_input_ptr(s, ptr, KRTI_RNN_GRAD_DC),
                 .mask = mask_ptr(s, ptr, KRTI_RNN_GRAD_MASK),
                 .y = ptr[s->in[KRTI_RNN_GRAD_Y]],
                 .gates = s->in[KRTI_RNN_GRAD_GATES] >= 0 ? ptr[s->in[KRTI_RNN_GRAD_GATES]] : NULL,
                 .kept = s->in[KRTI_RNN_GRAD_KEPT] >= 0 ? ptr[s->in[KRTI_RNN_GRAD_KEPT]] : NULL,
                 .dx = ptr[s->out[0]],
                 .last_dh = ptr[s->out[1]],
                 .last_dc = s->num_out > 2 ? ptr[s->out[2]] : NULL};

    (void)run_state;
    find_weights(&r, s, ptr, KRTI_RNN_GRAD_KERNEL, scratch);
    krti_share_tasks((int)st->tasks, st->tasks, backward_task, &r);
}

/* A gate's gradient lies over the gate. */
static bool grad_writes_over(const krti_node *n, int out, int in)
{
    return out == 0 && in == (n->attrs.rnn.kind.cell == KRTI_RNN_SIMPLE ? -1 : KRTI_RNN_GRAD_GATES);
}

const krti_kernel krti_native_rnn_grad = {.name = "native_rnn_grad",
                                          .op = &krti_op_rnn_grad,
                                          .may_write_over = grad_writes_over,
                                          .supports = supports,
                                          .prepare = prepare_rnn_grad,
                                          .release = krti_native_release,
                                          .run = run_rnn_grad};
