/* predict() with callbacks: batch by batch what krt_predict_n() does at once. Keras:
 * trainers/trainer.py predict(). */
#include "training/callback.h"

typedef struct predicting {
    krt_model *m;
    krt_ctx *k;
    const krt_data *data;
    krti_callbacks callbacks;
    int64_t rows, batch_size;
    krt_tensor **out, **parts; /* results, whole and of a batch; then the batch's inputs */
    size_t num_out;
} predicting;

static krt_status check(const predicting *p)
{
    if (p->data->source != NULL)
        return krti_fail(p->k, KRT_E_UNSUPPORTED, NULL,
                         "a source of batches cannot be predicted on; give arrays");
    if (p->data->num_x == 0 || p->data->num_x != p->m->num_inputs)
        return krti_fail(p->k, KRT_E_INVALID, NULL, "the model has %zu inputs, %zu x were given",
                         p->m->num_inputs, p->data->num_x);
    if (p->batch_size < 1)
        return krti_fail(p->k, KRT_E_INVALID, NULL, "batch_size is %lld, expected 1 or more",
                         (long long)p->batch_size);
    for (size_t i = 0; i < p->data->num_x; i++)
        if (p->data->x[i] == NULL || p->data->x[i]->shape.rank < 1 ||
            p->data->x[i]->shape.dim[0] != p->data->x[0]->shape.dim[0])
            return krti_fail(p->k, KRT_E_INVALID, NULL,
                             "Data cardinality is ambiguous. Make sure all arrays contain the same "
                             "number of samples: x %zu differs from x 0",
                             i);
    return KRT_OK;
}

static krt_status wrap_rows(predicting *p, int64_t at, int64_t n)
{
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < p->data->num_x; i++) {
        const krt_tensor *x = p->data->x[i];
        const size_t row = x->shape.dim[0] > 0 ? x->size_bytes / (size_t)x->shape.dim[0] : 0;
        krt_shape shape = x->shape;

        shape.dim[0] = n;
        st = krt_tensor_wrap(p->k, &p->parts[p->num_out + i], x->dtype, shape,
                             (const char *)x->data + (size_t)at * row);
    }
    return st;
}

static void drop_parts(predicting *p)
{
    for (size_t i = 0; i < p->num_out + p->data->num_x; i++) {
        krt_tensor_free(p->parts[i]);
        p->parts[i] = NULL;
    }
}

/* What a batch gave, to its place in the whole. */
static krt_status keep(predicting *p, int64_t at, int64_t n)
{
    krt_status st = KRT_OK;

    for (size_t i = 0; i < p->num_out; i++) {
        const krt_tensor *part = p->parts[i];
        krt_shape whole = part->shape;

        if (whole.rank < 1 || whole.dim[0] != n)
            TRY(krti_fail(p->k, KRT_E_UNSUPPORTED, NULL,
                          "output %zu has no row for each sample; krt_predict_n() takes it", i));
        whole.dim[0] = p->rows;
        if (p->out[i] == NULL)
            TRY(krt_tensor_new(p->k, &p->out[i], part->dtype, whole));
        memcpy((char *)p->out[i]->data + part->size_bytes / (size_t)n * (size_t)at, part->data,
               part->size_bytes);
    }

done:
    return st;
}

static krt_status predict_batch(predicting *p, int64_t batch)
{
    const int64_t at = batch * p->batch_size, left = p->rows - at;
    const int64_t n = left < p->batch_size ? left : p->batch_size;
    krt_status st = KRT_OK;

    TRY(krti_call_on_predict_batch_begin(&p->callbacks, batch, NULL));
    TRY(wrap_rows(p, at, n));
    TRY(krt_predict_n(p->m, p->parts, p->num_out,
                      (const krt_tensor *const *)(const void *)(p->parts + p->num_out),
                      p->data->num_x, KRT_PREDICT(.batch_size = n)));
    TRY(keep(p, at, n));
    TRY(krti_call_on_predict_batch_end(&p->callbacks, batch, NULL));

done:
    drop_parts(p);
    return st;
}

static krt_status predict_all(predicting *p)
{
    const int64_t batches = (p->rows + p->batch_size - 1) / p->batch_size;
    krt_status st = krti_call_on_predict_begin(&p->callbacks, NULL);

    for (int64_t batch = 0; st == KRT_OK && batch < batches; batch++)
        st = predict_batch(p, batch);
    return st == KRT_OK ? krti_call_on_predict_end(&p->callbacks, NULL) : st;
}

krt_status krt_predict_data(krt_model *m, krt_tensor **out, size_t num_out, const krt_data *data,
                            const krt_evaluate_args *args)
{
    static const krt_evaluate_args defaults = {
        .struct_size = sizeof defaults, .batch_size = 32, .steps = KRT_NONE};
    krt_ctx *const k = m->base.owned.k;
    predicting p = {.m = m, .k = k, .data = data, .out = out, .num_out = num_out};
    struct krti_training *t = NULL;
    krt_fit_params params = {.epochs = 1};
    krt_evaluate_args a;
    krt_status st = KRT_OK;

    for (size_t i = 0; i < num_out; i++)
        out[i] = NULL;
    TRY(krti_args_import(k, &a, &defaults, sizeof a, args));
    p.batch_size = a.batch_size;
    TRY(check(&p));
    p.rows = data->x[0]->shape.dim[0];
    if (a.steps != KRT_NONE && a.steps < p.rows / p.batch_size)
        p.rows = a.steps * p.batch_size;
    if (p.rows < 1)
        TRY(krti_fail(k, KRT_E_INVALID, NULL, "the data has no rows; give at least one"));
    p.parts = krti_array(k, num_out + data->num_x, sizeof(krt_tensor *));
    if (p.parts == NULL)
        TRY(KRT_E_NOMEM);
    TRY(krti_training_of(m, &t));
    params.verbose = a.verbose;
    params.steps = (p.rows + p.batch_size - 1) / p.batch_size;
    params.batch_size = p.batch_size;
    t->params = &params;
    TRY(krti_callbacks_new(t, &p.callbacks, a.callbacks, a.verbose, false));
    st = predict_all(&p);

done:
    if (t != NULL)
        t->params = NULL;
    krti_callbacks_free(&p.callbacks);
    krti_free(k, p.parts);
    for (size_t i = 0; st != KRT_OK && i < num_out; i++) {
        krt_tensor_free(out[i]);
        out[i] = NULL;
    }
    return st;
}
