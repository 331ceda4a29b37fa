/* Numbers as text, half floats, byte order. Expected texts are Python's and NumPy's. */
#include "testing.h"

#include "base/f16.h"
#include "base/number.h"

#include <locale.h>
#include <math.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void assert_reprs(void)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0, "0.0"},
        {-0.0, "-0.0"},
        {1, "1.0"},
        {100, "100.0"},
        {0.1, "0.1"},
        {1e-7, "1e-07"},
        {0.001, "0.001"},
        {0.0001, "0.0001"},
        {0.00001, "1e-05"},
        {1e15, "1000000000000000.0"},
        {1e16, "1e+16"},
        {1.5e16, "1.5e+16"},
        {123456789.125, "123456789.125"},
        {0.0010000000474974513, "0.0010000000474974513"},
        {5e-324, "5e-324"},
        {1.7976931348623157e308, "1.7976931348623157e+308"},
        {2.2250738585072014e-308, "2.2250738585072014e-308"},
        {5.684341886080802e-14,
         "5.684341886080802e-14"}, /* 2^-44: the nearest does not read back */
        {9007199254740993.0, "9007199254740992.0"},
        {-1.0 / 3, "-0.3333333333333333"},
        {(double)INFINITY, "inf"},
        {-(double)INFINITY, "-inf"},
    };
    char text[KRTI_NUMBER_TEXT];

    for (size_t i = 0; i < COUNT(cases); i++)
        ASSERT_STR_EQ(cases[i].text, krti_number_repr(text, sizeof text, cases[i].value));
    ASSERT_STR_EQ("nan", krti_number_repr(text, sizeof text, (double)NAN));
}

TEST(doubles_print_as_python_s_repr)
{
    assert_reprs();
}

TEST(narrow_floats_print_as_numpy_s_scalars)
{
    char text[KRTI_NUMBER_TEXT];

    ASSERT_STR_EQ("0.1", krti_number_repr_as(text, sizeof text, (double)0.1f, KRTI_NUMBER_SINGLE));
    ASSERT_STR_EQ("1.6777216e+07",
                  krti_number_repr_as(text, sizeof text, 16777216, KRTI_NUMBER_SINGLE));
    ASSERT_STR_EQ("1e-45", krti_number_repr_as(text, sizeof text, 0x1p-149, KRTI_NUMBER_SINGLE));
    ASSERT_STR_EQ("0.1", krti_number_repr_as(text, sizeof text, 0.0999755859375, KRTI_NUMBER_HALF));
    ASSERT_STR_EQ("6.55e+04", krti_number_repr_as(text, sizeof text, 65504, KRTI_NUMBER_HALF));
    ASSERT_STR_EQ("6e-08", krti_number_repr_as(text, sizeof text, 0x1p-24, KRTI_NUMBER_HALF));
}

TEST(every_power_of_two_reads_back_from_its_text)
{
    char text[KRTI_NUMBER_TEXT];
    double value = 0;

    for (int e = -1074; e < 1024; e++) {
        krti_number_repr(text, sizeof text, ldexp(1, e));
        ASSERT_TRUE(krti_number_parse(text, strlen(text), &value));
        if (value != ldexp(1, e))
            fail_msg("2^%d printed as %s", e, text);
    }
}

TEST(numbers_are_read_correctly_rounded)
{
    static const struct {
        const char *text;
        double value;
    } cases[] = {
        {"0", 0},
        {"-0", -0.0},
        {"1.", 1},
        {".5", 0.5},
        {"+1e2", 100},
        {"1E-2", 0.01},
        {"1e23", 1e23},
        {"9007199254740993", 9007199254740992.0}, /* halfway: to even */
        {"9007199254740993.00000000000000000000000000000000000000001", 9007199254740994.0},
        {"1e400", (double)INFINITY},
        {"-1e400", -(double)INFINITY},
        {"1e-400", 0},
        {"1e99999999999999999999", (double)INFINITY},
        {"0e99999999999999999999", 0},
        {"0.1e1", 1},
        {"123456789012345678901234567890", 123456789012345678901234567890.0},
    };
    double value = 0;

    for (size_t i = 0; i < COUNT(cases); i++) {
        ASSERT_TRUE(krti_number_parse(cases[i].text, strlen(cases[i].text), &value));
        if (value != cases[i].value || signbit(value) != signbit(cases[i].value))
            fail_msg("%s was read as %.17g", cases[i].text, value);
    }
}

TEST(a_digit_beyond_the_eight_hundredth_still_counts)
{
    char text[1200] = "9007199254740993.";
    double value = 0;

    memset(text + 17, '0', 1000);
    text[1017] = '\0';
    ASSERT_TRUE(krti_number_parse(text, strlen(text), &value));
    ASSERT_TRUE(value == 9007199254740992.0);
    text[1016] = '1';
    ASSERT_TRUE(krti_number_parse(text, strlen(text), &value));
    ASSERT_TRUE(value == 9007199254740994.0);
}

TEST(what_is_no_number_is_refused)
{
    static const char *const bad[] = {"",    "-",   ".",   "e5",  "1e",    "1e+",
                                      "1x",  " 1",  "1 ",  "--1", "1.2.3", "0x10",
                                      "nan", "inf", "1_0", "1,5", "1e5.",  "+-1"};
    double value = 0;
    int64_t integer = 0;

    for (size_t i = 0; i < COUNT(bad); i++)
        if (krti_number_parse(bad[i], strlen(bad[i]), &value) ||
            krti_number_parse_int(bad[i], strlen(bad[i]), &integer))
            fail_msg("\"%s\" passed for a number", bad[i]);
}

TEST(integers_stop_at_64_bits)
{
    int64_t i = 0;

    ASSERT_TRUE(krti_number_parse_int("9223372036854775807", 19, &i) && i == INT64_MAX);
    ASSERT_TRUE(krti_number_parse_int("-9223372036854775808", 20, &i) && i == INT64_MIN);
    ASSERT_TRUE(!krti_number_parse_int("9223372036854775808", 19, &i));
    ASSERT_TRUE(!krti_number_parse_int("-9223372036854775809", 20, &i));
    ASSERT_TRUE(!krti_number_parse_int("99999999999999999999", 20, &i));
    ASSERT_TRUE(krti_number_parse_int("+007", 4, &i) && i == 7);
}

TEST(the_host_s_locale_changes_nothing)
{
    static const char *const comma[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "ru_RU.UTF-8"};
    double value = 0;
    bool is_set = false;

    for (size_t i = 0; i < COUNT(comma) && !is_set; i++)
        is_set = setlocale(LC_NUMERIC, comma[i]) != NULL;
    if (!is_set)
        skip();
    assert_reprs();
    ASSERT_TRUE(krti_number_parse("0.1000000000000000055511151231257827", 36, &value));
    ASSERT_TRUE(value == 0.1);
    setlocale(LC_NUMERIC, "C");
}

TEST(every_half_survives_float32)
{
    for (uint32_t h = 0; h < 0x10000; h++) {
        const float f = krti_f32_from_f16((uint16_t)h);

        if (isnan(f))
            ASSERT_TRUE((h & 0x7FFF) > 0x7C00);
        else if (krti_f16_from_f32(f) != h)
            fail_msg("half 0x%04x came back as 0x%04x", h, krti_f16_from_f32(f));
    }
}

TEST(halves_and_bfloat16_round_to_even)
{
    ASSERT_INT_EQ(0x6800, krti_f16_from_f32(2049)); /* between 2048 and 2050 */
    ASSERT_INT_EQ(0x6802, krti_f16_from_f32(2051));
    ASSERT_INT_EQ(0x7BFF, krti_f16_from_f32(65519));
    ASSERT_INT_EQ(0x7C00, krti_f16_from_f32(65520));
    ASSERT_INT_EQ(0x0000, krti_f16_from_f32(0x1p-25f));
    ASSERT_INT_EQ(0x0001, krti_f16_from_f32(0x1.8p-25f));
    ASSERT_INT_EQ(0x3F80, krti_bf16_from_f32(1.00390625f));
    ASSERT_INT_EQ(0x3F82, krti_bf16_from_f32(1.01171875f));
    ASSERT_TRUE(isnan(krti_f32_from_bf16(krti_bf16_from_f32(NAN))));
    ASSERT_TRUE(isnan(krti_f32_from_f16(krti_f16_from_f32(NAN))));
}

TEST(bytes_swap_and_read_little_endian)
{
    const unsigned char b[] = {1, 2, 3, 4, 5, 6, 7, 0xF8};

    ASSERT_INT_EQ(0x0201, krti_le16(b));
    ASSERT_TRUE(krti_le32(b + 4) == 0xF8070605u);
    ASSERT_TRUE(krti_le64(b) == 0xF807060504030201u);
}

int main(void)
{
    return RUN(UNIT(doubles_print_as_python_s_repr), UNIT(narrow_floats_print_as_numpy_s_scalars),
               UNIT(every_power_of_two_reads_back_from_its_text),
               UNIT(numbers_are_read_correctly_rounded),
               UNIT(a_digit_beyond_the_eight_hundredth_still_counts),
               UNIT(what_is_no_number_is_refused), UNIT(integers_stop_at_64_bits),
               UNIT(the_host_s_locale_changes_nothing), UNIT(every_half_survives_float32),
               UNIT(halves_and_bfloat16_round_to_even), UNIT(bytes_swap_and_read_little_endian));
}
