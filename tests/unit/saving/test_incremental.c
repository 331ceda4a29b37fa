/* Tests of src/saving/incremental.c and async.c. */
#include "testing.h"

#include "base/fs.h"
#include "formats/json.h"
#include "tensor/tensor.h"
#include "layers/layer.h"
#include <keratin/inspect.h>
#include <keratin/saving.h>

static krt_model *load(testing *t, const char *name)
{
    char path[512];
    krt_model *m = NULL;

    snprintf(path, sizeof path, "%s/containers/%s", KERATIN_FIXTURES, name);
    ASSERT_OK(krt_load(t->k, &m, path, NULL));
    return m;
}

/* Adds one to the first value of a variable. */
static void change(testing *t, krt_model *m, size_t index)
{
    krt_tensor *now = krt_layer_weight((krt_layer *)m, index)->tensor, *other = NULL, before;

    ASSERT_OK(krt_tensor_from(t->k, &other, now->dtype, now->shape, now->data));
    ((float *)other->data)[0] += 1;
    before = *now;
    now->data = other->data;
    now->ours = other->ours;
    now->writable = other->writable;
    now->source = other->source;
    other->data = before.data;
    other->ours = before.ours;
    other->writable = before.writable;
    other->source = before.source;
    krt_tensor_free(other);
}

static const char *set_path(testing *t)
{
    static char path[512];

    snprintf(path, sizeof path, "%s/set.weights.json", t->folder);
    return path;
}

static void save(testing *t, krt_model *m)
{
    ASSERT_OK(krt_save_weights(m, set_path(t),
                               KRT_SAVE_WEIGHTS(.max_shard_size = 1e-7, .incremental = true)));
}

static size_t num_problems(testing *t, const char *path)
{
    krt_findings *found = NULL;

    ASSERT_OK(krt_verify(t->k, &found, path, NULL));
    for (size_t i = 0; i < krt_findings_size(found); i++)
        print_message("%s\n", krt_findings_at(found, i)->text);
    const size_t n = krt_findings_num_problems(found);
    krt_findings_free(found);
    return n;
}

static krt_status count(void *user, const char *name)
{
    *(size_t *)user += krti_ends_with(name, ".h5");
    return KRT_OK;
}

static size_t num_shards(testing *t)
{
    size_t n = 0;

    ASSERT_OK(krti_path_each(t->folder, count, &n));
    return n;
}

/* Loading the set into another model gives the first one's weights. */
static void assert_loads(testing *t, krt_model *m, const char *fixture)
{
    krt_model *other = load(t, fixture);
    const krt_layer *a = (krt_layer *)m, *b = (krt_layer *)other;

    ASSERT_OK(krt_load_weights(other, set_path(t), NULL));
    for (size_t i = 0; i < krt_layer_num_weights(a); i++) {
        const krt_tensor *x = krt_layer_weight(a, i)->tensor, *y = krt_layer_weight(b, i)->tensor;

        assert_memory_equal(x->data, y->data, x->size_bytes);
    }
    krt_model_free(other);
}

TEST(only_what_changed_is_written)
{
    static const char fixture[] = "keras3_trained.keras";
    krt_model *m = load(t, fixture);
    size_t before;

    save(t, m);
    before = num_shards(t);
    assert_loads(t, m, fixture);
    save(t, m);
    ASSERT_INT_EQ(before, num_shards(t));
    change(t, m, 1);
    save(t, m);
    ASSERT_INT_EQ(before + 1, num_shards(t));
    assert_loads(t, m, fixture);
    ASSERT_INT_EQ(0, num_problems(t, set_path(t)));
    for (size_t i = 0; i < 3; i++) {
        change(t, m, i);
        save(t, m);
    }
    assert_loads(t, m, fixture);
    ASSERT_INT_EQ(0, num_problems(t, set_path(t)));
    krt_model_free(m);
}

TEST(a_set_without_digests_is_compared_by_its_values)
{
    krt_model *m = load(t, "keras3_trained.keras");
    size_t before;

    ASSERT_OK(krt_save_weights(
        m, set_path(t), KRT_SAVE_WEIGHTS(.max_shard_size = 1e-7, .digest = KRT_DIGEST_NONE)));
    before = num_shards(t);
    save(t, m);
    ASSERT_INT_EQ(before, num_shards(t));
    change(t, m, 0);
    save(t, m);
    ASSERT_INT_EQ(before + 1, num_shards(t));
    assert_loads(t, m, "keras3_trained.keras");
    krt_model_free(m);
}

TEST(shards_that_nobody_names_are_collected_and_the_first_is_emptied)
{
    static const char fixture[] = "keras3_mlp_mixer.keras";
    krt_model *m = load(t, fixture);
    size_t num = 99;
    int64_t bytes = 0;

    save(t, m);
    ASSERT_OK(krt_collect_shards(t->k, set_path(t), &num, &bytes));
    ASSERT_INT_EQ(0, num);
    for (size_t i = 0; i < krt_layer_num_weights((krt_layer *)m); i++)
        change(t, m, i);
    save(t, m);
    const size_t before = num_shards(t);
    ASSERT_OK(krt_collect_shards(t->k, set_path(t), &num, &bytes));
    ASSERT_TRUE(num > 0 && bytes > 0);
    ASSERT_INT_EQ(before - num + 1, num_shards(t)); /* the first stays, empty */
    assert_loads(t, m, fixture);
    ASSERT_INT_EQ(0, num_problems(t, set_path(t)));
    ASSERT_OK(krt_collect_shards(t->k, set_path(t), &num, NULL));
    ASSERT_INT_EQ(0, num);
    krt_model_free(m);
}

TEST(a_set_that_is_not_whole_is_neither_added_to_nor_collected)
{
    krt_model *m = load(t, "keras3_trained.keras");
    char path[512];

    save(t, m);
    snprintf(path, sizeof path, "%s/set_00001.weights.h5", t->folder);
    ASSERT_INT_EQ(0, remove(path));
    ASSERT_TRUE(krt_collect_shards(t->k, set_path(t), NULL, NULL) != KRT_OK);
    ASSERT_TRUE(krt_save_weights(m, set_path(t),
                                 KRT_SAVE_WEIGHTS(.max_shard_size = 1e-7, .incremental = true)) !=
                KRT_OK);
    ASSERT_OK(krt_save_weights(m, set_path(t), KRT_SAVE_WEIGHTS(.max_shard_size = 1e-7)));
    assert_loads(t, m, "keras3_trained.keras");
    krt_model_free(m);
}

TEST(a_set_converts_to_one_file_and_to_a_whole_set)
{
    krt_model *m = load(t, "keras3_trained.keras");
    krt_findings *found = NULL;
    char flat[512], whole[512];

    save(t, m);
    change(t, m, 0);
    save(t, m);
    snprintf(flat, sizeof flat, "%s/flat.weights.h5", t->folder);
    snprintf(whole, sizeof whole, "%s/whole.weights.json", t->folder);
    ASSERT_OK(krt_convert(t->k, set_path(t), flat, NULL));
    ASSERT_OK(krt_convert(t->k, set_path(t), whole, KRT_CONVERT(.max_shard_size = 1)));
    ASSERT_INT_EQ(0, num_problems(t, flat));
    ASSERT_INT_EQ(0, num_problems(t, whole));
    ASSERT_OK(krt_diff(t->k, &found, flat, whole, NULL));
    ASSERT_INT_EQ(0, krt_findings_num_problems(found));
    krt_findings_free(found);
    krt_model_free(m);
}

/* ------------------------------------------------------------------------------- async */

TEST(a_save_in_the_background_holds_what_the_weights_were)
{
    static const char fixture[] = "keras3_trained.keras";
    krt_model *m = load(t, fixture);

    ASSERT_OK(krt_save_weights_async(m, set_path(t), KRT_SAVE_WEIGHTS(.max_shard_size = 1e-7)));
    krt_model *as_it_was = load(t, fixture);
    change(t, m, 0);
    ASSERT_OK(krt_save_wait(t->k));
    assert_loads(t, as_it_was, fixture);
    ASSERT_OK(krt_save_wait(t->k));
    krt_model_free(as_it_was);
    krt_model_free(m);
}

TEST(a_whole_model_is_saved_in_the_background_with_its_optimizer)
{
    krt_model *m = load(t, "keras3_trained.keras");
    krt_findings *found = NULL;
    char path[512], original[512];

    snprintf(path, sizeof path, "%s/model.keras", t->folder);
    snprintf(original, sizeof original, "%s/containers/keras3_trained.keras", KERATIN_FIXTURES);
    ASSERT_OK(krt_save_async(m, path, NULL));
    krt_model_free(m); /* the copy does not need it */
    ASSERT_OK(krt_save_wait(t->k));
    ASSERT_OK(krt_diff(t->k, &found, original, path, NULL));
    ASSERT_INT_EQ(0, krt_findings_num_problems(found));
    krt_findings_free(found);
}

TEST(a_failure_in_the_background_comes_with_the_next_call)
{
    krt_model *m = load(t, "keras3_trained.keras");
    char path[512], dir[512];

    snprintf(path, sizeof path, "%s/missing/model.keras", t->folder);
    snprintf(dir, sizeof dir, "%s/ok.keras", t->folder);
    ASSERT_OK(krt_save_async(m, path, NULL));
    ASSERT_TRUE(krt_save_wait(t->k) != KRT_OK);
    ASSERT_SAYS("directory");
    ASSERT_OK(krt_save_async(m, path, NULL));
    ASSERT_TRUE(krt_save_async(m, dir, NULL) != KRT_OK);
    ASSERT_OK(krt_save_async(m, path, NULL));
    ASSERT_TRUE(krt_save_checkpoint(m, dir, NULL) != KRT_OK);
    ASSERT_OK(krt_save_async(m, path, NULL));
    ASSERT_TRUE(krt_save(m, dir, NULL) != KRT_OK);
    ASSERT_OK(krt_save(m, dir, NULL));
    ASSERT_STATUS(KRT_E_INVALID, krt_save_async(m, "x.foo", NULL)); /* at once */
    krt_model_free(m);
}

TEST(a_context_that_ends_waits_for_its_save)
{
    krt_ctx *k = NULL;
    krt_model *m = NULL;
    char path[512], fixture[512];

    snprintf(fixture, sizeof fixture, "%s/containers/keras3_trained.keras", KERATIN_FIXTURES);
    snprintf(path, sizeof path, "%s/last.keras", t->folder);
    ASSERT_INT_EQ(KRT_OK, krt_ctx_new(&k, NULL));
    ASSERT_INT_EQ(KRT_OK, krt_load(k, &m, fixture, NULL));
    ASSERT_INT_EQ(KRT_OK, krt_save_async(m, path, NULL));
    krt_ctx_free(k);
    ASSERT_INT_EQ(0, num_problems(t, path));
}

int main(void)
{
    return RUN(UNIT(only_what_changed_is_written),
               UNIT(a_set_without_digests_is_compared_by_its_values),
               UNIT(shards_that_nobody_names_are_collected_and_the_first_is_emptied),
               UNIT(a_set_that_is_not_whole_is_neither_added_to_nor_collected),
               UNIT(a_set_converts_to_one_file_and_to_a_whole_set),
               UNIT(a_save_in_the_background_holds_what_the_weights_were),
               UNIT(a_whole_model_is_saved_in_the_background_with_its_optimizer),
               UNIT(a_failure_in_the_background_comes_with_the_next_call),
               UNIT(a_context_that_ends_waits_for_its_save));
}
