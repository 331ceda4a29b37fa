/* JSON as Python's json module reads and writes it. */
#include "failing.h"

#include "formats/json.h"

/* What the text becomes when it is parsed and written again. */
static char *again(krt_ctx *k, const char *text, size_t size, int indent)
{
    krti_arena a = KRTI_ARENA_INIT(k);
    krti_str s = KRTI_STR_INIT(k);
    const krti_conf *c = NULL;
    const krt_status st = krti_json_parse(&a, &c, text, size);

    if (st == KRT_OK)
        (void)krti_json_write(&s, c, indent);
    else
        krti_str_addf(&s, "%s: %s", krt_status_name(st), krt_ctx_error(k)->message);
    krti_arena_free(&a);
    return krti_str_take(&s);
}

static void assert_again(krt_ctx *k, const char *text, const char *expected)
{
    char *found = again(k, text, strlen(text), -1);

    assert_string_equal(found, expected);
    krti_free(k, found);
}

TEST(what_python_writes_comes_back_character_for_character)
{
    static const char *const texts[] = {
        "{\"class_name\": \"Dense\", \"config\": {\"units\": 3, \"rate\": 0.5, \"axis\": [-1]}}",
        "[]",
        "{}",
        "[{}, [], [[]], null, true, false]",
        "[1e-07, 0.001, 100.0, 1e+16, 0.0010000000474974513]",
        "[NaN, Infinity, -Infinity]",
        "[9223372036854775807, -9223372036854775808, 0, -1]",
        "\"\\\"\\\\\\b\\f\\n\\r\\t\\u0000\\u001f\\u007f\\u00e9\\u20ac\\ud83d\\ude00/\"",
        "\"plain\"",
        "-0.0",
    };

    for (size_t i = 0; i < KRTI_COUNT(texts); i++)
        assert_again(t->k, texts[i], texts[i]);
}

TEST(other_spellings_mean_the_same)
{
    assert_again(t->k, " \t\r\n[1 ,\n2 ] ", "[1, 2]");
    assert_again(t->k, "\xEF\xBB\xBF{\"a\":1}", "{\"a\": 1}");
    assert_again(t->k, "\"\xC3\xA9\\u00E9\\/\"", "\"\\u00e9\\u00e9/\"");
    assert_again(t->k, "[-0, 1E5, 1e5, 1.0E+2, 2e-3]", "[0, 100000.0, 100000.0, 100.0, 0.002]");
}

TEST(integers_beyond_64_bits_become_floats)
{
    assert_again(t->k, "[9223372036854775808, -9223372036854775809]",
                 "[9.223372036854776e+18, -9.223372036854776e+18]");
    assert_again(t->k, "123456789012345678901234567890", "1.2345678901234568e+29");
    assert_again(t->k, "[1e400, -1e400]", "[Infinity, -Infinity]");
}

TEST(of_duplicate_keys_the_last_value_takes_the_first_place)
{
    krti_str s = KRTI_STR_INIT(t->k);

    assert_again(t->k, "{\"a\": 1, \"b\": 2, \"a\": 3}", "{\"a\": 3, \"b\": 2}");
    krti_str_add(&s, "{");
    for (int i = 0; i < 3000; i++)
        krti_str_addf(&s, "\"k%d\": %d, ", i, i);
    krti_str_add(&s, "\"k7\": \"last\"}");
    char *found = again(t->k, s.ptr, s.length, -1);
    assert_non_null(strstr(found, "\"k6\": 6, \"k7\": \"last\", \"k8\": 8"));
    assert_non_null(strstr(found, "\"k2999\": 2999}"));
    krti_free(t->k, found);
    krti_str_free(&s);
}

TEST(indents_are_python_s)
{
    const char *text = "{\"a\": [1, {}], \"b\": {\"c\": []}}";
    char *found = again(t->k, text, strlen(text), 2);

    ASSERT_STR_EQ("{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": {\n    \"c\": []\n  }\n}", found);
    krti_free(t->k, found);
}

TEST(text_that_is_not_json_is_refused_with_the_place)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "not JSON: a value expected, found the end at byte 0"},
        {"  ", "not JSON: a value expected, found the end at byte 2"},
        {"[1,]", "not JSON: a value expected, found ']' at byte 3"},
        {"{\"a\":1,}", "not JSON: a key in double quotes expected, found '}' at byte 7"},
        {"{'a':1}", "not JSON: a key in double quotes expected, found ''' at byte 1"},
        {"// c\n1", "not JSON: a value expected, found '/' at byte 0"},
        {"/* c */1", "not JSON: a value expected, found '/' at byte 0"},
        {"[1 2]", "not JSON: ',' or ']' expected, found '2' at byte 3"},
        {"{\"a\" 1}", "not JSON: ':' expected, found '1' at byte 5"},
        {"{\"a\":1 \"b\":2}", "not JSON: ',' or '}' expected, found '\"' at byte 7"},
        {"nul", "not JSON: a value expected, found 'n' at byte 0"},
        {"nullx", "not JSON: the end expected, found 'x' at byte 4"},
        {"nan", "not JSON: a value expected, found 'n' at byte 0"},
        {"True", "not JSON: a value expected, found 'T' at byte 0"},
        {"-", "not JSON: a digit expected, found the end at byte 1"},
        {"01", "not JSON: the end expected, found '1' at byte 1"},
        {"1.", "not JSON: the end expected, found '.' at byte 1"},
        {".5", "not JSON: a value expected, found '.' at byte 0"},
        {"1.5e", "not JSON: the end expected, found 'e' at byte 3"},
        {"+1", "not JSON: a value expected, found '+' at byte 0"},
        {"1 2", "not JSON: the end expected, found '2' at byte 2"},
        {"{\"a\":1}<html>", "not JSON: the end expected, found '<' at byte 7"},
        {"\"abc", "not JSON: text ends inside a string at byte 4"},
        {"\"abc\\", "not JSON: text ends inside a string at byte 5"},
        {"\"a\tb\"", "not JSON: control character in a string at byte 2"},
        {"\"\\x\"", "not JSON: unknown escape in a string at byte 1"},
        {"\"\\u12g4\"", "not JSON: \\u without four hexadecimal digits at byte 1"},
        {"\"\\ud83d\"", "not JSON: half of a surrogate pair at byte 1"},
        {"\"\\ude00\\ud83d\"", "not JSON: half of a surrogate pair at byte 1"},
        {"\"a\xFF\"", "not JSON: text is not UTF-8 at byte 2"},
        {"\"\xC0\x80\"", "not JSON: text is not UTF-8 at byte 1"},
        {"\"\xED\xA0\x80\"", "not JSON: text is not UTF-8 at byte 1"},
        {"\"\xF4\x90\x80\x80\"", "not JSON: text is not UTF-8 at byte 1"},
        {"\"\xE2\x82\"", "not JSON: text is not UTF-8 at byte 1"},
        {"{\"a\\u0000b\": 1}", "not JSON: a NUL in a key at byte 1"},
        {"<!DOCTYPE html>", "not JSON: a value expected, found '<' at byte 0"},
        {"\x89HDF", "not JSON: a value expected, found 0x89 at byte 0"},
    };
    krti_arena a = KRTI_ARENA_INIT(t->k);
    const krti_conf *c = NULL;

    for (size_t i = 0; i < KRTI_COUNT(cases); i++) {
        const krt_status st = krti_json_parse(&a, &c, cases[i].text, strlen(cases[i].text));

        if (st != KRT_E_FORMAT || strcmp(krt_ctx_error(t->k)->message, cases[i].message) != 0)
            fail_msg("%s: %s\n  expected %s", cases[i].text, krt_ctx_error(t->k)->message,
                     cases[i].message);
        assert_null(c);
    }
    krti_arena_free(&a);
}

static char *nested(krt_ctx *k, const char *open, const char *middle, const char *close, int depth)
{
    krti_str s = KRTI_STR_INIT(k);

    for (int i = 0; i < depth; i++)
        krti_str_add(&s, open);
    krti_str_add(&s, middle);
    for (int i = 0; i < depth; i++)
        krti_str_add(&s, close);
    return krti_str_take(&s);
}

TEST(depth_is_limited)
{
    char *deepest = nested(t->k, "[", "1", "]", KRTI_JSON_MAX_DEPTH);
    char *deeper = nested(t->k, "[", "1", "]", KRTI_JSON_MAX_DEPTH + 1);
    char *objects = nested(t->k, "{\"a\":", "1", "}", 10000);
    char *open = nested(t->k, "[", "", "", 100000);
    char *found = again(t->k, deepest, strlen(deepest), -1);
    krti_arena a = KRTI_ARENA_INIT(t->k);
    const krti_conf *c = NULL;

    assert_string_equal(found, deepest);
    krti_free(t->k, found);
    ASSERT_STATUS(KRT_E_FORMAT, krti_json_parse(&a, &c, deeper, strlen(deeper)));
    ASSERT_SAYS("nested more than 512 deep");
    ASSERT_STATUS(KRT_E_FORMAT, krti_json_parse(&a, &c, objects, strlen(objects)));
    ASSERT_SAYS("nested more than 512 deep");
    ASSERT_STATUS(KRT_E_FORMAT, krti_json_parse(&a, &c, open, strlen(open)));
    krti_arena_free(&a);
    krti_free(t->k, deepest);
    krti_free(t->k, deeper);
    krti_free(t->k, objects);
    krti_free(t->k, open);
}

TEST(siblings_do_not_count_as_depth)
{
    krti_str s = KRTI_STR_INIT(t->k);

    krti_str_add(&s, "[0");
    for (int i = 0; i < 2000; i++)
        krti_str_add(&s, ", [[]]");
    krti_str_add(&s, "]");
    assert_again(t->k, s.ptr, s.ptr);
    krti_str_free(&s);
}

TEST(a_prefix_of_a_config_is_never_json_nor_a_crash)
{
    const char *text =
        "{\"a\": [1.5e3, -2, \"\\u00e9\\ud83d\\ude00\", true], \"b\": {\"c\": null}}";
    krti_arena a = KRTI_ARENA_INIT(t->k);
    const krti_conf *c = NULL;

    for (size_t n = 0; n < strlen(text); n++) {
        char *exact = malloc(n + 1 - (n > 0)); /* so that a byte too far is noticed */

        memcpy(exact, text, n);
        ASSERT_STATUS(KRT_E_FORMAT, krti_json_parse(&a, &c, exact, n));
        free(exact);
    }
    krti_arena_free(&a);
}

TEST(memory_stays_a_small_multiple_of_the_text)
{
    failing f;
    krt_ctx *k = failing_ctx(&f, SIZE_MAX);
    krti_arena a = KRTI_ARENA_INIT(k);
    krti_str s = KRTI_STR_INIT(t->k);
    const krti_conf *c = NULL;

    krti_str_add(&s, "[0");
    for (int i = 0; i < 200000; i++)
        krti_str_add(&s, ",0");
    krti_str_add(&s, "]");
    ASSERT_OK(krti_json_parse(&a, &c, s.ptr, s.length));
    ASSERT_INT_EQ(200001, krti_conf_num(c));
    if (f.peak > 70 * s.length)
        fail_msg("%zu bytes for %zu of text", f.peak, s.length);
    krti_arena_free(&a);
    krt_ctx_free(k);
    krti_str_free(&s);
}

TEST(text_too_large_for_a_config_is_refused_unread)
{
    krti_arena a = KRTI_ARENA_INIT(t->k);
    const krti_conf *c = NULL;

    ASSERT_STATUS(KRT_E_UNSUPPORTED, krti_json_parse(&a, &c, "{}", (size_t)65 << 20));
    ASSERT_SAYS("at most 67108864 are read");
    krti_arena_free(&a);
}

TEST(strings_keep_inner_nuls_and_their_length)
{
    krti_arena a = KRTI_ARENA_INIT(t->k);
    const krti_conf *c = NULL;

    ASSERT_OK(krti_json_parse(&a, &c, "\"a\\u0000b\"", 10));
    ASSERT_INT_EQ(3, c->as.string.length);
    assert_memory_equal(c->as.string.text, "a\0b", 4);
    krti_arena_free(&a);
}

TEST(bytes_that_are_not_utf8_are_written_as_replacement_characters)
{
    krti_arena a = KRTI_ARENA_INIT(t->k);
    krti_str s = KRTI_STR_INIT(t->k);

    ASSERT_OK(krti_json_write(&s, krti_conf_string(&a, "a\xFF\xE2\x82"), -1));
    ASSERT_STR_EQ("\"a\\ufffd\\ufffd\\ufffd\"", krti_str_text(&s));
    krti_str_free(&s);
    krti_arena_free(&a);
}

TEST(floats_print_as_json_spells_them)
{
    char text[40];

    krti_json_float(text, sizeof text, (double)NAN);
    ASSERT_STR_EQ("NaN", text);
    krti_json_float(text, sizeof text, -(double)INFINITY);
    ASSERT_STR_EQ("-Infinity", text);
    krti_json_float(text, sizeof text, 0.001);
    ASSERT_STR_EQ("0.001", text);
}

static krt_status parse_and_write(krt_ctx *k, void *text)
{
    krti_arena a = KRTI_ARENA_INIT(k);
    krti_str s = KRTI_STR_INIT(k);
    const krti_conf *c = NULL;
    krt_status st = krti_json_parse(&a, &c, text, strlen(text));

    if (st == KRT_OK)
        st = krti_json_write(&s, c, 2);
    krti_str_free(&s);
    krti_arena_free(&a);
    return st;
}

TEST(json_survives_every_failing_allocation)
{
    krti_str s = KRTI_STR_INIT(t->k);

    krti_str_add(&s, "{\"deep\": [[[1, 2.5, \"\\u00e9\"]]], \"big\": {");
    for (int i = 0; i < 200; i++)
        krti_str_addf(&s, "\"k%d\": %d, ", i, i);
    krti_str_add(&s, "\"end\": 0}}");
    ASSERT_TRUE(FAILING_SWEEP(parse_and_write, s.ptr) >= 10);
    krti_str_free(&s);
}

int main(void)
{
    return RUN(
        UNIT(what_python_writes_comes_back_character_for_character),
        UNIT(other_spellings_mean_the_same), UNIT(integers_beyond_64_bits_become_floats),
        UNIT(of_duplicate_keys_the_last_value_takes_the_first_place), UNIT(indents_are_python_s),
        UNIT(text_that_is_not_json_is_refused_with_the_place), UNIT(depth_is_limited),
        UNIT(siblings_do_not_count_as_depth), UNIT(a_prefix_of_a_config_is_never_json_nor_a_crash),
        UNIT(memory_stays_a_small_multiple_of_the_text),
        UNIT(text_too_large_for_a_config_is_refused_unread),
        UNIT(strings_keep_inner_nuls_and_their_length),
        UNIT(bytes_that_are_not_utf8_are_written_as_replacement_characters),
        UNIT(floats_print_as_json_spells_them), UNIT(json_survives_every_failing_allocation));
}
