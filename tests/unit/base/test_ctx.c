/* Contexts: allocation, ownership, errors, arguments. */
#include "failing.h"

#include "base/ctx.h"

#include <errno.h>

TEST(a_new_context_has_no_error)
{
    ASSERT_INT_EQ(KRT_OK, krt_ctx_error(t->k)->status);
    ASSERT_STR_EQ("", krt_ctx_error(t->k)->message);
    assert_null(krt_ctx_error(t->k)->object);
    assert_null(krt_ctx_error(t->k)->filepath);
}

TEST(every_status_has_a_name_and_a_text)
{
    ASSERT_STR_EQ("KRT_OK", krt_status_name(KRT_OK));
    ASSERT_STR_EQ("KRT_E_NOT_FOUND", krt_status_name(KRT_E_NOT_FOUND));
    ASSERT_STR_EQ("checksum or structure is wrong", krt_status_text(KRT_E_CORRUPT));
    ASSERT_STR_EQ("KRT_E_UNKNOWN", krt_status_name((krt_status)-999));
    ASSERT_STR_EQ("unknown status", krt_status_text((krt_status)-999));
}

TEST(a_failure_keeps_status_message_object_and_file)
{
    const krt_error *e = krt_ctx_error(t->k);

    ASSERT_INT_EQ(KRT_E_MISMATCH,
                  krti_fail(t->k, KRT_E_MISMATCH, "layers/conv2d", "kernel has %d", 3));
    krti_fail_in_file(t->k, KRT_E_MISMATCH, "a.keras");
    ASSERT_INT_EQ(KRT_E_MISMATCH, e->status);
    ASSERT_STR_EQ("kernel has 3", e->message);
    ASSERT_STR_EQ("layers/conv2d", e->object);
    ASSERT_STR_EQ("a.keras", e->filepath);
}

TEST(the_deepest_file_and_object_stay)
{
    krti_fail(t->k, KRT_E_CORRUPT, "inner", "broken");
    krti_fail_in_object(t->k, KRT_E_CORRUPT, "outer");
    krti_fail_in_file(t->k, KRT_E_CORRUPT, "inner.h5");
    krti_fail_in_file(t->k, KRT_E_CORRUPT, "outer.json");
    ASSERT_STR_EQ("inner", krt_ctx_error(t->k)->object);
    ASSERT_STR_EQ("inner.h5", krt_ctx_error(t->k)->filepath);
}

TEST(a_new_failure_forgets_the_place_of_the_last)
{
    krti_fail(t->k, KRT_E_CORRUPT, "inner", "broken");
    krti_fail_in_file(t->k, KRT_E_CORRUPT, "inner.h5");
    krti_fail(t->k, KRT_E_INVALID, NULL, "other");
    assert_null(krt_ctx_error(t->k)->object);
    assert_null(krt_ctx_error(t->k)->filepath);
}

TEST(a_message_is_one_line_whatever_a_name_holds)
{
    krti_fail(t->k, KRT_E_CORRUPT, "a\nb", "member \"%s\"", "x\ny\x1b[31m");
    ASSERT_STR_EQ("member \"x y [31m\"", krt_ctx_error(t->k)->message);
    ASSERT_STR_EQ("a b", krt_ctx_error(t->k)->object);
}

TEST(a_long_message_is_cut_not_overrun)
{
    char text[5000];

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    krti_fail(t->k, KRT_E_CORRUPT, text, "%s", text);
    krti_fail_in_file(t->k, KRT_E_CORRUPT, text);
    ASSERT_INT_EQ(KRTI_MESSAGE_MAX - 1, strlen(krt_ctx_error(t->k)->message));
    ASSERT_INT_EQ(KRTI_OBJECT_MAX - 1, strlen(krt_ctx_error(t->k)->object));
    ASSERT_INT_EQ(KRTI_PATH_MAX - 1, strlen(krt_ctx_error(t->k)->filepath));
}

TEST(a_failed_system_call_keeps_its_errno)
{
    errno = ENOSPC;
    krti_fail_errno(t->k, KRT_E_IO, "cannot write");
    ASSERT_INT_EQ(ENOSPC, krt_ctx_error(t->k)->sys_errno);
    ASSERT_SAYS("cannot write: No space left");
}

TEST(memory_is_zeroed_and_aligned)
{
    for (size_t size = 0; size < 300; size += 37) {
        unsigned char *p = krti_alloc(t->k, size);

        assert_non_null(p);
        ASSERT_INT_EQ(0, (uintptr_t)p % (size <= 256 ? 16 : 64));
        for (size_t i = 0; i < size; i++)
            ASSERT_INT_EQ(0, p[i]);
        krti_free(t->k, p);
    }
}

TEST(impossible_sizes_are_out_of_memory_not_a_wrap)
{
    assert_null(krti_array(t->k, SIZE_MAX / 2, 3));
    ASSERT_INT_EQ(KRT_E_NOMEM, krt_ctx_error(t->k)->status);
    assert_null(krti_alloc(t->k, SIZE_MAX - 8));
    assert_null(krti_resize(t->k, NULL, SIZE_MAX - 8));
}

TEST(resizing_keeps_the_bytes)
{
    char *p = krti_strdup(t->k, "hello");

    p = krti_resize(t->k, p, 100000);
    assert_non_null(p);
    ASSERT_STR_EQ("hello", p);
    p = krti_resize(t->k, p, 3);
    assert_memory_equal(p, "hel", 3);
    krti_free(t->k, p);
}

TEST(growing_doubles_and_keeps_the_elements)
{
    int *items = NULL;
    size_t capacity = 0;

    for (int i = 0; i < 1000; i++) {
        ASSERT_OK(krti_grow(t->k, &items, &capacity, (size_t)i + 1, sizeof *items));
        items[i] = i;
    }
    ASSERT_INT_EQ(1024, capacity);
    for (int i = 0; i < 1000; i++)
        ASSERT_INT_EQ(i, items[i]);
    ASSERT_STATUS(KRT_E_NOMEM, krti_grow(t->k, &items, &capacity, SIZE_MAX, sizeof *items));
    ASSERT_INT_EQ(7, items[7]);
    krti_free(t->k, items);
}

TEST(checked_products_and_sums_notice_overflow)
{
    size_t s = 0;
    int64_t i = 0;

    ASSERT_TRUE(krti_mul_size(6, 7, &s) && s == 42);
    ASSERT_TRUE(krti_mul_size(SIZE_MAX, 0, &s) && s == 0);
    ASSERT_TRUE(!krti_mul_size(SIZE_MAX / 2 + 1, 2, &s));
    ASSERT_TRUE(krti_add_size(SIZE_MAX - 1, 1, &s) && s == SIZE_MAX);
    ASSERT_TRUE(!krti_add_size(SIZE_MAX, 1, &s));
    ASSERT_TRUE(krti_mul_i64(INT64_MAX, 1, &i) && i == INT64_MAX);
    ASSERT_TRUE(!krti_mul_i64(INT64_MAX / 2 + 1, 2, &i));
    ASSERT_TRUE(!krti_mul_i64(-1, 2, &i));
}

typedef struct thing {
    krti_owned owned;
    int *destroyed;
    int number;
} thing;

static void destroy_thing(void *self)
{
    thing *x = self;

    *x->destroyed = *x->destroyed * 10 + x->number;
    krti_free(x->owned.k, x);
}

static thing *make_thing(krt_ctx *k, int number, int *destroyed)
{
    thing *x = krti_alloc(k, sizeof *x);

    assert_non_null(x);
    x->number = number;
    x->destroyed = destroyed;
    krti_own(k, &x->owned, destroy_thing);
    return x;
}

TEST(a_context_frees_what_is_left_newest_first)
{
    krt_ctx *k = NULL;
    int destroyed = 0;

    ASSERT_OK(krt_ctx_new(&k, NULL));
    make_thing(k, 1, &destroyed);
    thing *two = make_thing(k, 2, &destroyed);
    make_thing(k, 3, &destroyed);
    krti_disown(&two->owned);
    destroy_thing(two);
    ASSERT_INT_EQ(2, destroyed);
    krt_ctx_free(k);
    ASSERT_INT_EQ(231, destroyed);
}

TEST(contexts_refuse_arguments_they_do_not_know)
{
    krt_ctx *k = NULL;
    struct {
        krt_ctx_args args;
        char more[16];
    } newer = {.args = {.struct_size = sizeof newer}};

    ASSERT_INT_EQ(KRT_E_UNSUPPORTED, krt_ctx_new(&k, &newer.args));
    ASSERT_INT_EQ(KRT_E_INVALID, krt_ctx_new(&k, KRT_CTX(.threads = -1)));
    ASSERT_INT_EQ(KRT_E_INVALID, krt_ctx_new(&k, KRT_CTX(.allocator.alloc = failing_alloc)));
    assert_null(k);
    krt_ctx_free(NULL);
}

TEST(contexts_accept_arguments_of_an_older_header)
{
    krt_ctx *k = NULL;
    krt_ctx_args args = {.struct_size = offsetof(krt_ctx_args, seed), .threads = 3};

    ASSERT_OK(krt_ctx_new(&k, &args));
    ASSERT_INT_EQ(3, k->threads);
    krt_ctx_free(k);
}

TEST(threads_are_never_negative)
{
    ASSERT_STATUS(KRT_E_INVALID, krt_ctx_set_threads(t->k, -1));
    ASSERT_SAYS("threads is -1");
    ASSERT_OK(krt_ctx_set_threads(t->k, 5));
    ASSERT_INT_EQ(5, t->k->threads);
}

typedef struct some_args {
    size_t struct_size;
    int a, b;
} some_args;

TEST(args_lie_over_the_defaults)
{
    static const some_args defaults = {sizeof defaults, 1, 2};
    const some_args older = {offsetof(some_args, b), 7, 99};
    const some_args newer = {sizeof newer + 1, 7, 8};
    some_args found;

    ASSERT_OK(krti_args_import(t->k, &found, &defaults, sizeof found, NULL));
    ASSERT_INT_EQ(1, found.a);
    ASSERT_OK(krti_args_import(t->k, &found, &defaults, sizeof found, &older));
    ASSERT_INT_EQ(7, found.a);
    ASSERT_INT_EQ(2, found.b);
    ASSERT_STATUS(KRT_E_UNSUPPORTED,
                  krti_args_import(t->k, &found, &defaults, sizeof found, &newer));
    ASSERT_SAYS("at most 16 known");
}

TEST(a_run_s_failure_is_copied_into_its_model_s_context)
{
    krt_ctx *child = NULL;

    ASSERT_OK(krti_ctx_child(&child, t->k));
    krti_fail(child, KRT_E_CORRUPT, "layers/a", "50%% done");
    krti_fail_in_file(child, KRT_E_CORRUPT, "f");
    krti_fail_copy(t->k, child);
    ASSERT_INT_EQ(KRT_E_CORRUPT, krt_ctx_error(t->k)->status);
    ASSERT_SAYS("50% done");
    ASSERT_STR_EQ("layers/a", krt_ctx_error(t->k)->object);
    ASSERT_STR_EQ("f", krt_ctx_error(t->k)->filepath);
    krt_ctx_free(child);
}

static void remember(void *user, int level, const char *text)
{
    char *last = user;

    snprintf(last, 64, "%d:%s", level, text);
}

TEST(warnings_go_to_the_host_s_log)
{
    char last[64] = "";
    krt_ctx *k = NULL;

    ASSERT_OK(krt_ctx_new(&k, KRT_CTX(.log = remember, .user = last)));
    krti_warn(k, "skipping %s", "x");
    ASSERT_STR_EQ("1:skipping x", last);
    krt_ctx_free(k);
    krti_warn(t->k, "nobody listens");
}

TEST(an_allocator_gets_the_sizes_it_gave)
{
    failing f;
    krt_ctx *k = failing_ctx(&f, SIZE_MAX);
    const size_t before = f.outstanding;
    unsigned char *p = krti_alloc(k, 100);

    for (int i = 0; i < 100; i++)
        p[i] = (unsigned char)i;
    static const size_t sizes[] = {5000, 6000, 257, 256, 120, 0, 300}; /* small blocks and others */
    size_t kept = 100;
    for (size_t i = 0; i < KRTI_COUNT(sizes); i++) {
        p = krti_resize(k, p, sizes[i]);
        kept = sizes[i] < kept ? sizes[i] : kept;
        ASSERT_TRUE(f.outstanding > before + sizes[i]);
        for (size_t at = 0; at < kept; at++)
            ASSERT_INT_EQ(at, p[at]);
    }
    krti_free(k, p);
    ASSERT_INT_EQ(before, f.outstanding);
    krt_ctx_free(k);
    ASSERT_INT_EQ(0, f.outstanding);
}

int main(void)
{
    return RUN(
        UNIT(a_new_context_has_no_error), UNIT(every_status_has_a_name_and_a_text),
        UNIT(a_failure_keeps_status_message_object_and_file),
        UNIT(the_deepest_file_and_object_stay), UNIT(a_new_failure_forgets_the_place_of_the_last),
        UNIT(a_message_is_one_line_whatever_a_name_holds), UNIT(a_long_message_is_cut_not_overrun),
        UNIT(a_failed_system_call_keeps_its_errno), UNIT(memory_is_zeroed_and_aligned),
        UNIT(impossible_sizes_are_out_of_memory_not_a_wrap), UNIT(resizing_keeps_the_bytes),
        UNIT(growing_doubles_and_keeps_the_elements),
        UNIT(checked_products_and_sums_notice_overflow),
        UNIT(a_context_frees_what_is_left_newest_first),
        UNIT(contexts_refuse_arguments_they_do_not_know),
        UNIT(contexts_accept_arguments_of_an_older_header), UNIT(threads_are_never_negative),
        UNIT(args_lie_over_the_defaults), UNIT(a_run_s_failure_is_copied_into_its_model_s_context),
        UNIT(warnings_go_to_the_host_s_log), UNIT(an_allocator_gets_the_sizes_it_gave));
}
