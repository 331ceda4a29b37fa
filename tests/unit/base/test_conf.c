/* Config trees. */
#include "failing.h"

#include "base/conf.h"

/* {"name": "d", "units": 3, "rate": 0.5, "sizes": [3, 4.0], "on": true, "none": null} */
static krti_conf *build(krti_arena *a)
{
    krti_conf *dict = krti_conf_dict(a), *sizes = krti_conf_list(a);

    if (krti_conf_add(a, sizes, krti_conf_int(a, 3)) != KRT_OK ||
        krti_conf_add(a, sizes, krti_conf_float(a, 4)) != KRT_OK ||
        krti_conf_set(a, dict, "name", krti_conf_string(a, "d")) != KRT_OK ||
        krti_conf_set(a, dict, "units", krti_conf_int(a, 3)) != KRT_OK ||
        krti_conf_set(a, dict, "rate", krti_conf_float(a, 0.5)) != KRT_OK ||
        krti_conf_set(a, dict, "sizes", sizes) != KRT_OK ||
        krti_conf_set(a, dict, "on", krti_conf_bool(a, true)) != KRT_OK ||
        krti_conf_set(a, dict, "none", krti_conf_null(a)) != KRT_OK)
        return NULL;
    return dict;
}

TEST(a_tree_answers_by_key_place_and_kind)
{
    krti_arena a = KRTI_ARENA_INIT(t->k);
    const krti_conf *c = build(&a);
    int64_t i = 0;
    double d = 0;

    assert_non_null(c);
    ASSERT_INT_EQ(6, krti_conf_num(c));
    ASSERT_STR_EQ("d", krti_conf_get_text(c, "name"));
    ASSERT_INT_EQ(3, krti_conf_get_int(c, "units", -1));
    ASSERT_INT_EQ(-1, krti_conf_get_int(c, "rate", -1));
    ASSERT_INT_EQ(4, krti_conf_as_int(krti_conf_at(krti_conf_get(c, "sizes"), 1), &i) ? i : 0);
    ASSERT_TRUE(krti_conf_as_float(krti_conf_get(c, "units"), &d) && d == 3.0);
    ASSERT_TRUE(krti_conf_get_bool(c, "on", false));
    ASSERT_TRUE(krti_conf_get_bool(c, "off", true));
    ASSERT_STR_EQ("sizes", krti_conf_key_at(c, 3));
    ASSERT_TRUE(krti_conf_is_null(krti_conf_get(c, "none")));
    ASSERT_TRUE(krti_conf_is_null(krti_conf_get(c, "absent")));
    krti_arena_free(&a);
}

TEST(lookers_take_null_and_the_wrong_kind)
{
    krti_arena a = KRTI_ARENA_INIT(t->k);
    const krti_conf *text = krti_conf_string(&a, "x");
    int64_t i = 0;

    assert_null(krti_conf_get(NULL, "a"));
    assert_null(krti_conf_get(text, "a"));
    assert_null(krti_conf_at(text, 0));
    assert_null(krti_conf_key_at(text, 0));
    assert_null(krti_conf_text(NULL));
    ASSERT_INT_EQ(0, krti_conf_num(text));
    ASSERT_TRUE(!krti_conf_as_int(text, &i));
    ASSERT_TRUE(!krti_conf_as_int(krti_conf_float(&a, 1.5), &i));
    ASSERT_TRUE(!krti_conf_as_int(krti_conf_float(&a, 1e300), &i));
    ASSERT_TRUE(!krti_conf_as_int(krti_conf_float(&a, (double)NAN), &i));
    krti_arena_free(&a);
}

TEST(setting_replaces_in_place_and_removing_keeps_the_order)
{
    krti_arena a = KRTI_ARENA_INIT(t->k);
    krti_conf *c = build(&a);

    ASSERT_OK(krti_conf_set(&a, c, "name", krti_conf_string(&a, "e")));
    ASSERT_STR_EQ("name", krti_conf_key_at(c, 0));
    ASSERT_STR_EQ("e", krti_conf_get_text(c, "name"));
    krti_conf_remove(c, "units");
    krti_conf_remove(c, "units");
    ASSERT_INT_EQ(5, krti_conf_num(c));
    ASSERT_STR_EQ("rate", krti_conf_key_at(c, 1));
    ASSERT_STR_EQ("none", krti_conf_key_at(c, 4));
    krti_arena_free(&a);
}

TEST(a_copy_is_equal_and_independent)
{
    krti_arena a = KRTI_ARENA_INIT(t->k), b = KRTI_ARENA_INIT(t->k);
    krti_conf *c = build(&a), *copy = krti_conf_copy(&b, c);

    ASSERT_TRUE(krti_conf_equal(c, copy));
    ASSERT_OK(krti_conf_set(&a, c, "units", krti_conf_int(&a, 4)));
    ASSERT_TRUE(!krti_conf_equal(c, copy));
    krti_arena_free(&a);
    ASSERT_INT_EQ(3, krti_conf_get_int(copy, "units", -1));
    krti_arena_free(&b);
}

TEST(equality_is_python_s)
{
    krti_arena a = KRTI_ARENA_INIT(t->k);
    krti_conf *x = krti_conf_dict(&a), *y = krti_conf_dict(&a);

    ASSERT_TRUE(krti_conf_equal(krti_conf_int(&a, 1), krti_conf_float(&a, 1.0)));
    ASSERT_TRUE(!krti_conf_equal(krti_conf_int(&a, 1), krti_conf_string(&a, "1")));
    ASSERT_TRUE(krti_conf_equal(NULL, krti_conf_null(&a)));
    ASSERT_TRUE(!krti_conf_equal(krti_conf_string_n(&a, "a\0b", 3), krti_conf_string(&a, "a")));
    krti_conf_set(&a, x, "a", krti_conf_int(&a, 1));
    krti_conf_set(&a, x, "b", krti_conf_int(&a, 2));
    krti_conf_set(&a, y, "b", krti_conf_int(&a, 2));
    ASSERT_TRUE(!krti_conf_equal(x, y));
    krti_conf_set(&a, y, "a", krti_conf_int(&a, 1));
    ASSERT_TRUE(krti_conf_equal(x, y)); /* whatever the order */
    krti_arena_free(&a);
}

/* [D, D, {"D": D}, -0.0, 0.0, 0, false, null], D being build()'s dict, each its own. */
static krti_conf *repetitive(krti_arena *a)
{
    krti_conf *list = krti_conf_list(a), *inner = krti_conf_dict(a);
    const double zeros[] = {-0.0, 0.0};
    krt_status st = krti_conf_set(a, inner, "D", build(a));

    for (int i = 0; i < 2 && st == KRT_OK; i++)
        st = krti_conf_add(a, list, build(a));
    if (st == KRT_OK)
        st = krti_conf_add(a, list, inner);
    for (int i = 0; i < 2 && st == KRT_OK; i++)
        st = krti_conf_add(a, list, krti_conf_float(a, zeros[i]));
    if (st != KRT_OK || krti_conf_add(a, list, krti_conf_int(a, 0)) != KRT_OK ||
        krti_conf_add(a, list, krti_conf_bool(a, false)) != KRT_OK ||
        krti_conf_add(a, list, krti_conf_null(a)) != KRT_OK)
        return NULL;
    return list;
}

TEST(equal_parts_are_shared_and_unequal_ones_are_not)
{
    krti_arena a = KRTI_ARENA_INIT(t->k), b = KRTI_ARENA_INIT(t->k);
    krti_sharing *s = krti_sharing_new(&b);
    const krti_conf *c = krti_conf_shared(s, repetitive(&a));
    const krti_conf *again = krti_conf_shared(s, build(&a));

    assert_non_null(c);
    ASSERT_TRUE(krti_conf_equal(c, repetitive(&a)));
    krti_sharing_free(s);
    krti_arena_free(&a); /* nothing of the original is left in it */
    ASSERT_TRUE(krti_conf_at(c, 0) == krti_conf_at(c, 1));
    ASSERT_TRUE(krti_conf_at(c, 0) == krti_conf_get(krti_conf_at(c, 2), "D"));
    ASSERT_TRUE(krti_conf_at(c, 0) == again);
    ASSERT_STR_EQ("sizes", krti_conf_key_at(krti_conf_at(c, 1), 3));
    for (size_t i = 3; i < 8; i++)
        for (size_t j = 3; j < i; j++)
            ASSERT_TRUE(krti_conf_at(c, i) != krti_conf_at(c, j));
    ASSERT_TRUE(signbit(krti_conf_at(c, 3)->as.real) != 0);
    ASSERT_INT_EQ(KRTI_CONF_INT, krti_conf_at(c, 5)->kind);
    krti_arena_free(&b);
}

static krt_status build_and_share(krt_ctx *k, void *unused)
{
    krti_arena a = KRTI_ARENA_INIT(k), b = KRTI_ARENA_INIT(k);
    krti_sharing *s = krti_sharing_new(&b);
    const krti_conf *c = s != NULL ? repetitive(&a) : NULL;
    const krt_status st = c != NULL && krti_conf_shared(s, c) != NULL ? KRT_OK : KRT_E_NOMEM;

    (void)unused;
    krti_sharing_free(s);
    krti_arena_free(&a);
    krti_arena_free(&b);
    return st;
}

TEST(sharing_survives_every_failing_allocation)
{
    ASSERT_TRUE(FAILING_SWEEP(build_and_share, NULL) >= 4);
}

static krt_status build_and_copy(krt_ctx *k, void *unused)
{
    krti_arena a = KRTI_ARENA_INIT(k), b = KRTI_ARENA_INIT(k);
    krti_conf *c = build(&a);
    krt_status st = c != NULL && krti_conf_copy(&b, c) != NULL ? KRT_OK : KRT_E_NOMEM;

    (void)unused;
    for (int i = 0; i < 400 && st == KRT_OK; i++)
        st = krti_conf_add(&a, (krti_conf *)(uintptr_t)krti_conf_get(c, "sizes"),
                           krti_conf_int(&a, i));
    krti_arena_free(&a);
    krti_arena_free(&b);
    return st;
}

TEST(a_tree_survives_every_failing_allocation)
{
    ASSERT_TRUE(FAILING_SWEEP(build_and_copy, NULL) >= 3);
}

int main(void)
{
    return RUN(UNIT(a_tree_answers_by_key_place_and_kind),
               UNIT(lookers_take_null_and_the_wrong_kind),
               UNIT(setting_replaces_in_place_and_removing_keeps_the_order),
               UNIT(a_copy_is_equal_and_independent), UNIT(equality_is_python_s),
               UNIT(equal_parts_are_shared_and_unequal_ones_are_not),
               UNIT(sharing_survives_every_failing_allocation),
               UNIT(a_tree_survives_every_failing_allocation));
}
