/* See hostile_files.h: what Keras's advisories, HDF5's, zip's history and plain malice came up
 * with. Files that name other files, hold programs, declare more than they have, contain
 * themselves, or ask for a model that nobody can hold. */
#include "hostile_files.h"

#include "base/ctx.h"
#include "base/str.h"
#include "formats/crc32.h"
#include "formats/crc32c.h"
#include "formats/object_graph.h"
#include "formats/protobuf.h"
#include "formats/tensor_bundle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static krt_ctx *k;
static const char *fixtures;
static hostile_list *list;

static void die(const char *what)
{
    fprintf(stderr, "hostile: %s\n", what);
    exit(2);
}

static krti_str text_new(void)
{
    return (krti_str)KRTI_STR_INIT(k);
}

static void put(krti_str *s, uint64_t value, int width)
{
    for (int i = 0; i < width; i++) {
        const char c = (char)(value >> (8 * i) & 0xFF);

        krti_str_add_n(s, &c, 1);
    }
}

static void poke(krti_str *s, size_t at, int width, uint64_t value)
{
    if (at + (size_t)width > s->length)
        die("a patch beyond the file");
    for (int i = 0; i < width; i++)
        s->ptr[at + (size_t)i] = (char)(value >> (8 * i) & 0xFF);
}

/* Configs are written here with ' for ". */
static void add_json(krti_str *s, const char *text)
{
    for (; *text != '\0'; text++)
        krti_str_add_n(s, *text == '\'' ? "\"" : text, 1);
}

static void save(const char *name, krti_str *s)
{
    FILE *f = fopen(name, "wb");

    if (f == NULL || s->status != KRT_OK || fwrite(krti_str_text(s), 1, s->length, f) != s->length)
        die(name);
    fclose(f);
    krti_str_free(s);
}

static void list_name(const char *name)
{
    if (list->n == sizeof list->names / sizeof list->names[0])
        die("more files than there is room for");
    list->names[list->n++] = name;
}

/* Writes a file and takes it into the catalogue. */
static void add_file(const char *name, krti_str *s)
{
    save(name, s);
    list_name(name);
}

static krti_str read_fixture(const char *name)
{
    krti_str s = text_new();
    char path[600], block[4096];
    FILE *f = NULL;

    snprintf(path, sizeof path, "%s/%s", fixtures, name);
    f = fopen(path, "rb");
    if (f == NULL)
        die(path);
    for (size_t n; (n = fread(block, 1, sizeof block, f)) > 0;)
        krti_str_add_n(&s, block, n);
    fclose(f);
    return s;
}

/* ------------------------------------------------------------------------------- archives */

/* A member and what its headers say of it where that is not the truth. */
typedef struct member {
    const char *name;
    const char *data; /* NULL: the weights of one Dense layer */
    const char *local_name;
    uint64_t size, stored_size;
    unsigned flags, method, attributes, local_method;
    uint32_t crc; /* added to the right one */
} member;

enum { MOST_MEMBERS = 6 };

static void put_header(krti_str *s, const member *m, const krti_str *data, bool is_central,
                       size_t local)
{
    const char *name = !is_central && m->local_name != NULL ? m->local_name : m->name;

    put(s, is_central ? 0x02014b50 : 0x04034b50, 4);
    put(s, 20, is_central ? 4 : 2);
    put(s, m->flags, 2);
    put(s, !is_central && m->local_method != 0 ? m->local_method : m->method, 2);
    put(s, 0, 4);
    put(s, krti_crc32(k, (const unsigned char *)krti_str_text(data), data->length) + m->crc, 4);
    put(s, m->stored_size != 0 ? m->stored_size : data->length, 4);
    put(s, m->size != 0 ? m->size : data->length, 4);
    put(s, strlen(name), 2);
    put(s, 0, 2);
    if (is_central) {
        put(s, 0, 6);
        put(s, m->attributes, 4);
        put(s, local, 4);
    }
    krti_str_add(s, name);
}

static krti_str make_archive(const member *members, size_t n)
{
    krti_str s = text_new(), data[MOST_MEMBERS];
    size_t at[MOST_MEMBERS], directory = 0, end = 0;

    for (size_t i = 0; i < n; i++) {
        at[i] = s.length;
        data[i] =
            members[i].data == NULL ? read_fixture("saving/dense_plain.weights.h5") : text_new();
        if (members[i].data != NULL)
            krti_str_add(&data[i], members[i].data);
        put_header(&s, &members[i], &data[i], false, 0);
        krti_str_add_n(&s, krti_str_text(&data[i]), data[i].length);
    }
    directory = s.length;
    for (size_t i = 0; i < n; i++)
        put_header(&s, &members[i], &data[i], true, at[i]);
    end = s.length;
    put(&s, 0x06054b50, 4);
    put(&s, 0, 4);
    put(&s, n, 2);
    put(&s, n, 2);
    put(&s, end - directory, 4);
    put(&s, directory, 4);
    put(&s, 0, 2);
    for (size_t i = 0; i < n; i++)
        krti_str_free(&data[i]);
    return s;
}

/* One Dense layer of 4 inputs and 3 units, whose weights saving/dense_plain.weights.h5 holds. */
#define OF(layers)                                                                             \
    "{'class_name': 'Sequential', 'config': {'name': 'm', 'layers': ["                         \
    "{'class_name': 'InputLayer', 'config': {'batch_shape': [null, 4], 'name': 'x'}}, " layers \
    "]}}"
#define LAYER(class_name, config) \
    "{'class_name': '" class_name "', 'config': {'name': 'dense'" config "}}"
#define DENSE OF(LAYER("Dense", ", 'units': 3"))
#define WEIGHTS                    \
    {                              \
        .name = "model.weights.h5" \
    }
#define CONFIG                               \
    {                                        \
        .name = "config.json", .data = DENSE \
    }
#define METADATA                                                       \
    {                                                                  \
        .name = "metadata.json", .data = "{'keras_version': '3.15.1'}" \
    }
#define WEIGHTS_AS .name = "model.weights.h5"

static const struct {
    const char *name;
    member members[MOST_MEMBERS];
} archives[] = {
    {"zip_two_of_one_name.keras", {CONFIG, {.name = "config.json", .data = "{}"}, WEIGHTS}},
    {"zip_name_leaves.keras", {CONFIG, {.name = "../../.bashrc", .data = "true"}, WEIGHTS}},
    {"zip_name_absolute.keras", {CONFIG, {.name = "/etc/cron.d/x", .data = "true"}, WEIGHTS}},
    {"zip_name_of_windows.keras", {CONFIG, {.name = "assets\\..\\..\\x", .data = "true"}, WEIGHTS}},
    {"zip_name_of_a_drive.keras", {CONFIG, {.name = "C:x", .data = "true"}, WEIGHTS}},
    {"zip_encrypted.keras", {CONFIG, {WEIGHTS_AS, .flags = 1}}},
    {"zip_other_method.keras", {CONFIG, {WEIGHTS_AS, .method = 93}}},
    {"zip_local_name_differs.keras", {CONFIG, {WEIGHTS_AS, .local_name = "model.weights.hX"}}},
    {"zip_local_method_differs.keras", {CONFIG, {WEIGHTS_AS, .local_method = 8}}},
    {"zip_one_over_the_other.keras",
     {{.name = "config.json", .data = DENSE, .size = 400, .stored_size = 400}, WEIGHTS}},
    {"zip_stored_in_another_size.keras", {CONFIG, {WEIGHTS_AS, .size = 99999}}},
    {"zip_larger_than_the_file.keras",
     {CONFIG, {WEIGHTS_AS, .size = 1u << 30, .stored_size = 1u << 30}}},
    {"zip_bomb.keras",
     {{.name = "config.json", .data = "x", .method = 8, .size = 0xFFFFFFF0}, WEIGHTS}},
    {"zip_wrong_crc.keras", {CONFIG, {WEIGHTS_AS, .crc = 1}}},
    {"zip_no_deflate.keras",
     {{.name = "config.json", .data = "no deflate", .method = 8, .size = 99}, WEIGHTS}},
    {"zip_link.keras", {CONFIG, {WEIGHTS_AS, .data = "/etc/passwd", .attributes = 0xA1FF0000}}},
    {"zip_config_is_a_folder.keras", {{.name = "config.json/", .data = ""}, WEIGHTS}},
    {"zip_without_weights.keras", {CONFIG, METADATA}},
    {"zip_pickled_weights.keras", {CONFIG, {.name = "model.weights.npz", .data = "\x80\x04"}}},
    {"zip_program.keras",
     {CONFIG,
      WEIGHTS,
      {.name = "assets/run",
       .data = "\x7F"
               "ELF"}}},
    {"zip_script.keras", {CONFIG, WEIGHTS, {.name = "setup.py", .data = "import os"}}},
    {"zip_pickle.keras", {CONFIG, WEIGHTS, {.name = "assets/words", .data = "\x80\x04\x95"}}},
    {"zip_pytorch.keras",
     {{.name = "archive/data.pkl", .data = "\x80\x02"}, {.name = "archive/version", .data = "3"}}},
    {"zip_empty.keras", {{.name = NULL}}},
};

static void add_archives(void)
{
    for (size_t i = 0; i < sizeof archives / sizeof archives[0]; i++) {
        member m[MOST_MEMBERS];
        krti_str texts[MOST_MEMBERS], s;
        size_t n = 0;

        for (; n < MOST_MEMBERS && archives[i].members[n].name != NULL; n++) {
            m[n] = archives[i].members[n];
            texts[n] = text_new();
            add_json(&texts[n], m[n].data != NULL ? m[n].data : "");
            if (m[n].data != NULL)
                m[n].data = krti_str_text(&texts[n]);
        }
        s = make_archive(m, n);
        add_file(archives[i].name, &s);
        while (n > 0)
            krti_str_free(&texts[--n]);
    }
}

/* Ends of archives: fields of the record at the end, counted back from it. */
static const struct {
    const char *name;
    int back, width;
    uint64_t value;
} ends[] = {
    {"zip_end_counts_too_many.keras", 12, 4, 0xFFFEFFFE},
    {"zip_end_size_lies.keras", 10, 4, 0x7FFFFFFF},
    {"zip_end_place_lies.keras", 6, 4, 0x7FFFFFFF},
    {"zip_end_on_another_disk.keras", 18, 4, 0x00010001},
    {"zip_end_with_a_comment_too_long.keras", 2, 2, 500},
};

/* ------------------------------------------------------------------------------- configs */

/* A model with this config and the weights of one Dense layer. */
static krti_str make_model(const char *config)
{
    const member members[] = {{.name = "config.json", .data = config}, WEIGHTS};

    return make_archive(members, 2);
}

static void add_model(const char *name, const char *config)
{
    krti_str text = text_new(), s;

    add_json(&text, config);
    s = make_model(krti_str_text(&text));
    add_file(name, &s);
    krti_str_free(&text);
}

#define NODE(name) "[['" name "', 0, 0, {}]]"
#define WIRED(layers, outputs)                                                                  \
    "{'class_name': 'Functional', 'config': {'name': 'm', 'layers': ["                          \
    "{'class_name': 'InputLayer', 'name': 'x', 'config': {'batch_shape': [null, 4], 'name': "   \
    "'x'}, "                                                                                    \
    "'inbound_nodes': []}" layers "], 'input_layers': [['x', 0, 0]], 'output_layers': " outputs \
    "}}"

static const char *const models[][2] = {
    {"config_no_json.keras", "import os"},
    {"config_cut.keras", "{'class_name': 'Sequential', 'config': {"},
    {"config_followed.keras", DENSE " {}"},
    {"config_nan.keras", OF(LAYER("Dense", ", 'units': NaN"))},
    {"config_units_of_2_31.keras", OF(LAYER("Dense", ", 'units': 2147483648"))},
    {"config_units_of_2_62.keras", OF(LAYER("Dense", ", 'units': 4611686018427387904"))},
    {"config_units_beyond_64_bits.keras", OF(LAYER("Dense", ", 'units': 99999999999999999999"))},
    {"config_units_negative.keras", OF(LAYER("Dense", ", 'units': -3"))},
    {"config_units_half.keras", OF(LAYER("Dense", ", 'units': 2.5"))},
    {"config_units_a_list.keras", OF(LAYER("Dense", ", 'units': [3]"))},
    {"config_input_of_2_62.keras",
     "{'class_name': 'Sequential', 'config': {'name': 'm', 'layers': [{'class_name': 'InputLayer', "
     "'config': {'batch_shape': [null, 4611686018427387904], 'name': 'x'}}, " LAYER(
         "Dense", ", 'units': 3") "]}}"},
    {"config_batch_of_2_40.keras",
     "{'class_name': 'Sequential', 'config': {'name': 'm', 'layers': [{'class_name': 'InputLayer', "
     "'config': {'batch_shape': [1099511627776, 4], 'name': 'x'}}, " LAYER("Dense",
                                                                           ", 'units': 3") "]}}"},
    {"config_rank_of_40.keras",
     "{'class_name': 'Sequential', 'config': {'name': 'm', 'layers': [{'class_name': 'InputLayer', "
     "'config': {'batch_shape': "
     "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,"
     "1,1,1,1,1,4], 'name': 'x'}}, " LAYER("Dense", ", 'units': 3") "]}}"},
    {"config_repeat.keras",
     OF(LAYER("Dense", ", 'units': 3") ", {'class_name': 'RepeatVector', 'config': {'name': 'r', "
                                       "'n': 4611686018427387904}}")},
    {"config_reshape.keras",
     OF(LAYER("Dense", ", 'units': 3") ", {'class_name': 'Reshape', 'config': {'name': 'r', "
                                       "'target_shape': [4294967296, 4294967296, 4294967296]}}")},
    {"config_upsample.keras",
     OF(LAYER("Dense", ", 'units': 3") ", {'class_name': 'Reshape', 'config': {'name': 'r', "
                                       "'target_shape': [3, 1]}}, {'class_name': 'UpSampling1D', "
                                       "'config': {'name': 'u', 'size': 2305843009213693952}}")},
    {"config_pad.keras",
     OF(LAYER("Dense", ", 'units': 3") ", {'class_name': 'Reshape', 'config': {'name': 'r', "
                                       "'target_shape': [3, 1]}}, {'class_name': 'ZeroPadding1D', "
                                       "'config': {'name': 'p', 'padding': "
                                       "[9223372036854775807, 9223372036854775807]}}")},
    {"config_one_hot.keras",
     OF(LAYER("Dense", ", 'units': 3") ", {'class_name': 'CategoryEncoding', 'config': {'name': "
                                       "'c', 'num_tokens': 4611686018427387904, 'output_mode': "
                                       "'multi_hot'}}")},
    {"config_kernel.keras",
     OF(LAYER("Dense", ", 'units': 3") ", {'class_name': 'Reshape', 'config': {'name': 'r', "
                                       "'target_shape': [3, 1]}}, {'class_name': 'Conv1D', "
                                       "'config': {'name': 'c', 'filters': 4294967296, "
                                       "'kernel_size': 4294967296, 'padding': 'same'}}")},
    {"config_strides_of_0.keras",
     OF(LAYER("Dense", ", 'units': 3") ", {'class_name': 'Reshape', 'config': {'name': 'r', "
                                       "'target_shape': [3, 1]}}, {'class_name': 'MaxPooling1D', "
                                       "'config': {'name': 'c', 'pool_size': 2, 'strides': 0}}")},
    {"config_embedding.keras",
     OF(LAYER("Embedding", ", 'input_dim': 4611686018427387904, 'output_dim': 3"))},
    {"config_name_leaves.keras",
     OF("{'class_name': 'Dense', 'config': {'name': '../../x', 'units': 3}}")},
    {"config_name_with_nul.keras",
     OF("{'class_name': 'Dense', 'config': {'name': 'de\\u0000nse', 'units': 3}}")},
    {"config_class_with_nul.keras", OF(LAYER("Dense\\u0000", ", 'units': 3"))},
    {"config_keys_twice.keras", OF("{'class_name': 'Dense', 'class_name': 'Lambda', 'config': "
                                   "{'name': 'dense', 'units': 3}}")},
    {"config_names_twice.keras",
     OF(LAYER("Dense", ", 'units': 3") ", " LAYER("Dense", ", 'units': 3"))},
    {"config_lone_surrogate.keras",
     OF("{'class_name': 'Dense', 'config': {'name': '\\ud800', 'units': 3}}")},
    {"config_lambda.keras",
     OF(LAYER("Dense",
              ", 'units': 3") ", {'class_name': 'Lambda', 'config': {'name': 'l', "
                              "'function': {'class_name': '__lambda__', 'config': "
                              "{'code': '4wEAAAAA', 'defaults': null, 'closure': null}}}}")},
    {"config_system.keras",
     OF(LAYER("Dense", ", 'units': 3") ", {'module': 'os', 'class_name': 'system', 'config': 'rm', "
                                       "'registered_name': null}")},
    {"config_get_file.keras",
     OF(LAYER("Dense", ", 'units': 3") ", {'module': 'keras.utils', 'class_name': 'get_file', "
                                       "'config': {'origin': 'https://example.org/x'}}")},
    {"config_vocabulary_of_a_file.keras",
     OF(LAYER("Dense", ", 'units': 3") ", {'class_name': 'StringLookup', 'config': {'name': 'w', "
                                       "'vocabulary': '/etc/passwd'}}")},
    {"config_saved_model.keras",
     OF(LAYER("Dense", ", 'units': 3") ", {'class_name': 'TFSMLayer', 'config': {'name': 't', "
                                       "'filepath': '/srv/model'}}")},
    {"config_torch.keras",
     OF(LAYER("Dense", ", 'units': 3") ", {'class_name': 'TorchModuleWrapper', 'config': {'name': "
                                       "'t', 'module': 'gAJ9'}}")},
    {"config_circle.keras",
     WIRED(", {'class_name': 'Add', 'name': 'a', 'config': {'name': 'a'}, 'inbound_nodes': "
           "[[['x', 0, 0, {}], ['b', 0, 0, {}]]]}, "
           "{'class_name': 'Activation', 'name': 'b', 'config': {'name': 'b', 'activation': "
           "'relu'}, 'inbound_nodes': [" NODE("a") "]}",
           "[['b', 0, 0]]")},
    {"config_output_of_nothing.keras", WIRED("", "[['gone', 0, 0]]")},
    {"config_output_of_a_far_node.keras", WIRED("", "[['x', 4294967296, 0]]")},
};

/* Text said very often. */
static const struct {
    const char *name, *head, *unit;
    int times;
    const char *tail;
} repeated[] = {
    {"deep_lists.json", "", "[", 10000, ""},
    {"deep_models.json", "", "{'class_name': 'Sequential', 'config': {'name': 's', 'layers': [",
     10000, ""},
    {"deep_wrappers.json", "{'class_name': 'Sequential', 'config': {'name': 's', 'layers': [",
     "{'class_name': 'TimeDistributed', 'config': {'name': 't', 'layer': ", 10000, ""},
    {"one_key_often.json", "{", "'weight_map': 1, ", 100000, "'x': 1}"},
    {"many_empty_layers.json", "{'class_name': 'Sequential', 'config': {'name': 's', 'layers': [",
     "{},", 100000, "{}]}}"},
    {"shard_often.weights.json", "{'weight_map': {'/layers/dense/vars': [",
     "'dense_00000.weights.h5', ", 10000, "'dense_00001.weights.h5']}}"},
};

static void add_repeated(void)
{
    for (size_t i = 0; i < sizeof repeated / sizeof repeated[0]; i++) {
        krti_str s = text_new();

        add_json(&s, repeated[i].head);
        for (int n = 0; n < repeated[i].times; n++)
            add_json(&s, repeated[i].unit);
        add_json(&s, repeated[i].tail);
        add_file(repeated[i].name, &s);
    }
}

/* A model that calls a model twice that calls a model twice: 2^40 layers in 25 kilobytes. */
static void add_multiplied(krti_str *s, int depth)
{
    if (depth == 0) {
        add_json(s, "{'class_name': 'Activation', 'config': {'name': 'f', 'activation': 'relu'}, ");
        return;
    }
    add_json(s, "{'class_name': 'Functional', 'config': {'name': 'f', 'layers': [{'class_name': "
                "'InputLayer', 'name': 'x', 'config': {'batch_shape': [null, 4], 'name': 'x'}, "
                "'inbound_nodes': []}, ");
    add_multiplied(s, depth - 1);
    add_json(s, "'name': 'f', 'inbound_nodes': [[['x', 0, 0, {}]], [['f', 0, 0, {}]]]}], "
                "'input_layers': [['x', 0, 0]], 'output_layers': [['f', 1, 0]]}");
    add_json(s, depth == 40 ? "}" : ", ");
}

/* ------------------------------------------------------------------------------- HDF5 */

/* One Dense layer as h5py lays it out, and where in it the fields are that lie. */
#define PLAIN    "saving/dense_plain.weights.h5"
#define FILTERED "saving/dense_filtered.weights.h5"
#define LEGACY   "containers/keras2_mlp.h5"

static const struct {
    const char *name, *fixture;
    struct {
        unsigned at, width;
        uint64_t value;
    } pokes[3];
} patches[] = {
    {"h5_superblock_version.weights.h5", PLAIN, {{8, 1, 9}}},
    {"h5_longer_than_it_is.weights.h5", PLAIN, {{0x28, 8, 1u << 30}}},
    {"h5_root_beyond.weights.h5", PLAIN, {{0x40, 8, UINT64_C(1) << 40}}},
    {"h5_root_messages_without_end.weights.h5", PLAIN, {{0x62, 2, 0xFFFF}, {0x68, 4, 0xFFFFFF}}},
    {"h5_tree_of_itself.weights.h5", PLAIN, {{0x8D, 1, 1}, {0xA8, 8, 0x88}}},
    {"h5_tree_beyond.weights.h5", PLAIN, {{0xA8, 8, UINT64_C(1) << 62}}},
    {"h5_names_beyond.weights.h5", PLAIN, {{0x2C0, 8, 0x2E10}}},
    {"h5_names_without_end.weights.h5", PLAIN, {{0x2B0, 8, UINT64_C(1) << 62}}},
    {"h5_name_with_a_slash.weights.h5", PLAIN, {{0x2D8, 8, 0x737265792F2E2E}}},
    {"h5_group_in_itself.weights.h5", PLAIN, {{0x2120, 8, 0x60}}},
    {"h5_more_entries.weights.h5", PLAIN, {{0x5E6, 2, 0xFFFF}}},
    {"h5_dataset_for_a_group.weights.h5", PLAIN, {{0x1D40, 8, 0x22B8}}},
    {"h5_dims_of_2_62.weights.h5", PLAIN, {{0x22D8, 8, UINT64_C(1) << 62}}},
    {"h5_dims_overflow.weights.h5",
     PLAIN,
     {{0x22D8, 8, UINT64_C(1) << 40}, {0x22E0, 8, UINT64_C(1) << 40}, {0x22D2, 1, 0}}},
    {"h5_rank_of_200.weights.h5", PLAIN, {{0x22D1, 1, 200}}},
    {"h5_size_of_an_element.weights.h5", PLAIN, {{0x2304, 4, 0x7FFFFFFF}}},
    {"h5_data_beyond.weights.h5", PLAIN, {{0x2332, 8, UINT64_C(1) << 40}}},
    {"h5_data_longer.weights.h5", PLAIN, {{0x233A, 8, 1u << 20}}},
    {"h5_data_nowhere.weights.h5",
     PLAIN,
     {{0x2332, 8, UINT64_MAX}, {0x22D8, 8, UINT64_C(1) << 31}, {0x22E8, 8, UINT64_C(1) << 31}}},
    {"h5_continued_by_itself.weights.h5", PLAIN, {{0x338, 8, 0x330}}},
    {"h5_chunk_of_2_32.weights.h5", FILTERED, {{0x2394, 4, 0xFFFFFFFF}, {0x2398, 4, 0xFFFFFFFF}}},
    {"h5_chunk_of_0.weights.h5", FILTERED, {{0x2394, 4, 0}}},
    {"h5_chunk_longer_than_the_file.weights.h5", FILTERED, {{0x2528, 4, 0x7FFFFFFF}}},
    {"h5_chunk_beyond.weights.h5", FILTERED, {{0x2548, 8, UINT64_C(1) << 50}}},
    {"h5_chunk_tree_of_itself.weights.h5", FILTERED, {{0x2515, 1, 1}, {0x2548, 8, 0x2510}}},
    {"h5_chunk_altered.weights.h5", FILTERED, {{0x2F4C, 1, 0xAA}}},
    {"h5_chunk_not_filtered.weights.h5", FILTERED, {{0x252C, 4, 7}}},
    {"h5_filter_unknown.weights.h5", FILTERED, {{0x2350, 2, 32000}}},
    {"h5_filters_without_end.weights.h5", FILTERED, {{0x2331, 1, 255}}},
    {"h5_config_is_no_json.h5", LEGACY, {{0x858, 1, 'X'}}},
    {"h5_config_longer.h5", LEGACY, {{0x850, 8, 1u << 30}}},
    {"h5_heap_of_0.h5", LEGACY, {{0x808, 8, 0}}},
    {"h5_heap_of_2_40.h5", LEGACY, {{0x808, 8, UINT64_C(1) << 40}}},
};

static void add_patches(void)
{
    for (size_t i = 0; i < sizeof patches / sizeof patches[0]; i++) {
        krti_str s = read_fixture(patches[i].fixture);

        for (size_t j = 0; j < 3 && patches[i].pokes[j].width > 0; j++)
            poke(&s, patches[i].pokes[j].at, (int)patches[i].pokes[j].width,
                 patches[i].pokes[j].value);
        add_file(patches[i].name, &s);
    }
}

/* What h5py made (tools/make_h5_fixtures.py): links, data elsewhere, and groups in circles. */
static const char *const made[][2] = {
    {"h5_external_link.weights.h5", "saving/bad_external_link.weights.h5"},
    {"h5_external_storage.weights.h5", "saving/bad_external_storage.weights.h5"},
    {"h5_soft_link.weights.h5", "saving/bad_soft_link.weights.h5"},
    {"h5_group_link.weights.h5", "saving/bad_group_link.weights.h5"},
    {"h5_legacy_soft_link.h5", "saving/bad_legacy_soft_link_weights.h5"},
    {"h5_virtual.weights.h5", "saving/bad_virtual.weights.h5"},
    {"h5_bomb.weights.h5", "saving/bad_bomb.weights.h5"},
    {"h5_circle.weights.h5", "saving/bad_circle.weights.h5"},
    {"h5_compound.weights.h5", "saving/bad_compound.weights.h5"},
    {"h5_rank_of_9.weights.h5", "saving/bad_rank_9.weights.h5"},
};

/* ------------------------------------------------------------------------------- checkpoints */

static const struct {
    const char *name; /* of the index */
    int rank, copies;
    int64_t dim[2];
    uint64_t offset, size;
    uint32_t shards;
    uint64_t graph; /* depth of the graph's chain of nodes; 0: no graph */
    uint64_t last;  /* where its last one leads */
} checkpoints[] = {
    {"tf_size_lies.index", 2, 1, {4, 3}, 0, UINT64_C(1) << 40, 1, 0, 0},
    {"tf_dims_overflow.index", 2, 1, {INT64_C(1) << 40, INT64_C(1) << 40}, 0, 48, 1, 0, 0},
    {"tf_dims_negative.index", 2, 1, {-4, -3}, 0, 48, 1, 0, 0},
    {"tf_place_beyond.index", 2, 1, {4, 3}, UINT64_C(1) << 62, 48, 1, 0, 0},
    {"tf_many_in_one_place.index", 2, 500, {4, 3}, 0, 48, 1, 0, 0},
    {"tf_many_shards.index", 2, 1, {4, 3}, 0, 48, 99999, 0, 0},
    {"tf_more_shards.index", 2, 1, {4, 3}, 0, 48, 4000000000, 0, 0},
    {"tf_graph_circle.index", 2, 1, {4, 3}, 0, 48, 1, 2, 0},
    {"tf_graph_to_nowhere.index", 2, 1, {4, 3}, 0, 48, 1, 1, 4000000},
    {"tf_graph_deep.index", 2, 1, {4, 3}, 0, 48, 1, 20000, 0},
};

enum { TF_FLOAT = 1, TF_STRING = 7, MOST_TENSORS = 600 };

/* Nodes in a chain of this depth, the last of which leads to one more place. */
static void put_graph(krti_str *s, uint64_t to, int depth)
{
    for (int i = 0; i < depth; i++) {
        krti_str node = text_new(), edge = text_new();

        krti_pb_put_number(&edge, 1, i + 1 < depth ? (uint64_t)i + 1 : to);
        krti_pb_put_text(&edge, 2, "a");
        krti_pb_put_message(&node, 1, &edge);
        krti_pb_put_message(s, 1, &node);
        krti_str_free(&node);
        krti_str_free(&edge);
    }
}

static void add_checkpoint(size_t i, const char *name)
{
    krti_str index = text_new(), data = text_new(), graph = text_new();
    krti_bundle_tensor tensors[MOST_TENSORS] = {0};
    char keys[MOST_TENSORS][40], path[300];
    size_t n = 0;

    for (int j = 0; j < 12; j++)
        put(&data, 0, 4);
    for (; n < (size_t)checkpoints[i].copies; n++) {
        snprintf(keys[n], sizeof keys[n], "dense_%zu/kernel", n);
        tensors[n] = (krti_bundle_tensor){.key = keys[n],
                                          .dtype = TF_FLOAT,
                                          .rank = checkpoints[i].rank,
                                          .dim = checkpoints[i].dim,
                                          .offset = checkpoints[i].offset,
                                          .size = checkpoints[i].size,
                                          .crc32c = krti_crc32c(0, data.ptr, data.length)};
    }
    if (checkpoints[i].graph > 0) {
        const size_t at = data.length;

        put_graph(&graph, checkpoints[i].last, (int)checkpoints[i].graph);
        tensors[n].key = KRTI_OBJECT_GRAPH_KEY;
        tensors[n].dtype = TF_STRING;
        tensors[n].offset = at;
        krti_bundle_put_string(&data, graph.ptr, graph.length, &tensors[n].crc32c);
        tensors[n++].size = data.length - at;
    }
    if (krti_bundle_put_index(&index, tensors, n, checkpoints[i].shards) != KRT_OK)
        die("an index");
    snprintf(path, sizeof path, "%.*s.data-00000-of-00001", (int)(strlen(name) - 6), name);
    save(path, &data);
    add_file(name, &index);
    krti_str_free(&graph);
}

/* ------------------------------------------------------------------------------- named arrays */

static const struct {
    const char *name, *header;
    uint64_t length; /* 0: the header's */
    int data;        /* bytes behind it */
} tensors[] = {
    {"st_header_of_2_62.safetensors", "{}", UINT64_C(1) << 62, 0},
    {"st_header_cut.safetensors", "{'a': {'dtype': 'F32'", 100, 0},
    {"st_header_is_no_json.safetensors", "{os.system}", 0, 0},
    {"st_overlap.safetensors",
     "{'a': {'dtype': 'F32', 'shape': [4], 'data_offsets': [0, 16]}, "
     "'b': {'dtype': 'F32', 'shape': [4], 'data_offsets': [8, 24]}}",
     0, 24},
    {"st_hole.safetensors",
     "{'a': {'dtype': 'F32', 'shape': [4], 'data_offsets': [0, 16]}, "
     "'b': {'dtype': 'F32', 'shape': [4], 'data_offsets': [32, 48]}}",
     0, 48},
    {"st_backwards.safetensors", "{'a': {'dtype': 'F32', 'shape': [4], 'data_offsets': [16, 0]}}",
     0, 16},
    {"st_beyond.safetensors",
     "{'a': {'dtype': 'F32', 'shape': [268435456], 'data_offsets': [0, 1073741824]}}", 0, 16},
    {"st_shape_lies.safetensors", "{'a': {'dtype': 'F32', 'shape': [5], 'data_offsets': [0, 16]}}",
     0, 16},
    {"st_shape_overflows.safetensors",
     "{'a': {'dtype': 'F32', 'shape': [4294967296, 4294967297], 'data_offsets': [0, 16]}}", 0, 16},
    {"st_shape_negative.safetensors",
     "{'a': {'dtype': 'F32', 'shape': [-2, -2], 'data_offsets': [0, 16]}}", 0, 16},
    {"st_name_twice.safetensors",
     "{'a': {'dtype': 'F32', 'shape': [2], 'data_offsets': [0, 8]}, "
     "'a': {'dtype': 'F32', 'shape': [2], 'data_offsets': [8, 16]}}",
     0, 16},
    {"st_more_than_it_says.safetensors",
     "{'a': {'dtype': 'F32', 'shape': [4], 'data_offsets': [0, 16]}}", 0, 99},
};

static void add_tensors(void)
{
    for (size_t i = 0; i < sizeof tensors / sizeof tensors[0]; i++) {
        krti_str s = text_new();

        put(&s, tensors[i].length != 0 ? tensors[i].length : strlen(tensors[i].header), 8);
        add_json(&s, tensors[i].header);
        for (int n = 0; n < tensors[i].data; n++)
            put(&s, 0, 1);
        add_file(tensors[i].name, &s);
    }
}

static const struct {
    const char *name, *header;
    unsigned length; /* 0: the header's */
    int data;
} arrays[] = {
    {"npy_pickle.npy", "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", 0, 16},
    {"npy_fields.npy", "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (4,), }", 0, 16},
    {"npy_program.npy", "__import__('os').system('true')", 0, 16},
    {"npy_shape_overflows.npy",
     "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967297), }", 0, 16},
    {"npy_shape_negative.npy", "{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 4), }", 0,
     16},
    {"npy_shape_beyond.npy", "{'descr': '<f4', 'fortran_order': False, 'shape': (1073741824,), }",
     0, 16},
    {"npy_header_beyond.npy", "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 4), }", 65535,
     16},
};

static krti_str make_array(const char *header, size_t length, int data)
{
    krti_str s = text_new();

    krti_str_add_n(&s, "\x93NUMPY\1\0", 8);
    put(&s, length != 0 ? length : strlen(header), 2);
    krti_str_add(&s, header);
    for (int n = 0; n < data; n++)
        put(&s, 0, 1);
    return s;
}

static void add_arrays(void)
{
    krti_str s = make_array("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 4), }", 0, 16);

    save("x.npy", &s);
    s = make_array("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3), }", 0, 12);
    save("y.npy", &s);
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++) {
        s = make_array(arrays[i].header, arrays[i].length, arrays[i].data);
        add_file(arrays[i].name, &s);
    }
}

/* ------------------------------------------------------------------------------- the rest */

/* Files in one piece. */
static const struct {
    const char *name, *text;
    size_t size; /* 0: the text's */
} plain[] = {
    {"pickle.h5", "\x80\x04\x95\x0B\0\0\0\0\0\0\0\x8C\5posix", 19},
    {"program.keras",
     "\x7F"
     "ELF\2\1\1\0",
     8},
    {"idx_of_2_96", "\0\0\x08\3\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 16},
    {"numbers.csv", "1,2,3,4\n1,2,3\n", 0},
    {"infinite.csv", "1e999999999,2,3,4\n", 0},
    {"shards_leave.weights.json", "{\"weight_map\": {\"/layers/dense/vars\": \"../d.weights.h5\"}}",
     0},
    {"shards_absolute.weights.json", "{\"weight_map\": {\"/layers/dense/vars\": \"/etc/passwd\"}}",
     0},
    {"shards_itself.weights.json",
     "{\"weight_map\": {\"/layers/dense/vars\": \"shards_itself.weights.json\"}}", 0},
    {"shards_folder.weights.json", "{\"weight_map\": {\"/layers/dense/vars\": \"folder\"}}", 0},
    {"shards_pipe.weights.json", "{\"weight_map\": {\"/layers/dense/vars\": \"pipe\"}}", 0},
    {"shards_missing.weights.json",
     "{\"weight_map\": {\"/layers/dense/vars\": \"gone.weights.h5\"}}", 0},
    {"shards_number.weights.json", "{\"weight_map\": {\"/layers/dense/vars\": 7}}", 0},
    {"shards_of_nothing.weights.json", "{\"weight_map\": {\"/layers/dense/vars\": []}}", 0},
    {"shards_nul.weights.json",
     "{\"weight_map\": {\"/layers/dense/vars\": \"dense_00000.weights.h5\\u0000x\"}}", 0},
    {"shards_no_map.weights.json", "{\"weight_map\": [\"a\"]}", 0},
    {"state/checkpoint", "model_checkpoint_path: \"../../../../etc/passwd\"\n", 0},
    {"state_of_itself/checkpoint", "model_checkpoint_path: \"checkpoint\"\n", 0},
};

static void add_plain(void)
{
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        krti_str s = text_new();

        krti_str_add_n(&s, plain[i].text,
                       plain[i].size != 0 ? plain[i].size : strlen(plain[i].text));
        add_file(plain[i].name, &s);
    }
}

static void add_places(void)
{
    krti_str config = text_new(), weights = read_fixture(PLAIN);

    (void)mkfifo("pipe", 0600);
    (void)mkdir("folder", 0700);
    (void)mkdir("dir_config_is_a_folder", 0700);
    (void)mkdir("dir_config_is_a_folder/config.json", 0700);
    (void)mkdir("dir_weights_are_a_pipe", 0700);
    (void)mkfifo("dir_weights_are_a_pipe/model.weights.h5", 0600);
    (void)mkdir("state", 0700);
    (void)mkdir("state_of_itself", 0700);
    add_json(&config, DENSE);
    save("dir_weights_are_a_pipe/config.json", &config);
    save("good.weights.h5", &weights);
    list_name("pipe");
    list_name("dir_config_is_a_folder");
    list_name("dir_weights_are_a_pipe");
}

static void add_all(void)
{
    krti_str s = text_new();

    add_json(&s, DENSE);
    save("good.json", &s);
    add_model("good.keras", DENSE);
    list->n = 0;
    add_archives();
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        s = make_model("{}");
        poke(&s, s.length - (size_t)ends[i].back, ends[i].width, ends[i].value);
        add_file(ends[i].name, &s);
    }
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++)
        add_model(models[i][0], models[i][1]);
    add_repeated();
    s = text_new();
    add_multiplied(&s, 40);
    add_file("many_in_many.json", &s);
    add_patches();
    for (size_t i = 0; i < sizeof made / sizeof made[0]; i++) {
        s = read_fixture(made[i][1]);
        add_file(made[i][0], &s);
    }
    for (size_t i = 0; i < sizeof checkpoints / sizeof checkpoints[0]; i++)
        add_checkpoint(i, checkpoints[i].name);
    add_tensors();
    add_arrays();
    add_places();
    add_plain();
}

void hostile_files_make(hostile_list *out, const char *from)
{
    if (krt_ctx_new(&k, NULL) != KRT_OK)
        die("no memory");
    list = out;
    fixtures = from;
    add_all();
    krt_ctx_free(k);
}
