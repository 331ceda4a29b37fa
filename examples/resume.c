/* A whole model, saved in the middle of its training and resumed in a new one: optimizer, shuffling and
 * all go on as if nothing had happened. Two epochs, a file, and two more give the weights of four.
 *
 *     resume DATA OUT */
#include "common.h"

/* Whether two models hold the same bits. */
static bool same_weights(const krt_model *a, const krt_model *b)
{
    for (size_t i = 0; i < krt_model_num_layers(a); i++) {
        const krt_layer *l = krt_model_layer(a, i), *r = krt_model_layer(b, i);

        for (size_t j = 0; j < krt_layer_num_weights(l); j++) {
            const krt_variable *v = krt_layer_weight(l, j);
            const size_t size = (size_t)krt_shape_size(krt_variable_shape(v)) *
                                krt_dtype_size(krt_variable_dtype(v));

            if (memcmp(krt_variable_data(v), krt_variable_data(krt_layer_weight(r, j)), size) != 0)
                return false;
        }
    }
    return true;
}

/* A context of its own for each, as if in another process; both from the same seed. */
static krt_status train_at_once(krt_ctx *k, const char *data, krt_model **out)
{
    ex_digits d = {0};
    krt_status st = ex_read(k, data, &d);

    *out = st == KRT_OK ? ex_cnn(k) : NULL;
    if (*out == NULL)
        return krt_ctx_error(k)->status;
    return krt_fit(*out, d.x, d.y, KRT_FIT(.epochs = 4));
}

static krt_status train_in_two(krt_ctx *k, const char *data, const char *path, krt_model **out)
{
    ex_digits d = {0};
    krt_status st = ex_read(k, data, &d);
    krt_model *m = st == KRT_OK ? ex_cnn(k) : NULL;

    if (m == NULL)
        return krt_ctx_error(k)->status;
    if ((st = krt_fit(m, d.x, d.y, KRT_FIT(.epochs = 2))) != KRT_OK ||
        (st = krt_save(m, path, NULL)) != KRT_OK)
        return st;
    krt_model_free(m);
    if ((st = krt_load(k, out, path, NULL)) != KRT_OK)
        return st;
    return krt_fit(*out, d.x, d.y, KRT_FIT(.initial_epoch = 2, .epochs = 4));
}

int main(int argc, char **argv)
{
    krt_ctx *first = NULL, *second = NULL;
    krt_model *a = NULL, *b = NULL;
    char path[4096];
    krt_status st = KRT_OK;

    if (argc != 3) {
        fprintf(stderr, "usage: resume DATA OUT\n");
        return 2;
    }
    snprintf(path, sizeof path, "%s/half.keras", argv[2]);
    if (krt_ctx_new(&first, KRT_CTX(.seed = 1)) != KRT_OK ||
        krt_ctx_new(&second, KRT_CTX(.seed = 1)) != KRT_OK)
        return 1;
    if ((st = train_at_once(first, argv[1], &a)) != KRT_OK)
        return ex_end(first, st);
    if ((st = train_in_two(second, argv[1], path, &b)) == KRT_OK)
        printf("four epochs, and two and two: %s\n",
               same_weights(a, b) ? "the same, bit for bit" : "different");
    krt_ctx_free(first);
    return ex_end(second, st);
}
