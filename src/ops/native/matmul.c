/* Products with our own loops: rows times a (k, n) matrix, which is Dense, or its transpose, which is
 * Dense's gradient for its input. A few rows read the weights where they lie; more rows want them
 * packed. A transposed first factor is Dense's gradient for its kernel: sums of outer products.
 * Batched products are left to oneDNN. */
#include "ops/native/native.h"

#include <limits.h>

enum { FEW_ROWS = 3 };

typedef struct matmul_state {
    krti_gemm_job g;
    const krti_isa *isa;
    krti_panels form;
    krti_packing weights;
    bool few;
} matmul_state;

static bool supports_matmul(const krti_node *n, int threads)
{
    krti_act act;

    (void)threads;
    return krti_all_float(n) && n->in[1]->shape.rank == 2 && !n->attrs.matmul.transpose_a &&
           krti_native_act(n->activation, &act);
}

static krt_status prepare_matmul(krti_build *b, krti_step *s)
{
    const krti_node *n = s->node;
    matmul_state *st = krti_alloc(b->k, sizeof *st);
    const bool is_transposed = n->attrs.matmul.transpose_b;

    if (st == NULL)
        return KRT_E_NOMEM;
    s->state = st;
    st->isa = krti_isa_get();
    st->g.k = (size_t)n->in[1]->shape.dim[is_transposed ? 1 : 0];
    st->g.n = (size_t)n->in[1]->shape.dim[is_transposed ? 0 : 1];
    st->g.m = krti_size(n->in[0]->shape) / st->g.k;
    st->g.lda = st->g.k;
    st->g.ldy = st->g.n;
    st->g.ldb = st->g.n;
    st->few = st->g.m <= FEW_ROWS && !is_transposed;
    (void)krti_native_act(n->activation, &st->g.act);
    if (st->few)
        return KRT_OK;
    st->form = krti_native_panels(st->g.k, st->g.n, st->isa);
    if (is_transposed) {
        st->form.row_step = 1;
        st->form.column_step = st->g.k;
    }
    return krti_native_pack_panels(b, s, 1, &st->form, &st->weights);
}

/* One task: columns [first, first + n) of rows [row, row + m). then: the first of the next task's. */
static void run_block(const matmul_state *st, const krti_gemm_job *all, size_t row, size_t m,
                      size_t first, size_t n, size_t then)
{
    krti_gemm_job g = *all;

    g.m = m;
    g.n = n;
    g.a += row * g.lda;
    g.y += row * g.ldy + first;
    if (g.bias != NULL)
        g.bias += first;
    if (g.residual != NULL)
        g.residual += row * g.ldy + first;
    g.ahead = then < all->n && !st->few ? g.b + then * g.k : NULL;
    g.b += st->few ? first : first * g.k;
    if (st->few)
        st->isa->gemv(&g);
    else
        st->isa->gemm(&g);
}

typedef struct matmul_run {
    const matmul_state *st;
    krti_gemm_job g;
    size_t rows, columns; /* a block's */
    size_t across;        /* blocks side by side */
} matmul_run;

static void matmul_task(void *arg, size_t task, size_t thread)
{
    const matmul_run *r = arg;
    const size_t row = task / r->across * r->rows, column = task % r->across * r->columns;

    (void)thread;
    run_block(r->st, &r->g, row, krti_smaller_size(r->rows, r->g.m - row), column,
              krti_smaller_size(r->columns, r->g.n - column), column + r->columns);
}

static void run_matmul(const krti_step *s, void *const *ptr, void *scratch, void *run_state)
{
    const matmul_state *st = s->state;
    const int threads = krti_share(s, 2.0 * (double)st->g.m * (double)st->g.n * (double)st->g.k);
    const size_t panel = (size_t)st->isa->panel, rows = (size_t)st->isa->rows;
    const size_t panels = (st->g.n + panel - 1) / panel;
    const size_t wanted = threads > 1 ? (st->few ? (size_t)threads : (size_t)threads * 4) : 1;
    const size_t column_tasks = krti_smaller_size(panels, wanted);
    const size_t columns = (panels + column_tasks - 1) / column_tasks * panel;
    const size_t row_wanted = (wanted + column_tasks - 1) / column_tasks;
    const size_t blocks = (st->g.m + rows - 1) / rows;
    const size_t row_tasks = krti_smaller_size(blocks, row_wanted);
    const size_t block_rows = (blocks + row_tasks - 1) / row_tasks * rows;
    const size_t across = (st->g.n + columns - 1) / columns;
    const size_t down = (st->g.m + block_rows - 1) / block_rows;
    matmul_run r = {st, st->g, block_rows, columns, across};

    (void)run_state;
    r.g.a = krti_input_ptr(s, ptr, 0);
    r.g.b = st->few ? krti_input_ptr(s, ptr, 1) : krti_native_packed(&st->weights, s, ptr, scratch);
    r.g.bias = krti_input_ptr(s, ptr, 2);
    r.g.residual = krti_input_ptr(s, ptr, 3);
    r.g.y = ptr[s->out[0]];
    krti_share_tasks(threads, down * across, matmul_task, &r);
}

const krti_kernel krti_native_matmul = {
    .name = "native_matmul",
    .op = &krti_op_matmul,
    .may_alias = 1u << 3,
    .supports = supports_matmul,
    .prepare = prepare_matmul,
    .release = krti_native_release,
    .run = run_matmul,
};

/* ------------------------------------------------------------------------------- outer products */

enum { ROW_UNIT = 48, SUM_BLOCK = 256 }; /* rows: of every tile's height a multiple */

typedef struct outer_state {
    const krti_isa *isa;
    size_t m, n, k, panels;
    size_t rows, row_tasks; /* rows of a task */
    krti_panels form;
    krti_packing factor; /* the second */
    krti_act act;
    int offsets[];
} outer_state;

static bool supports_outer(const krti_node *n, int threads)
{
    krti_act act;

    (void)threads;
    return krti_all_float(n) && n->in[0]->shape.rank == 2 && n->in[1]->shape.rank == 2 &&
           n->attrs.matmul.transpose_a && !n->attrs.matmul.transpose_b && !krti_has_input(n, 2) &&
           krti_size(n->in[0]->shape) < INT_MAX && krti_native_act(n->activation, &act);
}

static krt_status prepare_outer(krti_build *b, krti_step *s)
{
    const krti_node *n = s->node;
    const size_t m = (size_t)n->in[0]->shape.dim[1];
    outer_state *st = krti_alloc(b->k, sizeof *st + (m + KRTI_OUTER_SPARE) * sizeof st->offsets[0]);

    if (st == NULL)
        return KRT_E_NOMEM;
    s->state = st;
    st->isa = krti_isa_get();
    st->m = m;
    st->k = (size_t)n->in[0]->shape.dim[0];
    st->n = (size_t)n->in[1]->shape.dim[1];
    st->panels = (st->n + (size_t)st->isa->panel - 1) / (size_t)st->isa->panel;
    const size_t wanted = b->threads > 1 ? (size_t)b->threads * 4 / st->panels + 1 : 1;
    st->rows = ((m + wanted - 1) / wanted + ROW_UNIT - 1) / ROW_UNIT * ROW_UNIT;
    st->row_tasks = (m + st->rows - 1) / st->rows;
    for (size_t i = 0; i < m + KRTI_OUTER_SPARE; i++)
        st->offsets[i] = (int)krti_smaller_size(i, m - 1);
    (void)krti_native_act(n->activation, &st->act);
    st->form = krti_native_panels(st->k, st->n, st->isa);
    return krti_native_pack_panels(b, s, 1, &st->form, &st->factor);
}

typedef struct outer_run {
    const outer_state *st;
    const float *a, *b, *residual;
    float *y;
} outer_run;

static void outer_task(void *arg, size_t task, size_t thread)
{
    const outer_run *r = arg;
    const outer_state *st = r->st;
    const size_t row = task % st->row_tasks * st->rows, panel = (size_t)st->isa->panel;
    const size_t at = task / st->row_tasks * panel, vector = (size_t)st->isa->vector;
    const size_t columns = krti_smaller_size(st->n - at, panel);
    const size_t wide = (columns + vector - 1) / vector * vector;
    krti_outer_job g = {.x_pixel = st->m,
                        .ldb = wide,
                        .height = 1,
                        .offsets = st->offsets + row,
                        .num_rows = krti_smaller_size(st->rows, st->m - row),
                        .columns = columns,
                        .y = r->y + row * st->n + at,
                        .ldy = st->n,
                        .is_first = r->residual == NULL};

    (void)thread;
    for (size_t i = 0; r->residual != NULL && r->residual != r->y && i < g.num_rows; i++)
        memcpy(g.y + i * st->n, r->residual + (row + i) * st->n + at, columns * sizeof *g.y);
    for (size_t from = 0; from < st->k; from += SUM_BLOCK, g.is_first = false) {
        g.x = r->a + from * st->m;
        g.b = r->b + at * st->k + from * wide;
        g.width = (int)krti_smaller_size(SUM_BLOCK, st->k - from);
        st->isa->outer(&g);
    }
    for (size_t i = 0; st->act.fn != KRTI_FN_NONE && i < g.num_rows; i++)
        st->isa->activate(g.y + i * st->n, g.y + i * st->n, columns, st->act);
}

static void run_outer(const krti_step *s, void *const *ptr, void *scratch, void *run_state)
{
    const outer_state *st = s->state;
    const int threads = krti_share(s, 2.0 * (double)st->m * (double)st->n * (double)st->k);
    outer_run r = {st, krti_input_ptr(s, ptr, 0), krti_native_packed(&st->factor, s, ptr, scratch),
                   krti_input_ptr(s, ptr, 3), ptr[s->out[0]]};

    (void)run_state;
    krti_share_tasks(threads, st->row_tasks * st->panels, outer_task, &r);
}

const krti_kernel krti_native_matmul_outer = {
    .name = "native_matmul_outer",
    .op = &krti_op_matmul,
    .may_alias = 1u << 3,
    .supports = supports_outer,
    .prepare = prepare_outer,
    .release = krti_native_release,
    .run = run_outer,
};
