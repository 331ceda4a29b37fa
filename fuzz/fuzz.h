/* What the targets share: a context whose memory is counted, so that an input that makes the
 * library take far more than it could need is a finding like any other. */
#ifndef KERATIN_FUZZ_FUZZ_H
#define KERATIN_FUZZ_FUZZ_H

#include "base/ctx.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct fuzz_memory {
    size_t limit, used;
} fuzz_memory;

static void *fuzz_alloc(void *user, size_t size, size_t align)
{
    fuzz_memory *m = user;

    if (size > m->limit - m->used) {
        fprintf(stderr, "%zu bytes wanted, %zu of %zu are in use\n", size, m->used, m->limit);
        abort();
    }
    m->used += size;
    return aligned_alloc(align, (size + align - 1) / align * align);
}

static void fuzz_free(void *user, void *p, size_t size)
{
    fuzz_memory *m = user;

    if (p != NULL)
        m->used -= size;
    free(p);
}

static void *fuzz_resize(void *user, void *p, size_t old_size, size_t size, size_t align)
{
    void *q = fuzz_alloc(user, size, align);

    if (q != NULL && p != NULL)
        memcpy(q, p, old_size < size ? old_size : size);
    fuzz_free(user, p, old_size);
    return q;
}

/* A context that may hold `limit` bytes; freeing it with bytes outstanding is a finding, too. */
static krt_ctx *fuzz_ctx(fuzz_memory *m, size_t limit)
{
    const krt_allocator a = {fuzz_alloc, fuzz_resize, fuzz_free, m};
    krt_ctx *k = NULL;

    *m = (fuzz_memory){.limit = limit};
    if (krt_ctx_new(&k, KRT_CTX(.allocator = a, .seed = 1)) != KRT_OK)
        abort();
    return k;
}

static void fuzz_done(krt_ctx *k, const fuzz_memory *m)
{
    krt_ctx_free(k);
    if (m->used != 0) {
        fprintf(stderr, "%zu bytes were not given back\n", m->used);
        abort();
    }
}

#endif
