/* Sums over the batch for BatchNormalization in training: mean and variance by channel, and for the
 * gradient the sums of dy and of dy (x - mean).
 *
 * Rows are shared out in fixed parts; a part goes by blocks that stay in the second-level cache, each
 * with sums in float around the block's own mean, joined in double as Chan, Golub and LeVeque do
 * it. So the array is read from memory once, no digits are lost to a large mean, and a run gives the
 * same bits again whatever the threads did. */
#include "ops/native/native.h"

enum { BLOCK_FLOATS = 16384 };

typedef struct norm_state {
    const krti_isa *isa;
    size_t columns, rows, block; /* rows of a block */
    size_t parts, part;          /* rows of a part */
    size_t part_bytes;           /* scratch: sums in double, then of a block in float */
} norm_state;

static bool supports(const krti_node *n, int threads)
{
    (void)threads;
    return krti_all_float(n) && n->out[0].shape.dim[0] <= 65536;
}

static krt_status prepare(krti_build *b, krti_step *s)
{
    const size_t size = krti_size(s->node->in[0]->shape);
    norm_state *st = krti_alloc(b->k, sizeof *st);

    if (st == NULL)
        return KRT_E_NOMEM;
    s->state = st;
    st->isa = krti_isa_get();
    st->columns = krti_size(s->node->out[0].shape);
    st->rows = size / st->columns;
    st->block = st->columns < BLOCK_FLOATS ? BLOCK_FLOATS / st->columns : 1;
    const size_t blocks = (st->rows + st->block - 1) / st->block;
    const size_t wanted = b->threads > 1 ? (size_t)b->threads * 4 : 1;
    st->part = (blocks + wanted - 1) / wanted * st->block;
    st->parts = (st->rows + st->part - 1) / st->part;
    st->part_bytes = st->columns * (2 * sizeof(double) + 3 * sizeof(float)) + 64;
    st->part_bytes = (st->part_bytes + 63) / 64 * 64;
    s->scratch_bytes = st->parts * st->part_bytes;
    return KRT_OK;
}

typedef struct norm_run {
    const norm_state *st;
    const float *dy, *x, *mean;
    char *scratch;
} norm_run;

/* A part's or block's rows and what was summed over them. */
typedef struct sums {
    double *first, *second; /* mean and squares around it, or the two sums */
    float *sum, *moment, *middle;
} sums;

static sums sums_of(const norm_state *st, char *scratch, size_t part)
{
    double *first = (double *)(void *)(scratch + part * st->part_bytes);
    float *block = (float *)(void *)(first + 2 * st->columns);

    return (sums){first, first + st->columns, block, block + st->columns, block + 2 * st->columns};
}

/* Adds `count` rows with this mean and these squares around it to `seen` rows. */
static void join_moments(const sums *a, size_t columns, double seen, double count,
                         const double *mean, const double *squares)
{
    const double share = count / (seen + count);

    for (size_t j = 0; j < columns; j++) {
        const double off = mean[j] - a->first[j];

        a->first[j] += off * share;
        a->second[j] += squares[j] + off * off * seen * share;
    }
}

/* The same for a block: sums around a middle near the mean. */
static void join_block(const sums *a, size_t columns, double seen, double count)
{
    const double share = count / (seen + count);

    for (size_t j = 0; j < columns; j++) {
        const double rest = (double)a->sum[j] / count; /* of the mean beyond the middle */
        const double off = (double)a->middle[j] + rest - a->first[j];

        a->first[j] += off * share;
        a->second[j] += (double)a->moment[j] - rest * rest * count + off * off * seen * share;
    }
}

static void moments_task(void *arg, size_t task, size_t thread)
{
    const norm_run *r = arg;
    const norm_state *st = r->st;
    const sums a = sums_of(st, r->scratch, task);
    const size_t from = task * st->part, end = krti_smaller_size(from + st->part, st->rows);

    (void)thread;
    memset(a.first, 0, 2 * st->columns * sizeof *a.first);
    for (size_t row = from; row < end; row += st->block) {
        const size_t n = krti_smaller_size(st->block, end - row);
        const float *x = r->x + row * st->columns;
        const krti_act over = {KRTI_FN_AFFINE, 1.0f / (float)n, 0, 0};

        st->isa->sum_rows(a.middle, x, n, st->columns);
        st->isa->activate(a.middle, a.middle, st->columns, over);
        st->isa->norm_sums(a.sum, a.moment, NULL, x, a.middle, n, st->columns);
        join_block(&a, st->columns, (double)(row - from), (double)n);
    }
}

static void run_moments(const krti_step *s, void *const *ptr, void *scratch, void *run_state)
{
    const norm_state *st = s->state;
    norm_run r = {.st = st, .x = krti_input_ptr(s, ptr, 0), .scratch = scratch};
    const sums all = sums_of(st, scratch, 0);
    float *mean = ptr[s->out[0]], *variance = ptr[s->out[1]];

    (void)run_state;
    krti_share_tasks(krti_share(s, krti_node_flops(s->node)), st->parts, moments_task, &r);
    for (size_t i = 1; i < st->parts; i++) {
        const sums a = sums_of(st, scratch, i);
        const size_t seen = i * st->part, n = krti_smaller_size(st->part, st->rows - seen);

        join_moments(&all, st->columns, (double)seen, (double)n, a.first, a.second);
    }
    for (size_t j = 0; j < st->columns; j++) {
        mean[j] = (float)all.first[j];
        variance[j] = (float)(all.second[j] / (double)st->rows);
    }
}

static void sums_task(void *arg, size_t task, size_t thread)
{
    const norm_run *r = arg;
    const norm_state *st = r->st;
    const sums a = sums_of(st, r->scratch, task);
    const size_t from = task * st->part, end = krti_smaller_size(from + st->part, st->rows);

    (void)thread;
    memset(a.first, 0, 2 * st->columns * sizeof *a.first);
    for (size_t row = from; row < end; row += st->block) {
        const size_t n = krti_smaller_size(st->block, end - row), at = row * st->columns;

        st->isa->norm_sums(a.sum, a.moment, r->dy + at, r->x + at, r->mean, n, st->columns);
        for (size_t j = 0; j < st->columns; j++) {
            a.first[j] += (double)a.sum[j];
            a.second[j] += (double)a.moment[j];
        }
    }
}

static void run_sums(const krti_step *s, void *const *ptr, void *scratch, void *run_state)
{
    const norm_state *st = s->state;
    norm_run r = {st, krti_input_ptr(s, ptr, 0), krti_input_ptr(s, ptr, 1),
                  krti_input_ptr(s, ptr, 2), scratch};
    const sums all = sums_of(st, scratch, 0);
    float *sum = ptr[s->out[0]], *moment = ptr[s->out[1]];

    (void)run_state;
    krti_share_tasks(krti_share(s, krti_node_flops(s->node)), st->parts, sums_task, &r);
    for (size_t i = 1; i < st->parts; i++) {
        const sums a = sums_of(st, scratch, i);

        for (size_t j = 0; j < 2 * st->columns; j++)
            all.first[j] += a.first[j];
    }
    for (size_t j = 0; j < st->columns; j++) {
        sum[j] = (float)all.first[j];
        moment[j] = (float)all.second[j];
    }
}

const krti_kernel krti_native_moments = {.name = "native_moments",
                                         .op = &krti_op_moments,
                                         .supports = supports,
                                         .prepare = prepare,
                                         .release = krti_native_release,
                                         .run = run_moments};
const krti_kernel krti_native_norm_sums = {.name = "native_norm_sums",
                                           .op = &krti_op_norm_sums,
                                           .supports = supports,
                                           .prepare = prepare,
                                           .release = krti_native_release,
                                           .run = run_sums};
