/* adapt(): hands data, batch by batch, to a layer that learns from them before training. What is learned
 * and how is the layer's own, a hook of its class. Keras: the adapt() of layers/preprocessing/. */
#include "models/model.h"
#include <keratin/train.h>

typedef struct batches {
    krti_adapt_data base;
    krt_ctx *k;
    const krt_tensor *rows; /* NULL: the source */
    krt_source source;
    int64_t batch_size, steps, at, done;
    krt_tensor *batch; /* a view of the rows or of what the source gave */
} batches;

static krt_status wrap_rows(batches *b)
{
    const krt_tensor *x = b->rows;
    const int64_t all = x->shape.dim[0], left = all - b->at;
    const int64_t n = left < b->batch_size ? left : b->batch_size;
    const size_t row = all > 0 ? x->size_bytes / (size_t)all : 0;
    krt_shape shape = x->shape;

    if (n <= 0)
        return KRT_OK;
    shape.dim[0] = n;
    const void *from = (const char *)x->data + (size_t)b->at * row;
    b->at += n;
    return krt_tensor_wrap(b->k, &b->batch, x->dtype, shape, from);
}

static krt_status pull(batches *b)
{
    krt_batch given = {.num_x = 0};
    bool is_end = false;
    const krt_status st = b->source.next(b->source.user, &given, &is_end);

    if (st != KRT_OK)
        return krti_fail(b->k, st, NULL, "the source of batches failed");
    if (is_end)
        return KRT_OK;
    if (given.num_x == 0 || given.x[0].data == NULL || krt_shape_size(given.x[0].shape) < 1)
        return krti_fail(b->k, KRT_E_INVALID, NULL, "a batch of the source has no x");
    return krt_tensor_wrap(b->k, &b->batch, given.x[0].dtype, given.x[0].shape, given.x[0].data);
}

static krt_status next(krti_adapt_data *d, const krt_tensor **out)
{
    batches *b = (batches *)d;
    krt_status st = KRT_OK;

    krt_tensor_free(b->batch);
    b->batch = NULL;
    if (b->steps == KRT_NONE || b->done < b->steps)
        st = b->rows != NULL ? wrap_rows(b) : pull(b);
    b->done++;
    *out = b->batch;
    return st;
}

static krt_status check(const krt_layer *l, const batches *b)
{
    if (krti_class_hooks(l->cls)->adapt == NULL)
        return krti_layer_fail(l, KRT_E_UNSUPPORTED,
                               "a %s has nothing to learn from data; adapt() is for Normalization, "
                               "Discretization, lookups and TextVectorization",
                               l->class_name);
    if ((b->rows == NULL) == (b->source.next == NULL))
        return krti_layer_fail(l, KRT_E_INVALID, "adapt() takes an array or a source of batches");
    if (b->rows != NULL && b->rows->shape.rank < 1)
        return krti_layer_fail(l, KRT_E_INVALID, "adapt() was given a scalar, rows are wanted");
    if (!b->base.is_whole && b->rows != NULL && b->batch_size < 1)
        return krti_layer_fail(l, KRT_E_INVALID, "batch_size is %lld, expected 1 or more",
                               (long long)b->batch_size);
    return KRT_OK;
}

krt_status krt_adapt(krt_layer *l, const krt_tensor *data, const krt_adapt_args *args)
{
    krt_ctx *k = l->owned.k;
    krt_adapt_args a;
    batches b = {.base = {.next = next}, .k = k, .rows = data};
    krt_status st = krti_args_import(k, &a, KRT_ADAPT(), sizeof a, args);

    TRY(st);
    if (a.source != NULL)
        TRY(krti_args_import(k, &b.source, KRT_SOURCE(NULL), sizeof b.source, a.source));
    b.base.is_whole = data != NULL && a.batch_size == KRT_NONE;
    b.batch_size = b.base.is_whole && data->shape.rank > 0 ? data->shape.dim[0] : a.batch_size;
    b.steps = a.steps;
    TRY(check(l, &b));
    TRY(krti_class_hooks(l->cls)->adapt(l, &b.base));
    st = krti_models_forget_plans(k);

done:
    krt_tensor_free(b.batch);
    return st;
}
