/* Array files into tensors, for callers inside the library. Public face: <keratin/tensor.h>. */
#ifndef KRTI_SAVING_ARRAY_IO_H
#define KRTI_SAVING_ARRAY_IO_H

#include "formats/npy.h"
#include "tensor/tensor.h"

/* krt_tensors_read() on bytes that are already there; the tensors keep a use of them where their
 * data lies in them. */
krt_status krti_tensors_read_bytes(krt_ctx *k, size_t *n, krt_tensor ***tensors, char ***names,
                                   krti_bytes *bytes);

krt_dtype krti_ndarray_dtype(const krti_ndarray *a);
krt_shape krti_ndarray_shape(const krti_ndarray *a);
bool krti_ndarray_is_native(const krti_ndarray *a); /* in this machine's byte order */
/* The array as a tensor. `anywhere`: where it lies, at any address, as krti_tensor_map(). */
krt_status krti_ndarray_tensor(krt_ctx *k, krt_tensor **out, const krti_ndarray *a, bool anywhere);

/* array_text.c: an array of strings from NumPy's, and back: a member whose data is *block, which is
 * krti_free()d. Fails: E_CORRUPT for what is no Unicode, E_UNSUPPORTED for bytes that are no UTF-8. */
krt_status krti_ndarray_texts(krt_ctx *k, krt_tensor **out, const krti_ndarray *a);
krt_status krti_texts_member(const krt_tensor *t, krti_npz_member *m, void **block);
/* Whether krti_ndarray_texts() reads it. */
static inline bool krti_ndarray_is_text(const krti_ndarray *a)
{
    return a->kind == KRTI_ARRAY_TEXT || a->kind == KRTI_ARRAY_BYTES;
}
/* A column-major array row by row into `dst`. */
void krti_ndarray_turn(char *dst, const krti_ndarray *a);

#endif
