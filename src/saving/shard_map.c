/* Keys and totals of the map, and its writing. See shard_map.h. */
#include "saving/shard_map.h"

#include "formats/json.h"
#include "saving/digests.h"

const char *krti_shard_base(krti_arena *a, const char *map_name)
{
    static const char word[] = ".weights";
    const char *dot = strrchr(map_name, '.');
    const size_t n = dot != NULL && dot != map_name ? (size_t)(dot - map_name) : strlen(map_name);
    char *base = krti_arena_alloc(a, n + 1);
    size_t length = 0;

    for (size_t i = 0; base != NULL && i < n;) {
        if (n - i >= strlen(word) && strncmp(map_name + i, word, strlen(word)) == 0)
            i += strlen(word);
        else
            base[length++] = map_name[i++];
    }
    return base;
}

double krti_shard_counted_size(const krti_save_array *a)
{
    return a->dtype == KRT_BOOL ? (double)a->size_bytes / 8 : (double)a->size_bytes;
}

krt_status krti_shard_map_key(krti_str *key, const krti_save_object *o)
{
    return krti_str_addf(key, "/%s%svars", o->path, o->path[0] != '\0' ? "/" : "");
}

krt_status krti_shard_map_add(krti_arena *a, krti_conf *map, const krti_save_object *o,
                              const char *shard)
{
    const size_t num = krti_conf_num(map);
    krti_str key = KRTI_STR_INIT(a->k);
    krti_conf *list = NULL, *name = krti_conf_string(a, shard);
    krt_status st = KRT_OK;

    TRY(krti_shard_map_key(&key, o));
    if (o->num == 1) {
        TRY(krti_conf_append(a, map, key.ptr, name));
        goto done;
    }
    if (num > 0 && strcmp(krti_conf_key_at(map, num - 1), key.ptr) == 0) {
        list = (krti_conf *)(uintptr_t)krti_conf_at(map, num - 1);
    } else {
        list = krti_conf_list(a);
        TRY(krti_conf_append(a, map, key.ptr, list));
    }
    TRY(krti_conf_add(a, list, name));

done:
    krti_str_free(&key);
    return st;
}

krt_status krti_shard_map_write(krti_arena *a, krti_txn *txn, krti_conf *total_size, krti_conf *map,
                                krti_conf *note)
{
    krti_conf *file = krti_conf_dict(a), *metadata = krti_conf_dict(a);
    krti_str text = KRTI_STR_INIT(a->k);
    krti_txn_file *f = NULL;
    krt_status st = file != NULL && metadata != NULL ? KRT_OK : KRT_E_NOMEM;

    TRY(st);
    TRY(krti_conf_set(a, metadata, "total_size", total_size));
    TRY(krti_conf_set(a, file, "metadata", metadata));
    TRY(krti_conf_set(a, file, "weight_map", map));
    if (note != NULL)
        TRY(krti_conf_set(a, file, KRTI_NOTE_NAME, note));
    TRY(krti_json_write(&text, file, 4));
    TRY(krti_txn_create_target(txn, &f));
    TRY(krti_txn_write(f, 0, text.ptr, text.length));
    TRY(krti_txn_commit(txn));

done:
    krti_str_free(&text);
    return st;
}
