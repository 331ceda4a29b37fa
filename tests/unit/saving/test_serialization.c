/* Models written as configs: what real Keras wrote must come out again, from the copy and from the
 * arguments. Every .keras file among the fixtures is one case. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* nftw */
#endif
#include "testing.h"

#include "formats/json.h"
#include "saving/serialization.h"
#include <keratin/saving.h>

#include <ftw.h>

/* ------------------------------------------------------------------------------- comparing */

/* Where two trees differ, as text; false: they do not. */
typedef struct comparing {
    krti_str path;
    char found[200];
    bool from_arguments;
} comparing;

static bool differ(comparing *c, const krti_conf *expected, const krti_conf *found);

/* What Keras writes by accident or by the way it was called. */
static bool is_incidental(const comparing *c, const char *key, const krti_conf *value)
{
    static const char *const ids[] = {"shared_object_id"};
    static const char *const calls[] = {"training", "mask"};

    for (size_t i = 0; i < KRTI_COUNT(ids); i++)
        if (strcmp(key, ids[i]) == 0)
            return true;
    for (size_t i = 0; c->from_arguments && i < KRTI_COUNT(calls); i++)
        if (strcmp(key, calls[i]) == 0 && !krti_conf_is(value, KRTI_CONF_DICT))
            return true;
    return false;
}

static bool differ_in_dict(comparing *c, const krti_conf *expected, const krti_conf *found)
{
    const size_t length = c->path.length;

    for (size_t i = 0; i < krti_conf_num(expected); i++) {
        const char *key = krti_conf_key_at(expected, i);
        const krti_conf *value = krti_conf_get(found, key);

        if (is_incidental(c, key, krti_conf_at(expected, i)))
            continue;
        krti_str_addf(&c->path, ".%s", key);
        if (value == NULL)
            snprintf(c->found, sizeof c->found, "is missing");
        if (value == NULL || differ(c, krti_conf_at(expected, i), value))
            return true;
        c->path.length = length;
        c->path.ptr[length] = '\0';
    }
    for (size_t i = 0; i < krti_conf_num(found); i++) {
        const char *key = krti_conf_key_at(found, i);

        if (krti_conf_get(expected, key) != NULL || is_incidental(c, key, krti_conf_at(found, i)))
            continue;
        snprintf(c->found, sizeof c->found, "has %s, which Keras does not write", key);
        return true;
    }
    return false;
}

static bool differ_in_list(comparing *c, const krti_conf *expected, const krti_conf *found)
{
    const size_t length = c->path.length;

    if (krti_conf_num(expected) != krti_conf_num(found)) {
        snprintf(c->found, sizeof c->found, "has %zu items, expected %zu", krti_conf_num(found),
                 krti_conf_num(expected));
        return true;
    }
    for (size_t i = 0; i < krti_conf_num(expected); i++) {
        krti_str_addf(&c->path, "[%zu]", i);
        if (differ(c, krti_conf_at(expected, i), krti_conf_at(found, i)))
            return true;
        c->path.length = length;
        c->path.ptr[length] = '\0';
    }
    return false;
}

static bool differ(comparing *c, const krti_conf *expected, const krti_conf *found)
{
    krti_str a = KRTI_STR_INIT(c->path.k), b = KRTI_STR_INIT(c->path.k);

    if (krti_conf_is(expected, KRTI_CONF_DICT) && krti_conf_is(found, KRTI_CONF_DICT))
        return differ_in_dict(c, expected, found);
    if (krti_conf_is(expected, KRTI_CONF_LIST) && krti_conf_is(found, KRTI_CONF_LIST))
        return differ_in_list(c, expected, found);
    if (krti_conf_equal(expected, found))
        return false;
    krti_json_write(&a, expected, -1);
    krti_json_write(&b, found, -1);
    snprintf(c->found, sizeof c->found, "is %.80s, expected %.80s", b.ptr, a.ptr);
    krti_str_free(&a);
    krti_str_free(&b);
    return true;
}

/* ------------------------------------------------------------------------------- one file */

/* Makes every layer look as if an older Keras had written it, so that it is written from its
 * arguments. */
static void forget_generation(krt_layer *l)
{
    krt_model *m = krti_model_of(l);

    if (l->cls != NULL && l->package == NULL && (l->cls->flags & KRT_LAYER_OPERATION) == 0)
        l->generation = 2;
    for (size_t i = 0; i < l->num_inner; i++)
        forget_generation(l->inner[i].layer);
    for (size_t i = 0; m != NULL && i < m->num_kept; i++)
        if (m->kept[i]->generation != 2)
            forget_generation(m->kept[i]);
}

static bool same_config(krt_ctx *k, krt_model *m, const char *path, bool from_arguments)
{
    krti_arena arena = KRTI_ARENA_INIT(k);
    comparing c = {.path = KRTI_STR_INIT(k), .from_arguments = from_arguments};
    krti_conf *written = NULL;
    bool same = krti_serialize_model(&arena, m, &written) == KRT_OK;

    if (same) {
        krti_str_add(&c.path, "");
        same = !differ(&c, m->config, written);
    } else {
        snprintf(c.found, sizeof c.found, "%s", krt_ctx_error(k)->message);
    }
    if (!same)
        print_error("%s%s: %s %s\n", path, from_arguments ? ", from the arguments" : "",
                    krti_str_text(&c.path), c.found);
    krti_str_free(&c.path);
    krti_arena_free(&arena);
    return same;
}

/* Only today's Keras has today's keys, and some models are written in a way that our arguments do
 * not keep: an odd value that means nothing, shapes of a first call, a list around one tensor. */
static bool can_come_from_arguments(krt_ctx *k, const char *path)
{
    static const char *const others[] = {"renorm.keras",
                                         "act_object_prelu_layer.keras",
                                         "normalization_adapted_both.keras",
                                         "normalization_adapted_first.keras",
                                         "normalization_adapted_invert.keras",
                                         "normalization_adapted_last.keras",
                                         "normalization_adapted_none.keras",
                                         "one_input_in_a_list.keras"};
    krt_file *f = NULL;
    bool is_today = krt_file_open(k, &f, path) == KRT_OK &&
                    strcmp(krt_file_get_info(f)->keras_version, "3.15.1") == 0;

    krt_file_close(f);
    for (size_t i = 0; i < KRTI_COUNT(others); i++)
        is_today = is_today && !krti_ends_with(path, others[i]);
    return is_today;
}

static struct {
    krt_ctx *k;
    int files, differing;
} walk;

/* ------------------------------------------------------------------------------- every release */

/* A key or a spelling that Keras 3.0 does not know, holding what its absence means. */
static bool has_newer(const krti_conf *c, const char **what)
{
    static const char *const keys[] = {"input_axes", "output_axes",     "quantization_config",
                                       "renorm",     "renorm_clipping", "shared_object_id",
                                       "optional",   "use_gate"};
    const char *class_name = krti_conf_get_text(c, "class_name");

    for (size_t i = 0; krti_conf_is(c, KRTI_CONF_DICT) && i < KRTI_COUNT(keys); i++) {
        const krti_conf *value = krti_conf_get(c, keys[i]);

        *what = keys[i];
        if (value != NULL && (krti_conf_is_null(value) ||
                              (krti_conf_is(value, KRTI_CONF_BOOL) && !value->as.boolean) ||
                              krti_conf_is(value, KRTI_CONF_INT)))
            return true;
    }
    *what = class_name;
    if (class_name != NULL &&
        (strcmp(class_name, "DTypePolicy") == 0 || strcmp(class_name, "Orthogonal") == 0))
        return true;
    for (size_t i = 0; i < krti_conf_num(c); i++)
        if (has_newer(krti_conf_at(c, i), what))
            return true;
    return false;
}

/* What goes into a .keras has nothing new in it, and is the same model. */
static bool is_portable(krt_ctx *k, krt_model *m, const char *path)
{
    krti_arena arena = KRTI_ARENA_INIT(k);
    comparing c = {.path = KRTI_STR_INIT(k), .from_arguments = true};
    krti_str text = KRTI_STR_INIT(k);
    krti_conf *portable = NULL, *found = NULL;
    krt_model *again = NULL;
    const char *what = NULL;
    bool good = krti_serialize_portable(&arena, m, &portable) == KRT_OK;

    if (good && has_newer(portable, &what)) {
        print_error("%s: %s is not for every Keras 3\n", path, what);
        good = false;
    }
    good = good && krti_json_write(&text, portable, -1) == KRT_OK &&
           krt_from_json(k, &again, text.ptr, NULL) == KRT_OK;
    if (good) {
        forget_generation(&again->base);
        krti_str_add(&c.path, "");
        good = krti_serialize_portable(&arena, again, &found) == KRT_OK &&
               !differ(&c, portable, found);
    }
    if (!good)
        print_error("%s, for every Keras 3: %s %s\n", path, krti_str_text(&c.path),
                    again == NULL ? krt_ctx_error(k)->message : c.found);
    krt_model_free(again);
    krti_str_free(&text);
    krti_str_free(&c.path);
    krti_arena_free(&arena);
    return good;
}

static int visit(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    krt_model *m = NULL;
    bool same = true;

    (void)status;
    (void)ftw;
    if (type != FTW_F || !krti_ends_with(path, ".keras"))
        return 0;
    if (krti_ends_with(path, "compiled_behind_h5.keras")) /* reading gives it an optimizer */
        return 0;
    if (krt_load(walk.k, &m, path, KRT_LOAD(.config_only = true)) != KRT_OK)
        return 0; /* not every fixture is meant to open */
    if (m->base.generation >= 3) {
        same = same_config(walk.k, m, path, false);
        forget_generation(&m->base);
        if (m->cannot_run == NULL && can_come_from_arguments(walk.k, path))
            same = same_config(walk.k, m, path, true) && is_portable(walk.k, m, path) && same;
        walk.files++;
        walk.differing += !same;
    }
    krt_model_free(m);
    return 0;
}

TEST(every_model_of_keras_3_comes_out_as_keras_wrote_it)
{
    walk.k = t->k;
    walk.files = walk.differing = 0;
    assert_int_equal(nftw(KERATIN_FIXTURES, visit, 16, FTW_PHYS), 0);
    print_message("%d files, %d differ\n", walk.files, walk.differing);
    assert_true(walk.files > 1000);
    assert_int_equal(walk.differing, 0);
}

TEST(a_model_made_here_is_written_for_every_keras_3)
{
    krt_model *m = krt_sequential(t->k, KRT_MODEL(.name = "m"));
    krti_arena arena = KRTI_ARENA_INIT(t->k);
    krti_str text = KRTI_STR_INIT(t->k);
    krti_conf *c = NULL;
    const char *what = NULL;

    ASSERT_OK(krt_add_input(m, KRT_SHAPE(4), KRT_INPUT(.name = "x")));
    ASSERT_OK(krt_add(m, KRT_DENSE(3, .kernel_initializer = KRT_ORTHOGONAL(.gain = 2))));
    ASSERT_OK(krt_add(m, KRT_BATCH_NORMALIZATION(.name = "bn")));
    ASSERT_OK(krti_serialize_portable(&arena, m, &c));
    assert_false(has_newer(c, &what));
    assert_null(krti_conf_get(c, "compile_config"));
    ASSERT_OK(krti_json_write(&text, c, -1));
    assert_non_null(strstr(text.ptr, "\"class_name\": \"OrthogonalInitializer\""));
    assert_non_null(strstr(text.ptr, "\"dtype\": \"float32\", \"units\": 3"));
    krti_str_free(&text);
    krti_arena_free(&arena);
}

/* There and back: the words are Keras 2's, the model is the same. */
TEST(to_json_speaks_keras_2_when_asked)
{
    krt_model *m = krt_sequential(t->k, KRT_MODEL(.name = "m")), *again = NULL;
    char *today = NULL, *old = NULL, *back = NULL;

    ASSERT_OK(krt_add_input(m, KRT_SHAPE(4), KRT_INPUT(.name = "x")));
    ASSERT_OK(krt_add(m, KRT_DENSE(3, .name = "d", .activation = "relu")));
    ASSERT_OK(krt_add(m, KRT_BATCH_NORMALIZATION(.name = "bn")));
    ASSERT_OK(krt_to_json(m, &today, NULL));
    ASSERT_OK(krt_to_json(m, &old, KRT_TO_JSON(.for_keras = 2)));
    assert_non_null(strstr(old, "\"batch_input_shape\": [null, 4]"));
    assert_non_null(strstr(old, "}, \"keras_version\": \"2.15.0\", \"backend\": \"tensorflow\"}"));
    assert_null(strstr(old, "\"module\""));
    ASSERT_OK(krt_from_json(t->k, &again, old, NULL));
    ASSERT_OK(krt_to_json(again, &back, NULL));
    ASSERT_STR_EQ(today, back);
    krt_free(t->k, today);
    krt_free(t->k, old);
    krt_free(t->k, back);
    krt_model_free(again);
    ASSERT_STATUS(KRT_E_INVALID, krt_to_json(m, &old, KRT_TO_JSON(.for_keras = 1)));
    ASSERT_SAYS("for_keras is 1, expected 2 or 3");
    krt_model_free(m);
}

TEST(keras_2_names_the_layers_of_a_bidirectional_itself)
{
    krt_model *m = krt_sequential(t->k, KRT_MODEL(.name = "m"));
    char *json = NULL;

    ASSERT_OK(krt_add_input(m, KRT_SHAPE(5, 3), NULL));
    ASSERT_OK(krt_add(m, KRT_BIDIRECTIONAL(KRT_LSTM(2, .name = "l"))));
    ASSERT_OK(krt_to_json(m, &json, KRT_TO_JSON(.for_keras = 2)));
    assert_non_null(strstr(json, "\"name\": \"l\""));
    assert_null(strstr(json, "backward_layer"));
    assert_null(strstr(json, "zero_output_for_mask"));
    krt_free(t->k, json);
    krt_model_free(m);
}

TEST(grouped_query_attention_has_the_name_keras_layers_gives_it)
{
    krt_ktensor *x = krt_input(t->k, KRT_SHAPE(5, 6), NULL);
    krt_ktensor *y = krt_apply_n(KRT_KTENSORS(x, x), KRT_GROUPED_QUERY_ATTENTION(3, 4, 2));
    krt_model *m = krt_functional(t->k, KRT_KTENSORS(x), KRT_KTENSORS(y), NULL), *again = NULL;
    char *json = NULL;

    ASSERT_OK(krt_to_json(m, &json, NULL));
    assert_non_null(strstr(json, "\"class_name\": \"GroupQueryAttention\", \"config\": {\"name\": "
                                 "\"grouped_query_attention\""));
    ASSERT_OK(krt_from_json(t->k, &again, json, NULL));
    ASSERT_INT_EQ(6 * 12 + 12 + 2 * (6 * 6 + 6) + 12 * 6 + 6, krt_model_count_params(again));
    krt_free(t->k, json);
    krt_model_free(again);
    krt_model_free(m);
}

/* Keras 2 says of a Bidirectional that it is given states and no constants, which Keras 3 has none of. */
TEST(constants_of_none_stay_behind)
{
    static const char json[] =
        "{\"class_name\": \"Functional\", \"config\": {\"name\": \"m\", \"layers\": ["
        "{\"class_name\": \"InputLayer\", \"config\": {\"batch_input_shape\": [null, 2, 1], "
        "\"name\": \"x\"}, \"name\": \"x\", \"inbound_nodes\": []},"
        "{\"class_name\": \"InputLayer\", \"config\": {\"batch_input_shape\": [null, 1], "
        "\"name\": \"h\"}, \"name\": \"h\", \"inbound_nodes\": []},"
        "{\"class_name\": \"GRU\", \"config\": {\"name\": \"r\", \"units\": 1}, \"name\": \"r\", "
        "\"inbound_nodes\": [[[\"x\", 0, 0, {\"constants\": null}], [\"h\", 0, 0, "
        "{\"constants\": null}]]]}], \"input_layers\": [[\"x\", 0, 0], [\"h\", 0, 0]], "
        "\"output_layers\": [[\"r\", 0, 0]]}, \"keras_version\": \"2.15.0\"}";
    krt_model *m = NULL;
    char *today = NULL;

    ASSERT_OK(krt_from_json(t->k, &m, json, NULL));
    ASSERT_OK(krt_to_json(m, &today, NULL));
    assert_non_null(strstr(today, "\"initial_state\""));
    assert_null(strstr(today, "constants"));
    krt_free(t->k, today);
    krt_model_free(m);
}

/* What follows the sequence in C are its states, an argument of their own in Keras 3. */
TEST(states_are_named_in_the_words_of_keras_3)
{
    krt_ktensor *x = krt_input(t->k, KRT_SHAPE(5, 3), KRT_INPUT(.name = "x"));
    krt_ktensor *h = krt_input(t->k, KRT_SHAPE(2), KRT_INPUT(.name = "h"));
    krt_ktensor *both[] = {x, h}, *y = krt_apply_n((krt_ktensors){2, both}, KRT_GRU(2));
    krt_model *m = krt_functional(t->k, (krt_ktensors){2, both}, (krt_ktensors){1, &y}, NULL);
    krt_model *again = NULL;
    char *json = NULL, *back = NULL;

    ASSERT_OK(krt_to_json(m, &json, NULL));
    assert_non_null(strstr(json, "\"kwargs\": {\"initial_state\": [{\"class_name\": "
                                 "\"__keras_tensor__\""));
    assert_non_null(strstr(json, "\"initial_state_shape\": [null, 2]"));
    ASSERT_OK(krt_from_json(t->k, &again, json, NULL));
    ASSERT_OK(krt_to_json(again, &back, NULL));
    ASSERT_STR_EQ(json, back);
    krt_free(t->k, json);
    krt_free(t->k, back);
    krt_model_free(again);
    krt_model_free(m);
}

TEST(what_keras_2_has_no_word_for_is_named)
{
    krt_model *m = krt_sequential(t->k, NULL);
    char *json = NULL;

    ASSERT_OK(krt_add_input(m, KRT_SHAPE(4), NULL));
    ASSERT_OK(krt_add(m, KRT_LAYER_NORMALIZATION(.name = "rms", .rms_scaling = true)));
    ASSERT_STATUS(KRT_E_UNSUPPORTED, krt_to_json(m, &json, KRT_TO_JSON(.for_keras = 2)));
    ASSERT_SAYS("the argument rms_scaling, which Keras 2 does not have");
    assert_null(json);
    krt_model_free(m);
}

int main(void)
{
    return RUN(UNIT(a_model_made_here_is_written_for_every_keras_3),
               UNIT(to_json_speaks_keras_2_when_asked),
               UNIT(keras_2_names_the_layers_of_a_bidirectional_itself),
               UNIT(grouped_query_attention_has_the_name_keras_layers_gives_it),
               UNIT(constants_of_none_stay_behind), UNIT(states_are_named_in_the_words_of_keras_3),
               UNIT(what_keras_2_has_no_word_for_is_named),
               UNIT(every_model_of_keras_3_comes_out_as_keras_wrote_it));
}
