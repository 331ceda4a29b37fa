/* Keras 3's tree of weights: <object path>/vars/0, 1, 2, ... in one HDF5 file.
 *
 * The whole tree is walked once, extra groups included, so that what the model does not ask for is
 * seen too. Links other than hard ones are refused wherever they stand, and so is a group that is
 * reached twice: both make a tree that is not a tree. Keras: H5IOStore in saving_lib.py. Page:
 * docs/formats/keras.md, sections 3 and 5. */
#include "saving/store.h"

enum { MAX_DEPTH = 128 };

static const char VARS[] = "vars";

typedef struct tree_walk {
    krti_store *s;
    krti_h5 *h5;
    size_t file;
    krti_str path; /* of the group being listed; "" for the root */
    krti_map *seen;
    int depth;
    krti_h5_object group;
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
static krt_status refuse_link(krti_h5 *h5, krt_ctx *k, krti_h5_object group, const char *name)
{
    krti_h5_object object;
    bool found = false;
    const krt_status st = krti_h5_find(h5, group, name, &object, &found);

    if (st != KRT_OK)
        return st;
    return krti_fail(k, KRT_E_UNSAFE, NULL, "Not allowed: H5 file with a link that is not hard: %s",
                     name);
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
    krti_h5_object group;
    const char *path;
} vars_walk;

static krt_status list_var(void *user, const char *name, krti_h5_object object, bool is_hard_link)
{
    vars_walk *w = user;
    krti_h5 *h5 = w->s->files[w->file].h5;
    krti_str entry = KRTI_STR_INIT(w->s->k);
    krti_h5_kind kind = KRTI_H5_OTHER;
    krt_status st = KRT_OK;

    if (!is_hard_link)
        TRY(refuse_link(h5, w->s->k, w->group, name));
    TRY(krti_h5_kind_of(h5, object, &kind));
    if (kind == KRTI_H5_DATASET) {
        TRY(krti_str_addf(&entry, "/%s%s%s/%s", w->path, w->path[0] != '\0' ? "/" : "", VARS,
                          name));
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
    vars_walk w = {s, file, group, path};

    return krti_h5_each(s->files[file].h5, group, list_var, &w);
}

krt_status krti_h5_store_list_vars(krti_store *s, size_t file, const char *path)
{
    krti_h5 *h5 = s->files[file].h5;
    krti_str full = KRTI_STR_INIT(s->k);
    krti_h5_object group;
    bool found = false;
    krti_h5_kind kind = KRTI_H5_GROUP;
    krt_status st = KRT_OK;

    TRY(krti_str_addf(&full, "%s%s%s", path, path[0] != '\0' ? "/" : "", VARS));
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
    krti_str entry = KRTI_STR_INIT(w->s->k);
    krt_status st = KRT_OK;

    TRY(krti_str_addf(&entry, "%s%s%s", krti_str_text(&w->path), w->path.length > 0 ? "/" : "",
                      name));
    TRY(krti_store_add_object(w->s, entry.ptr, KRTI_ROLE_OTHER));
    krti_str_clear(&entry);
    TRY(krti_str_addf(&entry, "/%s%s%s", krti_str_text(&w->path), w->path.length > 0 ? "/" : "",
                      name));
    TRY(krti_store_add_array(w->s, w->file, entry.ptr, name, object));

done:
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
    krt_status st = KRT_OK;

    if (!is_hard_link)
        TRY(refuse_link(w->h5, k, w->group, name));
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
    const krti_h5_object outer = w->group;
    krt_status st = enter(w, group);

    if (st != KRT_OK)
        return st;
    w->group = group;
    w->depth++;
    st = krti_h5_each(w->h5, group, list_child, w);
    w->depth--;
    w->group = outer;
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
