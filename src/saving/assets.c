/* Vocabularies as files beside the weights: assets/<path>/vocabulary.txt of a `.keras`, the path being
 * that of the weights. Keras: _save_state() and _load_state() of saving_lib.py, with save_assets() and
 * load_assets() of layers/preprocessing/index_lookup.py.
 *
 * A TextVectorization has its vocabulary twice, at its own path and at that of the lookup in it. */
#include "saving/assets.h"

#include "layers/lookup.h"
#include "saving/walk.h"

typedef struct loading {
    krti_asset *assets;
    size_t n;
} loading;

static krt_status path_of(krti_str *s, const char *path)
{
    return krti_str_addf(s, "assets/%s%svocabulary.txt", path, path[0] != '\0' ? "/" : "");
}

static krt_status load_own(void *user, const char *path, krt_layer *l, krt_variable *const *vars,
                           size_t n)
{
    const loading *c = user;
    krt_layer *const lookup = krti_lookup_layer(l);
    krti_str name = KRTI_STR_INIT(l->owned.k);
    krt_status st = KRT_OK;

    (void)vars;
    (void)n;
    if (lookup == NULL || lookup->index->is_given)
        return KRT_OK;
    TRY(path_of(&name, path));
    for (size_t i = 0; i < c->n; i++) {
        if (strcmp(c->assets[i].path, name.ptr) != 0)
            continue;
        TRY(krti_lookup_read(lookup, (const char *)c->assets[i].bytes->data,
                             c->assets[i].bytes->size));
        goto done;
    }
    TRY(krti_layer_fail(l, KRT_E_MISMATCH,
                        "%s is missing, where the layer's vocabulary should be among the file's "
                        "assets",
                        name.ptr));

done:
    krti_str_free(&name);
    return st == KRT_OK ? st : krti_fail_in_object(l->owned.k, st, name.ptr);
}

krt_status krti_assets_load(krt_model *m, krti_source *f)
{
    loading c = {.n = 0};
    const krti_walk walk = {.each = load_own, .user = &c, .counts_visited = true};
    krt_status st = krti_source_assets(f, &c.assets, &c.n);

    if (st == KRT_OK && c.n > 0) /* without any, Keras does not look for them either */
        st = krti_walk_model(m, &walk);
    krti_assets_free(f->k, c.assets, c.n);
    return st;
}

/* ------------------------------------------------------------------------------- saving */

typedef struct collecting {
    krt_ctx *k;
    krti_asset *assets;
    size_t n, capacity;
} collecting;

static krt_status add_asset(collecting *c, krti_str *path, krti_str *text)
{
    krti_bytes *bytes = NULL;
    const size_t size = text->length;
    char *const copy = size > 0 ? krti_str_take(text) : NULL;
    krt_status st = krti_bytes_take(c->k, &bytes, copy, size);

    if (st != KRT_OK) {
        krti_free(c->k, copy);
        return st;
    }
    TRY(krti_grow(c->k, &c->assets, &c->capacity, c->n + 1, sizeof *c->assets));
    char *const name = krti_str_take(path);
    TRY(name != NULL ? KRT_OK : KRT_E_NOMEM);
    c->assets[c->n++] = (krti_asset){name, krti_bytes_use(bytes)};

done:
    krti_bytes_drop(bytes);
    return st;
}

static krt_status collect_own(void *user, const char *path, krt_layer *l, krt_variable *const *vars,
                              size_t n)
{
    collecting *const c = user;
    const krt_layer *const lookup = krti_lookup_layer(l);
    krti_str name = KRTI_STR_INIT(c->k), text = KRTI_STR_INIT(c->k);
    bool has = false;
    krt_status st = KRT_OK;

    (void)vars;
    (void)n;
    if (lookup == NULL)
        return KRT_OK;
    TRY(krti_lookup_write(lookup, &text, &has));
    if (!has)
        goto done;
    TRY(path_of(&name, path));
    TRY(add_asset(c, &name, &text));

done:
    krti_str_free(&name);
    krti_str_free(&text);
    return st;
}

krt_status krti_assets_of(krt_ctx *k, krt_model *m, krti_asset **out, size_t *n)
{
    collecting c = {.k = k};
    const krti_walk walk = {.each = collect_own, .user = &c, .counts_visited = true};
    const krt_status st = krti_walk_model(m, &walk);

    *out = NULL;
    *n = 0;
    if (st != KRT_OK) {
        krti_assets_free(k, c.assets, c.n);
        return st;
    }
    *out = c.assets;
    *n = c.n;
    return KRT_OK;
}
