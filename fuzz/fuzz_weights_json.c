/* Fuzzes sharded weights: the map of a set, and what it says of its shards.
 *
 * An input is a map up to a NUL; what follows is the content of its first shard, s_00000.weights.h5,
 * and without a NUL there is no shard. A map opens its neighbours, so both become files in a folder
 * of their own, which the program leaves as it found it. */
#define _GNU_SOURCE 1
#include "fuzz.h"

#include "saving/source.h"

#include <keratin/inspect.h>
#include <unistd.h>

enum { LIMIT = 256 << 20 };

static char folder[] = "/tmp/fuzz_weights_json.XXXXXX", map[64], shard[64];

static void remove_folder(void)
{
    (void)unlink(map);
    (void)unlink(shard);
    (void)rmdir(folder);
}

static void make_folder(void)
{
    if (map[0] != 0)
        return;
    if (mkdtemp(folder) == NULL || atexit(remove_folder) != 0)
        abort();
    snprintf(map, sizeof map, "%s/s.weights.json", folder);
    snprintf(shard, sizeof shard, "%s/s_00000.weights.h5", folder);
}

static void write_file(const char *path, const uint8_t *data, size_t size)
{
    FILE *f = fopen(path, "wb");

    if (f == NULL || fwrite(data, 1, size, f) != size || fclose(f) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *nul = size > 0 ? memchr(data, 0, size) : NULL;
    const size_t length = nul != NULL ? (size_t)(nul - data) : size;
    fuzz_memory memory;
    krt_ctx *k = fuzz_ctx(&memory, LIMIT);
    krti_source *f = NULL;
    krt_findings *found = NULL;

    make_folder();
    (void)unlink(shard);
    write_file(map, data, length);
    if (nul != NULL)
        write_file(shard, nul + 1, size - length - 1);
    if (krti_source_open(k, &f, map) == KRT_OK)
        (void)krti_source_list(f, true);
    krti_source_close(f);
    if (krt_verify(k, &found, map, NULL) == KRT_OK)
        krt_findings_free(found);
    fuzz_done(k, &memory);
    return 0;
}
