/* Fuzzes lists of digests kept aside, against which a file is verified. Seeds: fuzz/corpus/digests. */
#include "fuzz_files.h"

#include <keratin/keratin.h>

/* Dense(1) with zeros: its digests are in the seeds. */
static const char *file_to_verify(krt_ctx *k)
{
    const char *path = fuzz_path("f.weights.h5");
    krt_model *m = NULL;

    if (access(path, F_OK) == 0)
        return path;
    m = krt_sequential(k, NULL);
    krt_add_input(m, KRT_SHAPE(1), NULL);
    krt_add(m, KRT_DENSE(1, .kernel_initializer = KRT_ID("zeros")));
    if (krt_save_weights(m, path, KRT_SAVE_WEIGHTS(.sync = false)) != KRT_OK)
        abort();
    krt_model_free(m);
    return path;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_memory memory;
    krt_ctx *k = fuzz_ctx(&memory, 300 * size + (16u << 20));
    const char *path = file_to_verify(k), *list = fuzz_write("digests.json", data, size);
    krt_findings *found = NULL;

    if (krt_verify(k, &found, path, KRT_VERIFY(.against = list)) == KRT_OK)
        krt_findings_free(found);
    fuzz_done(k, &memory);
    return 0;
}
