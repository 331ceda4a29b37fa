/* Products with our own loops: a matrix of rows times a known (k, n) matrix, which is Dense. A few
 * rows read the weights where they lie; more rows want them packed. Batched products of two runtime
 * operands are left to oneDNN. */
#include "ops/native/native.h"

enum { FEW_ROWS = 3 };

typedef struct matmul_state {
    krti_gemm_job g;
    const krti_isa *isa;
    bool few;
} matmul_state;

static bool supports_matmul(const krti_node *n, int threads)
{
    krti_act act;

    (void)threads;
    return krti_all_float(n) && n->in[1]->node->is_static && n->in[1]->shape.rank == 2 &&
           !n->attrs.matmul.transpose_a && !n->attrs.matmul.transpose_b &&
           krti_native_act(n->activation, &act);
}

static krt_status prepare_matmul(krti_build *b, krti_step *s)
{
    const krti_node *n = s->node;
    matmul_state *st = krti_alloc(b->k, sizeof *st);
    const void *packed = NULL;

    if (st == NULL)
        return KRT_E_NOMEM;
    s->state = st;
    st->isa = krti_isa_get();
    st->g.k = (size_t)n->in[1]->shape.dim[0];
    st->g.n = (size_t)n->in[1]->shape.dim[1];
    st->g.m = krti_size(n->in[0]->shape) / st->g.k;
    st->g.lda = st->g.k;
    st->g.ldy = st->g.n;
    st->g.ldb = st->g.n;
    st->few = st->g.m <= FEW_ROWS;
    (void)krti_native_act(n->activation, &st->g.act);
    if (st->few)
        return KRT_OK;
    const krt_status status = krti_native_pack(b, s, st->g.k, st->g.n, st->isa, &packed);
    st->g.b = packed;
    return status;
}

/* One task: columns [first, first + n) of rows [row, row + m). */
static void run_block(const matmul_state *st, const krti_gemm_job *all, size_t row, size_t m,
                      size_t first, size_t n)
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
              krti_smaller_size(r->columns, r->g.n - column));
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

    (void)scratch;
    (void)run_state;
    r.g.a = krti_input_ptr(s, ptr, 0);
    if (st->few)
        r.g.b = krti_input_ptr(s, ptr, 1);
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
