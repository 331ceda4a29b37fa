/* Tables, bundles and object graphs: TensorFlow's bytes read and written, and what must be refused. */
#include "testing.h"

#include "formats/crc32c.h"
#include "formats/object_graph.h"
#include "formats/protobuf.h"
#include "formats/tensor_bundle.h"

#define FOLDER KERATIN_FIXTURES "/checkpoints/"

static krti_bytes *map(testing *t, const char *path)
{
    krti_bytes *b = NULL;

    ASSERT_OK(krti_bytes_map(t->k, &b, path));
    return b;
}

static krti_bytes *wrap(testing *t, const void *data, size_t size)
{
    krti_bytes *b = NULL;

    ASSERT_OK(krti_bytes_wrap(t->k, &b, data, size));
    return b;
}

/* --- tables --- */

/* Two float32 scalars, W and b, saved by TensorFlow's name-based saver. */
static const unsigned char two_scalars[] = {
    0x00, 0x00, 0x06, 0x08, 0x01, 0x1a, 0x02, 0x08, 0x01, 0x00, 0x01, 0x0b, 0x57, 0x08, 0x01,
    0x12, 0x00, 0x28, 0x04, 0x35, 0x74, 0xed, 0x71, 0x6f, 0x00, 0x01, 0x0d, 0x62, 0x08, 0x01,
    0x12, 0x00, 0x20, 0x04, 0x28, 0x04, 0x35, 0xf4, 0xbd, 0x50, 0x83, 0x00, 0x00, 0x00, 0x00,
    0x01, 0x00, 0x00, 0x00, 0x00, 0xbc, 0x6c, 0x4d, 0x28, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00,
    0x00, 0x00, 0x00, 0xc0, 0xf2, 0xa1, 0xb0, 0x00, 0x01, 0x02, 0x63, 0x00, 0x31, 0x00, 0x00,
    0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x54, 0xf2, 0x76, 0x2d, 0x36, 0x08, 0x43, 0x0e};

/* The bytes with the footer's zeros and magic behind them. */
static size_t two_scalars_table(unsigned char *out)
{
    static const unsigned char magic[] = {0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb};

    memset(out, 0, 134);
    memcpy(out, two_scalars, sizeof two_scalars);
    memcpy(out + 126, magic, 8);
    return 134;
}

TEST(a_table_of_tensorflow_is_read_and_written_byte_for_byte)
{
    unsigned char file[134];
    krti_str s = KRTI_STR_INIT(t->k);
    krti_sstable *table = NULL;
    krti_bytes *b = wrap(t, file, two_scalars_table(file));

    ASSERT_OK(krti_sstable_read(t->k, &table, b));
    ASSERT_INT_EQ(3, krti_sstable_num(table));
    ASSERT_STR_EQ("W", krti_sstable_at(table, 1)->key);
    ASSERT_INT_EQ(13, krti_sstable_find(table, "b", 1)->value_size);
    ASSERT_TRUE(krti_sstable_find(table, "c", 1) == NULL);
    ASSERT_OK(krti_sstable_put(&s, krti_sstable_at(table, 0), 3));
    ASSERT_INT_EQ(sizeof file, s.length);
    assert_memory_equal(file, s.ptr, s.length);
    krti_str_free(&s);
    krti_sstable_free(table);
    krti_bytes_drop(b);
}

TEST(every_index_fixture_is_written_again_byte_for_byte)
{
    static const char *const names[] = {"example", "cnn",        "cnn_plain", "cnn_legacy",
                                        "three",   "cnn_pieces", "cnn_names"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[512];
        krti_str s = KRTI_STR_INIT(t->k);
        krti_sstable *table = NULL;

        snprintf(path, sizeof path, FOLDER "%s.index", names[i]);
        krti_bytes *b = map(t, path);
        ASSERT_OK(krti_sstable_read(t->k, &table, b));
        ASSERT_OK(krti_sstable_put(&s, krti_sstable_at(table, 0), krti_sstable_num(table)));
        ASSERT_INT_EQ(b->size, s.length);
        assert_memory_equal(b->data, s.ptr, s.length);
        krti_str_free(&s);
        krti_sstable_free(table);
        krti_bytes_drop(b);
    }
}

TEST(a_table_of_many_blocks_is_read_back)
{
    enum { N = 6000 };
    krti_sstable_entry *entries = calloc(N, sizeof *entries);
    char(*keys)[40] = calloc(N, sizeof *keys);
    static unsigned char value[300];
    krti_str s = KRTI_STR_INIT(t->k);
    krti_sstable *table = NULL;

    for (int i = 0; i < N; i++) {
        snprintf(keys[i], sizeof keys[i], "layer_%06d/kernel", i);
        entries[i] = (krti_sstable_entry){keys[i], strlen(keys[i]), value, (size_t)i % 300};
    }
    ASSERT_OK(krti_sstable_put(&s, entries, N));
    krti_bytes *b = wrap(t, s.ptr, s.length);
    ASSERT_OK(krti_sstable_read(t->k, &table, b));
    ASSERT_INT_EQ(N, krti_sstable_num(table));
    for (int i = 0; i < N; i++) {
        ASSERT_STR_EQ(keys[i], krti_sstable_at(table, (size_t)i)->key);
        ASSERT_INT_EQ(i % 300, krti_sstable_at(table, (size_t)i)->value_size);
    }
    krti_sstable_free(table);
    krti_bytes_drop(b);
    krti_str_free(&s);
    free(keys);
    free(entries);
}

/* One data block with these contents, and what surrounds it. */
static void put_table_around(krti_str *s, const void *block, size_t size, char type)
{
    static const char empty[] = "\0\0\0\0\1\0\0\0";
    char index[64];
    size_t n = 0;

    krti_str_add_n(s, block, size);
    krti_str_add_n(s, &type, 1);
    krti_fixed32_put(s, krti_crc32c_mask(krti_crc32c(0, s->ptr, size + 1)));
    const size_t meta = s->length;
    krti_str_add_n(s, empty, 9);
    krti_fixed32_put(s, krti_crc32c_mask(krti_crc32c(0, empty, 9)));
    index[n++] = 0, index[n++] = 1, index[n++] = 0;
    const size_t value_size = n - 1;
    index[n++] = '~', index[n++] = 0;
    for (size_t v = size; n++, v >= 0x80; v >>= 7)
        index[n - 1] = (char)((v & 0x7F) | 0x80);
    index[n - 1] = (char)(size < 0x80 ? size : size < 0x4000 ? size >> 7 : size >> 14);
    index[value_size] = (char)(n - 4);
    memcpy(index + n, empty, 9);
    n += 9;
    const size_t at = s->length;
    krti_str_add_n(s, index, n);
    krti_fixed32_put(s, krti_crc32c_mask(krti_crc32c(0, index, n)));
    const size_t footer = s->length;
    krti_varint_put(s, meta);
    krti_varint_put(s, 8);
    krti_varint_put(s, at);
    krti_varint_put(s, n - 1);
    krti_str_fill(s, '\0', 40 - (s->length - footer));
    krti_fixed64_put(s, 0xDB4775248B80FB57u);
}

static krt_status read_block(testing *t, const void *block, size_t size, char type, size_t *n)
{
    krti_str s = KRTI_STR_INIT(t->k);
    krti_sstable *table = NULL;

    put_table_around(&s, block, size, type);
    krti_bytes *b = wrap(t, s.ptr, s.length);
    const krt_status st = krti_sstable_read(t->k, &table, b);
    *n = table != NULL ? krti_sstable_num(table) : 0;
    krti_sstable_free(table);
    krti_bytes_drop(b);
    krti_str_free(&s);
    return st;
}

/* Snappy: the length, literals, and a copy of six bytes from six back. */
TEST(a_compressed_block_is_uncompressed_or_refused_by_name)
{
    static const char plain[] = "\0\1\3a123\1\1\3b123\0\0\0\0\1\0\0\0";
    static const char packed[] = "\x16\x54\0\1\3a123\1\1\3b123\0\0\0\0\1\0\0\0";
    static const char copying[] = "\x14\x00\0\x01\x01\x4c\1\0\0\0\1\0\0\0"
                                  "abcdefgh";
    size_t n = 0;

    ASSERT_OK(read_block(t, plain, sizeof plain - 1, 0, &n));
    ASSERT_INT_EQ(2, n);
#ifdef KERATIN_HAVE_SNAPPY
    ASSERT_OK(read_block(t, packed, sizeof packed - 1, 1, &n));
    ASSERT_INT_EQ(2, n);
    ASSERT_STATUS(KRT_E_CORRUPT, read_block(t, packed, sizeof packed - 3, 1, &n));
    ASSERT_SAYS("corrupted compressed block contents");
    ASSERT_STATUS(KRT_E_CORRUPT, read_block(t, copying, sizeof copying - 1, 1, &n));
    ASSERT_STATUS(KRT_E_CORRUPT, read_block(t, "\xff\xff\xff\xff\x0f\0", 6, 1, &n)); /* 4 GB */
#else
    (void)copying;
    ASSERT_STATUS(KRT_E_UNSUPPORTED, read_block(t, packed, sizeof packed - 1, 1, &n));
    ASSERT_SAYS("libsnappy");
#endif
}

TEST(a_damaged_block_is_refused)
{
    static const struct {
        const char *block;
        size_t size;
        char type;
        const char *says;
    } bad[] = {
        {"\0\0\0\0\1\0\0\0", 8, 2, "bad block type"},
        {"\0\0\0", 3, 0, "bad block contents"},
        {"\0\0\0\0\xff\xff\xff\x3f", 8, 0, "bad block contents"},
        {"\0\5\0a\0\0\0\0\1\0\0\0", 12, 0, "bad entry in block"},     /* key too long */
        {"\0\1\5a\0\0\0\0\1\0\0\0", 12, 0, "bad entry in block"},     /* value too long */
        {"\1\1\0a\0\0\0\0\1\0\0\0", 12, 0, "bad entry in block"},     /* nothing shared */
        {"\0\1\0b\0\1\0a\0\0\0\0\1\0\0\0", 16, 0, "is not in order"}, /* b before a */
        {"\0\1\0a\0\1\0a\0\0\0\0\1\0\0\0", 16, 0, "is not in order"}, /* a twice */
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0\1\0\0\0", 18, 0, "bad entry"},
    };
    size_t n = 0;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ASSERT_STATUS(KRT_E_CORRUPT, read_block(t, bad[i].block, bad[i].size, bad[i].type, &n));
        ASSERT_SAYS(bad[i].says);
    }
}

/* 40,000 entries of four bytes that each repeat a key of 30,000. */
TEST(keys_that_would_fill_the_memory_are_refused)
{
    enum { KEY = 30000, N = 40000 };
    krti_str s = KRTI_STR_INIT(t->k);
    size_t n = 0;

    krti_varint_put(&s, 0);
    krti_varint_put(&s, KEY);
    krti_varint_put(&s, 0);
    krti_str_fill(&s, 'k', KEY);
    for (int i = 0; i < N; i++) {
        krti_varint_put(&s, (uint64_t)KEY + (uint64_t)i);
        krti_varint_put(&s, 1);
        krti_varint_put(&s, 0);
        krti_str_add(&s, "k");
    }
    krti_fixed32_put(&s, 0);
    krti_fixed32_put(&s, 1);
    ASSERT_STATUS(KRT_E_UNSAFE, read_block(t, s.ptr, s.length, 0, &n));
    krti_str_free(&s);
}

TEST(every_altered_bit_and_every_shorter_file_is_noticed)
{
    unsigned char file[134];
    const size_t size = two_scalars_table(file);

    for (size_t n = 0; n < size; n++) {
        krti_sstable *table = NULL;
        krti_bytes *b = wrap(t, file, n);

        ASSERT_TRUE(krti_sstable_read(t->k, &table, b) != KRT_OK);
        krti_bytes_drop(b);
    }
    for (size_t bit = 0; bit < size * 8; bit++) {
        krti_sstable *table = NULL;
        const size_t at = bit / 8;
        /* the metaindex is not needed, and zeros of the footer are not looked at */
        const bool counts = at < 54 || (at >= 67 && at < 86) || at >= 126;

        file[at] ^= (unsigned char)(1 << bit % 8);
        krti_bytes *b = wrap(t, file, size);
        ASSERT_TRUE(krti_sstable_read(t->k, &table, b) != KRT_OK || !counts);
        krti_sstable_free(table);
        krti_bytes_drop(b);
        file[at] ^= (unsigned char)(1 << bit % 8);
    }
}

/* --- bundles --- */

TEST(the_smallest_checkpoint_is_read_with_its_graph)
{
    krti_bytes *index = map(t, FOLDER "example.index");
    krti_bytes *data = map(t, FOLDER "example.data-00000-of-00001");
    krti_object_graph g;
    krti_bundle *b = NULL;
    const char *text = NULL;
    size_t size = 0;

    ASSERT_OK(krti_bundle_open(t->k, &b, index));
    ASSERT_INT_EQ(3, b->n);
    ASSERT_INT_EQ(1, b->num_shards);
    const krti_bundle_entry *e =
        krti_bundle_find(b, "layer_with_weights-0/bias/.ATTRIBUTES/VARIABLE_VALUE");
    ASSERT_INT_EQ(4, e->offset);
    ASSERT_INT_EQ(4, e->size);
    ASSERT_INT_EQ(1, e->rank);
    ASSERT_STR_EQ("float32", e->dtype_name);
    ASSERT_INT_EQ(e->crc32c, krti_crc32c(0, data->data + e->offset, 4));
    e = krti_bundle_find(b, KRTI_OBJECT_GRAPH_KEY);
    ASSERT_OK(krti_bundle_string(b, e, data->data + e->offset, &text, &size));
    ASSERT_INT_EQ(265, size);
    krti_object_graph_init(&g, t->k);
    ASSERT_OK(krti_object_graph_read(&g, text, size));
    ASSERT_INT_EQ(4, g.num_nodes);
    const uint32_t dense = krti_object_graph_child(&g, 0, "layer_with_weights-0");
    ASSERT_INT_EQ(dense, krti_object_graph_child(&g, 0, "layer-0"));
    ASSERT_INT_EQ(0, krti_object_graph_child(&g, 0, "root"));
    ASSERT_STR_EQ(
        "dense/kernel",
        krti_object_graph_variable(&g, krti_object_graph_child(&g, dense, "kernel"))->full_name);
    krti_object_graph_free(&g);
    krti_bundle_close(b);
    krti_bytes_drop(index);
    krti_bytes_drop(data);
}

/* Reads the index and the graph and writes them again, from what was understood. */
static void rewrite(testing *t, const char *name)
{
    char path[512];
    krti_str s = KRTI_STR_INIT(t->k), graph = KRTI_STR_INIT(t->k), string = KRTI_STR_INIT(t->k);
    krti_bundle *b = NULL;
    const char *text = NULL;
    size_t size = 0;
    uint32_t crc = 0;
    krti_object_graph g;

    snprintf(path, sizeof path, FOLDER "%s.index", name);
    krti_bytes *index = map(t, path);
    snprintf(path, sizeof path, FOLDER "%s.data-00000-of-00001", name);
    krti_bytes *data = map(t, path);
    ASSERT_OK(krti_bundle_open(t->k, &b, index));
    krti_bundle_tensor *tensors = calloc(b->n, sizeof *tensors);
    for (size_t i = 0; i < b->n; i++) {
        const krti_bundle_entry *e = &b->entries[i];

        tensors[i] =
            (krti_bundle_tensor){e->key, e->dtype, e->rank, e->dim, e->offset, e->size, e->crc32c};
    }
    ASSERT_OK(krti_bundle_put_index(&s, tensors, b->n, b->num_shards));
    ASSERT_INT_EQ(index->size, s.length);
    assert_memory_equal(index->data, s.ptr, s.length);
    const krti_bundle_entry *e = krti_bundle_find(b, KRTI_OBJECT_GRAPH_KEY);
    ASSERT_OK(krti_bundle_string(b, e, data->data + e->offset, &text, &size));
    krti_object_graph_init(&g, t->k);
    ASSERT_OK(krti_object_graph_read(&g, text, size));
    ASSERT_OK(krti_object_graph_put(&graph, &g));
    ASSERT_INT_EQ(size, graph.length);
    assert_memory_equal(text, graph.ptr, size);
    ASSERT_OK(krti_bundle_put_string(&string, graph.ptr, graph.length, &crc));
    ASSERT_INT_EQ(e->crc32c, crc);
    ASSERT_INT_EQ(e->size, string.length);
    assert_memory_equal(data->data + e->offset, string.ptr, string.length);
    krti_object_graph_free(&g);
    free(tensors);
    krti_bundle_close(b);
    krti_bytes_drop(index);
    krti_bytes_drop(data);
    krti_str_free(&s);
    krti_str_free(&graph);
    krti_str_free(&string);
}

TEST(what_is_understood_of_a_checkpoint_is_all_of_it)
{
    static const char *const names[] = {"example", "cnn", "cnn_plain", "cnn_legacy", "three"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        rewrite(t, names[i]);
}

TEST(the_pieces_of_a_tensor_are_found)
{
    krti_bytes *index = map(t, FOLDER "cnn_pieces.index");
    krti_bundle *b = NULL;
    size_t pieces = 0;

    ASSERT_OK(krti_bundle_open(t->k, &b, index));
    for (size_t i = 0; i < b->n; i++)
        for (size_t j = 0; j < b->entries[i].num_slices; j++) {
            ASSERT_TRUE(b->entries[b->entries[i].slices[j].entry].is_slice);
            pieces++;
        }
    ASSERT_TRUE(pieces > 0);
    krti_bundle_close(b);
    krti_bytes_drop(index);
}

static krt_status open_entry(testing *t, const void *header, size_t header_size, const void *value,
                             size_t size)
{
    const krti_sstable_entry entries[] = {{"", 0, header, header_size}, {"w", 1, value, size}};
    krti_str s = KRTI_STR_INIT(t->k);
    krti_bundle *b = NULL;

    ASSERT_OK(krti_sstable_put(&s, entries, 2));
    krti_bytes *bytes = wrap(t, s.ptr, s.length);
    const krt_status st = krti_bundle_open(t->k, &b, bytes);
    krti_bundle_close(b);
    krti_bytes_drop(bytes);
    krti_str_free(&s);
    return st;
}

#define HEADER      "\x08\1\x1a\2\x08\1", 6
#define ENTRY(text) text, sizeof text - 1

TEST(damaged_entries_are_refused)
{
    static const struct {
        const char *value;
        size_t size;
        const char *says;
    } bad[] = {
        {ENTRY("\x08\1\x12\4\x12\2\x08\2\x28\4"), "Invalid size in bundle entry: key w"},
        {ENTRY("\x08\1\x12\0\x18\1\x28\4"), "lies in shard 1 of 1"},
        {ENTRY("\x08\1\x12\0\x20\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x28\4"), "no possible place"},
        {ENTRY("\x08\1\x12\x0d\x12\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\1\x28\4"),
         "no proper shape"},                                    /* dimension -1 */
        {ENTRY("\x08\1\x12\2\x18\1\x28\4"), "no proper shape"}, /* unknown rank */
        {ENTRY("\x08\1\x12\x14\x12\x08\x08\x80\x80\x80\x80\x80\x80\1\x12\x08\x08\x80\x80\x80\x80"
               "\x80\x80\1\x28\0"),
         "Invalid size"}, /* 2^42 times 2^42 wraps to 0 */
        {ENTRY("\x08\1\x12\0\x28"), "is damaged"},
        {ENTRY("\x08\1\x12\4\x12\2\x08\4\x3a\4\x0a\2\x10\5"), "slice that does not lie in it"},
        {ENTRY("\x08\1\x12\4\x12\2\x08\4\x3a\4\x0a\2\x10\2"), "do not make the whole"},
        {ENTRY("\x08\1\x12\4\x12\2\x08\4\x3a\4\x0a\2\x10\4"), "one of which is not there"},
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ASSERT_STATUS(KRT_E_CORRUPT, open_entry(t, HEADER, bad[i].value, bad[i].size));
        ASSERT_SAYS(bad[i].says);
    }
}

TEST(headers_of_other_versions_are_refused_by_name)
{
    const char scalar[] = "\x08\1\x12\0\x28\4";

    ASSERT_STATUS(KRT_E_UNSUPPORTED,
                  open_entry(t, ENTRY("\x08\1\x1a\4\x08\2\x10\2"), ENTRY(scalar)));
    ASSERT_SAYS("Checkpoint min consumer version 2 above current version 1");
    ASSERT_STATUS(KRT_E_UNSUPPORTED, open_entry(t, ENTRY("\x08\1\x1a\3\x1a\1\1"), ENTRY(scalar)));
    ASSERT_SAYS("Checkpoint disallows consumer version 1");
    ASSERT_STATUS(KRT_E_UNSUPPORTED, open_entry(t, ENTRY("\x0a\2\x0a\0"), ENTRY(scalar)));
    ASSERT_SAYS("checkpoint of version 1");
    ASSERT_STATUS(KRT_E_CORRUPT, open_entry(t, ENTRY(""), ENTRY(scalar)));
    ASSERT_SAYS("header is damaged");
}

/* --- graphs --- */

TEST(damaged_graphs_are_refused)
{
    static const struct {
        const char *bytes;
        size_t size;
        const char *says;
    } bad[] = {
        {ENTRY(""), "nodes that it does not have"},
        {ENTRY("\x0a\4\x0a\2\x08\1"), "nodes that it does not have"}, /* edge to 1 of 1 */
        {ENTRY("\x0a\4\x1a\2\x08\5"), "nodes that it does not have"}, /* slot of 5 */
        {ENTRY("\x0a\4\x1a\2\x18\5"), "nodes that it does not have"},
        {ENTRY("\x0a\5\x0a\3\x12\1\0"), "a zero in it"},
        {ENTRY("\x0a\2\x0a\7"), "is damaged"},
        {ENTRY("\x0a\4\x0a\2\x12\7"), "is damaged"},
        {ENTRY("\x0a"), "is damaged"},
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        krti_object_graph g;

        krti_object_graph_init(&g, t->k);
        ASSERT_STATUS(KRT_E_CORRUPT, krti_object_graph_read(&g, bad[i].bytes, bad[i].size));
        ASSERT_SAYS(bad[i].says);
        krti_object_graph_free(&g);
    }
}

TEST(names_are_escaped_as_tensorflow_escapes_them)
{
    krti_str s = KRTI_STR_INIT(t->k);

    ASSERT_OK(krti_object_graph_escape(&s, "a.b/c.S"));
    ASSERT_STR_EQ("a..b.Sc..S", s.ptr);
    krti_str_free(&s);
}

int main(void)
{
    return RUN(UNIT(a_table_of_tensorflow_is_read_and_written_byte_for_byte),
               UNIT(every_index_fixture_is_written_again_byte_for_byte),
               UNIT(a_table_of_many_blocks_is_read_back),
               UNIT(a_compressed_block_is_uncompressed_or_refused_by_name),
               UNIT(a_damaged_block_is_refused), UNIT(keys_that_would_fill_the_memory_are_refused),
               UNIT(every_altered_bit_and_every_shorter_file_is_noticed),
               UNIT(the_smallest_checkpoint_is_read_with_its_graph),
               UNIT(what_is_understood_of_a_checkpoint_is_all_of_it),
               UNIT(the_pieces_of_a_tensor_are_found), UNIT(damaged_entries_are_refused),
               UNIT(headers_of_other_versions_are_refused_by_name),
               UNIT(damaged_graphs_are_refused),
               UNIT(names_are_escaped_as_tensorflow_escapes_them));
}
