/* Sharded weights: a JSON map from `vars` groups to the HDF5 files that hold them.
 *
 * The map alone decides: a group that lies in a shard but is not mapped does not exist, a group
 * mapped to two files is the sum of both. Every name is checked before the first file is opened, so
 * a map that points outside its folder opens nothing. Keras: ShardedH5IOStore in saving_lib.py.
 * Page: docs/formats/sharded_weights.md. */
#include "saving/store.h"

typedef struct sharding {
    krti_store *s;
    const char *dir;
    krti_map *opened; /* shard name -> index of its file + 1 */
} sharding;

/* "/layers/dense/vars" -> "layers/dense"; "/vars" -> "". A key without the tail is a path itself. */
static const char *object_path(krti_arena *a, const char *key)
{
    const size_t tail = strlen("/vars");
    size_t n = strlen(key);

    if (strcmp(key, "vars") == 0)
        return "";
    if (n >= tail && strcmp(key + n - tail, "/vars") == 0)
        n -= tail;
    while (n > 0 && *key == '/') {
        key++;
        n--;
    }
    return krti_arena_strndup(a, key, n);
}

/* --- names, before anything is opened --- */

static krt_status check_name(krt_ctx *k, const char *path, const krti_conf *name)
{
    const char *text = krti_conf_text(name);

    if (text == NULL)
        return krti_fail(k, KRT_E_FORMAT, path,
                         "weight_map has something other than shard names here");
    if (strlen(text) != name->as.string.length || !krti_path_is_plain_name(text))
        return krti_fail(k, KRT_E_UNSAFE, path, "shard name \"%s\" leaves the directory", text);
    return KRT_OK;
}

static krt_status check_names(krti_store *s, const char *path, const krti_conf *names)
{
    krti_map *seen = krti_map_new(s->k);
    krt_status st = seen != NULL ? KRT_OK : KRT_E_NOMEM;

    for (size_t i = 0; st == KRT_OK && i < krti_conf_num(names); i++) {
        const krti_conf *name = krti_conf_at(names, i);

        TRY(check_name(s->k, path, name));
        if (krti_map_has(seen, krti_conf_text(name)))
            TRY(krti_fail(s->k, KRT_E_FORMAT, path, "weight_map names shard \"%s\" twice here",
                          krti_conf_text(name)));
        TRY(krti_map_set(seen, krti_conf_text(name), s));
    }

done:
    krti_map_free(seen);
    return st;
}

static krt_status check_entry(krti_store *s, const char *path, const krti_conf *names)
{
    if (krti_conf_is_null(names))
        return KRT_OK;
    if (!krti_conf_is(names, KRTI_CONF_LIST))
        return check_name(s->k, path, names);
    if (krti_conf_num(names) == 0)
        return krti_fail(s->k, KRT_E_FORMAT, path, "weight_map names no shard here");
    return check_names(s, path, names);
}

static krt_status check_map(krti_store *s, const krti_conf *map)
{
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < krti_conf_num(map); i++) {
        const char *path = object_path(&s->arena, krti_conf_key_at(map, i));

        st = path != NULL ? check_entry(s, path, krti_conf_at(map, i)) : KRT_E_NOMEM;
    }
    return st;
}

/* --- shards --- */

static krt_status open_shard(sharding *w, const char *name, size_t *file)
{
    const uintptr_t known = (uintptr_t)krti_map_get(w->opened, name);
    krti_str path = KRTI_STR_INIT(w->s->k);
    krti_bytes *bytes = NULL;
    krt_status st = KRT_OK;

    *file = known - 1;
    if (known > 0)
        return KRT_OK;
    TRY(krti_path_join(&path, w->dir, name));
    st = krti_bytes_map(w->s->k, &bytes, path.ptr);
    if (st == KRT_E_NOT_FOUND)
        st = krti_fail(w->s->k, st, NULL,
                       "the shard is not there, and its map is of no use without it; copy all "
                       "files of the set");
    TRY(st);
    TRY(krti_store_add_file(w->s, bytes, name, file));
    TRY(krti_map_set(w->opened, name, (void *)(uintptr_t)(*file + 1)));

done:
    krti_bytes_drop(bytes);
    krti_fail_in_file(w->s->k, st, krti_str_text(&path));
    krti_str_free(&path);
    return st;
}

static krt_status list_from(sharding *w, const char *path, const krti_conf *name)
{
    size_t file = 0;
    krt_status st = open_shard(w, krti_conf_text(name), &file);

    if (st == KRT_OK)
        st = krti_h5_store_list_vars(w->s, file, path);
    return st;
}

static krt_status list_entry(sharding *w, const char *path, const krti_conf *names)
{
    const size_t n = krti_conf_is(names, KRTI_CONF_LIST) ? krti_conf_num(names) : 1;
    krt_status st = KRT_OK;

    if (krti_conf_is_null(names))
        return KRT_OK;
    if (krti_map_has(w->s->by_path, path))
        return krti_fail(w->s->k, KRT_E_FORMAT, path, "weight_map has two entries for one object");
    TRY(krti_store_add_object(w->s, path, krti_h5_store_role(path)));
    for (size_t i = 0; i < n; i++)
        TRY(list_from(w, path,
                      krti_conf_is(names, KRTI_CONF_LIST) ? krti_conf_at(names, i) : names));
    krti_store_sort_arrays(w->s);

done:
    return st;
}

krt_status krti_sharded_weights_list(krti_store *s, const krti_conf *map, const char *dir)
{
    sharding w = {s, dir, krti_map_new(s->k)};
    krt_status st = w.opened != NULL ? KRT_OK : KRT_E_NOMEM;

    if (st == KRT_OK && !krti_conf_is(map, KRTI_CONF_DICT))
        st = krti_fail(s->k, KRT_E_FORMAT, NULL, "weight_map is not a JSON object");
    if (st == KRT_OK)
        st = check_map(s, map);
    for (size_t i = 0; st == KRT_OK && i < krti_conf_num(map); i++) {
        const char *path = object_path(&s->arena, krti_conf_key_at(map, i));

        st = path != NULL ? list_entry(&w, path, krti_conf_at(map, i)) : KRT_E_NOMEM;
    }
    krti_map_free(w.opened);
    return st;
}
