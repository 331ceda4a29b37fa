/* Where the chunks are: the six ways in which HDF5 indexes them.
 *
 * Specification: III.A.1 (B-tree version 1, layout 3), and VIII.A to VIII.F for layout 4: single
 * chunk, implicit, fixed array, extensible array, B-tree version 2. The structures are walked, not
 * the grid, so that a huge grid with few chunks costs what its file holds. Array indexes number
 * the chunks of the largest shape the dataset may grow to, row major; with an unlimited dimension,
 * that one counts slowest. */
#include "formats/h5_internal.h"

typedef struct indexer {
    krti_h5 *f;
    const krti_h5_plan *plan;
    uint64_t grid[KRTI_H5_MAX_RANK]; /* chunks in each dimension of the present shape */
    uint64_t most[KRTI_H5_MAX_RANK]; /* and of the largest; UINT64_MAX without limit */
    int slowest;                     /* dimension counted slowest by linear indexes */
    bool is_filtered;
    uint64_t index_budget, data_budget;
    krti_h5_chunk_fn each;
    void *user;
} indexer;

static uint64_t chunks_of(uint64_t elements, uint64_t chunk)
{
    return elements == UINT64_MAX ? UINT64_MAX : elements / chunk + (elements % chunk != 0);
}

static krt_status bad_index(const indexer *x, const char *what, uint64_t address)
{
    return krti_h5_fail(x->f, KRT_E_CORRUPT, "HDF5: no %s at byte %" PRIu64, what, address);
}

static bool is_edge(const indexer *x, const krti_h5_chunk *chunk)
{
    const krti_h5_layout *const l = &x->plan->layout;

    for (int d = 0; d < l->rank; d++)
        if (x->plan->type.dim[d] - chunk->at[d] * l->chunk[d] < l->chunk[d])
            return true;
    return false;
}

/* Every chunk found passes here: outside the present shape it is of no interest (the dataset
 * shrank), inside it must lie in the file, and all of them together be no more than the file. */
static krt_status found_chunk(indexer *x, krti_h5_chunk *chunk)
{
    krt_status st = KRT_OK;
    const krti_h5_layout *const l = &x->plan->layout;
    const unsigned char *p = NULL;

    if (chunk->address == KRTI_H5_UNDEFINED)
        return st;
    for (int d = 0; d < l->rank; d++)
        if (chunk->at[d] >= x->grid[d])
            return st;
    if (!x->is_filtered)
        chunk->size = l->chunk_bytes;
    else if (l->are_edges_unfiltered && is_edge(x, chunk))
        chunk->filter_mask = UINT32_MAX;
    if (chunk->size == 0)
        return krti_h5_fail(x->f, KRT_E_CORRUPT, "HDF5: a chunk of no bytes at byte %" PRIu64,
                            chunk->address);
    TRY(krti_h5_span(x->f, chunk->address, chunk->size, "chunk", &p));
    TRY(krti_h5_spend(x->f, &x->data_budget, chunk->size, "chunk"));
    TRY(x->each(x->user, chunk));
done:
    return st;
}

/* ------------------------------------------------------------------------------- B-tree 1 */

enum { MAX_TREE_LEVEL = 24 };

/* Key i: stored size, filter mask, element offsets; the last offset is within the element. */
static krt_status tree1_chunk(indexer *x, const unsigned char *key, uint64_t address)
{
    const krti_h5_layout *const l = &x->plan->layout;
    krti_h5_chunk chunk = {.address = address};
    krti_h5_cursor c = krti_h5_cursor_at(key, 8 + 8 * (uint64_t)l->rank);

    chunk.size = krti_h5_take32(&c);
    chunk.filter_mask = krti_h5_take32(&c);
    for (int d = 0; d < l->rank; d++) {
        const uint64_t offset = krti_h5_take(&c, 8);

        if (offset % l->chunk[d] != 0)
            return krti_h5_fail(x->f, KRT_E_CORRUPT,
                                "HDF5: a chunk begins at element %" PRIu64
                                ", expected a multiple of %" PRIu64,
                                offset, l->chunk[d]);
        chunk.at[d] = offset / l->chunk[d];
    }
    return found_chunk(x, &chunk);
}

/* Recursion is as deep as the tree, MAX_TREE_LEVEL at most. */
static krt_status tree1_each(indexer *x, uint64_t address, int level)
{
    krt_status st = KRT_OK;
    krti_h5 *const f = x->f;
    const uint64_t header = 8 + 2 * (uint64_t)f->offset_size;
    const uint64_t key = 16 + 8 * (uint64_t)x->plan->layout.rank, pair = key + f->offset_size;
    const unsigned char *p = NULL;

    TRY(krti_h5_span(f, address, header, "chunk B-tree", &p));
    if (!krti_h5_has_signature(p, "TREE") || p[4] != 1 || p[5] > MAX_TREE_LEVEL ||
        (level >= 0 && p[5] != level))
        return bad_index(x, "chunk B-tree node", address);
    level = p[5];
    const uint64_t num = krti_h5_little(p + 6, 2);
    TRY(krti_h5_spend(f, &x->index_budget, header + num * pair, "chunk B-tree"));
    TRY(krti_h5_span(f, address + header, num * pair, "chunk B-tree", &p));
    for (uint64_t i = 0; i < num; i++, p += pair) {
        krti_h5_cursor c = krti_h5_cursor_at(p + key, f->offset_size);
        const uint64_t child = krti_h5_take_address(f, &c);

        TRY(level == 0 ? tree1_chunk(x, p, child) : tree1_each(x, child, level - 1));
    }
done:
    return st;
}

/* ------------------------------------------------------------------------------- B-tree 2 */

/* Bytes of a filtered chunk's size in a B-tree record: one more than the chunk's size needs. */
static unsigned size_width(uint64_t chunk_bytes)
{
    const unsigned width = 1 + (krti_h5_log2(chunk_bytes) + 8) / 8;

    return width > 8 ? 8 : width;
}

static krt_status tree2_chunk(void *user, const unsigned char *record)
{
    indexer *const x = user;
    const krti_h5_layout *const l = &x->plan->layout;
    const unsigned width = size_width(l->chunk_bytes);
    krti_h5_chunk chunk = {.address = KRTI_H5_UNDEFINED};
    krti_h5_cursor c = krti_h5_cursor_at(
        record, x->f->offset_size + (x->is_filtered ? width + 4u : 0u) + 8 * (uint64_t)l->rank);

    chunk.address = krti_h5_take_address(x->f, &c);
    if (x->is_filtered) {
        chunk.size = krti_h5_take(&c, width);
        chunk.filter_mask = krti_h5_take32(&c);
    }
    for (int d = 0; d < l->rank; d++)
        chunk.at[d] = krti_h5_take(&c, 8);
    return found_chunk(x, &chunk);
}

static krt_status tree2_each(indexer *x, uint64_t address)
{
    enum { UNFILTERED = 10, FILTERED = 11 };
    const krti_h5_layout *const l = &x->plan->layout;
    const size_t extra = x->is_filtered ? size_width(l->chunk_bytes) + 4 : 0;
    const krti_h5_btree2 tree = {.type = x->is_filtered ? FILTERED : UNFILTERED,
                                 .record_size = x->f->offset_size + extra + 8 * (size_t)l->rank,
                                 .each = tree2_chunk,
                                 .user = x};

    return krti_h5_btree2_each(x->f, address, &tree);
}

/* ------------------------------------------------------------------------------- arrays */

/* Turns a linear index into a place in the grid. */
static void place_of(const indexer *x, uint64_t index, uint64_t *at)
{
    for (int d = x->plan->layout.rank - 1; d >= 0; d--) {
        if (d == x->slowest)
            continue;
        at[d] = x->most[d] == 0 ? 0 : index % x->most[d];
        index = x->most[d] == 0 ? 0 : index / x->most[d];
    }
    at[x->slowest] = index;
}

/* `num` entries of an array: an address, and for filtered chunks size and mask. */
static krt_status each_entry(indexer *x, const unsigned char *p, uint64_t num, size_t entry,
                             uint64_t first)
{
    krt_status st = KRT_OK;

    for (uint64_t i = 0; i < num; i++, p += entry) {
        krti_h5_cursor c = krti_h5_cursor_at(p, entry);
        krti_h5_chunk chunk = {.address = krti_h5_take_address(x->f, &c)};

        if (chunk.address == KRTI_H5_UNDEFINED)
            continue;
        if (x->is_filtered) {
            chunk.size = krti_h5_take(&c, entry - x->f->offset_size - 4);
            chunk.filter_mask = krti_h5_take32(&c);
        }
        place_of(x, first + i, chunk.at);
        TRY(found_chunk(x, &chunk));
    }
done:
    return st;
}

/* An array's header and this dataset must agree on what an entry is. */
static bool is_entry_size(const indexer *x, unsigned client, size_t entry)
{
    const size_t o = x->f->offset_size;

    return x->is_filtered ? client == 1 && entry >= o + 4 + 1 && entry <= o + 4 + 8
                          : client == 0 && entry == o;
}

/* Entries followed by their checksum. */
static krt_status each_in_page(indexer *x, uint64_t address, uint64_t num, size_t entry,
                               uint64_t first)
{
    krt_status st = KRT_OK;
    const unsigned char *p = NULL;

    if (num > x->f->size / entry)
        return bad_index(x, "chunk index page", address);
    TRY(krti_h5_spend(x->f, &x->index_budget, num * entry, "chunk index page"));
    TRY(krti_h5_checked_span(x->f, address, num * entry + 4, "chunk index page", &p));
    TRY(each_entry(x, p, num, entry, first));
done:
    return st;
}

static bool page_is_used(const unsigned char *bits, uint64_t page)
{
    return (bits[page / 8] & 0x80 >> page % 8) != 0;
}

/* Pages one behind another; those never written are there but hold nothing. Which were is told by
 * the bits of `used` from `bit` on. */
static krt_status each_page(indexer *x, uint64_t address, const unsigned char *used, uint64_t bit,
                            uint64_t num, uint64_t page_entries, size_t entry, uint64_t first)
{
    krt_status st = KRT_OK;
    const uint64_t page_bytes = page_entries * entry + 4;

    for (uint64_t page = 0, done_entries = 0; done_entries < num; page++) {
        const uint64_t left = num - done_entries;
        const uint64_t n = left < page_entries ? left : page_entries;

        if (page_is_used(used, bit + page))
            TRY(each_in_page(x, address + page * page_bytes, n, entry, first + done_entries));
        done_entries += n;
    }
done:
    return st;
}

static krt_status fixed_each(indexer *x, uint64_t address)
{
    static const char what[] = "fixed array";
    krt_status st = KRT_OK;
    krti_h5 *const f = x->f;
    const uint64_t size = 12 + f->length_size + f->offset_size, prefix = 6 + f->offset_size;
    const unsigned char *p = NULL;

    TRY(krti_h5_checked_span(f, address, size, what, &p));
    krti_h5_cursor c = krti_h5_cursor_at(p + 5, size - 5);
    const unsigned client = krti_h5_take8(&c), entry = krti_h5_take8(&c), bits = krti_h5_take8(&c);
    const uint64_t num = krti_h5_take_length(f, &c), data = krti_h5_take_address(f, &c);
    if (!krti_h5_has_signature(p, "FAHD") || p[4] != 0 || !is_entry_size(x, client, entry) ||
        bits > 32 || num > f->size / entry)
        return bad_index(x, what, address);
    if (data == KRTI_H5_UNDEFINED)
        return st;
    const uint64_t page_entries = UINT64_C(1) << bits;
    const bool is_paged = num > page_entries;
    const uint64_t num_pages = is_paged ? num / page_entries + (num % page_entries != 0) : 0;
    const uint64_t whole = prefix + (is_paged ? (num_pages + 7) / 8 : num * entry) + 4;
    TRY(krti_h5_spend(f, &x->index_budget, whole, what));
    TRY(krti_h5_checked_span(f, data, whole, what, &p));
    if (!krti_h5_has_signature(p, "FADB") || p[4] != 0 || p[5] != client)
        return bad_index(x, what, data);
    if (is_paged)
        TRY(each_page(x, data + whole, p + prefix, 0, num, page_entries, entry, 0));
    else
        TRY(each_entry(x, p + prefix, num, entry, 0));
done:
    return st;
}

/* ------------------------------------------------------------------------------- extensible */

/* The extensible array of H5EA: a few entries and the first data blocks in an index block, then
 * super blocks of ever more, ever larger data blocks. */
typedef struct extensible {
    indexer *x;
    unsigned client, entry, max_bits, num_inside, min_entries, min_pointers, page_bits;
    unsigned offset_width; /* of a block's offset in the array */
} extensible;

static bool is_power_of_2(uint64_t value)
{
    return value != 0 && (value & (value - 1)) == 0;
}

/* Super block u holds 2^(u/2) data blocks of 2^((u+1)/2) times the least number of entries. */
static uint64_t blocks_of(unsigned u)
{
    return UINT64_C(1) << u / 2;
}

static uint64_t entries_of(const extensible *e, unsigned u)
{
    return (uint64_t)e->min_entries << (u + 1) / 2;
}

static bool is_paged(const extensible *e, unsigned u)
{
    return entries_of(e, u) > UINT64_C(1) << e->page_bits;
}

static krt_status each_in_block(const extensible *e, uint64_t address, unsigned u, uint64_t first,
                                const unsigned char *used, uint64_t bit)
{
    static const char what[] = "extensible array data block";
    krt_status st = KRT_OK;
    krti_h5 *const f = e->x->f;
    const uint64_t prefix = 6 + f->offset_size + e->offset_width, num = entries_of(e, u);
    const unsigned char *p = NULL;

    if (address == KRTI_H5_UNDEFINED)
        return st;
    if (num > f->size / e->entry)
        return bad_index(e->x, what, address);
    const uint64_t whole = prefix + (is_paged(e, u) ? 0 : num * e->entry) + 4;
    TRY(krti_h5_spend(f, &e->x->index_budget, whole, what));
    TRY(krti_h5_checked_span(f, address, whole, what, &p));
    if (!krti_h5_has_signature(p, "EADB") || p[4] != 0 || p[5] != e->client)
        return bad_index(e->x, what, address);
    if (is_paged(e, u))
        TRY(each_page(e->x, address + whole, used, bit, num, UINT64_C(1) << e->page_bits, e->entry,
                      first));
    else
        TRY(each_entry(e->x, p + prefix, num, e->entry, first));
done:
    return st;
}

static krt_status each_in_super(const extensible *e, uint64_t address, unsigned u, uint64_t first)
{
    static const char what[] = "extensible array super block";
    krt_status st = KRT_OK;
    krti_h5 *const f = e->x->f;
    const uint64_t prefix = 6 + f->offset_size + e->offset_width, num = blocks_of(u);
    const uint64_t num_pages = is_paged(e, u) ? entries_of(e, u) >> e->page_bits : 0;
    const uint64_t used_bytes = (num_pages + 7) / 8;
    const unsigned char *p = NULL;

    if (address == KRTI_H5_UNDEFINED)
        return st;
    if (num > f->size / f->offset_size || used_bytes > f->size / num)
        return bad_index(e->x, what, address);
    const uint64_t whole = prefix + num * (used_bytes + f->offset_size) + 4;
    TRY(krti_h5_spend(f, &e->x->index_budget, whole, what));
    TRY(krti_h5_checked_span(f, address, whole, what, &p));
    if (!krti_h5_has_signature(p, "EASB") || p[4] != 0 || p[5] != e->client)
        return bad_index(e->x, what, address);
    krti_h5_cursor c =
        krti_h5_cursor_at(p + prefix + num * used_bytes, num * (uint64_t)f->offset_size);
    /* The bits of all blocks follow one another without padding, though room for it is there. */
    for (uint64_t i = 0; i < num; i++)
        TRY(each_in_block(e, krti_h5_take_address(f, &c), u, first + i * entries_of(e, u),
                          p + prefix, i * num_pages));
done:
    return st;
}

static krt_status each_in_index_block(const extensible *e, uint64_t address)
{
    static const char what[] = "extensible array index block";
    krt_status st = KRT_OK;
    krti_h5 *const f = e->x->f;
    const unsigned num_super = 1 + e->max_bits - krti_h5_log2(e->min_entries);
    const unsigned num_direct = 2 * krti_h5_log2(e->min_pointers); /* super blocks kept here */
    const unsigned num_blocks = 2 * (e->min_pointers - 1);
    const unsigned num_far = num_super > num_direct ? num_super - num_direct : 0;
    const uint64_t prefix = 6 + f->offset_size, inside = (uint64_t)e->num_inside * e->entry;
    const uint64_t whole = prefix + inside + (num_blocks + num_far) * f->offset_size + 4;
    const unsigned char *p = NULL;

    TRY(krti_h5_spend(f, &e->x->index_budget, whole, what));
    TRY(krti_h5_checked_span(f, address, whole, what, &p));
    if (!krti_h5_has_signature(p, "EAIB") || p[4] != 0 || p[5] != e->client)
        return bad_index(e->x, what, address);
    TRY(each_entry(e->x, p + prefix, e->num_inside, e->entry, 0));
    krti_h5_cursor c =
        krti_h5_cursor_at(p + prefix + inside, (num_blocks + num_far) * f->offset_size);
    uint64_t first = e->num_inside;
    for (unsigned u = 0; u < num_direct; u++) {
        for (uint64_t i = 0; i < blocks_of(u); i++, first += entries_of(e, u)) {
            const uint64_t block = krti_h5_take_address(f, &c);

            if (block != KRTI_H5_UNDEFINED && is_paged(e, u))
                return bad_index(e->x, what, address);
            TRY(each_in_block(e, block, u, first, NULL, 0));
        }
    }
    for (unsigned u = num_direct; u < num_super; u++) {
        TRY(each_in_super(e, krti_h5_take_address(f, &c), u, first));
        first += blocks_of(u) * entries_of(e, u);
    }
done:
    return st;
}

static krt_status extensible_each(indexer *x, uint64_t address)
{
    static const char what[] = "extensible array";
    krt_status st = KRT_OK;
    krti_h5 *const f = x->f;
    const uint64_t size = 16 + 6 * f->length_size + f->offset_size;
    extensible e = {.x = x};
    const unsigned char *p = NULL;

    TRY(krti_h5_checked_span(f, address, size, what, &p));
    krti_h5_cursor c = krti_h5_cursor_at(p + 5, size - 5);
    e.client = krti_h5_take8(&c);
    e.entry = krti_h5_take8(&c);
    e.max_bits = krti_h5_take8(&c);
    e.num_inside = krti_h5_take8(&c);
    e.min_entries = krti_h5_take8(&c);
    e.min_pointers = krti_h5_take8(&c);
    e.page_bits = krti_h5_take8(&c);
    krti_h5_skip(&c, 6 * (uint64_t)f->length_size); /* statistics */
    const uint64_t block = krti_h5_take_address(f, &c);
    if (!krti_h5_has_signature(p, "EAHD") || p[4] != 0 || !is_entry_size(x, e.client, e.entry) ||
        e.max_bits > 48 || e.page_bits > 32 || !is_power_of_2(e.min_entries) ||
        !is_power_of_2(e.min_pointers) || krti_h5_log2(e.min_entries) > e.max_bits)
        return bad_index(x, what, address);
    e.offset_width = (e.max_bits + 7) / 8;
    if (block != KRTI_H5_UNDEFINED)
        TRY(each_in_index_block(&e, block));
done:
    return st;
}

/* ------------------------------------------------------------------------------- the rest */

static krt_status single_each(indexer *x, uint64_t address)
{
    const krti_h5_layout *const l = &x->plan->layout;
    krti_h5_chunk chunk = {
        .address = address, .size = l->single_size, .filter_mask = l->single_mask};

    return found_chunk(x, &chunk);
}

/* No index at all: every chunk of the largest shape, one behind another. */
static krt_status implicit_each(indexer *x, uint64_t address)
{
    krt_status st = KRT_OK;
    const krti_h5_layout *const l = &x->plan->layout;
    uint64_t num = 1;

    for (int d = 0; d < l->rank; d++) {
        if (x->most[d] != 0 && num > x->f->size / x->most[d])
            return bad_index(x, "chunks without index", address);
        num *= x->most[d];
    }
    if (num > x->f->size / l->chunk_bytes)
        return bad_index(x, "chunks without index", address);
    for (uint64_t i = 0; i < num; i++) {
        krti_h5_chunk chunk = {.address = address + i * l->chunk_bytes, .size = l->chunk_bytes};

        place_of(x, i, chunk.at);
        TRY(found_chunk(x, &chunk));
    }
done:
    return st;
}

static void open_indexer(indexer *x)
{
    const krti_h5_plan *const plan = x->plan;

    x->index_budget = x->data_budget = x->f->size;
    x->is_filtered = plan->filters.num > 0;
    for (int d = 0; d < plan->layout.rank; d++) {
        x->grid[d] = chunks_of(plan->type.dim[d], plan->layout.chunk[d]);
        x->most[d] = chunks_of(plan->max[d], plan->layout.chunk[d]);
    }
    for (int d = plan->layout.rank - 1; d > 0; d--)
        if (plan->layout.index == KRTI_H5_INDEX_EXTENSIBLE_ARRAY && x->most[d] == UINT64_MAX)
            x->slowest = d;
}

krt_status krti_h5_index_each(krti_h5 *f, const krti_h5_plan *plan, krti_h5_chunk_fn each,
                              void *user)
{
    indexer x = {.f = f, .plan = plan, .each = each, .user = user};
    const uint64_t address = plan->layout.address;

    open_indexer(&x);
    if (address == KRTI_H5_UNDEFINED || plan->size_bytes == 0)
        return KRT_OK;
    switch (plan->layout.index) {
    case KRTI_H5_INDEX_BTREE1:
        return tree1_each(&x, address, -1);
    case KRTI_H5_INDEX_SINGLE:
        return single_each(&x, address);
    case KRTI_H5_INDEX_IMPLICIT:
        return implicit_each(&x, address);
    case KRTI_H5_INDEX_FIXED_ARRAY:
        return fixed_each(&x, address);
    case KRTI_H5_INDEX_EXTENSIBLE_ARRAY:
        return extensible_each(&x, address);
    case KRTI_H5_INDEX_BTREE2:
        return tree2_each(&x, address);
    }
    return bad_index(&x, "chunk index of a known type", address);
}
