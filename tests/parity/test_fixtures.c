/* Every fixture real Keras wrote (tests/fixtures): load the model, predict, compare.
 *
 * A case is NAME.npz with inputs, outputs and tolerances, beside the models it belongs to: NAME.keras,
 * or any file whose name begins with NAME followed by a dot or two underscores. Set KERATIN_CASE to
 * a part of a path to run only those. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* scandir */
#endif
#include "testing.h"

#include <keratin/saving.h>

#include <dirent.h>
#include <math.h>
#include <sys/stat.h>

typedef struct tally {
    int passed, failed;
} tally;

typedef struct arrays {
    size_t n;
    krt_tensor **tensors;
    char **names;
} arrays;

static void arrays_free(krt_ctx *k, arrays *a)
{
    for (size_t i = 0; i < a->n; i++)
        krt_tensor_free(a->tensors[i]);
    krt_free(k, a->tensors);
    krt_free(k, a->names);
}

static const krt_tensor *find(const arrays *a, const char *name)
{
    for (size_t i = 0; i < a->n; i++)
        if (a->names[i] != NULL && strcmp(a->names[i], name) == 0)
            return a->tensors[i];
    return NULL;
}

static double number(const arrays *a, const char *name, double fallback)
{
    const krt_tensor *t = find(a, name);

    if (t == NULL)
        return fallback;
    if (krt_tensor_dtype(t) == KRT_FLOAT32)
        return (double)*(const float *)krt_tensor_data(t);
    return *(const double *)krt_tensor_data(t);
}

static const krt_tensor *input_of(const arrays *a, const krt_model *m, size_t i)
{
    char name[256];
    const krt_tensor *t = NULL;

    snprintf(name, sizeof name, "x_%s", krt_model_input_name(m, i));
    t = find(a, name);
    return t == NULL && i == 0 ? find(a, "x") : t;
}

static const krt_tensor *output_of(const arrays *a, size_t i)
{
    char name[32];
    const krt_tensor *t = NULL;

    snprintf(name, sizeof name, "y_%zu", i);
    t = find(a, name);
    return t == NULL && i == 0 ? find(a, "y") : t;
}

/* The first element beyond the tolerance, -1 when there is none. */
static long long first_difference(const double *expected, const double *found, size_t n,
                                  double rtol, double atol)
{
    for (size_t i = 0; i < n; i++) {
        const bool same = expected[i] == found[i] || (isnan(expected[i]) && isnan(found[i])) ||
                          fabs(found[i] - expected[i]) <= atol + rtol * fabs(expected[i]);

        if (!same)
            return (long long)i;
    }
    return -1;
}

/* The first string that differs. */
static long long first_other(const krt_string *expected, const krt_string *found, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (expected[i].size != found[i].size ||
            memcmp(expected[i].data, found[i].data, found[i].size) != 0)
            return (long long)i;
    return -1;
}

static bool compare_texts(const char *path, size_t output, const krt_tensor *expected,
                          const krt_tensor *found)
{
    const bool are_texts =
        krt_tensor_dtype(expected) == KRT_STRING && krt_tensor_dtype(found) == KRT_STRING;
    const krt_string *want = krt_tensor_data(expected), *got = krt_tensor_data(found);
    const size_t n = (size_t)krt_shape_size(krt_tensor_shape(found));
    const long long at = are_texts ? first_other(want, got, n) : 0;

    if (!are_texts)
        print_error("%s: output %zu has the dtype %s, Keras gives %s\n", path, output,
                    krt_dtype_name(krt_tensor_dtype(found)),
                    krt_dtype_name(krt_tensor_dtype(expected)));
    else if (at >= 0)
        print_error("%s: output %zu, string %lld is \"%.*s\", Keras gives \"%.*s\"\n", path, output,
                    at, (int)got[at].size, got[at].data, (int)want[at].size, want[at].data);
    return at < 0;
}

static bool compare(krt_ctx *k, const char *path, size_t output, const krt_tensor *expected,
                    const krt_tensor *found, double rtol, double atol)
{
    char a[160], b[160];
    krt_tensor *e = NULL, *f = NULL;
    bool same = false;

    (void)k;
    if (!krt_shape_equal(krt_tensor_shape(expected), krt_tensor_shape(found))) {
        print_error("%s: output %zu has shape %s, Keras gives %s\n", path, output,
                    krt_shape_print(krt_tensor_shape(found), a, sizeof a),
                    krt_shape_print(krt_tensor_shape(expected), b, sizeof b));
        return false;
    }
    if (krt_tensor_dtype(expected) == KRT_STRING || krt_tensor_dtype(found) == KRT_STRING)
        return compare_texts(path, output, expected, found);
    if (krt_tensor_cast(expected, &e, KRT_FLOAT64) == KRT_OK &&
        krt_tensor_cast(found, &f, KRT_FLOAT64) == KRT_OK) {
        const double *want = krt_tensor_data(e), *got = krt_tensor_data(f);
        const size_t n = (size_t)krt_shape_size(krt_tensor_shape(e));
        const long long at = first_difference(want, got, n, rtol, atol);

        same = at < 0;
        if (!same)
            print_error("%s: output %zu, element %lld of %zu: %.9g, Keras gives %.9g (rtol %g, "
                        "atol %g)\n",
                        path, output, at, n, got[at], want[at], rtol, atol);
    }
    krt_tensor_free(e);
    krt_tensor_free(f);
    return same;
}

static bool say(krt_ctx *k, const char *path, const char *what)
{
    const krt_error *e = krt_ctx_error(k);

    print_error("%s: %s: %s%s%s\n", path, what, e->object != NULL ? e->object : "",
                e->object != NULL ? ": " : "", e->message);
    return false;
}

static bool predict_case(krt_ctx *k, const char *path, krt_model *m, const arrays *a)
{
    const krt_tensor *x[32];
    krt_tensor *y[32] = {NULL};
    const size_t num_in = krt_model_num_inputs(m), num_out = krt_model_num_outputs(m);
    bool same = true;

    assert_true(num_in <= 32 && num_out <= 32);
    for (size_t i = 0; i < num_in; i++) {
        x[i] = input_of(a, m, i);
        if (x[i] == NULL) {
            print_error("%s: no x for the input %s\n", path, krt_model_input_name(m, i));
            return false;
        }
    }
    const int64_t batch_size = (int64_t)number(a, "batch_size", 32);
    if (krt_predict_n(m, y, num_out, x, num_in, KRT_PREDICT(.batch_size = batch_size)) != KRT_OK)
        return say(k, path, "predict");
    for (size_t i = 0; i < num_out; i++) {
        const krt_tensor *expected = output_of(a, i);

        same =
            expected != NULL &&
            compare(k, path, i, expected, y[i], number(a, "rtol", 1e-6), number(a, "atol", 1e-6)) &&
            same;
        krt_tensor_free(y[i]);
    }
    return same;
}

static bool run_case(const char *model, const char *npz)
{
    krt_ctx *k = NULL;
    krt_model *m = NULL;
    arrays a = {0};
    bool good = false;

    assert_int_equal(krt_ctx_new(&k, KRT_CTX(.threads = 2)), KRT_OK);
    if (krt_tensors_read(k, &a.n, &a.tensors, &a.names, npz) != KRT_OK)
        say(k, npz, "read");
    else if (krt_load(k, &m, model, NULL) != KRT_OK)
        say(k, model, "load");
    else
        good = predict_case(k, model, m, &a);
    arrays_free(k, &a);
    krt_model_free(m);
    krt_ctx_free(k);
    return good;
}

static bool ends_with(const char *text, const char *suffix)
{
    const size_t n = strlen(text), m = strlen(suffix);

    return n >= m && strcmp(text + n - m, suffix) == 0;
}

static void run_file(const char *path, tally *t)
{
    const char *only = getenv("KERATIN_CASE");
    char npz[1024];
    struct stat info;

    if (!ends_with(path, ".keras") || (only != NULL && strstr(path, only) == NULL))
        return;
    snprintf(npz, sizeof npz, "%.*s.npz", (int)(strlen(path) - strlen(".keras")), path);
    if (stat(npz, &info) != 0)
        return;
    if (run_case(path, npz))
        t->passed++;
    else
        t->failed++;
}

static void walk(const char *folder, tally *t)
{
    struct dirent **entries = NULL;
    const int n = scandir(folder, &entries, NULL, alphasort);

    for (int i = 0; i < n; i++) {
        char path[1024];
        struct stat info;

        snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.' && stat(path, &info) == 0) {
            if (S_ISDIR(info.st_mode) && !ends_with(path, ".keras"))
                walk(path, t);
            else
                run_file(path, t);
        }
        free(entries[i]);
    }
    free(entries);
}

static void run_folder(const char *name)
{
    char path[1024];
    tally t = {0, 0};

    snprintf(path, sizeof path, "%s/%s", KERATIN_FIXTURES, name);
    walk(path, &t);
    print_message("%s: %d agree with Keras, %d do not\n", name, t.passed, t.failed);
    assert_int_equal(t.failed, 0);
    assert_true(t.passed > 0 || getenv("KERATIN_CASE") != NULL);
}

TEST(layers_agree_with_keras)
{
    run_folder("layers");
}

TEST(activations_agree_with_keras)
{
    run_folder("activations");
}

TEST(operations_agree_with_keras)
{
    run_folder("ops");
}

TEST(models_agree_with_keras)
{
    run_folder("models");
}

int main(void)
{
    return RUN(UNIT(layers_agree_with_keras), UNIT(activations_agree_with_keras),
               UNIT(operations_agree_with_keras), UNIT(models_agree_with_keras));
}
