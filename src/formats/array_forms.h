/* The forms behind npy.h, one file each, and what they share. Not for other floors.
 *
 * A parser appends to `out` and keeps a use of `bytes` per array; what was appended before a
 * failure is the caller's to free. */
#ifndef KRTI_FORMATS_ARRAY_FORMS_H
#define KRTI_FORMATS_ARRAY_FORMS_H

#include "formats/npy.h"

bool krti_npy_detect(const krti_bytes *bytes);
bool krti_idx_detect(const krti_bytes *bytes);

/* `name` is copied; NULL for none. */
krt_status krti_npy_parse(krt_ctx *k, krti_ndarrays *out, krti_bytes *bytes, const char *name);
krt_status krti_npz_parse(krt_ctx *k, krti_ndarrays *out, krti_bytes *bytes);
krt_status krti_idx_parse(krt_ctx *k, krti_ndarrays *out, krti_bytes *bytes);
krt_status krti_csv_parse(krt_ctx *k, krti_ndarrays *out, krti_bytes *bytes);

/* Appends an array whose size_bytes is already known to lie inside `bytes`. */
krt_status krti_ndarrays_add(krt_ctx *k, krti_ndarrays *out, const krti_ndarray *array,
                             krti_bytes *bytes, const char *name);

/* Bytes of the whole array; false when a dimension is negative or the product does not fit. */
bool krti_ndarray_bytes(const krti_ndarray *array, size_t *size);

/* "(3, 4)" into a buffer of KRTI_NDARRAY_TEXT bytes, which it returns. */
enum { KRTI_NDARRAY_TEXT = 192 };
char *krti_ndarray_print(const krti_ndarray *array, char *buffer);

#endif
