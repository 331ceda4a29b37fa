/* HDF5 files written here and read back by our reader: every structure, every type, large groups. */
#include "failing.h"

#include "formats/h5_write.h"

#include <sys/stat.h>

static krt_status write_to(krt_ctx *k, krti_h5_writer *w, const char *path, uint64_t *size)
{
    krti_txn *x = NULL;
    krti_txn_file *f = NULL;
    krti_sink sink;
    krt_status st = KRT_OK;

    TRY(krti_h5_plan(w, size));
    TRY(krti_txn_begin(k, &x, path, false));
    TRY(krti_txn_create_target(x, &f));
    sink = krti_txn_sink(f);
    TRY(krti_h5_write(w, &sink));
    TRY(krti_txn_commit(x));

done:
    krti_txn_end(x);
    return st;
}

static krti_h5 *reopen(testing *t, const char *path)
{
    krti_bytes *b = NULL;
    krti_h5 *h5 = NULL;

    ASSERT_OK(krti_bytes_map(t->k, &b, path));
    ASSERT_OK(krti_h5_open(t->k, &h5, b));
    krti_bytes_drop(b);
    return h5;
}

static void assert_data(testing *t, krti_h5 *h5, const char *path, krti_h5_class cls, uint32_t size,
                        const void *expected, size_t bytes)
{
    krti_h5_object o;
    krti_h5_dataset d;
    bool found = false;
    const void *data = NULL;
    krti_bytes *owned = NULL;

    ASSERT_OK(krti_h5_find(h5, krti_h5_root(h5), path, &o, &found));
    assert_true(found);
    ASSERT_OK(krti_h5_dataset_open(h5, o, &d));
    ASSERT_INT_EQ(cls, d.type.cls);
    ASSERT_INT_EQ(size, d.type.size);
    ASSERT_INT_EQ(bytes, d.size_bytes);
    if (bytes > 0) {
        ASSERT_INT_EQ(0, d.offset % 64);
        assert_true(d.is_contiguous);
        ASSERT_OK(krti_h5_dataset_read(h5, o, &d, &data, &owned));
        assert_memory_equal(data, expected, bytes);
    }
    krti_bytes_drop(owned);
}

static krti_h5_type shaped(krti_h5_type type, int rank, uint64_t a, uint64_t b)
{
    type.rank = rank;
    type.dim[0] = a;
    type.dim[1] = b;
    return type;
}

/* Every type at once; the data's address is the same for all. */
static const unsigned char DATA[48] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJK";

static krt_status add_all_types(krti_h5_writer *w)
{
    const krti_h5_source source = {.data = DATA};
    krti_h5_node *g = NULL, *bf = NULL;
    const struct {
        const char *name;
        krti_h5_type type;
    } all[] = {{"f16", krti_h5_type_float(2)},      {"f32", krti_h5_type_float(4)},
               {"f64", krti_h5_type_float(8)},      {"i8", krti_h5_type_int(1, true)},
               {"i16", krti_h5_type_int(2, true)},  {"i32", krti_h5_type_int(4, true)},
               {"i64", krti_h5_type_int(8, true)},  {"u8", krti_h5_type_int(1, false)},
               {"u16", krti_h5_type_int(2, false)}, {"u32", krti_h5_type_int(4, false)},
               {"u64", krti_h5_type_int(8, false)}, {"bool", krti_h5_type_bool()},
               {"opaque", krti_h5_type_opaque(2)},  {"string", krti_h5_type_string(8)}};
    krt_status st = KRT_OK;

    TRY(krti_h5_add_group(w, krti_h5_writer_root(w), "all/types", &g));
    for (size_t i = 0; i < KRTI_COUNT(all); i++) {
        const krti_h5_type type = shaped(all[i].type, 2, 2, 3);
        TRY(krti_h5_add_dataset(w, g, all[i].name, &type, &source, &bf));
    }
    TRY(krti_h5_add_text(w, bf, "dtype", "bfloat16", 8, KRTI_H5_UTF8));

done:
    return st;
}

TEST(every_type_comes_back_as_it_was)
{
    krti_h5_writer *w = NULL;
    uint64_t size = 0;
    struct stat info;

    ASSERT_OK(krti_h5_writer_new(t->k, &w));
    ASSERT_OK(add_all_types(w));
    ASSERT_OK(write_to(t->k, w, in_folder(t, "a.h5"), &size));
    krti_h5_writer_free(w);
    ASSERT_INT_EQ(0, stat(in_folder(t, "a.h5"), &info));
    ASSERT_INT_EQ(size, info.st_size);
    krti_h5 *h5 = reopen(t, in_folder(t, "a.h5"));
    assert_data(t, h5, "all/types/f16", KRTI_H5_FLOAT, 2, DATA, 12);
    assert_data(t, h5, "all/types/f32", KRTI_H5_FLOAT, 4, DATA, 24);
    assert_data(t, h5, "all/types/f64", KRTI_H5_FLOAT, 8, DATA, 48);
    assert_data(t, h5, "all/types/i8", KRTI_H5_INTEGER, 1, DATA, 6);
    assert_data(t, h5, "all/types/u64", KRTI_H5_INTEGER, 8, DATA, 48);
    assert_data(t, h5, "all/types/bool", KRTI_H5_ENUM_BOOL, 1, DATA, 6);
    assert_data(t, h5, "all/types/opaque", KRTI_H5_OPAQUE, 2, DATA, 12);
    assert_data(t, h5, "all/types/string", KRTI_H5_STRING, 8, DATA, 48);
    krti_h5_close(h5);
}

TEST(scalars_empty_shapes_and_many_dimensions_come_back)
{
    const krti_h5_source source = {.data = DATA};
    krti_h5_type type = krti_h5_type_float(4);
    krti_h5_writer *w = NULL;
    uint64_t size = 0;

    ASSERT_OK(krti_h5_writer_new(t->k, &w));
    krti_h5_node *root = krti_h5_writer_root(w);
    ASSERT_OK(krti_h5_add_dataset(w, root, "scalar", &type, &source, NULL));
    type = shaped(type, 2, 0, 5);
    ASSERT_OK(krti_h5_add_dataset(w, root, "empty", &type, &source, NULL));
    type.rank = 32;
    for (int i = 0; i < 32; i++)
        type.dim[i] = i == 31 ? 3 : 1;
    ASSERT_OK(krti_h5_add_dataset(w, root, "deep", &type, &source, NULL));
    ASSERT_OK(write_to(t->k, w, in_folder(t, "a.h5"), &size));
    krti_h5_writer_free(w);
    krti_h5 *h5 = reopen(t, in_folder(t, "a.h5"));
    assert_data(t, h5, "scalar", KRTI_H5_FLOAT, 4, DATA, 4);
    assert_data(t, h5, "empty", KRTI_H5_FLOAT, 4, DATA, 0);
    assert_data(t, h5, "deep", KRTI_H5_FLOAT, 4, DATA, 12);
    krti_h5_close(h5);
}

TEST(an_empty_file_is_a_file)
{
    krti_h5_writer *w = NULL;
    uint64_t size = 0;

    ASSERT_OK(krti_h5_writer_new(t->k, &w));
    ASSERT_OK(write_to(t->k, w, in_folder(t, "a.h5"), &size));
    krti_h5_writer_free(w);
    krti_h5 *h5 = reopen(t, in_folder(t, "a.h5"));
    assert_false(krti_h5_has_attribute(h5, krti_h5_root(h5), "x"));
    krti_h5_close(h5);
}

/* Groups of one, two and three levels of index, and around every boundary. */
TEST(large_groups_find_every_child)
{
    static const int sizes[] = {1, 7, 8, 9, 255, 256, 257, 3000, 9000};
    krti_h5_type type = krti_h5_type_int(4, true);
    int *values = krti_array(t->k, 9000, sizeof *values);

    for (int i = 0; i < 9000; i++)
        values[i] = i;
    for (size_t s = 0; s < KRTI_COUNT(sizes); s++) {
        krti_h5_writer *w = NULL;
        krti_h5_node *g = NULL;
        uint64_t size = 0;
        char name[32];

        ASSERT_OK(krti_h5_writer_new(t->k, &w));
        ASSERT_OK(krti_h5_add_group(w, krti_h5_writer_root(w), "g", &g));
        for (int i = 0; i < sizes[s]; i++) {
            const krti_h5_source source = {.data = &values[i]};
            snprintf(name, sizeof name, "%d", i);
            ASSERT_OK(krti_h5_add_dataset(w, g, name, &type, &source, NULL));
        }
        ASSERT_OK(write_to(t->k, w, in_folder(t, "a.h5"), &size));
        krti_h5_writer_free(w);
        krti_h5 *h5 = reopen(t, in_folder(t, "a.h5"));
        for (int i = 0; i < sizes[s]; i++) {
            snprintf(name, sizeof name, "g/%d", i);
            assert_data(t, h5, name, KRTI_H5_INTEGER, 4, &values[i], 4);
        }
        krti_h5_close(h5);
    }
    krti_free(t->k, values);
}

TEST(attributes_of_every_kind_come_back)
{
    const krti_h5_type fixed = krti_h5_type_string(4), number = krti_h5_type_int(8, true);
    const int64_t seven = 7;
    char *text = NULL, digest[4] = "----";
    size_t length = 0;
    bool found = false;
    krti_h5_writer *w = NULL;
    uint64_t size = 0;
    int64_t value = 0;

    ASSERT_OK(krti_h5_writer_new(t->k, &w));
    krti_h5_node *root = krti_h5_writer_root(w);
    ASSERT_OK(krti_h5_add_text(w, root, "backend", "jax", 3, KRTI_H5_ASCII));
    ASSERT_OK(krti_h5_add_text(w, root, "name", "d\xC3\xA9", 3, KRTI_H5_UTF8));
    ASSERT_OK(krti_h5_add_attribute(w, root, "seven", &number, &seven));
    ASSERT_OK(krti_h5_add_attribute(w, root, "digest", &fixed, digest));
    ASSERT_STATUS(KRT_E_INVALID, krti_h5_add_text(w, root, "name", "x", 1, KRTI_H5_UTF8));
    memcpy(digest, "late", 4); /* attributes are read last */
    ASSERT_OK(write_to(t->k, w, in_folder(t, "a.h5"), &size));
    krti_h5_writer_free(w);
    krti_h5 *h5 = reopen(t, in_folder(t, "a.h5"));
    const krti_h5_object o = krti_h5_root(h5);
    ASSERT_OK(krti_h5_attribute_text(h5, o, "name", &text, &length, &found));
    ASSERT_STR_EQ("d\xC3\xA9", text);
    krti_free(t->k, text);
    ASSERT_OK(krti_h5_attribute_text(h5, o, "digest", &text, &length, &found));
    ASSERT_STR_EQ("late", text);
    krti_free(t->k, text);
    ASSERT_OK(krti_h5_attribute_int(h5, o, "seven", &value, &found));
    ASSERT_INT_EQ(7, value);
    krti_h5_close(h5);
}

/* A config of 200 KB and three attributes of 60 KB each: several heap collections, a header of more
 * than one could read at once. */
TEST(large_texts_and_large_headers_come_back)
{
    const size_t n = 200000;
    char *config = krti_alloc(t->k, n), *text = NULL;
    const krti_h5_type type = krti_h5_type_string(60000), too_large = krti_h5_type_string(65530);
    krti_h5_writer *w = NULL;
    uint64_t size = 0;
    size_t length = 0;
    bool found = false;

    memset(config, 'c', n);
    ASSERT_OK(krti_h5_writer_new(t->k, &w));
    krti_h5_node *root = krti_h5_writer_root(w);
    ASSERT_OK(krti_h5_add_text(w, root, "model_config", config, n, KRTI_H5_ASCII));
    ASSERT_OK(krti_h5_add_attribute(w, root, "a", &type, config));
    ASSERT_OK(krti_h5_add_attribute(w, root, "b", &type, config));
    ASSERT_OK(krti_h5_add_attribute(w, root, "c", &type, config));
    ASSERT_STATUS(KRT_E_UNSUPPORTED, krti_h5_add_attribute(w, root, "d", &too_large, config));
    ASSERT_SAYS("an HDF5 object header holds 64 KB of one");
    ASSERT_OK(write_to(t->k, w, in_folder(t, "a.h5"), &size));
    krti_h5_writer_free(w);
    krti_h5 *h5 = reopen(t, in_folder(t, "a.h5"));
    ASSERT_OK(krti_h5_attribute_text(h5, krti_h5_root(h5), "model_config", &text, &length, &found));
    ASSERT_INT_EQ(n, length);
    assert_memory_equal(config, text, n);
    krti_free(t->k, text);
    ASSERT_OK(krti_h5_attribute_text(h5, krti_h5_root(h5), "c", &text, &length, &found));
    ASSERT_INT_EQ(60000, length);
    krti_free(t->k, text);
    krti_free(t->k, config);
    krti_h5_close(h5);
}

typedef struct counting {
    uint64_t next;
    int dones;
    size_t seen;
} counting;

static krt_status count_up(void *user, uint64_t offset, void *to, size_t size)
{
    counting *c = user;
    unsigned char *p = to;

    assert_true(offset == c->next);
    for (size_t i = 0; i < size; i++)
        p[i] = (unsigned char)((offset + i) * 7);
    c->next += size;
    return KRT_OK;
}

static void count_done(void *user)
{
    ((counting *)user)->dones++;
}

static void count_seen(void *user, const void *data, size_t size)
{
    (void)data;
    ((counting *)user)->seen += size;
}

TEST(data_may_come_piece_by_piece)
{
    const size_t n = 700001;
    counting c = {0};
    const krti_h5_source source = {.read = count_up, .done = count_done, .user = &c};
    const krti_h5_type type = shaped(krti_h5_type_int(1, false), 1, n, 0);
    unsigned char *expected = krti_alloc(t->k, n);
    krti_h5_writer *w = NULL;
    uint64_t size = 0;

    for (size_t i = 0; i < n; i++)
        expected[i] = (unsigned char)(i * 7);
    ASSERT_OK(krti_h5_writer_new(t->k, &w));
    ASSERT_OK(krti_h5_add_dataset(w, krti_h5_writer_root(w), "x", &type, &source, NULL));
    krti_h5_set_look(w, &(krti_look){count_seen, &c});
    ASSERT_OK(write_to(t->k, w, in_folder(t, "a.h5"), &size));
    krti_h5_writer_free(w);
    ASSERT_INT_EQ(1, c.dones);
    ASSERT_INT_EQ(n, c.seen);
    krti_h5 *h5 = reopen(t, in_folder(t, "a.h5"));
    assert_data(t, h5, "x", KRTI_H5_INTEGER, 1, expected, n);
    krti_h5_close(h5);
    krti_free(t->k, expected);
}

TEST(names_and_types_that_cannot_be_are_refused)
{
    const krti_h5_source source = {.data = DATA};
    krti_h5_type type = krti_h5_type_float(4);
    krti_h5_writer *w = NULL;
    krti_h5_node *g = NULL;

    ASSERT_OK(krti_h5_writer_new(t->k, &w));
    krti_h5_node *root = krti_h5_writer_root(w);
    ASSERT_OK(krti_h5_add_dataset(w, root, "x", &type, &source, NULL));
    ASSERT_STATUS(KRT_E_INVALID, krti_h5_add_dataset(w, root, "x", &type, &source, NULL));
    ASSERT_SAYS("the group has an object of this name");
    ASSERT_STATUS(KRT_E_INVALID, krti_h5_add_group(w, root, "x/y", &g));
    ASSERT_SAYS("is a dataset, expected a group");
    ASSERT_STATUS(KRT_E_INVALID, krti_h5_add_group(w, root, "a//b", &g));
    ASSERT_STATUS(KRT_E_INVALID, krti_h5_add_dataset(w, root, "a/b", &type, &source, NULL));
    type.size = 3;
    ASSERT_STATUS(KRT_E_UNSUPPORTED, krti_h5_add_dataset(w, root, "z", &type, &source, NULL));
    type = shaped(krti_h5_type_float(4), 2, (uint64_t)1 << 62, 4);
    ASSERT_STATUS(KRT_E_INVALID, krti_h5_add_dataset(w, root, "z", &type, &source, NULL));
    krti_h5_writer_free(w);
}

static krt_status write_all_types(krt_ctx *k, void *user)
{
    krti_h5_writer *w = NULL;
    uint64_t size = 0;
    krt_status st = krti_h5_writer_new(k, &w);

    if (st == KRT_OK)
        st = add_all_types(w);
    if (st == KRT_OK)
        st = write_to(k, w, in_folder(user, "a.h5"), &size);
    krti_h5_writer_free(w);
    return st;
}

TEST(writing_survives_every_failing_allocation)
{
    assert_true(FAILING_SWEEP(write_all_types, t) > 20);
}

int main(void)
{
    return RUN(UNIT(every_type_comes_back_as_it_was),
               UNIT(scalars_empty_shapes_and_many_dimensions_come_back),
               UNIT(an_empty_file_is_a_file), UNIT(large_groups_find_every_child),
               UNIT(attributes_of_every_kind_come_back),
               UNIT(large_texts_and_large_headers_come_back), UNIT(data_may_come_piece_by_piece),
               UNIT(names_and_types_that_cannot_be_are_refused),
               UNIT(writing_survives_every_failing_allocation));
}
