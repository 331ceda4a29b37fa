/* Python's re.search(): what is found, and what is refused. */
#include "base/regex.h"
#include "testing.h"

/* Each row is what Python 3.11 answers. */
TEST(what_python_finds_is_found)
{
    static const struct {
        const char *pattern, *text;
        bool found;
    } rows[] = {
        {"", "", true},
        {"bias", "dense/bias", true},
        {"bias", "dense/kernel", false},
        {"bias|gamma", "norm/gamma", true},
        {"^bias", "dense/bias", false},
        {"bias$", "dense/bias", true},
        {"bias$", "bias\n", true},
        {"bias\\Z", "bias\n", false},
        {"d.nse", "dense", true},
        {"a.b", "a\nb", false},
        {"dense_\\d+$", "dense_12", true},
        {"dense_\\d+$", "dense_", false},
        {"^(conv|dense)_[0-9]{1,2}$", "conv_77", true},
        {"^(conv|dense)_[0-9]{1,2}$", "conv_777", false},
        {"^(?:ab)*c", "ababc", true},
        {"^(?P<x>ab)+$", "ababa", false},
        {"x{3}", "axxb", false},
        {"x{2,}", "axxb", true},
        {"^x{0}$", "", true},
        {"x{,2}y", "xxxy", true},
        {"x{a}", "x{a}", true},
        {"a*?b", "aab", true},
        {"[^/]+$", "a/b", true},
        {"^[^/]+$", "a/b", false},
        {"[]x]", "]", true},
        {"[a\\-c]", "-", true},
        {"[\\w-]+", "-", true},
        {"\\bkernel\\b", "a kernel", true},
        {"\\bkernel\\b", "a_kernel", false},
        {"\\Bnel", "kernel", true},
        {"\\.keras", "xkeras", false},
        {"\\D\\S\\W", "ab ", true},
        {"(a|b|c)d", "cd", true},
        {"(|a)b", "b", true},
        {"((((a))))", "a", true},
        {"(a*)*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac", false},
        {"(x+x+)+y", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", false},
    };

    for (size_t i = 0; i < KRTI_COUNT(rows); i++) {
        bool found = !rows[i].found;

        ASSERT_OK(krti_regex_search(t->k, rows[i].pattern, rows[i].text, &found));
        if (found != rows[i].found)
            fail_msg("%s in %s: %d", rows[i].pattern, rows[i].text, found);
    }
}

TEST(what_is_no_pattern_or_not_understood_is_refused_with_its_place)
{
    static const struct {
        const char *pattern, *says;
        krt_status status;
    } rows[] = {
        {"*a", "nothing to repeat at position 0 of the pattern \"*a\"", KRT_E_INVALID},
        {"a**", "multiple repeat at position 2", KRT_E_INVALID},
        {"(a", "missing ), unterminated subpattern at position 2", KRT_E_INVALID},
        {"a)", "unbalanced parenthesis at position 1", KRT_E_INVALID},
        {"[a", "unterminated character set at position 2", KRT_E_INVALID},
        {"[z-a]", "bad character range at position 4", KRT_E_INVALID},
        {"a\\", "bad escape (end of pattern) at position 2", KRT_E_INVALID},
        {"x{3,1}", "a repeat that cannot be", KRT_E_INVALID},
        {"x{99999999999}", "a repeat that cannot be", KRT_E_INVALID},
        {"(x{100}){100}", "too much to look for", KRT_E_INVALID},
        {"(?=a)", "lookarounds and flags are not understood at position 1", KRT_E_UNSUPPORTED},
        {"(?i)a", "lookarounds and flags are not understood", KRT_E_UNSUPPORTED},
        {"(a)\\1", "an escape that is not known at position 4", KRT_E_UNSUPPORTED},
    };

    for (size_t i = 0; i < KRTI_COUNT(rows); i++) {
        ASSERT_STATUS(rows[i].status, krti_regex_search(t->k, rows[i].pattern, "a", NULL));
        ASSERT_SAYS(rows[i].says);
        ASSERT_INT_EQ(rows[i].status, krti_regex_search(NULL, rows[i].pattern, "a", NULL));
    }
}

int main(void)
{
    return RUN(UNIT(what_python_finds_is_found),
               UNIT(what_is_no_pattern_or_not_understood_is_refused_with_its_place));
}
