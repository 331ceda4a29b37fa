/* The tensor as the library's own floors see it. Public face: <keratin/tensor.h>. */
#ifndef KRTI_TENSOR_TENSOR_H
#define KRTI_TENSOR_TENSOR_H

#include "base/fs.h"
#include <keratin/tensor.h>

struct krt_tensor {
    krti_owned owned;
    krt_dtype dtype;
    krt_shape shape;
    size_t size_bytes;
    void *data;
    bool writable;
    bool ours;          /* data came from krti_alloc */
    krti_bytes *source; /* the mapping data points into, or NULL */
    char *texts; /* of KRT_STRING: the bytes of the elements where they are its own, or NULL */
};

/* A tensor over mapped or inflated file bytes, which it keeps alive. Row major and native order; at
 * any address, so whoever reads elements asks krti_tensor_is_aligned() first. */
krt_status krti_tensor_map(krt_ctx *k, krt_tensor **out, krt_dtype dtype, krt_shape shape,
                           krti_bytes *source, const void *data);
/* Frees a tensor that was read through once: where its file is mapped, the pages are let go, so that files
 * of any size take no memory. NULL allowed. */
void krti_tensor_let_go(krt_tensor *t);

/* Whether data may be read as elements. Arrays of a file may lie at any address. */
bool krti_tensor_is_aligned(const krt_tensor *t);
/* Gives the tensor an aligned copy of its data and lets the file go. */
krt_status krti_tensor_align(krt_tensor *t);

/* Gives a KRT_STRING tensor bytes of its own for its elements; others stay as they are. Fails: E_INVALID
 * for an element of a size and no data, E_NOMEM. */
krt_status krti_tensor_keep_texts(krt_tensor *t);

/* Whether the tensor may be written without a file or a borrowed array changing. */
bool krti_tensor_is_private(const krt_tensor *t);
/* Makes it so. */
krt_status krti_tensor_own(krt_tensor *t);

/* Converts n elements; src and dst must not overlap unless the dtypes are equal. Saturates nothing:
 * as C casts, floats to integers truncate, anything to bool is != 0. */
void krti_convert(void *dst, krt_dtype to, const void *src, krt_dtype from, size_t n);

/* Bytes a fully known shape takes; false when unknown, negative or more than SIZE_MAX/2. */
bool krti_shape_bytes(krt_shape shape, krt_dtype dtype, size_t *bytes);

bool krti_dtype_is_float(krt_dtype dtype);

#endif
