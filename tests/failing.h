/* A host allocator that fails at the nth request and counts what is outstanding: every operation
 * must come back with E_NOMEM from each of its allocations, and leave nothing behind.
 *
 *     FAILING_SWEEP(operation, argument): runs `krt_status operation(krt_ctx *, void *)` with the
 *     first, second, ... allocation failing until it goes through. Returns how many it makes. */
#ifndef KERATIN_TESTS_FAILING_H
#define KERATIN_TESTS_FAILING_H

#include "testing.h"

typedef struct failing {
    size_t countdown; /* requests until one fails; SIZE_MAX: never */
    size_t requests;
    size_t outstanding; /* bytes */
    size_t peak;
} failing;

static void failing_count(failing *f, size_t size)
{
    f->outstanding += size;
    if (f->outstanding > f->peak)
        f->peak = f->outstanding;
}

static void *failing_alloc(void *user, size_t size, size_t align)
{
    failing *f = user;

    f->requests++;
    if (f->countdown != SIZE_MAX && f->countdown-- == 0) {
        f->countdown = 0; /* and from now on always */
        return NULL;
    }
    void *p = aligned_alloc(align, (size + align - 1) / align * align);
    if (p != NULL)
        failing_count(f, size);
    return p;
}

static void failing_free(void *user, void *p, size_t size)
{
    failing *f = user;

    if (p != NULL)
        f->outstanding -= size;
    free(p);
}

static void *failing_resize(void *user, void *p, size_t old_size, size_t size, size_t align)
{
    void *q = failing_alloc(user, size, align);

    if (q == NULL)
        return NULL;
    if (p != NULL)
        memcpy(q, p, old_size < size ? old_size : size);
    failing_free(user, p, old_size);
    return q;
}

/* A context that draws from `f`; the context itself is always granted. */
static krt_ctx *failing_ctx(failing *f, size_t countdown)
{
    krt_ctx *k = NULL;
    const krt_allocator a = {failing_alloc, failing_resize, failing_free, f};

    *f = (failing){.countdown = SIZE_MAX};
    assert_int_equal(krt_ctx_new(&k, KRT_CTX(.allocator = a, .seed = 1)), KRT_OK);
    f->requests = 0;
    f->countdown = countdown;
    return k;
}

static inline size_t FAILING_SWEEP(krt_status (*operation)(krt_ctx *, void *), void *argument)
{
    for (size_t n = 0;; n++) {
        failing f;
        krt_ctx *k = failing_ctx(&f, n);
        const krt_status st = operation(k, argument);

        if (st != KRT_OK && (st != KRT_E_NOMEM || krt_ctx_error(k)->status != KRT_E_NOMEM))
            fail_msg("allocation %zu failed, status %s: %s", n, krt_status_name(st),
                     krt_ctx_error(k)->message);
        krt_ctx_free(k);
        assert_int_equal(f.outstanding, 0);
        if (st == KRT_OK)
            return n;
    }
}

#endif
