/* One arena from lifetimes: every slot gets an offset such that no two slots that are alive at the
 * same step overlap. Greedy by size, each into the lowest gap that holds it, which is within a few
 * per cent of the largest sum of living sizes on the models measured. */
#include "ops/plan.h"

#include <stdlib.h>

enum { ALIGN = 64 };

typedef struct block {
    size_t size, offset;
    int first, last;
    size_t *result;
} block;

static int larger_first(const void *pa, const void *pb)
{
    const block *a = pa, *b = pb;

    if (a->size != b->size)
        return a->size < b->size ? 1 : -1;
    return a->first - b->first;
}

static int lower_first(const void *pa, const void *pb)
{
    const block *const *a = pa, *const *b = pb;

    return ((*a)->offset > (*b)->offset) - ((*a)->offset < (*b)->offset);
}

static bool live_together(const block *a, const block *b)
{
    return a->first <= b->last && b->first <= a->last;
}

/* The lowest offset at which `b` meets none of the n blocks (sorted by offset) that live with it. */
static size_t lowest_gap(const block *b, block *const *placed, size_t n)
{
    size_t offset = 0;

    for (size_t i = 0; i < n; i++) {
        if (placed[i]->offset >= offset && placed[i]->offset - offset >= b->size)
            break;
        if (placed[i]->offset + placed[i]->size > offset)
            offset = placed[i]->offset + placed[i]->size;
    }
    return offset;
}

static size_t place_all(block *blocks, size_t n, block **living)
{
    size_t total = 0;

    qsort(blocks, n, sizeof *blocks, larger_first);
    for (size_t i = 0; i < n; i++) {
        size_t num_living = 0;

        for (size_t j = 0; j < i; j++)
            if (live_together(&blocks[i], &blocks[j]))
                living[num_living++] = &blocks[j];
        qsort(living, num_living, sizeof *living, lower_first);
        blocks[i].offset = lowest_gap(&blocks[i], living, num_living);
        *blocks[i].result = blocks[i].offset;
        if (blocks[i].offset + blocks[i].size > total)
            total = blocks[i].offset + blocks[i].size;
    }
    return total;
}

static size_t round_up(size_t size)
{
    return (size + ALIGN - 1) / ALIGN * ALIGN;
}

krt_status krti_plan_memory(krti_plan *p)
{
    const size_t most = (size_t)p->num_slots + (size_t)p->num_steps + 1;
    block *blocks = krti_array(p->k, most, sizeof *blocks);
    block **living = krti_array(p->k, most, sizeof *living);
    size_t n = 0;

    if (blocks == NULL || living == NULL) {
        krti_free(p->k, blocks);
        krti_free(p->k, living);
        return KRT_E_NOMEM;
    }
    for (int i = 0; i < p->num_slots; i++) {
        krti_slot *s = &p->slots[i];

        if (s->kind == KRTI_SLOT_ARENA && s->size_bytes > 0 && s->last >= s->first)
            blocks[n++] = (block){round_up(s->size_bytes), 0, s->first, s->last, &s->offset};
    }
    for (int i = 0; i < p->num_steps; i++) {
        krti_step *s = &p->steps[i];

        if (s->scratch_bytes > 0)
            blocks[n++] = (block){round_up(s->scratch_bytes), 0, i, i, &s->scratch_offset};
    }
    p->arena_bytes = place_all(blocks, n, living);
    krti_free(p->k, blocks);
    krti_free(p->k, living);
    return KRT_OK;
}
