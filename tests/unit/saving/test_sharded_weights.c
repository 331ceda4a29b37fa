/* saving/sharded_weights.c: the map decides, and leads nowhere but beside itself. */
#include "unit/saving/answers.h"

#include "models/model.h"

/* One Dense(3) over 4 inputs; its shards lie beside the map in the test's folder. */
static krt_model *dense_and_shards(testing *t)
{
    krt_model *m = NULL;

    copy_fixture(t, "saving/dense_00000.weights.h5", "dense_00000.weights.h5");
    copy_fixture(t, "saving/dense_00001.weights.h5", "dense_00001.weights.h5");
    copy_fixture(t, "saving/dense_plain.weights.h5", "all.weights.h5");
    ASSERT_OK(krt_load(t->k, &m, fixture("saving/dense.json"), KRT_LOAD(.config_only = true)));
    return m;
}

static krt_status load_map(testing *t, krt_model *m, const char *map)
{
    return krt_load_weights(m, put_file(t, "w.weights.json", map, strlen(map)), NULL);
}

TEST(a_layer_split_over_two_shards_is_whole_again)
{
    static const char *const maps[] = {
        "{\"weight_map\": {\"/layers/dense/vars\": [\"dense_00000.weights.h5\", "
        "\"dense_00001.weights.h5\"]}}",
        "{\"weight_map\": {\"/layers/dense/vars\": [\"dense_00001.weights.h5\", "
        "\"dense_00000.weights.h5\"]}}",
        "{\"metadata\": {\"total_size\": 60.0, \"more\": 1}, \"weight_map\": "
        "{\"layers/dense\": \"all.weights.h5\", \"/vars\": null}, \"extra\": []}",
    };
    krt_model *m = dense_and_shards(t);

    for (size_t i = 0; i < 3; i++)
        ASSERT_OK(load_map(t, m, maps[i]));
    ASSERT_OK(krt_load_weights(m, fixture("saving/dense.weights.json"), NULL));
}

TEST(a_shard_name_that_leaves_the_directory_is_refused)
{
    static const char *const names[] = {"../evil.weights.h5", "/etc/passwd", "sub/x.h5", "..", ""};
    krt_model *m = dense_and_shards(t);

    for (size_t i = 0; i < KRTI_COUNT(names); i++) {
        char map[256], says[256];

        snprintf(map, sizeof map, "{\"weight_map\": {\"/layers/dense/vars\": \"%s\"}}", names[i]);
        snprintf(says, sizeof says, "shard name \"%s\" leaves the directory", names[i]);
        ASSERT_STATUS(KRT_E_UNSAFE, load_map(t, m, map));
        ASSERT_STR_EQ(says, krt_ctx_error(t->k)->message);
        ASSERT_STR_EQ("layers/dense", krt_ctx_error(t->k)->object);
    }
    ASSERT_STATUS(KRT_E_UNSAFE, load_map(t, m,
                                         "{\"weight_map\": {\"/layers/dense/vars\": "
                                         "\"..\\\\evil.h5\"}}"));
    ASSERT_STATUS(KRT_E_UNSAFE, load_map(t, m,
                                         "{\"weight_map\": {\"/layers/dense/vars\": "
                                         "\"all.weights.h5\\u0000.json\"}}"));
}

TEST(no_shard_is_opened_before_all_names_are_checked)
{
    krt_model *m = dense_and_shards(t);

    ASSERT_STATUS(KRT_E_UNSAFE,
                  load_map(t, m,
                           "{\"weight_map\": {\"/layers/dense/vars\": \"missing.weights.h5\", "
                           "\"/optimizer/vars\": [\"all.weights.h5\", \"../x.h5\"]}}"));
    ASSERT_STR_EQ("optimizer", krt_ctx_error(t->k)->object);
}

typedef struct bad_map {
    const char *map;
    krt_status status;
    const char *says;
} bad_map;

static const bad_map bad_maps[] = {
    {"{\"weight_map\": []}", KRT_E_FORMAT, "weight_map is not a JSON object"},
    {"{\"weight_map\": {\"/layers/dense/vars\": 1}}", KRT_E_FORMAT,
     "weight_map has something other than shard names here"},
    {"{\"weight_map\": {\"/layers/dense/vars\": []}}", KRT_E_FORMAT,
     "weight_map names no shard here"},
    {"{\"weight_map\": {\"/layers/dense/vars\": [\"all.weights.h5\", \"all.weights.h5\"]}}",
     KRT_E_FORMAT, "weight_map names shard \"all.weights.h5\" twice here"},
    {"{\"weight_map\": {\"/layers/dense/vars\": \"all.weights.h5\", \"layers/dense\": "
     "\"all.weights.h5\"}}",
     KRT_E_FORMAT, "weight_map has two entries for one object"},
    {"{\"weight_map\": {}}", KRT_E_MISMATCH,
     "Layer 'dense' expected 2 variables, but received 0 variables during loading. Expected: "
     "['kernel', 'bias']"},
    {"{\"weight_map\": {\"/layers/dense/vars\": [\"all.weights.h5\", \"dense_00001.weights.h5\"]}}",
     KRT_E_MISMATCH,
     "Layer 'dense' expected 2 variables, but received 3 variables during loading. Expected: "
     "['kernel', 'bias']"},
};

TEST(a_map_that_is_wrong_says_how)
{
    krt_model *m = dense_and_shards(t);

    for (size_t i = 0; i < KRTI_COUNT(bad_maps); i++) {
        ASSERT_STATUS(bad_maps[i].status, load_map(t, m, bad_maps[i].map));
        ASSERT_STR_EQ(bad_maps[i].says, krt_ctx_error(t->k)->message);
    }
}

TEST(a_missing_or_broken_shard_is_named)
{
    krt_model *m = dense_and_shards(t);

    ASSERT_STATUS(
        KRT_E_NOT_FOUND,
        load_map(t, m, "{\"weight_map\": {\"/layers/dense/vars\": \"gone.weights.h5\"}}"));
    ASSERT_STR_EQ(in_folder(t, "gone.weights.h5"), krt_ctx_error(t->k)->filepath);
    put_file(t, "broken.weights.h5", "\x89HDF\r\n\x1a\n\0", 9);
    ASSERT_STATUS(
        KRT_E_CORRUPT,
        load_map(t, m, "{\"weight_map\": {\"/layers/dense/vars\": \"broken.weights.h5\"}}"));
    ASSERT_STR_EQ(in_folder(t, "broken.weights.h5"), krt_ctx_error(t->k)->filepath);
}

TEST(a_map_in_memory_has_no_shards_beside_it)
{
    static const char map[] = "{\"weight_map\": {\"/layers/dense/vars\": \"all.weights.h5\"}}";
    krt_model *m = NULL;

    ASSERT_STATUS(KRT_E_UNSUPPORTED,
                  krt_load_memory(t->k, &m, map, sizeof map - 1,
                                  KRT_LOAD(.config = fixture("saving/dense.json"))));
    ASSERT_STR_EQ("sharded weights lie in files beside their map; open them by path",
                  krt_ctx_error(t->k)->message);
}

int main(void)
{
    return RUN(UNIT(a_layer_split_over_two_shards_is_whole_again),
               UNIT(a_shard_name_that_leaves_the_directory_is_refused),
               UNIT(no_shard_is_opened_before_all_names_are_checked),
               UNIT(a_map_that_is_wrong_says_how), UNIT(a_missing_or_broken_shard_is_named),
               UNIT(a_map_in_memory_has_no_shards_beside_it));
}
