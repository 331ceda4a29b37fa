/* Memory that is given back all at once: config trees, graphs, plans. Zeroed, 16-byte aligned. */
#ifndef KRTI_BASE_ARENA_H
#define KRTI_BASE_ARENA_H

#include "base/ctx.h"

typedef struct krti_arena {
    krt_ctx *k;
    struct krti_arena_block *blocks; /* newest first */
} krti_arena;

#define KRTI_ARENA_INIT(ctx) \
    {                        \
        .k = (ctx)           \
    }

void *krti_arena_alloc(krti_arena *a, size_t size); /* NULL: E_NOMEM is recorded */
void *krti_arena_array(krti_arena *a, size_t n, size_t size);
char *krti_arena_strdup(krti_arena *a, const char *text);
char *krti_arena_strndup(krti_arena *a, const char *text, size_t length);
void krti_arena_free(krti_arena *a); /* everything; the arena may be used again */

#endif
