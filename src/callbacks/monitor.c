/* Which way is better, and whether the name will ever be reported. See monitor.h. */
#include "callbacks/monitor.h"

#include <math.h>
#include <stdio.h>

/* False when it cannot be told. */
static bool find_direction(const struct krti_training *t, const char *name, bool *is_max)
{
    *is_max = false;
    if (strcmp(name, "loss") == 0)
        return true;
    for (size_t i = 0; i < t->num_outputs; i++) {
        const krti_trained_output *o = &t->outputs[i];

        if (o->reported != NULL && strcmp(o->reported, name) == 0)
            return true; /* the loss of one output */
        for (size_t j = 0; j < o->num_metrics; j++) {
            const krti_metric *m = &o->metrics[j].metric;

            if (strcmp(o->metrics[j].reported, name) != 0 && strcmp(m->name, name) != 0)
                continue;
            *is_max = krti_metric_direction(m) == KRTI_UP;
            return krti_metric_direction(m) != KRTI_NO_DIRECTION;
        }
    }
    return false;
}

static krt_status fail_name(krt_ctx *k, const krti_monitor_args *a, const krt_logs *there,
                            bool will_validate)
{
    krti_str s = KRTI_STR_INIT(k);
    krt_status st = KRT_OK;

    for (size_t i = 0; i < there->n; i++)
        krti_str_addf(&s, "%s%s", i > 0 ? ", " : "", there->names[i]);
    st = s.status;
    if (st == KRT_OK)
        st = krti_fail(
            k, KRT_E_INVALID, NULL, "monitor \"%s\" will never exist%s. Available: %s", a->monitor,
            krti_starts_with(a->monitor, "val_") && !will_validate ? ": no validation data" : "",
            krti_str_text(&s));
    krti_str_free(&s);
    return st;
}

krt_status krti_monitor_init(krti_monitor *m, const krti_stock_head *head,
                             const krti_monitor_args *args)
{
    struct krti_training *t = head->m->training;
    krti_logs there = KRTI_LOGS_INIT(head->k);
    const bool is_validation = krti_starts_with(args->monitor, "val_");
    krt_status st = KRT_OK;

    *m = (krti_monitor){.name = args->monitor,
                        .best = args->baseline,
                        .has_best = !isnan(args->baseline),
                        .min_delta = fabs(args->min_delta)};
    TRY(krti_expected_logs(t, head->will_validate, &there));
    if (there.logs.n > 0 && !krt_logs_get(&there.logs, args->monitor, NULL))
        TRY(fail_name(head->k, args, &there.logs, head->will_validate));
    m->is_max = strcmp(args->mode, "max") == 0;
    if (m->is_max || strcmp(args->mode, "min") == 0)
        goto done;
    if (strcmp(args->mode, "auto") != 0)
        TRY(krti_fail(head->k, KRT_E_INVALID, NULL,
                      "mode is \"%s\", expected \"auto\", \"min\" or \"max\"", args->mode));
    if (!find_direction(t, args->monitor + (is_validation ? 4 : 0), &m->is_max))
        TRY(krti_fail(head->k, KRT_E_INVALID, NULL,
                      "%s callback received monitor=%s, but Keras isn't able to automatically "
                      "determine whether that metric should be maximized or minimized. Pass "
                      "`mode='max'` in order to monitor based on the highest metric value, or pass "
                      "`mode='min'` in order to use the lowest value.",
                      args->class_name, args->monitor));

done:
    krti_logs_free(&there);
    return st;
}

bool krti_monitor_read(const krti_monitor *m, const char *who, krt_ctx *k, const krt_logs *logs,
                       double *value)
{
    krti_str s = KRTI_STR_INIT(k);

    if (krt_logs_get(logs, m->name, value))
        return true;
    for (size_t i = 0; i < logs->n; i++)
        krti_str_addf(&s, "%s%s", i > 0 ? "," : "", logs->names[i]);
    krti_warn(k, "%s `%s` which is not available. Available metrics are: %s", who, m->name,
              krti_str_text(&s));
    krti_str_free(&s);
    return false;
}

/* Keras compares as float32: ops.less() makes tensors of both. */
bool krti_monitor_is_better(const krti_monitor *m, double value, bool has_best, double best)
{
    if (!has_best)
        return true;
    return m->is_max ? (float)(value - m->min_delta) > (float)best
                     : (float)(value + m->min_delta) < (float)best;
}

void krti_callback_print(const char *line)
{
    fputs(line, stdout);
    fputc('\n', stdout);
    fflush(stdout);
}
