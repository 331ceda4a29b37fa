/* Logs and the history of a training. See logs.h. Keras: callbacks/history.py. */
#include "training/logs.h"

/* ------------------------------------------------------------------------------- logs */

static void show(krti_logs *l)
{
    l->logs.names = l->names;
    l->logs.values = l->values;
}

krt_status krti_logs_set(krti_logs *l, const char *name, double value)
{
    const size_t n = l->logs.n;
    char *copy = NULL;
    krt_status st = KRT_OK;

    for (size_t i = 0; i < n; i++) {
        if (strcmp(l->names[i], name) == 0) {
            l->values[i] = value;
            return KRT_OK;
        }
    }
    TRY(krti_grow(l->k, &l->names, &l->names_capacity, n + 1, sizeof *l->names));
    TRY(krti_grow(l->k, &l->values, &l->values_capacity, n + 1, sizeof *l->values));
    copy = krti_strdup(l->k, name);
    if (copy == NULL)
        TRY(KRT_E_NOMEM);
    l->names[n] = copy;
    l->values[n] = value;
    l->logs.n++;

done:
    show(l);
    return st;
}

void krti_logs_sort(krti_logs *l)
{
    for (size_t i = 0; i < l->logs.n; i++) {
        const char *name = l->names[i];
        const double value = l->values[i];
        size_t j = i;

        for (; j > 0 && strcmp(l->names[j - 1], name) > 0; j--) {
            l->names[j] = l->names[j - 1];
            l->values[j] = l->values[j - 1];
        }
        l->names[j] = name;
        l->values[j] = value;
    }
}

void krti_logs_clear(krti_logs *l)
{
    for (size_t i = 0; i < l->logs.n; i++)
        krti_free(l->k, (void *)(uintptr_t)l->names[i]);
    l->logs.n = 0;
}

void krti_logs_free(krti_logs *l)
{
    krti_logs_clear(l);
    krti_free(l->k, (void *)l->names);
    krti_free(l->k, l->values);
    *l = (krti_logs){.k = l->k};
}

bool krt_logs_get(const krt_logs *logs, const char *name, double *value)
{
    for (size_t i = 0; logs != NULL && i < logs->n; i++) {
        if (strcmp(logs->names[i], name) != 0)
            continue;
        if (value != NULL)
            *value = logs->values[i];
        return true;
    }
    return false;
}

/* ------------------------------------------------------------------------------- history */

typedef struct series {
    char *name;
    double *values;
    size_t n, capacity;
} series;

struct krt_history {
    krti_owned owned;
    series *series;
    size_t num_series, series_capacity;
    int64_t *epochs;
    size_t num_epochs, epochs_capacity;
};

static void history_destroy(void *self)
{
    krt_history *h = self;
    krt_ctx *k = h->owned.k;

    for (size_t i = 0; i < h->num_series; i++) {
        krti_free(k, h->series[i].name);
        krti_free(k, h->series[i].values);
    }
    krti_free(k, h->series);
    krti_free(k, h->epochs);
    krti_free(k, h);
}

void krt_history_free(krt_history *h)
{
    if (h == NULL)
        return;
    krti_disown(&h->owned);
    history_destroy(h);
}

krt_status krti_history_new(krt_ctx *k, krt_history **out)
{
    *out = krti_alloc(k, sizeof **out);
    if (*out == NULL)
        return KRT_E_NOMEM;
    krti_own(k, &(*out)->owned, history_destroy);
    return KRT_OK;
}

static series *find(const krt_history *h, const char *name)
{
    for (size_t i = 0; i < h->num_series; i++)
        if (strcmp(h->series[i].name, name) == 0)
            return &h->series[i];
    return NULL;
}

static krt_status find_or_add(krt_history *h, const char *name, series **out)
{
    krt_ctx *k = h->owned.k;
    char *copy = NULL;
    krt_status st = KRT_OK;

    *out = find(h, name);
    if (*out != NULL)
        return KRT_OK;
    st = krti_grow(k, &h->series, &h->series_capacity, h->num_series + 1, sizeof *h->series);
    if (st != KRT_OK)
        return st;
    copy = krti_strdup(k, name);
    if (copy == NULL)
        return KRT_E_NOMEM;
    h->series[h->num_series] = (series){.name = copy};
    *out = &h->series[h->num_series++];
    return KRT_OK;
}

krt_status krti_history_add(krt_history *h, int64_t epoch, const krt_logs *logs)
{
    krt_ctx *k = h->owned.k;
    krt_status st = KRT_OK;

    TRY(krti_grow(k, &h->epochs, &h->epochs_capacity, h->num_epochs + 1, sizeof *h->epochs));
    for (size_t i = 0; i < logs->n; i++) {
        series *s = NULL;

        TRY(find_or_add(h, logs->names[i], &s));
        TRY(krti_grow(k, &s->values, &s->capacity, s->n + 1, sizeof *s->values));
        s->values[s->n++] = logs->values[i];
    }
    h->epochs[h->num_epochs++] = epoch;

done:
    return st;
}

size_t krt_history_num(const krt_history *h)
{
    return h->num_series;
}

const char *krt_history_name(const krt_history *h, size_t i)
{
    return i < h->num_series ? h->series[i].name : NULL;
}

const double *krt_history_get(const krt_history *h, const char *name, size_t *n)
{
    const series *s = find(h, name);

    *n = s != NULL ? s->n : 0;
    return s != NULL ? s->values : NULL;
}

const int64_t *krt_history_epochs(const krt_history *h, size_t *n)
{
    *n = h->num_epochs;
    return h->epochs;
}
