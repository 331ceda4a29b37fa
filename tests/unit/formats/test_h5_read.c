/* The HDF5 reader on files that h5py wrote: every form comes out as the same numbers and texts. */
#include "h5_testing.h"

/* The same contents in old and new clothes. */
static const char *const whole_files[] = {"earliest", "v108", "latest", "tracked"};
static const char *const chunked_files[] = {"chunked", "chunked_latest"};

static void check_shape(const h5_array *a, int rank, const uint64_t *dim)
{
    ASSERT_INT_EQ(rank, a->d.type.rank);
    for (int i = 0; i < rank; i++)
        ASSERT_INT_EQ(dim[i], a->d.type.dim[i]);
}

/* Element i is i / 2, or i % 100 when the type has no fractions. */
static void check_values(testing *t, h5_file h, const char *path, krti_h5_class cls, uint32_t size)
{
    h5_array a = h5_read(t, h, path);

    ASSERT_INT_EQ(cls, a.d.type.cls);
    ASSERT_INT_EQ(size, a.d.type.size);
    for (uint64_t i = 0; i < a.num; i++) {
        const double found = h5_element(&a.d.type, a.data, i);
        const double expected = cls == KRTI_H5_INTEGER ? (double)(i % 100) : (double)i * 0.5;

        if (found != expected)
            fail_msg("%s: element %d: expected %g, found %g", path, (int)i, expected, found);
    }
    krti_bytes_drop(a.owned);
}

TEST(every_width_and_byte_order_reads_as_the_same_numbers)
{
    static const char *const orders[] = {"little_", "big_"};
    static const struct {
        const char *name;
        krti_h5_class cls;
        uint32_t size;
    } types[] = {
        {"f2", KRTI_H5_FLOAT, 2},   {"f4", KRTI_H5_FLOAT, 4},   {"f8", KRTI_H5_FLOAT, 8},
        {"i2", KRTI_H5_INTEGER, 2}, {"i4", KRTI_H5_INTEGER, 4}, {"i8", KRTI_H5_INTEGER, 8},
        {"u2", KRTI_H5_INTEGER, 2}, {"u4", KRTI_H5_INTEGER, 4}, {"u8", KRTI_H5_INTEGER, 8},
    };
    char path[64];

    for (size_t i = 0; i < KRTI_COUNT(whole_files); i++) {
        const h5_file h = h5_open(t, whole_files[i]);

        for (size_t j = 0; j < KRTI_COUNT(types); j++) {
            for (size_t o = 0; o < KRTI_COUNT(orders); o++) {
                snprintf(path, sizeof path, "type/%s%s", orders[o], types[j].name);
                check_values(t, h, path, types[j].cls, types[j].size);
                h5_array a = h5_read(t, h, path);
                ASSERT_INT_EQ(o == 1, a.d.type.big_endian);
                ASSERT_INT_EQ(types[j].name[0] == 'i', a.d.type.is_signed);
                check_shape(&a, 2, (const uint64_t[]){3, 7});
            }
        }
        check_values(t, h, "type/i1", KRTI_H5_INTEGER, 1);
        check_values(t, h, "type/u1", KRTI_H5_INTEGER, 1);
        h5_close(h);
    }
}

TEST(contiguous_data_is_not_copied)
{
    const h5_file h = h5_open(t, "earliest");
    h5_array a = h5_read(t, h, "type/little_f4");

    ASSERT_TRUE(a.d.is_contiguous);
    assert_null(a.owned);
    assert_ptr_equal(h.bytes->data + a.d.offset, a.data);
    ASSERT_INT_EQ(84, a.d.stored_bytes);
    h5_close(h);
}

TEST(special_types_are_told_apart)
{
    for (size_t i = 0; i < KRTI_COUNT(whole_files); i++) {
        const h5_file h = h5_open(t, whole_files[i]);
        h5_array a = h5_read(t, h, "type/bool");

        ASSERT_INT_EQ(KRTI_H5_ENUM_BOOL, a.d.type.cls);
        for (uint64_t j = 0; j < 9; j++)
            ASSERT_INT_EQ(j % 2, ((const char *)a.data)[j]);
        a = h5_read(t, h, "type/enum");
        ASSERT_INT_EQ(KRTI_H5_INTEGER, a.d.type.cls);
        ASSERT_INT_EQ(2, h5_element(&a.d.type, a.data, 1));
        a = h5_read(t, h, "type/bfloat16");
        ASSERT_TRUE(a.d.type.is_bfloat16);
        ASSERT_TRUE(h5_element(&a.d.type, a.data, 11) == 5.5);
        a = h5_read(t, h, "type/opaque");
        ASSERT_INT_EQ(KRTI_H5_OPAQUE, a.d.type.cls);
        ASSERT_INT_EQ(2, a.d.type.size);
        a = h5_read(t, h, "type/fixed_text");
        ASSERT_INT_EQ(KRTI_H5_STRING, a.d.type.cls);
        assert_memory_equal("one\0\0three\0\0\0\0\0", a.data, 15);
        ASSERT_TRUE(!a.d.type.is_vlen);
        a = h5_read(t, h, "type/text");
        ASSERT_TRUE(a.d.type.is_vlen);
        check_values(t, h, "type/of_committed", KRTI_H5_FLOAT, 4);
        check_values(t, h, "type/compact", KRTI_H5_FLOAT, 4);
        h5_close(h);
    }
}

TEST(shapes_without_elements_and_without_data_read)
{
    for (size_t i = 0; i < KRTI_COUNT(whole_files); i++) {
        const h5_file h = h5_open(t, whole_files[i]);
        h5_array a = h5_read(t, h, "type/scalar");

        ASSERT_INT_EQ(0, a.d.type.rank);
        ASSERT_TRUE(h5_element(&a.d.type, a.data, 0) == 3.5);
        a = h5_read(t, h, "type/empty");
        check_shape(&a, 2, (const uint64_t[]){0, 4});
        ASSERT_INT_EQ(0, a.d.size_bytes);
        a = h5_read(t, h, "type/null");
        ASSERT_TRUE(a.d.type.is_null);
        ASSERT_INT_EQ(0, a.d.size_bytes);
        a = h5_read(t, h, "type/never");
        ASSERT_INT_EQ(0, a.d.stored_bytes);
        ASSERT_INT_EQ(0, a.d.offset);
        ASSERT_TRUE(h5_element(&a.d.type, a.data, 29) == 0);
        krti_bytes_drop(a.owned);
        a = h5_read(t, h, "type/filled");
        ASSERT_TRUE(h5_element(&a.d.type, a.data, 29) == 2.5);
        krti_bytes_drop(a.owned);
        h5_close(h);
    }
}

TEST(a_compound_is_described_but_not_read)
{
    const h5_file h = h5_open(t, "earliest");
    const krti_h5_object object = h5_at(t, h, "type/complex");
    krti_h5_dataset d;
    const void *data = NULL;
    krti_bytes *owned = NULL;

    ASSERT_OK(krti_h5_dataset_open(h.f, object, &d));
    ASSERT_INT_EQ(KRTI_H5_UNSUPPORTED, d.type.cls);
    ASSERT_STR_EQ("compound", d.type.class_name);
    ASSERT_STATUS(KRT_E_UNSUPPORTED, krti_h5_dataset_read(h.f, object, &d, &data, &owned));
    ASSERT_SAYS("compound");
    h5_close(h);
}

/* ------------------------------------------------------------------------------- chunks */

TEST(chunks_of_every_shape_filter_and_index_come_together)
{
    static const char *const filters[] = {"plain",   "deflate", "shuffled",
                                          "checked", "lzf",     "fletcher"};
    static const char *const shapes[] = {"line",    "plane", "cube",    "single", "larger",
                                         "limited", "rows",  "columns", "middle", "both"};
    char path[64];

    for (size_t i = 0; i < KRTI_COUNT(chunked_files); i++) {
        const h5_file h = h5_open(t, chunked_files[i]);

        for (size_t f = 0; f < KRTI_COUNT(filters); f++) {
            for (size_t s = 0; s < KRTI_COUNT(shapes); s++) {
                snprintf(path, sizeof path, "%s/%s", filters[f], shapes[s]);
                check_values(t, h, path, KRTI_H5_FLOAT, 4);
            }
        }
        check_values(t, h, "early", KRTI_H5_FLOAT, 4);
        check_values(t, h, "masked", KRTI_H5_FLOAT, 4);
        check_values(t, h, "edges", KRTI_H5_FLOAT, 4);
        h5_close(h);
    }
}

/* Was (22, 17) with element i = i / 2; what growing added is -1. */
static void check_resized(testing *t, h5_file h, const char *path)
{
    h5_array a = h5_read(t, h, path);

    for (uint64_t i = 0; i < a.num; i++) {
        const uint64_t row = i / a.d.type.dim[1], column = i % a.d.type.dim[1];
        const double expected = row < 22 && column < 17 ? (double)(row * 17 + column) * 0.5 : -1;

        if (h5_element(&a.d.type, a.data, i) != expected)
            fail_msg("%s: element %d is not %g", path, (int)i, expected);
    }
    krti_bytes_drop(a.owned);
}

TEST(datasets_that_grew_or_shrank_read)
{
    static const char *const paths[] = {"shrunk/limited", "shrunk/columns", "shrunk/both",
                                        "grown/limited",  "grown/columns",  "grown/both"};

    for (size_t i = 0; i < KRTI_COUNT(chunked_files); i++) {
        const h5_file h = h5_open(t, chunked_files[i]);

        for (size_t j = 0; j < KRTI_COUNT(paths); j++)
            check_resized(t, h, paths[j]);
        h5_close(h);
    }
}

TEST(chunks_never_written_are_the_fill_value)
{
    static const uint64_t written[] = {0, 7, 1500, 2047, 2048, 2999};
    static const char *const paths[] = {"sparse/fixed", "sparse/open"};

    for (size_t i = 0; i < KRTI_COUNT(chunked_files) * KRTI_COUNT(paths); i++) {
        const h5_file h = h5_open(t, chunked_files[i / 2]);
        h5_array a = h5_read(t, h, paths[i % 2]);
        size_t next = 0;

        for (uint64_t j = 0; j < a.num; j++) {
            const bool is_written = next < KRTI_COUNT(written) && j == written[next];

            next += is_written;
            ASSERT_INT_EQ(is_written ? (int)j : -1, h5_element(&a.d.type, a.data, j));
        }
        ASSERT_TRUE(a.d.stored_bytes < a.d.size_bytes);
        krti_bytes_drop(a.owned);
        a = h5_read(t, h, "sparse/plane");
        ASSERT_INT_EQ(150, h5_element(&a.d.type, a.data, 150 * 400 + 249));
        ASSERT_INT_EQ(-1, h5_element(&a.d.type, a.data, 150 * 400 + 250));
        krti_bytes_drop(a.owned);
        h5_close(h);
    }
}

TEST(chunk_indexes_in_pages_and_in_levels_read)
{
    static const uint64_t written[] = {0, 3, 4, 70, 131059, 131060, 133107, 139999};
    const h5_file h = h5_open(t, "paged");

    check_values(t, h, "fixed", KRTI_H5_INTEGER, 1);
    check_values(t, h, "deep", KRTI_H5_INTEGER, 1);
    h5_array a = h5_read(t, h, "fixed_sparse");
    for (uint64_t i = 0; i < a.num; i++)
        ASSERT_INT_EQ(i >= 3000 && i < 3003 ? 1 : 9, ((const char *)a.data)[i]);
    ASSERT_INT_EQ(3, a.d.stored_bytes);
    krti_bytes_drop(a.owned);
    a = h5_read(t, h, "open");
    size_t ones = 0;
    for (uint64_t i = 0; i < a.num; i++)
        ones += ((const char *)a.data)[i] == 1;
    ASSERT_INT_EQ(KRTI_COUNT(written), ones);
    for (size_t i = 0; i < KRTI_COUNT(written); i++)
        ASSERT_INT_EQ(1, ((const char *)a.data)[written[i]]);
    krti_bytes_drop(a.owned);
    h5_close(h);
}

/* ------------------------------------------------------------------------------- groups */

typedef struct names {
    char last[64];
    size_t num, hard;
} names;

static krt_status count_name(void *user, const char *name, krti_h5_object object, bool is_hard_link)
{
    names *const n = user;

    assert_true(strcmp(n->last, name) < 0);
    assert_int_equal(object.header == UINT64_MAX, !is_hard_link);
    snprintf(n->last, sizeof n->last, "%s", name);
    n->num++;
    n->hard += is_hard_link;
    return KRT_OK;
}

TEST(groups_of_any_size_list_in_the_order_of_bytes)
{
    static const struct {
        const char *path;
        size_t num;
    } groups[] = {{"none", 0}, {"few", 5}, {"some", 12}, {"many", 1500}};

    for (size_t i = 0; i < KRTI_COUNT(whole_files); i++) {
        const h5_file h = h5_open(t, whole_files[i]);

        for (size_t g = 0; g < KRTI_COUNT(groups); g++) {
            names n = {.num = 0};

            ASSERT_OK(krti_h5_each(h.f, h5_at(t, h, groups[g].path), count_name, &n));
            ASSERT_INT_EQ(groups[g].num, n.num);
            ASSERT_INT_EQ(groups[g].num, n.hard);
        }
        h5_close(h);
    }
}

TEST(every_child_is_found_by_its_name_and_no_other)
{
    char path[64];

    for (size_t i = 0; i < KRTI_COUNT(whole_files); i++) {
        const h5_file h = h5_open(t, whole_files[i]);
        const krti_h5_object one = h5_at(t, h, "one");
        krti_h5_object object = {0};
        bool found = true;

        for (int j = 0; j < 1500; j++) {
            snprintf(path, sizeof path, "many/item_%d", j);
            ASSERT_INT_EQ(one.header, h5_at(t, h, path).header);
        }
        static const char *const absent[] = {"many/item_1500", "many/item_", "many/a",   "many/z",
                                             "few/item_00",    "none/x",     "nowhere/x"};
        for (size_t j = 0; j < KRTI_COUNT(absent); j++) {
            ASSERT_OK(krti_h5_find(h.f, krti_h5_root(h.f), absent[j], &object, &found));
            ASSERT_TRUE(!found);
        }
        ASSERT_OK(krti_h5_find(h.f, one, "", &object, &found));
        ASSERT_INT_EQ(one.header, object.header);
        check_values(t, h, "deep/er/still/leaf", KRTI_H5_FLOAT, 4);
        h5_close(h);
    }
}

TEST(kinds_are_told_apart)
{
    static const struct {
        const char *path;
        krti_h5_kind kind;
    } cases[] = {{"", KRTI_H5_GROUP},
                 {"none", KRTI_H5_GROUP},
                 {"many", KRTI_H5_GROUP},
                 {"attribute", KRTI_H5_GROUP},
                 {"type/scalar", KRTI_H5_DATASET},
                 {"type/committed", KRTI_H5_OTHER}};

    for (size_t i = 0; i < KRTI_COUNT(whole_files); i++) {
        const h5_file h = h5_open(t, whole_files[i]);

        for (size_t j = 0; j < KRTI_COUNT(cases); j++) {
            krti_h5_kind kind = KRTI_H5_OTHER;

            ASSERT_OK(krti_h5_kind_of(h.f, h5_at(t, h, cases[j].path), &kind));
            ASSERT_INT_EQ(cases[j].kind, kind);
        }
        h5_close(h);
    }
}

TEST(a_path_through_a_dataset_or_with_an_empty_part_is_refused)
{
    const h5_file h = h5_open(t, "latest");
    static const char *const invalid[] = {"/one", "deep//er", "deep/"};
    krti_h5_object object;
    krti_h5_dataset d;
    bool found = false;

    ASSERT_STATUS(KRT_E_FORMAT, krti_h5_find(h.f, krti_h5_root(h.f), "one/x", &object, &found));
    ASSERT_SAYS("Invalid H5 file, expected Group but received Dataset");
    for (size_t i = 0; i < KRTI_COUNT(invalid); i++) {
        ASSERT_STATUS(KRT_E_FORMAT,
                      krti_h5_find(h.f, krti_h5_root(h.f), invalid[i], &object, &found));
        ASSERT_SAYS("Invalid path in H5 file");
    }
    ASSERT_STATUS(KRT_E_FORMAT, krti_h5_dataset_open(h.f, h5_at(t, h, "deep"), &d));
    ASSERT_SAYS("Invalid H5 file, expected Dataset, received Group");
    h5_close(h);
}

TEST(soft_and_external_links_are_listed_and_never_followed)
{
    h5_file h = h5_open(t, "links_latest");
    krti_h5_object object;
    names n = {.num = 0};
    bool found = false;

    ASSERT_OK(krti_h5_each(h.f, krti_h5_root(h.f), count_name, &n));
    ASSERT_INT_EQ(4, n.num);
    ASSERT_INT_EQ(2, n.hard);
    ASSERT_STATUS(KRT_E_UNSAFE, krti_h5_find(h.f, krti_h5_root(h.f), "external", &object, &found));
    ASSERT_SAYS("Not allowed: H5 file with ExternalLink");
    h5_close(h);
    static const char *const files[] = {"links", "links_latest"};
    for (size_t i = 0; i < KRTI_COUNT(files); i++) {
        h = h5_open(t, files[i]);
        ASSERT_STATUS(KRT_E_UNSAFE,
                      krti_h5_find(h.f, krti_h5_root(h.f), "soft/data", &object, &found));
        ASSERT_SAYS("Not allowed: H5 file with SoftLink");
        ASSERT_STATUS(KRT_E_UNSAFE,
                      krti_h5_find(h.f, krti_h5_root(h.f), "real/soft", &object, &found));
        ASSERT_INT_EQ(h5_at(t, h, "real").header, h5_at(t, h, "second").header);
        h5_close(h);
    }
}

/* ------------------------------------------------------------------------------- attributes */

static void check_text(testing *t, h5_file h, const char *name, const char *expected)
{
    char *text = NULL;
    size_t length = 0;
    bool found = false;

    ASSERT_OK(krti_h5_attribute_text(h.f, h5_at(t, h, "attribute"), name, &text, &length, &found));
    ASSERT_TRUE(found);
    ASSERT_STR_EQ(expected, text);
    ASSERT_INT_EQ(strlen(expected), length);
    krti_free(t->k, text);
}

TEST(texts_of_every_form_read)
{
    char *text = NULL;
    size_t length = 0;
    bool found = false;

    for (size_t i = 0; i < KRTI_COUNT(whole_files); i++) {
        const h5_file h = h5_open(t, whole_files[i]);

        check_text(t, h, "text", "variable length, UTF-8: \xC3\xA9");
        check_text(t, h, "ascii", "fixed length");
        check_text(t, h, "scalar_bytes", "bytes");
        check_text(t, h, "empty_text", "");
        check_text(t, h, "spaces", "padded");
        const krti_h5_object object = h5_at(t, h, "attribute");
        ASSERT_OK(krti_h5_attribute_text(h.f, object, "long", &text, &length, &found));
        ASSERT_INT_EQ(10000, length);
        for (size_t j = 0; j < length; j++)
            ASSERT_INT_EQ('0' + (int)(j % 10), text[j]);
        krti_free(t->k, text);
        ASSERT_OK(krti_h5_attribute_text(h.f, object, "absent", &text, &length, &found));
        ASSERT_TRUE(!found);
        ASSERT_STATUS(KRT_E_FORMAT,
                      krti_h5_attribute_text(h.f, object, "int", &text, &length, &found));
        ASSERT_SAYS("attribute \"int\": expected a text, found 1 of type integer");
        h5_close(h);
    }
}

TEST(lists_of_texts_of_every_form_read)
{
    static const char *const lists[] = {"list", "fixed_list"};
    krti_h5_strings s;
    bool found = false;

    for (size_t i = 0; i < KRTI_COUNT(whole_files); i++) {
        const h5_file h = h5_open(t, whole_files[i]);
        const krti_h5_object object = h5_at(t, h, "attribute");

        for (size_t j = 0; j < KRTI_COUNT(lists); j++) {
            ASSERT_OK(krti_h5_attribute_strings(h.f, object, lists[j], &s, &found));
            ASSERT_INT_EQ(3, s.n);
            ASSERT_STR_EQ("one", s.items[0]);
            ASSERT_STR_EQ("", s.items[1]);
            ASSERT_STR_EQ("three", s.items[2]);
            krti_free(t->k, s.items);
        }
        ASSERT_OK(krti_h5_attribute_strings(h.f, object, "no_list", &s, &found));
        ASSERT_TRUE(found);
        ASSERT_INT_EQ(0, s.n);
        krti_free(t->k, s.items);
        ASSERT_STATUS(KRT_E_FORMAT, krti_h5_attribute_strings(h.f, object, "matrix", &s, &found));
        h5_close(h);
    }
}

TEST(name_lists_in_pieces_are_joined)
{
    krti_h5_strings s;
    bool found = false;

    for (size_t i = 0; i < KRTI_COUNT(whole_files); i++) {
        const h5_file h = h5_open(t, whole_files[i]);
        const krti_h5_object object = h5_at(t, h, "names");

        ASSERT_OK(krti_h5_attribute_names(h.f, object, "whole", &s, &found));
        ASSERT_INT_EQ(2, s.n);
        krti_free(t->k, s.items);
        ASSERT_OK(krti_h5_attribute_names(h.f, object, "piece", &s, &found));
        ASSERT_TRUE(found);
        ASSERT_INT_EQ(6, s.n);
        ASSERT_STR_EQ("p0_0", s.items[0]);
        ASSERT_STR_EQ("p2_2", s.items[5]);
        krti_free(t->k, s.items);
        ASSERT_OK(krti_h5_attribute_names(h.f, object, "absent", &s, &found));
        ASSERT_TRUE(!found);
        h5_close(h);
    }
}

TEST(numbers_and_dense_attributes_read)
{
    static const struct {
        const char *name;
        int64_t value;
    } cases[] = {{"int", -7}, {"big_int", -70000}, {"uint", 65535}, {"bool", 1}};
    krti_h5_strings s;
    char name[32];
    int64_t value = 0;
    bool found = false;

    for (size_t i = 0; i < KRTI_COUNT(whole_files); i++) {
        const h5_file h = h5_open(t, whole_files[i]);
        const krti_h5_object object = h5_at(t, h, "attribute"), several = h5_at(t, h, "several");

        for (size_t j = 0; j < KRTI_COUNT(cases); j++) {
            ASSERT_OK(krti_h5_attribute_int(h.f, object, cases[j].name, &value, &found));
            ASSERT_INT_EQ(cases[j].value, value);
        }
        ASSERT_STATUS(KRT_E_FORMAT, krti_h5_attribute_int(h.f, object, "float", &value, &found));
        for (int j = 0; j < 12; j++) {
            snprintf(name, sizeof name, "attribute_%d", j);
            ASSERT_OK(krti_h5_attribute_int(h.f, several, name, &value, &found));
            ASSERT_TRUE(found);
            ASSERT_INT_EQ(j * j, value);
        }
        ASSERT_TRUE(krti_h5_has_attribute(h.f, several, "attribute_3"));
        ASSERT_TRUE(!krti_h5_has_attribute(h.f, several, "attribute_12"));
        ASSERT_OK(krti_h5_attribute_strings(h.f, several, "large", &s, &found));
        ASSERT_INT_EQ(900, s.n);
        ASSERT_STR_EQ("name_899", s.items[899]);
        krti_free(t->k, s.items);
        h5_close(h);
    }
}

/* ------------------------------------------------------------------------------- whole files */

TEST(files_of_unusual_make_read)
{
    static const char *const files[] = {"narrow", "narrowest", "super1", "symbols", "user_block"};
    char path[64];

    for (size_t i = 0; i < KRTI_COUNT(files); i++) {
        const h5_file h = h5_open(t, files[i]);
        char *text = NULL;
        size_t length = 0;
        bool found = false;

        check_values(t, h, "a/data", KRTI_H5_FLOAT, 4);
        check_values(t, h, "a/chunked", KRTI_H5_FLOAT, 4);
        for (int j = 0; j < 70; j++) {
            snprintf(path, sizeof path, "group/item_%d", j);
            ASSERT_INT_EQ(h5_at(t, h, "a/data").header, h5_at(t, h, path).header);
        }
        ASSERT_OK(krti_h5_attribute_text(h.f, krti_h5_root(h.f), "text", &text, &length, &found));
        ASSERT_STR_EQ("of an unusual file", text);
        krti_free(t->k, text);
        h5_close(h);
    }
}

/* h5py does not notice bytes put in front by a tool that does not know HDF5, and nor must we. */
TEST(bytes_in_front_and_behind_do_not_matter)
{
    krti_bytes *original = NULL;

    ASSERT_OK(krti_bytes_map(t->k, &original, h5_fixture("earliest")));
    const size_t size = original->size;
    unsigned char *copy = calloc(1, 512 + size + 100);
    memset(copy, 'x', 512);
    memcpy(copy + 512, original->data, size);
    const h5_file h = h5_open_path(t, put_file(t, "moved.h5", copy, 512 + size + 100));
    ASSERT_TRUE(krti_h5_detect(h.bytes));
    ASSERT_TRUE(krti_h5_detect(original));
    check_values(t, h, "type/little_f4", KRTI_H5_FLOAT, 4);
    h5_array a = h5_read(t, h, "type/little_f4");
    assert_ptr_equal(h.bytes->data + a.d.offset, a.data);
    h5_close(h);
    krti_bytes_drop(original);
    free(copy);
}

TEST(a_walk_meets_every_object_once_a_path)
{
    for (size_t i = 0; i < KRTI_COUNT(whole_files); i++) {
        const h5_file h = h5_open(t, whole_files[i]);
        const h5_totals s = h5_read_all(t->k, h.f, UINT64_MAX);

        ASSERT_INT_EQ(11, s.groups);
        ASSERT_INT_EQ(34 + 1 + 5 + 12 + 1500 + 1, s.datasets);
        ASSERT_INT_EQ(15 + 4 + 13, s.attributes);
        ASSERT_INT_EQ(1, s.refused); /* type/complex */
        h5_close(h);
    }
}

int main(void)
{
    return RUN(
        UNIT(every_width_and_byte_order_reads_as_the_same_numbers),
        UNIT(contiguous_data_is_not_copied), UNIT(special_types_are_told_apart),
        UNIT(shapes_without_elements_and_without_data_read),
        UNIT(a_compound_is_described_but_not_read),
        UNIT(chunks_of_every_shape_filter_and_index_come_together),
        UNIT(datasets_that_grew_or_shrank_read), UNIT(chunks_never_written_are_the_fill_value),
        UNIT(chunk_indexes_in_pages_and_in_levels_read),
        UNIT(groups_of_any_size_list_in_the_order_of_bytes),
        UNIT(every_child_is_found_by_its_name_and_no_other), UNIT(kinds_are_told_apart),
        UNIT(a_path_through_a_dataset_or_with_an_empty_part_is_refused),
        UNIT(soft_and_external_links_are_listed_and_never_followed), UNIT(texts_of_every_form_read),
        UNIT(lists_of_texts_of_every_form_read), UNIT(name_lists_in_pieces_are_joined),
        UNIT(numbers_and_dense_attributes_read), UNIT(files_of_unusual_make_read),
        UNIT(bytes_in_front_and_behind_do_not_matter), UNIT(a_walk_meets_every_object_once_a_path));
}
