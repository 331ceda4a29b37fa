/* keratin evaluate MODEL --x X --y Y: Keras's model.evaluate(). */
#include "training.h"

typedef struct options {
    opt_list x, y;
    const char *config, *weights, *sample_weight;
    settings settings;
    long long batch_size;
    double scale;
    bool progress, verify;
} options;

static void show(const cli *c, const krt_logs *logs)
{
    json j;

    if (!c->json) {
        for (size_t i = 0; i < logs->n; i++)
            /* the sign of a NaN says nothing */
            printf("%s: %.6g\n", logs->names[i],
                   isnan(logs->values[i]) ? (double)NAN : logs->values[i]);
        return;
    }
    json_begin(&j, stdout);
    json_open(&j, '{');
    for (size_t i = 0; i < logs->n; i++) {
        json_key(&j, logs->names[i]);
        json_number(&j, logs->values[i]);
    }
    json_close(&j, '}');
    json_end(&j);
}

static int evaluate(cli *c, krt_model *m, const options *o, const samples *d)
{
    const krt_logs *logs = NULL;
    krt_tensor *weight = NULL;
    const int verbose = progress_kind(c, o->progress);
    int status = CLI_DONE;

    if (o->sample_weight != NULL && krt_tensor_read(c->k, &weight, o->sample_weight) != KRT_OK)
        return fail(c, o->sample_weight);
    const krt_tensor *const weights[] = {weight};
    const krt_data *all = KRT_DATA(.num_x = d->num_x, .x = (const krt_tensor *const *)d->x,
                                   .num_y = d->num_y, .y = (const krt_tensor *const *)d->y,
                                   .num_weights = weight != NULL, .sample_weight = weights);
    if (krt_evaluate_data(
            m, &logs, all,
            KRT_EVALUATE(.batch_size = o->batch_size, .verbose = verbose == 1 ? 1 : 0)) != KRT_OK)
        status = fail(c, c->arguments[0]);
    else
        show(c, logs);
    krt_tensor_free(weight);
    return status;
}

static int run(cli *c, const void *p)
{
    const options *o = p;
    krt_model *m = NULL;
    samples d = {0};
    int status = CLI_DONE;

    if (o->x.n == 0 || o->y.n == 0)
        return misuse(c, "no data; usage: keratin evaluate MODEL --x FILE --y FILE");
    if (o->scale == 0)
        return misuse(c, "--scale divides, so it takes a number other than 0");
    if (krt_load(c->k, &m, c->arguments[0],
                 KRT_LOAD(.config = o->config, .weights = o->weights, .verify = o->verify)) !=
        KRT_OK)
        return fail(c, c->arguments[0]);
    status = settings_apply(c, m, &o->settings);
    if (status == CLI_DONE)
        status = samples_read(c, m, &o->x, &o->y, o->scale, &d);
    if (status == CLI_DONE)
        status = evaluate(c, m, o, &d);
    samples_free(&d);
    krt_model_free(m);
    return status;
}

static const options defaults = {.batch_size = 32, .scale = 1};

static const opt table[] = {
    OPT_X_ROW,
    OPT("y", OPT_LIST, y, "FILE", "targets; of several outputs as --x", 0),
    OPT("batch-size", OPT_INT, batch_size, "N", "samples at a time (32)", 1),
    OPT("loss", OPT_TEXT, settings.loss, "NAME", "instead of the file's", 0),
    OPT("metrics", OPT_TEXT, settings.metrics, "A,B", "instead of the file's", 0),
    OPT("sample-weight", OPT_TEXT, sample_weight, "FILE", "one a sample", 0),
    OPT_SCALE_ROW,
    OPT("progress", OPT_FLAG, progress, NULL, "a bar also where no terminal is", 0),
    OPT_MODEL_ROWS,
};

const cli_command cmd_evaluate = {
    .name = "evaluate",
    .arguments = "MODEL --x FILE --y FILE",
    .summary = "Loss and metrics of a model on arrays from files",
    .details = "The loss and the metrics are those the model was compiled with, or --loss and\n"
               "--metrics. Names and settings are Keras's: \"mse\", \"accuracy\", or JSON.\n",
    .least = 1,
    .most = 1,
    CLI_OPTIONS,
    .run = run,
};
