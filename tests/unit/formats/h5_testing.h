/* What the tests of the HDF5 reader share: opening fixtures, elements as numbers, and reading all
 * that a file holds. Fixtures are made by tools/make_h5_fixtures.py. */
#ifndef KERATIN_TESTS_H5_TESTING_H
#define KERATIN_TESTS_H5_TESTING_H

#include "formats/h5_read.h"
#include "testing.h"

#include <math.h>

typedef struct h5_file {
    krti_bytes *bytes;
    krti_h5 *f;
} h5_file;

static inline const char *h5_fixture(const char *name)
{
    static char path[512];

    snprintf(path, sizeof path, "%s/h5/%s.h5", KERATIN_FIXTURES, name);
    return path;
}

static inline h5_file h5_open_path(testing *t, const char *path)
{
    h5_file h = {NULL, NULL};

    ASSERT_OK(krti_bytes_map(t->k, &h.bytes, path));
    ASSERT_OK(krti_h5_open(t->k, &h.f, h.bytes));
    return h;
}

static inline h5_file h5_open(testing *t, const char *name)
{
    return h5_open_path(t, h5_fixture(name));
}

static inline void h5_close(h5_file h)
{
    krti_h5_close(h.f);
    krti_bytes_drop(h.bytes);
}

static inline krti_h5_object h5_at(testing *t, h5_file h, const char *path)
{
    krti_h5_object object = {0};
    bool found = false;

    ASSERT_OK(krti_h5_find(h.f, krti_h5_root(h.f), path, &object, &found));
    if (!found)
        print_error("%s is not there\n", path);
    ASSERT_TRUE(found);
    return object;
}

/* Element i as a number, whatever its type. */
static inline double h5_element(const krti_h5_type *type, const void *data, uint64_t i)
{
    const unsigned char *const p = (const unsigned char *)data + i * type->size;
    uint64_t bits = 0;
    float f = 0;
    double d = 0;

    for (uint32_t b = 0; b < type->size; b++)
        bits |= (uint64_t)p[type->big_endian ? type->size - 1 - b : b] << (8 * b);
    if (type->cls != KRTI_H5_FLOAT) {
        const unsigned spare = 64 - 8 * type->size;

        return type->is_signed ? (double)((int64_t)(bits << spare) >> spare) : (double)bits;
    }
    if (type->is_bfloat16 || type->size == 4) {
        const uint32_t word = (uint32_t)(type->size == 4 ? bits : bits << 16);

        memcpy(&f, &word, sizeof f);
        return (double)f;
    }
    if (type->size == 2) { /* the fixtures hold zeros and normal numbers */
        const double sign = (bits >> 15) != 0 ? -1 : 1;
        const int exponent = (int)(bits >> 10 & 31);

        return exponent == 0 ? 0 : sign * ldexp((double)(bits & 1023) + 1024, exponent - 25);
    }
    memcpy(&d, &bits, sizeof d);
    return d;
}

typedef struct h5_array {
    krti_h5_dataset d;
    const void *data;
    krti_bytes *owned;
    uint64_t num;
} h5_array;

static inline h5_array h5_read(testing *t, h5_file h, const char *path)
{
    h5_array a = {.data = NULL};
    const krti_h5_object object = h5_at(t, h, path);

    ASSERT_OK(krti_h5_dataset_open(h.f, object, &a.d));
    ASSERT_OK(krti_h5_dataset_read(h.f, object, &a.d, &a.data, &a.owned));
    a.num = a.d.size_bytes / a.d.type.size;
    return a;
}

/* Reads all that a file holds and drops it again: every link, attribute and dataset. `refused`
 * counts what came back as an error, the last of which the context has. */
typedef struct h5_totals {
    krt_ctx *k;
    krti_h5 *f;
    krti_h5_object object;
    uint64_t bytes_left; /* of data; larger datasets are only described */
    size_t groups, datasets, attributes, links, refused;
    unsigned sum; /* over all bytes, so that every one is touched */
} h5_totals;

static inline krt_status h5_total_attribute(void *user, const char *name, const krti_h5_type *type)
{
    h5_totals *const s = user;
    krti_h5_strings list = {0, NULL};
    char *text = NULL;
    size_t length = 0;
    int64_t number = 0;
    bool found = false;
    krt_status st = KRT_OK;

    s->attributes++;
    if (type->cls == KRTI_H5_STRING && type->rank == 0)
        st = krti_h5_attribute_text(s->f, s->object, name, &text, &length, &found);
    else if (type->cls == KRTI_H5_STRING)
        st = krti_h5_attribute_names(s->f, s->object, name, &list, &found);
    else if (type->cls == KRTI_H5_INTEGER && type->rank == 0)
        st = krti_h5_attribute_int(s->f, s->object, name, &number, &found);
    s->refused += st != KRT_OK;
    s->sum += (unsigned)length + (unsigned)number;
    for (size_t i = 0; i < list.n; i++)
        s->sum += (unsigned)strlen(list.items[i]);
    krti_free(s->k, text);
    krti_free(s->k, list.items);
    return KRT_OK;
}

static inline krt_status h5_total_data(h5_totals *s)
{
    krti_h5_dataset d;
    const unsigned char *data = NULL;
    const void *raw = NULL;
    krti_bytes *owned = NULL;
    krt_status st = krti_h5_dataset_open(s->f, s->object, &d);

    if (st != KRT_OK || d.size_bytes > s->bytes_left)
        return st;
    s->bytes_left -= d.size_bytes;
    st = krti_h5_dataset_read(s->f, s->object, &d, &raw, &owned);
    data = raw;
    for (uint64_t i = 0; st == KRT_OK && i < d.size_bytes; i++)
        s->sum += data[i];
    krti_bytes_drop(owned);
    return st;
}

static inline krt_status h5_total_object(void *user, const char *path, krti_h5_object object,
                                         krti_h5_kind kind)
{
    h5_totals *const s = user;

    (void)path;
    s->object = object;
    if (object.header == UINT64_MAX) {
        s->links++;
        return KRT_OK;
    }
    s->groups += kind == KRTI_H5_GROUP;
    s->datasets += kind == KRTI_H5_DATASET;
    s->refused += krti_h5_each_attribute(s->f, object, h5_total_attribute, s) != KRT_OK;
    if (kind == KRTI_H5_DATASET)
        s->refused += h5_total_data(s) != KRT_OK;
    return KRT_OK;
}

static inline h5_totals h5_read_all(krt_ctx *k, krti_h5 *f, uint64_t bytes_left)
{
    h5_totals s = {.k = k, .f = f, .object = krti_h5_root(f), .bytes_left = bytes_left};

    s.refused += krti_h5_each_attribute(f, s.object, h5_total_attribute, &s) != KRT_OK;
    s.refused += krti_h5_walk(f, krti_h5_root(f), h5_total_object, &s) != KRT_OK;
    return s;
}

#endif
