/* What can still be found in a file that is damaged, cut short, or made to do harm.
 *
 * The other walks stop at the first thing that is wrong, because whoever loads must not go on. Those
 * who report want the rest: how many arrays a cut file still holds, every link of a hostile one. */
#include "formats/h5_internal.h"

#include "base/map.h"

enum { MAX_DEPTH = 128, LEAST_LINK = 8 };

typedef struct survey {
    krti_h5 *f;
    krti_h5_survey_fn each;
    void *user;
    krti_str path;
    krti_map *groups; /* by address */
    uint64_t budget;
    int depth;
    size_t num_lost;
    krt_status failed; /* ours or the caller's, as opposed to the file's */
} survey;

static krt_status list_group(survey *s, krti_h5_object group);

/* Marks the group; whether it was marked before. */
static bool was_met(survey *s, krti_h5_object group)
{
    char key[24];

    snprintf(key, sizeof key, "%llx", (unsigned long long)group.header);
    if (krti_map_has(s->groups, key))
        return true;
    s->failed = krti_map_set(s->groups, key, s);
    return false;
}

static krt_status visit(void *user, const char *name, krti_h5_object object, bool is_hard_link)
{
    survey *const s = user;
    const size_t length = s->path.length;
    krti_h5_item item = {.object = object, .kind = KRTI_H5_OTHER, .is_hard_link = is_hard_link};
    krt_status st = KRT_OK;

    if (krti_h5_spend(s->f, &s->budget, LEAST_LINK, "group") != KRT_OK)
        return KRT_E_CORRUPT;
    TRY(krti_str_addf(&s->path, length == 0 ? "%s" : "/%s", name));
    item.path = s->path.ptr;
    if (is_hard_link)
        item.status = krti_h5_kind_of(s->f, object, &item.kind);
    if (item.status == KRT_E_NOMEM)
        TRY(item.status);
    item.is_again = item.kind == KRTI_H5_GROUP && was_met(s, object);
    TRY(s->failed);
    TRY(s->each(s->user, &item));
    if (item.kind == KRTI_H5_GROUP && !item.is_again && s->depth < MAX_DEPTH)
        TRY(list_group(s, object));
    s->path.length = length;
    s->path.ptr[length] = '\0';

done:
    s->failed = st;
    return st;
}

static krt_status list_group(survey *s, krti_h5_object group)
{
    s->depth++;
    const krt_status st = krti_h5_each(s->f, group, visit, s);
    s->depth--;
    if (st == KRT_E_NOMEM)
        s->failed = st;
    s->num_lost += st != KRT_OK && s->failed == KRT_OK;
    return s->failed;
}

krt_status krti_h5_survey(krti_h5 *f, krti_h5_survey_fn each, void *user, size_t *num_lost)
{
    survey s = {.f = f,
                .each = each,
                .user = user,
                .path = KRTI_STR_INIT(f->k),
                .groups = krti_map_new(f->k),
                .budget = f->size};

    if (s.groups == NULL)
        return KRT_E_NOMEM;
    if (!was_met(&s, krti_h5_root(f)) && s.failed == KRT_OK)
        list_group(&s, krti_h5_root(f));
    *num_lost = s.num_lost;
    krti_map_free(s.groups);
    krti_str_free(&s.path);
    return s.failed;
}
