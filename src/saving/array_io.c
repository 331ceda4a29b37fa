/* Array files into tensors and back: krt_tensor_read() and its kin of <keratin/tensor.h>.
 *
 * An array that lies in its file as a tensor wants it (native order, rows first, aligned) is used
 * where it lies; any other is copied, turned and swapped on the way. */
#include "saving/array_io.h"

#include "base/number.h"

/* Which kind and size of array element is which dtype. bfloat16 has no .npy form. */
static const struct {
    krti_array_kind kind;
    int item_size;
    krt_dtype dtype;
} dtypes[] = {
    {KRTI_ARRAY_FLOAT, 4, KRT_FLOAT32}, {KRTI_ARRAY_FLOAT, 8, KRT_FLOAT64},
    {KRTI_ARRAY_FLOAT, 2, KRT_FLOAT16}, {KRTI_ARRAY_INT, 1, KRT_INT8},
    {KRTI_ARRAY_INT, 2, KRT_INT16},     {KRTI_ARRAY_INT, 4, KRT_INT32},
    {KRTI_ARRAY_INT, 8, KRT_INT64},     {KRTI_ARRAY_UINT, 1, KRT_UINT8},
    {KRTI_ARRAY_UINT, 2, KRT_UINT16},   {KRTI_ARRAY_UINT, 4, KRT_UINT32},
    {KRTI_ARRAY_UINT, 8, KRT_UINT64},   {KRTI_ARRAY_BOOL, 1, KRT_BOOL},
};

krt_dtype krti_ndarray_dtype(const krti_ndarray *a)
{
    for (size_t i = 0; i < KRTI_COUNT(dtypes); i++)
        if (dtypes[i].kind == a->kind && dtypes[i].item_size == a->item_size)
            return dtypes[i].dtype;
    return KRT_DTYPE_NONE;
}

/* ------------------------------------------------------------------------------- reading */

bool krti_ndarray_is_native(const krti_ndarray *a)
{
    return a->item_size == 1 || a->big_endian == krti_is_big_endian();
}

/* Whether turning it would move nothing: at most one dimension is more than 1. */
static bool is_row_major(const krti_ndarray *a)
{
    int long_ones = 0;

    for (int i = 0; i < a->rank; i++)
        long_ones += a->dim[i] > 1;
    return !a->fortran_order || long_ones <= 1;
}

static bool bools_are_clean(const krti_ndarray *a)
{
    const unsigned char *p = a->data;
    unsigned char all = 0;

    for (size_t i = 0; i < a->size_bytes; i++)
        all |= p[i];
    return all <= 1;
}

static bool can_be_mapped(const krti_ndarray *a, bool anywhere)
{
    return krti_ndarray_is_native(a) && is_row_major(a) &&
           (anywhere || (uintptr_t)a->data % (size_t)a->item_size == 0) &&
           (a->kind != KRTI_ARRAY_BOOL || bools_are_clean(a));
}

/* Copies a column-major array row by row; `at` counts the row-major index up. */
void krti_ndarray_turn(char *dst, const krti_ndarray *a)
{
    const size_t item = (size_t)a->item_size, n = a->size_bytes / item;
    int64_t at[KRTI_ARRAY_MAX_RANK] = {0};
    size_t stride[KRTI_ARRAY_MAX_RANK] = {0}, step = item, offset = 0;

    for (int i = 0; i < a->rank; i++) {
        stride[i] = step;
        step *= (size_t)a->dim[i];
    }
    for (size_t done = 0; done < n; done++) {
        memcpy(dst + done * item, (const char *)a->data + offset, item);
        for (int axis = a->rank - 1; axis >= 0; axis--) {
            offset += stride[axis];
            if (++at[axis] < a->dim[axis])
                break;
            offset -= stride[axis] * (size_t)a->dim[axis];
            at[axis] = 0;
        }
    }
}

static void swap_all(void *data, size_t size_bytes, int item_size)
{
    for (size_t i = 0; i < size_bytes; i += (size_t)item_size) {
        char *p = (char *)data + i;

        for (int lo = 0, hi = item_size - 1; lo < hi; lo++, hi--) {
            const char c = p[lo];

            p[lo] = p[hi];
            p[hi] = c;
        }
    }
}

static krt_status copy_array(krt_ctx *k, krt_tensor **out, krt_dtype dtype, krt_shape shape,
                             const krti_ndarray *a)
{
    const krt_status st = krt_tensor_new(k, out, dtype, shape);

    if (st != KRT_OK || a->size_bytes == 0)
        return st;
    unsigned char *data = krt_tensor_data_mut(*out);
    if (is_row_major(a))
        memcpy(data, a->data, a->size_bytes);
    else
        krti_ndarray_turn((char *)data, a);
    if (!krti_ndarray_is_native(a))
        swap_all(data, a->size_bytes, a->item_size);
    for (size_t i = 0; dtype == KRT_BOOL && i < a->size_bytes; i++)
        data[i] = data[i] != 0;
    return KRT_OK;
}

krt_shape krti_ndarray_shape(const krti_ndarray *a)
{
    krt_shape shape = {.rank = a->rank};

    for (int i = 0; i < a->rank; i++)
        shape.dim[i] = a->dim[i];
    return shape;
}

krt_status krti_ndarray_tensor(krt_ctx *k, krt_tensor **out, const krti_ndarray *a, bool anywhere)
{
    const krt_dtype dtype = krti_ndarray_dtype(a);
    const krt_shape shape = krti_ndarray_shape(a);

    if (krti_ndarray_is_text(a))
        return krti_ndarray_texts(k, out, a);
    if (can_be_mapped(a, anywhere))
        return krti_tensor_map(k, out, dtype, shape, a->bytes, a->data);
    return copy_array(k, out, dtype, shape, a);
}

static krt_status read_arrays(krt_ctx *k, krti_ndarrays *arrays, const char *filepath)
{
    krti_bytes *bytes = NULL;
    krt_status st = krti_bytes_map(k, &bytes, filepath);

    if (st == KRT_OK)
        st = krti_ndarrays_read(k, arrays, bytes);
    krti_bytes_drop(bytes);
    return st;
}

krt_status krt_tensor_read(krt_ctx *k, krt_tensor **out, const char *filepath)
{
    krti_ndarrays arrays = {0};
    krt_status st = KRT_OK;

    *out = NULL;
    TRY(read_arrays(k, &arrays, filepath));
    if (arrays.n == 0)
        TRY(krti_fail(k, KRT_E_FORMAT, NULL, "holds no array"));
    if (arrays.n > 1)
        TRY(krti_fail(k, KRT_E_FORMAT, NULL, "holds %zu arrays (\"%s\", \"%s\"%s), expected one",
                      arrays.n, arrays.items[0].name, arrays.items[1].name,
                      arrays.n > 2 ? ", ..." : ""));
    TRY(krti_ndarray_tensor(k, out, &arrays.items[0], false));

done:
    krti_ndarrays_free(k, &arrays);
    return st == KRT_OK ? st : krti_fail_in_file(k, st, filepath);
}

/* One block: the pointers, then the texts they point to. */
static krt_status copy_names(krt_ctx *k, char ***out, const krti_ndarrays *arrays)
{
    size_t size = arrays->n * sizeof(char *);

    for (size_t i = 0; i < arrays->n; i++)
        size += arrays->items[i].name != NULL ? strlen(arrays->items[i].name) + 1 : 0;
    char **names = krti_alloc(k, size);
    if (names == NULL)
        return KRT_E_NOMEM;
    char *text = (char *)(names + arrays->n);
    for (size_t i = 0; i < arrays->n; i++) {
        const char *name = arrays->items[i].name;

        if (name == NULL)
            continue;
        names[i] = text;
        memcpy(text, name, strlen(name) + 1);
        text += strlen(name) + 1;
    }
    *out = names;
    return KRT_OK;
}

krt_status krti_tensors_read_bytes(krt_ctx *k, size_t *n, krt_tensor ***tensors, char ***names,
                                   krti_bytes *bytes)
{
    krti_ndarrays arrays = {0};
    krt_tensor **list = NULL;
    krt_status st = KRT_OK;

    *n = 0;
    *tensors = NULL;
    *names = NULL;
    TRY(krti_ndarrays_read(k, &arrays, bytes));
    list = krti_array(k, arrays.n, sizeof(krt_tensor *));
    if (list == NULL)
        TRY(KRT_E_NOMEM);
    for (size_t i = 0; i < arrays.n; i++)
        TRY(krti_ndarray_tensor(k, &list[i], &arrays.items[i], false));
    TRY(copy_names(k, names, &arrays));
    *n = arrays.n;
    *tensors = list;
    list = NULL;

done:
    for (size_t i = 0; list != NULL && i < arrays.n; i++)
        krt_tensor_free(list[i]);
    krti_free(k, list);
    krti_ndarrays_free(k, &arrays);
    return st == KRT_OK ? st : krti_fail_in_file(k, st, bytes->filepath);
}

krt_status krt_tensors_read(krt_ctx *k, size_t *n, krt_tensor ***tensors, char ***names,
                            const char *filepath)
{
    krti_bytes *bytes = NULL;
    krt_status st = KRT_OK;

    *n = 0;
    *tensors = NULL;
    *names = NULL;
    st = krti_bytes_map(k, &bytes, filepath);
    if (st == KRT_OK)
        st = krti_tensors_read_bytes(k, n, tensors, names, bytes);
    krti_bytes_drop(bytes);
    return st;
}

/* ------------------------------------------------------------------------------- writing */

/* *block is what only the member needs, or NULL. */
static krt_status member_of(krti_npz_member *m, const krt_tensor *t, const char *name, void **block)
{
    if (t->dtype == KRT_STRING) {
        m->name = name;
        return krti_texts_member(t, m, block);
    }
    for (size_t i = 0; i < KRTI_COUNT(dtypes); i++) {
        if (dtypes[i].dtype != t->dtype)
            continue;
        *m = (krti_npz_member){.name = name,
                               .kind = dtypes[i].kind,
                               .item_size = dtypes[i].item_size,
                               .rank = t->shape.rank,
                               .dim = t->shape.dim,
                               .data = t->data,
                               .size_bytes = t->size_bytes};
        return KRT_OK;
    }
    return krti_fail(t->owned.k, KRT_E_UNSUPPORTED, NULL,
                     "%s has no .npy form: cast it to float32 first", krt_dtype_name(t->dtype));
}

krt_status krt_tensor_write(const krt_tensor *t, const char *filepath)
{
    krt_ctx *k = t->owned.k;
    krti_str header = KRTI_STR_INIT(k);
    krti_npz_member m = {0};
    void *block = NULL;
    krt_status st = KRT_OK;

    TRY(member_of(&m, t, NULL, &block));
    TRY(krti_npy_header(&header, m.kind, m.item_size, m.rank, m.dim));
    const krti_part parts[] = {{header.ptr, header.length}, {m.data, m.size_bytes}};
    TRY(krti_write_parts(k, filepath, parts, KRTI_COUNT(parts)));

done:
    krti_free(k, block);
    krti_str_free(&header);
    return st == KRT_OK ? st : krti_fail_in_file(k, st, filepath);
}

krt_status krt_tensors_write(krt_ctx *k, size_t n, krt_tensor *const *tensors,
                             const char *const *names, const char *filepath)
{
    krti_npz_member *members = krti_array(k, n, sizeof *members);
    void **blocks = krti_array(k, n, sizeof *blocks);
    krt_status st = members != NULL && blocks != NULL ? KRT_OK : KRT_E_NOMEM;

    for (size_t i = 0; i < n && st == KRT_OK; i++) {
        if (tensors[i] == NULL || names[i] == NULL)
            st = krti_fail(k, KRT_E_INVALID, NULL, "array %zu of %zu is NULL or has no name", i, n);
        else
            st = member_of(&members[i], tensors[i], names[i], &blocks[i]);
    }
    if (st == KRT_OK)
        st = krti_npz_write(k, filepath, members, n, true);
    for (size_t i = 0; blocks != NULL && i < n; i++)
        krti_free(k, blocks[i]);
    krti_free(k, blocks);
    krti_free(k, members);
    return st == KRT_OK ? st : krti_fail_in_file(k, st, filepath);
}
