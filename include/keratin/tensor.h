/**
 * @file tensor.h
 * Arrays: a dtype, a shape and row-major bytes. Keras: backend tensors and NumPy arrays.
 */
#ifndef KERATIN_TENSOR_H
#define KERATIN_TENSOR_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Element types. Names are Keras's, see krt_dtype_name(). */
typedef enum krt_dtype {
    KRT_DTYPE_NONE = 0,
    KRT_FLOAT32,
    KRT_FLOAT64,
    KRT_FLOAT16,
    KRT_BFLOAT16,
    KRT_INT8,
    KRT_INT16,
    KRT_INT32,
    KRT_INT64,
    KRT_UINT8,
    KRT_UINT16,
    KRT_UINT32,
    KRT_UINT64,
    KRT_BOOL,  /**< one byte, 0 or 1 */
    KRT_STRING /**< krt_string: of text layers' inputs, never of weights */
} krt_dtype;

/** An element of a KRT_STRING array: bytes, usually UTF-8, that may hold zeros and need no end. NULL with
 *  size 0 is the empty one. Who makes an array over elements of its own (krt_tensor_wrap(), krt_run_call(),
 *  krt_tensor_data_mut()) keeps the bytes alive; every copy of an array copies them too. */
typedef struct krt_string {
    const char *data;
    size_t      size;
} krt_string;

#define KRT_MAX_RANK 8

/** Dimensions by value. A dimension may be KRT_NONE (unknown). rank -1: no shape at all. */
typedef struct krt_shape {
    int     rank;
    int64_t dim[KRT_MAX_RANK];
} krt_shape;
/** KRT_SHAPE(28, 28, 1): as Keras's shape=(28, 28, 1), without the batch dimension. C only. */
#define KRT_SHAPE(...) \
    ((krt_shape){ (int)(sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t)), { __VA_ARGS__ } })

/** Bytes of one element; 0 for KRT_DTYPE_NONE. */
KRT_API size_t krt_dtype_size(krt_dtype dtype);

/** Keras's name: "float32". Never NULL ("none" for an unknown value). */
KRT_API const char *krt_dtype_name(krt_dtype dtype);

/** The dtype with this Keras name, KRT_DTYPE_NONE if there is none. NULL: KRT_DTYPE_NONE. */
KRT_API krt_dtype krt_dtype_from_name(const char *name);

/** Product of the dimensions; 1 for rank 0; KRT_NONE when one is unknown or it overflows. */
KRT_API int64_t krt_shape_size(krt_shape shape);

/** Whether rank and every dimension agree (an unknown dimension equals only another unknown). */
KRT_API bool krt_shape_equal(krt_shape a, krt_shape b);

/** Writes the shape as Keras prints it, "(None, 28, 28, 1)", "(4,)", "()".
 *  `size` bytes at `buffer`, always terminated; 160 are always enough. Returns `buffer`. */
KRT_API char *krt_shape_print(krt_shape shape, char *buffer, size_t size);

/** An array. Belongs to its context. */
typedef struct krt_tensor krt_tensor;

/** A new tensor of zeros. `shape` must be fully known. Owns: *out until krt_tensor_free() or
 *  krt_ctx_free(). Fails: E_NOMEM, E_INVALID. */
KRT_API krt_status krt_tensor_new(krt_ctx *k, krt_tensor **out, krt_dtype dtype, krt_shape shape);

/** A tensor over the caller's memory: no copy. `data` is row major, aligned for its dtype, and
 *  must outlive the tensor. Fails: E_NOMEM, E_INVALID. */
KRT_API krt_status krt_tensor_wrap(krt_ctx *k, krt_tensor **out, krt_dtype dtype, krt_shape shape,
                                   const void *data);

/** A new tensor with a copy of `data`. Fails: E_NOMEM, E_INVALID. */
KRT_API krt_status krt_tensor_from(krt_ctx *k, krt_tensor **out, krt_dtype dtype, krt_shape shape,
                                   const void *data);

/** A KRT_STRING array with copies of these texts, which end in a zero; NULL is the empty one.
 *
 *      krt_tensor_texts(k, &x, KRT_SHAPE(2, 1), (const char *[]){ "a text", "and another" });
 *
 *  Fails: E_NOMEM, E_INVALID. */
KRT_API krt_status krt_tensor_texts(krt_ctx *k, krt_tensor **out, krt_shape shape,
                                    const char *const *texts);

/** A copy converted to `dtype`, as NumPy's astype (floats to integers truncate). Strings become
 *  nothing else. Fails: E_NOMEM, E_INVALID. */
KRT_API krt_status krt_tensor_cast(const krt_tensor *t, krt_tensor **out, krt_dtype dtype);

/** The same bytes under another shape of equal size, borrowed from `t`, which must outlive it. */
KRT_API krt_status krt_tensor_reshape(const krt_tensor *t, krt_tensor **out, krt_shape shape);

/** NULL: allowed. */
KRT_API void krt_tensor_free(krt_tensor *t);

/** As it was made or read; the shape is fully known. */
KRT_API krt_dtype krt_tensor_dtype(const krt_tensor *t);
KRT_API krt_shape krt_tensor_shape(const krt_tensor *t);
/** Row-major bytes, borrowed. */
KRT_API const void *krt_tensor_data(const krt_tensor *t);
/** The same for writing; NULL if the tensor wraps memory or a file it may not write. */
KRT_API void *krt_tensor_data_mut(krt_tensor *t);

/** Reads one array from `.npy`, IDX (`-ubyte`, also gzipped) or CSV, by content; from an `.npz`
 *  the only array. Either byte order, C or Fortran order; the result is native and row major.
 *  Fails: E_NOT_FOUND, E_FORMAT, E_CORRUPT, E_UNSUPPORTED (object arrays), E_NOMEM. */
KRT_API krt_status krt_tensor_read(krt_ctx *k, krt_tensor **out, const char *filepath);

/** Reads a text file as a KRT_STRING array of (lines, 1), without the ends of lines. Fails: E_NOT_FOUND,
 *  E_IO, E_NOMEM. */
KRT_API krt_status krt_tensor_read_lines(krt_ctx *k, krt_tensor **out, const char *filepath);

/** Every array of an `.npz` (or the one of another array file, its name then NULL).
 *  Owns: *tensors and *names are lists of *n, freed with krt_free(); the tensors one by one. */
KRT_API krt_status krt_tensors_read(krt_ctx *k, size_t *n, krt_tensor ***tensors, char ***names,
                                    const char *filepath);

/** Writes `.npy`; to a temporary name beside the target, then renamed. Fails: E_IO,
 *  E_NOT_FOUND (no such directory). */
KRT_API krt_status krt_tensor_write(const krt_tensor *t, const char *filepath);

/** Writes `.npz` (stored members) with these names. */
KRT_API krt_status krt_tensors_write(krt_ctx *k, size_t n, krt_tensor *const *tensors,
                                     const char *const *names, const char *filepath);

/** NumPy's text of the array, abbreviated as NumPy abbreviates. Owns: *out, krt_free() it. */
KRT_API krt_status krt_tensor_format(const krt_tensor *t, char **out);

#ifdef __cplusplus
}
#endif

#endif
