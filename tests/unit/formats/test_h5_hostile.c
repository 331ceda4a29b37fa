/* The HDF5 reader on files that were made to hurt: what Keras refuses, bombs, circles, hand-made
 * structures that lie, and every file of a small set with bytes flipped or cut off. */
#include "h5_testing.h"

#include "formats/h5_internal.h"

/* ------------------------------------------------------------------------------- refused */

static void refuse_dataset(testing *t, const char *file, const char *path, krt_status status,
                           const char *words)
{
    const h5_file h = h5_open(t, file);
    krti_h5_dataset d;

    ASSERT_STATUS(status, krti_h5_dataset_open(h.f, h5_at(t, h, path), &d));
    ASSERT_SAYS(words);
    h5_close(h);
}

TEST(external_and_virtual_datasets_are_refused_in_keras_words)
{
    refuse_dataset(t, "external_storage", "data", KRT_E_UNSAFE,
                   "Not allowed: H5 file with external Dataset");
    refuse_dataset(t, "virtual", "data", KRT_E_UNSAFE, "Not allowed: H5 file with virtual Dataset");
    ASSERT_STR_EQ(h5_fixture("virtual"), krt_ctx_error(t->k)->filepath);
}

TEST(shape_bombs_are_refused_in_keras_words)
{
    refuse_dataset(t, "bombs", "unwritten", KRT_E_UNSAFE,
                   "Not allowed: H5 dataset declares 8.00 GB but only 0.00 B are stored on disk; "
                   "refusing to load a potential decompression/shape bomb");
    refuse_dataset(t, "bombs", "huge", KRT_E_UNSAFE, "declares 4.00 EB");
}

TEST(a_chunk_that_cannot_hold_what_it_says_is_not_inflated)
{
    const h5_file h = h5_open(t, "bombs");
    const krti_h5_object object = h5_at(t, h, "packed");
    krti_h5_dataset d;
    const void *data = NULL;
    krti_bytes *owned = NULL;

    ASSERT_OK(krti_h5_dataset_open(h.f, object, &d));
    ASSERT_INT_EQ(100, d.stored_bytes);
    ASSERT_STATUS(KRT_E_UNSAFE, krti_h5_dataset_read(h.f, object, &d, &data, &owned));
    ASSERT_SAYS("refusing to load a potential decompression/shape bomb");
    assert_null(owned);
    const h5_array a = h5_read(t, h, "fair"); /* never written, but of a size that happens */
    ASSERT_INT_EQ(16 << 20, a.d.size_bytes);
    krti_bytes_drop(a.owned);
    h5_close(h);
}

TEST(an_unknown_filter_is_named_with_its_remedy)
{
    const h5_file h = h5_open(t, "filters");
    const krti_h5_object object = h5_at(t, h, "scaled");
    krti_h5_dataset d;
    const void *data = NULL;
    krti_bytes *owned = NULL;

    ASSERT_OK(krti_h5_dataset_open(h.f, object, &d));
    ASSERT_STATUS(KRT_E_UNSUPPORTED, krti_h5_dataset_read(h.f, object, &d, &data, &owned));
    ASSERT_SAYS("HDF5 filter 6 (scaleoffset) is not supported; remove it with: h5repack -f NONE");
    h5_close(h);
}

TEST(a_table_of_shared_messages_is_named_with_its_remedy)
{
    const h5_file h = h5_open(t, "shared");
    bool found = false;
    char *text = NULL;
    size_t length = 0;

    ASSERT_STATUS(KRT_E_UNSUPPORTED,
                  krti_h5_attribute_text(h.f, krti_h5_root(h.f), "text", &text, &length, &found));
    ASSERT_SAYS("table of shared messages is not supported; repack it with: h5repack");
    h5_close(h);
}

static krt_status go_on(void *user, const char *path, krti_h5_object object, krti_h5_kind kind)
{
    (void)path;
    (void)object;
    (void)kind;
    ++*(size_t *)user;
    return KRT_OK;
}

TEST(groups_in_a_circle_end_a_walk)
{
    static const char *const files[] = {"circle", "latest_circle"};

    for (size_t i = 0; i < KRTI_COUNT(files); i++) {
        const h5_file h = h5_open(t, files[i]);
        size_t num = 0;

        ASSERT_STATUS(KRT_E_CORRUPT, krti_h5_walk(h.f, krti_h5_root(h.f), go_on, &num));
        h5_close(h);
    }
}

TEST(a_small_file_of_a_trillion_paths_ends_a_walk)
{
    const h5_file h = h5_open(t, "too_often");
    size_t num = 0;

    ASSERT_STATUS(KRT_E_CORRUPT, krti_h5_walk(h.f, krti_h5_root(h.f), go_on, &num));
    ASSERT_TRUE(num < h.bytes->size);
    h5_close(h);
}

/* ------------------------------------------------------------------------------- hand-made */

enum { ROOT = 96, FREE_AT = 1024, FILE_SIZE = 4096 };

typedef struct maker {
    unsigned char bytes[FILE_SIZE];
    size_t next; /* where the next message of the root's header goes */
    unsigned num;
} maker;

static void put(maker *m, size_t at, size_t width, uint64_t value)
{
    for (size_t i = 0; i < width; i++)
        m->bytes[at + i] = (unsigned char)(value >> (8 * i));
}

/* A file with superblock 0 and a root header of version 1 without messages. */
static maker make_file(void)
{
    maker m = {.next = ROOT + 16};

    memcpy(m.bytes, "\x89HDF\r\n\x1A\n", 8);
    put(&m, 13, 2, 0x0808);
    put(&m, 16, 4, 0x00100004);
    put(&m, 32, 8, UINT64_MAX);
    put(&m, 40, 8, FILE_SIZE);
    put(&m, 48, 8, UINT64_MAX);
    put(&m, 64, 8, ROOT);
    put(&m, ROOT, 1, 1);
    return m;
}

/* Adds a message to the root's header and returns where its body is. */
static size_t add_message(maker *m, unsigned type, size_t size)
{
    const size_t body = m->next + 8;

    put(m, m->next, 2, type);
    put(m, m->next + 2, 2, size);
    m->next = body + size;
    put(m, ROOT + 2, 2, ++m->num);
    put(m, ROOT + 8, 4, m->next - ROOT - 16);
    return body;
}

static h5_file open_made(testing *t, const maker *m)
{
    return h5_open_path(t, put_file(t, "made.h5", m->bytes, sizeof m->bytes));
}

static krt_status open_status(testing *t, const maker *m, size_t size)
{
    krti_bytes *bytes = NULL;
    krti_h5 *f = NULL;

    ASSERT_OK(krti_bytes_wrap(t->k, &bytes, m->bytes, size));
    const krt_status st = krti_h5_open(t->k, &f, bytes);
    krti_h5_close(f);
    krti_bytes_drop(bytes);
    return st;
}

TEST(a_file_that_is_cut_short_says_by_how_much)
{
    const maker m = make_file();

    ASSERT_OK(open_status(t, &m, FILE_SIZE));
    ASSERT_STATUS(KRT_E_CORRUPT, open_status(t, &m, 1000));
    ASSERT_SAYS("file is cut short: 1000 of 4096 bytes");
    ASSERT_STATUS(KRT_E_CORRUPT, open_status(t, &m, 50));
    ASSERT_SAYS("file is cut short: 50 bytes, within its superblock");
    ASSERT_STATUS(KRT_E_FORMAT, open_status(t, &m, 7));
    ASSERT_SAYS("not an HDF5 file");
    ASSERT_STATUS(KRT_E_FORMAT, open_status(t, &m, 0));
}

TEST(superblocks_that_cannot_be_are_refused)
{
    static const struct {
        size_t at, width;
        uint64_t value;
        krt_status status;
        const char *words;
    } cases[] = {
        {8, 1, 9, KRT_E_UNSUPPORTED, "superblock version 9, expected 0 to 3"},
        {9, 1, 1, KRT_E_UNSUPPORTED, "parts of version 1, 0 and 0"},
        {13, 1, 16, KRT_E_UNSUPPORTED, "offsets of 16 and lengths of 8 bytes"},
        {14, 1, 0, KRT_E_UNSUPPORTED, "lengths of 0 bytes"},
        {40, 8, UINT64_MAX, KRT_E_CORRUPT, "end-of-file address"},
        {40, 8, UINT64_MAX - 1, KRT_E_CORRUPT, "file is cut short"},
        {24, 8, 5000, KRT_E_CORRUPT, "base address 5000"},
        {48, 8, 100, KRT_E_UNSUPPORTED, "h5repack"},
        {0, 1, 0, KRT_E_FORMAT, "not an HDF5 file"},
    };

    for (size_t i = 0; i < KRTI_COUNT(cases); i++) {
        maker m = make_file();

        put(&m, cases[i].at, cases[i].width, cases[i].value);
        ASSERT_STATUS(cases[i].status, open_status(t, &m, FILE_SIZE));
        ASSERT_SAYS(cases[i].words);
    }
}

/* Lists the root and expects these words. */
static void refuse_root(testing *t, const maker *m, krt_status status, const char *words)
{
    const h5_file h = open_made(t, m);
    size_t num = 0;

    ASSERT_STATUS(status, krti_h5_walk(h.f, krti_h5_root(h.f), go_on, &num));
    ASSERT_SAYS(words);
    h5_close(h);
}

TEST(root_headers_that_cannot_be_are_refused)
{
    static const uint64_t addresses[] = {FILE_SIZE, FILE_SIZE - 3, UINT64_MAX - 4, 1u << 31};
    maker m = make_file();

    refuse_root(t, &m, KRT_E_FORMAT, "expected Group");
    put(&m, 64, 8, UINT64_MAX);
    refuse_root(t, &m, KRT_E_CORRUPT, "object header is missing");
    for (size_t i = 0; i < KRTI_COUNT(addresses); i++) {
        put(&m, 64, 8, addresses[i]);
        refuse_root(t, &m, KRT_E_CORRUPT, "reaches past the end at byte 4096");
    }
    m = make_file();
    put(&m, ROOT, 1, 3);
    refuse_root(t, &m, KRT_E_CORRUPT, "no object header at byte 96");
    m = make_file();
    put(&m, ROOT + 8, 4, UINT32_MAX);
    refuse_root(t, &m, KRT_E_CORRUPT, "object header");
    m = make_file();
    put(&m, add_message(&m, KRTI_H5_MSG_SYMBOLS, 16) - 6, 2, 60000);
    refuse_root(t, &m, KRT_E_CORRUPT, "a message longer than itself");
    m = make_file();
    add_message(&m, KRTI_H5_MSG_NIL, 16);
    put(&m, ROOT + 2, 2, 0);
    refuse_root(t, &m, KRT_E_CORRUPT, "more messages than it says");
    m = make_file();
    put(&m, add_message(&m, 0x77, 16) - 4, 1, KRTI_H5_FAIL_IF_UNKNOWN);
    refuse_root(t, &m, KRT_E_UNSUPPORTED, "unknown type 119");
}

TEST(continuations_in_a_circle_are_refused)
{
    maker m = make_file();
    size_t body = add_message(&m, KRTI_H5_MSG_CONTINUATION, 16);

    put(&m, ROOT + 2, 2, 65535);
    put(&m, body, 8, body - 8);
    put(&m, body + 8, 8, 24);
    refuse_root(t, &m, KRT_E_CORRUPT, "is reached twice");
    m = make_file();
    body = add_message(&m, KRTI_H5_MSG_CONTINUATION, 16);
    put(&m, body, 8, 5000);
    put(&m, body + 8, 8, 24);
    refuse_root(t, &m, KRT_E_CORRUPT, "reaches past the end");
}

/* A version 2 header with a right checksum whose continuation names itself. */
TEST(checked_continuations_in_a_circle_are_refused)
{
    maker m = make_file();

    put(&m, 64, 8, FREE_AT);
    memcpy(m.bytes + FREE_AT, "OHDR\2\0\24\20\20", 9);
    put(&m, FREE_AT + 8, 2, 16);
    put(&m, FREE_AT + 7, 1, 0x10);
    put(&m, FREE_AT + 11, 8, 2048);
    put(&m, FREE_AT + 19, 8, 28);
    put(&m, FREE_AT + 27, 4, krti_h5_lookup3(m.bytes + FREE_AT, 27));
    memcpy(m.bytes + 2048, "OCHK\20", 5);
    put(&m, 2048 + 5, 2, 16);
    put(&m, 2048 + 8, 8, 2048);
    put(&m, 2048 + 16, 8, 28);
    put(&m, 2048 + 24, 4, krti_h5_lookup3(m.bytes + 2048, 24));
    refuse_root(t, &m, KRT_E_CORRUPT, "is reached twice");
    put(&m, 2048 + 16, 8, 27);
    refuse_root(t, &m, KRT_E_CORRUPT, "is damaged: checksum");
}

/* A root group whose B-tree lies at FREE_AT and whose names lie at 2048. */
static maker make_group(void)
{
    maker m = make_file();
    const size_t body = add_message(&m, KRTI_H5_MSG_SYMBOLS, 16);

    put(&m, body, 8, FREE_AT);
    put(&m, body + 8, 8, 2048);
    memcpy(m.bytes + FREE_AT, "TREE", 4);
    put(&m, FREE_AT + 6, 2, 1);
    put(&m, FREE_AT + 32, 8, 3072); /* child 0; key 0 is 0 and key 1 follows */
    put(&m, FREE_AT + 40, 8, 8);
    memcpy(m.bytes + 2048, "HEAP", 4);
    put(&m, 2048 + 8, 8, 64);
    put(&m, 2048 + 24, 8, 2048 + 32);
    memcpy(m.bytes + 2048 + 40, "a\0b", 3);
    memcpy(m.bytes + 3072, "SNOD\1", 5);
    put(&m, 3072 + 6, 2, 2);
    put(&m, 3072 + 8, 8, 8); /* two entries: names at 8 and 10, both this file's empty header */
    put(&m, 3072 + 16, 8, 3500);
    put(&m, 3072 + 48, 8, 10);
    put(&m, 3072 + 56, 8, 3500);
    put(&m, 3500, 1, 1);
    return m;
}

TEST(symbol_tables_that_lie_are_refused)
{
    static const struct {
        size_t at, width;
        uint64_t value;
        const char *words;
    } cases[] = {
        {FREE_AT, 1, 'X', "no group B-tree node"},
        {FREE_AT + 4, 1, 1, "no group B-tree node"},
        {FREE_AT + 5, 1, 200, "no group B-tree node"},
        {FREE_AT + 6, 2, 65535, "group B-tree"},
        {FREE_AT + 32, 8, UINT64_MAX, "symbol table node is missing"},
        {FREE_AT + 32, 8, FREE_AT, "no symbol table node at byte 1024"},
        {2048, 1, 'X', "no local heap"},
        {2048 + 8, 8, UINT64_MAX, "local heap"},
        {2048 + 24, 8, 4040, "local heap of 64 bytes at byte 4040 reaches past the end"},
        {3072 + 4, 1, 2, "no symbol table node"},
        {3072 + 6, 2, 65535, "symbol table node"},
        {3072 + 8, 8, 64, "a name at 64 of a local heap of 64 bytes"},
        {3072 + 8, 8, 10, "names out of order"},
        {3072 + 48, 8, 8, "names out of order"},
        {3072 + 8, 8, 0, "impossible name"},
        {2048 + 40, 1, '/', "impossible name"},
        {3072 + 16, 8, 9999, "object header"},
    };
    maker m = make_group();
    const h5_file h = open_made(t, &m);
    size_t num = 0;

    ASSERT_OK(krti_h5_walk(h.f, krti_h5_root(h.f), go_on, &num));
    ASSERT_INT_EQ(2, num);
    h5_close(h);
    for (size_t i = 0; i < KRTI_COUNT(cases); i++) {
        m = make_group();
        put(&m, cases[i].at, cases[i].width, cases[i].value);
        refuse_root(t, &m, KRT_E_CORRUPT, cases[i].words);
    }
    m = make_group();
    memset(m.bytes + 2048 + 32, 'x', 64);
    refuse_root(t, &m, KRT_E_CORRUPT, "does not end in it");
}

/* A tree whose nodes of every level name the node below 20 times over. */
TEST(a_tree_that_shares_its_nodes_is_refused)
{
    maker m = make_group();

    for (unsigned level = 0; level < 4; level++) {
        const size_t at = FREE_AT + 200 * (3 - level);

        memcpy(m.bytes + at, "TREE", 4);
        put(&m, at + 5, 1, level);
        put(&m, at + 6, 2, 10);
        put(&m, at + 8, 8, UINT64_MAX);
        for (size_t i = 0; i < 10; i++)
            put(&m, at + 32 + 16 * i, 8, level == 0 ? 3072 : at + 200);
    }
    put(&m, 3072 + 6, 2, 0); /* no entry, so that no name is out of order */
    refuse_root(t, &m, KRT_E_CORRUPT, "is reached twice");
}

/* ------------------------------------------------------------------------------- data */

static void put_type_f32(maker *m, size_t at)
{
    memcpy(m->bytes + at, "\x11\x20\x1F\0\4\0\0\0\0\0\x20\0\x17\x08\0\x17\x7F\0\0", 20);
}

typedef struct made_dataset {
    maker m;
    size_t space, type, layout;
} made_dataset;

/* The root is a dataset of shape (2, 3), contiguous at FREE_AT, elements i / 2. */
static made_dataset make_dataset(void)
{
    made_dataset s = {.m = make_file()};
    maker *const m = &s.m;

    s.space = add_message(m, KRTI_H5_MSG_SPACE, 40);
    put(m, s.space, 2, 0x0201);
    put(m, s.space + 8, 8, 2);
    put(m, s.space + 16, 8, 3);
    s.type = add_message(m, KRTI_H5_MSG_TYPE, 24);
    put_type_f32(m, s.type);
    s.layout = add_message(m, KRTI_H5_MSG_LAYOUT, 64);
    put(m, s.layout, 2, 0x0103);
    put(m, s.layout + 2, 8, FREE_AT);
    put(m, s.layout + 10, 8, 24);
    for (size_t i = 0; i < 6; i++) {
        const float value = (float)i * 0.5f;
        memcpy(m->bytes + FREE_AT + 4 * i, &value, 4);
    }
    return s;
}

static krt_status read_root(testing *t, const maker *m, float *out)
{
    const h5_file h = open_made(t, m);
    krti_h5_dataset d;
    const void *data = NULL;
    krti_bytes *owned = NULL;
    krt_status st = krti_h5_dataset_open(h.f, krti_h5_root(h.f), &d);

    if (st == KRT_OK)
        st = krti_h5_dataset_read(h.f, krti_h5_root(h.f), &d, &data, &owned);
    if (st == KRT_OK && d.size_bytes == 24)
        memcpy(out, data, 24);
    krti_bytes_drop(owned);
    h5_close(h);
    return st;
}

static void expect_values(testing *t, const maker *m)
{
    static const float expected[6] = {0, 0.5f, 1, 1.5f, 2, 2.5f};
    float found[6] = {-1, -1, -1, -1, -1, -1};

    ASSERT_OK(read_root(t, m, found));
    ASSERT_NEAR(expected, found, 6, 0, 0);
}

TEST(datasets_that_lie_are_refused)
{
    enum { SPACE, TYPE, LAYOUT };
    static const struct {
        int where;
        size_t at, width;
        uint64_t value;
        krt_status status;
        const char *words;
    } cases[] = {
        {SPACE, 0, 1, 3, KRT_E_CORRUPT, "dataspace of version 3"},
        {SPACE, 1, 1, 33, KRT_E_CORRUPT, "rank 33"},
        {SPACE, 1, 1, 20, KRT_E_CORRUPT, "dataspace of rank 20 is cut short"},
        {SPACE, 2, 1, 1, KRT_E_CORRUPT, "more than its maximum"},
        {SPACE, 8, 8, UINT64_MAX / 2, KRT_E_CORRUPT, "more elements than can be counted"},
        {SPACE, 8, 8, 3, KRT_E_CORRUPT, "36 bytes by its shape, 24 bytes by its layout"},
        {TYPE, 0, 1, 0x01, KRT_E_UNSUPPORTED, "datatype message of version 0"},
        {TYPE, 4, 4, 0, KRT_E_CORRUPT, "a datatype"},
        {TYPE, 0, 1, 0x19, KRT_E_UNSUPPORTED, "variable-length list"},
        {TYPE, 12, 1, 22, KRT_E_UNSUPPORTED, "float of unusual form"},
        {LAYOUT, 0, 1, 5, KRT_E_UNSUPPORTED, "layout message of version 5"},
        {LAYOUT, 1, 1, 9, KRT_E_CORRUPT, "layout message of version 3 is damaged"},
        {LAYOUT, 2, 8, 4090, KRT_E_CORRUPT, "dataset of 24 bytes at byte 4090 reaches past"},
        {LAYOUT, 2, 8, UINT64_MAX - 8, KRT_E_CORRUPT, "reaches past"},
        {LAYOUT, 10, 8, 25, KRT_E_CORRUPT, "25 bytes by its layout"},
        {LAYOUT, 1, 1, 0, KRT_E_CORRUPT, "layout message of version 3 is damaged"},
        {LAYOUT, 1, 1, 2, KRT_E_CORRUPT, "chunks"},
    };
    float found[6];

    made_dataset s = make_dataset();
    expect_values(t, &s.m);
    for (size_t i = 0; i < KRTI_COUNT(cases); i++) {
        s = make_dataset();
        const size_t base = cases[i].where == SPACE  ? s.space
                            : cases[i].where == TYPE ? s.type
                                                     : s.layout;
        put(&s.m, base + cases[i].at, cases[i].width, cases[i].value);
        ASSERT_STATUS(cases[i].status, read_root(t, &s.m, found));
        ASSERT_SAYS(cases[i].words);
    }
}

/* Data layout messages of HDF5 1.4 and before, which h5py cannot write any more. */
TEST(layouts_of_versions_1_and_2_read)
{
    for (unsigned version = 1; version <= 2; version++) {
        made_dataset s = make_dataset();

        memset(s.m.bytes + s.layout, 0, 64);
        put(&s.m, s.layout, 3, 0x010200u | version); /* rank 2, contiguous */
        put(&s.m, s.layout + 8, 8, FREE_AT);
        expect_values(t, &s.m);
        put(&s.m, s.layout + 8, 8, 4090);
        ASSERT_STATUS(KRT_E_CORRUPT, read_root(t, &s.m, NULL));
        memset(s.m.bytes + s.layout, 0, 64);
        put(&s.m, s.layout, 3, 0x000200u | version); /* compact: dimensions, size, data */
        put(&s.m, s.layout + 16, 4, 24);
        memcpy(s.m.bytes + s.layout + 20, s.m.bytes + FREE_AT, 24);
        expect_values(t, &s.m);
        memset(s.m.bytes + s.layout, 0, 64);
        put(&s.m, s.layout, 3, 0x020300u | version); /* chunked: one chunk of (2, 3) */
        put(&s.m, s.layout + 8, 8, 2048);
        put(&s.m, s.layout + 16, 4, 2);
        put(&s.m, s.layout + 20, 4, 3);
        put(&s.m, s.layout + 24, 4, 4);
        memcpy(s.m.bytes + 2048, "TREE\1\0\1", 7);
        put(&s.m, 2048 + 24, 4, 24);
        put(&s.m, 2048 + 24 + 32, 8, FREE_AT);
        expect_values(t, &s.m);
    }
}

/* The dataset above in chunks of (1, 3), the B-tree at 2048. */
static made_dataset make_chunks(void)
{
    made_dataset s = make_dataset();

    memset(s.m.bytes + s.layout, 0, 64);
    put(&s.m, s.layout, 3, 0x030203);
    put(&s.m, s.layout + 3, 8, 2048);
    put(&s.m, s.layout + 11, 4, 1);
    put(&s.m, s.layout + 15, 4, 3);
    put(&s.m, s.layout + 19, 4, 4);
    memcpy(s.m.bytes + 2048, "TREE\1\0\2", 7);
    for (size_t i = 0; i < 2; i++) {
        put(&s.m, 2072 + 40 * i, 4, 12);
        put(&s.m, 2072 + 40 * i + 8, 8, i);
        put(&s.m, 2072 + 40 * i + 32, 8, FREE_AT + 12 * i);
    }
    return s;
}

TEST(chunk_trees_that_lie_are_refused)
{
    static const struct {
        size_t at, width;
        uint64_t value;
        const char *words;
    } cases[] = {
        {2048, 1, 'X', "no chunk B-tree node"},
        {2048 + 4, 1, 0, "no chunk B-tree node"},
        {2048 + 5, 1, 30, "no chunk B-tree node"},
        {2048 + 5, 1, 1, "no chunk B-tree node at byte 1024"},
        {2048 + 6, 2, 65535, "chunk B-tree"},
        {2072 + 32, 8, 4090, "chunk of 12 bytes at byte 4090 reaches past the end"},
        {2072 + 16, 8, 1, "a chunk begins at element 1, expected a multiple of 3"},
    };
    float found[6];

    made_dataset s = make_chunks();
    expect_values(t, &s.m);
    for (size_t i = 0; i < KRTI_COUNT(cases); i++) {
        s = make_chunks();
        put(&s.m, cases[i].at, cases[i].width, cases[i].value);
        ASSERT_STATUS(KRT_E_CORRUPT, read_root(t, &s.m, found));
        ASSERT_SAYS(cases[i].words);
    }
    s = make_chunks();
    put(&s.m, s.layout + 11, 4, 0);
    ASSERT_STATUS(KRT_E_CORRUPT, read_root(t, &s.m, found));
    s = make_chunks();
    put(&s.m, s.layout + 19, 4, 8); /* an element of another size than the type's */
    ASSERT_STATUS(KRT_E_CORRUPT, read_root(t, &s.m, found));
    s = make_chunks();
    put(&s.m, 2072 + 8, 8, 7); /* a chunk outside the shape is not part of it: zeros are read */
    ASSERT_OK(read_root(t, &s.m, found));
    ASSERT_TRUE(found[0] == 0 && found[2] == 0 && found[3] == 1.5f);
}

/* Chunks that all name the same bytes: 1000 of them make the file's size many times over. */
TEST(chunks_that_share_their_bytes_are_refused)
{
    made_dataset s = make_dataset();
    maker *const m = &s.m;
    float found[6];

    put(m, s.space + 8, 8, 40);
    put(m, s.space + 16, 8, 250);
    memset(m->bytes + s.layout, 0, 64);
    put(m, s.layout, 3, 0x030203);
    put(m, s.layout + 3, 8, 1100);
    put(m, s.layout + 11, 4, 1);
    put(m, s.layout + 15, 4, 250);
    put(m, s.layout + 19, 4, 4);
    memcpy(m->bytes + 1100, "TREE\1\0\50", 7);
    for (size_t i = 0; i < 40; i++) {
        put(m, 1124 + 40 * i, 4, 1000);
        put(m, 1124 + 40 * i + 8, 8, i);
        put(m, 1124 + 40 * i + 32, 8, 3000);
    }
    ASSERT_STATUS(KRT_E_CORRUPT, read_root(t, m, found));
    ASSERT_SAYS("is reached twice");
}

/* ------------------------------------------------------------------------------- attributes */

typedef struct made_attribute {
    maker m;
    size_t body, space, data;
} made_attribute;

/* Attribute "n": `num` variable-length strings, the first "abc" in a heap at FREE_AT. */
static made_attribute make_attribute(uint64_t num)
{
    made_attribute s = {.m = make_file()};
    maker *const m = &s.m;

    s.body = add_message(m, KRTI_H5_MSG_ATTRIBUTE, 8 + 8 + 24 + 24 + 64);
    put(m, s.body, 8, 0x0018001400020001); /* version 1, name 2, type 20, space 24 bytes */
    put(m, s.body + 6, 2, 16);
    m->bytes[s.body + 8] = 'n';
    memcpy(m->bytes + s.body + 16, "\x19\1\1\0\20\0\0\0\20\0\0\0\1\0\0\0\0\0\10", 20);
    s.space = s.body + 40;
    put(m, s.space, 2, 0x0101);
    put(m, s.space + 8, 8, num);
    s.data = s.space + 16;
    put(m, s.data, 4, 3);
    put(m, s.data + 4, 8, FREE_AT);
    put(m, s.data + 12, 4, 7);
    memcpy(m->bytes + FREE_AT, "GCOL\1", 5);
    put(m, FREE_AT + 8, 8, 1024);
    put(m, FREE_AT + 16, 2, 7);
    put(m, FREE_AT + 24, 8, 3);
    memcpy(m->bytes + FREE_AT + 32, "abc", 3);
    return s;
}

static krt_status read_list(testing *t, const maker *m, krti_h5_strings *out)
{
    const h5_file h = open_made(t, m);
    bool found = false;
    const krt_status st = krti_h5_attribute_strings(h.f, krti_h5_root(h.f), "n", out, &found);

    ASSERT_TRUE(st != KRT_OK || found);
    h5_close(h);
    return st;
}

TEST(attributes_that_lie_are_refused)
{
    enum { BODY, SPACE, DATA, HEAP };
    static const struct {
        int where;
        size_t at, width;
        uint64_t value;
        const char *words;
    } cases[] = {
        {BODY, 2, 2, 60000, "attribute message is damaged"},
        {BODY, 4, 2, 60000, "attribute message is damaged"},
        {BODY, 8, 2, 0x7878, "attribute message is damaged"},
        {SPACE, 8, 8, 5, "attribute \"n\" of 80 bytes has only 72"},
        {SPACE, 8, 8, UINT64_MAX / 17, "more elements than can be counted"},
        {SPACE, 8, 8, UINT64_MAX / 64, "has only 72"},
        {DATA, 0, 4, 4, "a string of 4 bytes is 3 bytes long in the global heap"},
        {DATA, 0, 4, UINT32_MAX, "a string of 4294967295 bytes"},
        {DATA, 4, 8, UINT64_MAX, "global heap is missing"},
        {DATA, 4, 8, 4095, "reaches past the end"},
        {DATA, 4, 8, 2048, "no global heap at byte 2048"},
        {DATA, 12, 4, 8, "has no object 8"},
        {HEAP, 8, 8, 8, "no global heap"},
        {HEAP, 8, 8, UINT64_MAX, "reaches past the end"},
        {HEAP, 24, 8, UINT64_MAX, "has no object 7"},
    };
    krti_h5_strings list;

    made_attribute s = make_attribute(1);
    ASSERT_OK(read_list(t, &s.m, &list));
    ASSERT_INT_EQ(1, list.n);
    ASSERT_STR_EQ("abc", list.items[0]);
    krti_free(t->k, list.items);
    for (size_t i = 0; i < KRTI_COUNT(cases); i++) {
        s = make_attribute(1);
        const size_t base = cases[i].where == BODY    ? s.body
                            : cases[i].where == SPACE ? s.space
                            : cases[i].where == DATA  ? s.data
                                                      : FREE_AT;
        put(&s.m, base + cases[i].at, cases[i].width, cases[i].value);
        ASSERT_STATUS(KRT_E_CORRUPT, read_list(t, &s.m, &list));
        ASSERT_SAYS(cases[i].words);
        assert_null(list.items);
    }
}

/* ------------------------------------------------------------------------------- sweeps */

static const char *const swept[] = {"small", "small_latest", "links", "links_latest", "narrowest"};

/* Every byte of small files, every third of larger ones. */
static size_t step_of(const krti_bytes *b)
{
    return b->size > 8192 ? 3 : 1;
}

static void read_changed(testing *t, const unsigned char *bytes, size_t size)
{
    krti_bytes *b = NULL;
    krti_h5 *f = NULL;

    ASSERT_OK(krti_bytes_wrap(t->k, &b, bytes, size));
    if (krti_h5_open(t->k, &f, b) == KRT_OK)
        h5_read_all(t->k, f, 1 << 18);
    krti_h5_close(f);
    krti_bytes_drop(b);
}

TEST(any_byte_may_be_another)
{
    static const unsigned char flips[] = {0xFF, 0x01, 0x80};

    for (size_t i = 0; i < KRTI_COUNT(swept); i++) {
        krti_bytes *b = NULL;

        ASSERT_OK(krti_bytes_map(t->k, &b, h5_fixture(swept[i])));
        unsigned char *const copy = malloc(b->size);
        memcpy(copy, b->data, b->size);
        for (size_t at = 0; at < b->size; at += step_of(b)) {
            const unsigned char flip = flips[at / step_of(b) % KRTI_COUNT(flips)];

            copy[at] ^= flip;
            read_changed(t, copy, b->size);
            copy[at] ^= flip;
        }
        free(copy);
        krti_bytes_drop(b);
    }
}

/* The end-of-file address is made to fit, or nothing but the superblock would be looked at. */
TEST(a_file_may_end_anywhere)
{
    for (size_t i = 0; i < KRTI_COUNT(swept); i++) {
        krti_bytes *b = NULL;

        ASSERT_OK(krti_bytes_map(t->k, &b, h5_fixture(swept[i])));
        for (size_t size = 0; size < b->size; size += 7 * step_of(b)) {
            unsigned char *const copy = malloc(size + 1);

            memcpy(copy, b->data, size);
            read_changed(t, copy, size);
            if (size > 56 && copy[8] == 0 && copy[13] == 8)
                for (size_t j = 0; j < 8; j++)
                    copy[40 + j] = (unsigned char)((uint64_t)size >> (8 * j));
            read_changed(t, copy, size);
            free(copy);
        }
        krti_bytes_drop(b);
    }
}

/* ------------------------------------------------------------------------------- memory */

/* Allocates until `left` is used up; every block given is counted until it comes back. */
typedef struct meagre {
    long left, alive;
} meagre;

static void *meagre_alloc(void *user, size_t size, size_t align)
{
    meagre *const m = user;

    if (m->left-- <= 0)
        return NULL;
    m->alive++;
    return aligned_alloc(align, (size + align - 1) / align * align);
}

static void *meagre_resize(void *user, void *p, size_t old_size, size_t size, size_t align)
{
    void *const q = meagre_alloc(user, size, align);

    if (q != NULL) {
        memcpy(q, p, old_size < size ? old_size : size);
        free(p);
        ((meagre *)user)->alive--;
    }
    return q;
}

static void meagre_free(void *user, void *p, size_t size)
{
    (void)size;
    ((meagre *)user)->alive -= p != NULL;
    free(p);
}

/* Reads all of a file with so many allocations; whether they were enough. */
static bool read_with(testing *t, const char *name, long allocations)
{
    meagre m = {1000, 0};
    krt_ctx *k = NULL;
    h5_file h = {NULL, NULL};
    h5_totals s = {.refused = 1};

    ASSERT_OK(
        krt_ctx_new(&k, KRT_CTX(.allocator = {meagre_alloc, meagre_resize, meagre_free, &m})));
    ASSERT_OK(krti_bytes_map(k, &h.bytes, h5_fixture(name)));
    m.left = allocations;
    const krt_status st = krti_h5_open(k, &h.f, h.bytes);
    if (st == KRT_OK)
        s = h5_read_all(k, h.f, 1 << 20);
    if (s.refused != 0)
        ASSERT_INT_EQ(KRT_E_NOMEM, krt_ctx_error(k)->status);
    h5_close(h);
    krt_ctx_free(k);
    ASSERT_INT_EQ(0, m.alive);
    return s.refused == 0;
}

TEST(running_out_of_memory_anywhere_is_an_error_and_leaks_nothing)
{
    static const char *const files[] = {"small", "small_latest"};

    for (size_t i = 0; i < KRTI_COUNT(files); i++) {
        long allocations = 0;

        while (!read_with(t, files[i], allocations))
            allocations++;
        ASSERT_TRUE(allocations > 10);
    }
}

int main(void)
{
    return RUN(
        UNIT(external_and_virtual_datasets_are_refused_in_keras_words),
        UNIT(shape_bombs_are_refused_in_keras_words),
        UNIT(a_chunk_that_cannot_hold_what_it_says_is_not_inflated),
        UNIT(an_unknown_filter_is_named_with_its_remedy),
        UNIT(a_table_of_shared_messages_is_named_with_its_remedy),
        UNIT(groups_in_a_circle_end_a_walk), UNIT(a_small_file_of_a_trillion_paths_ends_a_walk),
        UNIT(a_file_that_is_cut_short_says_by_how_much),
        UNIT(superblocks_that_cannot_be_are_refused), UNIT(root_headers_that_cannot_be_are_refused),
        UNIT(continuations_in_a_circle_are_refused),
        UNIT(checked_continuations_in_a_circle_are_refused),
        UNIT(symbol_tables_that_lie_are_refused), UNIT(a_tree_that_shares_its_nodes_is_refused),
        UNIT(datasets_that_lie_are_refused), UNIT(layouts_of_versions_1_and_2_read),
        UNIT(chunk_trees_that_lie_are_refused), UNIT(chunks_that_share_their_bytes_are_refused),
        UNIT(attributes_that_lie_are_refused), UNIT(any_byte_may_be_another),
        UNIT(a_file_may_end_anywhere),
        UNIT(running_out_of_memory_anywhere_is_an_error_and_leaks_nothing));
}
