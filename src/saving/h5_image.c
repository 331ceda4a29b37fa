/* A list of weights as an HDF5 image: Keras's tree of `vars` groups, or the groups of whoever adds the
 * arrays, with digests beside them.
 *
 * Digests are made of the blocks on their way to the file, so the data is looked at while it is in
 * the cache, and come into the attributes, which are written last. */
#include "saving/digests.h"
#include "saving/weights_writer.h"

#include "formats/h5_write.h"

typedef struct item {
    krti_h5_image *image;
    krti_save_array array;
    const char *entry; /* "/layers/dense/vars/0" */
    krt_tensor *held;  /* while an array of a store is written */
    char digest[KRTI_DIGEST_TEXT];
} item;

struct krti_h5_image {
    krt_ctx *k;
    krti_save_list *list;
    krti_arena arena;
    krti_h5_writer *writer;
    krti_digests digests;
    uint64_t size, let_go;   /* bytes of a mapped file whose pages may go */
    size_t num, digest_size; /* of all arrays; of the text of one digest, 0: none are made */
    size_t note_size;        /* of the attribute on the root; 0: none */
    char *note;
    char print[KRTI_DIGEST_TEXT];
};

/* ------------------------------------------------------------------------------- arrays */

static krt_status open_item(void *user, const void **data)
{
    item *it = user;
    krti_save_list *l = it->image->list;
    const krti_want want = {it->array.store_array, it->array.dtype, true};
    const krt_status st = krti_store_tensors(l->store, &want, 1, &it->held);

    *data = st == KRT_OK ? it->held->data : NULL;
    return st;
}

/* A variable whose dtype in files is not the one it is computed in. */
static void convert_part(const krti_save_array *a, uint64_t offset, void *to, size_t size)
{
    const size_t each = krt_dtype_size(a->dtype);

    krti_stored_values(a->data, a->data_dtype, a->precise, (size_t)offset / each, size / each, to,
                       a->dtype);
}

static krt_status read_converted(void *user, uint64_t offset, void *to, size_t size)
{
    convert_part(&((const item *)user)->array, offset, to, size);
    return KRT_OK;
}

krt_status krti_save_array_read(krti_save_list *l, const krti_save_array *a, void *to)
{
    krt_tensor *t = NULL;
    krt_status st = KRT_OK;

    if (a->data != NULL && a->data_dtype != a->dtype) {
        convert_part(a, 0, to, (size_t)a->size_bytes);
    } else if (a->data != NULL) {
        memcpy(to, a->data, (size_t)a->size_bytes);
    } else if (a->size_bytes > 0) {
        st = krti_store_tensor(l->store, a->store_array, a->dtype, &t);
        if (st == KRT_OK)
            memcpy(to, t->data, (size_t)a->size_bytes);
        else if (l->store->k != l->k)
            krti_fail_copy(l->k, l->store->k);
        krt_tensor_free(t);
    }
    return st;
}

/* A model's weights may lie in a mapped file, whose pages a save brings in. The first of them make room for the
 * list, the architecture and the pieces on their way, so that all of it stays about as large as the weights; to let
 * go of more takes longer than to sum it, since the next save brings it in again. */
static void forget_first(krti_h5_image *image, const krti_save_array *a)
{
    enum { FIRST = 24 << 20, FEW = 64 << 10 };
    const size_t each = krt_dtype_size(a->dtype);

    if (a->source == NULL || a->size_bytes < FEW || image->let_go >= FIRST)
        return;
    krti_bytes_forget(a->source, a->data,
                      (size_t)a->size_bytes / each * krt_dtype_size(a->data_dtype));
    image->let_go += a->size_bytes;
}

static void end_item(void *user)
{
    item *it = user;
    const char *text = krti_digests_end(&it->image->digests, it->entry, it->array.dtype);

    if (text != NULL)
        memcpy(it->digest, text, strlen(text));
    krti_tensor_let_go(it->held);
    it->held = NULL;
    forget_first(it->image, &it->array);
}

static void look_at(void *user, const void *data, size_t size)
{
    krti_digests_update(user, data, size);
}

/* bfloat16 has no HDF5 type: Keras writes two opaque bytes and says so in an attribute. */
static krti_h5_type type_of(krt_dtype dtype)
{
    const uint32_t size = (uint32_t)krt_dtype_size(dtype);

    switch (dtype) {
    case KRT_FLOAT16:
    case KRT_FLOAT32:
    case KRT_FLOAT64:
        return krti_h5_type_float(size);
    case KRT_BFLOAT16:
        return krti_h5_type_opaque(size);
    case KRT_BOOL:
        return krti_h5_type_bool();
    case KRT_INT8:
    case KRT_INT16:
    case KRT_INT32:
    case KRT_INT64:
        return krti_h5_type_int(size, true);
    default:
        return krti_h5_type_int(size, false);
    }
}

krt_status krti_h5_image_add(krti_h5_image *image, krti_h5_node *group, const char *name,
                             const char *entry, const krti_save_array *a)
{
    krti_h5_type type = type_of(a->dtype);
    krti_h5_node *node = NULL;
    item *it = krti_arena_alloc(&image->arena, sizeof *it);
    krt_status st = it != NULL ? KRT_OK : KRT_E_NOMEM;

    if (st != KRT_OK)
        return st;
    *it = (item){.image = image, .array = *a, .entry = krti_arena_strdup(&image->arena, entry)};
    if (it->entry == NULL)
        TRY(KRT_E_NOMEM);
    type.rank = a->shape.rank;
    for (int i = 0; i < type.rank; i++)
        type.dim[i] = (uint64_t)a->shape.dim[i];
    const bool converts = a->data != NULL && a->data_dtype != a->dtype;
    const krti_h5_source source = {.data = converts ? NULL : a->data,
                                   .open = a->data == NULL && a->size_bytes > 0 ? open_item : NULL,
                                   .read = converts ? read_converted : NULL,
                                   .done = end_item,
                                   .user = it};
    TRY(krti_h5_add_dataset(image->writer, group, name, &type, &source, &node));
    image->num++;
    if (a->dtype == KRT_BFLOAT16)
        TRY(krti_h5_add_text(image->writer, node, "dtype", "bfloat16", 8, KRTI_H5_UTF8));
    if (image->digest_size > 0) {
        const krti_h5_type text = krti_h5_type_string((uint32_t)image->digest_size);

        TRY(krti_h5_add_attribute(image->writer, node, KRTI_DIGEST_ATTRIBUTE, &text, it->digest));
    }

done:
    return st;
}

/* An array of Keras 3's tree. */
static krt_status add_array(krti_h5_image *image, krti_h5_node *vars, const krti_save_object *o,
                            const krti_save_array *a)
{
    krti_str entry = KRTI_STR_INIT(image->k);
    krt_status st =
        krti_str_addf(&entry, "/%s%svars/%s", o->path, o->path[0] != '\0' ? "/" : "", a->key);

    if (st == KRT_OK)
        st = krti_h5_image_add(image, vars, a->key, entry.ptr, a);
    krti_str_free(&entry);
    return krti_fail_in_object(image->k, st, o->path);
}

/* ------------------------------------------------------------------------------- the image */

static krt_status add_piece(krti_h5_image *image, const krti_piece *p)
{
    const krti_save_object *o = &image->list->objects[p->object];
    krti_h5_node *object = NULL, *vars = NULL;
    krt_status st = KRT_OK;

    TRY(krti_h5_add_group(image->writer, krti_h5_writer_root(image->writer), o->path, &object));
    TRY(krti_h5_add_group(image->writer, object, "vars", &vars));
    if (p->is_first && o->name != NULL)
        TRY(krti_h5_add_text(image->writer, vars, "name", o->name, strlen(o->name), KRTI_H5_UTF8));
    if (p->is_first && o->has_seed) {
        const krti_h5_type type = krti_h5_type_int(8, false);

        TRY(krti_h5_add_attribute(image->writer, vars, KRTI_SEED_ATTRIBUTE, &type, &o->seed));
    }
    for (size_t i = p->first; i < p->first + p->num; i++)
        TRY(add_array(image, vars, o, &image->list->arrays[i]));

done:
    return st;
}

/* The note's length is known before its digits: a note of as many arrays is as long. */
static krt_status add_note(krti_h5_image *image)
{
    krti_digests sample = {.num = image->num};
    krti_str text = KRTI_STR_INIT(image->k);
    krt_status st = KRT_OK;

    TRY(krti_digests_note(&sample, &text, NULL));
    if (text.length == 0) /* a file without arrays */
        goto done;
    const krti_h5_type type = krti_h5_type_string((uint32_t)text.length);
    image->note_size = text.length;
    image->note = krti_arena_alloc(&image->arena, text.length);
    if (image->note == NULL)
        TRY(KRT_E_NOMEM);
    TRY(krti_h5_add_attribute(image->writer, krti_h5_writer_root(image->writer), KRTI_NOTE_NAME,
                              &type, image->note));

done:
    krti_str_free(&text);
    return st;
}

krt_status krti_h5_image_begin(krti_save_list *l, krti_h5_image **out, krt_digest digest)
{
    krti_h5_image *image = krti_alloc(l->k, sizeof *image);
    char text[KRTI_DIGEST_TEXT];
    krt_status st = KRT_OK;

    *out = image;
    if (image == NULL)
        return KRT_E_NOMEM;
    image->k = l->k;
    image->list = l;
    image->arena = (krti_arena)KRTI_ARENA_INIT(l->k);
    TRY(krti_h5_writer_new(image->k, &image->writer));
    TRY(krti_digests_init(image->k, &image->digests, digest));
    if (digest != KRT_DIGEST_NONE)
        image->digest_size = strlen(krti_hasher_end(image->digests.hasher, text));

done:
    return st;
}

krt_status krti_h5_image_end(krti_h5_image *image)
{
    const krti_look look = {look_at, &image->digests};
    krt_status st = KRT_OK;

    if (image->digest_size > 0) {
        TRY(add_note(image));
        krti_h5_set_look(image->writer, &look);
    }
    TRY(krti_h5_plan(image->writer, &image->size));

done:
    return st;
}

krti_h5_writer *krti_h5_image_writer(krti_h5_image *image)
{
    return image->writer;
}

krt_status krti_h5_image_new(krti_save_list *l, krti_h5_image **out, const krti_piece *pieces,
                             size_t n, krt_digest digest)
{
    krt_status st = krti_h5_image_begin(l, out, digest);

    for (size_t i = 0; st == KRT_OK && i < n; i++)
        st = add_piece(*out, &pieces[i]);
    if (st == KRT_OK)
        st = krti_h5_image_end(*out);
    if (st != KRT_OK) {
        krti_h5_image_free(*out);
        *out = NULL;
    }
    return st;
}

krt_status krti_h5_image_of_list(krti_save_list *l, krti_h5_image **out, krt_digest digest)
{
    krti_piece *pieces = krti_array(l->k, l->num_objects, sizeof *pieces);
    krt_status st = pieces != NULL ? KRT_OK : KRT_E_NOMEM;

    *out = NULL;
    for (size_t i = 0; st == KRT_OK && i < l->num_objects; i++)
        pieces[i] = (krti_piece){i, l->objects[i].first, l->objects[i].num, true};
    if (st == KRT_OK)
        st = krti_h5_image_new(l, out, pieces, l->num_objects, digest);
    krti_free(l->k, pieces);
    return st;
}

void krti_h5_image_free(krti_h5_image *image)
{
    if (image == NULL)
        return;
    krti_h5_writer_free(image->writer);
    krti_digests_fini(&image->digests);
    krti_arena_free(&image->arena);
    krti_free(image->k, image);
}

uint64_t krti_h5_image_size(const krti_h5_image *image)
{
    return image->size;
}

const char *krti_h5_image_print(const krti_h5_image *image)
{
    return image->print;
}

/* The writer asks for attributes when all data is through: the note is made just before. */
static krt_status finish_note(krti_h5_image *image)
{
    krti_str text = KRTI_STR_INIT(image->k);
    krt_status st = krti_digests_note(&image->digests, &text, image->print);

    if (st == KRT_OK && text.length != image->note_size)
        st = krti_fail(image->k, KRT_E_INVALID, NULL, "arrays of the list were written twice");
    if (st == KRT_OK)
        memcpy(image->note, text.ptr, text.length);
    krti_str_free(&text);
    return st;
}

/* The data, then the note, then the metadata that holds it. */
krt_status krti_h5_image_write(krti_h5_image *image, const krti_sink *sink)
{
    krt_status st = krti_h5_write_data(image->writer, sink);

    if (st == KRT_OK && image->note_size > 0)
        st = finish_note(image);
    return st == KRT_OK ? krti_h5_write_metadata(image->writer, sink) : st;
}

/* ------------------------------------------------------------------------------- one file */

krt_status krti_write_weights_h5(krti_save_list *l, const char *filepath,
                                 const krti_write_options *options)
{
    krti_h5_image *image = NULL;
    krti_txn *t = NULL;
    krti_txn_file *f = NULL;
    krti_sink sink;
    krt_status st = KRT_OK;

    TRY(krti_h5_image_of_list(l, &image, options->digest));
    TRY(krti_txn_begin(l->k, &t, filepath, options->sync));
    TRY(krti_txn_need(t, krti_h5_image_size(image)));
    TRY(krti_txn_create_target(t, &f));
    sink = krti_txn_sink(f);
    TRY(krti_h5_image_write(image, &sink));
    TRY(krti_txn_commit(t));

done:
    krti_txn_end(t);
    krti_h5_image_free(image);
    return st;
}
