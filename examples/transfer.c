/* Transfer learning: a network that reads all ten digits lends everything but its last layer to one that
 * tells even from odd. What was copied is frozen; only the new layer is trained. The same through a
 * file: weights of the old network, loaded with skip_mismatch.
 *
 *     transfer DATA OUT */
#include "common.h"

/* The network with another end, "predictions" for two classes, and everything before it frozen. */
static krt_model *even_or_odd(krt_ctx *k)
{
    krt_model *m = krt_sequential(k, KRT_MODEL(.name = "even_or_odd"));

    if (m == NULL)
        return NULL;
    krt_add_input(m, KRT_SHAPE(EX_SIDE, EX_SIDE, 1), NULL);
    krt_add(m, KRT_RESCALING(KRT_NUMBER(1.0 / 16)));
    krt_add(m, KRT_CONV2D(32, {3, 3}, .padding = "same", .activation = "relu", .name = "conv2d"));
    krt_add(m, KRT_MAX_POOLING2D({2, 2}));
    krt_add(m, KRT_CONV2D(64, {3, 3}, .padding = "same", .activation = "relu", .name = "conv2d_1"));
    krt_add(m, KRT_MAX_POOLING2D({2, 2}));
    krt_add(m, KRT_FLATTEN());
    krt_add(m, KRT_DENSE(2, .activation = "softmax", .name = "predictions"));
    for (size_t i = 0; i + 1 < krt_model_num_layers(m); i++)
        krt_layer_set_trainable(krt_model_layer(m, i), false);
    return krt_compile(m, KRT_COMPILE(.optimizer = KRT_ADAM(),
                                      .loss = KRT_ID("sparse_categorical_crossentropy"),
                                      .metrics = KRT_SPECS(KRT_ID("accuracy")))) == KRT_OK
               ? m
               : NULL;
}

static void make_parity(krt_tensor *labels)
{
    uint8_t *y = krt_tensor_data_mut(labels);

    for (int64_t i = 0; i < krt_tensor_shape(labels).dim[0]; i++)
        y[i] &= 1;
}

static krt_status run(krt_ctx *k, const char *data, const char *out)
{
    ex_digits d = {0};
    char path[4096];
    krt_report *report = NULL;
    krt_status st = ex_read(k, data, &d);
    krt_model *old = st == KRT_OK ? ex_cnn(k) : NULL;
    krt_model *copied = old != NULL ? even_or_odd(k) : NULL;
    krt_model *loaded = copied != NULL ? even_or_odd(k) : NULL;

    if (loaded == NULL)
        return krt_ctx_error(k)->status;
    snprintf(path, sizeof path, "%s/ten.weights.h5", out);
    if ((st = krt_fit(old, d.x, d.y, KRT_FIT(.epochs = 8))) != KRT_OK ||
        (st = krt_save_weights(old, path, NULL)) != KRT_OK ||
        (st = krt_transfer_weights(
             copied, old, KRT_TRANSFER(.skip_mismatch = true, .report = &report))) != KRT_OK)
        return st;
    printf("copied: %zu weights, left as they were: %zu\n", krt_report_count(report, KRT_LOADED),
           krt_report_count(report, KRT_SKIPPED_SHAPE));
    krt_report_free(report);
    st = krt_load_weights(loaded, path, KRT_LOAD_WEIGHTS(.skip_mismatch = true, .report = &report));
    if (st != KRT_OK)
        return st;
    printf("from the file: %zu weights, left as they were: %zu\n",
           krt_report_count(report, KRT_LOADED), krt_report_count(report, KRT_SKIPPED_SHAPE));
    krt_report_free(report);
    make_parity(d.y);
    make_parity(d.test_y);
    if ((st = krt_fit(copied, d.x, d.y, KRT_FIT(.epochs = 40))) != KRT_OK)
        return st;
    printf("even or odd, with a new last layer: %s\n",
           ex_accuracy(copied, &d) >= 0.9 ? "90 % or better" : "below 90 %");
    return KRT_OK;
}

int main(int argc, char **argv)
{
    krt_ctx *k = NULL;

    if (argc != 3) {
        fprintf(stderr, "usage: transfer DATA OUT\n");
        return 2;
    }
    if (krt_ctx_new(&k, KRT_CTX(.seed = 1)) != KRT_OK)
        return 1;
    return ex_end(k, run(k, argv[1], argv[2]));
}
