/* Growable text, maps from text, arenas. */
#include "failing.h"

#include "base/arena.h"
#include "base/map.h"
#include "base/str.h"

/* ------------------------------------------------------------------------------- str */

TEST(text_grows_by_every_kind_of_append)
{
    krti_str s = KRTI_STR_INIT(t->k);

    ASSERT_STR_EQ("", krti_str_text(&s));
    ASSERT_OK(krti_str_add(&s, "a"));
    ASSERT_OK(krti_str_add_n(&s, "bcd", 2));
    ASSERT_OK(krti_str_addf(&s, "-%d-%s-", 42, "x"));
    ASSERT_OK(krti_str_fill(&s, '.', 3));
    ASSERT_STR_EQ("abc-42-x-...", krti_str_text(&s));
    ASSERT_INT_EQ(12, s.length);
    krti_str_free(&s);
}

TEST(text_may_hold_nul_and_be_long)
{
    krti_str s = KRTI_STR_INIT(t->k);

    for (int i = 0; i < 10000; i++)
        krti_str_add_n(&s, "a\0b", 3);
    ASSERT_OK(s.status);
    ASSERT_INT_EQ(30000, s.length);
    assert_memory_equal(s.ptr + 29997, "a\0b", 4);
    krti_str_free(&s);
}

TEST(clearing_keeps_the_memory_and_forgets_a_failure)
{
    krti_str s = KRTI_STR_INIT(t->k);

    krti_str_fill(&s, 'x', 1000);
    const size_t capacity = s.capacity;
    s.status = KRT_E_NOMEM;
    ASSERT_STATUS(KRT_E_NOMEM, krti_str_add(&s, "no"));
    krti_str_clear(&s);
    ASSERT_OK(krti_str_add(&s, "yes"));
    ASSERT_STR_EQ("yes", krti_str_text(&s));
    ASSERT_INT_EQ(capacity, s.capacity);
    krti_str_free(&s);
}

TEST(taking_hands_the_text_over)
{
    krti_str s = KRTI_STR_INIT(t->k);
    char *text = krti_str_take(&s);

    ASSERT_STR_EQ("", text);
    krti_free(t->k, text);
    krti_str_add(&s, "mine");
    text = krti_str_take(&s);
    ASSERT_STR_EQ("mine", text);
    ASSERT_STR_EQ("", krti_str_text(&s));
    krti_free(t->k, text);
}

TEST(prefixes_and_suffixes_are_found)
{
    ASSERT_TRUE(krti_starts_with("model.keras", "model"));
    ASSERT_TRUE(!krti_starts_with("mod", "model"));
    ASSERT_TRUE(krti_ends_with("model.keras", ".keras"));
    ASSERT_TRUE(!krti_ends_with("keras", ".keras"));
    ASSERT_TRUE(krti_starts_with("", "") && krti_ends_with("", ""));
}

static krt_status build_text(krt_ctx *k, void *unused)
{
    krti_str s = KRTI_STR_INIT(k);

    (void)unused;
    for (int i = 0; i < 100; i++)
        krti_str_addf(&s, "%d,", i);
    const krt_status st = s.status;
    krti_str_free(&s);
    return st;
}

TEST(text_survives_every_failing_allocation)
{
    ASSERT_TRUE(FAILING_SWEEP(build_text, NULL) >= 4);
}

/* ------------------------------------------------------------------------------- map */

TEST(a_map_finds_what_was_set_in_the_order_it_was_set)
{
    krti_map *m = krti_map_new(t->k);
    int values[3];

    assert_non_null(m);
    ASSERT_OK(krti_map_set(m, "b", &values[0]));
    ASSERT_OK(krti_map_set(m, "a", &values[1]));
    ASSERT_OK(krti_map_set(m, "b", &values[2]));
    ASSERT_INT_EQ(2, krti_map_num(m));
    ASSERT_TRUE(krti_map_get(m, "b") == &values[2]);
    ASSERT_TRUE(krti_map_get(m, "c") == NULL && !krti_map_has(m, "c"));
    ASSERT_STR_EQ("b", krti_map_key_at(m, 0));
    ASSERT_STR_EQ("a", krti_map_key_at(m, 1));
    ASSERT_TRUE(krti_map_value_at(m, 1) == &values[1]);
    krti_map_free(m);
}

TEST(a_map_holds_thousands_and_copies_its_keys)
{
    krti_map *m = krti_map_new(t->k);
    char key[32];

    for (size_t i = 0; i < 20000; i++) {
        snprintf(key, sizeof key, "layers/dense_%zu", i);
        ASSERT_OK(krti_map_set(m, key, (void *)(i + 1)));
    }
    ASSERT_INT_EQ(20000, krti_map_num(m));
    for (size_t i = 0; i < 20000; i++) {
        snprintf(key, sizeof key, "layers/dense_%zu", i);
        ASSERT_INT_EQ(i + 1, (uintptr_t)krti_map_get(m, key));
    }
    krti_map_free(m);
}

TEST(a_missing_map_is_an_empty_map)
{
    ASSERT_INT_EQ(0, krti_map_num(NULL));
    assert_null(krti_map_get(NULL, "x"));
    ASSERT_TRUE(!krti_map_has(NULL, "x"));
    krti_map_free(NULL);
}

TEST(a_key_with_no_value_is_still_there)
{
    krti_map *m = krti_map_new(t->k);

    ASSERT_OK(krti_map_set(m, "", NULL));
    ASSERT_TRUE(krti_map_has(m, ""));
    assert_null(krti_map_get(m, ""));
    krti_map_free(m);
}

static krt_status build_map(krt_ctx *k, void *unused)
{
    krti_map *m = krti_map_new(k);
    krt_status st = m != NULL ? KRT_OK : KRT_E_NOMEM;
    char key[16];

    (void)unused;
    for (int i = 0; i < 50 && st == KRT_OK; i++) {
        snprintf(key, sizeof key, "k%d", i);
        st = krti_map_set(m, key, m);
        if (st != KRT_OK) { /* what was there before is untouched */
            ASSERT_INT_EQ(i, krti_map_num(m));
            ASSERT_TRUE(!krti_map_has(m, key));
        }
    }
    krti_map_free(m);
    return st;
}

TEST(a_map_survives_every_failing_allocation)
{
    ASSERT_TRUE(FAILING_SWEEP(build_map, NULL) >= 50);
}

/* ------------------------------------------------------------------------------- arena */

TEST(an_arena_gives_zeroed_aligned_memory_of_any_size)
{
    krti_arena a = KRTI_ARENA_INIT(t->k);

    for (size_t size = 0; size < 3000000; size = size * 3 + 1) {
        unsigned char *p = krti_arena_alloc(&a, size);

        assert_non_null(p);
        ASSERT_INT_EQ(0, (uintptr_t)p % 16);
        for (size_t i = 0; i < size; i++)
            if (p[i] != 0)
                fail_msg("byte %zu of %zu is not zero", i, size);
        memset(p, 0xFF, size);
    }
    ASSERT_STR_EQ("text", krti_arena_strdup(&a, "text"));
    ASSERT_STR_EQ("te", krti_arena_strndup(&a, "text", 2));
    krti_arena_free(&a);
    assert_non_null(krti_arena_alloc(&a, 1)); /* may be used again */
    krti_arena_free(&a);
}

TEST(an_arena_refuses_what_no_machine_has)
{
    krti_arena a = KRTI_ARENA_INIT(t->k);

    assert_null(krti_arena_array(&a, SIZE_MAX / 4, 8));
    ASSERT_INT_EQ(KRT_E_NOMEM, krt_ctx_error(t->k)->status);
    assert_null(krti_arena_alloc(&a, SIZE_MAX));
    krti_arena_free(&a);
}

int main(void)
{
    return RUN(
        UNIT(text_grows_by_every_kind_of_append), UNIT(text_may_hold_nul_and_be_long),
        UNIT(clearing_keeps_the_memory_and_forgets_a_failure), UNIT(taking_hands_the_text_over),
        UNIT(prefixes_and_suffixes_are_found), UNIT(text_survives_every_failing_allocation),
        UNIT(a_map_finds_what_was_set_in_the_order_it_was_set),
        UNIT(a_map_holds_thousands_and_copies_its_keys), UNIT(a_missing_map_is_an_empty_map),
        UNIT(a_key_with_no_value_is_still_there), UNIT(a_map_survives_every_failing_allocation),
        UNIT(an_arena_gives_zeroed_aligned_memory_of_any_size),
        UNIT(an_arena_refuses_what_no_machine_has));
}
