/* Verifying: reading everything a file holds and saying what is wrong. See <keratin/inspect.h>.
 *
 * In the order in which damage hides damage: the container (opening, member checksums), the set of
 * shards, each HDF5 file against the note it was saved with, each array against its digest, and all
 * arrays against the architecture, which alone can tell a valid file that holds too little: Keras
 * leaves one when a disk is full. Page: docs/design/integrity.md. */
#include "saving/cut.h"
#include "saving/digests.h"
#include "saving/load.h"
#include "saving/manifest.h"

#include "formats/zip.h"

typedef struct verifying {
    krt_ctx *k;
    krti_source *f;
    krt_findings *out;
    size_t num_digests; /* checked, the file's own */
    size_t num_aside;   /* checked against a list */
    size_t num_members;
    size_t num_sums; /* arrays that the format keeps a checksum of */
} verifying;

/* ------------------------------------------------------------------------------- archive */

static krt_status check_members(verifying *v)
{
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < krti_zip_num(v->f->zip); i++) {
        const krti_zip_member *m = krti_zip_at(v->f->zip, i);
        krti_bytes *bytes = NULL;

        st = krti_zip_read(v->f->zip, &bytes, m, true);
        krti_bytes_drop(bytes);
        if (st != KRT_OK)
            st = krti_findings_add_failure(v->out, st, m->name);
        v->num_members++;
    }
    return st;
}

/* ------------------------------------------------------------------------------- shards */

static krt_status add_shard(krti_map *shards, const krti_conf *name)
{
    const char *text = krti_conf_text(name);

    return text == NULL || !krti_path_is_plain_name(text) ? KRT_OK
                                                          : krti_map_set(shards, text, shards);
}

/* The shards that the map names; what it says that is no name the listing will refuse. */
static krt_status list_names(const krti_conf *map, krti_map *shards)
{
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < krti_conf_num(map); i++) {
        const krti_conf *names = krti_conf_at(map, i);

        if (!krti_conf_is(names, KRTI_CONF_LIST))
            st = add_shard(shards, names);
        for (size_t j = 0;
             st == KRT_OK && krti_conf_is(names, KRTI_CONF_LIST) && j < krti_conf_num(names); j++)
            st = add_shard(shards, krti_conf_at(names, j));
    }
    return st;
}

/* Keras opens NAME_00000.weights.h5 first, whether or not the map names it. */
static krt_status add_first_shard(const krti_source *f, krti_map *shards)
{
    static const char tail[] = ".weights.json";
    const char *name = krti_path_name(f->filepath);
    krti_str first = KRTI_STR_INIT(f->k);
    krt_status st = KRT_OK;

    if (!krti_ends_with(name, tail))
        return KRT_OK;
    st = krti_str_add_n(&first, name, strlen(name) - strlen(tail));
    if (st == KRT_OK)
        st = krti_str_add(&first, "_00000.weights.h5");
    if (st == KRT_OK)
        st = krti_map_set(shards, first.ptr, shards);
    krti_str_free(&first);
    return st;
}

/* Whether all shards are there; each that is not is a finding. */
static krt_status check_shards(verifying *v, bool *all)
{
    krti_str dir = KRTI_STR_INIT(v->k), path = KRTI_STR_INIT(v->k);
    krti_map *shards = krti_map_new(v->k);
    krt_status st = shards != NULL ? KRT_OK : KRT_E_NOMEM;

    *all = true;
    if (st == KRT_OK)
        TRY(list_names(v->f->shards, shards));
    if (st == KRT_OK)
        TRY(add_first_shard(v->f, shards));
    if (st == KRT_OK)
        TRY(krti_path_dir(&dir, v->f->filepath));
    for (size_t i = 0; st == KRT_OK && i < krti_map_num(shards); i++) {
        const char *name = krti_map_key_at(shards, i);

        TRY(krti_path_join(&path, dir.ptr, name));
        if (krti_path_kind_of(path.ptr) == KRTI_PATH_FILE)
            continue;
        *all = false;
        TRY(krti_findings_add(v->out, "missing", name, NULL,
                              "the shard is not there; %s is of no use without it", v->f->name));
    }

done:
    krti_map_free(shards);
    krti_str_free(&dir);
    krti_str_free(&path);
    return st;
}

/* metadata.total_size is the sum of all arrays, a bool counting one bit. */
static krt_status check_total(verifying *v)
{
    const krti_store *s = v->f->store;
    double said = 0, bits = 0;

    if (!krti_conf_as_float(krti_conf_get(krti_conf_get(v->f->map_file, "metadata"), "total_size"),
                            &said))
        return KRT_OK;
    for (size_t i = 0; i < s->num_arrays; i++)
        bits += (double)s->arrays[i].size_bytes * (s->arrays[i].dtype == KRT_BOOL ? 1 : 8);
    if (said == bits / 8)
        return KRT_OK;
    return krti_findings_add(v->out, "mixed", NULL, NULL,
                             "the map speaks of %.17g bytes of arrays, the shards hold %.17g: they "
                             "are not of one save",
                             said, bits / 8);
}

/* ------------------------------------------------------------------------------- notes */

/* What a file holds, against the note at its root. */
typedef struct noted {
    krti_h5 *h5;
    krt_ctx *k;
    krti_digests found;
} noted;

static krt_status count_digest(void *user, const krti_h5_item *item)
{
    noted *n = user;
    krti_str entry = KRTI_STR_INIT(n->k);
    char *text = NULL;
    size_t length = 0;
    bool found = false;
    krt_dtype dtype = KRT_DTYPE_NONE;
    krt_status st = KRT_OK;

    if (item->kind != KRTI_H5_DATASET ||
        krti_h5_attribute_text(n->h5, item->object, KRTI_DIGEST_ATTRIBUTE, &text, &length,
                               &found) != KRT_OK ||
        !found)
        goto done;
    TRY(krti_str_addf(&entry, "/%s", item->path));
    TRY(krti_store_dtype(n->k, n->h5, item->object, &dtype));
    krti_digests_add(&n->found, entry.ptr, dtype, text);

done:
    krti_free(n->k, text);
    krti_str_free(&entry);
    return st;
}

static krt_status check_note(verifying *v, const krti_store_file *file)
{
    krti_note note;
    noted n = {.h5 = file->h5, .k = v->k};
    krti_str made = KRTI_STR_INIT(v->k);
    char print[KRTI_DIGEST_TEXT] = "";
    size_t num_lost = 0;
    const char *expected = krti_set_note_find(v->f->map_file, file->name != NULL ? file->name : "");
    krt_status st = krti_note_read(file->h5, v->k, &note);

    if (st != KRT_OK)
        return krti_findings_add_failure(v->out, st, file->name);
    if (expected != NULL && strcmp(expected, note.print) != 0)
        return krti_findings_add(v->out, "mixed", file->name, NULL,
                                 "the shard is of another save than %s", v->f->name);
    if (note.print[0] == '\0')
        return KRT_OK;
    TRY(krti_h5_survey(file->h5, count_digest, &n, &num_lost));
    const size_t num = n.found.num;
    TRY(krti_digests_note(&n.found, &made, print));
    if (num < note.num_arrays)
        st = krti_findings_add(v->out, "short", file->name, NULL,
                               "%zu of the %zu arrays it was saved with are here", num,
                               note.num_arrays);
    else if (num != note.num_arrays || strcmp(print, note.print) != 0)
        st = krti_findings_add(v->out, "altered", file->name, NULL,
                               "the digests of its arrays are not those it was saved with");

done:
    krti_str_free(&made);
    return st;
}

/* ------------------------------------------------------------------------------- arrays */

/* Reads the array whole, which checks what its container has of checksums, and its digest. */
static krt_status check_array(verifying *v, size_t i)
{
    krti_store *s = v->f->store;
    const krti_store_array *a = &s->arrays[i];
    const krti_store_file *file = &s->files[a->file];
    char found[KRTI_DIGEST_TEXT];
    char *wanted = NULL;
    size_t length = 0;
    bool has_digest = false;
    krt_status st = KRT_OK;

    if (file->h5 != NULL)
        TRY(krti_h5_attribute_text(file->h5, a->header, KRTI_DIGEST_ATTRIBUTE, &wanted, &length,
                                   &has_digest));
    if (a->dtype == KRT_DTYPE_NONE) {
        st =
            has_digest
                ? krti_findings_add(v->out, "altered", file->name, a->entry,
                                    "the array was saved with a digest, and with another type than "
                                    "the one it has now, which cannot be read")
                : krti_findings_remark(v->out, "unreadable", file->name, a->entry,
                                       "elements of this type cannot be read, nor checked");
        goto done;
    }
    const krt_digest kind = has_digest ? krti_digest_kind_of(wanted) : KRT_DIGEST_NONE;
    TRY(krti_array_digest(s, i, kind != KRT_DIGEST_NONE ? kind : KRT_DIGEST_XXH3_128, found));
    v->num_digests += kind != KRT_DIGEST_NONE;
    v->num_sums += a->raw != NULL && a->raw->sum == KRTI_SUM_CRC32C;
    if (kind != KRT_DIGEST_NONE && strcmp(found, wanted) != 0)
        st = krti_findings_add(v->out, "altered", file->name, a->entry,
                               "the array was altered after it was saved: %s, expected %s", found,
                               wanted);
    else if (has_digest && kind == KRT_DIGEST_NONE)
        st = krti_findings_add(v->out, "altered", file->name, a->entry,
                               "the array's digest was altered, \"%.80s\" is none", wanted);

done:
    krti_free(v->k, wanted);
    return st == KRT_OK ? st : krti_findings_add_failure(v->out, st, file->name);
}

static krt_status check_weights(verifying *v)
{
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < v->f->store->num_files; i++)
        if (v->f->store->files[i].h5 != NULL)
            st = check_note(v, &v->f->store->files[i]);
    for (size_t i = 0; st == KRT_OK && i < v->f->store->num_arrays; i++)
        st = check_array(v, i);
    return st;
}

/* ------------------------------------------------------------------------------- architecture */

/* A save that stopped leaves the first arrays in the model's order and none of the others. */
static bool is_short(const krt_report *r, size_t *there, size_t *wanted)
{
    *there = *wanted = 0;
    for (size_t i = 0; i < krt_report_size(r); i++) {
        const krt_report_entry *e = krt_report_at(r, i);
        const bool is_absent = e->path != NULL && e->entry == NULL;

        if (e->outcome == KRT_SKIPPED_SHAPE || e->outcome == KRT_UNEXPECTED ||
            (e->outcome == KRT_SKIPPED_COUNT && e->entry != NULL) ||
            (e->outcome == KRT_LOADED && *wanted > *there))
            return false;
        *there += e->outcome == KRT_LOADED;
        *wanted += e->outcome == KRT_LOADED || is_absent;
    }
    return *wanted > *there;
}

static krt_status add_entry(verifying *v, const krt_report_entry *e)
{
    char found[160], expected[160];

    switch (e->outcome) {
    case KRT_MISSING:
        return krti_findings_add(v->out, "missing", NULL, e->path,
                                 "the architecture has this variable %s, the file has no array for "
                                 "it",
                                 krt_shape_print(e->expected, expected, sizeof expected));
    case KRT_SKIPPED_SHAPE:
        return krti_findings_add(v->out, "shape", NULL, e->entry,
                                 "the array has shape %s, %s of the architecture %s",
                                 krt_shape_print(e->found, found, sizeof found), e->path,
                                 krt_shape_print(e->expected, expected, sizeof expected));
    case KRT_SKIPPED_COUNT:
        return krti_findings_add(v->out, "count", NULL, e->entry != NULL ? e->entry : e->path,
                                 "the layer has another number of arrays in the file than in the "
                                 "architecture");
    case KRT_UNEXPECTED:
        return krti_findings_add(v->out, "unexpected", NULL, e->entry,
                                 "the architecture has no variable for this array");
    default:
        return KRT_OK;
    }
}

static krt_status tell_misfits(verifying *v, const krt_report *r)
{
    size_t there = 0, wanted = 0;
    krt_status st = KRT_OK;

    if (is_short(r, &there, &wanted))
        TRY(krti_findings_add(v->out, "short", NULL, NULL,
                              "only the first %zu of %zu arrays are here: the save was stopped, by "
                              "a full disk perhaps",
                              there, wanted));
    for (size_t i = 0; st == KRT_OK && i < krt_report_size(r); i++)
        st = add_entry(v, krt_report_at(r, i));

done:
    return st;
}

static krt_status match_config(verifying *v, krt_model *m)
{
    krti_match match = {.k = v->k};
    krt_status st = krti_load_match(&match, m, v->f);

    if (m->cannot_run != NULL && (st == KRT_OK || st == KRT_E_MISMATCH))
        st = krti_findings_remark(v->out, "custom", NULL, NULL,
                                  "%s; what such layers hold is not held against the architecture",
                                  m->cannot_run);
    else if (st == KRT_E_MISMATCH)
        st = tell_misfits(v, match.report);
    krti_match_fini(&match);
    return st;
}

/* The weights against the architecture in the file, or in one given beside it. */
static krt_status check_config(verifying *v, const char *config)
{
    krti_source *other = NULL;
    krt_model *m = NULL;
    krt_status st = KRT_OK;

    if (config != NULL)
        TRY(krti_source_open(v->k, &other, config));
    const krti_source *architecture = other != NULL ? other : v->f;
    if (architecture->config == NULL && other == NULL)
        return KRT_OK;
    if (architecture->config == NULL)
        return krti_fail_in_file(
            v->k, krti_fail(v->k, KRT_E_FORMAT, NULL, "%s holds no architecture", other->name),
            config);
    st = krti_load_build(v->k, &m, architecture);
    if (st == KRT_OK && v->f->store != NULL)
        st = match_config(v, m);
    if (st == KRT_OK && v->f->store == NULL && v->f->kind != KRT_FILE_CONFIG_JSON &&
        krt_layer_num_weights(&m->base) > 0 && !v->f->has_weights)
        st = krti_findings_add(v->out, "short", NULL, NULL,
                               "the file has an architecture and no weights: the save was stopped, "
                               "by a full disk perhaps");
    if (st != KRT_OK)
        st = krti_findings_add_failure(v->out, st, NULL);

done:
    krt_model_free(m);
    krti_source_close(other);
    return st;
}

/* ------------------------------------------------------------------------------- all */

/* Listing first: it reads the map again where another save took its place. */
static krt_status list(verifying *v)
{
    bool all = true;
    krt_status st = KRT_OK, listed = KRT_OK;

    if (!v->f->has_weights)
        return KRT_OK;
    listed = krti_source_list(v->f, false);
    if (v->f->shards != NULL && v->f->filepath != NULL)
        TRY(check_shards(v, &all));
    if (listed != KRT_OK)
        return all || listed != KRT_E_NOT_FOUND
                   ? krti_findings_add_failure(v->out, listed,
                                               krti_failed_file(v->k, v->f->filepath))
                   : KRT_OK;
    if (v->f->shards != NULL)
        TRY(check_total(v));
    TRY(check_weights(v));

done:
    return st;
}

krt_status krti_source_verify(krti_source *f)
{
    verifying v = {.k = f->k, .f = f};
    krt_status st = krti_findings_new(f->k, &v.out);

    if (st == KRT_OK && f->zip != NULL)
        TRY(check_members(&v));
    if (st == KRT_OK && krt_findings_num_problems(v.out) == 0 && f->has_weights) {
        TRY(krti_source_list(f, f->zip == NULL)); /* members' checksums are done */
        if (f->shards != NULL)
            TRY(check_total(&v));
        TRY(check_weights(&v));
    }
    for (size_t i = 0; st == KRT_OK && i < krt_findings_size(v.out); i++) {
        const krt_finding *item = krt_findings_at(v.out, i);

        if (item->is_problem)
            st = krti_fail(f->k, KRT_E_CORRUPT, item->object != NULL ? item->object : item->file,
                           "%s", item->text);
    }

done:
    krt_findings_free(v.out);
    return st == KRT_OK || f->filepath == NULL ? st : krti_fail_in_file(f->k, st, f->filepath);
}

static krt_status summarize(verifying *v)
{
    krti_str *s = &v->out->summary;
    const krti_store *store = v->f->store;
    unsigned long long bytes = 0;

    for (size_t i = 0; store != NULL && i < store->num_arrays; i++)
        bytes += store->arrays[i].size_bytes;
    krti_str_addf(s, "%zu arrays of %llu bytes", store != NULL ? store->num_arrays : 0, bytes);
    if (v->num_members > 0)
        krti_str_addf(s, ", %zu members by their CRC", v->num_members);
    if (store != NULL && v->f->shards != NULL)
        krti_str_addf(s, ", %zu shards", store->num_files);
    if (v->num_sums > 0)
        krti_str_addf(s, ", %zu by their CRC-32C", v->num_sums);
    if (v->num_digests > 0)
        krti_str_addf(s, ", %zu digests", v->num_digests);
    else if (store != NULL && v->num_sums == 0)
        krti_str_addf(s, ", no digests of its own");
    if (v->num_aside > 0)
        krti_str_addf(s, ", %zu against the list", v->num_aside);
    return s->status;
}

static krt_status verify_opened(verifying *v, const krt_verify_args *a)
{
    krt_status st = KRT_OK;

    if (v->f->zip != NULL)
        TRY(check_members(v));
    if (krt_findings_num_problems(v->out) == 0)
        TRY(list(v));
    if (v->f->store != NULL || !v->f->has_weights)
        TRY(check_config(v, a->config));
    if (a->against != NULL)
        TRY(krti_manifest_check(v->out, v->f, a->against, &v->num_aside));
    TRY(summarize(v));

done:
    return st;
}

krt_status krt_verify(krt_ctx *k, krt_findings **out, const char *filepath,
                      const krt_verify_args *args)
{
    verifying v = {.k = k};
    krt_verify_args a;
    krt_status st = KRT_OK;

    *out = NULL;
    TRY(krti_args_import(k, &a, KRT_VERIFY(), sizeof a, args));
    TRY(krti_findings_new(k, &v.out));
    st = krti_source_open(k, &v.f, filepath);
    if (st == KRT_OK)
        st = verify_opened(&v, &a);
    else if (st == KRT_E_CORRUPT || st == KRT_E_UNSAFE)
        st = krti_findings_add_failure(v.out, st, NULL);
    if (st == KRT_OK) {
        *out = v.out;
        v.out = NULL;
    }

done:
    krti_source_close(v.f);
    krt_findings_free(v.out);
    return st == KRT_OK ? st : krti_fail_in_file(k, st, filepath);
}
