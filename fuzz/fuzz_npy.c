/* Fuzzes array files of every form: .npy, .npz, IDX, CSV, gzip; each array becomes a tensor and
 * is printed. Seeds: fuzz/corpus/npy. */
#include "fuzz.h"

#include "saving/array_io.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_memory m;
    krt_ctx *k = fuzz_ctx(&m, 3000 * size + (8u << 20));
    krti_bytes *bytes = NULL;
    krt_tensor **tensors = NULL;
    char **names = NULL;
    size_t n = 0;

    if (krti_bytes_wrap(k, &bytes, data, size) != KRT_OK)
        abort();
    if (krti_tensors_read_bytes(k, &n, &tensors, &names, bytes) == KRT_OK) {
        for (size_t i = 0; i < n; i++) {
            char *text = NULL;

            if (krt_tensor_format(tensors[i], &text) != KRT_OK)
                abort();
            krt_free(k, text);
        }
    }
    krt_free(k, tensors);
    krt_free(k, names);
    krti_bytes_drop(bytes);
    fuzz_done(k, &m);
    return 0;
}
