/* ReduceLROnPlateau and LearningRateScheduler. Keras: callbacks/reduce_lr_on_plateau.py,
 * learning_rate_scheduler.py. Both report the rate that an epoch was trained with. */
#include "callbacks/monitor.h"
#include "callbacks/stock.h"

#include "base/number.h"
#include "models/model.h"

#include <inttypes.h>
#include <math.h>

static krt_status log_rate(krt_model *m)
{
    double rate = 0;
    const krt_status st = krt_learning_rate(m, &rate);

    return st == KRT_OK ? krt_add_log(m, "learning_rate", rate) : st;
}

/* "\nEpoch 3: WHO VERB learning rate to 0.001." */
static void say(int64_t epoch, const char *what, double rate)
{
    char line[192], number[KRTI_NUMBER_TEXT];

    snprintf(line, sizeof line, "\nEpoch %" PRId64 ": %s learning rate to %s.", epoch + 1, what,
             krti_number_repr(number, sizeof number, rate));
    krti_callback_print(line);
}

/* --- ReduceLROnPlateau ----------------------------------------------------------------------- */

typedef struct plateau {
    const krt_reduce_lr_args *a;
    krti_monitor monitor;
    int64_t wait, cooldown;
} plateau;

static krt_status init_plateau(void *state, krt_model *m, const void *args)
{
    plateau *p = state;
    char number[KRTI_NUMBER_TEXT];

    p->a = args;
    if (!(p->a->factor < 1))
        return krti_fail(m->base.owned.k, KRT_E_INVALID, NULL,
                         "ReduceLROnPlateau does not support a factor >= 1.0. Received factor=%s",
                         krti_number_repr(number, sizeof number, p->a->factor));
    return krti_monitor_init(
        &p->monitor, krti_stock(p),
        &(krti_monitor_args){"ReduceLROnPlateau", p->a->monitor, p->a->mode, NAN, p->a->min_delta});
}

static krt_status reduce(plateau *p, krt_model *m, int64_t epoch)
{
    double rate = 0;
    krt_status st = krt_learning_rate(m, &rate);

    if (st != KRT_OK || !(rate > (double)(float)p->a->min_lr))
        return st;
    rate *= p->a->factor;
    rate = rate > p->a->min_lr ? rate : p->a->min_lr;
    st = krt_set_learning_rate(m, rate);
    if (st == KRT_OK && p->a->verbose > 0)
        say(epoch, "ReduceLROnPlateau reducing", rate);
    p->cooldown = p->a->cooldown;
    p->wait = 0;
    return st;
}

static krt_status end_plateau(void *state, krt_model *m, int64_t epoch, const krt_logs *logs)
{
    plateau *p = state;
    double value = 0;
    const krt_status st = log_rate(m);

    if (st != KRT_OK ||
        !krti_monitor_read(&p->monitor, "Learning rate reduction is conditioned on metric",
                           m->base.owned.k, logs, &value))
        return st;
    if (p->cooldown > 0) {
        p->cooldown--;
        p->wait = 0;
    }
    if (krti_monitor_is_better(&p->monitor, value, p->monitor.has_best, p->monitor.best)) {
        p->monitor.best = value;
        p->monitor.has_best = true;
        p->wait = 0;
        return KRT_OK;
    }
    return p->cooldown == 0 && ++p->wait >= p->a->patience ? reduce(p, m, epoch) : KRT_OK;
}

static const krt_reduce_lr_args reduce_lr_defaults = {
    .spec = {sizeof reduce_lr_defaults, "ReduceLROnPlateau"},
    .monitor = "val_loss",
    .factor = 0.1,
    .patience = 10,
    .mode = "auto",
    .min_delta = 1e-4};

static const krt_field reduce_lr_fields[] = {
    KRT_FIELD(krt_reduce_lr_args, STRING, monitor), KRT_FIELD(krt_reduce_lr_args, FLOAT, factor),
    KRT_FIELD(krt_reduce_lr_args, INT, patience),   KRT_FIELD(krt_reduce_lr_args, INT, verbose),
    KRT_FIELD(krt_reduce_lr_args, STRING, mode),    KRT_FIELD(krt_reduce_lr_args, FLOAT, min_delta),
    KRT_FIELD(krt_reduce_lr_args, INT, cooldown),   KRT_FIELD(krt_reduce_lr_args, FLOAT, min_lr),
};

KRTI_STOCK(reduce_lr, "ReduceLROnPlateau", krt_reduce_lr_args, reduce_lr_fields,
           .state_size = sizeof(plateau), .init = init_plateau,
           .hooks = {.on_epoch_end = end_plateau});

/* --- LearningRateScheduler ------------------------------------------------------------------- */

typedef struct scheduler {
    const krt_lr_scheduler_args *a;
} scheduler;

static krt_status init_scheduler(void *state, krt_model *m, const void *args)
{
    scheduler *s = state;

    s->a = args;
    if (s->a->schedule == NULL)
        return krti_fail(m->base.owned.k, KRT_E_INVALID, NULL,
                         "LearningRateScheduler has no schedule");
    return KRT_OK;
}

static krt_status begin_epoch(void *state, krt_model *m, int64_t epoch, const krt_logs *logs)
{
    const scheduler *s = state;
    double rate = 0;
    krt_status st = krt_learning_rate(m, &rate);

    (void)logs;
    if (st != KRT_OK)
        return st;
    rate = s->a->schedule(s->a->user, epoch, rate);
    if (isnan(rate))
        return krti_fail(m->base.owned.k, KRT_E_INVALID, NULL,
                         "The output of the `schedule` function should be a float. Got: nan");
    st = krt_set_learning_rate(m, rate);
    if (st == KRT_OK && s->a->verbose > 0)
        say(epoch, "LearningRateScheduler setting", rate);
    return st;
}

static krt_status end_epoch(void *state, krt_model *m, int64_t epoch, const krt_logs *logs)
{
    (void)state;
    (void)epoch;
    (void)logs;
    return log_rate(m);
}

static const krt_lr_scheduler_args lr_scheduler_defaults = {
    .spec = {sizeof lr_scheduler_defaults, "LearningRateScheduler"}, .verbose = 0};

static const krt_field lr_scheduler_fields[] = {
    KRT_FIELD(krt_lr_scheduler_args, INT, verbose),
};

KRTI_STOCK(lr_scheduler, "LearningRateScheduler", krt_lr_scheduler_args, lr_scheduler_fields,
           .state_size = sizeof(scheduler), .init = init_scheduler,
           .hooks = {.on_epoch_begin = begin_epoch, .on_epoch_end = end_epoch});
