/* Tests of src/saving/verify.c, manifest.c, digests.c and cut.c. */
#include "saving/digests.h"
#include "tensor/tensor.h"
#include "testing.h"

#include "base/fs.h"
#include <keratin/inspect.h>
#include <keratin/layers.h>

static const char *container(const char *name)
{
    static char path[512];

    snprintf(path, sizeof path, "%s/containers/%s", KERATIN_FIXTURES, name);
    return path;
}

/* A copy of a fixture with `size` bytes at most and, where flip >= 0, that byte inverted. */
static const char *copy_of(testing *t, const char *name, size_t size, long flip)
{
    krti_bytes *b = NULL;
    unsigned char *data = NULL;
    const char *path;

    ASSERT_OK(krti_bytes_map(t->k, &b, container(name)));
    data = malloc(b->size);
    ASSERT_TRUE(data != NULL);
    memcpy(data, b->data, b->size);
    ASSERT_TRUE(flip < (long)b->size);
    if (flip >= 0)
        data[flip] ^= 0xff;
    path = put_file(t, name, data, b->size < size ? b->size : size);
    free(data);
    krti_bytes_drop(b);
    return path;
}

static void assert_finds(testing *t, const char *path, const char *code, const char *object,
                         const krt_verify_args *args)
{
    krt_findings *found = NULL;
    size_t hits = 0;

    ASSERT_OK(krt_verify(t->k, &found, path, args));
    for (size_t i = 0; i < krt_findings_size(found); i++) {
        const krt_finding *item = krt_findings_at(found, i);

        hits += strcmp(item->code, code) == 0 &&
                (object == NULL || (item->object != NULL && strcmp(item->object, object) == 0));
    }
    if (hits == 0)
        print_message("%s: no \"%s\" among %zu findings\n", path, code, krt_findings_size(found));
    ASSERT_TRUE(hits > 0);
    ASSERT_TRUE(krt_findings_num_problems(found) > 0);
    krt_findings_free(found);
}

static size_t num_problems(testing *t, const char *path)
{
    krt_findings *found = NULL;

    ASSERT_OK(krt_verify(t->k, &found, path, NULL));
    const size_t n = krt_findings_num_problems(found);
    krt_findings_free(found);
    return n;
}

TEST(whole_files_have_no_problem)
{
    static const char *const names[] = {
        "keras2_cnn_trained.h5",          "keras2_cnn_trained.keras",
        "keras2_layer_zoo_weights.h5",    "keras3_mixed_float16.keras",
        "keras3_trained_directory",       "keras3_trained_sharded.weights.json",
        "keras3_half_weights.weights.h5", "keras3_siamese.json",
    };

    for (size_t i = 0; i < KRTI_COUNT(names); i++)
        ASSERT_INT_EQ(0, num_problems(t, container(names[i])));
}

TEST(every_cut_of_a_file_is_a_problem)
{
    krti_bytes *b = NULL;

    ASSERT_OK(krti_bytes_map(t->k, &b, container("keras2_mlp.h5")));
    for (size_t size = 64; size < b->size; size += 97) {
        const char *path = copy_of(t, "keras2_mlp.h5", size, -1);
        krt_findings *found = NULL;
        const krt_status st = krt_verify(t->k, &found, path, NULL);

        ASSERT_TRUE(st != KRT_OK || krt_findings_num_problems(found) > 0);
        krt_findings_free(found);
    }
    krti_bytes_drop(b);
}

TEST(a_cut_file_is_told_with_what_is_left)
{
    krt_model *m = NULL;

    assert_finds(t, copy_of(t, "keras3_trained.weights.h5", 23989, -1), "damaged", NULL, NULL);
    ASSERT_STATUS(KRT_E_CORRUPT, krt_load(t->k, &m, copy_of(t, "keras2_mlp.h5", 9000, -1), NULL));
    ASSERT_SAYS("file is cut short: 9000 of 16016 bytes; 0 of 4 arrays are whole");
}

TEST(a_flipped_byte_in_an_archive_is_named)
{
    assert_finds(t, copy_of(t, "keras3_trained.keras", SIZE_MAX, 2000), "damaged", NULL, NULL);
}

TEST(an_array_that_differs_from_its_digest_kept_aside_is_named)
{
    const char *path = copy_of(t, "keras3_trained.weights.h5", SIZE_MAX, -1);
    char list[300];
    krt_file *f = NULL;

    snprintf(list, sizeof list, "%s/digests.json", t->folder);
    for (krt_digest kind = KRT_DIGEST_XXH3_128; kind <= KRT_DIGEST_SHA256; kind++) {
        path = copy_of(t, "keras3_trained.weights.h5", SIZE_MAX, -1);
        ASSERT_OK(krt_write_digests(t->k, path, list, KRT_WRITE_DIGESTS(.digest = kind)));
        ASSERT_OK(krt_file_open(t->k, &f, path));
        const long offset = (long)krt_file_array_at(f, 2)->offset;
        char object[64];
        snprintf(object, sizeof object, "%s", krt_file_array_at(f, 2)->path);
        krt_file_close(f);
        path = copy_of(t, "keras3_trained.weights.h5", SIZE_MAX, offset);
        assert_finds(t, path, "altered", object, KRT_VERIFY(.against = list));
        ASSERT_INT_EQ(0, num_problems(t, path));
    }
}

static krt_model *small_model(testing *t)
{
    krt_model *m = krt_sequential(t->k, NULL);

    ASSERT_OK(krt_add_input(m, KRT_SHAPE(8), NULL));
    ASSERT_OK(krt_add(m, KRT_DENSE(4, .name = "a")));
    ASSERT_OK(krt_add(m, KRT_DENSE(2, .name = "b")));
    return m;
}

TEST(digests_are_asked_only_of_forms_that_keep_them)
{
    krt_model *m = small_model(t);
    char path[300], npz[300];

    snprintf(path, sizeof path, "%s/a.weights.h5", t->folder);
    snprintf(npz, sizeof npz, "%s/a.npz", t->folder);
    ASSERT_OK(krt_save_weights(m, path, NULL));
    ASSERT_STATUS(KRT_E_INVALID,
                  krt_save_weights(m, npz, KRT_SAVE_WEIGHTS(.digest = KRT_DIGEST_SHA256)));
    ASSERT_STATUS(KRT_E_INVALID,
                  krt_save_checkpoint(m, npz, KRT_SAVE_WEIGHTS(.digest = KRT_DIGEST_XXH3_128)));
    ASSERT_STATUS(KRT_E_INVALID,
                  krt_convert(t->k, path, npz, KRT_CONVERT(.digest = KRT_DIGEST_SHA256)));
    ASSERT_SAYS("npz keeps no digests, sha256 was asked for; keras, keras-dir, h5, weights.h5, "
                "legacy-weights.h5 and weights.json do. For other forms keep a list aside: keratin "
                "verify FILE --write-digests LIST");
    ASSERT_STATUS(KRT_E_INVALID,
                  krt_save_weights(m, path, KRT_SAVE_WEIGHTS(.digest = (krt_digest)9)));
    ASSERT_SAYS("9 is no kind of digest");
    ASSERT_STATUS(KRT_E_INVALID,
                  krt_write_digests(t->k, path, npz, KRT_WRITE_DIGESTS(.digest = (krt_digest)9)));
    ASSERT_STATUS(KRT_E_INVALID, krt_save_weights(m, npz, KRT_SAVE_WEIGHTS(.incremental = true)));
    ASSERT_OK(krt_convert(t->k, path, npz, KRT_CONVERT(.digest = KRT_DIGEST_NONE)));
    krt_model_free(m);
}

/* Inverts a byte of the array at `index` of a file. */
static void alter(testing *t, const char *path, size_t index)
{
    krt_file *f = NULL;
    FILE *file = NULL;
    int byte;

    ASSERT_OK(krt_file_open(t->k, &f, path));
    const long offset = (long)krt_file_array_at(f, index)->offset;
    krt_file_close(f);
    file = fopen(path, "r+b");
    ASSERT_TRUE(file != NULL);
    ASSERT_INT_EQ(0, fseek(file, offset, SEEK_SET));
    byte = fgetc(file);
    ASSERT_INT_EQ(0, fseek(file, offset, SEEK_SET));
    fputc(byte ^ 0xff, file);
    fclose(file);
}

/* Whether a file lists and holds exactly what another one does. */
static bool holds_the_same(testing *t, krt_file *whole, const char *path)
{
    krt_file *f = NULL;
    bool same = krt_file_open(t->k, &f, path) == KRT_OK &&
                krt_file_num_arrays(f) == krt_file_num_arrays(whole);

    for (size_t i = 0; same && i < krt_file_num_arrays(whole); i++) {
        krt_tensor *a = NULL, *b = NULL;

        same = strcmp(krt_file_array_at(whole, i)->path, krt_file_array_at(f, i)->path) == 0;
        ASSERT_OK(krt_file_read_array(whole, i, &a));
        same = same && krt_file_read_array(f, i, &b) == KRT_OK && a->dtype == b->dtype &&
               krt_shape_equal(a->shape, b->shape) && memcmp(a->data, b->data, a->size_bytes) == 0;
        krt_tensor_free(a);
        krt_tensor_free(b);
    }
    krt_file_close(f);
    return same;
}

TEST(a_bit_flipped_anywhere_is_noticed_or_changes_nothing)
{
    krt_model *m = small_model(t);
    krt_file *whole = NULL;
    krti_bytes *bytes = NULL;
    size_t num_noticed = 0;
    char path[600], flipped[600];

    snprintf(path, sizeof path, "%s", in_folder(t, "whole.weights.h5"));
    ASSERT_OK(krt_save_weights(m, path, NULL));
    ASSERT_OK(krt_file_open(t->k, &whole, path));
    ASSERT_OK(krti_bytes_map(t->k, &bytes, path));
    unsigned char *copy = malloc(bytes->size);
    memcpy(copy, bytes->data, bytes->size);
    for (size_t i = 0; i < bytes->size; i += 3) {
        krt_findings *found = NULL;

        copy[i] ^= (unsigned char)(1u << i / 3 % 8);
        snprintf(flipped, sizeof flipped, "%s", put_file(t, "x.weights.h5", copy, bytes->size));
        const bool is_noticed = krt_verify(t->k, &found, flipped, NULL) != KRT_OK ||
                                krt_findings_num_problems(found) > 0;
        if (!is_noticed && !holds_the_same(t, whole, flipped))
            fail_msg("byte %zu of %zu was altered, which nobody noticed", i, bytes->size);
        num_noticed += is_noticed;
        krt_findings_free(found);
        copy[i] = bytes->data[i];
    }
    print_message("%zu of %zu flips noticed\n", num_noticed, bytes->size / 3);
    ASSERT_TRUE(num_noticed > 100);
    free(copy);
    krti_bytes_drop(bytes);
    krt_file_close(whole);
    krt_model_free(m);
}

TEST(a_load_on_request_checks_digests_before_anything_is_touched)
{
    krt_model *m = small_model(t), *other = small_model(t);
    const krt_variable *kernel = krt_layer_weight(krt_get_layer(other, "a"), 0);
    krt_weights *fresh = NULL;
    float before;
    char path[300];

    ASSERT_OK(krt_model_get_weights(other, &fresh)); /* they are drawn now */
    krt_weights_free(fresh);
    before = *(const float *)krt_variable_data(kernel);
    snprintf(path, sizeof path, "%s/verified.weights.h5", t->folder);
    ASSERT_OK(krt_save_weights(m, path, NULL));
    ASSERT_OK(krt_load_weights(m, path, KRT_LOAD_WEIGHTS(.verify = true)));
    alter(t, path, 2);
    ASSERT_STATUS(KRT_E_CORRUPT, krt_load_weights(other, path, KRT_LOAD_WEIGHTS(.verify = true)));
    assert_string_equal(krt_ctx_error(t->k)->object, "/layers/dense_1/vars/0");
    ASSERT_SAYS("the array was altered after it was saved");
    assert_true(*(const float *)krt_variable_data(kernel) == before);
    ASSERT_OK(krt_load_weights(other, path, NULL)); /* nobody asked */
    krt_model_free(m);
    krt_model_free(other);
}

TEST(a_load_on_request_checks_whole_models)
{
    static const char *const names[] = {"keras2_cnn_trained.h5", "keras2_cnn_trained.keras",
                                        "keras3_trained_directory"};
    krt_model *m = NULL;
    char path[300];

    for (size_t i = 0; i < KRTI_COUNT(names); i++) {
        ASSERT_OK(krt_load(t->k, &m, container(names[i]), KRT_LOAD(.verify = true)));
        krt_model_free(m);
    }
    m = small_model(t);
    snprintf(path, sizeof path, "%s/verified", t->folder);
    ASSERT_OK(krt_save(m, path, KRT_SAVE(.zipped = false)));
    krt_model_free(m);
    snprintf(path, sizeof path, "%s/verified/model.weights.h5", t->folder);
    alter(t, path, 0);
    snprintf(path, sizeof path, "%s/verified", t->folder);
    ASSERT_OK(krt_load(t->k, &m, path, NULL));
    krt_model_free(m);
    ASSERT_STATUS(KRT_E_CORRUPT, krt_load(t->k, &m, path, KRT_LOAD(.verify = true)));
    assert_string_equal(krt_ctx_error(t->k)->object, "/layers/dense/vars/0");
    assert_null(m);
}

TEST(another_architecture_in_the_same_place_is_noticed)
{
    char list[300];

    snprintf(list, sizeof list, "%s/digests.json", t->folder);
    ASSERT_OK(krt_write_digests(t->k, container("keras3_siamese.json"), list, NULL));
    assert_finds(t, container("keras3_two_outputs.json"), "altered", "config",
                 KRT_VERIFY(.against = list));
}

TEST(what_is_no_list_of_digests_is_refused)
{
    static const char *const texts[] = {
        "{}", "{\"keratin_digests\": 1, \"arrays\": {\"/a\": \"md5:00\"}}", "[1]",
        "[{\"path\": \"/a\"}]", "{\"keratin_digests\": 1, \"config\": 5, \"arrays\": [[]]}"};
    krt_findings *found = NULL;

    for (size_t i = 0; i < KRTI_COUNT(texts); i++) {
        char list[300];

        snprintf(list, sizeof list, "%s", put_file(t, "list.json", texts[i], strlen(texts[i])));
        ASSERT_STATUS(KRT_E_FORMAT, krt_verify(t->k, &found, container("keras3_siamese.json"),
                                               KRT_VERIFY(.against = list)));
        ASSERT_TRUE(found == NULL);
    }
}

TEST(a_save_that_was_stopped_is_short)
{
    char weights[512], config[512];

    snprintf(weights, sizeof weights, "%s/saving/short.weights.h5", KERATIN_FIXTURES);
    snprintf(config, sizeof config, "%s/saving/short.json", KERATIN_FIXTURES);
    assert_finds(t, weights, "short", NULL, KRT_VERIFY(.config = config));
    assert_finds(t, weights, "missing", "third/kernel", KRT_VERIFY(.config = config));
    assert_finds(t, container("keras3_trained.weights.h5"), "shape", NULL,
                 KRT_VERIFY(.config = config));
}

TEST(a_missing_shard_is_named)
{
    copy_of(t, "keras3_residual_sharded_00000.weights.h5", SIZE_MAX, -1);
    assert_finds(t, copy_of(t, "keras3_residual_sharded.weights.json", SIZE_MAX, -1), "missing",
                 NULL, NULL);
}

TEST(prints_do_not_depend_on_order)
{
    krti_digests a, b;
    char of_a[KRTI_DIGEST_TEXT], of_b[KRTI_DIGEST_TEXT];
    krti_str note = {.k = t->k};

    ASSERT_OK(krti_digests_init(t->k, &a, KRT_DIGEST_XXH3_128));
    ASSERT_OK(krti_digests_init(t->k, &b, KRT_DIGEST_XXH3_128));
    krti_digests_update(&a, "one", 3);
    krti_digests_end(&a, "/x", KRT_FLOAT32);
    krti_digests_update(&a, "two", 3);
    krti_digests_end(&a, "/y", KRT_FLOAT32);
    krti_digests_update(&b, "two", 3);
    krti_digests_end(&b, "/y", KRT_FLOAT32);
    krti_digests_update(&b, "one", 3);
    krti_digests_end(&b, "/x", KRT_FLOAT32);
    ASSERT_OK(krti_digests_note(&a, &note, of_a));
    ASSERT_OK(krti_digests_note(&b, &note, of_b));
    ASSERT_STR_EQ(of_a, of_b);
    krti_digests_update(&a, "two", 3);
    krti_digests_end(&a, "/x", KRT_FLOAT32);
    ASSERT_OK(krti_digests_note(&a, &note, of_a));
    ASSERT_TRUE(strcmp(of_a, of_b) != 0);
    krti_str_free(&note);
    krti_digests_fini(&a);
    krti_digests_fini(&b);
}

int main(void)
{
    return RUN(UNIT(whole_files_have_no_problem), UNIT(every_cut_of_a_file_is_a_problem),
               UNIT(a_cut_file_is_told_with_what_is_left),
               UNIT(a_flipped_byte_in_an_archive_is_named),
               UNIT(digests_are_asked_only_of_forms_that_keep_them),
               UNIT(an_array_that_differs_from_its_digest_kept_aside_is_named),
               UNIT(a_bit_flipped_anywhere_is_noticed_or_changes_nothing),
               UNIT(a_load_on_request_checks_digests_before_anything_is_touched),
               UNIT(a_load_on_request_checks_whole_models),
               UNIT(another_architecture_in_the_same_place_is_noticed),
               UNIT(what_is_no_list_of_digests_is_refused), UNIT(a_save_that_was_stopped_is_short),
               UNIT(a_missing_shard_is_named), UNIT(prints_do_not_depend_on_order));
}
