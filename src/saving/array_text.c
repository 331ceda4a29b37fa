/* Arrays of strings: NumPy's U and S, whose elements are all as long as the longest, and lines of a
 * text file. Keras takes the same from np.array([...]) and tf.data.TextLineDataset. */
#include "saving/array_io.h"

#include "base/utf8.h"

/* ------------------------------------------------------------------------------- reading */

static uint32_t code_point(const unsigned char *p, bool big_endian)
{
    return big_endian ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]
                      : (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

/* One element, without the zeros behind it, to `to`; SIZE_MAX: it holds what is no character. */
static size_t read_element(char *to, const unsigned char *p, const krti_ndarray *a)
{
    const size_t unit = a->kind == KRTI_ARRAY_TEXT ? 4 : 1;
    size_t length = (size_t)a->item_size, n = 0;

    while (length > 0 && memcmp(p + length - unit, "\0\0\0", unit) == 0)
        length -= unit;
    if (unit == 1) {
        memcpy(to, p, length);
        return length;
    }
    for (size_t i = 0; i < length; i += unit) {
        const size_t size = krti_utf8_put(to + n, code_point(p + i, a->big_endian));

        if (size == 0)
            return SIZE_MAX;
        n += size;
    }
    return n;
}

krt_status krti_ndarray_texts(krt_ctx *k, krt_tensor **out, const krti_ndarray *a)
{
    krt_tensor *t = NULL;
    char *turned = NULL, *to = NULL;
    const unsigned char *from = a->data;
    krt_status st = krt_tensor_new(k, &t, KRT_STRING, krti_ndarray_shape(a));

    *out = NULL;
    TRY(st);
    t->texts = to = krti_alloc_raw(k, a->size_bytes + 1); /* UTF-8 is never longer */
    TRY(to != NULL ? KRT_OK : KRT_E_NOMEM);
    if (a->fortran_order && a->size_bytes > 0) {
        turned = krti_alloc_raw(k, a->size_bytes);
        TRY(turned != NULL ? KRT_OK : KRT_E_NOMEM);
        krti_ndarray_turn(turned, a);
        from = (const unsigned char *)turned;
    }
    for (size_t i = 0; i < a->size_bytes / (size_t)a->item_size; i++) {
        const size_t n = read_element(to, from + i * (size_t)a->item_size, a);

        if (n == SIZE_MAX)
            TRY(krti_fail(k, KRT_E_CORRUPT, NULL, "string %zu holds what is no Unicode character",
                          i));
        ((krt_string *)t->data)[i] = (krt_string){to, n};
        to += n;
    }
    *out = t;
    t = NULL;

done:
    krt_tensor_free(t);
    krti_free(k, turned);
    return st;
}

krt_status krt_tensor_read_lines(krt_ctx *k, krt_tensor **out, const char *filepath)
{
    krti_bytes *bytes = NULL;
    int64_t n = 0;
    krt_status st = krti_bytes_map(k, &bytes, filepath);

    *out = NULL;
    if (st != KRT_OK)
        return st;
    const char *p = (const char *)bytes->data, *const end = p + bytes->size;
    for (const char *q = p; q < end && (q = memchr(q, '\n', (size_t)(end - q))) != NULL; q++)
        n++;
    n += bytes->size > 0 && end[-1] != '\n';
    st = krt_tensor_new(k, out, KRT_STRING, KRT_SHAPE(n, 1));
    for (int64_t i = 0; st == KRT_OK && i < n; i++) {
        const char *const stop = memchr(p, '\n', (size_t)(end - p));
        const char *const next = stop != NULL ? stop : end;
        const bool is_dos = next > p && next[-1] == '\r';

        ((krt_string *)(*out)->data)[i] = (krt_string){p, (size_t)(next - p) - is_dos};
        p = next + 1;
    }
    if (st == KRT_OK)
        st = krti_tensor_keep_texts(*out);
    krti_bytes_drop(bytes);
    if (st != KRT_OK) {
        krt_tensor_free(*out);
        *out = NULL;
    }
    return st == KRT_OK ? st : krti_fail_in_file(k, st, filepath);
}

/* ------------------------------------------------------------------------------- writing */

/* Characters of a string, written to `to` where that is not NULL; -1: it is no UTF-8. */
static int64_t characters(krt_string s, uint32_t *to)
{
    const char *at = s.data != NULL ? s.data : "", *const end = at + s.size;
    int64_t n = 0;

    for (; at < end; n++) {
        const uint32_t c = krti_utf8_next(&at, end);

        if (c == UINT32_MAX)
            return -1;
        if (to != NULL)
            to[n] = c;
    }
    return n;
}

krt_status krti_texts_member(const krt_tensor *t, krti_npz_member *m, void **block)
{
    krt_ctx *k = t->owned.k;
    const krt_string *const items = t->data;
    const size_t n = (size_t)krt_shape_size(t->shape);
    int64_t longest = 1;
    size_t size = 0;

    for (size_t i = 0; i < n; i++) {
        const int64_t length = characters(items[i], NULL);

        if (length < 0)
            return krti_fail(k, KRT_E_UNSUPPORTED, NULL,
                             "string %zu is no UTF-8, which NumPy's arrays of text cannot hold", i);
        longest = length > longest ? length : longest;
    }
    if (longest > INT32_MAX / 4 || !krti_mul_size(n, (size_t)longest * 4, &size) ||
        size > SIZE_MAX / 2)
        return krti_fail(k, KRT_E_UNSUPPORTED, NULL,
                         "strings of up to %lld characters are too long for NumPy's arrays",
                         (long long)longest);
    uint32_t *const to = krti_alloc(k, size + 1);
    if (to == NULL)
        return KRT_E_NOMEM;
    for (size_t i = 0; i < n; i++)
        (void)characters(items[i], to + i * (size_t)longest);
    *block = to;
    m->kind = KRTI_ARRAY_TEXT;
    m->item_size = (int)longest * 4;
    m->rank = t->shape.rank;
    m->dim = t->shape.dim;
    m->data = to;
    m->size_bytes = size;
    return KRT_OK;
}
