/* See sstable.h. Written for hostile bytes: blocks may not overlap, keys must rise, and the keys of all
 * entries together may not take far more memory than the file: an entry of three bytes can repeat a key
 * of any length. */
#include "formats/sstable.h"

#include "base/arena.h"
#include "base/f16.h"
#include "formats/crc32c.h"
#include "formats/protobuf.h"

#ifdef KERATIN_HAVE_SNAPPY
#include <snappy-c.h>
#endif

enum { FOOTER_SIZE = 48, TRAILER_SIZE = 5, MAGIC_AT = 40 };
enum { RAW = 0, SNAPPY = 1 };
enum { KEY_TIMES = 16, KEY_MORE = 1 << 20 };
enum { SNAPPY_TIMES = 32 }; /* three bytes copy 64 at the most */

static const uint64_t MAGIC = 0xDB4775248B80FB57u;

struct krti_sstable {
    krt_ctx *k;
    krti_arena arena; /* keys */
    krti_bytes *bytes;
    krti_bytes **blocks; /* uncompressed ones */
    size_t num_blocks, blocks_capacity;
    krti_sstable_entry *entries;
    size_t n, capacity;
    uint64_t key_budget;
    uint64_t end; /* of the last block: the next one lies behind it */
};

/* Where a block lies, without its trailer. */
typedef struct handle {
    uint64_t offset, size;
} handle;

/* A block's entries, being read. */
typedef struct cursor {
    const unsigned char *p, *end;
    krti_str key;
    const unsigned char *value;
    size_t value_size;
} cursor;

bool krti_sstable_detect(const krti_bytes *bytes)
{
    return bytes->size >= FOOTER_SIZE && krti_le64(bytes->data + bytes->size - 8) == MAGIC;
}

int krti_sstable_compare(const void *a, size_t a_size, const void *b, size_t b_size)
{
    const size_t n = a_size < b_size ? a_size : b_size;
    const int order = n > 0 ? memcmp(a, b, n) : 0;

    return order != 0 ? order : (a_size > b_size) - (a_size < b_size);
}

/* ------------------------------------------------------------------------------- blocks */

static bool read_handle(const unsigned char **p, const unsigned char *end, handle *h)
{
    return krti_varint_read(p, end, &h->offset) && krti_varint_read(p, end, &h->size);
}

#ifdef KERATIN_HAVE_SNAPPY
static krt_status uncompress(krti_sstable *t, const unsigned char *data, size_t size,
                             krti_bytes **out)
{
    size_t length = 0;
    char *memory = NULL;
    krt_status st = KRT_OK;

    if (snappy_uncompressed_length((const char *)data, size, &length) != SNAPPY_OK ||
        length / SNAPPY_TIMES > size)
        return krti_fail(t->k, KRT_E_CORRUPT, NULL, "corrupted compressed block contents");
    memory = krti_alloc_raw(t->k, length);
    if (memory == NULL)
        return KRT_E_NOMEM;
    if (snappy_uncompress((const char *)data, size, memory, &length) != SNAPPY_OK)
        st = krti_fail(t->k, KRT_E_CORRUPT, NULL, "corrupted compressed block contents");
    if (st == KRT_OK)
        st = krti_bytes_take(t->k, out, memory, length); /* frees it when it fails */
    else
        krti_free(t->k, memory);
    return st;
}
#else
static krt_status uncompress(krti_sstable *t, const unsigned char *data, size_t size,
                             krti_bytes **out)
{
    (void)data, (void)size, (void)out;
    return krti_fail(
        t->k, KRT_E_UNSUPPORTED, NULL,
        "a block is compressed with Snappy, and this build of keratin was made without "
        "libsnappy; build it with -DKERATIN_SNAPPY=ON");
}
#endif

static bool checksum_agrees(const unsigned char *block, size_t size)
{
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
    (void)block, (void)size;
    return true;
#else
    return krti_crc32c(0, block, size + 1) == krti_crc32c_unmask(krti_le32(block + size + 1));
#endif
}

/* The contents of a block: in the file, or uncompressed and kept by the table. */
static krt_status read_block(krti_sstable *t, handle h, const unsigned char **data, size_t *size)
{
    const uint64_t limit = t->bytes->size - FOOTER_SIZE;
    krt_status st = KRT_OK;

    if (h.offset > limit || h.size > limit - h.offset || limit - h.offset - h.size < TRAILER_SIZE)
        return krti_fail(t->k, KRT_E_CORRUPT, NULL,
                         "truncated block read: a block of %llu bytes at %llu in a file of %zu",
                         (unsigned long long)h.size, (unsigned long long)h.offset, t->bytes->size);
    *data = t->bytes->data + h.offset;
    *size = (size_t)h.size;
    if (!checksum_agrees(*data, *size))
        return krti_fail(t->k, KRT_E_CORRUPT, NULL, "block checksum mismatch (the block at %llu)",
                         (unsigned long long)h.offset);
    if ((*data)[h.size] == RAW)
        return KRT_OK;
    if ((*data)[h.size] != SNAPPY)
        return krti_fail(t->k, KRT_E_CORRUPT, NULL, "bad block type %u", (*data)[h.size]);
    TRY(krti_grow(t->k, &t->blocks, &t->blocks_capacity, t->num_blocks + 1, sizeof *t->blocks));
    TRY(uncompress(t, *data, *size, &t->blocks[t->num_blocks]));
    *data = t->blocks[t->num_blocks]->data;
    *size = t->blocks[t->num_blocks++]->size;

done:
    return st;
}

/* Leaves the restart points, which only a search needs. */
static krt_status open_cursor(krti_sstable *t, handle h, cursor *c)
{
    const unsigned char *data = NULL;
    size_t size = 0;
    const krt_status st = read_block(t, h, &data, &size);

    if (st != KRT_OK)
        return st;
    *c = (cursor){.p = data, .key = KRTI_STR_INIT(t->k)};
    if (size < 4 || krti_le32(data + size - 4) > (size - 4) / 4)
        return krti_fail(t->k, KRT_E_CORRUPT, NULL, "bad block contents (the block at %llu)",
                         (unsigned long long)h.offset);
    c->end = data + size - 4 - 4 * (size_t)krti_le32(data + size - 4);
    return KRT_OK;
}

static krt_status fail_entry(krti_sstable *t)
{
    return krti_fail(t->k, KRT_E_CORRUPT, NULL, "bad entry in block");
}

/* The entry at the cursor; there is one. */
static krt_status next_entry(krti_sstable *t, cursor *c)
{
    uint64_t shared = 0, unshared = 0, value = 0;

    if (!krti_varint_read(&c->p, c->end, &shared) || !krti_varint_read(&c->p, c->end, &unshared) ||
        !krti_varint_read(&c->p, c->end, &value))
        return fail_entry(t);
    const size_t left = (size_t)(c->end - c->p);
    if (shared > c->key.length || unshared > left || value > left - unshared)
        return fail_entry(t);
    c->key.length = (size_t)shared;
    if (krti_str_add_n(&c->key, (const char *)c->p, (size_t)unshared) != KRT_OK)
        return c->key.status;
    c->value = c->p + unshared;
    c->value_size = (size_t)value;
    c->p = c->value + value;
    return KRT_OK;
}

/* ------------------------------------------------------------------------------- reading */

static krt_status add_entry(krti_sstable *t, const cursor *c)
{
    const krti_sstable_entry *last = t->n > 0 ? &t->entries[t->n - 1] : NULL;
    krti_sstable_entry e = {
        .key_size = c->key.length, .value = c->value, .value_size = c->value_size};
    krt_status st = KRT_OK;

    if (last != NULL &&
        krti_sstable_compare(last->key, last->key_size, c->key.ptr, c->key.length) >= 0)
        return krti_fail(t->k, KRT_E_CORRUPT, NULL, "bad entry in block: key %zu is not in order",
                         t->n);
    if (c->key.length + sizeof e > t->key_budget)
        return krti_fail(t->k, KRT_E_UNSAFE, NULL,
                         "Not allowed: a table whose keys take far more memory than the file");
    t->key_budget -= c->key.length + sizeof e;
    e.key = krti_arena_strndup(&t->arena, krti_str_text(&c->key), c->key.length);
    if (e.key == NULL)
        return KRT_E_NOMEM;
    TRY(krti_grow(t->k, &t->entries, &t->capacity, t->n + 1, sizeof *t->entries));
    t->entries[t->n++] = e;

done:
    return st;
}

static krt_status read_data_block(krti_sstable *t, handle h)
{
    cursor c = {0};
    krt_status st = KRT_OK;

    if (h.offset < t->end)
        return krti_fail(t->k, KRT_E_CORRUPT, NULL, "bad block handle: blocks overlap");
    st = open_cursor(t, h, &c);
    t->end = h.offset + h.size;
    while (st == KRT_OK && c.p < c.end) {
        st = next_entry(t, &c);
        if (st == KRT_OK)
            st = add_entry(t, &c);
    }
    krti_str_free(&c.key);
    return st;
}

static krt_status read_index(krti_sstable *t, handle index)
{
    cursor c = {0};
    krt_status st = open_cursor(t, index, &c);

    while (st == KRT_OK && c.p < c.end) {
        handle h = {0};

        st = next_entry(t, &c);
        if (st != KRT_OK)
            break;
        const unsigned char *p = c.value;
        if (read_handle(&p, p + c.value_size, &h))
            st = read_data_block(t, h);
        else
            st = krti_fail(t->k, KRT_E_CORRUPT, NULL, "bad block handle");
    }
    krti_str_free(&c.key);
    return st;
}

static krt_status read_table(krti_sstable *t)
{
    const krti_bytes *b = t->bytes;
    handle meta = {0}, index = {0};

    if (b->size < FOOTER_SIZE)
        return krti_fail(t->k, KRT_E_FORMAT, NULL, "file is too short to be an sstable (%zu bytes)",
                         b->size);
    if (!krti_sstable_detect(b))
        return krti_fail(t->k, KRT_E_FORMAT, NULL, "not an sstable (bad magic number)");
    const unsigned char *p = b->data + b->size - FOOTER_SIZE;
    const unsigned char *end = p + MAGIC_AT;
    if (!read_handle(&p, end, &meta) || !read_handle(&p, end, &index))
        return krti_fail(t->k, KRT_E_CORRUPT, NULL, "bad block handle in the footer");
    return read_index(t, index);
}

krt_status krti_sstable_read(krt_ctx *k, krti_sstable **out, krti_bytes *bytes)
{
    krti_sstable *t = krti_alloc(k, sizeof *t);

    *out = NULL;
    if (t == NULL)
        return KRT_E_NOMEM;
    t->k = k;
    t->arena = (krti_arena)KRTI_ARENA_INIT(k);
    t->bytes = krti_bytes_use(bytes);
    t->key_budget = (uint64_t)bytes->size * KEY_TIMES + KEY_MORE;
    const krt_status st = read_table(t);
    if (st == KRT_OK)
        *out = t;
    else
        krti_sstable_free(t);
    return st;
}

void krti_sstable_free(krti_sstable *t)
{
    if (t == NULL)
        return;
    for (size_t i = 0; i < t->num_blocks; i++)
        krti_bytes_drop(t->blocks[i]);
    krti_bytes_drop(t->bytes);
    krti_free(t->k, t->blocks);
    krti_free(t->k, t->entries);
    krti_arena_free(&t->arena);
    krti_free(t->k, t);
}

size_t krti_sstable_num(const krti_sstable *t)
{
    return t->n;
}

const krti_sstable_entry *krti_sstable_at(const krti_sstable *t, size_t i)
{
    return &t->entries[i];
}

const krti_sstable_entry *krti_sstable_find(const krti_sstable *t, const void *key, size_t size)
{
    size_t low = 0, high = t->n;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const krti_sstable_entry *e = &t->entries[middle];
        const int order = krti_sstable_compare(e->key, e->key_size, key, size);

        if (order == 0)
            return e;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* ------------------------------------------------------------------------------- writing */

enum { BLOCK_SIZE = 262144, RESTART_INTERVAL = 16, RESTART_EACH = 1 };

/* A block on its way into the text. */
typedef struct building {
    krti_str *s;
    size_t start;
    int interval;      /* entries from one restart point to the next */
    int since;         /* entries since the last one */
    krti_str restarts; /* as they are written */
    size_t num_restarts;
    const char *last; /* key */
    size_t last_size;
} building;

static building begin_block(krti_str *s, int interval)
{
    building b = {.s = s,
                  .start = s->length,
                  .interval = interval,
                  .since = 0,
                  .num_restarts = 1,
                  .restarts = KRTI_STR_INIT(s->k)};

    krti_fixed32_put(&b.restarts, 0);
    return b;
}

static size_t shared_prefix(const char *a, size_t a_size, const char *b, size_t b_size)
{
    size_t n = 0;

    while (n < a_size && n < b_size && a[n] == b[n])
        n++;
    return n;
}

static void put_entry(building *b, const krti_sstable_entry *e)
{
    size_t shared = 0;

    if (b->since == b->interval) {
        krti_fixed32_put(&b->restarts, (uint32_t)(b->s->length - b->start));
        b->num_restarts++;
        b->since = 0;
    } else if (b->since > 0) {
        shared = shared_prefix(b->last, b->last_size, e->key, e->key_size);
    }
    krti_varint_put(b->s, shared);
    krti_varint_put(b->s, e->key_size - shared);
    krti_varint_put(b->s, e->value_size);
    krti_str_add_n(b->s, e->key + shared, e->key_size - shared);
    krti_str_add_n(b->s, (const char *)e->value, e->value_size);
    b->last = e->key;
    b->last_size = e->key_size;
    b->since++;
}

/* Restart points and trailer. Where the block lies goes to *h. */
static void end_block(building *b, handle *h)
{
    krti_str *s = b->s;

    krti_str_add_n(s, b->restarts.ptr, b->restarts.length);
    krti_fixed32_put(s, (uint32_t)b->num_restarts);
    *h = (handle){b->start, s->length - b->start};
    krti_str_add_n(s, "\0", 1); /* RAW */
    if (b->restarts.status != KRT_OK && s->status == KRT_OK)
        s->status = b->restarts.status;
    if (s->status == KRT_OK)
        krti_fixed32_put(s,
                         krti_crc32c_mask(krti_crc32c(0, s->ptr + b->start, s->length - b->start)));
    krti_str_free(&b->restarts);
}

static size_t estimated_size(const building *b)
{
    return b->s->length - b->start + 4 * b->num_restarts + 4;
}

static void put_handle(krti_str *s, handle h)
{
    krti_varint_put(s, h.offset);
    krti_varint_put(s, h.size);
}

/* The shortest key that is not below `last` and below `next`; NULL next: behind everything. */
static krt_status put_separator(krti_str *key, const krti_sstable_entry *last,
                                const krti_sstable_entry *next)
{
    const unsigned char *a = (const unsigned char *)last->key;
    size_t at = 0;

    if (next == NULL)
        while (at < last->key_size && a[at] == 0xFF)
            at++;
    else
        at = shared_prefix(last->key, last->key_size, next->key, next->key_size);
    krti_str_clear(key);
    if (at >= last->key_size || (next != NULL && at >= next->key_size) || a[at] == 0xFF ||
        (next != NULL && a[at] + 1 >= (unsigned char)next->key[at]))
        return krti_str_add_n(key, last->key, last->key_size);
    krti_str_add_n(key, last->key, at);
    return krti_str_fill(key, (char)(a[at] + 1), 1);
}

/* The index as it grows: its keys and handles in one text, because a block is written in one go. */
typedef struct index_entry {
    size_t key, key_size, value, value_size;
} index_entry;

typedef struct indexing {
    krt_ctx *k;
    krti_str text;
    index_entry *items;
    size_t n, capacity;
} indexing;

static krt_status add_to_index(indexing *x, const krti_sstable_entry *last,
                               const krti_sstable_entry *next, handle h)
{
    krti_str key = KRTI_STR_INIT(x->k);
    index_entry e = {.key = x->text.length};
    krt_status st = KRT_OK;

    TRY(put_separator(&key, last, next));
    TRY(krti_str_add_n(&x->text, krti_str_text(&key), key.length));
    e.key_size = key.length;
    e.value = x->text.length;
    put_handle(&x->text, h);
    TRY(x->text.status);
    e.value_size = x->text.length - e.value;
    TRY(krti_grow(x->k, &x->items, &x->capacity, x->n + 1, sizeof *x->items));
    x->items[x->n++] = e;

done:
    krti_str_free(&key);
    return st;
}

/* Whether an entry would make a block so large that TensorFlow closes the one before it first. */
static bool is_huge(const krti_sstable_entry *e)
{
    return e->key_size + e->value_size >= 2 * (size_t)BLOCK_SIZE;
}

static krt_status put_data_blocks(krti_str *s, const krti_sstable_entry *entries, size_t n,
                                  indexing *x)
{
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < n;) {
        building b = begin_block(s, RESTART_INTERVAL);
        handle h;

        do
            put_entry(&b, &entries[i++]);
        while (i < n && estimated_size(&b) < BLOCK_SIZE && !is_huge(&entries[i]));
        end_block(&b, &h);
        st = s->status;
        if (st == KRT_OK)
            st = add_to_index(x, &entries[i - 1], i < n ? &entries[i] : NULL, h);
    }
    return st;
}

static void put_index_block(krti_str *s, const indexing *x, handle *h)
{
    building b = begin_block(s, RESTART_EACH);

    for (size_t i = 0; i < x->n; i++) {
        const index_entry *e = &x->items[i];
        const krti_sstable_entry entry = {x->text.ptr + e->key, e->key_size,
                                          (const unsigned char *)x->text.ptr + e->value,
                                          e->value_size};

        put_entry(&b, &entry);
    }
    end_block(&b, h);
}

krt_status krti_sstable_put(krti_str *s, const krti_sstable_entry *entries, size_t n)
{
    indexing x = {.k = s->k, .text = KRTI_STR_INIT(s->k)};
    handle meta, index;
    krt_status st = KRT_OK;

    TRY(put_data_blocks(s, entries, n, &x));
    building empty = begin_block(s, RESTART_INTERVAL);
    end_block(&empty, &meta);
    put_index_block(s, &x, &index);
    const size_t footer = s->length;
    put_handle(s, meta);
    put_handle(s, index);
    TRY(krti_str_fill(s, '\0', MAGIC_AT - (s->length - footer)));
    krti_fixed64_put(s, MAGIC);
    TRY(s->status);

done:
    krti_str_free(&x.text);
    krti_free(s->k, x.items);
    return st;
}
