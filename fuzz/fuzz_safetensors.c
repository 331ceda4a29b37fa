/* Fuzzes files of named arrays, .safetensors and .npz, as weights: every array that is listed is read.
 * Seeds: fuzz/corpus/safetensors. */
#include "fuzz.h"

#include "saving/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_memory m;
    krt_ctx *k = fuzz_ctx(&m, 3000 * size + (16u << 20));
    krti_bytes *bytes = NULL;
    krti_store *s = NULL;

    if (krti_bytes_wrap(k, &bytes, data, size) != KRT_OK || krti_store_new(k, &s) != KRT_OK)
        abort();
    const bool is_zip = size > 0 && data[0] == 'P';
    if ((is_zip ? krti_npz_list(s, bytes) : krti_safetensors_list(s, bytes)) == KRT_OK)
        for (size_t i = 0; i < s->num_arrays && i < 100; i++) {
            krt_tensor *t = NULL;

            if (krti_store_tensor(s, i, KRT_DTYPE_NONE, &t) == KRT_OK &&
                t->size_bytes != s->arrays[i].size_bytes)
                abort();
            krt_tensor_free(t);
        }
    krti_store_free(s);
    krti_bytes_drop(bytes);
    fuzz_done(k, &m);
    return 0;
}
