/* See incremental.h, and krt_collect_shards() in <keratin/saving.h>. New shards take the numbers
 * behind the last one, so nothing that the old map names is touched; the new map is renamed last. */
#include "saving/incremental.h"

#include "saving/digests.h"
#include "saving/shard_map.h"
#include "saving/source.h"

typedef struct increment {
    krt_ctx *k;
    krti_arena arena;
    krti_save_list *list;
    const krti_write_options *options;
    double limit, total;
    krti_txn *txn;
    const char *base; /* "model" of model.weights.json */
    krti_source *old;
    bool *is_kept; /* by object of the list */
    krti_piece *pieces;
    size_t num_pieces;
    const char **shard_of; /* by piece */
    krti_conf *note;
    size_t next;       /* number of the next shard */
    size_t next_entry; /* of the old map, likely to be asked for next */
    size_t num_written;
} increment;

/* ------------------------------------------------------------------------------- names */

/* The number of a shard's name, SIZE_MAX for the name of something else. */
static size_t number_of(const char *base, const char *name)
{
    const size_t n = strlen(base);
    size_t number = 0;

    if (!krti_starts_with(name, base) || name[n] != '_' ||
        strspn(name + n + 1, "0123456789") != KRTI_SHARD_DIGITS ||
        strcmp(name + n + 1 + KRTI_SHARD_DIGITS, KRTI_SHARD_TAIL) != 0)
        return SIZE_MAX;
    for (size_t i = 0; i < KRTI_SHARD_DIGITS; i++)
        number = number * 10 + (size_t)(name[n + 1 + i] - '0');
    return number;
}

static const char *shard_name(krti_arena *a, const char *base, size_t number)
{
    const size_t size = strlen(base) + 40;
    char *name = krti_arena_alloc(a, size);

    if (name != NULL)
        snprintf(name, size, "%s_%05zu%s", base, number, KRTI_SHARD_TAIL);
    return name;
}

static krt_status note_number(void *user, const char *name)
{
    increment *w = user;
    const size_t number = number_of(w->base, name);

    if (number != SIZE_MAX && number >= w->next)
        w->next = number + 1;
    return KRT_OK;
}

/* ------------------------------------------------------------------------------- what changed */

/* The bytes of an array as they would be written; *owned is freed by the caller. */
static krt_status bytes_of(const increment *w, const krti_save_array *a, const void **data,
                           void **owned)
{
    *owned = NULL;
    *data = a->data;
    if (a->size_bytes == 0 || (a->data != NULL && a->data_dtype == a->dtype))
        return KRT_OK;
    *owned = krti_alloc_raw(w->k, (size_t)a->size_bytes);
    *data = *owned;
    return *owned != NULL ? krti_save_array_read(w->list, a, *owned) : KRT_E_NOMEM;
}

/* The digest that the set keeps of an array, by which it need not be read; `text` is "" without. */
static krt_status kept_digest(const krti_store *s, const krti_store_array *a, char *text)
{
    char *found_text = NULL;
    size_t length = 0;
    bool found = false;
    const krt_status st = krti_h5_attribute_text(
        s->files[a->file].h5, a->header, KRTI_DIGEST_ATTRIBUTE, &found_text, &length, &found);

    text[0] = '\0';
    if (st == KRT_OK && found && krti_digest_kind_of(found_text) != KRT_DIGEST_NONE)
        snprintf(text, KRTI_DIGEST_TEXT, "%s", found_text);
    krti_free(s->k, found_text);
    return st;
}

static krt_status has_digest(krt_ctx *k, const void *data, size_t size, const char *digest,
                             bool *same)
{
    krti_hasher *h = NULL;
    char text[KRTI_DIGEST_TEXT];
    const krt_status st = krti_hasher_new(k, &h, krti_digest_kind_of(digest));

    if (st != KRT_OK)
        return st;
    krti_hasher_update(h, data, size);
    *same = strcmp(krti_hasher_end(h, text), digest) == 0;
    krti_hasher_free(h);
    return KRT_OK;
}

static krt_status is_same_array(increment *w, const krti_save_array *a, size_t old_array,
                                bool *same)
{
    krti_store *s = w->old->store;
    const krti_store_array *old = &s->arrays[old_array];
    krt_tensor *before = NULL;
    void *owned = NULL;
    char digest[KRTI_DIGEST_TEXT];
    const void *data = NULL;
    krt_status st = KRT_OK;

    *same = strcmp(a->key, old->key) == 0 && a->dtype == old->dtype &&
            krt_shape_equal(a->shape, old->shape);
    if (!*same)
        return KRT_OK;
    TRY(kept_digest(s, old, digest));
    TRY(bytes_of(w, a, &data, &owned));
    if (digest[0] != '\0') {
        TRY(has_digest(w->k, data, (size_t)a->size_bytes, digest, same));
        goto done;
    }
    TRY(krti_store_tensor(s, old_array, KRT_DTYPE_NONE, &before));
    *same = a->size_bytes == 0 || memcmp(before->data, data, (size_t)a->size_bytes) == 0;

done:
    krti_free(w->k, owned);
    krt_tensor_free(before);
    return st;
}

static krt_status compare_object(increment *w, size_t i)
{
    const krti_save_object *o = &w->list->objects[i];
    const uintptr_t found = (uintptr_t)krti_map_get(w->old->store->by_path, o->path);
    const krti_store_object *old = found > 0 ? &w->old->store->objects[found - 1] : NULL;
    bool same = o->num == 0 || (old != NULL && old->num == o->num && old->num_other == 0);
    krt_status st = KRT_OK;

    for (size_t j = 0; st == KRT_OK && same && j < o->num; j++)
        st = is_same_array(w, &w->list->arrays[o->first + j], old->first + j, &same);
    w->is_kept[i] = same;
    if (!same)
        w->num_written += o->num;
    return st;
}

/* ------------------------------------------------------------------------------- writing */

static double size_of(const increment *w, size_t object)
{
    const krti_save_object *o = &w->list->objects[object];
    double size = 0;

    for (size_t i = o->first; i < o->first + o->num; i++)
        size += krti_shard_counted_size(&w->list->arrays[i]);
    return size;
}

/* Writes one shard of these pieces. */
static krt_status write_shard(increment *w, size_t first, size_t num)
{
    const char *name = shard_name(&w->arena, w->base, w->next++);
    char print[KRTI_DIGEST_TEXT];
    krti_h5_image *image = NULL;
    krti_txn_file *f = NULL;
    krti_sink sink;
    krt_status st = name != NULL ? KRT_OK : KRT_E_NOMEM;

    if (st == KRT_OK)
        TRY(krti_h5_image_new(w->list, &image, w->pieces + first, num, w->options->digest));
    TRY(st);
    TRY(krti_txn_need(w->txn, krti_h5_image_size(image)));
    TRY(krti_txn_create(w->txn, &f, name));
    sink = krti_txn_sink(f);
    TRY(krti_h5_image_write(image, &sink));
    snprintf(print, sizeof print, "%s", krti_h5_image_print(image));
    if (print[0] != '\0')
        TRY(krti_set_note_add(&w->arena, w->note, name, print));
    for (size_t i = first; i < first + num; i++)
        w->shard_of[i] = name;

done:
    krti_h5_image_free(image);
    return st;
}

/* Groups stay whole: a shard is closed before one that does not fit any more. */
static krt_status write_changed(increment *w)
{
    double size = 0;
    size_t first = 0;
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < w->list->num_objects; i++) {
        const krti_save_object *o = &w->list->objects[i];
        const double more = size_of(w, i);

        w->total += more;
        if (w->is_kept[i])
            continue;
        if (size > 0 && size + more > w->limit) {
            TRY(write_shard(w, first, w->num_pieces - first));
            first = w->num_pieces;
            size = 0;
        }
        w->pieces[w->num_pieces++] = (krti_piece){i, o->first, o->num, true};
        size += more;
    }
    if (st == KRT_OK && w->num_pieces > first)
        st = write_shard(w, first, w->num_pieces - first);
    if (st == KRT_OK)
        st = krti_txn_commit(w->txn);

done:
    return st;
}

/* ------------------------------------------------------------------------------- the map */

/* The old map's entry for a group: its key may be spelled in three ways. A map of ours has them in
 * the order in which they are asked for. */
static const krti_conf *old_entry(increment *w, const char *key, const char *path)
{
    const char *const spellings[] = {key, key + 1, path};
    const char *next = krti_conf_key_at(w->old->shards, w->next_entry);
    const krti_conf *found = NULL;

    if (next != NULL && strcmp(next, key) == 0)
        return krti_conf_at(w->old->shards, w->next_entry++);
    for (size_t i = 0; found == NULL && i < KRTI_COUNT(spellings); i++)
        found = krti_conf_get(w->old->shards, spellings[i]);
    return found;
}

/* `shard` NULL: where the old map says. */
static krt_status add_entry(increment *w, krti_conf *map, size_t object, const char *shard)
{
    const krti_save_object *o = &w->list->objects[object];
    krti_str key = KRTI_STR_INIT(w->k);
    krti_conf *old = NULL;
    krt_status st = krti_shard_map_key(&key, o);

    if (st == KRT_OK)
        old = (krti_conf *)(uintptr_t)old_entry(w, key.ptr, o->path);
    if (st == KRT_OK && shard != NULL)
        st = krti_shard_map_add(&w->arena, map, o, shard);
    else if (st == KRT_OK)
        st = krti_conf_append(&w->arena, map, key.ptr, old);
    krti_str_free(&key);
    return st;
}

static krt_status make_map(increment *w, krti_conf *map)
{
    size_t piece = 0;
    krt_status st = map != NULL ? KRT_OK : KRT_E_NOMEM;

    for (size_t i = 0; st == KRT_OK && i < w->list->num_objects; i++) {
        const char *shard = w->is_kept[i] ? NULL : w->shard_of[piece++];

        if (w->list->objects[i].num > 0)
            st = add_entry(w, map, i, shard);
    }
    return st;
}

/* The prints of shards that stay. */
static krt_status keep_prints(increment *w)
{
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < w->old->store->num_files; i++) {
        const char *name = w->old->store->files[i].name;
        const char *print = krti_set_note_find(w->old->map_file, name);

        if (print != NULL)
            st = krti_set_note_add(&w->arena, w->note, name, print);
    }
    return st;
}

static krt_status write_map(increment *w)
{
    krti_arena *a = &w->arena;
    krti_conf *map = krti_conf_dict(a);
    const krt_status st = make_map(w, map);
    const bool has_prints = krti_conf_num(krti_conf_get(w->note, "shards")) > 0;

    return st != KRT_OK ? st
                        : krti_shard_map_write(a, w->txn, krti_conf_float(a, w->total), map,
                                               has_prints ? w->note : NULL);
}

/* ------------------------------------------------------------------------------- all */

static krt_status write_incremental(increment *w, const char *filepath)
{
    const size_t n = w->list->num_objects;
    krt_status st = KRT_OK;

    TRY(krti_txn_begin(w->k, &w->txn, filepath, w->options->sync));
    TRY(krti_source_open(w->k, &w->old, filepath));
    if (w->old->shards == NULL)
        TRY(krti_fail(w->k, KRT_E_FORMAT, NULL,
                      "is no map of sharded weights, which an incremental save adds to"));
    TRY(krti_source_list(w->old, true));
    w->base = krti_shard_base(&w->arena, krti_txn_name(w->txn));
    w->note = krti_set_note(&w->arena);
    w->is_kept = krti_arena_array(&w->arena, n + 1, sizeof *w->is_kept);
    w->pieces = krti_arena_array(&w->arena, n + 1, sizeof *w->pieces);
    w->shard_of = krti_arena_array(&w->arena, n + 1, sizeof *w->shard_of);
    if (w->base == NULL || w->note == NULL || w->is_kept == NULL || w->pieces == NULL ||
        w->shard_of == NULL)
        TRY(KRT_E_NOMEM);
    TRY(krti_path_each(krti_txn_dir(w->txn), note_number, w));
    TRY(keep_prints(w));
    for (size_t i = 0; i < n; i++)
        TRY(compare_object(w, i));
    TRY(write_changed(w));
    TRY(write_map(w));

done:
    return st;
}

krt_status krti_write_incremental(krti_save_list *l, const char *filepath, double max_shard_bytes,
                                  const krti_write_options *options, size_t *written)
{
    increment w = {.k = l->k,
                   .arena = KRTI_ARENA_INIT(l->k),
                   .list = l,
                   .options = options,
                   .limit = max_shard_bytes};
    krt_status st = KRT_OK;

    if (written != NULL)
        *written = l->num_arrays;
    if (krti_path_kind_of(filepath) == KRTI_PATH_NONE)
        return krti_write_sharded(l, filepath, max_shard_bytes, options);
    st = write_incremental(&w, filepath);
    if (written != NULL)
        *written = w.num_written;
    krti_txn_end(w.txn);
    krti_source_close(w.old);
    krti_arena_free(&w.arena);
    return st == KRT_OK ? st : krti_fail_in_file(l->k, st, filepath);
}

/* ------------------------------------------------------------------------------- collecting */

typedef struct collecting {
    krt_ctx *k;
    krti_txn *txn;
    const char *base;
    krti_map *used;  /* shards the map names */
    krti_map *found; /* shards in the directory that it does not */
} collecting;

static krt_status note_unused(void *user, const char *name)
{
    collecting *c = user;

    if (number_of(c->base, name) == SIZE_MAX || krti_map_has(c->used, name))
        return KRT_OK;
    return krti_map_set(c->found, name, c);
}

/* Keras opens the first shard whatever the map says: an empty HDF5 file will do. */
static krt_status empty_first(collecting *c, const char *name, int64_t *bytes)
{
    krti_save_list *l = NULL;
    krti_h5_image *image = NULL;
    krti_txn_file *f = NULL;
    krti_sink sink;
    krt_status st = krti_save_list_new(c->k, &l);

    if (st == KRT_OK)
        TRY(krti_h5_image_new(l, &image, NULL, 0, KRT_DIGEST_NONE));
    TRY(st);
    if (*bytes <= (int64_t)krti_h5_image_size(image)) {
        *bytes = 0;
        goto done;
    }
    *bytes -= (int64_t)krti_h5_image_size(image);
    TRY(krti_txn_create(c->txn, &f, name));
    sink = krti_txn_sink(f);
    TRY(krti_h5_image_write(image, &sink));
    TRY(krti_txn_commit(c->txn));

done:
    krti_h5_image_free(image);
    krti_save_list_free(l);
    return st;
}

static krt_status collect(collecting *c, size_t *num, int64_t *bytes)
{
    krti_str path = KRTI_STR_INIT(c->k);
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < krti_map_num(c->found); i++) {
        const char *name = krti_map_key_at(c->found, i);
        int64_t size = 0;

        TRY(krti_path_join(&path, krti_txn_dir(c->txn), name));
        size = krti_path_size(path.ptr);
        if (number_of(c->base, name) == 0)
            TRY(empty_first(c, name, &size));
        else
            TRY(krti_txn_remove(c->txn, name));
        *num += size > 0;
        *bytes += size;
    }

done:
    krti_str_free(&path);
    return st;
}

static krt_status list_used(collecting *c, const krti_store *s)
{
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < s->num_files; i++)
        st = krti_map_set(c->used, s->files[i].name, c);
    return st;
}

/* A set may be given by its map or by a directory that it fills. */
static krt_status find_map(krti_str *path, const char *filepath)
{
    const krti_path_kind kind = krti_path_kind_of(filepath);

    if (kind == KRTI_PATH_NONE)
        return krti_fail(path->k, KRT_E_NOT_FOUND, NULL, "no such file");
    return kind == KRTI_PATH_DIR ? krti_path_join(path, filepath, "model.weights.json")
                                 : krti_str_add(path, filepath);
}

krt_status krt_collect_shards(krt_ctx *k, const char *filepath, size_t *num_removed,
                              int64_t *num_bytes)
{
    collecting c = {.k = k, .used = krti_map_new(k), .found = krti_map_new(k)};
    krti_arena arena = KRTI_ARENA_INIT(k);
    krti_str path = KRTI_STR_INIT(k);
    krti_source *f = NULL;
    size_t num = 0;
    int64_t bytes = 0;
    krt_status st = c.used != NULL && c.found != NULL ? KRT_OK : KRT_E_NOMEM;

    if (st == KRT_OK)
        TRY(find_map(&path, filepath));
    TRY(st);
    TRY(krti_txn_begin(k, &c.txn, path.ptr, true)); /* the map read next is the last one */
    TRY(krti_source_open(k, &f, path.ptr));
    if (f->shards == NULL)
        TRY(krti_fail(k, KRT_E_FORMAT, NULL, "is no map of sharded weights"));
    TRY(krti_source_list(f, true)); /* a set that is not whole is not tidied */
    TRY(list_used(&c, f->store));
    c.base = krti_shard_base(&arena, krti_txn_name(c.txn));
    TRY(c.base != NULL ? KRT_OK : KRT_E_NOMEM);
    TRY(krti_path_each(krti_txn_dir(c.txn), note_unused, &c));
    TRY(collect(&c, &num, &bytes));

done:
    if (num_removed != NULL)
        *num_removed = num;
    if (num_bytes != NULL)
        *num_bytes = bytes;
    krti_txn_end(c.txn);
    krti_source_close(f);
    krti_map_free(c.used);
    krti_str_free(&path);
    krti_map_free(c.found);
    krti_arena_free(&arena);
    return st == KRT_OK ? st : krti_fail_in_file(k, st, filepath);
}
