/* Fuzzes archives: every member of what opens is found by its name and read.
 * Seeds: fuzz/corpus/zip. */
#include "fuzz.h"

#include "formats/zip.h"

static unsigned sum; /* keeps the reads */

static void read_member(krti_zip *z, const krti_zip_member *m)
{
    krti_bytes *content = NULL;

    if (krti_zip_find(z, m->name) != m || krti_zip_name_problem(m->name, strlen(m->name)) != NULL)
        abort();
    if (krti_zip_read(z, &content, m, true) != KRT_OK)
        return;
    if (content->size != m->size)
        abort();
    for (size_t i = 0; i < content->size; i++)
        sum += content->data[i];
    krti_bytes_drop(content);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_memory m;
    krt_ctx *k = fuzz_ctx(&m, 1100 * size + (2u << 20));
    krti_bytes *bytes = NULL;
    krti_zip *z = NULL;

    if (krti_bytes_wrap(k, &bytes, data, size) != KRT_OK)
        abort();
    if (krti_zip_open(k, &z, bytes) == KRT_OK)
        for (size_t i = 0; i < krti_zip_num(z); i++)
            read_member(z, krti_zip_at(z, i));
    krti_zip_close(z);
    krti_bytes_drop(bytes);
    fuzz_done(k, &m);
    return 0;
}
