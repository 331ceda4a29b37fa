/* See zip.h. The layout is APPNOTE.TXT 6.3; what is accepted beyond a plain archive (a comment,
 * bytes before or behind, gaps, data descriptors, ZIP64) is what Python's zipfile accepts, since
 * that is what Keras reads with. What Python accepts and we do not: two members of one name, names
 * that leave the archive, members that overlap, local headers that say something else. */
#include "formats/zip.h"

#include "base/f16.h"
#include "base/map.h"
#include "formats/crc32.h"

#include <ctype.h>
#include <libdeflate.h>
#include <stdlib.h>

enum {
    END_SIZE = 22,     /* end of central directory record */
    END64_SIZE = 56,   /* its ZIP64 form */
    LOCATOR_SIZE = 20, /* which is found through this */
    CENTRAL_SIZE = 46, /* an entry without its name */
    LOCAL_SIZE = 30,   /* a local header without its name */
    LARGEST_COMMENT = 65535,
    BOMB_SIZE = 1 << 20, /* below this nobody is hurt */
    BOMB_RATIO = 1032    /* deflate cannot do better */
};

enum {
    SIGNATURE_LOCAL = 0x04034b50,
    SIGNATURE_CENTRAL = 0x02014b50,
    SIGNATURE_END = 0x06054b50,
    SIGNATURE_END64 = 0x06064b50,
    SIGNATURE_LOCATOR = 0x07064b50
};

enum {
    FLAG_ENCRYPTED = 1 << 0,
    FLAG_DESCRIPTOR = 1 << 3,
    FLAG_PATCH = 1 << 5,
    FLAG_STRONG = 1 << 6
};
enum { METHOD_STORED = 0, METHOD_DEFLATED = 8 };

struct krti_zip {
    krt_ctx *k;
    krti_bytes *bytes;
    krti_zip_member *members;
    size_t n;
    char *names; /* of all members, one block */
    krti_map *by_name;
};

/* Where the central directory lies and how far the archive is shifted in the file. */
typedef struct directory {
    uint64_t start, size;
    uint64_t num_entries;
    uint64_t shift; /* bytes put in front without adjusting offsets */
    bool is_zip64;
} directory;

/* A central entry as it is being read. */
typedef struct entry {
    const unsigned char *p;
    uint16_t flags, method, name_length, extra_length;
    uint64_t local; /* position of the local header */
    krti_zip_member *m;
} entry;

/* What a member takes up, for finding overlaps. */
typedef struct span {
    uint64_t start, end;
    const char *name;
} span;

/* ------------------------------------------------------------------------------- the end */

/* The last end record in reach, NULL when there is none. */
static const unsigned char *find_end(const krti_bytes *b)
{
    if (b->size < END_SIZE)
        return NULL;
    const size_t last = b->size - END_SIZE;
    const size_t first = last > LARGEST_COMMENT ? last - LARGEST_COMMENT : 0;

    for (size_t i = last + 1; i > first; i--)
        if (b->data[i - 1] == 'P' && krti_le32(b->data + i - 1) == SIGNATURE_END)
            return b->data + i - 1;
    return NULL;
}

/* The ZIP64 extra field (id 1) among `length` bytes of extra fields; NULL when there is none. */
static const unsigned char *find_zip64(const unsigned char *extra, size_t length, size_t *size)
{
    while (length >= 4) {
        const size_t n = krti_le16(extra + 2);

        if (n > length - 4)
            return NULL;
        if (krti_le16(extra) == 1) {
            *size = n;
            return extra + 4;
        }
        extra += 4 + n;
        length -= 4 + n;
    }
    return NULL;
}

/* Takes the next eight bytes of a ZIP64 field for a value that did not fit in four. */
static bool widen(uint64_t *value, const unsigned char **p, size_t *left)
{
    if (*value != UINT32_MAX)
        return true;
    if (*p == NULL || *left < 8)
        return false;
    *value = krti_le64(*p);
    *p += 8;
    *left -= 8;
    return true;
}

/* Where a local header at `at` and its data end, UINT64_MAX when that cannot be told. */
static uint64_t local_end(const krti_bytes *b, size_t at, uint64_t *stored)
{
    const unsigned char *local = b->data + at;
    const size_t name = krti_le16(local + 26), extra = krti_le16(local + 28);
    uint64_t size = krti_le32(local + 22);
    size_t left = 0;

    *stored = krti_le32(local + 18);
    if (name + extra > b->size - at - LOCAL_SIZE || (krti_le16(local + 6) & FLAG_DESCRIPTOR) != 0)
        return UINT64_MAX;
    const unsigned char *wide = find_zip64(local + LOCAL_SIZE + name, extra, &left);
    if (!widen(&size, &wide, &left) || !widen(stored, &wide, &left))
        return UINT64_MAX;
    size = at + LOCAL_SIZE + name + extra;
    return *stored < UINT64_MAX - size ? size + *stored : UINT64_MAX;
}

/* "3 members are", of an .npz "3 arrays are". */
static const char *print_whole(char text[64], size_t num, bool is_npz)
{
    snprintf(text, 64, "%zu %s%s", num, is_npz ? "array" : "member", num == 1 ? " is" : "s are");
    return text;
}

/* What an archive without its end still holds, by the local headers from its beginning. */
static krt_status tell_cut(krt_ctx *k, const krti_bytes *b)
{
    size_t at = 0, num = 0;
    bool is_npz = true;
    char whole[64];

    while (b->size - at >= LOCAL_SIZE && krti_le32(b->data + at) == SIGNATURE_LOCAL) {
        const char *name = (const char *)b->data + at + LOCAL_SIZE;
        const size_t length = krti_le16(b->data + at + 26);
        uint64_t stored = 0;
        const uint64_t end = local_end(b, at, &stored);

        if (end == UINT64_MAX)
            break;
        is_npz = is_npz && length > 4 && memcmp(name + length - 4, ".npy", 4) == 0;
        if (end > b->size)
            return krti_fail(k, KRT_E_CORRUPT, NULL,
                             "archive is cut short at %zu bytes: %s whole, then \"%.*s\" has %llu "
                             "of %llu bytes",
                             b->size, print_whole(whole, num, is_npz), (int)length, name,
                             (unsigned long long)(b->size - (end - stored)),
                             (unsigned long long)stored);
        at = (size_t)end;
        num++;
    }
    if (num > 0)
        return krti_fail(k, KRT_E_CORRUPT, NULL,
                         "archive is cut short at %zu bytes: %s whole, what is behind is not",
                         b->size, print_whole(whole, num, is_npz));
    return krti_fail(k, KRT_E_CORRUPT, NULL,
                     "archive is cut short: no end record in the last 64 KB of %zu bytes", b->size);
}

bool krti_zip_detect(const krti_bytes *bytes)
{
    return find_end(bytes) != NULL;
}

/* The ZIP64 end record belonging to the end record at `end`, NULL when there is none: right before
 * its locator, or where that points. */
static const unsigned char *find_end64(const krti_bytes *b, const unsigned char *end)
{
    const size_t before = (size_t)(end - b->data);

    if (before < LOCATOR_SIZE + END64_SIZE || krti_le32(end - LOCATOR_SIZE) != SIGNATURE_LOCATOR)
        return NULL;
    const unsigned char *near = end - LOCATOR_SIZE - END64_SIZE;
    const uint64_t offset = krti_le64(end - LOCATOR_SIZE + 8);

    if (krti_le32(near) == SIGNATURE_END64)
        return near;
    if (offset <= before - LOCATOR_SIZE - END64_SIZE &&
        krti_le32(b->data + offset) == SIGNATURE_END64)
        return b->data + offset;
    return NULL;
}

static krt_status fail_no_end(krt_ctx *k, const krti_bytes *b)
{
    if (b->size >= 4 && krti_le32(b->data) == SIGNATURE_LOCAL)
        return tell_cut(k, b);
    return krti_fail(k, KRT_E_FORMAT, NULL, "not a zip archive: it has no end record");
}

static krt_status read_end(krt_ctx *k, const krti_bytes *b, directory *d)
{
    const unsigned char *end = find_end(b);

    if (end == NULL)
        return fail_no_end(k, b);
    const unsigned char *end64 = find_end64(b, end);
    const uint64_t limit = (uint64_t)((end64 != NULL ? end64 : end) - b->data);
    uint64_t offset = krti_le32(end + 16), disks = 0;

    d->is_zip64 = end64 != NULL;
    if (end64 != NULL) {
        disks = krti_le32(end64 + 16) | krti_le32(end64 + 20);
        d->num_entries = krti_le64(end64 + 32);
        d->size = krti_le64(end64 + 40);
        offset = krti_le64(end64 + 48);
    } else {
        disks = krti_le32(end + 4); /* this disk and the directory's, two bytes each */
        d->num_entries = krti_le16(end + 10);
        d->size = krti_le32(end + 12);
    }
    if (disks != 0)
        return krti_fail(k, KRT_E_UNSUPPORTED, NULL, "archive is spread over several disks");
    if (d->size > limit || offset > limit - d->size)
        return krti_fail(k, KRT_E_CORRUPT, NULL,
                         "directory of %llu bytes at %llu does not fit in the file's %zu bytes",
                         (unsigned long long)d->size, (unsigned long long)offset, b->size);
    d->start = limit - d->size;
    d->shift = d->start - offset;
    return KRT_OK;
}

/* ------------------------------------------------------------------------------- names */

static bool has_dotdot(const char *name)
{
    for (const char *p = name; p != NULL; p = strchr(p, '/')) {
        p += *p == '/';
        if (p[0] == '.' && p[1] == '.' && (p[2] == '/' || p[2] == '\0'))
            return true;
    }
    return false;
}

const char *krti_zip_name_problem(const char *name, size_t length)
{
    if (length == 0)
        return "has an empty name";
    if (strlen(name) != length)
        return "has a NUL in its name";
    if (name[0] == '/' || (length > 1 && name[1] == ':' && isalpha((unsigned char)name[0])))
        return "has an absolute name";
    if (strchr(name, '\\') != NULL)
        return "has a backslash in its name";
    return has_dotdot(name) ? "has \"..\" in its name" : NULL;
}

static krt_status check_name(krti_zip *z, const char *name, size_t length)
{
    const char *why = krti_zip_name_problem(name, length);

    if (why == NULL && krti_map_has(z->by_name, name))
        why = "occurs twice";
    if (why == NULL)
        return KRT_OK;
    return krti_fail(z->k, KRT_E_UNSAFE, NULL, "archive member \"%s\" %s", name, why);
}

/* ------------------------------------------------------------------------------- entries */

static krt_status fail_member(krti_zip *z, krt_status status, const krti_zip_member *m,
                              const char *what)
{
    return krti_fail(z->k, status, NULL, "archive member \"%s\": %s", m->name, what);
}

static bool is_bomb(uint64_t size, uint64_t stored_size)
{
    return size > BOMB_SIZE && size / BOMB_RATIO > stored_size;
}

static krt_status read_sizes(krti_zip *z, entry *e, const directory *d)
{
    krti_zip_member *m = e->m;
    size_t left = 0;
    const unsigned char *wide =
        find_zip64(e->p + CENTRAL_SIZE + e->name_length, e->extra_length, &left);

    m->crc32 = krti_le32(e->p + 16);
    m->stored_size = krti_le32(e->p + 20);
    m->size = krti_le32(e->p + 24);
    e->local = krti_le32(e->p + 42);
    if (!widen(&m->size, &wide, &left) || !widen(&m->stored_size, &wide, &left) ||
        !widen(&e->local, &wide, &left))
        return fail_member(z, KRT_E_CORRUPT, m, "its ZIP64 sizes are missing");
    if (e->local > d->start - d->shift)
        return fail_member(z, KRT_E_CORRUPT, m, "it begins beyond the archive");
    e->local += d->shift;
    if (!m->is_deflated && m->size != m->stored_size)
        return fail_member(z, KRT_E_CORRUPT, m, "it is stored, yet in another size");
    if (is_bomb(m->size, m->stored_size))
        return krti_fail(z->k, KRT_E_UNSAFE, NULL,
                         "archive member \"%s\" declares %llu bytes in %llu: a decompression bomb",
                         m->name, (unsigned long long)m->size, (unsigned long long)m->stored_size);
    return KRT_OK;
}

static krt_status check_method(krti_zip *z, const entry *e)
{
    static const struct {
        uint16_t method;
        const char *name;
    } methods[] = {{1, "shrink"}, {6, "implode"}, {9, "deflate64"}, {12, "bzip2"},
                   {14, "LZMA"},  {93, "zstd"},   {95, "xz"},       {99, "AES encryption"}};

    if ((e->flags & (FLAG_ENCRYPTED | FLAG_STRONG)) != 0)
        return fail_member(z, KRT_E_UNSUPPORTED, e->m, "it is encrypted");
    if ((e->flags & FLAG_PATCH) != 0)
        return fail_member(z, KRT_E_UNSUPPORTED, e->m, "it is a patch to another file");
    if (e->method == METHOD_STORED || e->method == METHOD_DEFLATED)
        return KRT_OK;
    for (size_t i = 0; i < KRTI_COUNT(methods); i++)
        if (methods[i].method == e->method)
            return krti_fail(z->k, KRT_E_UNSUPPORTED, NULL,
                             "archive member \"%s\" uses %s, only stored and deflate are read",
                             e->m->name, methods[i].name);
    return krti_fail(z->k, KRT_E_UNSUPPORTED, NULL,
                     "archive member \"%s\" uses method %u, only stored and deflate are read",
                     e->m->name, e->method);
}

/* Whether the local header's CRC and sizes are the central entry's. Behind a data descriptor they
 * may be zero, since the writer did not know them yet. */
static bool local_sizes_agree(const entry *e, const unsigned char *local, size_t extra_length)
{
    const krti_zip_member *m = e->m;
    const bool is_late = (krti_le16(local + 6) & FLAG_DESCRIPTOR) != 0;
    uint64_t crc32 = krti_le32(local + 14), stored = krti_le32(local + 18),
             size = krti_le32(local + 22);
    size_t left = 0;
    const unsigned char *wide =
        find_zip64(local + LOCAL_SIZE + e->name_length, extra_length, &left);

    if (!widen(&size, &wide, &left) || !widen(&stored, &wide, &left))
        return is_late;
    if (is_late && stored == 0 && size == 0 && (crc32 == 0 || crc32 == m->crc32))
        return true;
    return crc32 == m->crc32 && stored == m->stored_size && size == m->size;
}

static krt_status check_local(krti_zip *z, entry *e, const directory *d)
{
    krti_zip_member *m = e->m;
    const unsigned char *local = z->bytes->data + e->local;
    const uint64_t room = d->start - e->local;

    if (room < LOCAL_SIZE || krti_le32(local) != SIGNATURE_LOCAL)
        return fail_member(z, KRT_E_CORRUPT, m, "there is no local header where it should be");
    const uint64_t name_length = krti_le16(local + 26), extra_length = krti_le16(local + 28);
    const uint64_t header = LOCAL_SIZE + name_length + extra_length;

    if (header > room || m->stored_size > room - header)
        return krti_fail(z->k, KRT_E_CORRUPT, NULL,
                         "archive member \"%s\": its %llu bytes do not fit in the file's %zu",
                         m->name, (unsigned long long)m->stored_size, z->bytes->size);
    if (name_length != e->name_length || memcmp(local + LOCAL_SIZE, m->name, name_length) != 0)
        return fail_member(z, KRT_E_CORRUPT, m, "its local header has another name");
    if (krti_le16(local + 8) != e->method ||
        ((krti_le16(local + 6) ^ e->flags) & FLAG_ENCRYPTED) != 0 ||
        !local_sizes_agree(e, local, (size_t)extra_length))
        return fail_member(z, KRT_E_CORRUPT, m, "its local header disagrees with the directory");
    m->offset = e->local + header;
    return KRT_OK;
}

/* Reads the entry at *p, leaves *p behind it and *name behind its name. */
static krt_status read_entry(krti_zip *z, const directory *d, const unsigned char **p,
                             uint64_t *left, char **name, span *s)
{
    krti_zip_member *m = &z->members[z->n];
    entry e = {.p = *p, .m = m};

    if (*left < CENTRAL_SIZE || krti_le32(*p) != SIGNATURE_CENTRAL)
        return krti_fail(z->k, KRT_E_CORRUPT, NULL, "directory is damaged at byte %llu",
                         (unsigned long long)(*p - z->bytes->data));
    e.flags = krti_le16(*p + 8);
    e.method = krti_le16(*p + 10);
    e.name_length = krti_le16(*p + 28);
    e.extra_length = krti_le16(*p + 30);
    const uint64_t size =
        (uint64_t)CENTRAL_SIZE + e.name_length + e.extra_length + krti_le16(*p + 32);
    if (size > *left)
        return krti_fail(z->k, KRT_E_CORRUPT, NULL, "directory is cut short at byte %llu",
                         (unsigned long long)(*p - z->bytes->data));
    m->name = *name;
    memcpy(*name, *p + CENTRAL_SIZE, e.name_length);
    *name += e.name_length + 1; /* names began as zeros */
    m->is_deflated = e.method == METHOD_DEFLATED;
    krt_status st = check_name(z, m->name, e.name_length);
    if (st != KRT_OK)
        return st;
    m->is_dir = m->name[e.name_length - 1] == '/';
    if ((st = check_method(z, &e)) != KRT_OK || (st = read_sizes(z, &e, d)) != KRT_OK ||
        (st = check_local(z, &e, d)) != KRT_OK)
        return st;
    *s = (span){e.local, m->offset + m->stored_size, m->name};
    *p += size;
    *left -= size;
    return krti_map_set(z->by_name, m->name, m);
}

static int compare_spans(const void *a, const void *b)
{
    const span *x = a, *y = b;

    return x->start != y->start ? (x->start < y->start ? -1 : 1) : 0;
}

static krt_status check_overlaps(krti_zip *z, span *spans)
{
    if (z->n > 1)
        qsort(spans, z->n, sizeof *spans, compare_spans);
    for (size_t i = 1; i < z->n; i++)
        if (spans[i].start < spans[i - 1].end)
            return krti_fail(z->k, KRT_E_CORRUPT, NULL, "archive members \"%s\" and \"%s\" overlap",
                             spans[i - 1].name, spans[i].name);
    return KRT_OK;
}

/* Many small members are a bomb as well. */
static krt_status check_total(krti_zip *z)
{
    uint64_t total = 0;

    for (size_t i = 0; i < z->n; i++) {
        if (z->members[i].size > UINT64_MAX - total)
            total = UINT64_MAX;
        else
            total += z->members[i].size;
    }
    if (!is_bomb(total, z->bytes->size))
        return KRT_OK;
    return krti_fail(z->k, KRT_E_UNSAFE, NULL,
                     "archive of %zu bytes declares %llu: a decompression bomb", z->bytes->size,
                     (unsigned long long)total);
}

/* The arrays are sized by what the directory's bytes can hold, never by what it claims to hold. */
static krt_status read_directory(krti_zip *z, const directory *d)
{
    const size_t most = (size_t)(d->size / CENTRAL_SIZE);
    const unsigned char *p = z->bytes->data + d->start;
    uint64_t left = d->size;
    krt_status st = KRT_OK;
    span *spans = NULL;

    if ((d->is_zip64 ? d->num_entries : d->num_entries & 0xFFFF) > most)
        return krti_fail(z->k, KRT_E_CORRUPT, NULL,
                         "directory of %llu bytes cannot hold its %llu entries",
                         (unsigned long long)d->size, (unsigned long long)d->num_entries);
    z->members = krti_array(z->k, most, sizeof *z->members);
    z->names = krti_alloc(z->k, (size_t)d->size); /* name and NUL are shorter than their entry */
    spans = krti_array(z->k, most, sizeof *spans);
    z->by_name = krti_map_new(z->k);
    if (z->members == NULL || z->names == NULL || spans == NULL || z->by_name == NULL)
        TRY(KRT_E_NOMEM);
    for (char *name = z->names; left > 0; z->n++)
        TRY(read_entry(z, d, &p, &left, &name, &spans[z->n]));
    if (d->is_zip64 ? z->n != d->num_entries : (z->n & 0xFFFF) != d->num_entries)
        TRY(krti_fail(z->k, KRT_E_CORRUPT, NULL, "directory has %zu entries, expected %llu", z->n,
                      (unsigned long long)d->num_entries));
    TRY(check_overlaps(z, spans));
    TRY(check_total(z));

done:
    krti_free(z->k, spans);
    return st;
}

krt_status krti_zip_open(krt_ctx *k, krti_zip **out, krti_bytes *bytes)
{
    krt_status st = KRT_OK;
    directory d = {0};
    krti_zip *z = krti_alloc(k, sizeof *z);

    *out = NULL;
    if (z == NULL)
        return KRT_E_NOMEM;
    z->k = k;
    z->bytes = krti_bytes_use(bytes);
    TRY(read_end(k, bytes, &d));
    TRY(read_directory(z, &d));
    *out = z;
    z = NULL;

done:
    krti_zip_close(z);
    return krti_fail_in_file(k, st, st != KRT_OK ? bytes->filepath : NULL);
}

void krti_zip_close(krti_zip *z)
{
    if (z == NULL)
        return;
    krti_map_free(z->by_name);
    krti_free(z->k, z->names);
    krti_free(z->k, z->members);
    krti_bytes_drop(z->bytes);
    krti_free(z->k, z);
}

size_t krti_zip_num(const krti_zip *z)
{
    return z->n;
}

const krti_zip_member *krti_zip_at(const krti_zip *z, size_t i)
{
    return i < z->n ? &z->members[i] : NULL;
}

const krti_zip_member *krti_zip_find(const krti_zip *z, const char *name)
{
    return krti_map_get(z->by_name, name);
}

/* ------------------------------------------------------------------------------- members */

static krt_status inflate_member(krti_zip *z, krti_bytes **out, const krti_zip_member *m)
{
    struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
    void *data = m->size <= SIZE_MAX / 2 ? krti_resize(z->k, NULL, (size_t)m->size) : NULL;
    size_t used = 0, made = 0;
    krt_status st = KRT_OK;

    if (d == NULL || data == NULL)
        TRY(krti_fail(z->k, KRT_E_NOMEM, NULL, "out of memory: %llu bytes wanted for \"%s\"",
                      (unsigned long long)m->size, m->name));
    const enum libdeflate_result result = libdeflate_deflate_decompress_ex(
        d, z->bytes->data + m->offset, (size_t)m->stored_size, data, (size_t)m->size, &used, &made);
    if (result == LIBDEFLATE_INSUFFICIENT_SPACE)
        TRY(fail_member(z, KRT_E_CORRUPT, m, "it inflates to more than it declares"));
    if (result != LIBDEFLATE_SUCCESS)
        TRY(fail_member(z, KRT_E_CORRUPT, m, "its compressed data is damaged"));
    if (made != m->size || used != m->stored_size)
        TRY(fail_member(z, KRT_E_CORRUPT, m, "it inflates to another size than it declares"));
    st = krti_bytes_take(z->k, out, data, made);
    data = NULL;

done:
    krti_free(z->k, data);
    libdeflate_free_decompressor(d);
    return st;
}

/* What was summed is let go piece by piece: a member may be larger than memory. */
static uint32_t crc_of(const krti_bytes *bytes)
{
    enum { PIECE = 16 << 20, FEW = 1 << 20 };
    uint32_t crc = 0;

    for (size_t at = 0, n = 0; at < bytes->size; at += n) {
        n = bytes->size - at < PIECE ? bytes->size - at : PIECE;
        crc = krti_crc32_join(crc, krti_crc32(bytes->k, bytes->data + at, n), n);
        if (n > FEW)
            krti_bytes_forget(bytes, bytes->data + at, n);
    }
    return crc;
}

/* A fuzzer would never guess one. */
static bool crc_agrees(const krti_bytes *bytes, const krti_zip_member *m)
{
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
    (void)crc_of(bytes);
    return m != NULL;
#else
    return crc_of(bytes) == m->crc32;
#endif
}

krt_status krti_zip_read(krti_zip *z, krti_bytes **out, const krti_zip_member *m, bool check_crc)
{
    krt_status st = KRT_OK;

    *out = NULL;
    if (m->is_deflated)
        TRY(inflate_member(z, out, m));
    else
        TRY(krti_bytes_view(z->k, out, z->bytes, (size_t)m->offset, (size_t)m->size));
    if (check_crc && !crc_agrees(*out, m))
        TRY(fail_member(z, KRT_E_CORRUPT, m, "its CRC-32 is wrong"));
    return KRT_OK;

done:
    krti_bytes_drop(*out);
    *out = NULL;
    return krti_fail_in_file(z->k, st, z->bytes->filepath);
}
