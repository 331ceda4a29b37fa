/* Keras 3's tree of weights: <object path>/vars/0, 1, 2, ... in one HDF5 file.
 *
 * The whole tree is walked once, extra groups included, so that what the model does not ask for is
 * seen too. Links other than hard ones are refused wherever they stand, and so is a group that is
 * reached twice: both make a tree that is not a tree. Keras: H5IOStore in saving_lib.py. Page:
 * docs/formats/keras.md, sections 3 and 5. */
#include "saving/store.h"

enum { MAX_DEPTH = 128, VISIT_COST = 32 };

static const char VARS[] = "vars";

typedef struct tree_walk {
    krti_store *s;
    krti_h5 *h5;
    size_t file;
    krti_str path; /* of the group being listed; "" for the root */
    krti_map *seen;
    int depth;
} tree_walk;

static krt_status walk_group(tree_walk *w, krti_h5_object group);

krti_role krti_h5_store_role(const char *path)
{
    const size_t n = strcspn(path, "/");

    if (n == strlen("optimizer") && strncmp(path, "optimizer", n) == 0)
        return KRTI_ROLE_OPTIMIZER;
    if (n == strlen("metrics") && strncmp(path, "metrics", n) == 0)
        return KRTI_ROLE_OTHER;
    return KRTI_ROLE_WEIGHT;
}

/* A soft or external link: looking it up says which, in Keras's words. */
static krt_status refuse_link(krti_h5 *h5, krt_ctx *k, const char *path, const char *name)
{
    krti_str full = KRTI_STR_INIT(k);
    krti_h5_object object;
    bool found = false;
    krt_status st = krti_store_join(&full, path, name);

    if (st == KRT_OK)
        st = krti_h5_find(h5, krti_h5_root(h5), full.ptr, &object, &found);
    if (st == KRT_OK)
        st = krti_fail(k, KRT_E_UNSAFE, full.ptr,
                       "Not allowed: H5 file with a link that is not hard");
    krti_str_free(&full);
    return st;
}

static krt_status enter(tree_walk *w, krti_h5_object group)
{
    char key[24];

    if (w->depth >= MAX_DEPTH)
        return krti_fail(w->s->k, KRT_E_UNSUPPORTED, krti_str_text(&w->path),
                         "groups nested more than %d deep", MAX_DEPTH);
    snprintf(key, sizeof key, "%llx", (unsigned long long)group.header);
    if (krti_map_has(w->seen, key))
        return krti_fail(w->s->k, KRT_E_UNSAFE, krti_str_text(&w->path),
                         "Not allowed: H5 file with a group that is linked twice");
    return krti_map_set(w->seen, key, w);
}

/* ------------------------------------------------------------------------------- vars */

typedef struct vars_walk {
    krti_store *s;
    size_t file;
    const char *path; /* of the group itself, "layers/dense/vars" */
} vars_walk;

static krt_status list_var(void *user, const char *name, krti_h5_object object, bool is_hard_link)
{
    vars_walk *w = user;
    krti_h5 *h5 = w->s->files[w->file].h5;
    krti_str entry = KRTI_STR_INIT(w->s->k);
    krti_h5_kind kind = KRTI_H5_OTHER;
    krt_status st = krti_store_spend(w->s, VISIT_COST);

    if (st != KRT_OK)
        return st;
    if (!is_hard_link)
        TRY(refuse_link(h5, w->s->k, w->path, name));
    TRY(krti_h5_kind_of(h5, object, &kind));
    if (kind == KRTI_H5_DATASET) {
        TRY(krti_str_addf(&entry, "/%s/%s", w->path, name));
        TRY(krti_store_add_array(w->s, w->file, entry.ptr, name, object));
    } else {
        w->s->objects[w->s->num_objects - 1].num_other++;
    }

done:
    krti_str_free(&entry);
    return krti_fail_in_object(w->s->k, st, w->path);
}

static krt_status list_vars(krti_store *s, size_t file, const char *path, krti_h5_object group)
{
    krti_str full = KRTI_STR_INIT(s->k);
    vars_walk w = {.s = s, .file = file};
    krt_status st = KRT_OK;

    TRY(krti_store_join(&full, path, VARS));
    w.path = full.ptr;
    TRY(krti_h5_each(s->files[file].h5, group, list_var, &w));

done:
    krti_str_free(&full);
    return st;
}

krt_status krti_h5_store_list_vars(krti_store *s, size_t file, const char *path)
{
    krti_h5 *h5 = s->files[file].h5;
    krti_str full = KRTI_STR_INIT(s->k);
    krti_h5_object group;
    bool found = false;
    krti_h5_kind kind = KRTI_H5_GROUP;
    krt_status st = KRT_OK;

    TRY(krti_store_join(&full, path, VARS));
    TRY(krti_h5_find(h5, krti_h5_root(h5), full.ptr, &group, &found));
    if (!found)
        goto done;
    TRY(krti_h5_kind_of(h5, group, &kind));
    if (kind != KRTI_H5_GROUP)
        TRY(krti_fail(s->k, KRT_E_FORMAT, path,
                      "Invalid H5 file, expected Group but received Dataset"));
    TRY(list_vars(s, file, path, group));

done:
    krti_str_free(&full);
    return krti_fail_in_object(s->k, st, path);
}

/* ------------------------------------------------------------------------------- tree */

/* A dataset that is nobody's variable: Keras never looks at it; a listing shows it. */
static krt_status list_stray(tree_walk *w, const char *name, krti_h5_object object)
{
    krti_str path = KRTI_STR_INIT(w->s->k), entry = KRTI_STR_INIT(w->s->k);
    krt_status st = KRT_OK;

    TRY(krti_store_join(&path, krti_str_text(&w->path), name));
    TRY(krti_str_addf(&entry, "/%s", path.ptr));
    TRY(krti_store_add_object(w->s, path.ptr, KRTI_ROLE_OTHER));
    TRY(krti_store_add_array(w->s, w->file, entry.ptr, name, object));

done:
    krti_str_free(&path);
    krti_str_free(&entry);
    return st;
}

static krt_status list_vars_of_here(tree_walk *w, krti_h5_object vars)
{
    const char *path = krti_str_text(&w->path);
    krt_status st = krti_store_add_object(w->s, path, krti_h5_store_role(path));

    if (st == KRT_OK)
        st = list_vars(w->s, w->file, path, vars);
    if (st == KRT_OK)
        krti_store_sort_arrays(w->s);
    return st;
}

static krt_status list_child(void *user, const char *name, krti_h5_object object, bool is_hard_link)
{
    tree_walk *w = user;
    krt_ctx *k = w->s->k;
    const size_t length = w->path.length;
    const bool in_vars = krti_ends_with(krti_str_text(&w->path), "/vars") ||
                         strcmp(krti_str_text(&w->path), VARS) == 0;
    krti_h5_kind kind = KRTI_H5_OTHER;
    krt_status st = krti_store_spend(w->s, VISIT_COST + length);

    if (st != KRT_OK)
        return st;
    if (!is_hard_link)
        TRY(refuse_link(w->h5, k, krti_str_text(&w->path), name));
    TRY(krti_h5_kind_of(w->h5, object, &kind));
    if (kind == KRTI_H5_DATASET && !in_vars)
        TRY(list_stray(w, name, object));
    if (kind != KRTI_H5_GROUP)
        goto done;
    if (strcmp(name, VARS) == 0)
        TRY(list_vars_of_here(w, object));
    if (length > 0)
        TRY(krti_str_add(&w->path, "/"));
    TRY(krti_str_add(&w->path, name));
    TRY(walk_group(w, object));

done:
    krti_fail_in_object(k, st, krti_str_text(&w->path));
    if (w->path.ptr != NULL && w->path.status == KRT_OK) {
        w->path.length = length;
        w->path.ptr[length] = '\0';
    }
    return st;
}

static krt_status walk_group(tree_walk *w, krti_h5_object group)
{
    krt_status st = enter(w, group);

    if (st != KRT_OK)
        return st;
    w->depth++;
    st = krti_h5_each(w->h5, group, list_child, w);
    w->depth--;
    return st;
}

krt_status krti_h5_store_list(krti_store *s, size_t file)
{
    tree_walk w = {.s = s,
                   .h5 = s->files[file].h5,
                   .file = file,
                   .path = KRTI_STR_INIT(s->k),
                   .seen = krti_map_new(s->k)};
    krt_status st = w.seen != NULL ? walk_group(&w, krti_h5_root(w.h5)) : KRT_E_NOMEM;

    krti_map_free(w.seen);
    krti_str_free(&w.path);
    return st;
}
