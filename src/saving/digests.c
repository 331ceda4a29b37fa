/* Notes and prints, made while writing and read back. See digests.h. */
#include "saving/digests.h"

#include "formats/json.h"

krt_status krti_digests_init(krt_ctx *k, krti_digests *d, krt_digest kind)
{
    *d = (krti_digests){.hasher = NULL};
    return kind != KRT_DIGEST_NONE ? krti_hasher_new(k, &d->hasher, kind) : KRT_OK;
}

void krti_digests_fini(krti_digests *d)
{
    krti_hasher_free(d->hasher);
    d->hasher = NULL;
}

void krti_digests_update(krti_digests *d, const void *data, size_t size)
{
    if (d->hasher != NULL)
        krti_hasher_update(d->hasher, data, size);
}

/* Arrays come in any order and are listed in any order, so their prints are added. */
void krti_digests_add(krti_digests *d, const char *entry, krt_dtype dtype, const char *digest)
{
    const char *const type = krt_dtype_name(dtype);
    uint64_t of_entry[2], of_all[6];

    krti_hash128(of_all, digest, strlen(digest));
    krti_hash128(of_all + 2, entry, strlen(entry));
    krti_hash128(of_all + 4, type != NULL ? type : "", type != NULL ? strlen(type) : 0);
    krti_hash128(of_entry, of_all, sizeof of_all);
    d->sum[0] += of_entry[0];
    d->sum[1] += of_entry[1];
    d->num++;
}

const char *krti_digests_end(krti_digests *d, const char *entry, krt_dtype dtype)
{
    if (d->hasher == NULL)
        return NULL;
    krti_hasher_end(d->hasher, d->text);
    krti_digests_add(d, entry, dtype, d->text);
    return d->text;
}

krt_status krti_digests_note(krti_digests *d, krti_str *note, char *print)
{
    char text[KRTI_DIGEST_TEXT];

    if (d->hasher == NULL && d->num == 0)
        return KRT_OK;
    snprintf(text, sizeof text, "%016llx%016llx", (unsigned long long)d->sum[1],
             (unsigned long long)d->sum[0]);
    if (print != NULL)
        snprintf(print, KRTI_DIGEST_TEXT, "%s", text);
    krti_str_addf(note, "{\"version\": \"%s\", \"arrays\": %zu, \"print\": \"%s\"}", KRT_VERSION,
                  d->num, text);
    d->num = 0;
    d->sum[0] = d->sum[1] = 0;
    return note->status;
}

/* ------------------------------------------------------------------------------- sets */

krti_conf *krti_set_note(krti_arena *a)
{
    krti_conf *note = krti_conf_dict(a);

    if (note == NULL ||
        krti_conf_set(a, note, "version", krti_conf_string(a, KRT_VERSION)) != KRT_OK ||
        krti_conf_set(a, note, "shards", krti_conf_dict(a)) != KRT_OK)
        return NULL;
    return note;
}

krt_status krti_set_note_add(krti_arena *a, krti_conf *note, const char *shard, const char *print)
{
    krti_conf *const shards = (krti_conf *)(uintptr_t)krti_conf_get(note, "shards");

    return krti_conf_set(a, shards, shard, krti_conf_string(a, print));
}

/* ------------------------------------------------------------------------------- reading */

static void take_note(krti_note *out, const krti_conf *c)
{
    const char *print = krti_conf_get_text(c, "print");
    const int64_t num = krti_conf_get_int(c, "arrays", -1);

    if (num < 0 || print == NULL || strlen(print) >= sizeof out->print)
        return;
    out->num_arrays = (size_t)num;
    memcpy(out->print, print, strlen(print) + 1);
}

krt_status krti_note_read(krti_h5 *h5, krt_ctx *k, krti_note *out)
{
    enum { LONGEST = 4096 };
    krti_arena arena = KRTI_ARENA_INIT(k);
    const krti_conf *c = NULL;
    char *text = NULL;
    size_t length = 0;
    bool found = false;
    krt_status st =
        krti_h5_attribute_text(h5, krti_h5_root(h5), KRTI_NOTE_NAME, &text, &length, &found);

    *out = (krti_note){0};
    if (st == KRT_E_FORMAT || st == KRT_E_UNSUPPORTED) /* no text: somebody else's attribute */
        st = KRT_OK;
    if (st == KRT_OK && found && length <= LONGEST &&
        krti_json_parse(&arena, &c, text, length) == KRT_OK)
        take_note(out, c);
    krti_free(k, text);
    krti_arena_free(&arena);
    return st;
}

const char *krti_set_note_find(const krti_conf *map_file, const char *shard)
{
    return krti_conf_get_text(krti_conf_get(krti_conf_get(map_file, KRTI_NOTE_NAME), "shards"),
                              shard);
}
