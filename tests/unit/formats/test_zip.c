/* Archives: what Python's zipfile writes is read, what would hurt is refused. */
#include "failing.h"

#include "base/f16.h"
#include "formats/zip.h"

#include <libdeflate.h>

enum { MOST = 8 };

/* An archive being built: where each header lies, so that a test can spoil a field of it. */
typedef struct archive {
    krti_str s;
    size_t n, local[MOST], central[MOST], directory, end;
} archive;

static void put(krti_str *s, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++) {
        const char c = (char)((value >> (8 * i)) & 0xFF);

        krti_str_add_n(s, &c, 1);
    }
}

/* Overwrites `bytes` bytes at `offset`. */
static void patch(archive *a, size_t offset, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        a->s.ptr[offset + (size_t)i] = (char)((value >> (8 * i)) & 0xFF);
}

static void put_entry(archive *a, size_t i, const char *name, const char *data, bool is_central)
{
    const size_t length = strlen(data);

    put(&a->s, is_central ? 0x02014b50 : 0x04034b50, 4);
    put(&a->s, 20, is_central ? 4 : 2);
    put(&a->s, 0, 2); /* flags */
    put(&a->s, 0, 2); /* method */
    put(&a->s, 0, 4); /* date */
    put(&a->s, libdeflate_crc32(0, data, length), 4);
    put(&a->s, length, 4);
    put(&a->s, length, 4);
    put(&a->s, strlen(name), 2);
    put(&a->s, 0, 2); /* extra */
    if (is_central) {
        put(&a->s, 0, 8); /* comment, disk, attributes */
        put(&a->s, 0, 2);
        put(&a->s, a->local[i], 4);
    }
    krti_str_add(&a->s, name);
    if (!is_central)
        krti_str_add(&a->s, data);
}

/* Stored members, alternating names and contents. */
static archive build(krt_ctx *k, size_t n, const char *const *names_and_data)
{
    archive a = {.s = KRTI_STR_INIT(k), .n = n};

    for (size_t i = 0; i < n; i++) {
        a.local[i] = a.s.length;
        put_entry(&a, i, names_and_data[2 * i], names_and_data[2 * i + 1], false);
    }
    a.directory = a.s.length;
    for (size_t i = 0; i < n; i++) {
        a.central[i] = a.s.length;
        put_entry(&a, i, names_and_data[2 * i], names_and_data[2 * i + 1], true);
    }
    a.end = a.s.length;
    put(&a.s, 0x06054b50, 4);
    put(&a.s, 0, 4);
    put(&a.s, n, 2);
    put(&a.s, n, 2);
    put(&a.s, a.end - a.directory, 4);
    put(&a.s, a.directory, 4);
    put(&a.s, 0, 2);
    assert_int_equal(a.s.status, KRT_OK);
    return a;
}

static archive build_two(krt_ctx *k)
{
    static const char *const members[] = {"config.json", "{\"a\": 1}", "model.weights.h5",
                                          "0123456789"};

    return build(k, 2, members);
}

/* Opens the archive and reads every member with its checksum. */
static krt_status read_all(krt_ctx *k, const void *data, size_t size)
{
    krti_bytes *bytes = NULL, *content = NULL;
    krti_zip *z = NULL;
    krt_status st = krti_bytes_wrap(k, &bytes, data, size);

    if (st == KRT_OK)
        st = krti_zip_open(k, &z, bytes);
    for (size_t i = 0; st == KRT_OK && i < krti_zip_num(z); i++) {
        st = krti_zip_read(z, &content, krti_zip_at(z, i), true);
        krti_bytes_drop(content);
    }
    krti_zip_close(z);
    krti_bytes_drop(bytes);
    return st;
}

static void assert_refused(testing *t, archive *a, krt_status expected, const char *message)
{
    const krt_status st = read_all(t->k, a->s.ptr, a->s.length);

    if (st != expected || strstr(krt_ctx_error(t->k)->message, message) == NULL)
        fail_msg("expected %s \"%s\", found %s \"%s\"", krt_status_name(expected), message,
                 krt_status_name(st), krt_ctx_error(t->k)->message);
    krti_str_free(&a->s);
}

static void assert_member(krt_ctx *k, krti_zip *z, const char *name, const void *data, size_t size)
{
    const krti_zip_member *m = krti_zip_find(z, name);
    krti_bytes *content = NULL;

    assert_non_null(m);
    assert_int_equal(krti_zip_read(z, &content, m, true), KRT_OK);
    assert_int_equal(content->size, size);
    assert_memory_equal(content->data, data, size);
    krti_bytes_drop(content);
    (void)k;
}

/* ------------------------------------------------------------------------------- reading */

TEST(members_are_found_by_name_and_place)
{
    archive a = build_two(t->k);
    krti_bytes *bytes = NULL;
    krti_zip *z = NULL;

    ASSERT_OK(krti_bytes_wrap(t->k, &bytes, a.s.ptr, a.s.length));
    ASSERT_TRUE(krti_zip_detect(bytes));
    ASSERT_OK(krti_zip_open(t->k, &z, bytes));
    krti_bytes_drop(bytes);
    ASSERT_INT_EQ(2, krti_zip_num(z));
    ASSERT_STR_EQ("model.weights.h5", krti_zip_at(z, 1)->name);
    assert_null(krti_zip_at(z, 2));
    assert_null(krti_zip_find(z, "absent"));
    assert_member(t->k, z, "config.json", "{\"a\": 1}", 8);
    assert_member(t->k, z, "model.weights.h5", "0123456789", 10);
    krti_zip_close(z);
    krti_zip_close(NULL);
    krti_str_free(&a.s);
}

TEST(a_stored_member_lies_where_it_lay_and_outlives_the_archive)
{
    archive a = build_two(t->k);
    krti_bytes *bytes = NULL, *content = NULL;
    krti_zip *z = NULL;

    ASSERT_OK(krti_bytes_wrap(t->k, &bytes, a.s.ptr, a.s.length));
    ASSERT_OK(krti_zip_open(t->k, &z, bytes));
    const krti_zip_member *m = krti_zip_find(z, "model.weights.h5");
    ASSERT_OK(krti_zip_read(z, &content, m, false));
    ASSERT_TRUE(content->data == (unsigned char *)a.s.ptr + m->offset);
    krti_zip_close(z);
    krti_bytes_drop(bytes);
    assert_memory_equal(content->data, "0123456789", 10);
    krti_bytes_drop(content);
    krti_str_free(&a.s);
}

static krti_zip *open_fixture(testing *t, const char *name)
{
    char path[600];
    krti_bytes *bytes = NULL;
    krti_zip *z = NULL;

    snprintf(path, sizeof path, "%s/arrays/%s", KERATIN_FIXTURES, name);
    ASSERT_OK(krti_bytes_map(t->k, &bytes, path));
    ASSERT_OK(krti_zip_open(t->k, &z, bytes));
    krti_bytes_drop(bytes);
    return z;
}

TEST(archives_of_python_s_zipfile_are_read)
{
    unsigned char all[256];
    krti_str words = KRTI_STR_INIT(t->k);
    krti_zip *z = open_fixture(t, "deflated.zip");

    for (int i = 0; i < 256; i++)
        all[i] = (unsigned char)i;
    for (int i = 0; i < 200; i++)
        krti_str_add(&words, "the same words again and again, ");
    assert_member(t->k, z, "a/words.txt", words.ptr, words.length);
    assert_member(t->k, z, "bytes.bin", all, 256);
    assert_member(t->k, z, "empty", "", 0);
    ASSERT_TRUE(krti_zip_find(z, "a/b/")->is_dir && !krti_zip_find(z, "empty")->is_dir);
    ASSERT_TRUE(krti_zip_find(z, "a/words.txt")->is_deflated);
    krti_zip_close(z);
    z = open_fixture(t, "pipe.zip"); /* sizes behind the data */
    assert_member(t->k, z, "words.txt", words.ptr, words.length);
    assert_member(t->k, z, "bytes.bin", all, 256);
    krti_zip_close(z);
    z = open_fixture(t, "zip64.zip");
    assert_member(t->k, z, "bytes.bin", all, 256);
    krti_zip_close(z);
    krti_str_free(&words);
}

TEST(bytes_before_and_behind_an_archive_are_passed_over)
{
    archive a = build_two(t->k);
    krti_str s = KRTI_STR_INIT(t->k);

    krti_str_fill(&s, 'Z', 10000);
    krti_str_add_n(&s, a.s.ptr, a.s.length);
    ASSERT_OK(read_all(t->k, s.ptr, s.length));
    krti_str_fill(&s, 'y', 60000);
    ASSERT_OK(read_all(t->k, s.ptr, s.length));
    krti_str_fill(&s, 'y', 10000); /* Python, too, looks in the last 64 KB only */
    ASSERT_STATUS(KRT_E_FORMAT, read_all(t->k, s.ptr, s.length));
    krti_str_free(&s);
    krti_str_free(&a.s);
}

TEST(a_comment_and_gaps_are_passed_over)
{
    archive a = build_two(t->k);
    krti_str s = KRTI_STR_INIT(t->k);
    const size_t gap = 64;

    /* The second member moves up by `gap`, the directory with it. */
    krti_str_add_n(&s, a.s.ptr, a.local[1]);
    krti_str_fill(&s, '\0', gap);
    krti_str_add_n(&s, a.s.ptr + a.local[1], a.s.length - a.local[1]);
    krti_str_free(&a.s);
    a.s = s;
    patch(&a, a.central[1] + gap + 42, a.local[1] + gap, 4);
    patch(&a, a.end + gap + 16, a.directory + gap, 4);
    patch(&a, a.end + gap + 20, 600, 2);
    krti_str_fill(&a.s, 'c', 600);
    ASSERT_OK(read_all(t->k, a.s.ptr, a.s.length));
    krti_str_free(&a.s);
}

TEST(an_archive_without_members_is_one)
{
    archive a = build(t->k, 0, NULL);

    ASSERT_OK(read_all(t->k, a.s.ptr, a.s.length));
    krti_str_free(&a.s);
}

/* ------------------------------------------------------------------------------- ZIP64 */

/* One member whose sizes and place are in ZIP64 fields, and ZIP64 end records. */
static archive build_zip64(krt_ctx *k, uint64_t size, uint64_t stored, uint64_t offset)
{
    archive a = {.s = KRTI_STR_INIT(k), .n = 1};
    krti_str *s = &a.s;

    put_entry(&a, 0, "a", "0123456789", false);
    a.directory = s->length;
    a.central[0] = s->length;
    put_entry(&a, 0, "a", "0123456789", true);
    put(s, 1, 2);
    put(s, 24, 2);
    put(s, size, 8);
    put(s, stored, 8);
    put(s, offset, 8);
    patch(&a, a.central[0] + 20, UINT32_MAX, 4);
    patch(&a, a.central[0] + 24, UINT32_MAX, 4);
    patch(&a, a.central[0] + 30, 28, 2);
    patch(&a, a.central[0] + 42, UINT32_MAX, 4);
    a.end = s->length;
    put(s, 0x06064b50, 4);
    put(s, 44, 8);
    put(s, 0x002D002D, 4);
    put(s, 0, 8);
    put(s, 1, 8);
    put(s, 1, 8);
    put(s, a.end - a.directory, 8);
    put(s, a.directory, 8);
    put(s, 0x07064b50, 4);
    put(s, 0, 4);
    put(s, a.end, 8);
    put(s, 1, 4);
    put(s, 0x06054b50, 4);
    put(s, 0, 4);
    put(s, 0xFFFF, 2);
    put(s, 0xFFFF, 2);
    put(s, UINT32_MAX, 4);
    put(s, UINT32_MAX, 4);
    put(s, 0, 2);
    return a;
}

TEST(zip64_sizes_and_records_are_read)
{
    archive a = build_zip64(t->k, 10, 10, 0);

    ASSERT_OK(read_all(t->k, a.s.ptr, a.s.length));
    krti_str_free(&a.s);
}

TEST(zip64_numbers_are_not_trusted)
{
    static const uint64_t huge[] = {11, UINT32_MAX, 1ull << 40, UINT64_MAX, UINT64_MAX - 30};

    for (size_t i = 0; i < KRTI_COUNT(huge); i++) {
        archive a = build_zip64(t->k, huge[i], huge[i], 0);

        assert_refused(t, &a, KRT_E_CORRUPT, "archive member \"a\": ");
        a = build_zip64(t->k, 10, 10, huge[i]);
        assert_refused(t, &a, KRT_E_CORRUPT, "archive member \"a\": ");
        a = build_zip64(t->k, 10, 10, 0);
        patch(&a, a.end + 40, huge[i], 8); /* size of the directory */
        assert_refused(t, &a, KRT_E_CORRUPT, "director");
        a = build_zip64(t->k, 10, 10, 0);
        patch(&a, a.end + 48, a.s.length + huge[i], 8); /* its place */
        assert_refused(t, &a, KRT_E_CORRUPT, "director");
        a = build_zip64(t->k, 10, 10, 0);
        patch(&a, a.end + 32, huge[i], 8); /* number of entries */
        assert_refused(t, &a, KRT_E_CORRUPT, "director");
    }
}

/* ------------------------------------------------------------------------------- refusing */

TEST(names_that_leave_the_archive_are_refused)
{
    static const struct {
        const char *name, *message;
    } cases[] = {
        {"../x", "archive member \"../x\" has \"..\" in its name"},
        {"a/../../x", "has \"..\" in its name"},
        {"a/..", "has \"..\" in its name"},
        {"..", "has \"..\" in its name"},
        {"/etc/passwd", "archive member \"/etc/passwd\" has an absolute name"},
        {"C:/x", "has an absolute name"},
        {"a\\..\\x", "has a backslash in its name"},
        {"", "has an empty name"},
    };

    for (size_t i = 0; i < KRTI_COUNT(cases); i++) {
        const char *const members[] = {"ok", "1", cases[i].name, "2"};
        archive a = build(t->k, 2, members);

        assert_refused(t, &a, KRT_E_UNSAFE, cases[i].message);
    }
    assert_null(krti_zip_name_problem("a..b/..c/d..", 12));
    archive a = build_two(t->k);
    patch(&a, a.central[0] + 46 + 6, 0, 1);
    assert_refused(t, &a, KRT_E_UNSAFE, "archive member \"config\" has a NUL in its name");
}

TEST(two_members_of_one_name_are_refused)
{
    static const char *const members[] = {"config.json", "1", "b", "2", "config.json", "3"};
    archive a = build(t->k, 3, members);

    assert_refused(t, &a, KRT_E_UNSAFE, "archive member \"config.json\" occurs twice");
}

TEST(members_that_overlap_are_refused)
{
    static const char *const members[] = {"a", "0123456789", "a", "0123456789"};
    archive a = build(t->k, 2, members);

    /* Both entries use the first local header, under one name a duplicate, ... */
    patch(&a, a.central[1] + 42, a.local[0], 4);
    assert_refused(t, &a, KRT_E_UNSAFE, "occurs twice");
    /* ... and a member that claims the next one's header as its data is an overlap. */
    a = build_two(t->k);
    const size_t whole = a.directory - a.local[0] - 30 - 11;
    for (int at = 0; at < 8; at += 4) {
        patch(&a, a.local[0] + 18 + (size_t)at, whole, 4);
        patch(&a, a.central[0] + 20 + (size_t)at, whole, 4);
    }
    assert_refused(t, &a, KRT_E_CORRUPT,
                   "archive members \"config.json\" and \"model.weights.h5\" overlap");
}

TEST(sizes_beyond_the_file_are_refused)
{
    archive a = build_two(t->k);

    patch(&a, a.central[1] + 20, 1000, 4);
    patch(&a, a.central[1] + 24, 1000, 4);
    assert_refused(t, &a, KRT_E_CORRUPT, "its 1000 bytes do not fit in the file's");
    a = build_two(t->k);
    patch(&a, a.central[1] + 42, a.end, 4);
    assert_refused(t, &a, KRT_E_CORRUPT, "it begins beyond the archive");
    a = build_two(t->k);
    patch(&a, a.central[0] + 24, 7, 4);
    assert_refused(t, &a, KRT_E_CORRUPT, "it is stored, yet in another size");
    a = build_two(t->k);
    patch(&a, a.central[0] + 20, UINT32_MAX, 4);
    patch(&a, a.central[0] + 24, UINT32_MAX, 4);
    assert_refused(t, &a, KRT_E_CORRUPT, "its ZIP64 sizes are missing");
}

TEST(a_local_header_that_disagrees_is_refused)
{
    static const struct {
        size_t offset;
        uint64_t value;
        int bytes;
        const char *message;
    } cases[] = {
        {0, 0x02014b50, 4, "there is no local header where it should be"},
        {6, 1, 2, "its local header disagrees"},
        {8, 8, 2, "its local header disagrees"},
        {14, 1, 4, "its local header disagrees"},
        {18, 9, 4, "its local header disagrees"},
        {22, 9, 4, "its local header disagrees"},
        {22, UINT32_MAX, 4, "its local header disagrees"},
        {26, 10, 2, "its local header has another name"},
        {26, 60000, 2, "do not fit"},
        {28, 60000, 2, "do not fit"},
        {30, 'C', 1, "its local header has another name"},
    };

    for (size_t i = 0; i < KRTI_COUNT(cases); i++) {
        archive a = build_two(t->k);

        patch(&a, a.local[0] + cases[i].offset, cases[i].value, cases[i].bytes);
        assert_refused(t, &a, KRT_E_CORRUPT, cases[i].message);
    }
}

TEST(forms_we_do_not_read_are_named)
{
    archive a = build_two(t->k);

    patch(&a, a.central[0] + 8, 1, 2);
    assert_refused(t, &a, KRT_E_UNSUPPORTED, "archive member \"config.json\": it is encrypted");
    a = build_two(t->k);
    patch(&a, a.central[0] + 10, 12, 2);
    assert_refused(t, &a, KRT_E_UNSUPPORTED,
                   "archive member \"config.json\" uses bzip2, only stored and deflate are read");
    a = build_two(t->k);
    patch(&a, a.central[0] + 10, 77, 2);
    assert_refused(t, &a, KRT_E_UNSUPPORTED, "uses method 77");
    a = build_two(t->k);
    patch(&a, a.end + 4, 1, 2);
    assert_refused(t, &a, KRT_E_UNSUPPORTED, "spread over several disks");
}

TEST(a_wrong_directory_is_refused)
{
    archive a = build_two(t->k);

    patch(&a, a.end + 10, 1, 2);
    assert_refused(t, &a, KRT_E_CORRUPT, "directory has 2 entries, expected 1");
    a = build_two(t->k);
    patch(&a, a.end + 10, 60000, 2);
    assert_refused(t, &a, KRT_E_CORRUPT, "cannot hold its 60000 entries");
    a = build_two(t->k);
    patch(&a, a.central[1], 0, 4);
    assert_refused(t, &a, KRT_E_CORRUPT, "directory is damaged at byte");
    a = build_two(t->k);
    patch(&a, a.central[1] + 32, 1, 2); /* a comment beyond the end */
    assert_refused(t, &a, KRT_E_CORRUPT, "directory is cut short at byte");
    a = build_two(t->k);
    patch(&a, a.end + 12, UINT32_MAX - 1, 4);
    assert_refused(t, &a, KRT_E_CORRUPT, "does not fit in the file's");
}

TEST(a_wrong_checksum_is_noticed_when_asked_for)
{
    archive a = build_two(t->k);

    a.s.ptr[a.local[1] + 30 + 16 + 3] ^= 1;
    assert_refused(t, &a, KRT_E_CORRUPT,
                   "archive member \"model.weights.h5\": its CRC-32 is wrong");
}

/* One deflated member that says it inflates to `declared` bytes. */
static archive build_deflated(krt_ctx *k, const char *data, size_t size, uint64_t declared)
{
    archive a = {.s = KRTI_STR_INIT(k), .n = 1};
    struct libdeflate_compressor *c = libdeflate_alloc_compressor(9);
    const size_t bound = libdeflate_deflate_compress_bound(c, size);
    char *packed = malloc(bound);

    assert_non_null(packed);
    const size_t n = libdeflate_deflate_compress(c, data, size, packed, bound);
    libdeflate_free_compressor(c);
    put_entry(&a, 0, "a", "", false);
    krti_str_add_n(&a.s, packed, n);
    free(packed);
    a.directory = a.s.length;
    a.central[0] = a.s.length;
    put_entry(&a, 0, "a", "", true);
    for (size_t header = 0, base = 6; header < 2; header++, base = a.central[0] + 8) {
        patch(&a, base + 2, 8, 2);
        patch(&a, base + 8, libdeflate_crc32(0, data, size), 4);
        patch(&a, base + 12, n, 4);
        patch(&a, base + 16, declared, 4);
    }
    a.end = a.s.length;
    put(&a.s, 0x06054b50, 4);
    put(&a.s, 0, 4);
    put(&a.s, 1, 2);
    put(&a.s, 1, 2);
    put(&a.s, a.end - a.directory, 4);
    put(&a.s, a.directory, 4);
    put(&a.s, 0, 2);
    return a;
}

TEST(a_member_inflates_to_what_it_declares_or_not_at_all)
{
    char *zeros = calloc(1, 100000);
    archive a = build_deflated(t->k, zeros, 100000, 100000);

    ASSERT_OK(read_all(t->k, a.s.ptr, a.s.length));
    a.s.ptr[34] ^= 0x55;
    assert_refused(t, &a, KRT_E_CORRUPT, "archive member \"a\": ");
    a = build_deflated(t->k, zeros, 100000, 99999);
    assert_refused(t, &a, KRT_E_CORRUPT, "it inflates to more than it declares");
    a = build_deflated(t->k, zeros, 100000, 100001);
    assert_refused(t, &a, KRT_E_CORRUPT, "it inflates to another size than it declares");
    free(zeros);
}

TEST(decompression_bombs_are_refused_before_they_are_opened)
{
    archive a = build_deflated(t->k, "x", 1, 4000000000u);

    assert_refused(t, &a, KRT_E_UNSAFE, "archive member \"a\" declares 4000000000 bytes in ");
    /* Sixty members of just under a mebibyte each, in a file of a few kilobytes. */
    archive many = {.s = KRTI_STR_INIT(t->k)};
    size_t local[60];
    char name[8];
    for (size_t i = 0; i < 60; i++) {
        snprintf(name, sizeof name, "m%02zu", i);
        local[i] = many.s.length;
        put_entry(&many, 0, name, "xyz", false);
        patch(&many, local[i] + 8, 8, 2);
        patch(&many, local[i] + 22, 1 << 20, 4);
    }
    many.directory = many.s.length;
    for (size_t i = 0; i < 60; i++) {
        const size_t central = many.s.length;

        snprintf(name, sizeof name, "m%02zu", i);
        put_entry(&many, 0, name, "xyz", true);
        patch(&many, central + 10, 8, 2);
        patch(&many, central + 24, 1 << 20, 4);
        patch(&many, central + 42, local[i], 4);
    }
    many.end = many.s.length;
    put(&many.s, 0x06054b50, 4);
    put(&many.s, 0, 4);
    put(&many.s, 60, 2);
    put(&many.s, 60, 2);
    put(&many.s, many.end - many.directory, 4);
    put(&many.s, many.directory, 4);
    put(&many.s, 0, 2);
    assert_refused(t, &many, KRT_E_UNSAFE, "declares 62914560: a decompression bomb");
}

TEST(what_is_no_archive_is_told_from_one_cut_short)
{
    archive a = build_two(t->k), wide = build_zip64(t->k, 10, 10, 0);
    krti_bytes *b = NULL;

    ASSERT_STATUS(KRT_E_FORMAT, read_all(t->k, "\x89HDF\r\n\x1a\n and so on, long enough", 30));
    ASSERT_SAYS("not a zip archive");
    ASSERT_STATUS(KRT_E_FORMAT, read_all(t->k, "", 0));
    ASSERT_STATUS(KRT_E_CORRUPT, read_all(t->k, a.s.ptr, a.end));
    ASSERT_SAYS("members are whole, what is behind is not");
    ASSERT_STATUS(KRT_E_CORRUPT, read_all(t->k, wide.s.ptr, wide.directory - 4));
    ASSERT_SAYS("0 members are whole, then \"a\" has 6 of 10 bytes");
    ASSERT_STATUS(KRT_E_CORRUPT, read_all(t->k, wide.s.ptr, 20));
    ASSERT_SAYS("no end record in the last 64 KB of 20 bytes");
    ASSERT_OK(krti_bytes_wrap(t->k, &b, "PK", 2));
    ASSERT_TRUE(!krti_zip_detect(b));
    krti_bytes_drop(b);
    krti_str_free(&a.s);
    krti_str_free(&wide.s);
}

TEST(no_archive_cut_short_is_read)
{
    archive a = build_two(t->k);

    for (size_t n = 0; n < a.s.length; n++) {
        char *exact = malloc(n + 1 - (n > 0));

        memcpy(exact, a.s.ptr, n);
        if (read_all(t->k, exact, n) == KRT_OK)
            fail_msg("%zu of %zu bytes were read as an archive", n, a.s.length);
        free(exact);
    }
    krti_str_free(&a.s);
}

TEST(no_single_wrong_byte_does_harm)
{
    archive a = build_zip64(t->k, 10, 10, 0);
    size_t read = 0;

    for (size_t i = 0; i < a.s.length; i++) {
        for (int bit = 0; bit < 8; bit++) {
            a.s.ptr[i] ^= (char)(1 << bit);
            read += read_all(t->k, a.s.ptr, a.s.length) == KRT_OK;
            a.s.ptr[i] ^= (char)(1 << bit);
        }
    }
    ASSERT_TRUE(read > 0 && read < a.s.length * 4); /* dates and the like do not matter */
    krti_str_free(&a.s);
}

static krt_status open_and_read(krt_ctx *k, void *a)
{
    archive *both = a;
    const krt_status st = read_all(k, both[0].s.ptr, both[0].s.length);

    return st == KRT_OK ? read_all(k, both[1].s.ptr, both[1].s.length) : st;
}

TEST(archives_survive_every_failing_allocation)
{
    archive both[2] = {build_two(t->k), build_deflated(t->k, "hello hello", 11, 11)};

    ASSERT_TRUE(FAILING_SWEEP(open_and_read, both) >= 12);
    krti_str_free(&both[0].s);
    krti_str_free(&both[1].s);
}

int main(void)
{
    return RUN(
        UNIT(members_are_found_by_name_and_place),
        UNIT(a_stored_member_lies_where_it_lay_and_outlives_the_archive),
        UNIT(archives_of_python_s_zipfile_are_read),
        UNIT(bytes_before_and_behind_an_archive_are_passed_over),
        UNIT(a_comment_and_gaps_are_passed_over), UNIT(an_archive_without_members_is_one),
        UNIT(zip64_sizes_and_records_are_read), UNIT(zip64_numbers_are_not_trusted),
        UNIT(names_that_leave_the_archive_are_refused), UNIT(two_members_of_one_name_are_refused),
        UNIT(members_that_overlap_are_refused), UNIT(sizes_beyond_the_file_are_refused),
        UNIT(a_local_header_that_disagrees_is_refused), UNIT(forms_we_do_not_read_are_named),
        UNIT(a_wrong_directory_is_refused), UNIT(a_wrong_checksum_is_noticed_when_asked_for),
        UNIT(a_member_inflates_to_what_it_declares_or_not_at_all),
        UNIT(decompression_bombs_are_refused_before_they_are_opened),
        UNIT(what_is_no_archive_is_told_from_one_cut_short), UNIT(no_archive_cut_short_is_read),
        UNIT(no_single_wrong_byte_does_harm), UNIT(archives_survive_every_failing_allocation));
}
