/* Version 2 B-trees: the name index of dense groups and attributes, chunk indexes, huge objects.
 *
 * Specification: III.A.2. How many records a node may hold, and therefore how wide the counts in
 * it are, is nowhere stored: it follows from the node size by the same arithmetic as in libhdf5.
 * Version 1 trees are read where they are used, by h5_group.c and h5_index.c. */
#include "formats/h5_internal.h"

enum { MAX_DEPTH = 24, NODE_OVERHEAD = 10 };

typedef struct walk {
    krti_h5 *f;
    const krti_h5_btree2 *tree;
    size_t record_size;
    unsigned count_width;                /* of the record count in a child pointer */
    unsigned total_width[MAX_DEPTH + 1]; /* of the count of all records below, by level */
    uint64_t most[MAX_DEPTH + 1];        /* records of a node, by level; 0: leaf */
    uint64_t budget;
} walk;

static uint64_t saturating(uint64_t a, uint64_t b, uint64_t plus)
{
    if (b != 0 && a > UINT64_MAX / b)
        return UINT64_MAX;
    return a * b > UINT64_MAX - plus ? UINT64_MAX : a * b + plus;
}

static size_t pointer_size(const walk *w, unsigned level)
{
    return w->f->offset_size + w->count_width + w->total_width[level - 1];
}

/* The arithmetic of H5B2__hdr_init. */
static bool plan_levels(walk *w, uint64_t node_size, unsigned depth)
{
    uint64_t below = 0;

    for (unsigned level = 0; level <= depth; level++) {
        const uint64_t pointer = level == 0 ? 0 : pointer_size(w, level);

        if (node_size < NODE_OVERHEAD + pointer)
            return false;
        w->most[level] = (node_size - NODE_OVERHEAD - pointer) / (w->record_size + pointer);
        if (w->most[level] == 0)
            return false;
        if (level == 0)
            w->count_width = krti_h5_width(w->most[0]);
        below = level == 0 ? w->most[0] : saturating(w->most[level] + 1, below, w->most[level]);
        w->total_width[level] = level == 0 ? 0 : krti_h5_width(below);
    }
    return true;
}

static int compare_hash(const walk *w, const unsigned char *record)
{
    const uint32_t hash = (uint32_t)krti_h5_little(record + w->tree->hash_offset, 4);

    return hash < *w->tree->hash ? -1 : hash > *w->tree->hash;
}

static krt_status visit_record(const walk *w, const unsigned char *record)
{
    if (w->tree->hash != NULL && compare_hash(w, record) != 0)
        return KRT_OK;
    return w->tree->each(w->tree->user, record);
}

/* Whether records with the wanted hash may lie between record i - 1 and record i. */
static bool may_be_below(const walk *w, const unsigned char *records, uint64_t i, uint64_t n)
{
    if (w->tree->hash == NULL)
        return true;
    return (i == 0 || compare_hash(w, records + (i - 1) * w->record_size) <= 0) &&
           (i == n || compare_hash(w, records + i * w->record_size) >= 0);
}

static krt_status open_node(walk *w, uint64_t address, uint64_t n, unsigned level,
                            const unsigned char **out)
{
    krt_status st = KRT_OK;
    const char *const signature = level == 0 ? "BTLF" : "BTIN";
    uint64_t size = NODE_OVERHEAD + n * w->record_size;

    if (level > 0)
        size += (n + 1) * pointer_size(w, level);
    if (n > w->most[level])
        return krti_h5_fail(w->f, KRT_E_CORRUPT,
                            "HDF5 B-tree node at byte %" PRIu64 " has %" PRIu64
                            " records, at most %" PRIu64 " fit",
                            address, n, w->most[level]);
    TRY(krti_h5_spend(w->f, &w->budget, size, "B-tree node"));
    TRY(krti_h5_checked_span(w->f, address, size, "B-tree node", out));
    if (!krti_h5_has_signature(*out, signature) || (*out)[4] != 0 || (*out)[5] != w->tree->type)
        return krti_h5_fail(w->f, KRT_E_CORRUPT, "HDF5: no B-tree node of type %u at byte %" PRIu64,
                            w->tree->type, address);
    *out += 6;
done:
    return st;
}

/* Recursion is as deep as the tree, MAX_DEPTH at most. */
static krt_status visit_node(walk *w, uint64_t address, uint64_t n, unsigned level)
{
    krt_status st = KRT_OK;
    const unsigned char *records = NULL;

    TRY(open_node(w, address, n, level, &records));
    const size_t pointer = level == 0 ? 0 : pointer_size(w, level);
    const unsigned char *const children = records + n * w->record_size;
    for (uint64_t i = 0; i <= n; i++) {
        if (level > 0 && may_be_below(w, records, i, n)) {
            krti_h5_cursor c = krti_h5_cursor_at(children + i * pointer, pointer);
            const uint64_t child = krti_h5_take_address(w->f, &c);
            const uint64_t num = krti_h5_take(&c, w->count_width);
            TRY(visit_node(w, child, num, level - 1));
        }
        if (i < n)
            TRY(visit_record(w, records + i * w->record_size));
    }
done:
    return st;
}

krt_status krti_h5_btree2_each(krti_h5 *f, uint64_t address, const krti_h5_btree2 *tree)
{
    krt_status st = KRT_OK;
    const unsigned char *p = NULL;
    const uint64_t size = 22 + f->offset_size + f->length_size;
    walk w = {.f = f, .tree = tree, .record_size = tree->record_size, .budget = f->size};

    TRY(krti_h5_checked_span(f, address, size, "B-tree", &p));
    krti_h5_cursor c = krti_h5_cursor_at(p + 6, size - 6);
    const uint64_t node_size = krti_h5_take32(&c);
    const unsigned record_size = krti_h5_take16(&c), depth = krti_h5_take16(&c);
    krti_h5_skip(&c, 2);
    const uint64_t root = krti_h5_take_address(f, &c);
    const uint64_t n = krti_h5_take16(&c);
    if (!krti_h5_has_signature(p, "BTHD") || p[4] != 0 || p[5] != tree->type)
        return krti_h5_fail(f, KRT_E_CORRUPT, "HDF5: no B-tree of type %u at byte %" PRIu64,
                            tree->type, address);
    if (record_size != tree->record_size || depth > MAX_DEPTH || !plan_levels(&w, node_size, depth))
        return krti_h5_fail(f, KRT_E_CORRUPT,
                            "HDF5 B-tree at byte %" PRIu64 " has records of %u bytes in nodes of "
                            "%" PRIu64 ", depth %u, expected records of %zu",
                            address, record_size, node_size, depth, tree->record_size);
    if (root != KRTI_H5_UNDEFINED)
        TRY(visit_node(&w, root, n, depth));
done:
    return st;
}
