/* NumPy's .npy: a magic, a version, the length of a header, the header (the text of a Python dict
 * with descr, fortran_order and shape), the elements. numpy/lib/format.py writes and reads it.
 *
 * NumPy evaluates the header as a Python literal; we accept exactly the literals it writes, in any
 * order of keys. */
#include "formats/array_forms.h"

#include "base/f16.h"
#include "base/number.h"

#include <limits.h>

enum { MAGIC_SIZE = 6, LARGEST_HEADER = 10000 /* NumPy's max_header_size */ };
enum {
    PREFIX_SIZE = 10,
    ALIGN = 64,
    GROWTH_DIGITS = 21 /* room for the first dimension to grow in place */
};

static const unsigned char magic[] = {0x93, 'N', 'U', 'M', 'P', 'Y'};

typedef struct cursor {
    krt_ctx *k;
    const char *start, *p, *end;
} cursor;

bool krti_npy_detect(const krti_bytes *bytes)
{
    return bytes->size >= MAGIC_SIZE && memcmp(bytes->data, magic, MAGIC_SIZE) == 0;
}

/* ------------------------------------------------------------------------------- reading */

static krt_status fail_header(const cursor *c, const char *what)
{
    return krti_fail(c->k, KRT_E_CORRUPT, NULL, ".npy header: %s expected at character %zu", what,
                     (size_t)(c->p - c->start));
}

static void skip_blanks(cursor *c)
{
    while (c->p < c->end && (*c->p == ' ' || *c->p == '\n'))
        c->p++;
}

/* Takes the character c if it is next. */
static bool take(cursor *c, char wanted)
{
    skip_blanks(c);
    if (c->p == c->end || *c->p != wanted)
        return false;
    c->p++;
    return true;
}

/* A string without escapes in either kind of quotes. */
static krt_status take_string(cursor *c, char *text, size_t size)
{
    char quote = 0;
    size_t n = 0;

    skip_blanks(c);
    if (c->p < c->end && (*c->p == '\'' || *c->p == '"'))
        quote = *c->p++;
    if (quote == 0)
        return fail_header(c, "a string");
    while (c->p < c->end && *c->p != quote && *c->p != '\\' && n + 1 < size)
        text[n++] = *c->p++;
    text[n] = '\0';
    return take(c, quote) ? KRT_OK : fail_header(c, "the end of a short string");
}

static bool take_word(cursor *c, const char *word)
{
    const size_t n = strlen(word);

    skip_blanks(c);
    if ((size_t)(c->end - c->p) < n || memcmp(c->p, word, n) != 0)
        return false;
    c->p += n;
    return true;
}

static krt_status take_bool(cursor *c, bool *value)
{
    *value = take_word(c, "True");
    return *value || take_word(c, "False") ? KRT_OK : fail_header(c, "True or False");
}

static krt_status take_dimension(cursor *c, krti_ndarray *a)
{
    skip_blanks(c);
    const char *start = c->p;

    while (c->p < c->end && *c->p >= '0' && *c->p <= '9')
        c->p++;
    if (a->rank == KRTI_ARRAY_MAX_RANK)
        return krti_fail(c->k, KRT_E_UNSUPPORTED, NULL,
                         "array has more than %d dimensions, at most that many are read",
                         KRTI_ARRAY_MAX_RANK);
    if (!krti_number_parse_int(start, (size_t)(c->p - start), &a->dim[a->rank]))
        return fail_header(c, "a dimension");
    a->rank++;
    (void)take(c, 'L'); /* of Python 2 */
    return KRT_OK;
}

/* (), (3,), (3, 4) */
static krt_status take_shape(cursor *c, krti_ndarray *a)
{
    krt_status st = KRT_OK;
    bool is_more = true;

    if (!take(c, '('))
        return fail_header(c, "'('");
    while (is_more && !take(c, ')')) {
        st = take_dimension(c, a);
        if (st != KRT_OK)
            return st;
        is_more = take(c, ',');
        if (!is_more && (a->rank == 1 || !take(c, ')')))
            return fail_header(c, "','");
    }
    return KRT_OK;
}

static krt_status fail_dtype(krt_ctx *k, const char *descr)
{
    if (strchr(descr, 'O') != NULL)
        return krti_fail(k, KRT_E_UNSUPPORTED, NULL,
                         "array holds Python objects (dtype '%s'), whose pickles are never "
                         "executed here",
                         descr);
    if (strchr(descr, 'V') != NULL)
        return krti_fail(k, KRT_E_UNSUPPORTED, NULL,
                         "array has the dtype '%s', raw bytes (NumPy writes bfloat16 so); convert "
                         "it to float32 before saving",
                         descr);
    return krti_fail(k, KRT_E_UNSUPPORTED, NULL,
                     "array has the dtype '%s', expected bool, integers or floats of 8 to 64 bits, "
                     "or strings",
                     descr);
}

/* '<U12', '|S5': as many characters. */
static bool parse_text_descr(const char *descr, krti_ndarray *a)
{
    int64_t n = 0;

    if ((descr[1] != 'U' && descr[1] != 'S') ||
        !krti_number_parse_int(descr + 2, strlen(descr + 2), &n) || n < 1 || n > INT_MAX / 4)
        return false;
    a->kind = descr[1] == 'U' ? KRTI_ARRAY_TEXT : KRTI_ARRAY_BYTES;
    a->item_size = (int)n * (descr[1] == 'U' ? 4 : 1);
    return true;
}

/* '<f4': byte order, kind, size. */
static krt_status parse_descr(krt_ctx *k, const char *descr, krti_ndarray *a)
{
    static const struct {
        char kind;
        krti_array_kind what;
        const char *sizes;
    } kinds[] = {{'i', KRTI_ARRAY_INT, "1248"},
                 {'u', KRTI_ARRAY_UINT, "1248"},
                 {'f', KRTI_ARRAY_FLOAT, "248"},
                 {'b', KRTI_ARRAY_BOOL, "1"}};
    const char order = descr[0];

    if (strlen(descr) < 3 || strchr("<>|=", order) == NULL)
        return fail_dtype(k, descr);
    a->big_endian = order == '>' || (order == '=' && krti_is_big_endian());
    if (parse_text_descr(descr, a))
        return KRT_OK;
    if (strlen(descr) != 3)
        return fail_dtype(k, descr);
    for (size_t i = 0; i < KRTI_COUNT(kinds); i++) {
        if (descr[1] != kinds[i].kind || strchr(kinds[i].sizes, descr[2]) == NULL)
            continue;
        a->kind = kinds[i].what;
        a->item_size = descr[2] - '0';
        return KRT_OK;
    }
    return fail_dtype(k, descr);
}

static krt_status take_descr(cursor *c, krti_ndarray *a)
{
    char descr[16];
    krt_status st = KRT_OK;

    skip_blanks(c);
    if (c->p < c->end && *c->p == '[')
        return krti_fail(c->k, KRT_E_UNSUPPORTED, NULL,
                         "array holds structures (a record dtype), expected numbers");
    st = take_string(c, descr, sizeof descr);
    return st == KRT_OK ? parse_descr(c->k, descr, a) : st;
}

enum { SEEN_DESCR = 1, SEEN_ORDER = 2, SEEN_SHAPE = 4, SEEN_ALL = 7 };

static krt_status take_item(cursor *c, krti_ndarray *a, unsigned *seen)
{
    static const char *const keys[] = {"descr", "fortran_order", "shape"};
    char key[16];
    unsigned i = 0;
    krt_status st = take_string(c, key, sizeof key);

    if (st != KRT_OK)
        return st;
    while (i < KRTI_COUNT(keys) && strcmp(keys[i], key) != 0)
        i++;
    if (i == KRTI_COUNT(keys) || (*seen & (1u << i)) != 0)
        return fail_header(c, "descr, fortran_order and shape, once each, were");
    *seen |= 1u << i;
    if (!take(c, ':'))
        return fail_header(c, "':'");
    if (i == 0)
        return take_descr(c, a);
    return i == 1 ? take_bool(c, &a->fortran_order) : take_shape(c, a);
}

static krt_status parse_header(cursor *c, krti_ndarray *a)
{
    unsigned seen = 0;
    krt_status st = KRT_OK;
    bool is_more = true;

    if (!take(c, '{'))
        return fail_header(c, "'{'");
    while (is_more && !take(c, '}')) {
        st = take_item(c, a, &seen);
        if (st != KRT_OK)
            return st;
        is_more = take(c, ',');
        if (!is_more && !take(c, '}'))
            return fail_header(c, "','");
    }
    skip_blanks(c);
    if (seen != SEEN_ALL)
        return fail_header(c, "descr, fortran_order and shape");
    return c->p == c->end ? KRT_OK : fail_header(c, "the end");
}

/* Where the header's text lies. */
static krt_status find_header(krt_ctx *k, const krti_bytes *b, size_t *offset, size_t *length)
{
    const unsigned char *p = b->data;

    if (b->size < MAGIC_SIZE + 6)
        return krti_fail(k, KRT_E_CORRUPT, NULL, ".npy file is cut short: %zu bytes", b->size);
    if (p[6] < 1 || p[6] > 3)
        return krti_fail(k, KRT_E_UNSUPPORTED, NULL, ".npy version %u.%u, expected 1.0 to 3.0",
                         p[6], p[7]);
    *offset = MAGIC_SIZE + (p[6] == 1 ? 4 : 6);
    *length = p[6] == 1 ? krti_le16(p + 8) : krti_le32(p + 8);
    if (*length > b->size - *offset)
        return krti_fail(k, KRT_E_CORRUPT, NULL, ".npy file is cut short: %zu bytes", b->size);
    if (*length > LARGEST_HEADER)
        return krti_fail(k, KRT_E_UNSUPPORTED, NULL, ".npy header of %zu bytes, at most %d",
                         *length, LARGEST_HEADER);
    return KRT_OK;
}

krt_status krti_npy_parse(krt_ctx *k, krti_ndarrays *out, krti_bytes *bytes, const char *name)
{
    char shape[KRTI_NDARRAY_TEXT];
    krti_ndarray a = {0};
    size_t offset = 0, length = 0;
    krt_status st = find_header(k, bytes, &offset, &length);

    if (st != KRT_OK)
        return st;
    cursor c = {.k = k, .start = (const char *)bytes->data + offset};
    c.p = c.start;
    c.end = c.start + length;
    st = parse_header(&c, &a);
    if (st != KRT_OK)
        return st;
    const size_t held = bytes->size - offset - length;
    if (!krti_ndarray_bytes(&a, &a.size_bytes) || a.size_bytes != held)
        return krti_fail(k, KRT_E_CORRUPT, NULL,
                         "array of shape %s with elements of %d bytes does not take the %zu bytes "
                         "that the file holds of it",
                         krti_ndarray_print(&a, shape), a.item_size, held);
    a.data = bytes->data + offset + length;
    return krti_ndarrays_add(k, out, &a, bytes, name);
}

/* ------------------------------------------------------------------------------- writing */

krt_status krti_npy_header(krti_str *s, krti_array_kind kind, int item_size, int rank,
                           const int64_t *dim)
{
    static const char letters[] = {
        [KRTI_ARRAY_INT] = 'i',  [KRTI_ARRAY_UINT] = 'u', [KRTI_ARRAY_FLOAT] = 'f',
        [KRTI_ARRAY_BOOL] = 'b', [KRTI_ARRAY_TEXT] = 'U', [KRTI_ARRAY_BYTES] = 'S'};
    const char native = krti_is_big_endian() ? '>' : '<';
    const unsigned char prefix[PREFIX_SIZE] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, 0, 0};
    const size_t start = s->length;
    int digits = GROWTH_DIGITS;

    krti_str_add_n(s, (const char *)prefix, sizeof prefix);
    krti_str_addf(s, "{'descr': '%c%c%d', 'fortran_order': False, 'shape': (",
                  item_size == 1 || kind == KRTI_ARRAY_BYTES ? '|' : native, letters[kind],
                  kind == KRTI_ARRAY_TEXT ? item_size / 4 : item_size);
    for (int i = 0; i < rank; i++)
        krti_str_addf(s, i > 0 ? ", %lld" : "%lld", (long long)dim[i]);
    krti_str_add(s, rank == 1 ? ",), }" : "), }");
    if (rank > 0)
        digits = snprintf(NULL, 0, "%lld", (long long)dim[0]);
    krti_str_fill(s, ' ', (size_t)(GROWTH_DIGITS - digits));
    krti_str_fill(s, ' ', ALIGN - (s->length - start + 1) % ALIGN);
    krti_str_add_n(s, "\n", 1);
    if (s->status == KRT_OK) {
        const size_t length = s->length - start - PREFIX_SIZE;

        s->ptr[start + 8] = (char)(length & 0xFF);
        s->ptr[start + 9] = (char)(length >> 8);
    }
    return s->status;
}
