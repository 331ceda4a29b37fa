/* Fuzzes sharded weights: the map of a set, and what it says of its shards.
 *
 * An input is a map up to a NUL; what follows is the content of its first shard, s_00000.weights.h5,
 * and without a NUL there is no shard. A map opens its neighbours, so both become files in a folder
 * of their own. */
#include "fuzz_files.h"

#include "saving/source.h"

#include <keratin/inspect.h>

enum { LIMIT = 256 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char shard[] = "s_00000.weights.h5";
    const uint8_t *nul = size > 0 ? memchr(data, 0, size) : NULL;
    const size_t length = nul != NULL ? (size_t)(nul - data) : size;
    fuzz_memory memory;
    krt_ctx *k = fuzz_ctx(&memory, LIMIT);
    krti_source *f = NULL;
    krt_findings *found = NULL;

    (void)unlink(fuzz_path(shard));
    const char *map = fuzz_write("s.weights.json", data, length);
    if (nul != NULL)
        (void)fuzz_write(shard, nul + 1, size - length - 1);
    if (krti_source_open(k, &f, map) == KRT_OK)
        (void)krti_source_list(f, true);
    krti_source_close(f);
    if (krt_verify(k, &found, map, NULL) == KRT_OK)
        krt_findings_free(found);
    fuzz_done(k, &memory);
    return 0;
}
