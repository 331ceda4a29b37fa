/* Fuzzes the index of a TensorFlow checkpoint: a sorted table, compressed blocks included, whose entries
 * are looked at as tensors and whose pieces are put together. What is read is written again and must
 * read back alike. Seeds: fuzz/corpus/sstable. */
#include "fuzz.h"

#include "formats/tensor_bundle.h"

static void write_again(krt_ctx *k, const krti_sstable *t)
{
    krti_str s = KRTI_STR_INIT(k);
    krti_sstable *again = NULL;
    krti_bytes *bytes = NULL;

    if (krti_sstable_put(&s, krti_sstable_at(t, 0), krti_sstable_num(t)) != KRT_OK ||
        krti_bytes_wrap(k, &bytes, s.ptr, s.length) != KRT_OK)
        abort();
    if (krti_sstable_read(k, &again, bytes) != KRT_OK ||
        krti_sstable_num(again) != krti_sstable_num(t))
        abort();
    for (size_t i = 0; i < krti_sstable_num(t); i++) {
        const krti_sstable_entry *a = krti_sstable_at(t, i), *b = krti_sstable_at(again, i);

        if (krti_sstable_compare(a->key, a->key_size, b->key, b->key_size) != 0 ||
            krti_sstable_compare(a->value, a->value_size, b->value, b->value_size) != 0)
            abort();
    }
    krti_sstable_free(again);
    krti_bytes_drop(bytes);
    krti_str_free(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_memory m;
    krt_ctx *k = fuzz_ctx(&m, 400 * size + (16u << 20));
    krti_bytes *bytes = NULL;
    krti_sstable *t = NULL;
    krti_bundle *b = NULL;

    if (krti_bytes_wrap(k, &bytes, data, size) != KRT_OK)
        abort();
    if (krti_sstable_read(k, &t, bytes) == KRT_OK && krti_sstable_num(t) > 0 && size < 10000)
        write_again(k, t);
    krti_sstable_free(t);
    (void)krti_bundle_open(k, &b, bytes);
    krti_bundle_close(b);
    krti_bytes_drop(bytes);
    fuzz_done(k, &m);
    return 0;
}
