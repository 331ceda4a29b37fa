/* Tests of src/layers/manual.c: what classes say about themselves. */
#include "layers/manual.h"
#include "testing.h"

static const krti_conf *argument(const krti_conf *described, const char *name)
{
    const krti_conf *list = krti_conf_get(described, "arguments");

    for (size_t i = 0; i < krti_conf_num(list); i++)
        if (strcmp(krti_conf_get_text(krti_conf_at(list, i), "name"), name) == 0)
            return krti_conf_at(list, i);
    return NULL;
}

static bool is_in(const krti_conf *list, const char *name)
{
    for (size_t i = 0; i < krti_conf_num(list); i++)
        if (strcmp(krti_conf_text(krti_conf_at(list, i)), name) == 0)
            return true;
    return false;
}

TEST(every_name_in_the_list_can_be_described)
{
    static const char *const kinds[] = {"layers", "activations", "initializers", "operations",
                                        "regularizers and constraints"};
    krti_arena a = KRTI_ARENA_INIT(t->k);
    krti_str text = KRTI_STR_INIT(t->k);
    krti_conf *all = NULL;

    ASSERT_OK(krti_describe_all(&a, &all));
    for (size_t i = 0; i < KRTI_COUNT(kinds); i++) {
        const krti_conf *list = krti_conf_get(all, kinds[i]);

        assert_true(krti_conf_num(list) > 0);
        for (size_t j = 0; j < krti_conf_num(list); j++) {
            const char *name = krti_conf_text(krti_conf_at(list, j));
            krti_conf *one = NULL;

            ASSERT_OK(krti_describe_class(&a, name, &one));
            krti_str_clear(&text);
            ASSERT_OK(krti_describe_text(&text, one));
            ASSERT_TRUE(krti_starts_with(krti_str_text(&text), name));
        }
    }
    krti_str_free(&text);
    krti_arena_free(&a);
}

TEST(what_keras_gives_no_default_is_required)
{
    krti_arena a = KRTI_ARENA_INIT(t->k);
    krti_conf *one = NULL;

    ASSERT_OK(krti_describe_class(&a, "Conv2D", &one));
    ASSERT_TRUE(krti_conf_get_bool(argument(one, "filters"), "required", false));
    ASSERT_TRUE(krti_conf_get_bool(argument(one, "kernel_size"), "required", false));
    ASSERT_TRUE(!krti_conf_get_bool(argument(one, "strides"), "required", true));
    ASSERT_OK(krti_describe_class(&a, "Dropout", &one));
    ASSERT_TRUE(krti_conf_get_bool(argument(one, "rate"), "required", false));
    ASSERT_TRUE(!krti_conf_get_bool(argument(one, "seed"), "required", true));
    ASSERT_OK(krti_describe_class(&a, "Activation", &one));
    ASSERT_TRUE(krti_conf_get_bool(argument(one, "activation"), "required", false));
    krti_arena_free(&a);
}

TEST(defaults_are_those_of_get_config)
{
    krti_arena a = KRTI_ARENA_INIT(t->k);
    krti_conf *one = NULL;
    const krti_conf *value;

    ASSERT_OK(krti_describe_class(&a, "Dense", &one));
    value = krti_conf_get(argument(one, "kernel_initializer"), "default");
    ASSERT_STR_EQ("GlorotUniform", krti_conf_get_text(value, "class_name"));
    ASSERT_STR_EQ("linear", krti_conf_get_text(argument(one, "activation"), "default"));
    ASSERT_TRUE(krti_conf_get_bool(argument(one, "use_bias"), "default", false));
    ASSERT_OK(krti_describe_class(&a, "BatchNormalization", &one));
    ASSERT_INT_EQ(-1, krti_conf_get_int(argument(one, "axis"), "default", 0));
    krti_arena_free(&a);
}

TEST(an_unknown_class_is_named)
{
    krti_arena a = KRTI_ARENA_INIT(t->k);
    krti_conf *one = NULL;

    ASSERT_STATUS(KRT_E_UNKNOWN_CLASS, krti_describe_class(&a, "Conv9D", &one));
    ASSERT_SAYS("class \"Conv9D\" is neither built in nor registered");
    krti_arena_free(&a);
}

TEST(what_never_runs_is_not_listed)
{
    krti_arena a = KRTI_ARENA_INIT(t->k);
    krti_conf *all = NULL;

    ASSERT_OK(krti_describe_all(&a, &all));
    ASSERT_TRUE(is_in(krti_conf_get(all, "layers"), "Dense"));
    ASSERT_TRUE(!is_in(krti_conf_get(all, "layers"), "Lambda"));
    ASSERT_TRUE(!is_in(krti_conf_get(all, "activations"), "softmax_v2"));
    krti_arena_free(&a);
}

int main(void)
{
    return RUN(UNIT(every_name_in_the_list_can_be_described),
               UNIT(what_keras_gives_no_default_is_required),
               UNIT(defaults_are_those_of_get_config), UNIT(an_unknown_class_is_named),
               UNIT(what_never_runs_is_not_listed));
}
