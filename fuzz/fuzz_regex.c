/* Fuzzes regular expressions: the first line is a pattern, the rest a text; what is searched twice is found
 * twice, with and without a context. Seeds: fuzz/corpus/regex. */
#include "fuzz.h"

#include "base/regex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const size_t most = 4096, n = size < most ? size : most;
    char input[4097];
    fuzz_memory m;
    krt_ctx *k = fuzz_ctx(&m, 65536);
    bool first = false, second = false;

    memcpy(input, data, n);
    input[n] = '\0';
    char *const end = strchr(input, '\n');
    if (end != NULL)
        *end = '\0';
    const char *const text = end != NULL ? end + 1 : "";
    const krt_status st = krti_regex_search(k, input, text, &first);
    if (krti_regex_search(NULL, input, text, &second) != st || first != second)
        abort();
    fuzz_done(k, &m);
    return 0;
}
