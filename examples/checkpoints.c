/* Checkpoints while training: one every five epochs, named after the epoch, and the best model, which
 * then goes into production: loaded by another program that predicts and knows nothing of training.
 *
 *     checkpoints DATA OUT */
#include "common.h"

/* What a server does: open the file, predict. */
static krt_status serve(const char *path, const ex_digits *d)
{
    krt_ctx *k = NULL;
    krt_model *m = NULL;
    krt_tensor *y = NULL;
    krt_status st = krt_ctx_new(&k, NULL);

    if (st != KRT_OK)
        return st;
    if ((st = krt_load(k, &m, path, NULL)) == KRT_OK &&
        (st = krt_predict(m, &y, d->test_x, NULL)) == KRT_OK) {
        char text[64];

        printf("production: predictions of shape %s\n",
               krt_shape_print(krt_tensor_shape(y), text, sizeof text));
    } else {
        fprintf(stderr, "%s\n", krt_ctx_error(k)->message);
    }
    krt_ctx_free(k);
    return st;
}

static krt_status run(krt_ctx *k, const char *data, const char *out)
{
    ex_digits d = {0};
    char every[4096], best[4096], path[4200];
    krt_status st = ex_read(k, data, &d);
    krt_model *m = st == KRT_OK ? ex_cnn(k) : NULL;

    if (m == NULL)
        return krt_ctx_error(k)->status;
    snprintf(every, sizeof every, "%s/cp-{epoch:04d}.weights.h5", out);
    snprintf(best, sizeof best, "%s/best.keras", out);
    st = krt_fit(m, d.x, d.y,
                 KRT_FIT(.epochs = 10, .validation_split = 0.2,
                         .callbacks = KRT_SPECS(
                             KRT_MODEL_CHECKPOINT(every, .save_weights_only = true, .period = 5),
                             KRT_MODEL_CHECKPOINT(best, .monitor = "val_accuracy",
                                                  .save_best_only = true))));
    if (st != KRT_OK)
        return st;
    for (int epoch = 1; epoch <= 10; epoch++) {
        snprintf(path, sizeof path, "%s/cp-%04d.weights.h5", out, epoch);
        FILE *f = fopen(path, "rb");
        if (f != NULL) {
            fclose(f);
            printf("checkpoint of epoch %d\n", epoch);
        }
    }
    return serve(best, &d);
}

int main(int argc, char **argv)
{
    krt_ctx *k = NULL;

    if (argc != 3) {
        fprintf(stderr, "usage: checkpoints DATA OUT\n");
        return 2;
    }
    if (krt_ctx_new(&k, KRT_CTX(.seed = 1)) != KRT_OK)
        return 1;
    return ex_end(k, run(k, argv[1], argv[2]));
}
