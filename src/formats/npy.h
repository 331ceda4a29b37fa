/* Array files: NumPy's .npy (1.0 to 3.0) and .npz, the IDX files of MNIST (also gzipped), CSV.
 *
 * These parsers give bytes and names and know no tensors; saving/array_io.c turns them into
 * krt_tensor. Page: docs/formats/arrays.md. */
#ifndef KRTI_FORMATS_NPY_H
#define KRTI_FORMATS_NPY_H

#include "base/fs.h"

enum { KRTI_ARRAY_MAX_RANK = 8 };

typedef enum krti_array_kind {
    KRTI_ARRAY_INT = 1,
    KRTI_ARRAY_UINT,
    KRTI_ARRAY_FLOAT,
    KRTI_ARRAY_BOOL,
    KRTI_ARRAY_TEXT, /* NumPy's U: code points of four bytes, filled up with zeros */
    KRTI_ARRAY_BYTES /* NumPy's S: likewise, of one byte */
} krti_array_kind;

typedef struct krti_ndarray {
    krti_array_kind kind;
    int item_size; /* 1, 2, 4, 8; of texts any but 0 */
    bool big_endian;
    bool fortran_order;
    int rank;
    int64_t dim[KRTI_ARRAY_MAX_RANK];
    const void *data; /* points into `bytes`; any alignment */
    size_t size_bytes;
    krti_bytes *bytes; /* a use; drop it */
    char *name;        /* member of an .npz without ".npy", else NULL; krti_free it */
    bool has_crc32;    /* of krti_npz_open(): what the elements' must be, not looked at yet */
    uint32_t crc32;
} krti_ndarray;

typedef struct krti_ndarrays {
    size_t n, capacity;
    krti_ndarray *items;
} krti_ndarrays;

/* Reads every array of the file, the form told by content: .npy, IDX and CSV also gzipped. A CSV
 * file is one array of (rows, columns), int64 when every field is one, else float64. Fails: E_FORMAT
 * naming what the file is instead, E_CORRUPT (cut short, damaged), E_UNSUPPORTED (objects,
 * structures, rank over 8). */
krt_status krti_ndarrays_read(krt_ctx *k, krti_ndarrays *out, krti_bytes *bytes);
/* The same of an .npz, without reading elements that lie in it row by row: `crc32` is theirs. */
krt_status krti_npz_open(krt_ctx *k, krti_ndarrays *out, krti_bytes *bytes);
void krti_ndarrays_free(krt_ctx *k, krti_ndarrays *arrays);

/* Appends a .npy header for the array (native order, C order) to s, byte for byte as NumPy. */
krt_status krti_npy_header(krti_str *s, krti_array_kind kind, int item_size, int rank,
                           const int64_t *dim);

/* Writes members stored under "NAME.npy", as np.savez does: beside the target, then renamed. Fails:
 * E_INVALID (a name that no archive may hold, two of one name), E_IO. */
typedef struct krti_npz_member {
    const char *name; /* without ".npy" */
    krti_array_kind kind;
    int item_size, rank;
    const int64_t *dim;
    size_t size_bytes;
    const void *data; /* NULL: `open` brings it when its turn comes */
    krt_status (*open)(void *user, const void **data);
    void (*done)(void *user); /* called when it was written, or when that failed; NULL: nothing */
    void *user;
} krti_npz_member;
krt_status krti_npz_write(krt_ctx *k, const char *filepath, const krti_npz_member *members,
                          size_t n, bool sync);

#endif
