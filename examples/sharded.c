/* A large model in parts: Keras's EfficientNetV2L, or any other model, saved as shards of a fifth of
 * its size each, loaded into a new model of the same architecture, and as one file. What the copies
 * predict is what the model predicts, to the last bit.
 *
 *     sharded MODEL OUT
 *
 * MODEL is a file of any form; of an architecture alone (model.to_json()) the weights are drawn. */
#include "common.h"

static const double GB = 1024.0 * 1024 * 1024;

/* One picture of noise, as large as the model wants it; 64 where it takes any size. */
static krt_status make_picture(krt_ctx *k, const krt_model *m, krt_tensor **out)
{
    krt_shape shape = krt_model_input_shape(m, 0);
    krt_status st;
    uint32_t noise = 1;

    for (int i = 0; i < shape.rank; i++)
        if (shape.dim[i] < 0)
            shape.dim[i] = i == 0 ? 1 : 64;
    if ((st = krt_tensor_new(k, out, KRT_FLOAT32, shape)) != KRT_OK)
        return st;
    float *v = krt_tensor_data_mut(*out);
    for (int64_t i = 0; i < krt_shape_size(shape); i++) {
        noise = noise * 1664525u + 1013904223u;
        v[i] = (float)(noise >> 24);
    }
    return KRT_OK;
}

/* A model without its weights, as to_json() would carry it to another machine. */
static krt_status same_architecture(krt_ctx *k, const krt_model *m, krt_model **out)
{
    char *json = NULL;
    krt_status st = krt_to_json(m, &json, NULL);

    if (st == KRT_OK)
        st = krt_from_json(k, out, json, NULL);
    krt_free(k, json);
    return st;
}

static int count_shards(const char *out)
{
    char path[4200];

    for (int n = 0;; n++) {
        snprintf(path, sizeof path, "%s/model_%05d.weights.h5", out, n);
        FILE *f = fopen(path, "rb");
        if (f == NULL)
            return n;
        fclose(f);
    }
}

static krt_status compare(krt_model *m, const char *what, const krt_tensor *x,
                          const krt_tensor *expected)
{
    krt_tensor *y = NULL;
    const krt_status st = krt_predict(m, &y, x, NULL);

    if (st != KRT_OK)
        return st;
    const size_t size = (size_t)krt_shape_size(krt_tensor_shape(expected)) * sizeof(float);
    const bool same = memcmp(krt_tensor_data(expected), krt_tensor_data(y), size) == 0;
    printf("%s: %s\n", what, same ? "predicts the same, bit for bit" : "predicts something else");
    krt_tensor_free(y);
    return KRT_OK;
}

static krt_status run(krt_ctx *k, const char *file, const char *out)
{
    krt_model *m = NULL, *parts = NULL, *whole = NULL;
    krt_tensor *x = NULL, *y = NULL;
    char path[4200];
    const bool is_architecture = strstr(file, ".json") != NULL;
    krt_status st = krt_load(k, &m, file, KRT_LOAD(.config_only = is_architecture));

    if (st != KRT_OK || (st = make_picture(k, m, &x)) != KRT_OK ||
        (st = krt_predict(m, &y, x, NULL)) != KRT_OK)
        return st;
    const double size = (double)krt_model_count_params(m) * sizeof(float) / GB;
    snprintf(path, sizeof path, "%s/model.weights.json", out);
    st = krt_save_weights(m, path, KRT_SAVE_WEIGHTS(.max_shard_size = size / 5));
    if (st != KRT_OK || (st = same_architecture(k, m, &parts)) != KRT_OK ||
        (st = krt_load_weights(parts, path, NULL)) != KRT_OK)
        return st;
    printf("shards: %s\n", count_shards(out) >= 5 ? "five or more" : "fewer than five");
    if ((st = compare(parts, "from the shards", x, y)) != KRT_OK)
        return st;
    snprintf(path, sizeof path, "%s/model.keras", out);
    if ((st = krt_save(m, path, NULL)) != KRT_OK ||
        (st = krt_load(k, &whole, path, NULL)) != KRT_OK)
        return st;
    return compare(whole, "from one file", x, y);
}

int main(int argc, char **argv)
{
    krt_ctx *k = NULL;

    if (argc != 3) {
        fprintf(stderr, "usage: sharded MODEL OUT\n");
        return 2;
    }
    if (krt_ctx_new(&k, KRT_CTX(.seed = 1)) != KRT_OK)
        return 1;
    return ex_end(k, run(k, argv[1], argv[2]));
}
