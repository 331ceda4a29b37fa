/* Architecture and weights in files of their own: model.to_json() and save_weights(), then
 * model_from_json() and load_weights() where the code that made the model is not.
 *
 *     architecture DATA OUT */
#include "common.h"

static krt_status write_text(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    bool good = f != NULL && fputs(text, f) >= 0;

    if (f != NULL)
        good = fclose(f) == 0 && good;
    return good ? KRT_OK : KRT_E_IO;
}

static krt_status run(krt_ctx *k, const char *data, const char *out)
{
    ex_digits d = {0};
    char json_path[4096], weights_path[4096], *json = NULL;
    krt_tensor *before = NULL, *after = NULL;
    krt_model *again = NULL;
    krt_status st = ex_read(k, data, &d);
    krt_model *m = st == KRT_OK ? ex_cnn(k) : NULL;

    if (m == NULL)
        return krt_ctx_error(k)->status;
    snprintf(json_path, sizeof json_path, "%s/cnn.json", out);
    snprintf(weights_path, sizeof weights_path, "%s/cnn.weights.h5", out);
    if ((st = krt_fit(m, d.x, d.y, NULL)) != KRT_OK ||
        (st = krt_to_json(m, &json, KRT_TO_JSON(.indent = 2))) != KRT_OK)
        return st;
    st = write_text(json_path, json);
    krt_free(k, json);
    if (st != KRT_OK || (st = krt_save_weights(m, weights_path, NULL)) != KRT_OK ||
        (st = krt_load(k, &again, json_path, KRT_LOAD(.weights = weights_path))) != KRT_OK ||
        (st = krt_predict(m, &before, d.test_x, NULL)) != KRT_OK ||
        (st = krt_predict(again, &after, d.test_x, NULL)) != KRT_OK)
        return st;
    const float *p = krt_tensor_data(before), *q = krt_tensor_data(after);
    const int64_t n = krt_shape_size(krt_tensor_shape(before));
    int64_t same = 0;

    for (int64_t i = 0; i < n; i++)
        same += p[i] == q[i];
    printf("%s made anew from JSON: %s\n", krt_model_name(again),
           same == n ? "the same predictions" : "other predictions");
    return KRT_OK;
}

int main(int argc, char **argv)
{
    krt_ctx *k = NULL;

    if (argc != 3) {
        fprintf(stderr, "usage: architecture DATA OUT\n");
        return 2;
    }
    if (krt_ctx_new(&k, KRT_CTX(.seed = 1)) != KRT_OK)
        return 1;
    return ex_end(k, run(k, argv[1], argv[2]));
}
