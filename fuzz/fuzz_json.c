/* Fuzzes JSON: what can be parsed is written, parsed again and written again to the same text.
 * Seeds: fuzz/corpus/json. */
#include "fuzz.h"

#include "formats/json.h"

static void write_again(krt_ctx *k, const krti_conf *c)
{
    krti_arena a = KRTI_ARENA_INIT(k);
    krti_str first = KRTI_STR_INIT(k), second = KRTI_STR_INIT(k);
    const krti_conf *again = NULL;

    if (krti_json_write(&first, c, -1) != KRT_OK)
        abort();
    if (krti_json_parse(&a, &again, first.ptr, first.length) != KRT_OK ||
        krti_json_write(&second, again, -1) != KRT_OK || first.length != second.length ||
        memcmp(first.ptr, second.ptr, first.length) != 0)
        abort();
    krti_str_free(&first);
    krti_str_free(&second);
    krti_arena_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_memory m;
    krt_ctx *k = fuzz_ctx(&m, 300 * size + 65536);
    krti_arena a = KRTI_ARENA_INIT(k);
    const krti_conf *c = NULL;

    if (krti_json_parse(&a, &c, data, size) == KRT_OK)
        write_again(k, c);
    krti_arena_free(&a);
    fuzz_done(k, &m);
    return 0;
}
