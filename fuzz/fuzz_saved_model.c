/* Fuzzes SavedModels: the protobufs in which tf.keras leaves an architecture, of TensorFlow 2.5 on
 * (keras_metadata.pb) and before (saved_model.pb). Seeds: fuzz/corpus/saved_model. */
#include "fuzz_files.h"

#include <keratin/keratin.h>

enum { LIMIT = 64 << 20 };

static void load(const char *dir)
{
    fuzz_memory memory;
    krt_ctx *k = fuzz_ctx(&memory, LIMIT);
    krt_model *m = NULL;
    krt_file *f = NULL;

    if (krt_load(k, &m, dir, KRT_LOAD(.config_only = true)) == KRT_OK)
        krt_model_free(m);
    if (krt_file_open(k, &f, dir) == KRT_OK)
        krt_file_close(f);
    fuzz_done(k, &memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *metadata = fuzz_write("keras_metadata.pb", data, size);

    (void)fuzz_write("saved_model.pb", "", 0);
    load(fuzz_folder);
    (void)unlink(metadata);
    (void)fuzz_write("saved_model.pb", data, size);
    load(fuzz_folder);
    return 0;
}
