/* .safetensors and .npz as weights: the originals' files read, written byte for byte, matched by name, and
 * refused when damaged. */
#include "testing.h"

#include "base/fs.h"
#include "saving/named_list.h"
#include "saving/source.h"

#include <keratin/keratin.h>

#define FOLDER KERATIN_FIXTURES "/checkpoints/"

static krt_model *three(testing *t, const char *weights)
{
    krt_model *m = NULL;

    ASSERT_OK(krt_load(t->k, &m, FOLDER "three.json", KRT_LOAD(.weights = weights)));
    return m;
}

static void expect_answer(testing *t, krt_model *m)
{
    krt_tensor *x = NULL, *y = NULL, *got = NULL;

    ASSERT_OK(krt_tensor_read(t->k, &x, FOLDER "three.x.npy"));
    ASSERT_OK(krt_tensor_read(t->k, &y, FOLDER "three.y.npy"));
    ASSERT_OK(krt_predict(m, &got, x, NULL));
    ASSERT_NEAR(krt_tensor_data(y), krt_tensor_data(got), 6, 1e-5, 1e-5);
    krt_tensor_free(x);
    krt_tensor_free(y);
    krt_tensor_free(got);
}

TEST(weights_are_found_by_their_names)
{
    static const char *const files[] = {FOLDER "three.safetensors", FOLDER "three_weights.npz",
                                        FOLDER "three_odd.npz"};

    for (size_t i = 0; i < 3; i++) {
        krt_model *m = three(t, files[i]);

        expect_answer(t, m);
        krt_model_free(m);
    }
}

TEST(a_safetensors_file_is_written_byte_for_byte_as_the_original_writes_it)
{
    krt_model *m = three(t, FOLDER "three_weights.npz");
    krti_bytes *a = NULL, *b = NULL;
    krti_named_list l;

    krti_named_list_init(&l, t->k);
    ASSERT_OK(krti_named_list_add_model(&l, m));
    ASSERT_OK(krti_safetensors_write(&l, in_folder(t, "w.safetensors"), true));
    ASSERT_OK(krti_bytes_map(t->k, &a, FOLDER "three.safetensors"));
    ASSERT_OK(krti_bytes_map(t->k, &b, in_folder(t, "w.safetensors")));
    ASSERT_INT_EQ(a->size, b->size);
    assert_memory_equal(a->data, b->data, a->size);
    krti_bytes_drop(a);
    krti_bytes_drop(b);
    krti_named_list_free(&l);
    krt_model_free(m);
}

TEST(both_forms_load_again_bit_for_bit_and_files_are_converted_without_a_model)
{
    krt_model *m = three(t, FOLDER "three.safetensors"), *again = NULL;
    krti_source *f = NULL;
    krti_named_list l;

    krti_named_list_init(&l, t->k);
    ASSERT_OK(krti_named_list_add_model(&l, m));
    ASSERT_OK(krti_npz_write_list(&l, in_folder(t, "w.npz"), true));
    krti_named_list_free(&l);
    ASSERT_OK(krti_source_open(t->k, &f, in_folder(t, "w.npz")));
    ASSERT_OK(krti_source_list(f, true));
    krti_named_list_init(&l, t->k);
    ASSERT_OK(krti_named_list_add_store(&l, f->store, false));
    ASSERT_OK(krti_safetensors_write(&l, in_folder(t, "again.safetensors"), true));
    krti_named_list_free(&l);
    krti_source_close(f);
    again = three(t, in_folder(t, "again.safetensors"));
    expect_answer(t, again);
    for (size_t i = 0; i < krt_layer_num_weights((krt_layer *)m); i++) {
        const krt_variable *v = krt_layer_weight((krt_layer *)m, i);
        const krt_variable *w = krt_layer_weight((krt_layer *)again, i);

        assert_memory_equal(krt_variable_data(v), krt_variable_data(w),
                            (size_t)krt_shape_size(krt_variable_shape(v)) * sizeof(float));
    }
    krt_model_free(again);
    krt_model_free(m);
}

TEST(a_model_without_weights_is_a_file_without_arrays)
{
    krt_model *m = krt_sequential(t->k, NULL);
    krt_file *f = NULL;

    ASSERT_OK(krt_add_input(m, KRT_SHAPE(3), NULL));
    ASSERT_OK(krt_add(m, KRT_FLATTEN()));
    ASSERT_OK(krt_save_weights(m, in_folder(t, "w.safetensors"), NULL));
    ASSERT_OK(krt_load_weights(m, in_folder(t, "w.safetensors"), NULL));
    ASSERT_OK(krt_file_open(t->k, &f, in_folder(t, "w.safetensors")));
    ASSERT_INT_EQ(0, krt_file_num_arrays(f));
    krt_file_close(f);
    ASSERT_STATUS(KRT_E_UNSUPPORTED, krt_save_weights(m, in_folder(t, "w.npz"), NULL));
    ASSERT_SAYS("a model without weights has nothing for an .npz");
    krt_model_free(m);
}

/* "optimizer/kernel" is a weight where a layer is called so. */
TEST(a_layer_may_be_called_optimizer)
{
    static const char *const names[] = {"w.safetensors", "w.npz"};
    krt_model *m = krt_sequential(t->k, NULL);
    krt_report *r = NULL;

    ASSERT_OK(krt_add_input(m, KRT_SHAPE(3), NULL));
    ASSERT_OK(krt_add(m, KRT_DENSE(2, .name = "first")));
    ASSERT_OK(krt_add(m, KRT_DENSE(2, .name = "optimizer")));
    for (size_t i = 0; i < 2; i++) {
        ASSERT_OK(krt_save_weights(m, in_folder(t, names[i]), NULL));
        ASSERT_OK(krt_load_weights(m, in_folder(t, names[i]), KRT_LOAD_WEIGHTS(.report = &r)));
        ASSERT_INT_EQ(4, krt_report_count(r, KRT_LOADED));
        krt_report_free(r);
    }
    krt_model_free(m);
}

/* SpectralNormalization holds the kernel of the layer in it: one array of the file fills both. */
TEST(a_variable_of_two_layers_is_one_array)
{
    static const char *const names[] = {"w.safetensors", "w.npz"};
    krt_model *m[2] = {NULL};
    krt_report *r = NULL;

    for (size_t i = 0; i < 2; i++) {
        m[i] = krt_sequential(t->k, NULL);
        ASSERT_OK(krt_add_input(m[i], KRT_SHAPE(3), NULL));
        ASSERT_OK(krt_add(
            m[i], KRT_SPECTRAL_NORMALIZATION(KRT_DENSE(2, .name = "inner"), .name = "outer")));
        ASSERT_OK(krti_layer_initialize((krt_layer *)m[i]));
    }
    for (size_t i = 0; i < 2; i++) {
        const krt_variable *kernel = krt_layer_weight((krt_layer *)m[0], 0);
        float *x = krt_tensor_data_mut(kernel->tensor);
        krt_file *f = NULL;

        x[0] = (float)(i + 5);
        ASSERT_OK(krt_save_weights(m[0], in_folder(t, names[i]), NULL));
        ASSERT_OK(krt_file_open(t->k, &f, in_folder(t, names[i])));
        ASSERT_INT_EQ(3, krt_file_num_arrays(f));
        krt_file_close(f);
        ASSERT_OK(krt_load_weights(m[1], in_folder(t, names[i]), KRT_LOAD_WEIGHTS(.report = &r)));
        ASSERT_INT_EQ(3, krt_report_count(r, KRT_LOADED));
        krt_report_free(r);
        for (size_t j = 0; j < 3; j++) {
            const krt_variable *v = krt_layer_weight((krt_layer *)m[0], j);
            const krt_variable *w = krt_layer_weight((krt_layer *)m[1], j);

            assert_memory_equal(krt_variable_data(v), krt_variable_data(w), v->tensor->size_bytes);
        }
    }
    krt_model_free(m[0]);
    krt_model_free(m[1]);
}

TEST(names_follow_the_rules_they_are_given)
{
    static const char *const files[] = {"w.safetensors", "w.npz"};
    static const char *const rules[] = {"block/old=first", "block/old/*=first/*", "block/*=*"};
    krt_model *from = krt_sequential(t->k, NULL), *to = krt_sequential(t->k, NULL);
    krt_report *r = NULL;

    for (size_t i = 0; i < 2; i++) {
        krt_model *m = i == 0 ? from : to;

        ASSERT_OK(krt_add_input(m, KRT_SHAPE(3), NULL));
        ASSERT_OK(krt_add(m, KRT_DENSE(2, .name = i == 0 ? "block/old" : "first")));
        ASSERT_OK(krt_add(m, KRT_DENSE(1, .name = "second")));
    }
    for (size_t i = 0; i < 2; i++) {
        ASSERT_OK(krt_save_weights(from, in_folder(t, files[i]), NULL));
        for (size_t j = 0; j < 3; j++) {
            const krt_names names = {1, &rules[j]};

            ASSERT_STATUS(j < 2 ? KRT_OK : KRT_E_MISMATCH,
                          krt_load_weights(to, in_folder(t, files[i]),
                                           KRT_LOAD_WEIGHTS(.rename = names, .report = &r)));
            ASSERT_INT_EQ(j < 2 ? 4 : 2, krt_report_count(r, KRT_LOADED));
            krt_report_free(r);
        }
    }
    krt_model_free(from);
    krt_model_free(to);
}

TEST(rules_for_names_are_refused_where_a_graph_names_the_weights)
{
    krt_model *m = three(t, FOLDER "three.safetensors");

    ASSERT_STATUS(KRT_E_INVALID, krt_load_weights(m, FOLDER "three",
                                                  KRT_LOAD_WEIGHTS(.rename = KRT_NAMES("a=b"))));
    ASSERT_SAYS("rules for names change nothing there");
    krt_model_free(m);
}

/* Two layers of one name in two models: then names are places in Keras 3's tree, and load as such. */
TEST(layers_of_one_name_are_told_apart)
{
    static const char json[] =
        "{\"class_name\":\"Sequential\",\"config\":{\"name\":\"outer\",\"layers\":["
        "{\"class_name\":\"InputLayer\",\"config\":{\"name\":\"x\",\"batch_shape\":[null,2]}},"
        "{\"class_name\":\"Dense\",\"config\":{\"name\":\"same\",\"units\":2}},"
        "{\"class_name\":\"Sequential\",\"config\":{\"name\":\"inner\",\"layers\":["
        "{\"class_name\":\"InputLayer\",\"config\":{\"name\":\"y\",\"batch_shape\":[null,2]}},"
        "{\"class_name\":\"Dense\",\"config\":{\"name\":\"same\",\"units\":2}}]}}]}}";
    krti_source *f = NULL;
    krt_model *m = NULL;
    krti_named_list l;

    ASSERT_OK(krt_from_json(t->k, &m, json, NULL));
    krti_named_list_init(&l, t->k);
    ASSERT_OK(krti_named_list_add_model(&l, m));
    ASSERT_INT_EQ(4, l.n);
    ASSERT_STR_EQ("layers/dense/vars/0", l.items[0].key);
    ASSERT_OK(krti_npz_write_list(&l, in_folder(t, "w.npz"), true));
    ASSERT_OK(krt_load_weights(m, in_folder(t, "w.npz"), NULL));
    ASSERT_OK(krti_source_open(t->k, &f, in_folder(t, "w.npz")));
    ASSERT_OK(krti_source_list(f, true));
    ASSERT_TRUE(!f->store->has_paths);
    krti_source_close(f);
    krti_named_list_free(&l);
    krt_model_free(m);
}

TEST(bfloat16_goes_into_safetensors_and_not_into_npz)
{
    const uint16_t one = 0x3F80;
    const krti_named_item item = {
        .key = "dense/kernel", .dtype = KRT_BFLOAT16, .shape = {1, {1}}, .data = &one};
    krt_file *f = NULL;
    krti_named_list l;

    krti_named_list_init(&l, t->k);
    ASSERT_OK(krti_named_list_add(&l, &item));
    ASSERT_STATUS(KRT_E_UNSUPPORTED, krti_npz_write_list(&l, in_folder(t, "w.npz"), true));
    ASSERT_SAYS(".npz has no form for bfloat16; .safetensors has");
    ASSERT_OK(krti_safetensors_write(&l, in_folder(t, "w.safetensors"), false));
    ASSERT_OK(krt_file_open(t->k, &f, in_folder(t, "w.safetensors")));
    ASSERT_INT_EQ(KRT_BFLOAT16, krt_file_array_at(f, 0)->dtype);
    krt_file_close(f);
    ASSERT_OK(krti_named_list_add(&l, &item));
    ASSERT_STATUS(KRT_E_INVALID, krti_safetensors_write(&l, in_folder(t, "w.safetensors"), false));
    ASSERT_SAYS("two arrays have this name");
    krti_named_list_free(&l);
}

/* --- refused --- */

static krt_status open_header(testing *t, const char *json, size_t data)
{
    const size_t n = strlen(json);
    unsigned char *file = calloc(1, 8 + n + data);
    krt_file *f = NULL;

    for (size_t i = 0; i < 8; i++)
        file[i] = (unsigned char)(n >> (8 * i) & 0xFF);
    memcpy(file + 8, json, n);
    const krt_status st =
        krt_file_open(t->k, &f, put_file(t, "bad.safetensors", file, 8 + n + data));
    krt_file_close(f);
    free(file);
    return st;
}

#define ENTRY(name, dtype, shape, offsets) \
    "\"" name "\":{\"dtype\":" dtype ",\"shape\":" shape ",\"data_offsets\":" offsets "}"

TEST(damaged_safetensors_are_refused)
{
    static const struct {
        const char *json;
        size_t data;
        const char *says;
    } bad[] = {
        {"{" ENTRY("a", "\"F32\"", "[2]", "[0,4]") "}", 4, "do not agree with dtype and shape"},
        {"{" ENTRY("a", "\"F32\"", "[2]", "[0,8]") "}", 4, "file is cut short"},
        {"{" ENTRY("a", "\"F32\"", "[1]", "[0,4]") "}", 8, "the last 4 bytes belong to no array"},
        {"{" ENTRY("a", "\"F32\"", "[1]", "[4,8]") "}", 8, "bytes in front of it"},
        {"{" ENTRY("a", "\"F32\"", "[1]", "[0,4]") "," ENTRY("b", "\"F32\"", "[1]", "[0,4]") "}", 4,
         "two arrays overlap"},
        /* one name twice: the last counts, the other's bytes belong to nobody */
        {"{" ENTRY("a", "\"F32\"", "[1]", "[0,4]") "," ENTRY("a", "\"F32\"", "[1]", "[4,8]") "}", 8,
         "bytes in front of it"},
        {"{" ENTRY("a", "\"F32\"", "[-1]", "[0,4]") "}", 4, "a dimension that is none"},
        {"{" ENTRY("a", "\"F32\"", "[1.5]", "[0,4]") "}", 4, "a dimension that is none"},
        {"{" ENTRY("a", "\"F32\"", "[4294967296,4294967296]", "[0,4]") "}", 4, "do not agree"},
        {"{" ENTRY("a", "\"F32\"", "3", "[0,4]") "}", 4, "\"shape\" is no list"},
        {"{" ENTRY("a", "5", "[1]", "[0,4]") "}", 4, "\"dtype\" is missing"},
        {"{" ENTRY("a", "\"F32\"", "[1]", "[4,0]") "}", 4, "lie outside"},
        {"{" ENTRY("a", "\"F32\"", "[1]", "[-4,0]") "}", 4, "lie outside"},
        {"{" ENTRY("a", "\"F32\"", "[1]", "[0]") "}", 4, "no pair of numbers"},
        {"{" ENTRY("a", "\"F32\"", "[1]", "[0,99999999999999999999]") "}", 4, "no pair"},
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ASSERT_STATUS(KRT_E_CORRUPT, open_header(t, bad[i].json, bad[i].data));
        ASSERT_SAYS(bad[i].says);
    }
}

/* Elements that are used where they lie are held against their checksum when they are read, and not
 * before. */
TEST(no_damaged_element_of_an_npz_is_loaded)
{
    krti_bytes *b = NULL;
    unsigned char *bad = NULL;
    size_t num_listed = 0;

    ASSERT_OK(krti_bytes_map(t->k, &b, FOLDER "three_odd.npz"));
    bad = malloc(b->size);
    memcpy(bad, b->data, b->size);
    for (size_t i = 0; i < b->size; i++) {
        krt_model *m = NULL;
        krti_source *f = NULL;

        bad[i] ^= 0x10;
        if (krt_load_memory(t->k, &m, bad, b->size, KRT_LOAD(.config = FOLDER "three.json")) ==
            KRT_OK) {
            expect_answer(t, m);
        } else if (strstr(krt_ctx_error(t->k)->message, "its CRC-32 is wrong") != NULL) {
            ASSERT_OK(krti_source_wrap(t->k, &f, bad, b->size));
            num_listed += krti_source_list(f, true) == KRT_OK;
            krti_source_close(f);
        }
        krt_model_free(m);
        bad[i] ^= 0x10;
    }
    ASSERT_TRUE(num_listed > 500);
    free(bad);
    krti_bytes_drop(b);
}

TEST(a_safetensors_file_that_is_cut_short_is_refused)
{
    krti_bytes *b = NULL;

    ASSERT_OK(krti_bytes_map(t->k, &b, FOLDER "three.safetensors"));
    for (size_t n = 0; n < b->size; n += 37) {
        krt_file *f = NULL;

        ASSERT_TRUE(krt_file_open(t->k, &f, put_file(t, "cut.safetensors", b->data, n)) != KRT_OK);
        if (n > 10)
            ASSERT_SAYS("cut short");
    }
    krti_bytes_drop(b);
}

TEST(weights_of_another_model_are_refused)
{
    krt_model *m = krt_sequential(t->k, NULL);
    krt_report *r = NULL;

    krt_add_input(m, KRT_SHAPE(3), NULL);
    krt_add(m, KRT_DENSE(2, .name = "out"));
    ASSERT_STATUS(KRT_E_MISMATCH,
                  krt_load_weights(m, FOLDER "three.safetensors", KRT_LOAD_WEIGHTS(.report = &r)));
    ASSERT_SAYS("the file holds 10 arrays that the model has no variables for");
    ASSERT_INT_EQ(2, krt_report_count(r, KRT_LOADED));
    krt_report_free(r);
    krt_model_free(m);
}

int main(void)
{
    return RUN(UNIT(weights_are_found_by_their_names),
               UNIT(a_safetensors_file_is_written_byte_for_byte_as_the_original_writes_it),
               UNIT(both_forms_load_again_bit_for_bit_and_files_are_converted_without_a_model),
               UNIT(a_layer_may_be_called_optimizer),
               UNIT(a_model_without_weights_is_a_file_without_arrays),
               UNIT(a_variable_of_two_layers_is_one_array),
               UNIT(names_follow_the_rules_they_are_given),
               UNIT(rules_for_names_are_refused_where_a_graph_names_the_weights),
               UNIT(layers_of_one_name_are_told_apart),
               UNIT(bfloat16_goes_into_safetensors_and_not_into_npz),
               UNIT(damaged_safetensors_are_refused), UNIT(no_damaged_element_of_an_npz_is_loaded),
               UNIT(a_safetensors_file_that_is_cut_short_is_refused),
               UNIT(weights_of_another_model_are_refused));
}
