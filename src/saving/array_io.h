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

#endif
