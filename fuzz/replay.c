/* Feeds files to a fuzz target without libFuzzer: every file of the folders it is given, or the
 * files themselves, each from memory of exactly its size, so that a sanitizer sees one byte too
 * far. Prints how many there were; fails when there was none. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned long count;

static int replay_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    long size = -1;
    int status = -1;

    if (f != NULL && fseek(f, 0, SEEK_END) == 0)
        size = ftell(f);
    if (size >= 0 && fseek(f, 0, SEEK_SET) == 0) {
        uint8_t *data = malloc(size > 0 ? (size_t)size : 1);

        if (data != NULL && fread(data, 1, (size_t)size, f) == (size_t)size) {
            (void)LLVMFuzzerTestOneInput(data, (size_t)size);
            count++;
            status = 0;
        }
        free(data);
    }
    if (status != 0)
        perror(path);
    if (f != NULL)
        fclose(f);
    return status;
}

static int replay_folder(DIR *folder, const char *path)
{
    char name[4096];
    int status = 0;

    for (const struct dirent *e = readdir(folder); e != NULL && status == 0; e = readdir(folder)) {
        if (e->d_name[0] == '.')
            continue;
        if (snprintf(name, sizeof name, "%s/%s", path, e->d_name) < (int)sizeof name)
            status = replay_file(name);
    }
    return status;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        DIR *folder = opendir(argv[i]);
        const int status = folder != NULL ? replay_folder(folder, argv[i]) : replay_file(argv[i]);

        if (folder != NULL)
            closedir(folder);
        if (status != 0)
            return 1;
    }
    printf("%lu inputs\n", count);
    return count > 0 ? 0 : 1;
}
