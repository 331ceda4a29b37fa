/* Files for targets whose parser opens them by name: a folder of this process, which is gone when it
 * ends. */
#ifndef KERATIN_FUZZ_FILES_H
#define KERATIN_FUZZ_FILES_H

#include "fuzz.h"

#include <unistd.h>

enum { FUZZ_FILES = 8 };

static char fuzz_folder[256];
static char fuzz_files[FUZZ_FILES][320];

static void fuzz_remove_folder(void)
{
    for (size_t i = 0; i < FUZZ_FILES; i++)
        if (fuzz_files[i][0] != '\0')
            (void)unlink(fuzz_files[i]);
    (void)rmdir(fuzz_folder);
}

/* The path of a file in the folder; whatever has it is removed in the end. */
static const char *fuzz_path(const char *name)
{
    const char *parent = getenv("TMPDIR");
    char path[320];
    size_t i = 0;

    if (fuzz_folder[0] == '\0') {
        snprintf(fuzz_folder, sizeof fuzz_folder, "%.200s/krt-fuzz-XXXXXX",
                 parent != NULL ? parent : "/tmp");
        if (mkdtemp(fuzz_folder) == NULL || atexit(fuzz_remove_folder) != 0)
            abort();
    }
    snprintf(path, sizeof path, "%s/%s", fuzz_folder, name);
    while (i < FUZZ_FILES && fuzz_files[i][0] != '\0' && strcmp(fuzz_files[i], path) != 0)
        i++;
    if (i == FUZZ_FILES)
        abort();
    memcpy(fuzz_files[i], path, sizeof path);
    return fuzz_files[i];
}

static inline const char *fuzz_write(const char *name, const void *data, size_t size)
{
    const char *path = fuzz_path(name);
    FILE *f = fopen(path, "wb");

    if (f == NULL || fwrite(data, 1, size, f) != size || fclose(f) != 0)
        abort();
    return path;
}

#endif
