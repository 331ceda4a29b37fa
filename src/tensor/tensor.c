/* Tensors: making, freeing and describing them. Converting elements: convert.c. See tensor.h.
 *
 * A tensor either owns its memory (ours), borrows the caller's or another tensor's, or points into
 * a file's mapping, which it then keeps alive. Names and prints follow Keras and NumPy. */
#include "tensor/tensor.h"

static const struct {
    const char *name;
    size_t size;
    bool is_float;
} dtypes[] = {
    [KRT_DTYPE_NONE] = {"none", 0, false},
    [KRT_FLOAT32] = {"float32", 4, true},
    [KRT_FLOAT64] = {"float64", 8, true},
    [KRT_FLOAT16] = {"float16", 2, true},
    [KRT_BFLOAT16] = {"bfloat16", 2, true},
    [KRT_INT8] = {"int8", 1, false},
    [KRT_INT16] = {"int16", 2, false},
    [KRT_INT32] = {"int32", 4, false},
    [KRT_INT64] = {"int64", 8, false},
    [KRT_UINT8] = {"uint8", 1, false},
    [KRT_UINT16] = {"uint16", 2, false},
    [KRT_UINT32] = {"uint32", 4, false},
    [KRT_UINT64] = {"uint64", 8, false},
    [KRT_BOOL] = {"bool", 1, false},
    [KRT_STRING] = {"string", sizeof(krt_string), false},
};

static size_t dtype_index(krt_dtype dtype)
{
    return (size_t)dtype < KRTI_COUNT(dtypes) ? (size_t)dtype : KRT_DTYPE_NONE;
}

size_t krt_dtype_size(krt_dtype dtype)
{
    return dtypes[dtype_index(dtype)].size;
}

const char *krt_dtype_name(krt_dtype dtype)
{
    return dtypes[dtype_index(dtype)].name;
}

krt_dtype krt_dtype_from_name(const char *name)
{
    for (size_t i = 1; name != NULL && i < KRTI_COUNT(dtypes); i++)
        if (strcmp(dtypes[i].name, name) == 0)
            return (krt_dtype)i;
    return KRT_DTYPE_NONE;
}

bool krti_dtype_is_float(krt_dtype dtype)
{
    return dtypes[dtype_index(dtype)].is_float;
}

/* ------------------------------------------------------------------------------- shapes */

int64_t krt_shape_size(krt_shape shape)
{
    int64_t size = 1;
    bool is_empty = false;

    if (shape.rank < 0 || shape.rank > KRT_MAX_RANK)
        return KRT_NONE;
    for (int i = 0; i < shape.rank; i++) {
        if (shape.dim[i] < 0)
            return KRT_NONE;
        is_empty = is_empty || shape.dim[i] == 0;
    }
    for (int i = 0; i < shape.rank && !is_empty; i++)
        if (!krti_mul_i64(size, shape.dim[i], &size))
            return KRT_NONE;
    return is_empty ? 0 : size;
}

bool krt_shape_equal(krt_shape a, krt_shape b)
{
    if (a.rank != b.rank)
        return false;
    for (int i = 0; i < a.rank && i < KRT_MAX_RANK; i++)
        if (a.dim[i] != b.dim[i])
            return false;
    return true;
}

bool krti_shape_bytes(krt_shape shape, krt_dtype dtype, size_t *bytes)
{
    const int64_t size = krt_shape_size(shape);

    return size >= 0 && (uint64_t)size <= SIZE_MAX / 2 &&
           krti_mul_size((size_t)size, krt_dtype_size(dtype), bytes) && *bytes <= SIZE_MAX / 2;
}

/* snprintf() at *used, which never runs past `size`. */
static void append(char *buffer, size_t size, size_t *used, const char *text)
{
    const size_t n = strlen(text), room = size - *used - 1;
    const size_t fits = n < room ? n : room;

    memcpy(buffer + *used, text, fits);
    *used += fits;
    buffer[*used] = '\0';
}

char *krt_shape_print(krt_shape shape, char *buffer, size_t size)
{
    char number[24];
    size_t used = 0;

    if (size == 0)
        return buffer;
    buffer[0] = '\0';
    if (shape.rank < 0) {
        append(buffer, size, &used, "None");
        return buffer;
    }
    append(buffer, size, &used, "(");
    for (int i = 0; i < shape.rank && i < KRT_MAX_RANK; i++) {
        if (i > 0)
            append(buffer, size, &used, ", ");
        snprintf(number, sizeof number, "%lld", (long long)shape.dim[i]);
        append(buffer, size, &used, shape.dim[i] == KRT_NONE ? "None" : number);
    }
    append(buffer, size, &used, shape.rank == 1 ? ",)" : ")");
    return buffer;
}

/* ------------------------------------------------------------------------------- tensors */

static void destroy(void *self)
{
    krt_tensor *t = self;
    krt_ctx *k = t->owned.k;

    if (t->ours)
        krti_free(k, t->data);
    krti_bytes_drop(t->source);
    krti_free(k, t->texts);
    krti_free(k, t);
}

/* A tensor without data; what it would take is in size_bytes. */
static krt_status make(krt_ctx *k, krt_tensor **out, krt_dtype dtype, krt_shape shape)
{
    char text[160];
    size_t bytes = 0;

    *out = NULL;
    if (krt_dtype_size(dtype) == 0)
        return krti_fail(k, KRT_E_INVALID, NULL, "%d is no dtype", (int)dtype);
    if (shape.rank > KRT_MAX_RANK)
        return krti_fail(k, KRT_E_INVALID, NULL, "rank is %d, at most %d are possible", shape.rank,
                         KRT_MAX_RANK);
    if (!krti_shape_bytes(shape, dtype, &bytes))
        return krti_fail(k, KRT_E_INVALID, NULL, "a tensor cannot have the shape %s",
                         krt_shape_print(shape, text, sizeof text));
    krt_tensor *t = krti_alloc(k, sizeof *t);
    if (t == NULL)
        return KRT_E_NOMEM;
    t->dtype = dtype;
    t->shape = shape;
    t->size_bytes = bytes;
    krti_own(k, &t->owned, destroy);
    *out = t;
    return KRT_OK;
}

/* The same with memory of its own, not set to anything when there is data to come. */
static krt_status make_with_memory(krt_ctx *k, krt_tensor **out, krt_dtype dtype, krt_shape shape,
                                   bool is_zero)
{
    krt_status st = make(k, out, dtype, shape);

    if (st != KRT_OK)
        return st;
    krt_tensor *t = *out;
    t->data = is_zero ? krti_alloc(k, t->size_bytes) : krti_resize(k, NULL, t->size_bytes);
    t->ours = true;
    t->writable = true;
    if (t->data != NULL)
        return KRT_OK;
    krt_tensor_free(t);
    *out = NULL;
    return KRT_E_NOMEM;
}

krt_status krt_tensor_new(krt_ctx *k, krt_tensor **out, krt_dtype dtype, krt_shape shape)
{
    return make_with_memory(k, out, dtype, shape, true);
}

/* Elements are read as their type, so they must lie where the machine can read them. */
static krt_status check_data(krt_ctx *k, const void *data, krt_dtype dtype, krt_shape shape)
{
    const size_t size = dtype == KRT_STRING ? sizeof(void *) : krt_dtype_size(dtype);

    if (data == NULL && krt_shape_size(shape) != 0)
        return krti_fail(k, KRT_E_INVALID, NULL, "data is NULL");
    if (size != 0 && (uintptr_t)data % size != 0)
        return krti_fail(k, KRT_E_INVALID, NULL, "data is not aligned for %s",
                         krt_dtype_name(dtype));
    return KRT_OK;
}

krt_status krt_tensor_wrap(krt_ctx *k, krt_tensor **out, krt_dtype dtype, krt_shape shape,
                           const void *data)
{
    krt_status st = check_data(k, data, dtype, shape);

    *out = NULL;
    if (st == KRT_OK)
        st = make(k, out, dtype, shape);
    if (st == KRT_OK)
        (*out)->data = (void *)(uintptr_t)data;
    return st;
}

krt_status krti_tensor_map(krt_ctx *k, krt_tensor **out, krt_dtype dtype, krt_shape shape,
                           krti_bytes *source, const void *data)
{
    const krt_status st = make(k, out, dtype, shape);

    if (st != KRT_OK)
        return st;
    (*out)->data = (void *)(uintptr_t)data;
    (*out)->source = krti_bytes_use(source);
    return KRT_OK;
}

krt_status krti_tensor_keep_texts(krt_tensor *t)
{
    krt_ctx *k = t->owned.k;
    krt_string *const items = t->data;
    const size_t n = t->dtype == KRT_STRING ? t->size_bytes / sizeof *items : 0;
    size_t total = 0;

    for (size_t i = 0; i < n; i++) {
        if (items[i].data == NULL && items[i].size > 0)
            return krti_fail(k, KRT_E_INVALID, NULL, "string %zu has %zu bytes at NULL", i,
                             items[i].size);
        if (items[i].size > SIZE_MAX / 2 - total)
            return krti_fail(k, KRT_E_NOMEM, NULL, "strings of more than %zu bytes", total);
        total += items[i].size;
    }
    char *texts = n > 0 ? krti_alloc_raw(k, total + 1) : NULL, *next = texts;
    if (n > 0 && texts == NULL)
        return KRT_E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        if (items[i].size > 0)
            memcpy(next, items[i].data, items[i].size);
        items[i].data = next;
        next += items[i].size;
    }
    krti_free(k, t->texts);
    t->texts = texts;
    return KRT_OK;
}

krt_status krt_tensor_texts(krt_ctx *k, krt_tensor **out, krt_shape shape, const char *const *texts)
{
    krt_status st = krt_tensor_new(k, out, KRT_STRING, shape);

    for (int64_t i = 0; st == KRT_OK && i < krt_shape_size(shape); i++)
        if (texts[i] != NULL)
            ((krt_string *)(*out)->data)[i] = (krt_string){texts[i], strlen(texts[i])};
    if (st == KRT_OK)
        st = krti_tensor_keep_texts(*out);
    if (st != KRT_OK) {
        krt_tensor_free(*out);
        *out = NULL;
    }
    return st;
}

krt_status krt_tensor_from(krt_ctx *k, krt_tensor **out, krt_dtype dtype, krt_shape shape,
                           const void *data)
{
    krt_status st = KRT_OK;

    *out = NULL;
    if (data == NULL && krt_shape_size(shape) != 0)
        return krti_fail(k, KRT_E_INVALID, NULL, "data is NULL");
    st = make_with_memory(k, out, dtype, shape, false);
    if (st == KRT_OK && (*out)->size_bytes > 0)
        memcpy((*out)->data, data, (*out)->size_bytes);
    if (st == KRT_OK && (st = krti_tensor_keep_texts(*out)) != KRT_OK) {
        krt_tensor_free(*out);
        *out = NULL;
    }
    return st;
}

krt_status krt_tensor_cast(const krt_tensor *t, krt_tensor **out, krt_dtype dtype)
{
    if (dtype == KRT_STRING && t->dtype == KRT_STRING)
        return krt_tensor_from(t->owned.k, out, dtype, t->shape, t->data);
    *out = NULL;
    if (dtype == KRT_STRING || t->dtype == KRT_STRING)
        return krti_fail(t->owned.k, KRT_E_INVALID, NULL,
                         "an array of %s does not become one of %s", krt_dtype_name(t->dtype),
                         krt_dtype_name(dtype));
    const krt_status st = make_with_memory(t->owned.k, out, dtype, t->shape, false);

    if (st == KRT_OK)
        krti_convert((*out)->data, dtype, t->data, t->dtype, (size_t)krt_shape_size(t->shape));
    return st;
}

krt_status krt_tensor_reshape(const krt_tensor *t, krt_tensor **out, krt_shape shape)
{
    char from[160], to[160];
    krt_status st = KRT_OK;

    *out = NULL;
    if (krt_shape_size(shape) != krt_shape_size(t->shape))
        return krti_fail(t->owned.k, KRT_E_INVALID, NULL, "cannot reshape %s into %s",
                         krt_shape_print(t->shape, from, sizeof from),
                         krt_shape_print(shape, to, sizeof to));
    st = make(t->owned.k, out, t->dtype, shape);
    if (st != KRT_OK)
        return st;
    (*out)->data = t->data;
    (*out)->writable = t->writable;
    (*out)->source = t->source != NULL ? krti_bytes_use(t->source) : NULL;
    return KRT_OK;
}

void krt_tensor_free(krt_tensor *t)
{
    if (t == NULL)
        return;
    krti_disown(&t->owned);
    destroy(t);
}

void krti_tensor_let_go(krt_tensor *t)
{
    if (t != NULL && t->source != NULL)
        krti_bytes_forget(t->source, t->data, t->size_bytes);
    krt_tensor_free(t);
}

krt_dtype krt_tensor_dtype(const krt_tensor *t)
{
    return t->dtype;
}

krt_shape krt_tensor_shape(const krt_tensor *t)
{
    return t->shape;
}

const void *krt_tensor_data(const krt_tensor *t)
{
    return t->data;
}

void *krt_tensor_data_mut(krt_tensor *t)
{
    return t->writable ? t->data : NULL;
}

bool krti_tensor_is_aligned(const krt_tensor *t)
{
    const size_t size = t->dtype == KRT_STRING ? sizeof(void *) : krt_dtype_size(t->dtype);

    return size <= 1 || (uintptr_t)t->data % size == 0;
}

krt_status krti_tensor_align(krt_tensor *t)
{
    krt_ctx *k = t->owned.k;
    void *copy = krti_alloc_raw(k, t->size_bytes);

    if (copy == NULL)
        return KRT_E_NOMEM;
    memcpy(copy, t->data, t->size_bytes);
    if (t->ours)
        krti_free(k, t->data);
    krti_bytes_drop(t->source);
    t->data = copy;
    t->ours = true;
    t->writable = true;
    t->source = NULL;
    return KRT_OK;
}

bool krti_tensor_is_private(const krt_tensor *t)
{
    return t->ours && t->source == NULL;
}

krt_status krti_tensor_own(krt_tensor *t)
{
    return krti_tensor_is_private(t) ? KRT_OK : krti_tensor_align(t);
}
