/* What the files of the HDF5 reader share. Not for anybody else: h5_read.h is the door.
 *
 * h5_super.c     superblock, opening, failing, spans, checksums
 * h5_object.c    object headers and their messages
 * h5_group.c     symbol tables, link messages, dense links
 * h5_heap.c      local, global and fractal heaps
 * h5_btree.c     version 2 B-trees
 * h5_type.c      datatypes, dataspaces
 * h5_dataset.c   layouts, describing and reading
 * h5_chunk.c     placing chunks; h5_index.c finds them; h5_filter.c undoes the filters
 * h5_attribute.c attributes
 * h5_survey.c    listing what can still be found in a damaged file
 *
 * Every byte read goes through a span or a cursor. A span is a range that was checked against the
 * end of the file; a cursor walks a span, and once it was asked for more than there is it gives
 * zeros and says so in is_short, so that a parser checks once, at its end. Every structure that
 * points to others spends from a budget the size of the file: since no two structures share bytes
 * in an honest file, running out means that something is reached twice. */
#ifndef KRTI_FORMATS_H5_INTERNAL_H
#define KRTI_FORMATS_H5_INTERNAL_H

#include "formats/h5_read.h"

#include <inttypes.h>

/* The undefined address: all bits set. */
#define KRTI_H5_UNDEFINED UINT64_MAX

enum { KRTI_H5_CHECKED = 256 };

struct krti_h5 {
    krt_ctx *k;
    krti_bytes *bytes;
    const unsigned char *data; /* address 0: the superblock's place, after any user block */
    uint64_t size;             /* the end-of-file address; no address reaches it */
    bool may_be_cut;           /* the file may be shorter than it says; size is then what is left */
    uint64_t whole;            /* bytes the file says it has */
    uint64_t user_block;       /* bytes before data */
    uint64_t root;
    unsigned offset_size, length_size;
    uint64_t spent; /* bytes of structures gone through since the file was opened */
    /* Addresses of structures whose checksum was found right, so that it is computed once. */
    uint64_t checked[KRTI_H5_CHECKED];
};

/* ------------------------------------------------------------------- h5_super.c */

/* Records a failure and names the file. Every failure of the reader passes here. */
krt_status krti_h5_fail(krti_h5 *f, krt_status status, const char *format, ...) KRTI_PRINTF(3, 4);

/* Points at `size` bytes at `address`. `what` names them for the message. */
krt_status krti_h5_span(krti_h5 *f, uint64_t address, uint64_t size, const char *what,
                        const unsigned char **out);
/* The same for a structure whose last 4 bytes are the checksum of the rest, verified here. */
krt_status krti_h5_checked_span(krti_h5 *f, uint64_t address, uint64_t size, const char *what,
                                const unsigned char **out);
/* Bob Jenkins's lookup3 (hashlittle), which HDF5 uses for checksums and to hash names. */
uint32_t krti_h5_lookup3(const unsigned char *data, size_t size);

/* Whether a checksum that was computed contradicts the one stored. */
bool krti_h5_is_wrong(uint32_t found, uint64_t stored);

/* Takes `size` from what may still be read; E_CORRUPT when a structure must be reached twice. */
krt_status krti_h5_spend(krti_h5 *f, uint64_t *budget, uint64_t size, const char *what);

typedef struct krti_h5_cursor {
    const unsigned char *p, *end;
    bool is_short;
} krti_h5_cursor;

static inline krti_h5_cursor krti_h5_cursor_at(const unsigned char *p, uint64_t size)
{
    return (krti_h5_cursor){p, p + size, false};
}

static inline size_t krti_h5_left(const krti_h5_cursor *c)
{
    return (size_t)(c->end - c->p);
}

/* The next n bytes, or NULL when there are not so many. */
static inline const unsigned char *krti_h5_skip(krti_h5_cursor *c, uint64_t n)
{
    const unsigned char *p = c->p;

    if (c->is_short || n > krti_h5_left(c)) {
        c->is_short = true;
        return NULL;
    }
    c->p += n;
    return p;
}

static inline uint64_t krti_h5_little(const unsigned char *p, size_t n)
{
    uint64_t value = 0;

    for (size_t i = 0; i < n; i++)
        value |= (uint64_t)p[i] << (8 * i);
    return value;
}

/* The next n bytes (at most 8) as a little-endian number. */
static inline uint64_t krti_h5_take(krti_h5_cursor *c, size_t n)
{
    const unsigned char *p = krti_h5_skip(c, n);

    return p == NULL ? 0 : krti_h5_little(p, n);
}

static inline uint8_t krti_h5_take8(krti_h5_cursor *c)
{
    return (uint8_t)krti_h5_take(c, 1);
}

static inline uint16_t krti_h5_take16(krti_h5_cursor *c)
{
    return (uint16_t)krti_h5_take(c, 2);
}

static inline uint32_t krti_h5_take32(krti_h5_cursor *c)
{
    return (uint32_t)krti_h5_take(c, 4);
}

static inline uint64_t krti_h5_take_length(const krti_h5 *f, krti_h5_cursor *c)
{
    return krti_h5_take(c, f->length_size);
}

/* An address; all bits set, in whatever width, is undefined. So is one past the end. */
static inline uint64_t krti_h5_take_address(const krti_h5 *f, krti_h5_cursor *c)
{
    const uint64_t address = krti_h5_take(c, f->offset_size);
    const unsigned shift = 64 - 8 * f->offset_size;

    return c->is_short || address == KRTI_H5_UNDEFINED >> shift ? KRTI_H5_UNDEFINED : address;
}

static inline bool krti_h5_has_signature(const unsigned char *p, const char *signature)
{
    return memcmp(p, signature, 4) == 0;
}

/* Bytes that numbers up to `limit` take where the format leaves it to arithmetic. */
static inline unsigned krti_h5_width(uint64_t limit)
{
    unsigned n = 1;

    while (limit >>= 8)
        n++;
    return n;
}

static inline unsigned krti_h5_log2(uint64_t value)
{
    unsigned n = 0;

    while (value >>= 1)
        n++;
    return n;
}

/* ------------------------------------------------------------------- h5_object.c */

typedef enum krti_h5_message_type {
    KRTI_H5_MSG_NIL = 0x00,
    KRTI_H5_MSG_SPACE = 0x01,
    KRTI_H5_MSG_LINK_INFO = 0x02,
    KRTI_H5_MSG_TYPE = 0x03,
    KRTI_H5_MSG_OLD_FILL = 0x04,
    KRTI_H5_MSG_FILL = 0x05,
    KRTI_H5_MSG_LINK = 0x06,
    KRTI_H5_MSG_EXTERNAL = 0x07,
    KRTI_H5_MSG_LAYOUT = 0x08,
    KRTI_H5_MSG_GROUP_INFO = 0x0A,
    KRTI_H5_MSG_FILTERS = 0x0B,
    KRTI_H5_MSG_ATTRIBUTE = 0x0C,
    KRTI_H5_MSG_CONTINUATION = 0x10,
    KRTI_H5_MSG_SYMBOLS = 0x11,
    KRTI_H5_MSG_ATTRIBUTE_INFO = 0x15,
    KRTI_H5_MSG_LAST = 0x18, /* the largest the specification knows */
    KRTI_H5_MSG_END = -1     /* no more */
} krti_h5_message_type;

enum { KRTI_H5_IS_SHARED = 0x02, KRTI_H5_FAIL_IF_UNKNOWN = 0x80 };

typedef struct krti_h5_message {
    int type; /* krti_h5_message_type, or a number unknown to us */
    unsigned flags;
    krti_h5_cursor body;
} krti_h5_message;

typedef struct krti_h5_chunk_of_header {
    uint64_t address, size;
} krti_h5_chunk_of_header;

enum { KRTI_H5_CHUNKS_INLINE = 16 };

/* Walks the messages of one object header, continuation blocks in the order they are named. */
typedef struct krti_h5_header {
    krti_h5 *f;
    uint64_t address;
    unsigned version;
    bool has_order;       /* version 2: messages carry a creation order */
    uint32_t num_allowed; /* version 1: messages the header says it has, those seen taken off */
    krti_h5_cursor at;
    uint64_t budget;
    krti_h5_chunk_of_header few[KRTI_H5_CHUNKS_INLINE], *chunks; /* waiting, from `next` on */
    size_t num, next, capacity;
} krti_h5_header;

krt_status krti_h5_header_open(krti_h5 *f, uint64_t address, krti_h5_header *h);
/* The next message that is neither filler nor continuation; type KRTI_H5_MSG_END at the end. */
krt_status krti_h5_header_next(krti_h5_header *h, krti_h5_message *out);
void krti_h5_header_close(krti_h5_header *h);
/* Replaces a shared message by the one it stands for (a committed datatype). */
krt_status krti_h5_message_resolve(krti_h5 *f, krti_h5_message *m);

/* ------------------------------------------------------------------- h5_heap.c */

/* Names of a symbol table. */
typedef struct krti_h5_names {
    const char *data;
    uint64_t size;
} krti_h5_names;

krt_status krti_h5_names_open(krti_h5 *f, uint64_t address, krti_h5_names *out);
/* The name at `offset`, terminated inside the heap. */
krt_status krti_h5_names_at(krti_h5 *f, const krti_h5_names *heap, uint64_t offset,
                            const char **out);

/* Where the last object of a global heap was found: the next one is usually right behind. Starts
 * as {.budget = bytes that may be stepped over}. */
typedef struct krti_h5_global {
    bool is_open;
    uint64_t address; /* of the collection */
    const unsigned char *data;
    uint64_t size, next;
    uint64_t budget;
} krti_h5_global;

krt_status krti_h5_global_find(krti_h5 *f, krti_h5_global *g, uint64_t address, uint32_t index,
                               const unsigned char **out, uint64_t *size);

typedef struct krti_h5_fractal {
    uint64_t address;
    unsigned id_size, offset_width, length_width;
    bool has_checksums; /* direct blocks carry one */
    uint64_t table_width, start_size, max_direct_size;
    uint64_t root, huge_index;
    unsigned num_rows; /* of the root indirect block; 0: the root is a direct block */
} krti_h5_fractal;

krt_status krti_h5_fractal_open(krti_h5 *f, uint64_t address, krti_h5_fractal *out);
/* The object an id of id_size bytes names. */
krt_status krti_h5_fractal_find(krti_h5 *f, const krti_h5_fractal *heap, const unsigned char *id,
                                const unsigned char **out, uint64_t *size);

/* ------------------------------------------------------------------- h5_btree.c */

/* What a walk over a version 2 B-tree expects and does. A record is handed out in tree order; with
 * `hash` not NULL only those are whose 4 bytes at hash_offset equal it, and the walk goes only
 * where they can be. A non-OK return of `each` stops it. */
typedef krt_status (*krti_h5_record_fn)(void *user, const unsigned char *record);
typedef struct krti_h5_btree2 {
    unsigned type;
    size_t record_size;
    const uint32_t *hash;
    size_t hash_offset;
    krti_h5_record_fn each;
    void *user;
} krti_h5_btree2;
krt_status krti_h5_btree2_each(krti_h5 *f, uint64_t address, const krti_h5_btree2 *tree);

/* ------------------------------------------------------------------- h5_type.c */

krt_status krti_h5_type_parse(krti_h5 *f, krti_h5_cursor body, krti_h5_type *out);
/* Fills rank, dims and is_null; `max` (KRTI_H5_MAX_RANK of them, U: unlimited) may be NULL. */
krt_status krti_h5_space_parse(krti_h5 *f, krti_h5_cursor body, krti_h5_type *out, uint64_t *max);
krt_status krti_h5_type_bytes(krti_h5 *f, const krti_h5_type *type, uint64_t *out);

/* ------------------------------------------------------------------- h5_dataset.c */

enum { KRTI_H5_MAX_FILTERS = 32 };

typedef struct krti_h5_filter {
    unsigned id;
    const char *name; /* of name_size bytes, maybe NULL */
    size_t name_size;
    uint32_t first_value; /* of its settings: for shuffle, the size of an element */
} krti_h5_filter;

typedef struct krti_h5_filters {
    unsigned num;
    krti_h5_filter items[KRTI_H5_MAX_FILTERS];
} krti_h5_filters;

typedef enum krti_h5_layout_class {
    KRTI_H5_COMPACT = 0,
    KRTI_H5_CONTIGUOUS = 1,
    KRTI_H5_CHUNKED = 2,
    KRTI_H5_VIRTUAL = 3
} krti_h5_layout_class;

typedef enum krti_h5_index {
    KRTI_H5_INDEX_BTREE1,
    KRTI_H5_INDEX_SINGLE,
    KRTI_H5_INDEX_IMPLICIT,
    KRTI_H5_INDEX_FIXED_ARRAY,
    KRTI_H5_INDEX_EXTENSIBLE_ARRAY,
    KRTI_H5_INDEX_BTREE2
} krti_h5_index;

typedef struct krti_h5_layout {
    krti_h5_layout_class cls;
    uint64_t address;            /* of the data or the chunk index */
    uint64_t size;               /* contiguous, compact */
    bool has_size;               /* versions 1 and 2 leave the size of contiguous data out */
    const unsigned char *inside; /* compact: the data */
    krti_h5_index index;
    int rank; /* of the chunks, equal to the dataset's */
    uint64_t chunk[KRTI_H5_MAX_RANK];
    uint64_t chunk_bytes;
    bool are_edges_unfiltered;
    uint64_t single_size; /* filtered single chunk */
    uint32_t single_mask;
} krti_h5_layout;

/* All that reading needs, taken from the header's messages. */
typedef struct krti_h5_plan {
    krti_h5_type type;
    uint64_t max[KRTI_H5_MAX_RANK]; /* maximal dimensions */
    uint64_t size_bytes;
    krti_h5_layout layout;
    krti_h5_filters filters;
    const unsigned char *fill; /* type.size bytes, or NULL for zeros */
} krti_h5_plan;

/* ------------------------------------------------------------------- h5_index.c */

/* One stored chunk: its place in the grid of chunks, and where its bytes lie. */
typedef struct krti_h5_chunk {
    uint64_t at[KRTI_H5_MAX_RANK]; /* in chunks, not elements */
    uint64_t address, size;
    uint32_t filter_mask; /* bit i: filter i was not applied */
} krti_h5_chunk;
typedef krt_status (*krti_h5_chunk_fn)(void *user, const krti_h5_chunk *chunk);
krt_status krti_h5_index_each(krti_h5 *f, const krti_h5_plan *plan, krti_h5_chunk_fn each,
                              void *user);

/* ------------------------------------------------------------------- h5_chunk.c */

/* Bytes the file holds of a chunked dataset. */
krt_status krti_h5_chunks_stored(krti_h5 *f, const krti_h5_plan *plan, uint64_t *out);
/* Decodes every chunk into `out` of plan->size_bytes, which holds the fill value already. */
krt_status krti_h5_chunks_read(krti_h5 *f, const krti_h5_plan *plan, unsigned char *out);

/* ------------------------------------------------------------------- h5_filter.c */

krt_status krti_h5_filters_parse(krti_h5 *f, krti_h5_cursor body, krti_h5_filters *out);

/* Undoes filters chunk by chunk, keeping its buffers between them. */
typedef struct krti_h5_decoder {
    krti_h5 *f;
    const krti_h5_filters *filters;
    uint64_t chunk_bytes;
    struct libdeflate_decompressor *inflater;
    unsigned char *buffers[2];
    size_t capacity;
} krti_h5_decoder;

/* The chunk's bytes as they were before the filters; valid until the next call. */
krt_status krti_h5_decode(krti_h5_decoder *d, const unsigned char *stored, uint64_t size,
                          uint32_t mask, const unsigned char **out);
void krti_h5_decoder_free(krti_h5_decoder *d);

#endif
