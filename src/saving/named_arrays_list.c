/* The lists of .safetensors and .npz files: arrays with names. See store.h and named_arrays.h. */
#include "saving/store.h"

#include "base/number.h"
#include "formats/safetensors.h"
#include "saving/array_io.h"

#include <stdlib.h>

typedef struct named {
    size_t index; /* in the file's order */
    krti_store_array array;
    krti_raw raw;
} named;

/* How much of a name is an object's path, by Keras 3's tree: up to "/vars/" and a number, or a word where a
 * class of Keras's names its arrays itself. */
static bool is_in_tree(const char *name, size_t *length)
{
    const char *last = strrchr(name, '/');
    const size_t n = last != NULL ? (size_t)(last - name) : 0;

    if (last == NULL || last[1] == '\0' ||
        (strspn(last + 1, "0123456789") != strlen(last + 1) && !krti_starts_with(name, "layers/")))
        return false;
    if (n == 4 && memcmp(name, "vars", 4) == 0)
        *length = 0;
    else if (n > 5 && memcmp(last - 5, "/vars", 5) == 0)
        *length = n - 5;
    else
        return false;
    return true;
}

static size_t owner_length(const char *name, bool is_tree)
{
    size_t n = 0;

    if (is_tree && is_in_tree(name, &n))
        return n;
    const char *last = strrchr(name, '/');
    return last != NULL ? (size_t)(last - name) : 0;
}

static int in_tree_order(const void *left, const void *right)
{
    const named *a = left, *b = right;
    const size_t n = owner_length(a->array.entry, true), m = owner_length(b->array.entry, true);
    const int order = strncmp(a->array.entry, b->array.entry, n < m ? n : m);

    if (order != 0 || n != m)
        return order != 0 ? order : (n > m) - (n < m);
    return krti_natural_compare(a->array.entry + n, b->array.entry + n);
}

/* State of optimizers and metrics, under the names Keras 3 and keratin give them. */
static krti_role role_of(const char *path, bool is_tree)
{
    if (is_tree)
        return krti_h5_store_role(path);
    return strncmp(path, "optimizer/", 10) == 0 || strcmp(path, "optimizer") == 0
               ? KRTI_ROLE_OPTIMIZER
               : KRTI_ROLE_WEIGHT;
}

static krt_status list_named(krti_store *s, named *items, size_t n)
{
    krti_str path = KRTI_STR_INIT(s->k), last = KRTI_STR_INIT(s->k);
    bool is_tree = n > 0;
    size_t ignored = 0;
    krt_status st = KRT_OK;

    for (size_t i = 0; i < n; i++)
        is_tree = is_tree && is_in_tree(items[i].array.entry, &ignored);
    if (is_tree && n > 1)
        qsort(items, n, sizeof *items, in_tree_order);
    for (size_t i = 0; i < n; i++) {
        const char *name = items[i].array.entry;
        const size_t length = owner_length(name, is_tree);

        krti_str_clear(&path);
        TRY(krti_str_add_n(&path, name, length));
        if (i == 0 || strcmp(krti_str_text(&path), krti_str_text(&last)) != 0)
            TRY(krti_store_add_object(s, path.ptr, role_of(path.ptr, is_tree)));
        krti_str_clear(&last);
        TRY(krti_str_add(&last, path.ptr));
        items[i].array.key = strrchr(name, '/') != NULL ? strrchr(name, '/') + 1 : name;
        TRY(krti_store_add_raw(s, &items[i].array, &items[i].raw));
    }
    s->has_paths = !is_tree;
    s->is_ordered = !is_tree;

done:
    krti_str_free(&path);
    krti_str_free(&last);
    return st;
}

/* ------------------------------------------------------------------------------- .safetensors */

static krt_dtype dtype_of(const char *name)
{
    static const struct {
        const char *name;
        krt_dtype dtype;
    } dtypes[] = {{"F32", KRT_FLOAT32},   {"F64", KRT_FLOAT64}, {"F16", KRT_FLOAT16},
                  {"BF16", KRT_BFLOAT16}, {"I8", KRT_INT8},     {"I16", KRT_INT16},
                  {"I32", KRT_INT32},     {"I64", KRT_INT64},   {"U8", KRT_UINT8},
                  {"U16", KRT_UINT16},    {"U32", KRT_UINT32},  {"U64", KRT_UINT64},
                  {"BOOL", KRT_BOOL}};

    for (size_t i = 0; i < KRTI_COUNT(dtypes); i++)
        if (strcmp(dtypes[i].name, name) == 0)
            return dtypes[i].dtype;
    return KRT_DTYPE_NONE;
}

static void describe_tensor(named *item, const krti_safetensor *t, krti_bytes *bytes)
{
    size_t size = 0;

    item->array = (krti_store_array){.entry = t->name,
                                     .dtype = dtype_of(t->dtype),
                                     .shape = {.rank = t->rank <= KRT_MAX_RANK ? t->rank : -1},
                                     .size_bytes = t->size,
                                     .offset = (int64_t)t->offset};
    for (int i = 0; i < item->array.shape.rank; i++)
        item->array.shape.dim[i] = t->dim[i];
    if (!krti_shape_bytes(item->array.shape, item->array.dtype, &size))
        item->array.dtype = KRT_DTYPE_NONE;
    item->raw = (krti_raw){
        .data = bytes->data + t->offset, .bytes = bytes, .is_swapped = krti_is_big_endian()};
}

krt_status krti_safetensors_list(krti_store *s, krti_bytes *bytes)
{
    krti_arena arena = KRTI_ARENA_INIT(s->k);
    krti_safetensor *tensors = NULL;
    named *items = NULL;
    size_t n = 0, file = 0;
    krt_status st = KRT_OK;

    TRY(krti_store_add_bytes(s, bytes, NULL, &file));
    TRY(krti_safetensors_read(&arena, &tensors, &n, bytes));
    items = krti_array(s->k, n, sizeof *items);
    if (items == NULL)
        TRY(KRT_E_NOMEM);
    for (size_t i = 0; i < n; i++)
        describe_tensor(&items[i], &tensors[i], bytes);
    TRY(list_named(s, items, n));

done:
    krti_free(s->k, items);
    krti_arena_free(&arena);
    return st;
}

/* ------------------------------------------------------------------------------- .npz */

/* A tensor is kept as long as the store: an inflated or turned array exists nowhere else. Any other lies
 * in the archive, and its checksum waits until it is read. */
static krt_status describe_member(krti_store *s, named *item, const krti_ndarray *a,
                                  krti_bytes *archive)
{
    const unsigned char *data = a->data;
    krt_tensor *t = NULL;
    krt_status st = KRT_OK;

    item->array = (krti_store_array){.entry = a->name,
                                     .dtype = krti_ndarray_dtype(a),
                                     .shape = krti_ndarray_shape(a),
                                     .size_bytes = a->size_bytes,
                                     .offset = a->has_crc32 ? data - archive->data : KRT_NONE};
    item->raw = (krti_raw){.data = data,
                           .bytes = archive,
                           .is_swapped = !krti_ndarray_is_native(a),
                           .sum = KRTI_SUM_CRC32,
                           .crc = a->crc32};
    if (a->has_crc32)
        return KRT_OK;
    TRY(krti_ndarray_tensor(s->k, &t, a, true));
    s->kept[s->num_kept++] = t;
    item->raw = (krti_raw){.data = t->data, .bytes = t->source};

done:
    return st;
}

krt_status krti_npz_list(krti_store *s, krti_bytes *bytes)
{
    krti_ndarrays arrays = {0};
    named *items = NULL;
    size_t file = 0;
    krt_status st = KRT_OK;

    TRY(krti_store_add_bytes(s, bytes, NULL, &file));
    TRY(krti_npz_open(s->k, &arrays, bytes));
    items = krti_array(s->k, arrays.n, sizeof *items);
    s->kept = krti_array(s->k, arrays.n, sizeof *s->kept);
    if (items == NULL || s->kept == NULL)
        TRY(KRT_E_NOMEM);
    for (size_t i = 0; i < arrays.n; i++)
        TRY(describe_member(s, &items[i], &arrays.items[i], bytes));
    TRY(list_named(s, items, arrays.n));

done:
    krti_free(s->k, items);
    krti_ndarrays_free(s->k, &arrays);
    return st;
}
