/* Fuzzes compressed blocks: the input is the contents of the one data block of a table, under Snappy.
 * Seeds: fuzz/corpus/snappy. */
#include "fuzz.h"

#include "formats/crc32c.h"
#include "formats/protobuf.h"
#include "formats/sstable.h"

static void put_block(krti_str *s, const void *data, size_t size, char type)
{
    const size_t start = s->length;

    if (size > 0)
        krti_str_add_n(s, data, size);
    krti_str_add_n(s, &type, 1);
    if (s->status == KRT_OK)
        krti_fixed32_put(s, krti_crc32c_mask(krti_crc32c(0, s->ptr + start, size + 1)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_memory m;
    krt_ctx *k = fuzz_ctx(&m, 3000 * size + (16u << 20));
    krti_str file = KRTI_STR_INIT(k), index = KRTI_STR_INIT(k), handle = KRTI_STR_INIT(k);
    krti_bytes *bytes = NULL;
    krti_sstable *t = NULL;

    krti_varint_put(&handle, 0);
    krti_varint_put(&handle, size);
    put_block(&file, data, size, 1);
    const size_t at = file.length;
    krti_varint_put(&index, 0);
    krti_varint_put(&index, 1);
    krti_varint_put(&index, handle.length);
    krti_str_add(&index, "~");
    krti_str_add_n(&index, handle.ptr, handle.length);
    krti_fixed32_put(&index, 0);
    krti_fixed32_put(&index, 1);
    put_block(&file, index.ptr, index.length, 0);
    const size_t footer = file.length;
    krti_varint_put(&file, at);
    krti_varint_put(&file, index.length);
    krti_varint_put(&file, at);
    krti_varint_put(&file, index.length);
    krti_str_fill(&file, '\0', 40 - (file.length - footer));
    krti_fixed64_put(&file, 0xDB4775248B80FB57u);
    if (file.status != KRT_OK || krti_bytes_wrap(k, &bytes, file.ptr, file.length) != KRT_OK)
        abort();
    (void)krti_sstable_read(k, &t, bytes);
    krti_sstable_free(t);
    krti_bytes_drop(bytes);
    krti_str_free(&file);
    krti_str_free(&index);
    krti_str_free(&handle);
    fuzz_done(k, &m);
    return 0;
}
