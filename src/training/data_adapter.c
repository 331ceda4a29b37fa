/* Batches from arrays. See data_adapter.h; sources are prefetch.c's. */
#include "training/data_adapter.h"

#include "base/rng.h"
#include "training/prefetch.h"

/* One array on its way: x, y or sample weights. */
typedef struct column {
    const krt_tensor *tensor;
    krt_dtype dtype; /* the batch's */
    krt_shape shape; /* of a batch, its first dimension the rows */
    size_t row_elements;
    bool is_direct; /* batches lie in the array as they are wanted */
    void *staging;
} column;

struct krti_feed {
    krt_ctx *k;
    struct krti_training *t;
    int64_t batch_size, first, rows, at;
    size_t num_x, num_y, num_weights;
    column *columns; /* x, then y, then weights */
    int64_t *order;
    bool is_shuffled, is_checked;
    const char *what;      /* "validation ", or nothing */
    float *class_weights;  /* one a row of the data; NULL: none */
    float *batch_weights;  /* those of a batch */
    krti_prefetch *source; /* instead of all the above */
    const void **data;
    krt_shape *shapes;
    const float **weights; /* one an output */
    krt_shape *weight_shapes;
    krti_step_data step;
};

void krti_permute(int64_t *order, int64_t n, int64_t batch, uint64_t seed, int64_t epoch)
{
    krti_rng r = krti_rng_seeded(seed);

    r.counter = (uint64_t)epoch << 40; /* a stretch of the stream for each epoch */
    for (int64_t i = 0; i < n; i++)
        order[i] = i;
    for (int64_t i = n - 1; i > 0; i--) { /* Fisher and Yates */
        const uint64_t draw = (uint64_t)krti_rng_u32(&r) << 32 | krti_rng_u32(&r);
        const int64_t first = i / batch * batch;
        const int64_t j = first + (int64_t)(draw % (uint64_t)(i - first + 1));
        const int64_t other = order[i];

        order[i] = order[j];
        order[j] = other;
    }
}

/* ------------------------------------------------------------------------------- checks */

/* Looks at the rows of this feed alone: those before and behind are another's, or nobody's. */
static krt_status check_finite(krti_feed *f, const column *c, const char *what, size_t i)
{
    const krt_tensor *x = c->tensor;
    const size_t first = (size_t)f->first * c->row_elements;
    const size_t end = first + (size_t)f->rows * c->row_elements;
    size_t at = end;

    if (!krti_tensor_is_aligned(x))
        return KRT_OK;
    if (x->dtype == KRT_FLOAT32) {
        const float *values = x->data;
        for (at = first; at < end && !isnan(values[at]); at++)
            ;
    } else if (x->dtype == KRT_FLOAT64) {
        const double *values = x->data;
        for (at = first; at < end && !isnan(values[at]); at++)
            ;
    }
    if (at == end)
        return KRT_OK;
    return krti_fail(f->k, KRT_E_INVALID, NULL,
                     "%s%s %zu holds NaN in row %zu; clean the data first", f->what, what, i,
                     at / c->row_elements);
}

static krt_status check_all_finite(krti_feed *f)
{
    const struct {
        const char *what;
        size_t n;
    } groups[] = {{"x", f->num_x}, {"y", f->num_y}, {"sample_weight", f->num_weights}};
    const column *c = f->columns;
    krt_status st = KRT_OK;

    for (size_t g = 0; g < KRTI_COUNT(groups); g++)
        for (size_t i = 0; st == KRT_OK && i < groups[g].n; i++, c++)
            st = check_finite(f, c, groups[g].what, i);
    return st;
}

static krt_status check_rows(krti_feed *f, const krt_tensor *x, const char *what, size_t i)
{
    const int64_t rows = x->shape.rank > 0 ? x->shape.dim[0] : -1;

    if (rows < 0)
        return krti_fail(f->k, KRT_E_INVALID, NULL, "%s%s %zu is a scalar, rows are wanted",
                         f->what, what, i);
    if (f->rows == KRT_NONE)
        f->rows = rows;
    if (rows != f->rows)
        return krti_fail(f->k, KRT_E_INVALID, NULL,
                         "Data cardinality is ambiguous. Make sure all arrays contain the same "
                         "number of samples: %s%s %zu has %lld rows, %sx 0 has %lld",
                         f->what, what, i, (long long)rows, f->what, (long long)f->rows);
    return KRT_OK;
}

/* An image may come without its only channel. */
static krt_status fit_input(krti_feed *f, column *c, size_t i)
{
    const krti_model_input *input = &f->t->m->inputs[i];
    const krt_shape wanted = input->shape;
    char a[160], b[160];
    bool fits = true;

    if (wanted.rank >= 2 && c->shape.rank == wanted.rank - 1 && wanted.dim[wanted.rank - 1] == 1)
        c->shape.dim[c->shape.rank++] = 1;
    fits = wanted.rank < 0 || c->shape.rank == wanted.rank;
    for (int d = 1; fits && d < wanted.rank; d++)
        fits = wanted.dim[d] == KRT_NONE || wanted.dim[d] == c->shape.dim[d];
    if (fits && krt_shape_size(c->shape) == 0 && f->rows > 0)
        return krti_fail(f->k, KRT_E_INVALID, input->name,
                         "%sx has shape %s: there is nothing in it to compute with", f->what,
                         krt_shape_print(c->tensor->shape, a, sizeof a));
    if (fits)
        return KRT_OK;
    return krti_fail(f->k, KRT_E_INVALID, input->name, "%sx has shape %s, the model wants %s",
                     f->what, krt_shape_print(c->tensor->shape, a, sizeof a),
                     krt_shape_print(wanted, b, sizeof b));
}

static krt_status check_counts(krti_feed *f, const krt_data *data, const krti_feed_args *args)
{
    const krt_model *m = f->t->m;

    if (args->batch_size < 1)
        return krti_fail(f->k, KRT_E_INVALID, NULL, "batch_size is %lld, expected 1 or more",
                         (long long)args->batch_size);
    if (data->num_x != m->num_inputs)
        return krti_fail(f->k, KRT_E_INVALID, NULL, "the model has %zu inputs, %zu x were given",
                         m->num_inputs, data->num_x);
    if (data->num_y == 0)
        return krti_fail(f->k, KRT_E_INVALID, NULL, "no y was given");
    if (data->num_weights > 1 && data->num_weights != m->num_outputs)
        return krti_fail(f->k, KRT_E_INVALID, NULL,
                         "%zu sample weights for %zu outputs; give one, or one an output",
                         data->num_weights, m->num_outputs);
    if (args->class_weight.n > 0 && data->num_weights > 0)
        return krti_fail(f->k, KRT_E_INVALID, NULL,
                         "You cannot `class_weight` and `sample_weight` at the same time");
    if (args->class_weight.n > 0 && data->num_y != 1)
        return krti_fail(f->k, KRT_E_INVALID, NULL,
                         "`class_weight` is only supported for Models with a single output");
    return KRT_OK;
}

/* The labels of one output, without a look at the staging, which may hold a batch. */
static krt_status check_labels_of(const krti_feed *f, const krti_trained_output *o)
{
    const column *const c = &f->columns[f->num_x + (size_t)o->target];
    const size_t size = krt_dtype_size(c->tensor->dtype);
    const size_t end = (size_t)(f->first + f->rows) * c->row_elements;
    float part[256];
    char of[32];
    krt_status st = KRT_OK;

    snprintf(of, sizeof of, "%sy %d", f->what, o->target);
    for (size_t at = (size_t)f->first * c->row_elements; st == KRT_OK && at < end;) {
        const size_t n = end - at < KRTI_COUNT(part) ? end - at : KRTI_COUNT(part);

        krti_convert(part, KRT_FLOAT32, (const char *)c->tensor->data + at * size, c->tensor->dtype,
                     n);
        st = krti_check_labels(f->t, o, &(krti_labels){part, n, at, c->row_elements, of});
        at += n;
    }
    return st;
}

krt_status krti_feed_check_labels(krti_feed *f)
{
    krt_status st = KRT_OK;

    if (f->source != NULL || f->is_checked || f->num_y != f->t->num_targets)
        return KRT_OK;
    f->is_checked = true;
    for (size_t i = 0; st == KRT_OK && i < f->t->num_outputs; i++)
        if (f->t->outputs[i].has_loss && f->t->outputs[i].num_classes > 0)
            st = check_labels_of(f, &f->t->outputs[i]);
    return st;
}

/* ------------------------------------------------------------------------------- class weights */

static double class_of_row(const float *row, size_t n)
{
    size_t best = 0;

    for (size_t i = 1; i < n; i++)
        if (row[i] > row[best])
            best = i;
    return n > 1 ? (double)best : (double)row[0];
}

/* One-hot rows count as the class that is hot. */
static krt_status weigh_classes(krti_feed *f, krt_numbers weights)
{
    const column *y = &f->columns[f->num_x];
    const size_t n = y->row_elements;
    float *row = krti_array(f->k, n + 1, sizeof *row);
    krt_status st = KRT_OK;

    f->class_weights = krti_array(f->k, (size_t)f->rows + 1, sizeof *f->class_weights);
    f->batch_weights = krti_array(f->k, (size_t)f->rows + 1, sizeof *f->batch_weights);
    if (row == NULL || f->class_weights == NULL || f->batch_weights == NULL)
        TRY(KRT_E_NOMEM);
    for (int64_t i = 0; i < f->rows; i++) {
        const size_t size = krt_dtype_size(y->tensor->dtype);

        krti_convert(row, KRT_FLOAT32, (const char *)y->tensor->data + (size_t)i * n * size,
                     y->tensor->dtype, n);
        const double label = class_of_row(row, n);
        f->class_weights[i] =
            label >= 0 && label < (double)weights.n ? (float)weights.items[(size_t)label] : 1;
    }

done:
    krti_free(f->k, row);
    return st;
}

/* ------------------------------------------------------------------------------- making */

static krt_status add_column(krti_feed *f, column *c, const krt_tensor *x, krt_dtype dtype,
                             const char *what, size_t i)
{
    const krt_status st = check_rows(f, x, what, i);

    if (st != KRT_OK)
        return st;
    c->tensor = x;
    c->dtype = dtype;
    c->shape = x->shape;
    c->row_elements = f->rows > 0 ? (size_t)(krt_shape_size(x->shape) / f->rows) : 0;
    return KRT_OK;
}

static krt_status add_columns(krti_feed *f, const krt_data *data)
{
    column *c = f->columns;
    krt_status st = KRT_OK;

    for (size_t i = 0; i < f->num_x; i++, c++) {
        if (data->x[i] == NULL)
            TRY(krti_fail(f->k, KRT_E_INVALID, NULL, "x %zu is NULL", i));
        TRY(add_column(f, c, data->x[i], f->t->m->inputs[i].dtype, "x", i));
        TRY(fit_input(f, c, i));
    }
    for (size_t i = 0; i < f->num_y; i++, c++) {
        if (data->y[i] == NULL)
            TRY(krti_fail(f->k, KRT_E_INVALID, NULL, "y %zu is NULL", i));
        TRY(add_column(f, c, data->y[i], KRT_FLOAT32, "y", i));
    }
    for (size_t i = 0; i < f->num_weights; i++, c++)
        TRY(add_column(f, c, data->sample_weight[i], KRT_FLOAT32, "sample_weight", i));

done:
    return st;
}

static krt_status take_part(krti_feed *f, const krti_feed_args *args)
{
    f->first = args->first;
    if (args->rows != KRT_NONE)
        f->rows = args->rows;
    else
        f->rows -= args->first;
    if (f->rows < 1)
        return krti_fail(f->k, KRT_E_INVALID, NULL, "the %sdata has no rows; give at least one",
                         f->what);
    if (f->batch_size > f->rows)
        f->batch_size = f->rows;
    return KRT_OK;
}

static krt_status make_staging(krti_feed *f)
{
    const size_t n = f->num_x + f->num_y + f->num_weights;

    for (size_t i = 0; i < n; i++) {
        column *c = &f->columns[i];
        size_t elements = 0, bytes = 0;

        c->is_direct = c->tensor->dtype == c->dtype && krti_tensor_is_aligned(c->tensor);
        if (!krti_mul_size((size_t)f->batch_size, c->row_elements, &elements) ||
            !krti_mul_size(elements, krt_dtype_size(c->dtype), &bytes))
            return krti_fail(f->k, KRT_E_INVALID, NULL, "a batch is too large");
        c->staging = krti_alloc(f->k, bytes);
        if (c->staging == NULL)
            return KRT_E_NOMEM;
    }
    return KRT_OK;
}

static krt_status feed_arrays(krti_feed *f, const krt_data *data, const krti_feed_args *args)
{
    const size_t outputs = f->t->m->num_outputs;
    const size_t n = data->num_x + data->num_y + data->num_weights;
    krt_status st = check_counts(f, data, args);

    if (st != KRT_OK)
        return st;
    f->num_x = data->num_x;
    f->num_y = data->num_y;
    f->num_weights = data->num_weights;
    f->batch_size = args->batch_size;
    f->rows = KRT_NONE;
    f->columns = krti_array(f->k, n + 1, sizeof *f->columns);
    f->data = krti_array(f->k, n + 1, sizeof *f->data);
    f->shapes = krti_array(f->k, n + 1, sizeof *f->shapes);
    f->weights = krti_array(f->k, outputs + 1, sizeof *f->weights);
    f->weight_shapes = krti_array(f->k, outputs + 1, sizeof *f->weight_shapes);
    if (f->columns == NULL || f->data == NULL || f->shapes == NULL || f->weights == NULL ||
        f->weight_shapes == NULL)
        TRY(KRT_E_NOMEM);
    TRY(add_columns(f, data));
    if (args->class_weight.n > 0)
        TRY(weigh_classes(f, args->class_weight));
    TRY(take_part(f, args));
    TRY(check_all_finite(f));
    TRY(make_staging(f));
    f->order = krti_array(f->k, (size_t)f->rows, sizeof *f->order);
    if (f->order == NULL)
        TRY(KRT_E_NOMEM);

done:
    return st;
}

krt_status krti_feed_new(struct krti_training *t, krti_feed **out, const krt_data *data,
                         const krti_feed_args *args)
{
    krti_feed *f = krti_alloc(t->k, sizeof *f);
    krt_status st = KRT_OK;

    *out = NULL;
    if (f == NULL)
        return KRT_E_NOMEM;
    f->k = t->k;
    f->t = t;
    f->what = args->what != NULL ? args->what : "";
    if (data->source != NULL)
        st = krti_prefetch_new(t, &f->source, data->source);
    else
        st = feed_arrays(f, data, args);
    if (st != KRT_OK) {
        krti_feed_free(f);
        return st;
    }
    *out = f;
    return KRT_OK;
}

void krti_feed_free(krti_feed *f)
{
    if (f == NULL)
        return;
    for (size_t i = 0; f->columns != NULL && i < f->num_x + f->num_y + f->num_weights; i++)
        krti_free(f->k, f->columns[i].staging);
    krti_prefetch_free(f->source);
    krti_free(f->k, f->columns);
    krti_free(f->k, f->order);
    krti_free(f->k, f->class_weights);
    krti_free(f->k, f->batch_weights);
    krti_free(f->k, (void *)f->data);
    krti_free(f->k, f->shapes);
    krti_free(f->k, (void *)f->weights);
    krti_free(f->k, f->weight_shapes);
    krti_free(f->k, f);
}

int64_t krti_feed_rows(const krti_feed *f)
{
    return f->source != NULL ? KRT_NONE : f->rows;
}

int64_t krti_feed_steps(const krti_feed *f)
{
    return f->source != NULL ? krti_prefetch_steps(f->source)
                             : (f->rows + f->batch_size - 1) / f->batch_size;
}

/* ------------------------------------------------------------------------------- batches */

krt_status krti_feed_begin(krti_feed *f, krti_shuffle shuffle, uint64_t seed, int64_t epoch)
{
    if (f->source != NULL)
        return krti_prefetch_begin(f->source);
    f->at = 0;
    f->is_shuffled = shuffle != KRTI_IN_ORDER;
    if (f->is_shuffled)
        krti_permute(f->order, f->rows, shuffle == KRTI_SHUFFLED ? f->rows : f->batch_size, seed,
                     epoch);
    return KRT_OK;
}

static int64_t row_at(const krti_feed *f, int64_t i)
{
    return f->first + (f->is_shuffled ? f->order[i] : i);
}

static const void *gather(const krti_feed *f, const column *c, int64_t n)
{
    const size_t from = krt_dtype_size(c->tensor->dtype) * c->row_elements;
    const size_t to = krt_dtype_size(c->dtype) * c->row_elements;
    const char *const src = c->tensor->data;

    if (c->is_direct && !f->is_shuffled)
        return src + (size_t)(f->first + f->at) * from;
    if (!f->is_shuffled) {
        krti_convert(c->staging, c->dtype, src + (size_t)(f->first + f->at) * from,
                     c->tensor->dtype, (size_t)n * c->row_elements);
        return c->staging;
    }
    for (int64_t i = 0; i < n; i++)
        krti_convert((char *)c->staging + (size_t)i * to, c->dtype,
                     src + (size_t)row_at(f, f->at + i) * from, c->tensor->dtype, c->row_elements);
    return c->staging;
}

static void bind_weights(krti_feed *f, int64_t n)
{
    const column *c = f->columns + f->num_x + f->num_y;

    f->step.weights = f->num_weights > 0 || f->class_weights != NULL ? f->weights : NULL;
    f->step.weight_shapes = f->weight_shapes;
    for (size_t i = 0; i < f->t->m->num_outputs && f->num_weights > 0; i++) {
        const column *own = &c[f->num_weights > 1 ? i : 0];

        f->weights[i] = i == 0 || f->num_weights > 1 ? gather(f, own, n) : f->weights[0];
        f->weight_shapes[i] = own->shape;
        f->weight_shapes[i].dim[0] = n;
    }
    if (f->class_weights == NULL)
        return;
    for (int64_t i = 0; i < n; i++)
        f->batch_weights[i] = f->class_weights[row_at(f, f->at + i)];
    f->weights[0] = f->batch_weights;
    f->weight_shapes[0] = (krt_shape){1, {n}};
}

krt_status krti_feed_next(krti_feed *f, const krti_step_data **out)
{
    const int64_t left = f->rows - f->at, n = left < f->batch_size ? left : f->batch_size;

    *out = NULL;
    if (f->source != NULL)
        return krti_prefetch_next(f->source, out);
    if (n <= 0)
        return KRT_OK;
    for (size_t i = 0; i < f->num_x + f->num_y; i++) {
        f->data[i] = gather(f, &f->columns[i], n);
        f->shapes[i] = f->columns[i].shape;
        f->shapes[i].dim[0] = n;
    }
    bind_weights(f, n);
    f->step.x = f->data;
    f->step.x_shapes = f->shapes;
    f->step.y = (const float *const *)(const void *)(f->data + f->num_x);
    f->step.y_shapes = f->shapes + f->num_x;
    f->step.num_y = f->num_y;
    f->step.rows = n;
    f->at += n;
    *out = &f->step;
    return KRT_OK;
}
