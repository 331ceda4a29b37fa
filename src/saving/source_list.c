/* Which weights an opened file holds, listed by the reader of its form. See source.h. */
#include "saving/digests.h"
#include "saving/source.h"
#include "saving/tf_checkpoint.h"

#include "formats/zip.h"

enum { IN_PLACE = 64 };

static krt_status list_archive(krti_source *f, bool check_crc)
{
    const krti_zip_member *m = krti_zip_find(f->zip, KRTI_WEIGHTS_MEMBER);
    krti_bytes *bytes = NULL;
    size_t file = 0;
    krt_status st = KRT_OK;

    /* Where arrays can be used where they lie, as in archives of ours, a load reads none of them;
     * `keratin verify` does. */
    const bool is_in_place = m != NULL && !m->is_deflated && m->offset % IN_PLACE == 0;
    TRY(krti_zip_read(f->zip, &bytes, m, check_crc && !is_in_place));
    TRY(krti_store_add_file(f->store, bytes, KRTI_WEIGHTS_MEMBER, &file));
    TRY(krti_h5_store_list(f->store, file));

done:
    krti_bytes_drop(bytes);
    return krti_fail_in_object(f->k, st, KRTI_WEIGHTS_MEMBER);
}

/* A shard of another save than the map is noticed where both say which save they are of. */
static krt_status check_prints(const krti_source *f)
{
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < f->store->num_files; i++) {
        const krti_store_file *file = &f->store->files[i];
        const char *expected = krti_set_note_find(f->map_file, file->name);
        krti_note note;

        if (expected == NULL)
            continue;
        st = krti_note_read(file->h5, f->k, &note);
        if (st == KRT_OK && strcmp(expected, note.print) != 0)
            st = krti_fail(f->k, KRT_E_CORRUPT, file->name,
                           "the shard is of another save than %s. See what fits with: keratin "
                           "verify %s",
                           f->name, f->name);
    }
    return st;
}

static krt_status list_shards(krti_source *f, bool check)
{
    krti_str dir = KRTI_STR_INIT(f->k);
    krt_status st = KRT_OK;

    if (f->filepath == NULL)
        return krti_fail(f->k, KRT_E_UNSUPPORTED, NULL,
                         "sharded weights lie in files beside their map; open them by path");
    st = krti_path_dir(&dir, f->filepath);
    if (st == KRT_OK)
        st = krti_sharded_weights_list(f->store, f->shards, dir.ptr);
    for (size_t i = 0; st == KRT_OK && i < f->store->num_files; i++)
        f->size_bytes += (int64_t)f->store->files[i].bytes->size;
    if (st == KRT_OK && check)
        st = check_prints(f);
    krti_str_free(&dir);
    return st;
}

static krt_status list_hdf5(krti_source *f)
{
    size_t file = 0;
    const bool is_member = f->kind == KRT_FILE_KERAS_DIRECTORY;
    krt_status st =
        krti_store_add_file(f->store, f->bytes, is_member ? KRTI_WEIGHTS_MEMBER : NULL, &file);

    if (st != KRT_OK)
        return st;
    if (f->kind == KRT_FILE_LEGACY_H5 || f->kind == KRT_FILE_LEGACY_WEIGHTS_H5)
        return krti_legacy_h5_list(f->store, file, f->weights_group);
    return krti_h5_store_list(f->store, file);
}

static krt_status list_checkpoint(krti_source *f)
{
    const krt_status st = krti_tf_checkpoint_list(f->store, f->prefix);

    if (f->store->checkpoint != NULL)
        f->size_bytes = f->store->checkpoint->size_bytes;
    return st;
}

static krt_status no_weights(const krti_source *f)
{
    const bool has_npz = f->zip != NULL && krti_zip_find(f->zip, "model.weights.npz") != NULL;

    if (has_npz)
        return krti_fail(f->k, KRT_E_UNSUPPORTED, NULL,
                         "%s keeps its weights in model.weights.npz as Python pickles, which are "
                         "never executed here",
                         f->name);
    if (f->kind == KRT_FILE_KERAS_ARCHIVE || f->kind == KRT_FILE_KERAS_DIRECTORY)
        return krti_fail(
            f->k, KRT_E_FORMAT, NULL,
            "Expected a model.weights.h5 or model.weights.npz file in %s; the save may "
            "have been interrupted",
            f->name);
    return krti_fail(f->k, KRT_E_FORMAT, NULL,
                     "%s holds an architecture only. Give the weights with --weights FILE, or see "
                     "the layers with: keratin summary %s",
                     f->name, f->name);
}

krt_status krti_source_check_weights(const krti_source *f)
{
    if (f->kind != KRT_FILE_CONFIG_JSON)
        return KRT_OK;
    return krti_fail(
        f->k, KRT_E_FORMAT, NULL,
        "%s holds an architecture only, where weights are wanted. Give a file of weights, "
        "or see the layers with: keratin summary %s",
        f->name, f->name);
}

krt_status krti_source_list_once(krti_source *f, bool check)
{
    krt_status st = f->has_weights ? krti_store_new(f->k, &f->store) : no_weights(f);

    if (st != KRT_OK)
        return st;
    if (f->kind == KRT_FILE_KERAS_ARCHIVE)
        st = list_archive(f, check);
    else if (f->kind == KRT_FILE_WEIGHTS_JSON)
        st = list_shards(f, check);
    else if (f->prefix != NULL)
        st = list_checkpoint(f);
    else if (f->kind == KRT_FILE_SAFETENSORS)
        st = krti_safetensors_list(f->store, f->bytes);
    else if (f->kind == KRT_FILE_NPZ)
        st = krti_npz_list(f->store, f->bytes);
    else
        st = list_hdf5(f);
    return st == KRT_OK ? krti_store_check_declared(f->store) : st;
}
