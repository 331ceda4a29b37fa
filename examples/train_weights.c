/* Weights only, as in Keras's guide "Save and load models": train, save the weights, and load them into
 * a new model of the same architecture, which knew nothing before.
 *
 *     train_weights DATA OUT */
#include "common.h"

static krt_status run(krt_ctx *k, const char *data, const char *out)
{
    ex_digits d = {0};
    char path[4096];
    krt_status st = ex_read(k, data, &d);
    krt_model *m = st == KRT_OK ? ex_cnn(k) : NULL;
    krt_model *fresh = m != NULL ? ex_cnn(k) : NULL;

    if (fresh == NULL)
        return krt_ctx_error(k)->status;
    snprintf(path, sizeof path, "%s/cnn.weights.h5", out);
    if ((st = krt_fit(m, d.x, d.y, KRT_FIT(.epochs = 3))) != KRT_OK ||
        (st = krt_save_weights(m, path, NULL)) != KRT_OK)
        return st;
    const double untrained = ex_accuracy(fresh, &d);
    if ((st = krt_load_weights(fresh, path, NULL)) != KRT_OK)
        return st;
    const double loaded = ex_accuracy(fresh, &d);
    printf("untrained model: %s\n", untrained < 0.3 ? "guesses" : "knows something already");
    printf("with the weights: %s\n",
           loaded == ex_accuracy(m, &d) ? "as the trained one" : "differs");
    return KRT_OK;
}

int main(int argc, char **argv)
{
    krt_ctx *k = NULL;

    if (argc != 3) {
        fprintf(stderr, "usage: train_weights DATA OUT\n");
        return 2;
    }
    if (krt_ctx_new(&k, KRT_CTX(.seed = 1)) != KRT_OK)
        return 1;
    return ex_end(k, run(k, argv[1], argv[2]));
}
