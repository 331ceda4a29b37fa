/* The lists of a legacy HDF5 file: layer_names, and weight_names under each layer.
 *
 * Group order means nothing in these files, only the attributes do, and the names in them are paths
 * below the layer's group. Keras: legacy/saving/legacy_h5_format.py. Page:
 * docs/formats/legacy_h5.md. */
#include "saving/store.h"

enum { VISIT_COST = 32 };

static const char TOP_LEVEL[] = "top_level_model_weights";

typedef struct listing {
    krti_store *s;
    size_t file;
    krti_map *seen; /* groups: two names of one group would multiply what it holds */
} listing;

static krt_status find_group(const listing *w, const char *path, krti_h5_object *group, bool *found)
{
    krti_h5 *h5 = w->s->files[w->file].h5;
    krti_h5_kind kind = KRTI_H5_GROUP;
    krt_status st = krti_h5_find(h5, krti_h5_root(h5), path, group, found);

    if (st == KRT_OK && *found)
        st = krti_h5_kind_of(h5, *group, &kind);
    if (st == KRT_OK && kind != KRTI_H5_GROUP)
        st = krti_fail(w->s->k, KRT_E_FORMAT, path,
                       "Invalid H5 file, expected Group but received Dataset");
    return krti_fail_in_object(w->s->k, st, path);
}

static krt_status see_once(const listing *w, krti_h5_object group)
{
    char key[24];

    snprintf(key, sizeof key, "%llx", (unsigned long long)group.header);
    if (krti_map_has(w->seen, key))
        return krti_fail(w->s->k, KRT_E_UNSAFE, NULL,
                         "Not allowed: H5 file with a group that is linked twice");
    return krti_map_set(w->seen, key, w->s);
}

static krt_status list_weight(const listing *w, krti_h5_object group, const char *owner,
                              const char *name)
{
    krti_store *s = w->s;
    krti_h5 *h5 = s->files[w->file].h5;
    krti_str entry = KRTI_STR_INIT(s->k);
    krti_h5_object object;
    krti_h5_kind kind = KRTI_H5_OTHER;
    bool found = false;
    krt_status st = KRT_OK;

    TRY(krti_store_spend(s, VISIT_COST));
    TRY(krti_store_join(&entry, owner, name));
    TRY(krti_h5_find(h5, group, name, &object, &found));
    if (!found)
        TRY(krti_fail(s->k, KRT_E_CORRUPT, entry.ptr,
                      "weight_names lists it, but the file does not hold it"));
    TRY(krti_h5_kind_of(h5, object, &kind));
    if (kind != KRTI_H5_DATASET)
        TRY(krti_fail(s->k, KRT_E_FORMAT, entry.ptr,
                      "Invalid H5 file, expected Dataset, received Group"));
    TRY(krti_store_add_array(s, w->file, entry.ptr, name, object));

done:
    krti_fail_in_object(s->k, st, krti_str_text(&entry));
    krti_str_free(&entry);
    return st;
}

/* One layer's group: an object and its weights in the order of weight_names. */
static krt_status list_group(const listing *w, krti_h5_object group, const char *name,
                             krti_role role)
{
    krti_h5_strings names = {0};
    bool found = false;
    krt_status st = KRT_OK;

    TRY(see_once(w, group));
    TRY(krti_store_add_object(w->s, name, role));
    TRY(krti_h5_attribute_names(w->s->files[w->file].h5, group, "weight_names", &names, &found));
    for (size_t i = 0; i < names.n; i++)
        TRY(list_weight(w, group, name, names.items[i]));

done:
    krti_free(w->s->k, names.items);
    return krti_fail_in_object(w->s->k, st, name);
}

/* A group that must be there when layer_names lists it. */
static krt_status list_named(const listing *w, const char *under, const char *name, krti_role role,
                             bool is_listed)
{
    krti_str path = KRTI_STR_INIT(w->s->k);
    krti_h5_object group;
    bool found = false;
    krt_status st = KRT_OK;

    TRY(krti_store_join(&path, under, name));
    TRY(find_group(w, path.ptr, &group, &found));
    if (!found && is_listed)
        TRY(krti_fail(w->s->k, KRT_E_CORRUPT, name,
                      "layer_names lists it, but the file does not hold it"));
    if (found)
        TRY(list_group(w, group, name, role));

done:
    krti_str_free(&path);
    return st;
}

/* Keras 0: layer_0, layer_1, ... with param_0, param_1, ... in them, counted by attributes. */
static krt_status list_params(const listing *w, krti_h5_object group, const char *name)
{
    krti_h5 *h5 = w->s->files[w->file].h5;
    char param[32];
    int64_t n = 0;
    bool found = false;
    krt_status st = KRT_OK;

    TRY(see_once(w, group));
    TRY(krti_store_add_object(w->s, name, KRTI_ROLE_WEIGHT));
    TRY(krti_h5_attribute_int(h5, group, "nb_params", &n, &found));
    for (int64_t i = 0; i < n; i++) {
        snprintf(param, sizeof param, "param_%lld", (long long)i);
        TRY(list_weight(w, group, name, param));
    }

done:
    return krti_fail_in_object(w->s->k, st, name);
}

static krt_status list_numbered(const listing *w)
{
    krti_h5 *h5 = w->s->files[w->file].h5;
    krti_h5_object group;
    char name[32];
    int64_t n = 0;
    bool found = false;
    krt_status st = krti_h5_attribute_int(h5, krti_h5_root(h5), "nb_layers", &n, &found);

    for (int64_t i = 0; st == KRT_OK && i < n; i++) {
        snprintf(name, sizeof name, "layer_%lld", (long long)i);
        TRY(find_group(w, name, &group, &found));
        if (!found)
            TRY(krti_fail(w->s->k, KRT_E_CORRUPT, name,
                          "nb_layers counts it, but the file does not hold it"));
        TRY(list_params(w, group, name));
    }

done:
    return st;
}

krt_status krti_legacy_h5_list(krti_store *s, size_t file, const char *group)
{
    const listing w = {s, file, krti_map_new(s->k)};
    krti_h5 *h5 = s->files[file].h5;
    krti_h5_strings names = {0};
    krti_h5_object object = krti_h5_root(h5);
    bool found = true;
    krt_status st = KRT_OK;

    s->is_legacy = true;
    if (w.seen == NULL)
        return KRT_E_NOMEM;
    if (group[0] == '\0' && !krti_h5_has_attribute(h5, object, "layer_names") &&
        krti_h5_has_attribute(h5, object, "nb_layers")) {
        TRY(list_numbered(&w));
        goto done;
    }
    if (group[0] != '\0')
        TRY(find_group(&w, group, &object, &found));
    TRY(krti_h5_attribute_names(h5, object, "layer_names", &names, &found));
    for (size_t i = 0; i < names.n; i++)
        TRY(list_named(&w, group, names.items[i], KRTI_ROLE_WEIGHT, true));
    TRY(list_named(&w, group, TOP_LEVEL, KRTI_ROLE_WEIGHT, false));
    TRY(list_named(&w, "", "optimizer_weights", KRTI_ROLE_OPTIMIZER, false));
    TRY(list_named(&w, "", KRTI_OPTIMIZER_GROUP, KRTI_ROLE_OPTIMIZER, false));

done:
    krti_free(s->k, names.items);
    krti_map_free(w.seen);
    return st;
}
