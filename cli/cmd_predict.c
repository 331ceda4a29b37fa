/* keratin predict MODEL --x X: Keras's model.predict() on arrays from files.
 *
 * Which array feeds which input is settled in arrays.c. With --layer the model runs only as far as
 * that layer (tap.c). */
#include "arrays.h"
#include "predict.h"

#include <stdlib.h>
#include <string.h>

typedef struct options {
    opt_list x;
    const char *out, *layer, *config, *weights;
    long long batch_size;
    double scale;
    bool verify;
} options;

/* --- outputs --------------------------------------------------------------------------------- */

enum { NAME_SIZE = 40 };

static krt_status print_json(const outputs *y)
{
    char name[NAME_SIZE];
    krt_status st = KRT_OK;
    json j;

    json_begin(&j, stdout);
    json_open(&j, '{');
    for (size_t i = 0; st == KRT_OK && i < y->n; i++) {
        snprintf(name, sizeof name, "output_%zu", i);
        json_key(&j, name);
        json_open(&j, '{');
        json_key(&j, "shape");
        json_shape(&j, krt_tensor_shape(y->items[i]));
        json_key(&j, "dtype");
        json_text(&j, krt_dtype_name(krt_tensor_dtype(y->items[i])));
        json_key(&j, "values");
        st = json_tensor(&j, y->items[i]);
        json_close(&j, '}');
    }
    json_close(&j, '}');
    json_end(&j);
    return st;
}

static krt_status print_text(krt_ctx *k, const outputs *y)
{
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < y->n; i++) {
        char *text = NULL;

        st = krt_tensor_format(y->items[i], &text);
        if (st == KRT_OK && y->n > 1)
            printf("output_%zu:\n", i);
        if (st == KRT_OK)
            puts(text);
        krt_free(k, text);
    }
    return st;
}

static krt_status write_npz(krt_ctx *k, const outputs *y, const char *file)
{
    char *names = calloc(y->n, NAME_SIZE);
    const char **list = calloc(y->n, sizeof *list);
    krt_status st = KRT_E_NOMEM;

    if (names != NULL && list != NULL) {
        for (size_t i = 0; i < y->n; i++) {
            list[i] = names + i * NAME_SIZE;
            snprintf(names + i * NAME_SIZE, NAME_SIZE, "output_%zu", i);
        }
        st = krt_tensors_write(k, y->n, y->items, list, file);
    }
    free(names);
    free(list);
    return st;
}

static int put_outputs(cli *c, const outputs *y, const char *out)
{
    const bool to_file = out != NULL && strcmp(out, "-") != 0;
    krt_status st;

    if (to_file && ends_with(out, ".npy") && y->n != 1)
        return fail_says(out, "the model has %zu outputs; .npy holds one array, .npz any number",
                         y->n);
    if (!to_file)
        st = c->json ? print_json(y) : print_text(c->k, y);
    else if (ends_with(out, ".npy"))
        st = krt_tensor_write(y->items[0], out);
    else
        st = write_npz(c->k, y, out);
    return st == KRT_OK ? CLI_DONE : fail(c, to_file ? out : c->arguments[0]);
}

/* --- the command ----------------------------------------------------------------------------- */

/* The layer has to be one of the model's; a mistyped name gets the nearest. */
static int check_layer(const cli *c, const krt_model *m, const char *layer)
{
    nearest n = nearest_to(layer);

    if (krt_get_layer(m, layer) != NULL)
        return CLI_DONE;
    for (size_t i = 0; i < krt_model_num_layers(m); i++)
        nearest_try(&n, krt_layer_name(krt_model_layer(m, i)));
    if (nearest_best(&n) != NULL)
        return fail_says(c->arguments[0], "no layer \"%s\"; did you mean \"%s\"", layer,
                         nearest_best(&n));
    return fail_says(c->arguments[0], "no layer \"%s\"; see: keratin summary %s", layer,
                     c->arguments[0]);
}

/* A small job is done before a second thread is awake, and on a busy machine the first would wait
 * for it: one image through a digit network took 15 ms beside other work with one thread and 80 with
 * two, and 4 either way on an idle machine. What a sample costs is guessed from its size and the
 * number of weights. */
static krt_status choose_threads(cli *c, const krt_model *m, krt_tensor *const *x)
{
    const double small = 8e6;
    const krt_shape first = krt_tensor_shape(x[0]);
    double work = (double)krt_model_count_params(m) * (first.rank > 0 ? (double)first.dim[0] : 1);

    for (size_t i = 0; i < krt_model_num_inputs(m); i++)
        work += 100 * (double)krt_shape_size(krt_tensor_shape(x[i]));
    return c->threads == 0 && work < small ? krt_ctx_set_threads(c->k, 1) : KRT_OK;
}

static int run_outputs(cli *c, krt_model *m, const options *o, krt_tensor *const *x, outputs *y)
{
    const size_t n = krt_model_num_inputs(m);
    krt_status st = n > 0 ? choose_threads(c, m, x) : KRT_OK;

    if (st != KRT_OK)
        return fail(c, c->arguments[0]);
    if (o->layer != NULL)
        return tap_layer(c, m, o->layer, x, o->batch_size, y);
    y->n = krt_model_num_outputs(m);
    y->items = calloc(y->n > 0 ? y->n : 1, sizeof(krt_tensor *));
    if (y->items == NULL)
        return fail_says(NULL, "out of memory");
    st = krt_predict_n(m, y->items, y->n, (const krt_tensor *const *)x, n,
                       KRT_PREDICT(.batch_size = o->batch_size));
    return st == KRT_OK ? CLI_DONE : fail(c, c->arguments[0]);
}

static int predict(cli *c, krt_model *m, const options *o)
{
    const size_t n = krt_model_num_inputs(m);
    krt_tensor **x = calloc(n > 0 ? n : 1, sizeof *x);
    outputs y = {0};
    int status = x != NULL ? CLI_DONE : fail_says(NULL, "out of memory");

    if (status == CLI_DONE && o->layer != NULL)
        status = check_layer(c, m, o->layer);
    if (status == CLI_DONE)
        status = arrays_for_inputs(c, m, &o->x, x);
    for (size_t i = 0; status == CLI_DONE && o->scale != 1 && i < n; i++)
        if (array_scale(&x[i], o->scale) != KRT_OK)
            status = fail(c, c->arguments[0]);
    if (status == CLI_DONE)
        status = run_outputs(c, m, o, x, &y);
    if (status == CLI_DONE)
        status = put_outputs(c, &y, o->out);
    for (size_t i = 0; i < y.n; i++)
        krt_tensor_free(y.items[i]);
    for (size_t i = 0; x != NULL && i < n; i++)
        krt_tensor_free(x[i]);
    free(y.items);
    free(x);
    return status;
}

static int check_options(const cli *c, const options *o)
{
    if (o->x.n == 0)
        return misuse(c, "no input; usage: keratin predict MODEL --x FILE");
    if (o->scale == 0)
        return misuse(c, "--scale divides, so it takes a number other than 0");
    if (o->out != NULL && strcmp(o->out, "-") != 0 && !ends_with(o->out, ".npy") &&
        !ends_with(o->out, ".npz"))
        return misuse(c, "--out takes a name that ends in .npy or .npz, or -");
    return CLI_DONE;
}

static int run(cli *c, const void *p)
{
    const options *o = p;
    krt_model *m = NULL;
    int status = check_options(c, o);

    if (status != CLI_DONE)
        return status;
    if (krt_load(c->k, &m, c->arguments[0],
                 KRT_LOAD(.config = o->config, .weights = o->weights, .verify = o->verify,
                          .compile = false)) != KRT_OK)
        return fail(c, c->arguments[0]);
    status = predict(c, m, o);
    krt_model_free(m);
    return status;
}

static const options defaults = {.batch_size = 32, .scale = 1};

static const opt table[] = {
    OPT_X_ROW,
    OPT("out", OPT_TEXT, out, "FILE", ".npy or .npz; left out or -: as text", 0),
    OPT("batch-size", OPT_INT, batch_size, "N", "samples at a time (32)", 1),
    OPT("layer", OPT_TEXT, layer, "NAME", "the output of this layer instead", 0),
    OPT_SCALE_ROW,
    OPT_MODEL_ROWS,
};

const cli_command cmd_predict = {
    .name = "predict",
    .arguments = "MODEL --x FILE",
    .summary = "Runs a model on arrays from files",
    .details =
        "Several inputs come from one .npz (arrays by input name, or by x_ and the input name,\n"
        "else in the file's order) or from --x NAME=FILE given once for each. Images without a\n"
        "channel axis get one. Several outputs are written to an .npz as output_0, output_1, ...\n",
    .least = 1,
    .most = 1,
    CLI_OPTIONS,
    .run = run,
};
