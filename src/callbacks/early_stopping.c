/* EarlyStopping: training ends when the monitored number has not become better for `patience` epochs; the
 * best epoch's weights may come back. Keras: callbacks/early_stopping.py. */
#include "callbacks/monitor.h"
#include "callbacks/stock.h"
#include "callbacks/snapshot.h"

#include <inttypes.h>
#include <math.h>

typedef struct early_stopping {
    const krt_early_stopping_args *a;
    krti_monitor monitor;
    krti_snapshot best;
    int64_t wait, stopped, best_epoch; /* stopped 0: it has not */
} early_stopping;

static krt_status init(void *state, krt_model *m, const void *args)
{
    early_stopping *e = state;

    (void)m;
    e->a = args;
    return krti_monitor_init(
        &e->monitor, krti_stock(e),
        &(krti_monitor_args){"EarlyStopping", e->a->monitor, e->a->mode, NAN, e->a->min_delta});
}

static void fini(void *state)
{
    krti_snapshot_free(&((early_stopping *)state)->best, krti_stock(state)->k);
}

static krt_status improve(early_stopping *e, krt_model *m, int64_t epoch, double value)
{
    const bool has_baseline = !isnan(e->a->baseline);

    e->monitor.best = value;
    e->monitor.has_best = true;
    e->best_epoch = epoch;
    if (krti_monitor_is_better(&e->monitor, value, has_baseline, e->a->baseline))
        e->wait = 0;
    return e->a->restore_best_weights ? krti_snapshot_take(&e->best, m) : KRT_OK;
}

static krt_status on_epoch_end(void *state, krt_model *m, int64_t epoch, const krt_logs *logs)
{
    early_stopping *e = state;
    double value = 0;
    krt_status st = KRT_OK;

    if (!krti_monitor_read(&e->monitor, "Early stopping conditioned on metric", m->base.owned.k,
                           logs, &value) ||
        epoch < e->a->start_from_epoch)
        return KRT_OK;
    e->wait++;
    if (krti_monitor_is_better(&e->monitor, value, e->monitor.has_best, e->monitor.best))
        return improve(e, m, epoch, value);
    if (e->a->restore_best_weights && !e->best.is_taken) {
        e->best_epoch = epoch;
        st = krti_snapshot_take(&e->best, m);
    }
    if (e->wait >= e->a->patience && epoch > 0) {
        e->stopped = epoch;
        krt_stop_training(m);
    }
    return st;
}

static krt_status on_train_end(void *state, krt_model *m, const krt_logs *logs)
{
    early_stopping *e = state;
    char line[128];

    (void)logs;
    if (e->stopped > 0 && e->a->verbose > 0) {
        snprintf(line, sizeof line, "Epoch %" PRId64 ": early stopping", e->stopped + 1);
        krti_callback_print(line);
    }
    if (!e->best.is_taken)
        return KRT_OK;
    if (e->a->verbose > 0) {
        snprintf(line, sizeof line,
                 "Restoring model weights from the end of the best epoch: %" PRId64 ".",
                 e->best_epoch + 1);
        krti_callback_print(line);
    }
    return krti_snapshot_restore(&e->best, m);
}

static const krt_early_stopping_args early_stopping_defaults = {
    .spec = {sizeof early_stopping_defaults, "EarlyStopping"},
    .monitor = "val_loss",
    .mode = "auto",
    .baseline = NAN};

static const krt_field early_stopping_fields[] = {
    KRT_FIELD(krt_early_stopping_args, STRING, monitor),
    KRT_FIELD(krt_early_stopping_args, FLOAT, min_delta),
    KRT_FIELD(krt_early_stopping_args, INT, patience),
    KRT_FIELD(krt_early_stopping_args, INT, verbose),
    KRT_FIELD(krt_early_stopping_args, STRING, mode),
    KRT_FIELD(krt_early_stopping_args, FLOAT, baseline),
    KRT_FIELD(krt_early_stopping_args, BOOL, restore_best_weights),
    KRT_FIELD(krt_early_stopping_args, INT, start_from_epoch),
};

KRTI_STOCK(early_stopping, "EarlyStopping", krt_early_stopping_args, early_stopping_fields,
           .state_size = sizeof(early_stopping), .init = init, .fini = fini,
           .hooks = {.on_epoch_end = on_epoch_end, .on_train_end = on_train_end});
