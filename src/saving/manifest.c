/* Lists of digests as JSON, read, written and compared with a file's arrays. See manifest.h, and
 * krt_write_digests() in <keratin/inspect.h>; Keras has nothing like it. */
#include "saving/manifest.h"

#include "formats/json.h"

static const char MARK[] = "keratin_digests";

krt_status krti_array_digest(krti_store *s, size_t array, krt_digest kind,
                             char text[KRTI_DIGEST_TEXT])
{
    krt_tensor *t = NULL;
    krti_hasher *h = NULL;
    krt_status st = KRT_OK;

    TRY(krti_hasher_new(s->k, &h, kind));
    TRY(krti_store_tensor(s, array, KRT_DTYPE_NONE, &t));
    krti_hasher_update(h, t->data, t->size_bytes);
    krti_hasher_end(h, text);

done:
    krti_tensor_let_go(t);
    krti_hasher_free(h);
    return st;
}

/* The architecture's digest is that of its JSON as Python would write it, so that it does not depend
 * on white space. */
static krt_status config_digest(const krti_source *f, krt_digest kind, char text[KRTI_DIGEST_TEXT])
{
    krti_str s = KRTI_STR_INIT(f->k);
    krti_hasher *h = NULL;
    krt_status st = KRT_OK;

    TRY(krti_hasher_new(f->k, &h, kind));
    TRY(krti_json_write(&s, f->config, -1));
    krti_hasher_update(h, s.ptr, s.length);
    krti_hasher_end(h, text);

done:
    krti_hasher_free(h);
    krti_str_free(&s);
    return st;
}

/* ------------------------------------------------------------------------------- writing */

static krt_status set_text(krti_arena *a, krti_conf *dict, const char *key, const char *text)
{
    return krti_conf_set(a, dict, key, krti_conf_string(a, text));
}

static krt_status list_digests(krti_arena *a, krti_source *f, krti_conf *root, krt_digest kind)
{
    krti_conf *arrays = krti_conf_dict(a);
    char text[KRTI_DIGEST_TEXT];
    krt_status st = arrays != NULL ? KRT_OK : KRT_E_NOMEM;

    if (st == KRT_OK)
        st = krti_conf_set(a, root, MARK, krti_conf_int(a, 1));
    if (st == KRT_OK && f->config != NULL) {
        TRY(config_digest(f, kind, text));
        TRY(set_text(a, root, "config", text));
    }
    for (size_t i = 0; st == KRT_OK && f->store != NULL && i < f->store->num_arrays; i++) {
        const krti_store_array *array = &f->store->arrays[i];

        if (array->dtype == KRT_DTYPE_NONE)
            continue;
        TRY(krti_array_digest(f->store, i, kind, text));
        TRY(set_text(a, arrays, array->entry, text));
    }
    if (st == KRT_OK)
        st = krti_conf_set(a, root, "arrays", arrays);

done:
    return st;
}

krt_status krt_write_digests(krt_ctx *k, const char *filepath, const char *out_filepath,
                             const krt_write_digests_args *args)
{
    krt_write_digests_args a;
    krti_arena arena = KRTI_ARENA_INIT(k);
    krti_str text = KRTI_STR_INIT(k);
    krti_source *f = NULL;
    krti_conf *root = krti_conf_dict(&arena);
    krt_status st = root != NULL ? KRT_OK : KRT_E_NOMEM;

    if (st == KRT_OK)
        st = krti_args_import(k, &a, KRT_WRITE_DIGESTS(), sizeof a, args);
    if (st == KRT_OK && krti_digest_name(a.digest) == NULL)
        st = krti_fail(k, KRT_E_INVALID, NULL,
                       "KRT_DIGEST_XXH3_128 or KRT_DIGEST_SHA256 is wanted for a list of digests");
    if (st == KRT_OK)
        st = krti_source_open(k, &f, filepath);
    if (st == KRT_OK && f->has_weights)
        st = krti_source_list(f, true);
    if (st == KRT_OK)
        st = krti_fail_in_file(k, list_digests(&arena, f, root, a.digest), filepath);
    if (st == KRT_OK)
        st = krti_json_write(&text, root, 1);
    if (st == KRT_OK)
        st = krti_str_add(&text, "\n");
    if (st == KRT_OK)
        st = krt_write_file(k, out_filepath, text.ptr, text.length);
    krti_source_close(f);
    krti_str_free(&text);
    krti_arena_free(&arena);
    return st;
}

/* ------------------------------------------------------------------------------- checking */

/* The digests by path; from our own form or from the list that `weights --digest --json` prints. */
static krt_status take_digests(krti_arena *a, const krti_conf *c, krti_map *digests)
{
    const krti_conf *arrays = krti_conf_get(c, MARK) != NULL ? krti_conf_get(c, "arrays") : c;
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < krti_conf_num(arrays); i++) {
        const krti_conf *item = krti_conf_at(arrays, i);
        const char *text = krti_conf_text(item), *digits = krti_conf_get_text(item, "sha256");
        const char *path = krti_conf_key_at(arrays, i);
        krti_str full = KRTI_STR_INIT(a->k);

        if (krti_conf_is(arrays, KRTI_CONF_LIST)) {
            path = krti_conf_get_text(item, "path");
            text = NULL;
            if (digits != NULL && krti_str_addf(&full, "sha256:%s", digits) == KRT_OK)
                text = krti_arena_strdup(a, full.ptr);
        }
        krti_str_free(&full);
        if (path == NULL || text == NULL || krti_digest_kind_of(text) == KRT_DIGEST_NONE)
            return krti_fail(
                a->k, KRT_E_FORMAT, path,
                "no digest here, expected \"sha256:\" or \"xxh3-128:\" and hex digits");
        st = krti_map_set(digests, path, (void *)(uintptr_t)text);
    }
    return st;
}

static krt_status read_manifest(krti_arena *a, const char *filepath, krti_map *digests,
                                const char **config)
{
    krti_bytes *bytes = NULL;
    const krti_conf *c = NULL;
    krt_status st = krti_bytes_map(a->k, &bytes, filepath);

    if (st == KRT_OK)
        st = krti_json_parse(a, &c, bytes->data, bytes->size);
    if (st == KRT_OK && !krti_conf_is(c, KRTI_CONF_LIST) && krti_conf_get(c, MARK) == NULL)
        st = krti_fail(a->k, KRT_E_FORMAT, NULL,
                       "this is no list of digests; write one with: keratin verify FILE "
                       "--write-digests DIGESTS");
    if (st == KRT_OK)
        st = take_digests(a, c, digests);
    *config = krti_conf_get_text(c, "config");
    krti_bytes_drop(bytes);
    return krti_fail_in_file(a->k, st, filepath);
}

static krt_status check_array(krt_findings *out, krti_store *s, size_t i, const char *wanted)
{
    const krti_store_array *a = &s->arrays[i];
    char found[KRTI_DIGEST_TEXT];
    krt_status st = KRT_OK;

    if (wanted == NULL)
        return krti_findings_add(out, "unlisted", s->files[a->file].name, a->entry,
                                 "the array is not in the list of digests");
    if (a->dtype == KRT_DTYPE_NONE)
        return krti_findings_add(out, "unreadable", s->files[a->file].name, a->entry,
                                 "elements of this type cannot be read, nor checked");
    st = krti_array_digest(s, i, krti_digest_kind_of(wanted), found);
    if (st != KRT_OK)
        return krti_findings_add_failure(out, st, s->files[a->file].name);
    if (strcmp(found, wanted) == 0)
        return KRT_OK;
    return krti_findings_add(out, "altered", s->files[a->file].name, a->entry,
                             "the array is not the one in the list of digests: %s, expected %s",
                             found, wanted);
}

static krt_status check_config(krt_findings *out, const krti_source *f, const char *wanted)
{
    char found[KRTI_DIGEST_TEXT];
    krt_status st = KRT_OK;

    if (wanted == NULL)
        return KRT_OK;
    if (f->config == NULL)
        return krti_findings_add(out, "missing", NULL, NULL,
                                 "the list of digests has an architecture, the file has none");
    if (krti_digest_kind_of(wanted) == KRT_DIGEST_NONE)
        return krti_fail(f->k, KRT_E_FORMAT, "config", "\"%s\" is no digest", wanted);
    st = config_digest(f, krti_digest_kind_of(wanted), found);
    if (st == KRT_OK && strcmp(found, wanted) != 0)
        st = krti_findings_add(out, "altered", NULL, "config",
                               "the architecture is not the one in the list of digests: %s, "
                               "expected %s",
                               found, wanted);
    return st;
}

static krt_status check_absent(krt_findings *out, const krti_map *digests, const krti_map *there)
{
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < krti_map_num(digests); i++)
        if (!krti_map_has(there, krti_map_key_at(digests, i)))
            st = krti_findings_add(out, "missing", NULL, krti_map_key_at(digests, i),
                                   "the array is in the list of digests and not in the file");
    return st;
}

krt_status krti_manifest_check(krt_findings *out, krti_source *f, const char *filepath,
                               size_t *checked)
{
    krti_arena arena = KRTI_ARENA_INIT(f->k);
    krti_map *digests = krti_map_new(f->k), *there = krti_map_new(f->k);
    krti_store *s = f->store;
    const char *config = NULL;
    krt_status st = digests != NULL && there != NULL ? KRT_OK : KRT_E_NOMEM;

    if (st == KRT_OK)
        TRY(read_manifest(&arena, filepath, digests, &config));
    for (size_t i = 0; st == KRT_OK && s != NULL && i < s->num_arrays; i++) {
        TRY(krti_map_set(there, s->arrays[i].entry, s));
        TRY(check_array(out, s, i, krti_map_get(digests, s->arrays[i].entry)));
        ++*checked;
    }
    if (st == KRT_OK)
        TRY(check_config(out, f, config));
    if (st == KRT_OK)
        TRY(check_absent(out, digests, there));

done:
    krti_map_free(digests);
    krti_map_free(there);
    krti_arena_free(&arena);
    return st;
}
