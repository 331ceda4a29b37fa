/* Fuzzes what a training finds that goes on: the log of CSVLogger, the metadata of BackupAndRestore and the
 * best value of ModelCheckpoint, each time the same bytes as all three. Seeds: fuzz/corpus/training_state. */
#include "fuzz_files.h"

#include "base/fs.h"
#include "base/sys.h"

#include <keratin/keratin.h>

enum { LIMIT = 64 << 20, EPOCHS = 2 };

static int no_sync(int fd)
{
    (void)fd;
    return 0;
}

static krt_model *make_model(krt_ctx *k, const krt_tensor *x)
{
    krt_model *m = krt_sequential(k, NULL);
    const krt_logs *logs = NULL;

    krt_add_input(m, KRT_SHAPE(1), NULL);
    krt_add(m, KRT_DENSE(1));
    if (krt_compile(m, KRT_COMPILE(.loss = KRT_ID("mse"))) != KRT_OK ||
        krt_train_on_batch(m, &logs, KRT_DATA(.num_x = 1, .x = &x, .num_y = 1, .y = &x)) != KRT_OK)
        abort();
    return m;
}

/* What was in the log is its beginning, and rows follow. */
static void check_log(krt_ctx *k, const char *path, const uint8_t *data, size_t size, bool trained)
{
    krti_bytes *log = NULL;

    if (krti_bytes_map(k, &log, path) != KRT_OK || log->size < size ||
        (size > 0 && memcmp(log->data, data, size) != 0) ||
        (trained && (log->size < size + 4 || memcmp(log->data + log->size - 2, "\r\n", 2) != 0)))
        abort();
    krti_bytes_drop(log);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *const log = fuzz_write("log.csv", data, size);
    const char *const metadata = fuzz_write("training_metadata.json", data, size);
    const char *const weights = fuzz_path("latest.weights.h5"), *const best = fuzz_path("b.keras");
    const char *const state = fuzz_write(".b.keras.best.json", data, size);
    krti_sys sys = krti_sys_posix;
    fuzz_memory memory;
    krt_ctx *k = fuzz_ctx(&memory, LIMIT + 100 * size);
    krt_tensor *x = NULL;
    krt_history *history = NULL;
    size_t num_epochs = 0;

    sys.sync = no_sync;
    k->sys = &sys;
    (void)krt_ctx_set_threads(k, 1);
    if (krt_tensor_new(k, &x, KRT_FLOAT32, KRT_SHAPE(3, 1)) != KRT_OK)
        abort();
    krt_model *m = make_model(k, x);
    if (access(weights, F_OK) != 0 && krt_save_weights(m, weights, NULL) != KRT_OK)
        abort();
    if (access(best, F_OK) != 0 && krt_save(m, best, NULL) != KRT_OK)
        abort();
    const krt_status st = krt_fit(
        m, x, x,
        KRT_FIT(.epochs = EPOCHS, .history = &history,
                .callbacks = KRT_SPECS(
                    KRT_CSV_LOGGER(log, .append = true),
                    KRT_BACKUP_AND_RESTORE(fuzz_folder, .save_freq = 1000,
                                           .delete_checkpoint = false),
                    KRT_MODEL_CHECKPOINT(best, .monitor = "loss", .save_best_only = true))));
    if (st == KRT_OK)
        (void)krt_history_get(history, "loss", &num_epochs);
    if (num_epochs > EPOCHS || access(metadata, F_OK) != 0 || access(state, F_OK) != 0)
        abort();
    check_log(k, log, data, size, num_epochs > 0);
    krt_history_free(history);
    krt_model_free(m);
    krt_tensor_free(x);
    fuzz_done(k, &memory);
    return 0;
}
