/* Names that two files share. See compare.h. */
#include "saving/compare.h"

#include "base/map.h"
#include "base/str.h"
#include "saving/report.h"

static krt_status names_new(krt_ctx *k, krti_labels *out, size_t n)
{
    *out = (krti_labels){.arena = KRTI_ARENA_INIT(k), .n = n};
    out->of = krti_arena_array(&out->arena, n + 1, sizeof *out->of);
    return out->of != NULL ? KRT_OK : KRT_E_NOMEM;
}

void krti_labels_free(krti_labels *n)
{
    krti_arena_free(&n->arena);
    n->of = NULL;
}

static const char *plain_entry(krti_arena *a, const char *entry)
{
    size_t n;

    entry += entry[0] == '/';
    n = strlen(entry);
    if (n > 2 && strcmp(entry + n - 2, ":0") == 0)
        n -= 2;
    return krti_arena_strndup(a, entry, n);
}

/* Legacy files have "dense/dense/kernel:0", a layer and in it the weight's own name, which others have
 * alone. */
static const char *plain_name(krti_arena *a, const krti_store *s, size_t array)
{
    const char *key = s->arrays[array].key;

    return plain_entry(a, s->is_legacy && strchr(key, '/') != NULL ? key : s->arrays[array].entry);
}

krt_status krti_labels_by_name(krt_ctx *k, krti_labels *out, const krti_store *s)
{
    krt_status st = names_new(k, out, s->num_arrays);

    for (size_t i = 0; st == KRT_OK && i < s->num_arrays; i++)
        if ((out->of[i] = plain_name(&out->arena, s, i)) == NULL)
            st = KRT_E_NOMEM;
    return st;
}

krt_status krti_labels_by_entry(krt_ctx *k, krti_labels *out, const krti_store *s)
{
    krt_status st = names_new(k, out, s->num_arrays);

    for (size_t i = 0; st == KRT_OK && i < s->num_arrays; i++)
        if ((out->of[i] = plain_entry(&out->arena, s->arrays[i].entry)) == NULL)
            st = KRT_E_NOMEM;
    return st;
}

/* Names of a model's variables; layers in two models may share one. */
typedef struct naming {
    krti_arena *arena;
    krti_map *counts, *names; /* of a path; of a variable by its address */
} naming;

static krt_status name_variable(void *user, krt_variable *v)
{
    naming *n = user;
    const char *path = krt_variable_path(v);
    const uintptr_t before = path != NULL ? (uintptr_t)krti_map_get(n->counts, path) : 0;
    krti_str name = KRTI_STR_INIT(n->arena->k);
    char key[24];
    krt_status st = path != NULL ? KRT_OK : KRT_E_NOMEM;

    snprintf(key, sizeof key, "%p", (void *)v);
    if (st != KRT_OK || krti_map_has(n->names, key))
        return st;
    TRY(krti_str_add(&name, path));
    if (before > 0)
        TRY(krti_str_addf(&name, " (%zu)", (size_t)before + 1));
    char *copy = krti_arena_strdup(n->arena, name.ptr);
    TRY(copy != NULL ? krti_map_set(n->names, key, copy) : KRT_E_NOMEM);
    TRY(krti_map_set(n->counts, path, (void *)(before + 1)));

done:
    krti_str_free(&name);
    return st;
}

static krt_status name_pairs(krti_labels *out, krt_model *m, const krti_match *match)
{
    krt_ctx *k = m->base.owned.k;
    naming n = {&out->arena, krti_map_new(k), krti_map_new(k)};
    krt_status st = n.counts != NULL && n.names != NULL ? KRT_OK : KRT_E_NOMEM;
    char key[24];

    if (st == KRT_OK)
        st = krti_layer_each_variable(&m->base, name_variable, &n);
    for (size_t i = 0; st == KRT_OK && i < match->num_pairs; i++) {
        snprintf(key, sizeof key, "%p", (void *)match->pairs[i].variable);
        out->of[match->pairs[i].array] = krti_map_get(n.names, key);
    }
    krti_map_free(n.counts);
    krti_map_free(n.names);
    return st;
}

krt_status krti_labels_by_model(krt_ctx *k, krti_labels *out, krt_model *m, const krti_source *f,
                                bool *fits)
{
    krti_match match = {.k = k};
    const krti_store *s = f->store;
    krt_status st = names_new(k, out, s->num_arrays);

    if (st == KRT_OK)
        st = krti_load_match(&match, m, f);
    *fits = st == KRT_OK;
    if (st == KRT_E_MISMATCH) /* what fits has a name, and the rest keeps its own */
        st = KRT_OK;
    if (st == KRT_OK)
        st = name_pairs(out, m, &match);
    for (size_t i = 0; st == KRT_OK && i < s->num_arrays; i++)
        if (out->of[i] == NULL && (out->of[i] = plain_name(&out->arena, s, i)) == NULL)
            st = KRT_E_NOMEM;
    krti_match_fini(&match);
    return st;
}
