/* Archives written here and read back by our reader: order, alignment, ZIP64, members in pieces. */
#include "failing.h"

#include "formats/zip.h"
#include "formats/zip_write.h"

static krt_status write_archive(krt_ctx *k, const char *path, const char *text, unsigned alignment)
{
    const krti_zip_entry first = {
        .name = "metadata.json", .size = 3, .dos_date = KRTI_ZIP_1980, .mode = 0600};
    krti_zip_entry second = {
        .name = "w\xC3\xA9ights.h5", .size = strlen(text), .mode = 0600, .alignment = alignment};
    krti_txn *t = NULL;
    krti_txn_file *f = NULL;
    krti_zip_writer *z = NULL;
    krti_sink sink, member;
    krt_status st = KRT_OK;

    TRY(krti_txn_begin(k, &t, path, false));
    TRY(krti_txn_create_target(t, &f));
    sink = krti_txn_sink(f);
    TRY(krti_zip_writer_new(k, &z, &sink));
    TRY(krti_zip_add(z, &first, "abc"));
    krti_zip_now(&second.dos_date, &second.dos_time);
    TRY(krti_zip_begin(z, &second, &member));
    if (second.size > 4) { /* the end first, as the HDF5 writer does it */
        TRY(member.write(member.user, 4, text + 4, (size_t)second.size - 4));
        TRY(member.write(member.user, 0, text, 2));
        TRY(member.write(member.user, 2, text + 2, 2));
    }
    TRY(krti_zip_end(z));
    TRY(krti_zip_finish(z, NULL));
    TRY(krti_txn_commit(t));

done:
    krti_zip_writer_free(z);
    krti_txn_end(t);
    return st;
}

TEST(members_come_back_in_order_and_aligned)
{
    static const unsigned alignments[] = {0, 1, 64, 4096};

    for (size_t i = 0; i < KRTI_COUNT(alignments); i++) {
        krti_bytes *b = NULL, *data = NULL;
        krti_zip *z = NULL;

        ASSERT_OK(write_archive(t->k, in_folder(t, "a.zip"), "some text", alignments[i]));
        ASSERT_OK(krti_bytes_map(t->k, &b, in_folder(t, "a.zip")));
        ASSERT_OK(krti_zip_open(t->k, &z, b));
        ASSERT_INT_EQ(2, krti_zip_num(z));
        ASSERT_STR_EQ("metadata.json", krti_zip_at(z, 0)->name);
        const krti_zip_member *m = krti_zip_at(z, 1);
        ASSERT_STR_EQ("w\xC3\xA9ights.h5", m->name);
        if (alignments[i] > 1)
            ASSERT_INT_EQ(0, m->offset % alignments[i]);
        ASSERT_OK(krti_zip_read(z, &data, m, true));
        ASSERT_INT_EQ(9, data->size);
        assert_memory_equal(data->data, "some text", 9);
        krti_bytes_drop(data);
        krti_zip_close(z);
        krti_bytes_drop(b);
    }
}

/* A sink that keeps nothing but the end, where the directory lies. */
typedef struct tail {
    uint64_t from;
    unsigned char bytes[4096];
    size_t size;
} tail;

static krt_status keep_tail(void *user, uint64_t offset, const void *data, size_t size)
{
    tail *x = user;

    if (size < sizeof x->bytes && offset >= x->from) {
        memcpy(x->bytes, data, size);
        x->size = size;
        x->from = offset;
    }
    return KRT_OK;
}

TEST(beyond_two_gigabytes_sizes_and_offsets_are_long)
{
    const uint64_t size = UINT64_C(5) << 30;
    const krti_zip_entry big = {.name = "big", .size = size}, last = {.name = "last", .size = 1};
    tail x = {0};
    const krti_sink sink = {keep_tail, &x};
    krti_zip_writer *z = NULL;
    krti_sink member;
    static unsigned char block[1 << 20];
    uint64_t archive = 0;

    ASSERT_OK(krti_zip_writer_new(t->k, &z, &sink));
    ASSERT_OK(krti_zip_begin(z, &big, &member));
    for (uint64_t at = 0; at < size; at += sizeof block)
        ASSERT_OK(member.write(member.user, at, block, sizeof block));
    ASSERT_OK(krti_zip_end(z));
    ASSERT_OK(krti_zip_add(z, &last, "x"));
    ASSERT_OK(krti_zip_finish(z, &archive));
    krti_zip_writer_free(z);
    assert_true(archive > size);
    /* entries of 46 + name, extra fields of 20 and 12, both end records and the locator */
    ASSERT_INT_EQ(46 + 3 + 20 + 46 + 4 + 12 + 56 + 20 + 22, x.size);
    assert_memory_equal(x.bytes, "PK\1\2\x2D\3\x2D\0", 8);
    assert_memory_equal(x.bytes + 49, "\1\0\x10\0\0\0\0\x40\1\0\0\0", 12);
    assert_memory_equal(x.bytes + 131, "PK\6\6", 4);
}

TEST(a_member_takes_exactly_its_size)
{
    const krti_zip_entry entry = {.name = "a", .size = 4}, bad = {.name = "../a", .size = 4};
    tail x = {0};
    const krti_sink sink = {keep_tail, &x};
    krti_zip_writer *z = NULL;
    krti_sink member;

    ASSERT_OK(krti_zip_writer_new(t->k, &z, &sink));
    ASSERT_STATUS(KRT_E_INVALID, krti_zip_begin(z, &bad, &member));
    ASSERT_OK(krti_zip_begin(z, &entry, &member));
    ASSERT_STATUS(KRT_E_INVALID, member.write(member.user, 2, "abc", 3));
    ASSERT_SAYS("gets more than its 4 bytes");
    ASSERT_OK(member.write(member.user, 1, "abc", 3));
    ASSERT_STATUS(KRT_E_INVALID, krti_zip_end(z));
    ASSERT_SAYS("got less than its 4 bytes");
    krti_zip_writer_free(z);
}

static krt_status write_one(krt_ctx *k, void *user)
{
    return write_archive(k, in_folder(user, "a.zip"), "some text", 64);
}

TEST(archives_survive_every_failing_allocation)
{
    assert_true(FAILING_SWEEP(write_one, t) > 5);
}

int main(void)
{
    return RUN(UNIT(members_come_back_in_order_and_aligned),
               UNIT(beyond_two_gigabytes_sizes_and_offsets_are_long),
               UNIT(a_member_takes_exactly_its_size),
               UNIT(archives_survive_every_failing_allocation));
}
