/* Fuzzes the text file `checkpoint` of a directory, which names its newest checkpoint.
 * Seeds: fuzz/corpus/checkpoint_state. */
#include "fuzz_files.h"

#include "saving/tf_checkpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_memory memory;
    krt_ctx *k = fuzz_ctx(&memory, 100 * size + (1u << 20));
    krti_str prefix = KRTI_STR_INIT(k);

    (void)fuzz_write("cp.index", "", 0);
    if (krti_tf_checkpoint_prefix(&prefix, fuzz_write("checkpoint", data, size)) == KRT_OK &&
        prefix.length != strlen(prefix.ptr))
        abort();
    (void)krti_tf_checkpoint_prefix(&prefix, fuzz_folder);
    krti_str_free(&prefix);
    fuzz_done(k, &memory);
    return 0;
}
