/* Names that two files share. See compare.h. */
#include "saving/compare.h"

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

krt_status krti_labels_by_model(krt_ctx *k, krti_labels *out, krt_model *m, const krti_source *f)
{
    krti_match match = {.k = k};
    const krti_store *s = f->store;
    krt_status st = names_new(k, out, s->num_arrays);

    if (st == KRT_OK)
        st = krti_load_match(&match, m, f);
    if (st == KRT_E_MISMATCH) /* what fits has a name, and the rest keeps its own */
        st = KRT_OK;
    for (size_t i = 0; st == KRT_OK && i < match.num_pairs; i++) {
        const char *path = krt_variable_path(match.pairs[i].variable);

        out->of[match.pairs[i].array] = path != NULL ? krti_arena_strdup(&out->arena, path) : NULL;
    }
    for (size_t i = 0; st == KRT_OK && i < s->num_arrays; i++)
        if (out->of[i] == NULL && (out->of[i] = plain_name(&out->arena, s, i)) == NULL)
            st = KRT_E_NOMEM;
    krti_match_fini(&match);
    return st;
}
