/* Sharded weights for writing: which array goes into which file, the map, and how a set that lies in
 * many files changes as one. Keras: ShardedH5IOStore in saving_lib.py.
 *
 * New shards first come under names with a number of their own, NAME-1a2b3c4d_00000.weights.h5; a map
 * of those names takes the old map's place, and in this step the new set begins. Then the shards get
 * Keras's plain names as second names, a map of plain names follows, and the numbered names go. Why
 * each step is there: docs/design/saving.md, "A sharded set". */
#include "saving/digests.h"
#include "saving/shard_map.h"
#include "saving/weights_writer.h"

#include "formats/json.h"

#include <time.h>

enum { NUMBER_DIGITS = 8 };

typedef struct shard {
    size_t first_piece, num_pieces;
    double size; /* of its data, as Keras counts it */
    krti_h5_image *image;
    char print[KRTI_DIGEST_TEXT];
} shard;

typedef struct sharding {
    krt_ctx *k;
    krti_arena arena;
    krti_save_list *list;
    const krti_write_options *options;
    const char *base; /* "model" of model.weights.json */
    char number[NUMBER_DIGITS + 1];
    krti_txn *txn;
    krti_path_id old; /* of the map that is there */
    bool has_made_first;
    krti_map *stale; /* names of the old set */
    krti_piece *pieces;
    size_t num_pieces, pieces_capacity;
    shard *shards;
    size_t num_shards, shards_capacity;
    double limit, total;
} sharding;

/* ------------------------------------------------------------------------------- sharing out */

static krt_status new_shard(sharding *w)
{
    const krt_status st =
        krti_grow(w->k, &w->shards, &w->shards_capacity, w->num_shards + 1, sizeof *w->shards);

    if (st == KRT_OK)
        w->shards[w->num_shards++] = (shard){.first_piece = w->num_pieces};
    return st;
}

static krt_status add_piece(sharding *w, const krti_piece *p)
{
    const krt_status st =
        krti_grow(w->k, &w->pieces, &w->pieces_capacity, w->num_pieces + 1, sizeof *w->pieces);

    if (st != KRT_OK)
        return st;
    w->pieces[w->num_pieces++] = *p;
    w->shards[w->num_shards - 1].num_pieces++;
    return KRT_OK;
}

/* The arrays of one object, in one shard or, as Keras does it, split where a shard is full. */
static krt_status share_out(sharding *w, size_t object)
{
    const krti_save_object *o = &w->list->objects[object];
    krti_piece p = {object, o->first, 0, true};
    krt_status st = KRT_OK;

    for (size_t i = o->first; i < o->first + o->num; i++) {
        const double size = krti_shard_counted_size(&w->list->arrays[i]);
        const shard *s = &w->shards[w->num_shards - 1];

        w->total += size;
        if (size > w->limit)
            krti_warn(w->k, "%s/%s alone is larger than a shard may be; it gets one of its own",
                      o->path, w->list->arrays[i].key);
        if (s->size > 0 && s->size + size > w->limit) {
            if (p.num > 0)
                TRY(add_piece(w, &p));
            p = (krti_piece){object, i, 0, p.is_first && p.num == 0};
            TRY(new_shard(w));
        }
        w->shards[w->num_shards - 1].size += size;
        p.num++;
    }
    TRY(add_piece(w, &p));

done:
    return st;
}

static krt_status share_out_all(sharding *w)
{
    krt_status st = new_shard(w);

    for (size_t i = 0; i < w->list->num_objects && st == KRT_OK; i++)
        st = share_out(w, i);
    for (size_t i = 0; i < w->num_shards && st == KRT_OK; i++) {
        const shard *s = &w->shards[i];

        st = krti_h5_image_new(w->list, &w->shards[i].image, w->pieces + s->first_piece,
                               s->num_pieces, w->options->digest);
    }
    return st;
}

/* ------------------------------------------------------------------------------- names */

static const char *shard_name(sharding *w, size_t i, bool has_number)
{
    krti_str s = KRTI_STR_INIT(w->k);
    const char *name = NULL;

    if (krti_str_addf(&s, "%s%s%s_%05zu%s", w->base, has_number ? "-" : "",
                      has_number ? w->number : "", i, KRTI_SHARD_TAIL) == KRT_OK)
        name = krti_arena_strdup(&w->arena, s.ptr);
    krti_str_free(&s);
    return name;
}

static bool is_digits(const char *p, size_t n, const char *digits)
{
    return strspn(p, digits) >= n;
}

/* Whether a name is one of this set's with a number. */
static bool is_numbered(const sharding *w, const char *name)
{
    const char *p = name + strlen(w->base);

    return krti_starts_with(name, w->base) && p[0] == '-' &&
           is_digits(p + 1, NUMBER_DIGITS, "0123456789abcdef") && p[1 + NUMBER_DIGITS] == '_' &&
           is_digits(p + 2 + NUMBER_DIGITS, KRTI_SHARD_DIGITS, "0123456789") &&
           krti_ends_with(p, KRTI_SHARD_TAIL);
}

/* Whether a name that the old map mentions may be this set's own: others may share its files. */
static bool may_be_ours(const sharding *w, const char *name)
{
    const size_t n = strlen(w->base);

    return krti_path_is_plain_name(name) && krti_starts_with(name, w->base) &&
           (name[n] == '_' || name[n] == '-') && krti_ends_with(name, KRTI_SHARD_TAIL);
}

/* ------------------------------------------------------------------------------- the old set */

static krt_status note_stale(sharding *w, const krti_conf *names)
{
    const size_t n = krti_conf_is(names, KRTI_CONF_LIST) ? krti_conf_num(names) : 1;
    krt_status st = KRT_OK;

    for (size_t i = 0; i < n && st == KRT_OK; i++) {
        const char *name =
            krti_conf_text(krti_conf_is(names, KRTI_CONF_LIST) ? krti_conf_at(names, i) : names);

        if (name != NULL && may_be_ours(w, name))
            st = krti_map_set(w->stale, name, w);
    }
    return st;
}

/* What the old map names. A map that cannot be read names nothing: it is about to be replaced. */
static krt_status read_old_map(sharding *w, const char *filepath)
{
    krti_arena arena = KRTI_ARENA_INIT(w->k);
    krti_bytes *bytes = NULL;
    const krti_conf *old = NULL;
    krt_status st = KRT_OK;

    if (krti_path_kind_of(filepath) != KRTI_PATH_FILE)
        return KRT_OK;
    if (krti_bytes_map(w->k, &bytes, filepath) == KRT_OK &&
        krti_json_parse(&arena, &old, bytes->data, bytes->size) == KRT_OK) {
        const krti_conf *map = krti_conf_get(old, "weight_map");

        for (size_t i = 0; i < krti_conf_num(map) && st == KRT_OK; i++)
            st = note_stale(w, krti_conf_at(map, i));
        if (st == KRT_OK)
            st = note_stale(w, krti_conf_get(krti_conf_get(old, KRTI_NOTE_NAME), "stale"));
    }
    krti_bytes_drop(bytes);
    krti_arena_free(&arena);
    return st;
}

static krt_status remove_numbered(void *user, const char *name)
{
    sharding *w = user;

    if (is_numbered(w, name) && !krti_map_has(w->stale, name))
        (void)krti_txn_remove(w->txn, name);
    return KRT_OK;
}

/* ------------------------------------------------------------------------------- the map */

static krt_status make_map(sharding *w, krti_conf *map, bool has_number)
{
    krt_status st = map != NULL ? KRT_OK : KRT_E_NOMEM;

    for (size_t i = 0; i < w->num_shards && st == KRT_OK; i++) {
        const shard *s = &w->shards[i];
        const char *name = shard_name(w, i, has_number);

        for (size_t j = 0; j < s->num_pieces && st == KRT_OK; j++)
            if (w->pieces[s->first_piece + j].num > 0)
                st = name != NULL
                         ? krti_shard_map_add(
                               &w->arena, map,
                               &w->list->objects[w->pieces[s->first_piece + j].object], name)
                         : KRT_E_NOMEM;
    }
    return st;
}

/* What keratin adds: the prints, by which a shard of another save is noticed, and while the set has
 * numbered names those that the next save may remove. *out is NULL where there is nothing to say. */
static krt_status make_note(sharding *w, krti_conf **out, bool has_number)
{
    krti_arena *a = &w->arena;
    krti_conf *note = krti_set_note(a), *stale = krti_conf_list(a);
    krt_status st = note != NULL && stale != NULL ? KRT_OK : KRT_E_NOMEM;

    for (size_t i = 0; i < w->num_shards && st == KRT_OK; i++) {
        const char *name = shard_name(w, i, has_number);

        if (w->shards[i].print[0] != '\0')
            st = name != NULL ? krti_set_note_add(a, note, name, w->shards[i].print) : KRT_E_NOMEM;
        if (st == KRT_OK && has_number && (name = shard_name(w, i, false)) == NULL)
            st = KRT_E_NOMEM;
        if (st == KRT_OK && has_number)
            st = krti_map_set(w->stale, name, w);
    }
    for (size_t i = 0; has_number && i < krti_map_num(w->stale) && st == KRT_OK; i++)
        st = krti_conf_add(a, stale, krti_conf_string(a, krti_map_key_at(w->stale, i)));
    if (st == KRT_OK && has_number)
        st = krti_conf_set(a, note, "stale", stale);
    *out = has_number || w->options->digest != KRT_DIGEST_NONE ? note : NULL;
    return st;
}

static krt_status write_map(sharding *w, bool has_number)
{
    krti_arena *a = &w->arena;
    krti_conf *map = krti_conf_dict(a), *note = NULL;
    krt_status st = make_map(w, map, has_number);

    if (st == KRT_OK)
        st = make_note(w, &note, has_number);
    if (st != KRT_OK)
        return st;
    return krti_shard_map_write(
        a, w->txn, w->list->num_arrays > 0 ? krti_conf_float(a, w->total) : krti_conf_int(a, 0),
        map, note);
}

/* ------------------------------------------------------------------------------- the set */

static krt_status write_shard(sharding *w, size_t i)
{
    shard *s = &w->shards[i];
    const char *name = shard_name(w, i, true);
    krti_txn_file *f = NULL;
    krti_sink sink;
    krt_status st = KRT_OK;

    if (name == NULL)
        return KRT_E_NOMEM;
    TRY(krti_txn_create(w->txn, &f, name));
    sink = krti_txn_sink(f);
    TRY(krti_h5_image_write(s->image, &sink));
    TRY(krti_txn_finish(f));
    snprintf(s->print, sizeof s->print, "%s", krti_h5_image_print(s->image));
    krti_h5_image_free(s->image);
    s->image = NULL;

done:
    return st;
}

/* Keras opens NAME_00000.weights.h5 before it looks at the map, whatever that says: an HDF5 file has to
 * be there. */
static krt_status make_first(sharding *w)
{
    const char *first = shard_name(w, 0, false), *numbered = shard_name(w, 0, true);
    krti_str path = KRTI_STR_INIT(w->k);
    krti_h5_image *image = NULL;
    krti_txn_file *f = NULL;
    krti_sink sink;
    krt_status st = first != NULL && numbered != NULL ? KRT_OK : KRT_E_NOMEM;

    if (st == KRT_OK)
        st = krti_path_join(&path, krti_txn_dir(w->txn), first);
    if (st != KRT_OK || krti_path_kind_of(path.ptr) == KRTI_PATH_FILE)
        goto done;
    w->has_made_first = krti_path_kind_of(path.ptr) == KRTI_PATH_NONE;
    if (krti_txn_link(w->txn, numbered, first) == KRT_OK)
        goto done;
    TRY(krti_h5_image_new(w->list, &image, NULL, 0, KRT_DIGEST_NONE));
    TRY(krti_txn_create(w->txn, &f, first));
    sink = krti_txn_sink(f);
    TRY(krti_h5_image_write(image, &sink));
    TRY(krti_txn_commit(w->txn));

done:
    krti_h5_image_free(image);
    krti_str_free(&path);
    return st;
}

/* The plain names, once the new set is safe under the numbered ones. Where this fails the set stays as
 * it is: whole, under names that are not the usual ones. */
static krt_status give_plain_names(sharding *w)
{
    krt_status st = KRT_OK;

    for (size_t i = 0; i < w->num_shards; i++) {
        const char *from = shard_name(w, i, true), *to = shard_name(w, i, false);

        if (from == NULL || to == NULL)
            return KRT_E_NOMEM;
        TRY(krti_txn_link(w->txn, from, to));
        TRY(krti_map_set(w->stale, to, NULL)); /* no longer */
    }
    for (size_t i = 0; i < krti_map_num(w->stale); i++)
        if (krti_map_value_at(w->stale, i) != NULL)
            (void)krti_txn_remove(w->txn, krti_map_key_at(w->stale, i));
    TRY(write_map(w, false));
    for (size_t i = 0; i < w->num_shards; i++) {
        const char *name = shard_name(w, i, true);

        if (name != NULL)
            (void)krti_txn_remove(w->txn, name);
    }

done:
    return st;
}

/* What a failure leaves of a set that no map names: it may be what filled the disk. */
static void remove_new(const sharding *w, const char *filepath)
{
    char name[1024];

    if (!krti_path_id_equal(krti_path_id_of(filepath), w->old))
        return; /* the map is the new one already */
    for (size_t i = 0; i < w->num_shards; i++) {
        snprintf(name, sizeof name, "%s-%s_%05zu%s", w->base, w->number, i, KRTI_SHARD_TAIL);
        krti_txn_discard(w->txn, name);
    }
    snprintf(name, sizeof name, "%s_%05d%s", w->base, 0, KRTI_SHARD_TAIL);
    if (w->has_made_first)
        krti_txn_discard(w->txn, name);
}

static krt_status write_set(sharding *w, const char *filepath)
{
    uint64_t size = 0;
    krt_status st = KRT_OK;

    for (size_t i = 0; i < w->num_shards; i++)
        size += krti_h5_image_size(w->shards[i].image);
    TRY(krti_txn_need(w->txn, size));
    for (size_t i = 0; i < w->num_shards; i++)
        TRY(write_shard(w, i));
    TRY(krti_txn_commit(w->txn));
    TRY(make_first(w));
    TRY(write_map(w, true));
    (void)give_plain_names(w);
    return KRT_OK;

done:
    remove_new(w, filepath);
    return st;
}

/* Whether a set that was here before had this number: its names are removed where they are met. */
static bool is_stale_number(const sharding *w)
{
    const size_t n = strlen(w->base);

    for (size_t i = 0; i < krti_map_num(w->stale); i++) {
        const char *name = krti_map_key_at(w->stale, i);

        if (is_numbered(w, name) && memcmp(name + n + 1, w->number, NUMBER_DIGITS) == 0)
            return true;
    }
    return false;
}

/* A number that no file of the set has or had; the time makes the first guess. */
static krt_status choose_number(sharding *w)
{
    uint32_t number = (uint32_t)time(NULL) * 0x9E3779B9u;
    krti_str path = KRTI_STR_INIT(w->k);
    krt_status st = KRT_OK;

    do {
        const char *name = NULL;

        snprintf(w->number, sizeof w->number, "%08x", number++);
        name = shard_name(w, 0, true);
        st = name != NULL ? krti_path_join(&path, krti_txn_dir(w->txn), name) : KRT_E_NOMEM;
    } while (st == KRT_OK && (krti_path_kind_of(path.ptr) != KRTI_PATH_NONE || is_stale_number(w)));
    krti_str_free(&path);
    return st;
}

static krt_status write_sharded(sharding *w, const char *filepath)
{
    krt_status st = KRT_OK;

    w->stale = krti_map_new(w->k);
    if (w->stale == NULL)
        return KRT_E_NOMEM;
    TRY(krti_txn_begin(w->k, &w->txn, filepath, w->options->sync));
    w->base = krti_shard_base(&w->arena, krti_txn_name(w->txn));
    TRY(w->base != NULL ? KRT_OK : KRT_E_NOMEM);
    TRY(read_old_map(w, filepath));
    TRY(krti_path_each(krti_txn_dir(w->txn), remove_numbered, w));
    TRY(choose_number(w));
    TRY(share_out_all(w));
    w->old = krti_path_id_of(filepath);
    TRY(write_set(w, filepath));

done:
    return st;
}

krt_status krti_write_sharded(krti_save_list *l, const char *filepath, double max_shard_bytes,
                              const krti_write_options *options)
{
    sharding w = {.k = l->k,
                  .arena = KRTI_ARENA_INIT(l->k),
                  .list = l,
                  .options = options,
                  .limit = max_shard_bytes};
    const krt_status st = write_sharded(&w, filepath);

    krti_txn_end(w.txn);
    for (size_t i = 0; i < w.num_shards; i++)
        krti_h5_image_free(w.shards[i].image);
    krti_free(w.k, w.pieces);
    krti_free(w.k, w.shards);
    krti_map_free(w.stale);
    krti_arena_free(&w.arena);
    return st == KRT_OK ? st : krti_fail_in_file(l->k, st, filepath);
}
