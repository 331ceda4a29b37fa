/* ModelCheckpoint. Keras: callbacks/model_checkpoint.py.
 *
 * What Keras forgets is kept: the best value so far, in a small file beside the checkpoint, because a
 * restarted training would otherwise replace the best model by its first one. Only a training that
 * goes on reads it. */
#include "callbacks/monitor.h"
#include "callbacks/stock.h"
#include "callbacks/template.h"

#include "base/fs.h"
#include "base/number.h"
#include "callbacks/files.h"
#include "formats/json.h"
#include "training/training.h"
#include <keratin/saving.h>

#include <inttypes.h>
#include <math.h>

typedef struct checkpoint {
    const krt_model_checkpoint_args *a;
    krti_monitor monitor;
    krti_str path, line;
    char *state_path;      /* where the best is kept; NULL: nowhere */
    int64_t epoch;         /* under way, from 0 */
    int64_t batches, last; /* since the last save; the last batch seen, KRT_NONE: none */
    int64_t epochs;        /* since the last save, of `period` */
    bool is_under_way;     /* a save in the background, to `path` */
} checkpoint;

static bool ends_with_any(const char *path, const char *const *endings, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (krti_ends_with(path, endings[i]))
            return true;
    return false;
}

/* --- the best value on disk ------------------------------------------------------------------ */

static krt_status name_state(checkpoint *c, krt_ctx *k)
{
    krti_str dir = KRTI_STR_INIT(k), name = KRTI_STR_INIT(k);
    krt_status st = krti_path_dir(&dir, c->a->filepath);

    /* a template that makes many files has one best: its fields stand in the name */
    TRY(st);
    TRY(krti_str_addf(&name, ".%s.best.json", krti_path_name(c->a->filepath)));
    TRY(krti_str_addf(&dir, "/%s", krti_str_text(&name)));
    c->state_path = krti_str_take(&dir);
    st = c->state_path != NULL ? KRT_OK : KRT_E_NOMEM;

done:
    krti_str_free(&dir);
    krti_str_free(&name);
    return st;
}

static krt_status read_state(checkpoint *c, krt_ctx *k)
{
    krti_arena arena = KRTI_ARENA_INIT(k);
    krti_str index = KRTI_STR_INIT(k);
    krti_bytes *bytes = NULL;
    const krti_conf *conf = NULL;
    krt_status st = KRT_OK;

    if (krti_path_kind_of(c->state_path) != KRTI_PATH_FILE)
        return KRT_OK;
    TRY(krti_bytes_map(k, &bytes, c->state_path));
    st = krti_json_parse(&arena, &conf, bytes->data, bytes->size);
    if (st != KRT_OK) {
        krti_warn(k, "%s is damaged: what was best before is not known", c->state_path);
        st = st == KRT_E_NOMEM ? st : KRT_OK;
        goto done;
    }
    const char *monitor = krti_conf_get_text(conf, "monitor");
    const char *file = krti_conf_get_text(conf, "filepath");
    if (monitor == NULL || strcmp(monitor, c->a->monitor) != 0 || file == NULL)
        goto done;                                /* of another training */
    TRY(krti_str_addf(&index, "%s.index", file)); /* all there is of a TensorFlow checkpoint */
    if (krti_path_kind_of(file) == KRTI_PATH_NONE && krti_path_kind_of(index.ptr) == KRTI_PATH_NONE)
        goto done; /* the model is gone */
    c->monitor.has_best = krti_conf_as_float(krti_conf_get(conf, "best"), &c->monitor.best) &&
                          !isnan(c->monitor.best);

done:
    krti_bytes_drop(bytes);
    krti_str_free(&index);
    krti_arena_free(&arena);
    return st;
}

static krt_status write_state(checkpoint *c, krt_ctx *k, const char *filepath)
{
    krti_arena arena = KRTI_ARENA_INIT(k);
    krti_str text = KRTI_STR_INIT(k);
    krti_conf *conf = krti_conf_dict(&arena);
    krt_status st = KRT_OK;

    TRY(krti_conf_set(&arena, conf, "monitor", krti_conf_string(&arena, c->a->monitor)));
    TRY(krti_conf_set(&arena, conf, "best", krti_conf_float(&arena, c->monitor.best)));
    TRY(krti_conf_set(&arena, conf, "filepath", krti_conf_string(&arena, filepath)));
    TRY(krti_json_write(&text, conf, -1));
    TRY(krt_write_file(k, c->state_path, krti_str_text(&text), text.length));

done:
    krti_str_free(&text);
    krti_arena_free(&arena);
    return st;
}

/* --- begin ----------------------------------------------------------------------------------- */

static krt_status check_ending(krt_ctx *k, const krt_model_checkpoint_args *a)
{
    static const char *const whole[] = {".keras", ".h5", ".hdf5"};

    if (!a->save_weights_only && !ends_with_any(a->filepath, whole, KRTI_COUNT(whole)))
        return krti_fail(k, KRT_E_INVALID, NULL,
                         "The filepath provided must end in `.keras` (Keras model format). "
                         "Received: filepath=%s. For weights of any form, set save_weights_only",
                         a->filepath);
    return KRT_OK;
}

static krt_status init(void *state, krt_model *m, const void *args)
{
    checkpoint *c = state;
    const krt_model_checkpoint_args *a = args;
    krt_ctx *k = m->base.owned.k;
    krti_logs there = KRTI_LOGS_INIT(k);
    int64_t steps = 0;
    krt_status st = KRT_OK;

    c->a = a;
    c->last = KRT_NONE;
    c->path = c->line = (krti_str)KRTI_STR_INIT(k);
    if (a->filepath == NULL || a->filepath[0] == '\0')
        return krti_fail(k, KRT_E_INVALID, NULL, "ModelCheckpoint has no filepath");
    if (a->save_freq != KRT_EVERY_EPOCH && a->save_freq < 1)
        return krti_fail(k, KRT_E_INVALID, NULL,
                         "Unrecognized save_freq: %" PRId64 ". Expected save_freq are 'epoch' or "
                         "integer values, from 1 on",
                         a->save_freq);
    if (a->period < 1)
        return krti_fail(k, KRT_E_INVALID, NULL, "period is %" PRId64 ", expected 1 or more",
                         a->period);
    TRY(check_ending(k, a));
    TRY(krti_expected_logs(m->training, krti_stock(c)->will_validate, &there));
    if (there.logs.n > 0)
        TRY(krti_template_check(k, a->filepath, &there.logs, a->save_freq != KRT_EVERY_EPOCH));
    if (!a->save_best_only)
        goto done;
    TRY(krti_monitor_init(&c->monitor, krti_stock(c),
                          &(krti_monitor_args){"ModelCheckpoint", a->monitor, a->mode,
                                               a->initial_value_threshold, 0}));
    TRY(name_state(c, k));
    TRY(krt_iterations(m, &steps));
    if (!c->monitor.has_best && steps > 0)
        TRY(read_state(c, k));

done:
    krti_logs_free(&there);
    return st;
}

static void fini(void *state)
{
    checkpoint *c = state;

    krti_str_free(&c->path);
    krti_str_free(&c->line);
    krti_free(c->path.k, c->state_path);
}

/* --- saving ---------------------------------------------------------------------------------- */

static const char *five_digits(char buffer[400], bool is_there, double value)
{
    if (!is_there)
        return "None";
    krti_number_print(buffer, 400, value, 'f', 5);
    return buffer;
}

/* Prints line when asked to be verbose; it begins with "Epoch N: ". */
static krt_status say(checkpoint *c, const char *text)
{
    if (c->a->verbose <= 0)
        return KRT_OK;
    krti_str_clear(&c->line);
    krti_str_addf(&c->line, "\nEpoch %" PRId64 ": %s", c->epoch + 1, text);
    if (c->line.status == KRT_OK)
        krti_callback_print(krti_str_text(&c->line));
    return c->line.status;
}

static krt_status say_file(checkpoint *c, const char *what)
{
    krti_str s = KRTI_STR_INIT(c->line.k);
    krt_status st = krti_str_addf(&s, "%s saving model to %s", what, krti_str_text(&c->path));

    if (st == KRT_OK)
        st = say(c, krti_str_text(&s) + (what[0] == '\0' ? 1 : 0));
    krti_str_free(&s);
    return st;
}

static krt_status say_verdict(checkpoint *c, bool is_better, double value)
{
    krti_str s = KRTI_STR_INIT(c->line.k);
    char before[400], now[400];
    const char *best = five_digits(before, c->monitor.has_best, c->monitor.best);
    krt_status st = KRT_OK;

    if (is_better)
        st = krti_str_addf(&s, "%s improved from %s to %s, saving model to %s", c->a->monitor, best,
                           five_digits(now, true, value), krti_str_text(&c->path));
    else
        st = krti_str_addf(&s, "%s did not improve from %s", c->a->monitor, best);
    if (st == KRT_OK)
        st = say(c, krti_str_text(&s));
    krti_str_free(&s);
    return st;
}

/* Whether this is a time to save; says so. */
static krt_status decide(checkpoint *c, const krt_logs *logs, bool *saves)
{
    double value = 0;
    krt_status st = KRT_OK;

    *saves = true;
    if (!c->a->save_best_only)
        return say_file(c, "");
    if (!krt_logs_get(logs, c->a->monitor, &value)) {
        krti_warn(c->line.k, "Can save best model only with %s available.", c->a->monitor);
        return KRT_OK;
    }
    *saves = krti_monitor_is_better(&c->monitor, value, c->monitor.has_best, c->monitor.best);
    st = say_verdict(c, *saves, value);
    if (*saves) {
        c->monitor.best = value;
        c->monitor.has_best = true;
    }
    return st;
}

/* Weights alone: what ends in no form's name is a TensorFlow checkpoint, as in Keras 2, whose `.h5` it
 * is too. */
static krt_status write_weights(krt_model *m, const char *path, bool background)
{
    static const char *const forms[] = {".weights.h5", ".weights.json", ".safetensors", ".npz",
                                        ".keras"};
    static const char *const hdf5[] = {".h5", ".hdf5"};

    const bool is_form = ends_with_any(path, forms, KRTI_COUNT(forms));
    const bool is_hdf5 = !is_form && ends_with_any(path, hdf5, KRTI_COUNT(hdf5));

    if (!is_form && !is_hdf5)
        return krt_save_checkpoint(m, path, KRT_SAVE_WEIGHTS());
    return (background ? krt_save_weights_async
                       : krt_save_weights)(m, path, KRT_SAVE_WEIGHTS(.legacy = is_hdf5));
}

static krt_status write_model(const checkpoint *c, krt_model *m)
{
    const char *path = krti_str_text(&c->path);

    if (c->a->save_weights_only)
        return write_weights(m, path, c->a->background);
    return (c->a->background ? krt_save_async : krt_save)(m, path, KRT_SAVE());
}

/* The file is there: only now is it what was best. */
static krt_status note_best(checkpoint *c, krt_ctx *k)
{
    return c->state_path != NULL && c->monitor.has_best ? write_state(c, k, krti_str_text(&c->path))
                                                        : KRT_OK;
}

/* Waits for the save that is under way, if one is. */
static krt_status settle(checkpoint *c, krt_ctx *k)
{
    krt_status st = KRT_OK;

    if (!c->is_under_way)
        return KRT_OK;
    c->is_under_way = false;
    st = krt_save_wait(k);
    return st == KRT_OK ? note_best(c, k) : st;
}

static krt_status save(checkpoint *c, krt_model *m, int64_t batch, const krt_logs *logs)
{
    krt_ctx *k = m->base.owned.k;
    const krti_template_values values = {c->epoch + 1, batch == KRT_NONE ? KRT_NONE : batch + 1,
                                         logs};
    bool saves = false;
    krt_status st = KRT_OK;

    TRY(settle(c, k));
    krti_str_clear(&c->path);
    TRY(krti_template_format(k, &c->path, c->a->filepath, &values));
    TRY(decide(c, logs, &saves));
    if (!saves)
        return KRT_OK;
    if (krti_path_kind_of(krti_str_text(&c->path)) == KRTI_PATH_DIR &&
        !krti_is_keras_directory(krti_str_text(&c->path)))
        return krti_fail(k, KRT_E_IO, NULL,
                         "Please specify a non-directory filepath for ModelCheckpoint. Filepath "
                         "used is an existing directory: %s",
                         krti_str_text(&c->path));
    TRY(krti_make_parents(k, krti_str_text(&c->path)));
    TRY(write_model(c, m));
    c->is_under_way = c->a->background;
    if (!c->is_under_way) {
        TRY(say_file(c, "finished"));
        TRY(note_best(c, k));
    }

done:
    return st;
}

/* --- hooks ----------------------------------------------------------------------------------- */

static krt_status on_epoch_begin(void *state, krt_model *m, int64_t epoch, const krt_logs *logs)
{
    checkpoint *c = state;

    (void)m;
    (void)logs;
    c->epoch = epoch;
    return KRT_OK;
}

static krt_status on_epoch_end(void *state, krt_model *m, int64_t epoch, const krt_logs *logs)
{
    checkpoint *c = state;

    (void)epoch;
    if (c->a->save_freq != KRT_EVERY_EPOCH || ++c->epochs < c->a->period)
        return KRT_OK;
    c->epochs = 0;
    return save(c, m, KRT_NONE, logs);
}

static krt_status on_train_batch_end(void *state, krt_model *m, int64_t batch, const krt_logs *logs)
{
    checkpoint *c = state;

    if (c->a->save_freq == KRT_EVERY_EPOCH)
        return KRT_OK;
    c->batches += c->last == KRT_NONE || batch <= c->last ? batch + 1 : batch - c->last;
    c->last = batch;
    if (c->batches < c->a->save_freq)
        return KRT_OK;
    c->batches = 0;
    return save(c, m, batch, logs);
}

static krt_status on_train_end(void *state, krt_model *m, const krt_logs *logs)
{
    (void)logs;
    return settle(state, m->base.owned.k);
}

static const krt_model_checkpoint_args model_checkpoint_defaults = {
    .spec = {sizeof model_checkpoint_defaults, "ModelCheckpoint"},
    .monitor = "val_loss",
    .mode = "auto",
    .save_freq = KRT_EVERY_EPOCH,
    .period = 1,
    .initial_value_threshold = NAN};

static const krt_field model_checkpoint_fields[] = {
    KRT_FIELD(krt_model_checkpoint_args, STRING, filepath),
    KRT_FIELD(krt_model_checkpoint_args, STRING, monitor),
    KRT_FIELD(krt_model_checkpoint_args, INT, verbose),
    KRT_FIELD(krt_model_checkpoint_args, BOOL, save_best_only),
    KRT_FIELD(krt_model_checkpoint_args, BOOL, save_weights_only),
    KRT_FIELD(krt_model_checkpoint_args, STRING, mode),
    KRT_FIELD(krt_model_checkpoint_args, INT, save_freq),
    KRT_FIELD(krt_model_checkpoint_args, INT, period),
    KRT_FIELD(krt_model_checkpoint_args, FLOAT, initial_value_threshold),
    KRT_FIELD(krt_model_checkpoint_args, BOOL, background),
};

KRTI_STOCK(model_checkpoint, "ModelCheckpoint", krt_model_checkpoint_args, model_checkpoint_fields,
           .state_size = sizeof(checkpoint), .init = init, .fini = fini,
           .hooks = {.on_epoch_begin = on_epoch_begin,
                     .on_epoch_end = on_epoch_end,
                     .on_train_end = on_train_end,
                     .on_train_batch_end = on_train_batch_end});
