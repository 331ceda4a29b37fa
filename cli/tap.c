/* The output of an inner layer, batch by batch, through the library's run object: krt_predict()
 * knows the model's own outputs only. */
#include "predict.h"

#include <stdlib.h>
#include <string.h>

/* One input made ready: in the model's dtype, with the channel axis it may lack. */
typedef struct feed {
    krt_tensor *cast;
    krt_shape shape;
    size_t row_bytes;
} feed;

static krt_status make_feed(const krt_model *m, size_t i, const krt_tensor *x, feed *f)
{
    const krt_shape wanted = krt_model_input_shape(m, i);
    const krt_dtype dtype = krt_model_input_dtype(m, i);
    const krt_status st = krt_tensor_cast(x, &f->cast, dtype);

    if (st != KRT_OK)
        return st;
    f->shape = krt_tensor_shape(x);
    if (f->shape.rank == wanted.rank - 1 && wanted.dim[wanted.rank - 1] == 1)
        f->shape.dim[f->shape.rank++] = 1;
    f->row_bytes = krt_dtype_size(dtype);
    for (int axis = 1; axis < f->shape.rank; axis++)
        f->row_bytes *= (size_t)f->shape.dim[axis];
    return KRT_OK;
}

/* Makes room for all samples, once the first batch has shown the outputs' shapes. */
static krt_status make_outputs(krt_ctx *k, const krt_run *r, int64_t samples, outputs *y)
{
    krt_status st = KRT_OK;

    y->n = krt_run_num_outputs(r);
    y->items = calloc(y->n > 0 ? y->n : 1, sizeof(krt_tensor *));
    if (y->items == NULL) {
        y->n = 0;
        return KRT_E_NOMEM;
    }
    for (size_t i = 0; st == KRT_OK && i < y->n; i++) {
        krt_shape shape = krt_run_output_shape(r, i);

        if (shape.rank > 0)
            shape.dim[0] = samples;
        st = krt_tensor_new(k, &y->items[i], krt_run_output_dtype(r, i), shape);
    }
    return st;
}

/* Copies a batch of `rows` results behind the `from` samples before it. False when the layer's
 * first axis is not the batch. */
static bool keep_batch(const krt_run *r, int64_t from, int64_t rows, outputs *y)
{
    for (size_t i = 0; i < y->n; i++) {
        const krt_shape shape = krt_run_output_shape(r, i);
        const size_t bytes =
            (size_t)krt_shape_size(shape) * krt_dtype_size(krt_run_output_dtype(r, i));
        char *to = krt_tensor_data_mut(y->items[i]);

        if (shape.rank < 1 || shape.dim[0] != rows)
            return false;
        memcpy(to + bytes / (size_t)rows * (size_t)from, krt_run_output(r, i), bytes);
    }
    return true;
}

static int run_batches(cli *c, krt_run *r, feed *feeds, size_t n, long long batch_size, outputs *y)
{
    const char *const file = c->arguments[0];
    const int64_t samples = n > 0 && feeds[0].shape.rank > 0 ? feeds[0].shape.dim[0] : 0;
    const void **data = calloc(n > 0 ? n : 1, sizeof *data);
    krt_shape *shapes = calloc(n > 0 ? n : 1, sizeof *shapes);
    int status = data != NULL && shapes != NULL ? CLI_DONE : fail_says(NULL, "out of memory");

    if (status == CLI_DONE && samples < 1)
        status = fail_says(file, "the input holds no samples");
    for (int64_t from = 0; status == CLI_DONE && from < samples; from += batch_size) {
        const int64_t rows = samples - from < batch_size ? samples - from : batch_size;

        for (size_t i = 0; i < n; i++) {
            data[i] =
                (const char *)krt_tensor_data(feeds[i].cast) + feeds[i].row_bytes * (size_t)from;
            shapes[i] = feeds[i].shape;
            shapes[i].dim[0] = rows;
        }
        if (krt_run_call(r, data, shapes, n) != KRT_OK)
            status = fail_with(krt_run_error(r), file);
        else if (from == 0 && make_outputs(c->k, r, samples, y) != KRT_OK)
            status = fail(c, file);
        else if (!keep_batch(r, from, rows, y))
            status = fail_says(file, "the layer's result has no batch axis");
    }
    free(data);
    free(shapes);
    return status;
}

int tap_layer(cli *c, krt_model *m, const char *layer, krt_tensor *const *x, long long batch_size,
              outputs *y)
{
    const size_t n = krt_model_num_inputs(m);
    feed *feeds = calloc(n > 0 ? n : 1, sizeof *feeds);
    krt_run *r = NULL;
    int status = feeds != NULL ? CLI_DONE : fail_says(NULL, "out of memory");

    for (size_t i = 0; status == CLI_DONE && i < n; i++) {
        if (make_feed(m, i, x[i], &feeds[i]) != KRT_OK)
            status = fail(c, c->arguments[0]);
        else if (feeds[i].shape.rank < 1 || feeds[i].shape.dim[0] != feeds[0].shape.dim[0])
            status = fail_says(c->arguments[0], "the inputs differ in their number of samples");
    }
    if (status == CLI_DONE && krt_run_new(m, &r, KRT_RUN(.layer = layer)) != KRT_OK)
        status = fail(c, c->arguments[0]);
    if (status == CLI_DONE)
        status = run_batches(c, r, feeds, n, batch_size, y);
    krt_run_free(r);
    for (size_t i = 0; feeds != NULL && i < n; i++)
        krt_tensor_free(feeds[i].cast);
    free(feeds);
    return status;
}
