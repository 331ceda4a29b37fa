/* The header read and checked, and written. See safetensors.h. */
#include "formats/safetensors.h"

#include "base/f16.h"
#include "formats/json.h"

#include <stdlib.h>

enum { LENGTH_SIZE = 8, LARGEST_HEADER = 100000000 /* the original's limit */ };

static const char METADATA[] = "__metadata__";

/* A header that does not fit is still one: the file is cut short. */
bool krti_safetensors_detect(const krti_bytes *b)
{
    return b->size > LENGTH_SIZE + 1 && krti_le64(b->data) >= 2 &&
           krti_le64(b->data) <= LARGEST_HEADER && b->data[LENGTH_SIZE] == '{' &&
           (b->data[LENGTH_SIZE + 1] == '"' || b->data[LENGTH_SIZE + 1] == '}');
}

/* ------------------------------------------------------------------------------- reading */

static size_t item_size(const char *dtype)
{
    static const struct {
        const char *name;
        size_t size;
    } types[] = {{"F32", 4},     {"F16", 2},         {"BF16", 2},       {"F64", 8},
                 {"I64", 8},     {"I32", 4},         {"I16", 2},        {"I8", 1},
                 {"U64", 8},     {"U32", 4},         {"U16", 2},        {"U8", 1},
                 {"BOOL", 1},    {"C64", 8},         {"F8_E5M2", 1},    {"F8_E4M3", 1},
                 {"F8_E8M0", 1}, {"F8_E4M3FNUZ", 1}, {"F8_E5M2FNUZ", 1}};

    for (size_t i = 0; i < KRTI_COUNT(types); i++)
        if (strcmp(types[i].name, dtype) == 0)
            return types[i].size;
    return 0;
}

static krt_status fail_array(krt_ctx *k, const char *name, const char *what)
{
    return krti_fail(k, KRT_E_CORRUPT, name, "the safetensors header: %s", what);
}

static krt_status read_shape(krt_ctx *k, krti_safetensor *t, const krti_conf *shape)
{
    if (!krti_conf_is(shape, KRTI_CONF_LIST) || krti_conf_num(shape) > INT16_MAX)
        return fail_array(k, t->name, "\"shape\" is no list");
    t->rank = (int)krti_conf_num(shape);
    for (int i = 0; i < t->rank; i++) {
        const krti_conf *dim = krti_conf_at(shape, (size_t)i);

        if (!krti_conf_is(dim, KRTI_CONF_INT) || dim->as.integer < 0)
            return fail_array(k, t->name, "\"shape\" has a dimension that is none");
        if (t->rank <= KRTI_SAFETENSORS_MAX_RANK)
            t->dim[i] = dim->as.integer;
    }
    return KRT_OK;
}

/* Whether the bytes are what type and shape take; true where that cannot be said. */
static bool size_agrees(const krti_safetensor *t)
{
    uint64_t size = t->item_size;

    if (t->item_size == 0 || t->rank > KRTI_SAFETENSORS_MAX_RANK)
        return true;
    for (int i = 0; i < t->rank; i++)
        if (t->dim[i] == 0)
            return t->size == 0;
    for (int i = 0; i < t->rank; i++) {
        if (size > (uint64_t)INT64_MAX / (uint64_t)t->dim[i])
            return false;
        size *= (uint64_t)t->dim[i];
    }
    return size == t->size;
}

static krt_status read_array(krt_ctx *k, krti_safetensor *t, const krti_conf *c, uint64_t data,
                             uint64_t limit)
{
    const krti_conf *offsets = krti_conf_get(c, "data_offsets");
    const krti_conf *begin = krti_conf_at(offsets, 0), *end = krti_conf_at(offsets, 1);
    krt_status st = KRT_OK;

    t->dtype = krti_conf_get_text(c, "dtype");
    if (t->dtype == NULL)
        return fail_array(k, t->name, "\"dtype\" is missing");
    t->item_size = item_size(t->dtype);
    st = read_shape(k, t, krti_conf_get(c, "shape"));
    if (st != KRT_OK)
        return st;
    if (krti_conf_num(offsets) != 2 || !krti_conf_is(begin, KRTI_CONF_INT) ||
        !krti_conf_is(end, KRTI_CONF_INT))
        return fail_array(k, t->name, "\"data_offsets\" is no pair of numbers");
    if (begin->as.integer < 0 || end->as.integer < begin->as.integer ||
        (uint64_t)end->as.integer > limit)
        return fail_array(k, t->name,
                          "\"data_offsets\" lie outside the file, which may be cut short");
    t->offset = data + (uint64_t)begin->as.integer;
    t->size = (uint64_t)(end->as.integer - begin->as.integer);
    return size_agrees(t)
               ? KRT_OK
               : fail_array(k, t->name, "\"data_offsets\" do not agree with dtype and shape");
}

static int by_offset(const void *left, const void *right)
{
    const krti_safetensor *const *a = left, *const *b = right;
    const uint64_t x = (*a)->offset, y = (*b)->offset;

    if (x != y)
        return x < y ? -1 : 1;
    return ((*a)->size > (*b)->size) - ((*a)->size < (*b)->size);
}

/* The arrays fill the file. */
static krt_status check_cover(krt_ctx *k, const krti_safetensor *arrays, size_t n, uint64_t start,
                              uint64_t end)
{
    const krti_safetensor **sorted = krti_array(k, n, sizeof *sorted);
    krt_status st = sorted != NULL ? KRT_OK : KRT_E_NOMEM;

    for (size_t i = 0; st == KRT_OK && i < n; i++)
        sorted[i] = &arrays[i];
    if (st == KRT_OK && n > 1)
        qsort(sorted, n, sizeof *sorted, by_offset);
    for (size_t i = 0; st == KRT_OK && i < n; i++) {
        if (sorted[i]->offset != start)
            st = fail_array(k, sorted[i]->name,
                            sorted[i]->offset < start ? "two arrays overlap"
                                                      : "bytes in front of it belong to no array");
        start += sorted[i]->size;
    }
    if (st == KRT_OK && start != end)
        st = krti_fail(k, KRT_E_CORRUPT, NULL,
                       "the safetensors header: the last %llu bytes belong to no array",
                       (unsigned long long)(end - start));
    krti_free(k, sorted);
    return st;
}

static krt_status read_header(krti_arena *a, const krti_conf **out, const krti_bytes *b,
                              uint64_t *data)
{
    const uint64_t length = b->size >= LENGTH_SIZE ? krti_le64(b->data) : UINT64_MAX;

    if (b->size < LENGTH_SIZE || length > b->size - LENGTH_SIZE)
        return krti_fail(
            a->k, KRT_E_CORRUPT, NULL,
            "the safetensors file is cut short: its header does not fit into %zu bytes", b->size);
    if (length > LARGEST_HEADER)
        return krti_fail(a->k, KRT_E_UNSAFE, NULL,
                         "Not allowed: a safetensors header of %llu bytes, more than %d",
                         (unsigned long long)length, LARGEST_HEADER);
    *data = LENGTH_SIZE + length;
    return krti_json_parse(a, out, b->data + LENGTH_SIZE, (size_t)length);
}

/* Where the offsets lead past the end of the file: how many arrays are left. */
static krt_status check_end(krt_ctx *k, const krti_conf *header, uint64_t data, uint64_t size)
{
    size_t num = 0, num_whole = 0;
    uint64_t end = 0;

    for (size_t i = 0; i < krti_conf_num(header); i++) {
        const krti_conf *last =
            krti_conf_at(krti_conf_get(krti_conf_at(header, i), "data_offsets"), 1);

        if (!krti_conf_is(last, KRTI_CONF_INT) || last->as.integer < 0)
            continue;
        num++;
        num_whole += (uint64_t)last->as.integer <= size - data;
        if ((uint64_t)last->as.integer > end)
            end = (uint64_t)last->as.integer;
    }
    if (num == num_whole)
        return KRT_OK;
    return krti_fail(k, KRT_E_CORRUPT, NULL,
                     "file is cut short: %llu of %llu bytes; %zu of %zu arrays are whole",
                     (unsigned long long)size, (unsigned long long)(data + end), num_whole, num);
}

krt_status krti_safetensors_read(krti_arena *a, krti_safetensor **out, size_t *n,
                                 const krti_bytes *bytes)
{
    const krti_conf *header = NULL;
    uint64_t data = 0;
    krt_status st = KRT_OK;

    *n = 0;
    TRY(read_header(a, &header, bytes, &data));
    if (!krti_conf_is(header, KRTI_CONF_DICT))
        TRY(krti_fail(a->k, KRT_E_CORRUPT, NULL, "the safetensors header is no JSON object"));
    TRY(check_end(a->k, header, data, bytes->size));
    *out = krti_arena_array(a, krti_conf_num(header), sizeof **out);
    if (*out == NULL)
        TRY(KRT_E_NOMEM);
    for (size_t i = 0; i < krti_conf_num(header); i++) {
        krti_safetensor *t = &(*out)[*n];

        t->name = krti_conf_key_at(header, i);
        if (strcmp(t->name, METADATA) == 0)
            continue;
        TRY(read_array(a->k, t, krti_conf_at(header, i), data, bytes->size - data));
        (*n)++;
    }
    TRY(check_cover(a->k, *out, *n, data, bytes->size));

done:
    return st;
}

/* ------------------------------------------------------------------------------- writing */

static krt_status put_name(krti_str *s, const char *name)
{
    krti_arena a = KRTI_ARENA_INIT(s->k);
    const krti_conf *c = krti_conf_string(&a, name);
    const krt_status st = c != NULL ? krti_json_write(s, c, -1) : KRT_E_NOMEM;

    krti_arena_free(&a);
    return st;
}

krt_status krti_safetensors_put_head(krti_str *s, krti_safetensor *arrays, size_t n)
{
    uint64_t offset = 0;
    krt_status st = krti_str_fill(s, '\0', LENGTH_SIZE);

    krti_str_add(s, "{\"__metadata__\":{\"format\":\"keras\"}");
    for (size_t i = 0; st == KRT_OK && i < n; i++) {
        krti_str_add(s, ",");
        st = put_name(s, arrays[i].name);
        krti_str_addf(s, ":{\"dtype\":\"%s\",\"shape\":[", arrays[i].dtype);
        for (int j = 0; j < arrays[i].rank; j++)
            krti_str_addf(s, "%s%lld", j > 0 ? "," : "", (long long)arrays[i].dim[j]);
        krti_str_addf(s, "],\"data_offsets\":[%llu,%llu]}", (unsigned long long)offset,
                      (unsigned long long)(offset + arrays[i].size));
        arrays[i].offset = offset;
        offset += arrays[i].size;
    }
    krti_str_add(s, "}");
    krti_str_fill(s, ' ', (LENGTH_SIZE - s->length % LENGTH_SIZE) % LENGTH_SIZE);
    if (st == KRT_OK)
        st = s->status;
    if (st == KRT_OK && s->length - LENGTH_SIZE > LARGEST_HEADER)
        st = krti_fail(s->k, KRT_E_UNSUPPORTED, NULL,
                       "a safetensors header of %zu bytes; readers take %d at most", s->length,
                       LARGEST_HEADER);
    for (size_t i = 0; st == KRT_OK && i < n; i++)
        arrays[i].offset += s->length;
    for (size_t i = 0; st == KRT_OK && i < LENGTH_SIZE; i++)
        s->ptr[i] = (char)((s->length - LENGTH_SIZE) >> (8 * i) & 0xFF);
    return st;
}
