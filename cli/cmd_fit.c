/* keratin fit MODEL --x X --y Y: Keras's model.fit(), from a file to a file.
 *
 * Callbacks are chosen by options. SIGINT ends the training after the batch under way: the last
 * checkpoint is whole, the history so far is written, the status is 130. */
#define _POSIX_C_SOURCE 200809L
#include "resume.h"
#include "training.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct options {
    opt_list x, y, validation_x, validation_y;
    const char *config, *weights, *sample_weight, *class_weight;
    settings settings;
    const char *checkpoint, *monitor, *mode, *save_freq, *tensorboard, *csv_log, *backup_dir;
    const char *history, *save;
    long long epochs, batch_size, initial_epoch, early_stopping, reduce_lr;
    double validation_split, learning_rate, scale;
    bool no_shuffle, save_best_only, save_weights_only, background, resume, progress, verify;
} options;

enum { MAX_CALLBACKS = 8, MAX_CLASSES = 4096 };

/* One fit command under way. */
typedef struct job {
    cli *c;
    const options *o;
    krt_model *m;
    samples train, validation;
    krt_tensor *sample_weight;
    double *class_weights;
    krt_numbers classes;
    const krt_spec *callbacks[MAX_CALLBACKS];
    size_t num_callbacks;
    krt_history *history;
    place start;
} job;

/* --- SIGINT ---------------------------------------------------------------------------------- */

static krt_model *volatile under_way;

static void on_interrupt(int number)
{
    krt_model *const m = under_way;

    (void)number;
    if (m != NULL)
        krt_request_stop(m);
}

static void watch(krt_model *m)
{
    under_way = m;
    (void)signal(SIGINT, m != NULL ? on_interrupt : SIG_DFL);
}

/* --- arguments ------------------------------------------------------------------------------- */

/* "0:1,3:2.5": classes left out weigh 1. */
static int read_class_weight(job *j)
{
    const char *at = j->o->class_weight;
    size_t n = 0;

    if (at == NULL)
        return CLI_DONE;
    j->class_weights = malloc(MAX_CLASSES * sizeof *j->class_weights);
    if (j->class_weights == NULL)
        return fail_says(NULL, "out of memory");
    for (size_t i = 0; i < MAX_CLASSES; i++)
        j->class_weights[i] = 1;
    while (*at != '\0') {
        char *end = NULL;
        const long label = strtol(at, &end, 10);

        if (end == at || *end != ':' || label < 0 || label >= MAX_CLASSES)
            return misuse(j->c, "--class-weight takes CLASS:WEIGHT,... as in 0:1,1:2.5, not \"%s\"",
                          j->o->class_weight);
        at = end + 1;
        j->class_weights[label] = strtod(at, &end);
        if (end == at || !isfinite(j->class_weights[label]) || (*end != ',' && *end != '\0'))
            return misuse(j->c, "--class-weight takes CLASS:WEIGHT,... as in 0:1,1:2.5, not \"%s\"",
                          j->o->class_weight);
        n = (size_t)label + 1 > n ? (size_t)label + 1 : n;
        at = *end == ',' ? end + 1 : end;
    }
    j->classes = (krt_numbers){n, j->class_weights, {.rank = 1, .dim = {(int64_t)n}}};
    return CLI_DONE;
}

static int save_freq(const job *j, int64_t *freq)
{
    const char *text = j->o->save_freq;
    char *end = NULL;

    *freq = KRT_EVERY_EPOCH;
    if (text == NULL || strcmp(text, "epoch") == 0)
        return CLI_DONE;
    *freq = strtoll(text, &end, 10);
    if (*end != '\0' || *freq < 1)
        return misuse(j->c, "--save-freq takes \"epoch\" or a number of batches, not \"%s\"", text);
    return CLI_DONE;
}

/* What is written when all is done must not fail for a folder that was never there. */
static int check_folder(const char *path)
{
    const char *const slash = path != NULL ? strrchr(path, '/') : NULL;
    char folder[4096];
    struct stat info;

    if (slash == NULL || slash == path || (size_t)(slash - path) >= sizeof folder)
        return CLI_DONE;
    snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path);
    if (stat(folder, &info) == 0 && S_ISDIR(info.st_mode))
        return CLI_DONE;
    return fail_says(path,
                     "cannot save here: there is no directory %s. Create it with: mkdir -p %s",
                     folder, folder);
}

/* Nor for an ending that krt_save() does not know. */
static int check_ending(cli *c, const char *path)
{
    static const char *const endings[] = {".keras", ".h5", ".hdf5"};
    const size_t n = path != NULL ? strlen(path) : 0;

    for (size_t i = 0; i < COUNT(endings); i++)
        if (path == NULL || (n > strlen(endings[i]) && ends_with(path, endings[i])))
            return CLI_DONE;
    return misuse(c,
                  "--save writes a whole model: .keras or .h5, not \"%s\"; other forms are made of "
                  "it with: keratin convert",
                  path);
}

static int check_options(cli *c, const options *o)
{
    int status = CLI_DONE;

    if (o->x.n == 0 || o->y.n == 0)
        return misuse(c, "no data; usage: keratin fit MODEL --x FILE --y FILE");
    if (o->scale == 0)
        return misuse(c, "--scale divides, so it takes a number other than 0");
    if ((o->validation_x.n > 0) != (o->validation_y.n > 0))
        return misuse(c, "--validation-x and --validation-y go together");
    if (o->resume && o->checkpoint == NULL && o->backup_dir == NULL)
        return misuse(c, "--resume needs the --checkpoint template of the run that is continued, "
                         "or its --backup-dir");
    status = check_ending(c, o->save);
    if (status == CLI_DONE)
        status = check_folder(o->save);
    return status == CLI_DONE ? check_folder(o->history) : status;
}

/* --- training -------------------------------------------------------------------------------- */

static krt_status fit(job *j, int64_t freq)
{
    const options *o = j->o;
    const char *mode = o->mode != NULL ? o->mode : "auto";
    const char *monitor = o->monitor != NULL ? o->monitor : "val_loss";
    const bool stops = o->early_stopping >= 0, reduces = o->reduce_lr >= 0;
    const krt_spec *all[MAX_CALLBACKS] = {
        o->checkpoint == NULL
            ? NULL
            : KRT_MODEL_CHECKPOINT(o->checkpoint, .monitor = monitor, .mode = mode,
                                   .save_best_only = o->save_best_only,
                                   .save_weights_only = o->save_weights_only, .save_freq = freq,
                                   .background = o->background),
        stops ? KRT_EARLY_STOPPING(.monitor = monitor, .mode = mode, .patience = o->early_stopping,
                                   .verbose = 1)
              : NULL,
        reduces ? KRT_REDUCE_LR_ON_PLATEAU(.monitor = monitor, .mode = mode,
                                           .patience = o->reduce_lr, .verbose = 1)
                : NULL,
        o->tensorboard != NULL ? KRT_TENSORBOARD(.log_dir = o->tensorboard) : NULL,
        o->csv_log != NULL ? KRT_CSV_LOGGER(o->csv_log, .append = o->resume) : NULL,
        o->backup_dir != NULL ? KRT_BACKUP_AND_RESTORE(o->backup_dir, .save_freq = freq) : NULL,
    };

    for (size_t i = 0; i < MAX_CALLBACKS; i++)
        if (all[i] != NULL)
            j->callbacks[j->num_callbacks++] = all[i];
    const krt_tensor *const weights[] = {j->sample_weight};
    const krt_data *train =
        KRT_DATA(.num_x = j->train.num_x, .x = (const krt_tensor *const *)j->train.x,
                 .num_y = j->train.num_y, .y = (const krt_tensor *const *)j->train.y,
                 .num_weights = j->sample_weight != NULL, .sample_weight = weights);
    const krt_data *validation =
        KRT_DATA(.num_x = j->validation.num_x, .x = (const krt_tensor *const *)j->validation.x,
                 .num_y = j->validation.num_y, .y = (const krt_tensor *const *)j->validation.y);
    return krt_fit_data(j->m, train,
                        KRT_FIT(.batch_size = o->batch_size, .epochs = o->epochs,
                                .verbose = progress_kind(j->c, o->progress),
                                .callbacks = {j->num_callbacks, j->callbacks},
                                .validation_split = o->validation_split,
                                .validation = o->validation_x.n > 0 ? validation : NULL,
                                .shuffle = !o->no_shuffle, .class_weight = j->classes,
                                .initial_epoch = j->start.epoch, .initial_batch = j->start.batch,
                                .history = &j->history));
}

/* --- what is left ---------------------------------------------------------------------------- */

static void put_history(FILE *f, const krt_history *h)
{
    size_t n = 0;
    const int64_t *epochs = krt_history_epochs(h, &n);
    json j;

    json_begin(&j, f);
    json_open(&j, '{');
    json_key(&j, "epoch");
    json_open(&j, '[');
    for (size_t i = 0; i < n; i++)
        json_int(&j, epochs[i]);
    json_close(&j, ']');
    for (size_t i = 0; i < krt_history_num(h); i++) {
        const double *values = krt_history_get(h, krt_history_name(h, i), &n);

        json_key(&j, krt_history_name(h, i));
        json_open(&j, '[');
        for (size_t e = 0; e < n; e++)
            json_number(&j, values[e]);
        json_close(&j, ']');
    }
    json_close(&j, '}');
    json_end(&j);
}

static int write_history(const job *j)
{
    const char *path = j->o->history;
    char *text = NULL;
    size_t size = 0;
    FILE *f = NULL;
    int status = CLI_DONE;

    if (j->history == NULL)
        return CLI_DONE;
    if (j->c->json)
        put_history(stdout, j->history);
    if (path == NULL)
        return CLI_DONE;
    f = open_memstream(&text, &size);
    if (f == NULL)
        return fail_says(path, "out of memory");
    put_history(f, j->history);
    if (fclose(f) != 0)
        status = fail_says(path, "out of memory");
    else if (krt_write_file(j->c->k, path, text, size) != KRT_OK)
        status = fail(j->c, path);
    free(text);
    return status;
}

static int train(job *j)
{
    int64_t freq = 0;
    int status = save_freq(j, &freq), kept = CLI_DONE;
    krt_status st = KRT_OK;

    if (status != CLI_DONE)
        return status;
    watch(j->m);
    st = fit(j, freq);
    watch(NULL);
    if (st != KRT_OK)
        status = fail(j->c, j->c->arguments[0]);
    kept = write_history(j);
    if (st == KRT_E_CANCELLED)
        return CLI_INTERRUPTED;
    if (status == CLI_DONE && j->o->save != NULL && krt_save(j->m, j->o->save, NULL) != KRT_OK)
        status = fail(j->c, j->o->save);
    return status != CLI_DONE ? status : kept;
}

static int prepare(job *j)
{
    const options *o = j->o;
    cli *c = j->c;
    int status = settings_apply(c, j->m, &o->settings);

    if (status == CLI_DONE)
        status = samples_read(c, j->m, &o->x, &o->y, o->scale, &j->train);
    if (status == CLI_DONE && o->validation_x.n > 0)
        status =
            samples_read(c, j->m, &o->validation_x, &o->validation_y, o->scale, &j->validation);
    if (status == CLI_DONE && o->sample_weight != NULL &&
        krt_tensor_read(c->k, &j->sample_weight, o->sample_weight) != KRT_OK)
        status = fail(c, o->sample_weight);
    if (status == CLI_DONE)
        status = read_class_weight(j);
    return status;
}

/* Samples of an epoch that train. */
static int64_t num_rows(const job *j)
{
    const krt_shape s = krt_tensor_shape(j->train.x[0]);
    const int64_t rows = s.rank > 0 ? s.dim[0] : 0;

    return j->o->validation_x.n > 0 ? rows : (int64_t)((double)rows * (1 - j->o->validation_split));
}

static int start(job *j)
{
    const options *o = j->o;
    int status = prepare(j);

    j->start.epoch = o->initial_epoch;
    if (status == CLI_DONE && o->resume && o->checkpoint != NULL)
        status = resume_from(
            j->c, &j->m,
            &(resuming){.template = o->checkpoint,
                        .weights_only = o->save_weights_only,
                        .at_epoch_ends = o->save_freq == NULL || strcmp(o->save_freq, "epoch") == 0,
                        .steps = (num_rows(j) + o->batch_size - 1) / o->batch_size},
            &j->start);
    if (status == CLI_DONE && !isnan(o->learning_rate) &&
        krt_set_learning_rate(j->m, o->learning_rate) != KRT_OK)
        status = fail(j->c, j->c->arguments[0]);
    return status == CLI_DONE ? train(j) : status;
}

static int run(cli *c, const void *p)
{
    const options *o = p;
    job j = {.c = c, .o = o};
    int status = check_options(c, o);

    if (status != CLI_DONE)
        return status;
    if (krt_load(c->k, &j.m, c->arguments[0],
                 KRT_LOAD(.config = o->config, .weights = o->weights, .verify = o->verify)) !=
        KRT_OK)
        return fail(c, c->arguments[0]);
    status = start(&j);
    samples_free(&j.train);
    samples_free(&j.validation);
    krt_tensor_free(j.sample_weight);
    free(j.class_weights);
    krt_history_free(j.history);
    krt_model_free(j.m);
    return status;
}

static const options defaults = {.epochs = 1,
                                 .batch_size = 32,
                                 .early_stopping = -1,
                                 .reduce_lr = -1,
                                 .learning_rate = NAN,
                                 .scale = 1};

static const opt table[] = {
    OPT_X_ROW,
    OPT("y", OPT_LIST, y, "FILE", "targets; of several outputs as --x", 0),
    OPT("epochs", OPT_INT, epochs, "N", "number of the last epoch (1)", 1),
    OPT("batch-size", OPT_INT, batch_size, "N", "samples a step (32)", 1),
    OPT("validation-split", OPT_NUMBER, validation_split, "F", "this part, the last, validates", 0),
    OPT("validation-x", OPT_LIST, validation_x, "FILE", "inputs to validate on", 0),
    OPT("validation-y", OPT_LIST, validation_y, "FILE", "targets to validate on", 0),
    OPT("no-shuffle", OPT_FLAG, no_shuffle, NULL, "samples in the file's order", 0),
    OPT("initial-epoch", OPT_INT, initial_epoch, "N", "epochs that are done already (0)", 0),
    OPT("class-weight", OPT_TEXT, class_weight, "C:W,...", "how much a class counts: 0:1,1:2.5", 0),
    OPT("sample-weight", OPT_TEXT, sample_weight, "FILE", "one a sample", 0),
    OPT("optimizer", OPT_TEXT, settings.optimizer, "NAME", "or JSON; instead of the file's", 0),
    OPT("learning-rate", OPT_NUMBER, learning_rate, "R", "instead of the optimizer's", 0),
    OPT("loss", OPT_TEXT, settings.loss, "NAME", "or JSON; instead of the file's", 0),
    OPT("metrics", OPT_TEXT, settings.metrics, "A,B", "or JSON; instead of the file's", 0),
    OPT("checkpoint", OPT_TEXT, checkpoint, "TEMPLATE", "cp-{epoch:02d}.keras: saved as it goes",
        0),
    OPT("monitor", OPT_TEXT, monitor, "NAME", "what better means (val_loss)", 0),
    OPT("mode", OPT_TEXT, mode, "MODE", "auto, min or max", 0),
    OPT("save-best-only", OPT_FLAG, save_best_only, NULL, "checkpoints only when better", 0),
    OPT("save-weights-only", OPT_FLAG, save_weights_only, NULL, "checkpoints of weights", 0),
    OPT("save-freq", OPT_TEXT, save_freq, "N", "batches between checkpoints, or epoch", 0),
    OPT("background", OPT_FLAG, background, NULL, "checkpoints while training goes on", 0),
    OPT("early-stopping", OPT_INT, early_stopping, "N", "stop after N epochs without a better one",
        0),
    OPT("reduce-lr", OPT_INT, reduce_lr, "N", "a tenth of the rate after N such epochs", 0),
    OPT("tensorboard", OPT_TEXT, tensorboard, "DIR", "event files", 0),
    OPT("csv-log", OPT_TEXT, csv_log, "FILE", "a line an epoch", 0),
    OPT("backup-dir", OPT_TEXT, backup_dir, "DIR", "to go on from when it is interrupted", 0),
    OPT("history", OPT_TEXT, history, "FILE.json", "what fit() returns", 0),
    OPT("save", OPT_TEXT, save, "OUT", "the trained model", 0),
    OPT("resume", OPT_FLAG, resume, NULL, "go on from the newest checkpoint that verifies", 0),
    OPT_SCALE_ROW,
    OPT("progress", OPT_FLAG, progress, NULL, "a bar also where no terminal is", 0),
    OPT_MODEL_ROWS,
};

const cli_command cmd_fit = {
    .name = "fit",
    .arguments = "MODEL --x FILE --y FILE",
    .summary = "Trains a model on arrays from files",
    .details = "The model trains on as it was compiled; its file is left alone. Ctrl-C ends after\n"
               "the batch under way: checkpoints are whole, the history is written, status 130.\n",
    .least = 1,
    .most = 1,
    CLI_OPTIONS,
    .run = run,
};
