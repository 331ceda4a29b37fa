/* See zip_write.h. Field by field what CPython's zipfile.ZipFile writes with ZIP_STORED. */
#include "formats/zip_write.h"

#include "base/arena.h"
#include "base/fs.h"
#include "formats/crc32.h"
#include "formats/zip.h"

enum {
    LOCAL_HEADER = 30,
    CENTRAL_HEADER = 46,
    END_RECORD = 22,
    END_RECORD64 = 56,
    LOCATOR64 = 20,
    VERSION = 20,
    VERSION64 = 45,
    UNIX = 3,
    FLAG_UTF8 = 0x800,
    EXTRA_ZIP64 = 0x0001,
    EXTRA_ALIGNMENT = 0xD935,
    MOST_SEGMENTS = 16
};

#define LIMIT   UINT64_C(0x7FFFFFFF) /* where Python turns to ZIP64 */
#define IS_LONG UINT64_C(0xFFFFFFFF)

/* Data without a gap, and its checksum. */
typedef struct segment {
    uint64_t offset, size;
    uint32_t crc;
} segment;

typedef struct member {
    krti_zip_entry entry;
    uint64_t header, data; /* positions in the archive */
    uint16_t padding;      /* length of the extra field that aligns, header of it included */
    bool is_zip64;         /* in the local header */
    uint32_t crc;
} member;

struct krti_zip_writer {
    krt_ctx *k;
    krti_arena arena;
    krti_sink sink;
    uint64_t end; /* of what was written */
    member *members;
    size_t num_members, capacity;
    bool is_open; /* the last member takes data */
    segment segments[MOST_SEGMENTS];
    size_t num_segments;
};

void krti_zip_now(uint16_t *dos_date, uint16_t *dos_time)
{
    struct tm t;

    *dos_date = KRTI_ZIP_1980;
    *dos_time = 0;
    if (!krti_local_time(&t) || t.tm_year < 80 || t.tm_year > 207)
        return;
    *dos_date = (uint16_t)((t.tm_year - 80) << 9 | (t.tm_mon + 1) << 5 | t.tm_mday);
    *dos_time = (uint16_t)(t.tm_hour << 11 | t.tm_min << 5 | t.tm_sec / 2);
}

krt_status krti_zip_writer_new(krt_ctx *k, krti_zip_writer **out, const krti_sink *sink)
{
    krti_zip_writer *z = krti_alloc(k, sizeof *z);

    *out = z;
    if (z == NULL)
        return KRT_E_NOMEM;
    z->k = k;
    z->arena = (krti_arena)KRTI_ARENA_INIT(k);
    z->sink = *sink;
    return KRT_OK;
}

void krti_zip_writer_free(krti_zip_writer *z)
{
    if (z == NULL)
        return;
    krti_arena_free(&z->arena);
    krti_free(z->k, z->members);
    krti_free(z->k, z);
}

/* ------------------------------------------------------------------------------- bytes */

typedef struct pen {
    unsigned char *p;
} pen;

static void put(pen *o, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        *o->p++ = (unsigned char)(value >> (8 * i));
}

static bool is_ascii(const char *text)
{
    while (*text != '\0' && (unsigned char)*text < 0x80)
        text++;
    return *text == '\0';
}

/* The fields that both headers of a member have in the same order. */
static void put_common(pen *o, const member *m, unsigned version, uint64_t size, size_t extra)
{
    put(o, version, 2);
    put(o, is_ascii(m->entry.name) ? 0 : FLAG_UTF8, 2);
    put(o, 0, 2); /* stored */
    put(o, m->entry.dos_time, 2);
    put(o, m->entry.dos_date, 2);
    put(o, m->crc, 4);
    put(o, size, 4);
    put(o, size, 4);
    put(o, strlen(m->entry.name), 2);
    put(o, extra, 2);
}

static uint64_t local_size(const member *m)
{
    return LOCAL_HEADER + strlen(m->entry.name) + (m->is_zip64 ? 20u : 0u) + m->padding;
}

/* At the beginning of a member, so that its data follows without a gap, and again when its checksum is
 * known. */
static krt_status write_local_header(krti_zip_writer *z, const member *m)
{
    const size_t size = (size_t)local_size(m), name = strlen(m->entry.name);
    unsigned char *block = krti_alloc(z->k, size);
    pen o = {block};

    if (block == NULL)
        return KRT_E_NOMEM;
    put(&o, 0x04034b50, 4);
    put_common(&o, m, m->is_zip64 ? VERSION64 : VERSION, m->is_zip64 ? IS_LONG : m->entry.size,
               (m->is_zip64 ? 20u : 0u) + m->padding);
    memcpy(o.p, m->entry.name, name);
    o.p += name;
    if (m->is_zip64) {
        put(&o, EXTRA_ZIP64, 2);
        put(&o, 16, 2);
        put(&o, m->entry.size, 8);
        put(&o, m->entry.size, 8);
    }
    if (m->padding > 0) {
        put(&o, EXTRA_ALIGNMENT, 2);
        put(&o, m->padding - 4u, 2);
        put(&o, m->entry.alignment, 2);
    }
    const krt_status st = z->sink.write(z->sink.user, m->header, block, size);
    krti_free(z->k, block);
    return st;
}

/* ------------------------------------------------------------------------------- members */

/* The length of an extra field that brings the data to its alignment; 0 when it is there. Six bytes
 * are the least that such a field takes. */
static uint16_t padding_of(const member *m)
{
    const uint64_t alignment = m->entry.alignment;
    uint64_t at = m->header + local_size(m);

    if (alignment <= 1 || at % alignment == 0)
        return 0;
    at += 6;
    return (uint16_t)(6 + (alignment - at % alignment) % alignment);
}

/* The segment that what comes next belongs to: one that ends there, else a new one; NULL when there are
 * too many. */
static segment *segment_at(krti_zip_writer *z, uint64_t offset)
{
    for (size_t i = z->num_segments; i-- > 0;)
        if (z->segments[i].offset + z->segments[i].size == offset)
            return &z->segments[i];
    if (z->num_segments == MOST_SEGMENTS)
        return NULL;
    z->segments[z->num_segments] = (segment){.offset = offset};
    return &z->segments[z->num_segments++];
}

static void add_crc(void *user, const void *data, size_t size)
{
    segment *s = user;

    s->crc = krti_crc32_add(s->crc, data, size);
    s->size += size;
}

static krt_status write_member(void *user, uint64_t offset, const void *data, size_t size)
{
    krti_zip_writer *z = user;
    const member *m = &z->members[z->num_members - 1];

    if (offset > m->entry.size || size > m->entry.size - offset)
        return krti_fail(z->k, KRT_E_INVALID, m->entry.name, "gets more than its %llu bytes",
                         (unsigned long long)m->entry.size);
    if (size == 0)
        return KRT_OK;
    const krti_look look = {add_crc, segment_at(z, offset)};
    if (look.user == NULL)
        return krti_fail(z->k, KRT_E_INVALID, m->entry.name, "is written in too many pieces");
    return krti_sink_write(&z->sink, m->data + offset, data, size, &look);
}

krt_status krti_zip_begin(krti_zip_writer *z, const krti_zip_entry *entry, krti_sink *out)
{
    const char *problem = krti_zip_name_problem(entry->name, strlen(entry->name));
    member m = {.entry = *entry, .header = z->end};
    krt_status st = KRT_OK;

    KRTI_ASSERT(!z->is_open);
    if (problem != NULL || strlen(entry->name) > UINT16_MAX)
        return krti_fail(z->k, KRT_E_INVALID, entry->name, "the archive's member %s",
                         problem != NULL ? problem : "has a name of over 64 KB");
    m.entry.name = krti_arena_strdup(&z->arena, entry->name);
    if (m.entry.name == NULL)
        return KRT_E_NOMEM;
    m.is_zip64 = entry->has_room || (double)entry->size * 1.05 > (double)LIMIT;
    m.padding = padding_of(&m);
    m.data = m.header + local_size(&m);
    TRY(krti_grow(z->k, &z->members, &z->capacity, z->num_members + 1, sizeof *z->members));
    z->members[z->num_members++] = m;
    z->end = m.data + entry->size;
    z->num_segments = 0;
    z->is_open = true;
    *out = (krti_sink){write_member, z};
    st = write_local_header(z, &z->members[z->num_members - 1]);

done:
    return st;
}

/* The checksum of the whole from those of its segments, which may lie in any order. */
static bool join_segments(const krti_zip_writer *z, uint64_t size, uint32_t *crc)
{
    uint64_t at = 0;

    *crc = 0;
    for (size_t n = 0; n < z->num_segments; n++) {
        size_t i = 0;

        while (i < z->num_segments && z->segments[i].offset != at)
            i++;
        if (i == z->num_segments)
            return false;
        *crc = krti_crc32_join(*crc, z->segments[i].crc, z->segments[i].size);
        at += z->segments[i].size;
    }
    return at == size;
}

krt_status krti_zip_end(krti_zip_writer *z)
{
    member *m = &z->members[z->num_members - 1];

    KRTI_ASSERT(z->is_open);
    z->is_open = false;
    if (!join_segments(z, m->entry.size, &m->crc))
        return krti_fail(z->k, KRT_E_INVALID, m->entry.name, "got less than its %llu bytes",
                         (unsigned long long)m->entry.size);
    return write_local_header(z, m);
}

krt_status krti_zip_add(krti_zip_writer *z, const krti_zip_entry *entry, const void *data)
{
    krti_sink sink = {NULL, NULL};
    krt_status st = krti_zip_begin(z, entry, &sink);

    if (st == KRT_OK)
        st = sink.write(sink.user, 0, data, (size_t)entry->size);
    return st == KRT_OK ? krti_zip_end(z) : st;
}

/* ------------------------------------------------------------------------------- directory */

static size_t central_extra(const member *m)
{
    const size_t n = (m->entry.size > LIMIT ? 16u : 0u) + (m->header > LIMIT ? 8u : 0u);

    return n > 0 ? n + 4 : 0;
}

static void put_central(pen *o, const member *m)
{
    const size_t extra = central_extra(m), name = strlen(m->entry.name);
    const bool is_long = m->entry.size > LIMIT;
    const unsigned version = extra > 0 || m->is_zip64 ? VERSION64 : VERSION;

    put(o, 0x02014b50, 4);
    put(o, version | UNIX << 8, 2);
    put_common(o, m, version, is_long ? IS_LONG : m->entry.size, extra);
    put(o, 0, 2); /* comment */
    put(o, 0, 2); /* disk */
    put(o, 0, 2); /* internal attributes */
    put(o, (uint64_t)m->entry.mode << 16, 4);
    put(o, m->header > LIMIT ? IS_LONG : m->header, 4);
    memcpy(o->p, m->entry.name, name);
    o->p += name;
    if (extra == 0)
        return;
    put(o, EXTRA_ZIP64, 2);
    put(o, extra - 4, 2);
    if (is_long) {
        put(o, m->entry.size, 8);
        put(o, m->entry.size, 8);
    }
    if (m->header > LIMIT)
        put(o, m->header, 8);
}

static void put_end64(pen *o, size_t n, uint64_t size, uint64_t at)
{
    put(o, 0x06064b50, 4);
    put(o, END_RECORD64 - 12, 8);
    put(o, VERSION64, 2);
    put(o, VERSION64, 2);
    put(o, 0, 4);
    put(o, 0, 4);
    put(o, n, 8);
    put(o, n, 8);
    put(o, size, 8);
    put(o, at, 8);
    put(o, 0x07064b50, 4);
    put(o, 0, 4);
    put(o, at + size, 8);
    put(o, 1, 4);
}

static void put_end(pen *o, size_t n, uint64_t size, uint64_t at)
{
    const uint64_t shown = n < 0xFFFF ? n : 0xFFFF;

    put(o, 0x06054b50, 4);
    put(o, 0, 4);
    put(o, shown, 2);
    put(o, shown, 2);
    put(o, size < IS_LONG ? size : IS_LONG, 4);
    put(o, at > LIMIT ? IS_LONG : at, 4);
    put(o, 0, 2);
}

krt_status krti_zip_finish(krti_zip_writer *z, uint64_t *archive_size)
{
    size_t size = 0;
    unsigned char *block = NULL;
    pen o = {NULL};

    for (size_t i = 0; i < z->num_members; i++)
        size += CENTRAL_HEADER + strlen(z->members[i].entry.name) + central_extra(&z->members[i]);
    const bool is_zip64 = z->num_members >= 0xFFFF || size > LIMIT || z->end > LIMIT;
    const size_t tail = END_RECORD + (is_zip64 ? END_RECORD64 + LOCATOR64 : 0u);
    block = krti_alloc(z->k, size + tail);
    if (block == NULL)
        return KRT_E_NOMEM;
    o.p = block;
    for (size_t i = 0; i < z->num_members; i++)
        put_central(&o, &z->members[i]);
    if (is_zip64)
        put_end64(&o, z->num_members, size, z->end);
    put_end(&o, z->num_members, size, z->end);
    KRTI_ASSERT(o.p == block + size + tail);
    const krt_status st = z->sink.write(z->sink.user, z->end, block, size + tail);
    krti_free(z->k, block);
    if (archive_size != NULL)
        *archive_size = z->end + size + tail;
    return st;
}
