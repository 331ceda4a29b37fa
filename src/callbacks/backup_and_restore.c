/* BackupAndRestore. Keras: callbacks/backup_and_restore.py, and its two files: latest.weights.h5, which
 * holds the optimizer's state too, and training_metadata.json with {"epoch", "batch"}.
 *
 * Keras restores the epoch only; here training goes on with the very next batch. Two more keys say
 * where that is: "batches", done in the epoch, and "iterations", the optimizer's. The weights are
 * written first; when the process dies before the metadata follow, the optimizer in them is ahead of
 * "iterations", by as many batches as the metadata are behind. */
#include "base/fs.h"
#include "callbacks/files.h"
#include "callbacks/stock.h"
#include "formats/json.h"
#include <keratin/saving.h>

#include <inttypes.h>

typedef struct backup {
    const krt_backup_args *a;
    krt_ctx *k;
    char *weights, *metadata, *weights_copy, *metadata_copy;
    int64_t epoch, batches; /* epochs done; batches done in the next one */
    int64_t unsaved;        /* batches since the last backup */
    bool is_whole;          /* fit() came to its end */
} backup;

static krt_status join(const backup *b, const char *name, char **out)
{
    krti_str s = KRTI_STR_INIT(b->k);

    (void)krti_path_join(&s, b->a->backup_dir, name);
    *out = krti_str_take(&s);
    return *out != NULL ? KRT_OK : KRT_E_NOMEM;
}

static krt_status init(void *state, krt_model *m, const void *args)
{
    backup *b = state;
    krt_status st = KRT_OK;

    b->a = args;
    b->k = m->base.owned.k;
    if (b->a->backup_dir == NULL || b->a->backup_dir[0] == '\0')
        return krti_fail(b->k, KRT_E_INVALID, NULL, "Empty `backup_dir` argument passed");
    if (b->a->save_freq != KRT_EVERY_EPOCH && b->a->save_freq < 1)
        return krti_fail(b->k, KRT_E_INVALID, NULL,
                         "Invalid value for argument `save_freq`. Received: save_freq=%" PRId64
                         ". Expected either 'epoch' or an integer value.",
                         b->a->save_freq);
    TRY(join(b, "latest.weights.h5", &b->weights));
    TRY(join(b, "training_metadata.json", &b->metadata));
    TRY(join(b, "latest.weights.h5.bkp", &b->weights_copy));
    TRY(join(b, "training_metadata.json.bkp", &b->metadata_copy));

done:
    return st;
}

static void fini(void *state)
{
    backup *b = state;

    krti_free(b->k, b->weights);
    krti_free(b->k, b->metadata);
    krti_free(b->k, b->weights_copy);
    krti_free(b->k, b->metadata_copy);
}

/* --- restoring ------------------------------------------------------------------------------- */

/* Small enough to be added to others. */
static bool is_count(int64_t n)
{
    return n >= 0 && n <= INT64_MAX / 4;
}

static krt_status read_metadata(backup *b, const char *path, int64_t *iterations)
{
    krti_arena arena = KRTI_ARENA_INIT(b->k);
    krti_bytes *bytes = NULL;
    const krti_conf *conf = NULL;
    krt_status st = KRT_OK;

    b->epoch = b->batches = 0;
    *iterations = KRT_NONE;
    if (krti_path_kind_of(path) != KRTI_PATH_FILE)
        return KRT_OK;
    TRY(krti_bytes_map(b->k, &bytes, path));
    TRY(krti_json_parse(&arena, &conf, bytes->data, bytes->size));
    b->epoch = krti_conf_get_int(conf, "epoch", -1);
    b->batches = krti_conf_get_int(conf, "batches", 0);
    *iterations = krti_conf_get_int(conf, "iterations", KRT_NONE);
    if (!is_count(b->epoch) || !is_count(b->batches) ||
        (*iterations != KRT_NONE && !is_count(*iterations)))
        TRY(krti_fail(b->k, KRT_E_FORMAT, NULL,
                      "%s does not say how many epochs and batches are done; remove it to "
                      "begin with the first epoch",
                      path));

done:
    krti_bytes_drop(bytes);
    krti_arena_free(&arena);
    return st;
}

static krt_status load(backup *b, krt_model *m, const char *weights, const char *metadata)
{
    const int64_t steps = krt_params(m)->steps;
    int64_t iterations = KRT_NONE, done = 0;
    krt_status st = KRT_OK;

    TRY(krt_load_weights(m, weights, NULL));
    TRY(read_metadata(b, metadata, &iterations));
    TRY(krt_iterations(m, &done));
    if (iterations != KRT_NONE && done > iterations)
        b->batches += done - iterations;
    if (steps != KRT_NONE && steps > 0) {
        b->epoch += b->batches / steps;
        b->batches %= steps;
    }
    krti_set_start(m->training, b->epoch, b->batches);

done:
    return st;
}

static krt_status on_train_begin(void *state, krt_model *m, const krt_logs *logs)
{
    backup *b = state;
    krt_status st = KRT_OK;

    (void)logs;
    b->epoch = krt_params(m)->initial_epoch;
    if (krti_path_kind_of(b->weights) != KRTI_PATH_FILE)
        return KRT_OK;
    st = load(b, m, b->weights, b->metadata);
    if (st == KRT_OK || krti_path_kind_of(b->weights_copy) != KRTI_PATH_FILE)
        return st;
    krti_warn(b->k, "%s cannot be restored (%s): the backup before it is used", b->weights,
              krt_ctx_error(b->k)->message);
    return load(b, m, b->weights_copy, b->metadata_copy);
}

/* --- saving ---------------------------------------------------------------------------------- */

static krt_status write_metadata(backup *b, krt_model *m)
{
    krti_str s = KRTI_STR_INIT(b->k);
    int64_t done = 0;
    krt_status st = krt_iterations(m, &done);

    if (st == KRT_OK)
        st = krti_str_addf(&s,
                           "{\"epoch\": %" PRId64 ", \"batch\": %" PRId64 ", \"batches\": %" PRId64
                           ", \"iterations\": %" PRId64 "}",
                           b->epoch, b->batches > 0 ? b->batches - 1 : 0, b->batches, done);
    if (st == KRT_OK)
        st = krt_write_file(b->k, b->metadata, krti_str_text(&s), s.length);
    krti_str_free(&s);
    return st;
}

static krt_status copy(backup *b, const char *from, const char *to)
{
    krti_bytes *bytes = NULL;
    krt_status st = KRT_OK;

    if (!b->a->double_checkpoint || krti_path_kind_of(from) != KRTI_PATH_FILE)
        return KRT_OK;
    st = krti_bytes_map(b->k, &bytes, from);
    if (st == KRT_OK)
        st = krt_write_file(b->k, to, bytes->data, bytes->size);
    krti_bytes_drop(bytes);
    return st;
}

static krt_status save(backup *b, krt_model *m)
{
    krt_status st = KRT_OK;

    TRY(krti_make_directory(b->k, b->a->backup_dir));
    TRY(copy(b, b->weights, b->weights_copy));
    TRY(copy(b, b->metadata, b->metadata_copy));
    TRY(krt_save_weights(m, b->weights, KRT_SAVE_WEIGHTS()));
    TRY(write_metadata(b, m));
    b->unsaved = 0;

done:
    return st;
}

static krt_status on_epoch_begin(void *state, krt_model *m, int64_t epoch, const krt_logs *logs)
{
    backup *b = state;

    (void)m;
    (void)logs;
    if (epoch != b->epoch)
        b->batches = 0;
    b->epoch = epoch;
    return KRT_OK;
}

static krt_status on_train_batch_end(void *state, krt_model *m, int64_t batch, const krt_logs *logs)
{
    backup *b = state;

    (void)logs;
    b->batches = batch + 1;
    b->unsaved++;
    return b->a->save_freq != KRT_EVERY_EPOCH && b->unsaved >= b->a->save_freq ? save(b, m)
                                                                               : KRT_OK;
}

static krt_status on_epoch_end(void *state, krt_model *m, int64_t epoch, const krt_logs *logs)
{
    backup *b = state;

    (void)logs;
    b->epoch = epoch + 1;
    b->batches = 0;
    b->is_whole = b->epoch >= krt_params(m)->epochs;
    return b->a->save_freq == KRT_EVERY_EPOCH ? save(b, m) : KRT_OK;
}

/* An interrupted training keeps its backup: the next one needs it. */
static krt_status on_train_end(void *state, krt_model *m, const krt_logs *logs)
{
    const backup *b = state;
    krt_status st = KRT_OK;

    (void)logs;
    if (!b->a->delete_checkpoint || (!b->is_whole && krti_training_is_interrupted(m->training)))
        return KRT_OK;
    TRY(krti_remove_path(b->k, b->metadata));
    TRY(krti_remove_path(b->k, b->weights));
    TRY(krti_remove_path(b->k, b->a->backup_dir));

done:
    return st;
}

static const krt_backup_args backup_defaults = {
    .spec = {sizeof backup_defaults, "BackupAndRestore"},
    .save_freq = KRT_EVERY_EPOCH,
    .delete_checkpoint = true};

static const krt_field backup_fields[] = {
    KRT_FIELD(krt_backup_args, STRING, backup_dir),
    KRT_FIELD(krt_backup_args, INT, save_freq),
    KRT_FIELD(krt_backup_args, BOOL, double_checkpoint),
    KRT_FIELD(krt_backup_args, BOOL, delete_checkpoint),
};

KRTI_STOCK(backup, "BackupAndRestore", krt_backup_args, backup_fields, .state_size = sizeof(backup),
           .init = init, .fini = fini,
           .hooks = {.on_train_begin = on_train_begin,
                     .on_train_end = on_train_end,
                     .on_epoch_begin = on_epoch_begin,
                     .on_epoch_end = on_epoch_end,
                     .on_train_batch_end = on_train_batch_end});
