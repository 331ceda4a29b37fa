/* The list of outcomes, filled and read. See report.h. */
#include "saving/report.h"

static void report_destroy(void *self)
{
    krt_report *r = self;
    krt_ctx *k = r->owned.k;

    krti_free(k, r->entries);
    krti_arena_free(&r->arena);
    krti_free(k, r);
}

krt_status krti_report_new(krt_ctx *k, krt_report **out)
{
    krt_report *r = krti_alloc(k, sizeof *r);

    *out = r;
    if (r == NULL)
        return KRT_E_NOMEM;
    r->arena = (krti_arena)KRTI_ARENA_INIT(k);
    krti_own(k, &r->owned, report_destroy);
    return KRT_OK;
}

krt_status krti_report_add(krt_report *r, krt_outcome outcome, const char *path, const char *entry,
                           krt_shape expected, krt_shape found)
{
    krt_report_entry e = {
        .struct_size = sizeof e, .outcome = outcome, .expected = expected, .found = found};
    const krt_status st =
        krti_grow(r->owned.k, &r->entries, &r->capacity, r->n + 1, sizeof *r->entries);

    if (st != KRT_OK)
        return st;
    if (path != NULL && (e.path = krti_arena_strdup(&r->arena, path)) == NULL)
        return KRT_E_NOMEM;
    if (entry != NULL && (e.entry = krti_arena_strdup(&r->arena, entry)) == NULL)
        return KRT_E_NOMEM;
    r->entries[r->n++] = e;
    return KRT_OK;
}

krt_status krti_report_restored(krt_report *r, const char *entry, const char *path,
                                krt_shape expected)
{
    for (size_t i = r->n; i-- > 0;) {
        krt_report_entry *e = &r->entries[i];

        if (e->outcome != KRT_OPTIMIZER || e->path != NULL || strcmp(e->entry, entry) != 0)
            continue;
        e->path = krti_arena_strdup(&r->arena, path);
        e->expected = expected;
        return e->path != NULL ? KRT_OK : KRT_E_NOMEM;
    }
    return KRT_OK;
}

/* ------------------------------------------------------------------------------- public */

size_t krt_report_size(const krt_report *r)
{
    return r->n;
}

size_t krt_report_count(const krt_report *r, krt_outcome outcome)
{
    size_t n = 0;

    for (size_t i = 0; i < r->n; i++)
        n += r->entries[i].outcome == outcome;
    return n;
}

const krt_report_entry *krt_report_at(const krt_report *r, size_t i)
{
    return i < r->n ? &r->entries[i] : NULL;
}

void krt_report_free(krt_report *r)
{
    if (r == NULL)
        return;
    krti_disown(&r->owned);
    report_destroy(r);
}
