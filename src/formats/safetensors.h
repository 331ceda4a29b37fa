/* .safetensors: eight bytes of length, a JSON object that says of every array its type, shape and place,
 * the arrays without gaps. Hugging Face's safetensors/src/tensor.rs. Page: docs/formats/safetensors.md. */
#ifndef KRTI_FORMATS_SAFETENSORS_H
#define KRTI_FORMATS_SAFETENSORS_H

#include "base/arena.h"
#include "base/fs.h"
#include "base/str.h"

enum { KRTI_SAFETENSORS_MAX_RANK = 8 };

typedef struct krti_safetensor {
    const char *name;
    const char *dtype; /* "F32" */
    size_t item_size;  /* 0: of a type without whole bytes, or unknown */
    int rank;          /* beyond KRTI_SAFETENSORS_MAX_RANK: no dim is kept */
    int64_t dim[KRTI_SAFETENSORS_MAX_RANK];
    uint64_t offset, size; /* in the file */
} krti_safetensor;

bool krti_safetensors_detect(const krti_bytes *bytes);

/* Reads the header into the arena, in the header's order. Every array lies in the file, they do not
 * overlap and leave no gap: nothing can hide in one. Fails: E_CORRUPT, E_FORMAT naming the array. */
krt_status krti_safetensors_read(krti_arena *a, krti_safetensor **out, size_t *n,
                                 const krti_bytes *bytes);

/* Appends the head of a file (length and JSON, padded to eight bytes) for arrays in this order, one
 * behind the other; their offsets are set. */
krt_status krti_safetensors_put_head(krti_str *s, krti_safetensor *arrays, size_t n);

#endif
