/* Fuzzes verify and scan: what reports on a damaged or hostile file must not be hurt by it either.
 *
 * Both open files by path, so the input becomes a file in memory. */
#define _GNU_SOURCE 1
#include "fuzz.h"

#include <keratin/inspect.h>
#include <sys/mman.h>
#include <unistd.h>

enum { LIMIT = 256 << 20 };

static unsigned sum; /* keeps the reads */

static void look_through(krt_findings *found)
{
    for (size_t i = 0; i < krt_findings_size(found); i++)
        sum += (unsigned)strlen(krt_findings_at(found, i)->text);
    krt_findings_free(found);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_memory memory;
    krt_ctx *k = fuzz_ctx(&memory, LIMIT);
    const int fd = memfd_create("input", 0);
    krt_findings *found = NULL;
    char path[64];

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (fd >= 0 && write(fd, data, size) == (ssize_t)size) {
        if (krt_scan(k, &found, path) == KRT_OK)
            look_through(found);
        if (krt_verify(k, &found, path, NULL) == KRT_OK)
            look_through(found);
    }
    close(fd);
    fuzz_done(k, &memory);
    return 0;
}
