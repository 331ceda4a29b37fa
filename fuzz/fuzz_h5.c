/* Fuzzes the HDF5 reader: opens the input, lists it, and reads every attribute and dataset.
 *
 * Data is read up to 4 MiB an input, so that inputs are many. Checksums are computed but not
 * insisted on when the library is built for fuzzing (FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION), so
 * that what lies behind them is reached. Seeds: fuzz/corpus/h5, made by
 * tools/make_h5_fixtures.py. */
#include "formats/h5_read.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_DATA = 4 << 20, MAX_OBJECTS = 2000, MAX_ATTRIBUTES = 200 };

typedef struct visit {
    krt_ctx *k;
    krti_h5 *f;
    krti_h5_object object;
    uint64_t data_left;
    unsigned objects_left, attributes_left;
    unsigned sum; /* keeps the reads */
} visit;

static krt_status visit_attribute(void *user, const char *name, const krti_h5_type *type)
{
    visit *const v = user;
    krti_h5_strings list = {0, NULL};
    char *text = NULL;
    size_t length = 0;
    int64_t number = 0;
    bool found = false;

    if (v->attributes_left-- == 0)
        return KRT_E_CANCELLED;
    krti_h5_attribute_text(v->f, v->object, name, &text, &length, &found);
    krti_h5_attribute_names(v->f, v->object, name, &list, &found);
    krti_h5_attribute_int(v->f, v->object, name, &number, &found);
    v->sum += (unsigned)length + (unsigned)number + (unsigned)type->cls;
    for (size_t i = 0; i < list.n; i++)
        v->sum += (unsigned)strlen(list.items[i]);
    krti_free(v->k, text);
    krti_free(v->k, list.items);
    return KRT_OK;
}

static void visit_data(visit *v)
{
    krti_h5_dataset d;
    const void *raw = NULL;
    krti_bytes *owned = NULL;

    if (krti_h5_dataset_open(v->f, v->object, &d) != KRT_OK || d.size_bytes > v->data_left)
        return;
    v->data_left -= d.size_bytes;
    if (krti_h5_dataset_read(v->f, v->object, &d, &raw, &owned) != KRT_OK)
        return;
    for (uint64_t i = 0; i < d.size_bytes; i++)
        v->sum += ((const unsigned char *)raw)[i];
    krti_bytes_drop(owned);
}

static krt_status visit_object(void *user, const char *path, krti_h5_object object,
                               krti_h5_kind kind)
{
    visit *const v = user;
    krti_h5_object again = object;
    bool found = false;

    if (v->objects_left-- == 0)
        return KRT_E_CANCELLED;
    krti_h5_find(v->f, krti_h5_root(v->f), path, &again, &found);
    v->object = object;
    v->attributes_left = MAX_ATTRIBUTES;
    if (object.header != UINT64_MAX)
        krti_h5_each_attribute(v->f, object, visit_attribute, v);
    if (kind == KRTI_H5_DATASET)
        visit_data(v);
    return KRT_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    visit v = {
        .data_left = MAX_DATA, .objects_left = MAX_OBJECTS, .attributes_left = MAX_ATTRIBUTES};
    krti_bytes *bytes = NULL;

    if (krt_ctx_new(&v.k, NULL) != KRT_OK)
        return 0;
    if (krti_bytes_wrap(v.k, &bytes, data, size) == KRT_OK && krti_h5_detect(bytes) &&
        krti_h5_open(v.k, &v.f, bytes) == KRT_OK) {
        v.object = krti_h5_root(v.f);
        krti_h5_each_attribute(v.f, v.object, visit_attribute, &v);
        krti_h5_walk(v.f, v.object, visit_object, &v);
    }
    krti_h5_close(v.f);
    krti_bytes_drop(bytes);
    krt_ctx_free(v.k);
    return (int)(v.sum & 0);
}
