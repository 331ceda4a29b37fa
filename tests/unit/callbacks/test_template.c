/* Names with fields, as Python's str.format() fills them in. The expected texts are Python's. */
#include "callbacks/template.h"
#include "testing.h"

#include <math.h>

static const char *const names[] = {"acc", "big", "loss", "nan", "neg", "tiny", "val_loss"};
static const double numbers[] = {1.0, 1e20, 1234.5, NAN, -2.5, 3.2e-7, 0.12345678901};
static const krt_logs logs = {7, names, numbers};
static const krti_template_values values = {7, 12, &logs};

static const struct {
    const char *template, *text;
} good[] = {
    {"cp-{epoch:04d}.ckpt", "cp-0007.ckpt"},
    {"{epoch:02d}-{val_loss:.2f}.keras", "07-0.12.keras"},
    {"{epoch}", "7"},
    {"{val_loss}", "0.12345678901"},
    {"{loss:10.1f}|", "    1234.5|"},
    {"{loss:<10.1f}|", "1234.5    |"},
    {"{loss:^10.1f}|", "  1234.5  |"},
    {"{loss:*^10.1f}|", "**1234.5**|"},
    {"{neg:=+8.1f}", "-    2.5"},
    {"{neg:08.2f}", "-0002.50"},
    {"{loss:e}", "1.234500e+03"},
    {"{loss:.3E}", "1.234E+03"},
    {"{loss:g}", "1234.5"},
    {"{tiny:g}", "3.2e-07"},
    {"{tiny}", "3.2e-07"},
    {"{big}", "1e+20"},
    {"{big:.3}", "1e+20"},
    {"{acc:.3}", "1.0"},
    {"{acc:.0%}", "100%"},
    {"{val_loss:.1%}", "12.3%"},
    {"{loss:,.2f}", "1,234.50"},
    {"{big:,.0f}", "100,000,000,000,000,000,000"},
    {"{epoch:+d}", "+7"},
    {"{epoch: d}", " 7"},
    {"{epoch:x}", "7"},
    {"{epoch:#x}", "0x7"},
    {"{epoch:#06x}", "0x0007"},
    {"{epoch:+#07b}", "+0b0111"},
    {"{epoch:*=#6X}", "0X***7"},
    {"{epoch:b}", "111"},
    {"{epoch:o}", "7"},
    {"{epoch:X}", "7"},
    {"{epoch:.2f}", "7.00"},
    {"{epoch:%}", "700.000000%"},
    {"{{x}}{epoch}", "{x}7"},
    {"{loss:.3}", "1.23e+03"},
    {"{loss:#.0f}", "1234."},
    {"{acc:#g}", "1.00000"},
    {"{nan:.2f}", "nan"},
    {"{nan:08.2f}", "00000nan"},
    {"{epoch:5}|", "    7|"},
    {"{epoch:<5}|", "7    |"},
    {"{epoch:05}", "00007"},
    {"{loss:_.1f}", "1_234.5"},
    {"{neg:-.1f}", "-2.5"},
    {"{tiny:.2}", "3.2e-07"},
    {"{big:.21}", "1e+20"},
    {"{acc:.1}", "1e+00"},
    {"{loss:.0e}", "1e+03"},
    {"{epoch:,}", "7"},
    {"{tiny:f}", "0.000000"},
    {"{neg:+}", "-2.5"},
    {"{loss:010}", "00001234.5"},
    {"{loss:010,}", "0,001,234.5"},
    {"{epoch:09_x}", "0000_0007"},
};

static const struct {
    const char *template, *reason;
} bad[] = {
    {"{epoch", "expected '}' before end of string"},
    {"epoch}", "Single '}' encountered in format string"},
    {"{missing}", "'missing' (there are: epoch, batch, acc, big, loss, nan, neg, tiny, val_loss)"},
    {"{epoch:q}", "Invalid format specifier"},
    {"{loss:d}", "Unknown format code 'd' for object of type 'float'"},
    {"{}", "Replacement index 0 out of range for positional args tuple"},
    {"{0}", "Replacement index 0 out of range for positional args tuple"},
    {"{epoch:.2d}", "Precision not allowed in integer format specifier"},
    {"{epoch:,x}", "Cannot specify ',' with 'x'."},
    {"{epoch:_n}", "Cannot specify '_' with 'n'."},
    {"{epoch!r}", "conversions (!r), attributes and indices are not supported"},
    {"{loss:.f}", "Format specifier missing precision"},
    {"{loss:999}", "the width is more than 255"},
    {"{loss:.999f}", "the precision is more than 100"},
    {"{loss:{epoch}}", "a field inside a field is not supported"},
};

static void test_fields_are_filled_in_as_python_does(void **state)
{
    krt_ctx *k = *state;

    for (size_t i = 0; i < KRTI_COUNT(good); i++) {
        krti_str s = KRTI_STR_INIT(k);

        assert_int_equal(krti_template_format(k, &s, good[i].template, &values), KRT_OK);
        assert_string_equal(krti_str_text(&s), good[i].text);
        krti_str_free(&s);
    }
}

static void test_what_cannot_be_filled_in_is_said(void **state)
{
    krt_ctx *k = *state;

    for (size_t i = 0; i < KRTI_COUNT(bad); i++) {
        krti_str s = KRTI_STR_INIT(k);
        char expected[512];

        assert_int_equal(krti_template_format(k, &s, bad[i].template, &values), KRT_E_INVALID);
        snprintf(expected, sizeof expected,
                 "Failed to format this callback filepath: \"%s\". Reason: %s", bad[i].template,
                 bad[i].reason);
        assert_string_equal(krt_ctx_error(k)->message, expected);
        krti_str_free(&s);
    }
}

static void test_names_are_checked_before_there_are_values(void **state)
{
    krt_ctx *k = *state;

    assert_int_equal(krti_template_check(k, "{epoch:02d}-{val_loss:.2f}", &logs, false), KRT_OK);
    assert_int_equal(krti_template_check(k, "{batch}", &logs, false), KRT_E_INVALID);
    assert_int_equal(krti_template_check(k, "{batch}", &logs, true), KRT_OK);
    assert_int_equal(krti_template_check(k, "{val_los}", &logs, true), KRT_E_INVALID);
}

static int set_up(void **state)
{
    krt_ctx *k = NULL;

    assert_int_equal(krt_ctx_new(&k, NULL), KRT_OK);
    *state = k;
    return 0;
}

static int tear_down(void **state)
{
    krt_ctx_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields_are_filled_in_as_python_does),
        cmocka_unit_test(test_what_cannot_be_filled_in_is_said),
        cmocka_unit_test(test_names_are_checked_before_there_are_values),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
