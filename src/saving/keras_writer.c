/* See keras_writer.h. Member by member what Keras writes; the HDF5 image streams into the archive, at
 * a position that lets its arrays be used where they lie. Page: docs/formats/keras.md. */
#include "saving/keras_writer.h"

#include "formats/zip.h"
#include "formats/zip_write.h"

/* The release whose form we write. Keras's loader never looks; its file editor prints it. */
static const char KERAS_VERSION[] = "3.15.1";
static const char WEIGHTS[] = "model.weights.h5";

enum { ALIGNMENT = 64, PRIVATE = 0600, ON_DISK = 0100644 };

typedef struct writing {
    krt_ctx *k;
    const krti_keras_parts *parts;
    krti_h5_image *image;
    krti_str metadata;
    krti_txn *txn;
} writing;

/* ------------------------------------------------------------------------------- texts */

static krt_status make_metadata(writing *w)
{
    struct tm t;
    char date[32] = "";

    if (krti_local_time(&t))
        strftime(date, sizeof date, "%Y-%m-%d@%H:%M:%S", &t);
    krti_str_addf(&w->metadata, "{\"keras_version\": \"%s\", \"date_saved\": \"%s\"", KERAS_VERSION,
                  date);
    if (w->parts->trains_as != 0 && w->parts->trains_as != 3)
        krti_str_addf(&w->metadata, ", \"" KRTI_TRAINS_AS "\": %d", w->parts->trains_as);
    return krti_str_add(&w->metadata, "}");
}

static uint64_t size_of_all(const writing *w)
{
    uint64_t size =
        krti_h5_image_size(w->image) + w->metadata.length + w->parts->config->length + 4096;

    for (size_t i = 0; i < w->parts->num_assets; i++)
        size += w->parts->assets[i].bytes->size;
    return size;
}

/* ------------------------------------------------------------------------------- archive */

static krt_status add_text(krti_zip_writer *z, const char *name, const krti_str *text)
{
    const krti_zip_entry entry = {
        .name = name, .size = text->length, .dos_date = KRTI_ZIP_1980, .mode = PRIVATE};

    return krti_zip_add(z, &entry, text->ptr);
}

static krt_status add_weights(writing *w, krti_zip_writer *z)
{
    krti_zip_entry entry = {.name = WEIGHTS,
                            .size = krti_h5_image_size(w->image),
                            .alignment = ALIGNMENT,
                            .mode = PRIVATE};
    krti_sink member;
    krt_status st = KRT_OK;

    krti_zip_now(&entry.dos_date, &entry.dos_time);
    TRY(krti_zip_begin(z, &entry, &member));
    TRY(krti_h5_image_write(w->image, &member));
    TRY(krti_zip_end(z));

done:
    return st;
}

static krt_status add_asset(krti_zip_writer *z, const krti_asset *a)
{
    krti_zip_entry entry = {.name = a->path, .size = a->bytes->size, .mode = ON_DISK};

    krti_zip_now(&entry.dos_date, &entry.dos_time);
    return krti_zip_add(z, &entry, a->bytes->data);
}

static krt_status write_archive(writing *w)
{
    krti_txn_file *f = NULL;
    krti_zip_writer *z = NULL;
    krti_sink sink;
    krt_status st = KRT_OK;

    TRY(krti_txn_create_target(w->txn, &f));
    sink = krti_txn_sink(f);
    TRY(krti_zip_writer_new(w->k, &z, &sink));
    TRY(add_text(z, "metadata.json", &w->metadata));
    TRY(add_text(z, "config.json", w->parts->config));
    TRY(add_weights(w, z));
    for (size_t i = 0; i < w->parts->num_assets; i++)
        TRY(add_asset(z, &w->parts->assets[i]));
    TRY(krti_zip_finish(z, NULL));

done:
    krti_zip_writer_free(z);
    return st;
}

/* ------------------------------------------------------------------------------- directory */

static bool is_ours(const char *name)
{
    static const char *const names[] = {"metadata.json", "config.json", WEIGHTS,
                                        "model.weights.npz", "assets"};

    return krti_is_one_of(name, names, KRTI_COUNT(names));
}

static krt_status add_file(krti_txn *t, const char *name, const void *data, size_t size)
{
    krti_txn_file *f = NULL;
    krt_status st = krti_txn_create(t, &f, name);

    if (st == KRT_OK)
        st = krti_txn_write(f, 0, data, size);
    return st == KRT_OK ? krti_txn_finish(f) : st;
}

static krt_status write_directory(writing *w)
{
    krti_txn_file *f = NULL;
    krti_sink sink;
    krt_status st = KRT_OK;

    TRY(krti_txn_as_directory(w->txn, is_ours));
    TRY(add_file(w->txn, "metadata.json", w->metadata.ptr, w->metadata.length));
    TRY(add_file(w->txn, "config.json", w->parts->config->ptr, w->parts->config->length));
    TRY(krti_txn_create(w->txn, &f, WEIGHTS));
    sink = krti_txn_sink(f);
    TRY(krti_h5_image_write(w->image, &sink));
    TRY(krti_txn_finish(f));
    for (size_t i = 0; i < w->parts->num_assets; i++) {
        const krti_asset *a = &w->parts->assets[i];

        TRY(add_file(w->txn, a->path, a->bytes->data, a->bytes->size));
    }

done:
    return st;
}

krt_status krti_write_keras(krti_save_list *l, const krti_keras_parts *parts, const char *filepath,
                            bool zipped, const krti_write_options *options)
{
    writing w = {.k = l->k, .parts = parts, .metadata = KRTI_STR_INIT(l->k)};
    krt_status st = KRT_OK;

    TRY(krti_h5_image_of_list(l, &w.image, options->digest));
    TRY(make_metadata(&w));
    TRY(krti_txn_begin(l->k, &w.txn, filepath, options->sync));
    TRY(krti_txn_need(w.txn, size_of_all(&w)));
    TRY(zipped ? write_archive(&w) : write_directory(&w));
    TRY(krti_txn_commit(w.txn));

done:
    krti_txn_end(w.txn);
    krti_h5_image_free(w.image);
    krti_str_free(&w.metadata);
    return st == KRT_OK ? st : krti_fail_in_file(l->k, st, filepath);
}

/* ------------------------------------------------------------------------------- assets */

static const char ASSETS[] = "assets/";

typedef struct collecting {
    krti_source *f;
    krti_asset *assets;
    size_t n, capacity;
    krti_str path; /* of the directory being listed, from the source's on: "assets/layers" */
    int depth;
} collecting;

enum { MAX_DEPTH = 64 };

static krt_status collect(collecting *c, const char *path, krti_bytes *bytes)
{
    krt_ctx *k = c->f->k;
    char *copy = krti_strdup(k, path);
    krt_status st = copy != NULL ? KRT_OK : KRT_E_NOMEM;

    if (st == KRT_OK)
        st = krti_grow(k, &c->assets, &c->capacity, c->n + 1, sizeof *c->assets);
    if (st == KRT_OK)
        c->assets[c->n++] = (krti_asset){copy, krti_bytes_use(bytes)};
    else
        krti_free(k, copy);
    return st;
}

static krt_status collect_members(collecting *c)
{
    krti_zip *z = c->f->zip;
    krt_status st = KRT_OK;

    for (size_t i = 0; i < krti_zip_num(z) && st == KRT_OK; i++) {
        const krti_zip_member *m = krti_zip_at(z, i);
        krti_bytes *bytes = NULL;

        if (m->is_dir || !krti_starts_with(m->name, ASSETS))
            continue;
        st = krti_zip_read(z, &bytes, m, true);
        if (st == KRT_OK)
            st = collect(c, m->name, bytes);
        krti_bytes_drop(bytes);
    }
    return st;
}

static krt_status collect_directory(collecting *c);

static krt_status collect_name(void *user, const char *name)
{
    collecting *c = user;
    krt_ctx *k = c->f->k;
    const size_t length = c->path.length;
    krti_str full = KRTI_STR_INIT(k);
    krti_bytes *bytes = NULL;
    krt_status st = KRT_OK;

    TRY(krti_str_addf(&c->path, "/%s", name));
    TRY(krti_path_join(&full, c->f->filepath, c->path.ptr));
    if (krti_path_is_link(full.ptr)) /* whatever it points to is none of the model's */
        TRY(krti_fail(k, KRT_E_UNSAFE, c->path.ptr, "is a symbolic link, which is not followed"));
    if (krti_path_kind_of(full.ptr) == KRTI_PATH_DIR)
        TRY(collect_directory(c));
    if (krti_path_kind_of(full.ptr) == KRTI_PATH_FILE) {
        TRY(krti_bytes_map(k, &bytes, full.ptr));
        TRY(collect(c, c->path.ptr, bytes));
    }

done:
    krti_bytes_drop(bytes);
    krti_str_free(&full);
    if (c->path.status == KRT_OK) {
        c->path.length = length;
        c->path.ptr[length] = '\0';
    }
    return st;
}

static krt_status collect_directory(collecting *c)
{
    krti_str full = KRTI_STR_INIT(c->f->k);
    krt_status st = krti_path_join(&full, c->f->filepath, c->path.ptr);

    if (st == KRT_OK && c->depth >= MAX_DEPTH)
        st = krti_fail(c->f->k, KRT_E_UNSUPPORTED, c->path.ptr,
                       "directories nested more than %d deep", MAX_DEPTH);
    c->depth++;
    if (st == KRT_OK)
        st = krti_path_each(full.ptr, collect_name, c);
    c->depth--;
    krti_str_free(&full);
    return st;
}

krt_status krti_source_assets(krti_source *f, krti_asset **out, size_t *n)
{
    collecting c = {.f = f, .path = KRTI_STR_INIT(f->k)};
    krt_status st = KRT_OK;

    if (f->kind == KRT_FILE_KERAS_ARCHIVE)
        TRY(collect_members(&c));
    if (f->kind == KRT_FILE_KERAS_DIRECTORY) {
        TRY(krti_str_add(&c.path, "assets"));
        TRY(collect_directory(&c));
    }
    *out = c.assets;
    *n = c.n;
    c.assets = NULL;
    c.n = 0;

done:
    krti_assets_free(f->k, c.assets, c.n);
    krti_str_free(&c.path);
    return st;
}

void krti_assets_free(krt_ctx *k, krti_asset *assets, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        krti_free(k, (void *)(uintptr_t)assets[i].path);
        krti_bytes_drop(assets[i].bytes);
    }
    krti_free(k, assets);
}
