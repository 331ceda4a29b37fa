/* Array files into tensors, for callers inside the library. Public face: <keratin/tensor.h>. */
#ifndef KRTI_SAVING_ARRAY_IO_H
#define KRTI_SAVING_ARRAY_IO_H

#include "tensor/tensor.h"

/* krt_tensors_read() on bytes that are already there; the tensors keep a use of them where their
 * data lies in them. `anywhere`: at any address, as krti_tensor_map(). */
krt_status krti_tensors_read_bytes(krt_ctx *k, size_t *n, krt_tensor ***tensors, char ***names,
                                   krti_bytes *bytes, bool anywhere);

#endif
