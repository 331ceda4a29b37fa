/* Moving bytes: concatenation, constant padding, repetition and transposition of four-byte elements. */
#include "ops/native/native.h"

static bool supports_four_bytes(const krti_node *n, int threads)
{
    (void)threads;
    for (int i = 0; i < n->num_in; i++)
        if (n->in[i] == NULL || krt_dtype_size(n->in[i]->dtype) != 4 ||
            n->in[i]->dtype != n->out[0].dtype)
            return false;
    return krti_size(n->out[0].shape) > 0;
}

/* ------------------------------------------------------------------------------- concatenation */

/* Rows copied between places of other widths. */
typedef struct concat_run {
    const char *x;
    char *y;
    size_t bytes, row; /* of the input's row and the output's */
} concat_run;

static void concat_task(void *arg, size_t r, size_t thread)
{
    const concat_run *a = arg;

    (void)thread;
    memcpy(a->y + r * a->row, a->x + r * a->bytes, a->bytes);
}

static void run_concat(const krti_step *s, void *const *ptr, void *scratch, void *run_state)
{
    const krti_node *n = s->node;
    const krt_shape y = n->out[0].shape;
    size_t outer = 1, inner = 4, offset = 0;

    (void)scratch;
    (void)run_state;
    for (int i = 0; i < y.rank; i++) {
        if (i < n->attrs.axis.axis)
            outer *= (size_t)y.dim[i];
        else if (i > n->attrs.axis.axis)
            inner *= (size_t)y.dim[i];
    }
    const size_t row = (size_t)y.dim[n->attrs.axis.axis] * inner;
    const int threads = krti_share(s, (double)krti_size(y));
    for (int i = 0; i < n->num_in; i++) {
        const size_t bytes = (size_t)n->in[i]->shape.dim[n->attrs.axis.axis] * inner;
        concat_run a = {ptr[s->in[i]], (char *)ptr[s->out[0]] + offset, bytes, row};

        krti_share_tasks(threads, outer, concat_task, &a);
        offset += bytes;
    }
}

const krti_kernel krti_native_concat = {.name = "native_concat",
                                        .op = &krti_op_concat,
                                        .supports = supports_four_bytes,
                                        .run = run_concat};

/* ------------------------------------------------------------------------------- padding */

static bool supports_pad(const krti_node *n, int threads)
{
    const krt_shape x = n->in[0]->shape;

    (void)threads;
    for (int i = 0; i < x.rank; i++)
        if (n->attrs.pad.before[i] < 0 || n->attrs.pad.after[i] < 0)
            return false;
    return krti_all_float(n) && n->attrs.pad.mode == KRTI_PAD_CONSTANT && x.rank >= 1;
}

/* The row of the input that stands at this row of the output, or -1 when that is padding. */
static int64_t source_row(const krti_node *n, int64_t row)
{
    const krt_shape x = n->in[0]->shape, y = n->out[0].shape;
    int64_t source = 0, step = 1;

    for (int i = y.rank - 1; i-- > 0;) {
        const int64_t at = row % y.dim[i] - n->attrs.pad.before[i];

        if (at < 0 || at >= x.dim[i])
            return -1;
        source += at * step;
        step *= x.dim[i];
        row /= y.dim[i];
    }
    return source;
}

typedef struct pad_run {
    const krti_node *n;
    const float *from;
    float *to, value;
    size_t in_row, out_row, before;
} pad_run;

static void pad_task(void *arg, size_t r, size_t thread)
{
    const pad_run *a = arg;
    const int64_t source = source_row(a->n, (int64_t)r);
    float *row = a->to + r * a->out_row;

    (void)thread;
    if (source < 0 || a->in_row != a->out_row)
        for (size_t i = 0; i < a->out_row; i++)
            row[i] = a->value;
    if (source >= 0)
        memcpy(row + a->before, a->from + (size_t)source * a->in_row, a->in_row * sizeof *row);
}

static void run_pad(const krti_step *s, void *const *ptr, void *scratch, void *run_state)
{
    const krti_node *n = s->node;
    const krt_shape x = n->in[0]->shape, y = n->out[0].shape;
    pad_run r = {.n = n,
                 .from = ptr[s->in[0]],
                 .to = ptr[s->out[0]],
                 .value = (float)n->attrs.pad.value,
                 .in_row = (size_t)x.dim[x.rank - 1],
                 .out_row = (size_t)y.dim[y.rank - 1],
                 .before = (size_t)n->attrs.pad.before[x.rank - 1]};

    (void)scratch;
    (void)run_state;
    krti_share_tasks(krti_share(s, (double)krti_size(y)), krti_size(y) / r.out_row, pad_task, &r);
}

const krti_kernel krti_native_pad = {
    .name = "native_pad", .op = &krti_op_pad, .supports = supports_pad, .run = run_pad};

/* ------------------------------------------------------------------------------- repetition */

typedef struct repeat_run {
    const char *x;
    char *y;
    size_t bytes, times; /* of what lies behind the axis */
} repeat_run;

static void repeat_task(void *arg, size_t i, size_t thread)
{
    const repeat_run *a = arg;
    char *y = a->y + i * a->times * a->bytes;

    (void)thread;
    for (size_t t = 0; t < a->times; t++, y += a->bytes)
        memcpy(y, a->x + i * a->bytes, a->bytes);
}

static void run_repeat(const krti_step *s, void *const *ptr, void *scratch, void *run_state)
{
    const krti_node *n = s->node;
    const krt_shape x = n->in[0]->shape;
    repeat_run a = {ptr[s->in[0]], ptr[s->out[0]], 4, (size_t)n->attrs.repeat.times};

    (void)scratch;
    (void)run_state;
    for (int i = n->attrs.repeat.axis + 1; i < x.rank; i++)
        a.bytes *= (size_t)x.dim[i];
    krti_share_tasks(krti_share(s, (double)krti_size(n->out[0].shape)), krti_size(x) * 4 / a.bytes,
                     repeat_task, &a);
}

const krti_kernel krti_native_repeat = {.name = "native_repeat",
                                        .op = &krti_op_repeat,
                                        .supports = supports_four_bytes,
                                        .run = run_repeat};

/* ------------------------------------------------------------------------------- transposition */

/* Axes that stay neighbours are merged; what remains is walked by output rows. The innermost two
 * loops go in blocks of 16 by 16, so that both sides touch whole cache lines. */
typedef struct transposition {
    int rank;
    size_t dim[KRT_MAX_RANK];  /* of the output */
    size_t from[KRT_MAX_RANK]; /* input stride of each output axis */
} transposition;

static transposition describe(const krti_node *n)
{
    const krt_shape x = n->in[0]->shape, y = n->out[0].shape;
    size_t strides[KRT_MAX_RANK], step = 1;
    transposition t = {.rank = 0};

    for (int i = x.rank; i-- > 0;) {
        strides[i] = step;
        step *= (size_t)x.dim[i];
    }
    for (int i = 0; i < y.rank; i++) {
        const size_t dim = (size_t)y.dim[i], from = strides[n->attrs.transpose.perm[i]];

        if (dim == 1)
            continue;
        if (t.rank > 0 && t.from[t.rank - 1] == from * dim) {
            t.dim[t.rank - 1] *= dim;
            t.from[t.rank - 1] = from;
        } else {
            t.dim[t.rank] = dim;
            t.from[t.rank++] = from;
        }
    }
    if (t.rank == 0)
        t = (transposition){1, {1}, {1}};
    return t;
}

static size_t offset_of(const transposition *t, int axes, size_t i)
{
    size_t offset = 0;

    for (int d = axes; d-- > 0;) {
        offset += i % t->dim[d] * t->from[d];
        i /= t->dim[d];
    }
    return offset;
}

static void transpose_plane(const transposition *t, uint32_t *y, const uint32_t *x)
{
    const size_t rows = t->dim[t->rank - 2], columns = t->dim[t->rank - 1];
    const size_t by_row = t->from[t->rank - 2], by_column = t->from[t->rank - 1];

    for (size_t i = 0; i < rows; i += 16)
        for (size_t j = 0; j < columns; j += 16)
            for (size_t r = i; r < rows && r < i + 16; r++)
                for (size_t c = j; c < columns && c < j + 16; c++)
                    y[r * columns + c] = x[r * by_row + c * by_column];
}

typedef struct transpose_run {
    transposition t;
    const uint32_t *x;
    uint32_t *y;
    size_t plane; /* elements a task */
    int inner;    /* axes a task */
} transpose_run;

static void transpose_task(void *arg, size_t i, size_t thread)
{
    const transpose_run *r = arg;
    const transposition *t = &r->t;
    const uint32_t *from = r->x + offset_of(t, t->rank - r->inner, i);
    uint32_t *y = r->y + i * r->plane;

    (void)thread;
    if (r->inner == 2)
        transpose_plane(t, y, from);
    else if (t->from[t->rank - 1] == 1)
        memcpy(y, from, r->plane * sizeof *y);
    else
        for (size_t j = 0; j < r->plane; j++)
            y[j] = from[j * t->from[t->rank - 1]];
}

static void run_transpose(const krti_step *s, void *const *ptr, void *scratch, void *run_state)
{
    transpose_run r = {.t = describe(s->node), .x = ptr[s->in[0]], .y = ptr[s->out[0]]};
    const size_t size = krti_size(s->node->out[0].shape);
    const int last = r.t.rank - 1;

    (void)scratch;
    (void)run_state;
    r.inner = last >= 1 && r.t.from[last] != 1 ? 2 : 1;
    r.plane = r.inner == 2 ? r.t.dim[last] * r.t.dim[last - 1] : r.t.dim[last];
    krti_share_tasks(krti_share(s, 4.0 * (double)size), size / r.plane, transpose_task, &r);
}

const krti_kernel krti_native_transpose = {.name = "native_transpose",
                                           .op = &krti_op_transpose,
                                           .supports = supports_four_bytes,
                                           .run = run_transpose};
