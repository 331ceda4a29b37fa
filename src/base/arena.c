/* See arena.h. Blocks double from 1 KiB to 256 KiB; a larger request gets a block of its own. What is not
 * handed out yet is not touched. */
#include "base/arena.h"

enum { FIRST_BLOCK = 1024, LARGEST_BLOCK = 256 << 10, GRAIN = 16 };

typedef struct krti_arena_block {
    struct krti_arena_block *next;
    size_t size, used; /* of the bytes after this header */
} block;

static block *add_block(krti_arena *a, size_t need)
{
    size_t size = a->blocks == NULL ? FIRST_BLOCK : a->blocks->size * 2;

    if (size > LARGEST_BLOCK)
        size = LARGEST_BLOCK;
    if (size < need)
        size = need;
    block *b = krti_alloc_raw(a->k, sizeof *b + GRAIN + size);
    if (b == NULL)
        return NULL;
    b->size = size;
    b->used = 0;
    b->next = a->blocks;
    a->blocks = b;
    return b;
}

static char *block_data(block *b)
{
    return (char *)b + (sizeof *b + GRAIN - 1) / GRAIN * GRAIN;
}

static void *take(krti_arena *a, size_t size)
{
    if (size > SIZE_MAX - 4 * GRAIN - sizeof(block)) {
        krti_fail(a->k, KRT_E_NOMEM, NULL, "out of memory: %zu bytes wanted", size);
        return NULL;
    }
    const size_t need = (size + GRAIN - 1) / GRAIN * GRAIN;
    block *b = a->blocks;

    if (b == NULL || b->size - b->used < need)
        b = add_block(a, need);
    if (b == NULL)
        return NULL;
    void *p = block_data(b) + b->used;
    b->used += need;
    return p;
}

void *krti_arena_alloc(krti_arena *a, size_t size)
{
    void *p = take(a, size);

    if (p != NULL)
        memset(p, 0, size);
    return p;
}

void *krti_arena_array(krti_arena *a, size_t n, size_t size)
{
    size_t bytes = 0;

    if (!krti_mul_size(n, size, &bytes))
        bytes = SIZE_MAX;
    return krti_arena_alloc(a, bytes);
}

char *krti_arena_strndup(krti_arena *a, const char *text, size_t length)
{
    char *copy = take(a, length + 1);

    if (copy == NULL)
        return NULL;
    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

char *krti_arena_strdup(krti_arena *a, const char *text)
{
    return krti_arena_strndup(a, text, strlen(text));
}

void krti_arena_free(krti_arena *a)
{
    while (a->blocks != NULL) {
        block *next = a->blocks->next;

        krti_free(a->k, a->blocks);
        a->blocks = next;
    }
}
