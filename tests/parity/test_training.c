/* Trainings of real Keras, step by step: the loss of each step, metrics, weights and slots at the end
 * (fixtures/training, made by tools/make_training_fixtures.py). */
#include "base/fs.h"
#include "custom_scores.h"
#include "formats/json.h"
#include "testing.h"
#include "training/training.h"
#include <keratin/keratin.h>

#include <dirent.h>

/* ------------------------------------------------------------------------------- the fixtures */

static double number(const krti_conf *c)
{
    double value = NAN;

    if (krti_conf_text(c) == NULL && c != NULL)
        (void)krti_conf_as_float(c, &value);
    return value;
}

/* numbers() of the script. */
static void numbers(float *out, size_t n, uint64_t seed)
{
    const char *other = getenv("KERATIN_TRAINING_SEED");

    seed += 1000 * (other != NULL ? strtoull(other, NULL, 10) : 0);
    for (size_t i = 0; i < n; i++) {
        uint64_t x = (i * 2654435761u + seed * 40503u) % ((uint64_t)1 << 32);

        x = (x ^ (x >> 15)) * 2246822519u % ((uint64_t)1 << 32);
        out[i] = (float)((double)(x >> 8) / 16777216.0 - 0.5);
    }
}

static krt_tensor *as_dtype(krt_tensor *x, const char *name)
{
    krt_tensor *cast = NULL;

    if (name == NULL)
        return x;
    assert_int_equal(KRT_OK, krt_tensor_cast(x, &cast, krt_dtype_from_name(name)));
    krt_tensor_free(x);
    return cast;
}

static krt_tensor *make_array(testing *t, const krti_conf *spec)
{
    const krti_conf *dims = krti_conf_get(spec, "shape");
    const char *kind = krti_conf_get_text(spec, "kind");
    const uint64_t seed = (uint64_t)number(krti_conf_get(spec, "seed"));
    krt_shape shape = {.rank = (int)krti_conf_num(dims)};
    krt_tensor *out = NULL;

    for (int i = 0; i < shape.rank; i++)
        shape.dim[i] = (int64_t)number(krti_conf_at(dims, (size_t)i));
    ASSERT_OK(krt_tensor_new(t->k, &out, KRT_FLOAT32, shape));
    const size_t n = (size_t)krt_shape_size(shape);
    const size_t last = (size_t)shape.dim[shape.rank - 1];
    float *v = krt_tensor_data_mut(out);
    numbers(v, n, seed);
    if (strcmp(kind, "real") == 0) {
        const double scale =
            krti_conf_get(spec, "scale") != NULL ? number(krti_conf_get(spec, "scale")) : 2;
        for (size_t i = 0; i < n; i++)
            v[i] *= (float)scale;
    } else if (strcmp(kind, "positive") == 0) {
        for (size_t i = 0; i < n; i++)
            v[i] += 0.6f;
    } else if (strcmp(kind, "class") == 0) {
        for (size_t i = 0; i < n; i++)
            v[i] = floorf((v[i] + 0.5f) * (float)number(krti_conf_get(spec, "classes")));
    } else if (strcmp(kind, "sign") == 0) {
        for (size_t i = 0; i < n; i++)
            v[i] = v[i] < 0 ? -1 : 1;
    } else if (strcmp(kind, "one_hot") == 0) {
        float *row = calloc(n / last, sizeof *row);

        assert_non_null(row);
        numbers(row, n / last, seed);
        for (size_t i = 0; i < n / last; i++)
            for (size_t j = 0; j < last; j++)
                v[i * last + j] = floorf((row[i] + 0.5f) * (float)last) == (float)j ? 1 : 0;
        free(row);
    } else {
        fail_msg("a kind of data this test does not know: %s", kind);
    }
    return as_dtype(out, krti_conf_get_text(spec, "dtype"));
}

static krt_status set_weight(void *user, krt_variable *v)
{
    size_t *index = user;
    const size_t n = (size_t)krt_shape_size(v->tensor->shape);
    const bool about_one = strstr(v->name, "variance") != NULL || strstr(v->name, "gamma") != NULL;

    assert_true(krt_variable_data(v) != NULL && krti_tensor_is_private(v->tensor));
    float *values = v->tensor->data;
    numbers(values, n, 100 + (*index)++);
    for (size_t i = 0; i < n; i++)
        values[i] = values[i] * 0.6f + (about_one ? 1 : 0);
    return KRT_OK;
}

/* ------------------------------------------------------------------------------- comparing */

typedef struct comparing {
    const char *name;
    const krti_conf *weights;
    size_t at, failures;
    double slack; /* 1; more for models drawn at random, whose rounding may grow */
} comparing;

static void compare(comparing *c, const char *what, size_t i, double expected, double found,
                    double rtol, double atol)
{
    const bool same = (isnan(expected) && isnan(found)) || expected == found ||
                      fabs(found - expected) <= c->slack * (atol + rtol * fabs(expected));

    if (same)
        return;
    if (c->failures++ < 6)
        print_message("%s: %s[%zu] is %.9g, Keras has %.9g\n", c->name, what, i, found, expected);
}

/* A row is a path and values: all of them, or, where a third entry says how many there are, some of each
 * stretch of equal length, each at another place in its own. */
static void compare_values(comparing *c, const char *what, const krti_conf *row, const float *found,
                           size_t n)
{
    const krti_conf *values = krti_conf_at(row, 1), *total = krti_conf_at(row, 2);
    const size_t num = krti_conf_num(values),
                 expected = total != NULL ? (size_t)number(total) : num;
    const size_t stretch = num > 0 ? expected / num : 0;

    if (expected != n) {
        print_message("%s: %s has %zu values, Keras has %zu\n", c->name, what, n, expected);
        c->failures++;
        return;
    }
    for (size_t i = 0; i < num; i++) {
        const size_t at = i * stretch + i % stretch;

        compare(c, what, at, number(krti_conf_at(values, i)), (double)found[at], 1e-4, 2e-6);
    }
}

static krt_status compare_weight(void *user, krt_variable *v)
{
    comparing *c = user;
    const krti_conf *row = krti_conf_at(c->weights, c->at++);

    compare_values(c, krti_conf_text(krti_conf_at(row, 0)), row, krt_variable_data(v),
                   (size_t)krt_shape_size(v->tensor->shape));
    return KRT_OK;
}

/* Logs, where Keras's may hold lists: "f1_score" of three is "f1_score[0]" to "[2]" here. */
static void compare_logs(comparing *c, const krti_conf *expected, const krt_logs *logs,
                         double loss_rtol)
{
    size_t n = 0;

    for (size_t i = 0; i < krti_conf_num(expected); i++) {
        const char *name = krti_conf_key_at(expected, i);
        const krti_conf *value = krti_conf_at(expected, i);
        const bool is_list = krti_conf_is(value, KRTI_CONF_LIST);
        const bool is_loss = strcmp(name, "loss") == 0 || strstr(name, "_loss") != NULL;

        for (size_t j = 0; j < (is_list ? krti_conf_num(value) : 1); j++, n++) {
            char own[128];
            double found = -12345;

            snprintf(own, sizeof own, is_list && krti_conf_num(value) > 1 ? "%s[%zu]" : "%s", name,
                     j);
            if (!krt_logs_get(logs, own, &found)) {
                print_message("%s: no %s in the logs\n", c->name, own);
                c->failures++;
            }
            compare(c, own, 0, number(is_list ? krti_conf_at(value, j) : value), found,
                    is_loss ? loss_rtol : 1e-4, is_loss ? 1e-7 : 2e-6);
        }
    }
    if (n != logs->n) {
        print_message("%s: %zu values in the logs, Keras has %zu\n", c->name, logs->n, n);
        c->failures++;
    }
}

static void compare_slots(comparing *c, krt_model *m, const krti_conf *slots)
{
    const krti_optimizer *o = krti_model_optimizer_now(m);
    size_t at = 0;

    for (; o != NULL; o = o->inner)
        for (size_t i = 0; i < o->num_variables; i++, at++) {
            const krti_conf *row = krti_conf_at(slots, at);
            const char *path = krti_conf_text(krti_conf_at(row, 0));
            const krt_tensor *own = o->variables[i].tensor;
            krt_tensor *as_float = NULL;

            if (path == NULL || strcmp(strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path,
                                       strrchr(o->variables[i].path, '/') + 1) != 0) {
                print_message("%s: slot %zu is %s, Keras has %s\n", c->name, at,
                              o->variables[i].path, path != NULL ? path : "none");
                c->failures++;
                continue;
            }
            assert_int_equal(KRT_OK, krt_tensor_cast(own, &as_float, KRT_FLOAT32));
            compare_values(c, path, row, as_float->data, (size_t)krt_shape_size(own->shape));
            krt_tensor_free(as_float);
        }
    if (at != krti_conf_num(slots)) {
        print_message("%s: %zu slots, Keras has %zu\n", c->name, at, krti_conf_num(slots));
        c->failures++;
    }
}

/* ------------------------------------------------------------------------------- running */

enum { MOST_ARRAYS = 8 };

/* The arrays of a case: "x", "y" and "weights", or those with a prefix. */
typedef struct arrays {
    const krt_tensor *x[MOST_ARRAYS], *y[MOST_ARRAYS], *weights[MOST_ARRAYS];
    krt_data data;
} arrays;

static size_t make_some(testing *t, const krti_conf *data, const char *prefix, const char *kind,
                        const krt_tensor **out)
{
    char key[64];

    snprintf(key, sizeof key, "%s%s", prefix, kind);
    const krti_conf *specs = krti_conf_get(data, key);
    for (size_t i = 0; i < krti_conf_num(specs); i++)
        out[i] = make_array(t, krti_conf_at(specs, i));
    return krti_conf_num(specs);
}

static void make_arrays(testing *t, arrays *a, const krti_conf *data, const char *prefix)
{
    a->data = (krt_data){
        .struct_size = sizeof a->data, .x = a->x, .y = a->y, .sample_weight = a->weights};
    a->data.num_x = make_some(t, data, prefix, "x", a->x);
    a->data.num_y = make_some(t, data, prefix, "y", a->y);
    a->data.num_weights = make_some(t, data, prefix, "weights", a->weights);
}

static void free_some(const krt_tensor *const *some, size_t n)
{
    for (size_t i = 0; i < n; i++)
        krt_tensor_free((krt_tensor *)(uintptr_t)some[i]);
}

static void free_arrays(arrays *a)
{
    free_some(a->x, a->data.num_x);
    free_some(a->y, a->data.num_y);
    free_some(a->weights, a->data.num_weights);
}

/* One step on all rows after the other. */
static krt_status run_steps(comparing *c, krt_model *m, const krti_conf *steps, const krt_data *d)
{
    const krt_logs *logs = NULL;
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < krti_conf_num(steps); i++) {
        krt_reset_metrics(m);
        st = krt_train_on_batch(m, &logs, d);
        if (st == KRT_OK)
            compare_logs(c, krti_conf_at(steps, i), logs, 1e-5);
    }
    return st;
}

static int64_t whole(const krti_conf *args, const char *key, int64_t fallback)
{
    const krti_conf *value = krti_conf_get(args, key);

    return value != NULL ? (int64_t)number(value) : fallback;
}

static krt_fit_args fit_args_of(const krti_conf *c, double *class_weights)
{
    const krti_conf *share = krti_conf_get(c, "validation_split");
    const krti_conf *classes = krti_conf_get(c, "class_weight");
    const size_t n = krti_conf_num(classes);
    krt_fit_args args = *KRT_FIT(.shuffle = false);

    args.batch_size = whole(c, "batch_size", args.batch_size);
    args.epochs = whole(c, "epochs", args.epochs);
    args.initial_epoch = whole(c, "initial_epoch", 0);
    args.steps_per_epoch = whole(c, "steps_per_epoch", KRT_NONE);
    args.validation_steps = whole(c, "validation_steps", KRT_NONE);
    args.validation_batch_size = whole(c, "validation_batch_size", KRT_NONE);
    args.validation_freq = whole(c, "validation_freq", 1);
    args.validation_split = share != NULL ? number(share) : 0;
    for (size_t i = 0; i < n; i++)
        class_weights[i] = number(krti_conf_at(classes, i));
    if (n > 0)
        args.class_weight = (krt_numbers){n, class_weights, KRT_SHAPE((int64_t)n)};
    return args;
}

/* Names in Keras's order, a value for each epoch. */
static void compare_history(comparing *c, const krti_conf *expected, const krt_history *h)
{
    const size_t n = krti_conf_num(expected);

    for (size_t i = 0; i < n; i++) {
        const krti_conf *values = krti_conf_at(krti_conf_at(expected, i), 1);
        const char *name = krti_conf_text(krti_conf_at(krti_conf_at(expected, i), 0));
        const double *found = NULL;
        size_t epochs = 0;

        if (i < krt_history_num(h) && strcmp(krt_history_name(h, i), name) == 0)
            found = krt_history_get(h, name, &epochs);
        if (epochs != krti_conf_num(values)) {
            print_message("%s: %s is not in its place, or not of %zu epochs\n", c->name, name,
                          krti_conf_num(values));
            c->failures++;
            continue;
        }
        for (size_t j = 0; j < epochs; j++)
            compare(c, name, j, number(krti_conf_at(values, j)), found[j], 1e-4, 2e-6);
    }
    if (n != krt_history_num(h)) {
        print_message("%s: %zu names in the history, Keras has %zu\n", c->name, krt_history_num(h),
                      n);
        c->failures++;
    }
}

static krt_status run_fit(testing *t, comparing *c, krt_model *m, const krti_conf *row,
                          const krt_data *d)
{
    double class_weights[16];
    const krti_conf *fit = krti_conf_get(row, "fit");
    const krt_specs swap = KRT_SPECS(
        KRT_SWAP_EMA_WEIGHTS(.swap_on_epoch = krti_conf_get_bool(fit, "swap_on_epoch", false)));
    krt_fit_args args = fit_args_of(fit, class_weights);
    krt_history *h = NULL;
    arrays validation;

    make_arrays(t, &validation, krti_conf_get(row, "data"), "validation_");
    if (validation.data.num_x > 0)
        args.validation = &validation.data;
    if (krti_conf_get(fit, "swap_on_epoch") != NULL)
        args.callbacks = swap;
    args.history = &h;
    const krt_status st = krt_fit_data(m, d, &args);
    if (st == KRT_OK)
        compare_history(c, krti_conf_get(row, "history"), h);
    krt_history_free(h);
    free_arrays(&validation);
    return st;
}

static krt_model *make_model(testing *t, const krti_conf *row)
{
    struct krti_training *training = NULL;
    krt_model *m = NULL;
    size_t index = 0;

    if (krti_model_from_conf(t->k, &m, krti_conf_get(row, "model")) != KRT_OK)
        fail_msg("%s: %s", krti_conf_get_text(row, "name"), krt_ctx_error(t->k)->message);
    ASSERT_OK(krti_set_compile_config(m, krti_conf_get(row, "compile_config")));
    ASSERT_OK(krti_training_of(m, &training));
    if (strcmp(krti_conf_get_text(row, "backend"), "jax") == 0)
        training->backend = "jax";
    ASSERT_OK(krti_model_ready(m, (krt_shape){.rank = -1}));
    ASSERT_OK(krti_layer_each_variable(&m->base, set_weight, &index));
    return m;
}

static size_t run_case(testing *t, const krti_conf *row)
{
    comparing c = {.name = krti_conf_get_text(row, "name"),
                   .weights = krti_conf_get(row, "weights"),
                   .slack = (double)whole(row, "slack", 1)};
    krt_model *m = make_model(t, row);
    const krt_logs *logs = NULL;
    arrays own;

    make_arrays(t, &own, krti_conf_get(row, "data"), "");
    const krt_status st = krti_conf_get(row, "fit") != NULL
                              ? run_fit(t, &c, m, row, &own.data)
                              : run_steps(&c, m, krti_conf_get(row, "steps"), &own.data);
    if (st == KRT_OK) {
        ASSERT_OK(krti_layer_each_variable(&m->base, compare_weight, &c));
        compare_slots(&c, m, krti_conf_get(row, "slots"));
        if (krti_conf_get(row, "evaluated") != NULL) {
            ASSERT_OK(krt_evaluate_data(m, &logs, &own.data, KRT_EVALUATE(.batch_size = 5)));
            compare_logs(&c, krti_conf_get(row, "evaluated"), logs, 1e-5);
        }
    } else {
        const krt_error *e = krt_ctx_error(t->k);

        print_message("%s: %s (%s)\n", c.name, e->message, e->object != NULL ? e->object : "");
        c.failures++;
    }
    krt_model_free(m);
    free_arrays(&own);
    if (c.failures > 0)
        print_message("%s: %zu values differ\n", c.name, c.failures);
    return c.failures;
}

TEST(trainings_are_keras_step_for_step)
{
    const char *other = getenv("KERATIN_TRAINING_FIXTURES"); /* tools/parity_training.py's */
    const char *folder = other != NULL ? other : KERATIN_FIXTURES "/training";
    DIR *d = opendir(folder);
    size_t cases = 0, failures = 0;

    assert_non_null(d);
    ASSERT_OK(register_scores(t->k));
    for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
        krti_arena a = KRTI_ARENA_INIT(t->k);
        char path[600];

        if (strstr(e->d_name, ".json") == NULL)
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        const krti_conf *rows = read_conf(t, &a, path);
        for (size_t i = 0; i < krti_conf_num(rows); i++) {
            if (krti_conf_get(krti_conf_at(rows, i), "steps") == NULL)
                continue;
            cases++;
            failures += run_case(t, krti_conf_at(rows, i)) > 0;
        }
        krti_arena_free(&a);
    }
    closedir(d);
    print_message("%zu trainings compared, %zu differ\n", cases, failures);
    assert_true(cases > 0);
    ASSERT_INT_EQ(0, failures);
}

int main(void)
{
    return RUN(UNIT(trainings_are_keras_step_for_step));
}
