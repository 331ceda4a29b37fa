/* Saves and loads one model in every form and, in the same run, writes and reads as many bytes raw.
 * One line of JSON a measurement, for bench/save_load.py.
 *
 *     save_load MODEL DIRECTORY [REPEATS]
 *
 * Every figure is the least of the repeats, in milliseconds: what the machine can do when nothing else
 * runs. Raw writes come from the model's own weights in pieces of 4 MiB, to a fresh file each. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <keratin/keratin.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PIECE = 4 << 20 };

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static long peak_kb(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return u.ru_maxrss;
}

static void die(krt_ctx *k, const char *what)
{
    fprintf(stderr, "%s: %s\n", what, krt_ctx_error(k)->message);
    exit(1);
}

/* Everything dirty goes to the disk first, so that no measurement pays for the one before. */
static void settle(void)
{
    sync();
}

static void forget(const char *path)
{
    const int fd = open(path, O_RDONLY);

    if (fd >= 0) {
        posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        close(fd);
    }
}

/* ------------------------------------------------------------------------------- raw */

static double raw_write(const char *path, const unsigned char *data, size_t size, bool durable)
{
    settle();
    unlink(path);
    const double start = now();
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0666);

    for (size_t at = 0; at < size;) {
        const ssize_t n = write(fd, data + at, size - at < PIECE ? size - at : PIECE);

        if (n <= 0)
            exit(1);
        at += (size_t)n;
    }
    if (durable && fsync(fd) != 0)
        exit(1);
    close(fd);
    return now() - start;
}

static double raw_read(const char *path, unsigned char *to, size_t size, bool cold)
{
    if (cold)
        forget(path);
    const double start = now();
    const int fd = open(path, O_RDONLY);

    for (size_t at = 0; at < size;) {
        const ssize_t n = read(fd, to + at, size - at < PIECE ? size - at : PIECE);

        if (n <= 0)
            exit(1);
        at += (size_t)n;
    }
    close(fd);
    return now() - start;
}

static void raw(const char *dir, const unsigned char *data, size_t size, int repeats)
{
    char path[4096];
    unsigned char *to = malloc(size);
    double best[4] = {1e30, 1e30, 1e30, 1e30};

    snprintf(path, sizeof path, "%s/raw", dir);
    memset(to, 1, size);
    for (int i = 0; i < repeats; i++) {
        const double t[4] = {raw_write(path, data, size, false), raw_read(path, to, size, false),
                             raw_write(path, data, size, true), raw_read(path, to, size, true)};

        for (int j = 0; j < 4; j++)
            best[j] = t[j] < best[j] ? t[j] : best[j];
    }
    printf(
        "{\"form\": \"raw\", \"bytes\": %zu, \"save\": %.1f, \"save_sync\": %.1f, \"load\": %.1f, "
        "\"load_cold\": %.1f}\n",
        size, best[0], best[2], best[1], best[3]);
    unlink(path);
    free(to);
}

/* ------------------------------------------------------------------------------- forms */

typedef struct form {
    const char *name;
    bool is_weights, zipped;
    double shard;
} form;

/* Each in a folder of its own. */
static const form forms[] = {{"weights/model.weights.h5", true, false, 0},
                             {"sharded/model.weights.json", true, false, 0.25},
                             {"keras/model.keras", false, true, 0},
                             {"directory/model", false, false, 0}};

/* The folder of a form and what is in it. */
static void remove_all(const char *path)
{
    char command[4200];
    const char *slash = strrchr(path, '/');
    const int n = (int)(slash - path);

    snprintf(command, sizeof command, "rm -rf '%.*s' && mkdir -p '%.*s'", n, path, n, path);
    if (system(command) != 0)
        exit(1);
}

static krt_status save(krt_model *m, const form *f, const char *path, bool durable)
{
    if (f->is_weights)
        return krt_save_weights(m, path,
                                KRT_SAVE_WEIGHTS(.max_shard_size = f->shard, .sync = durable));
    return krt_save(m, path, KRT_SAVE(.zipped = f->zipped, .sync = durable));
}

/* To a fresh name, as the raw writes go: replacing a file makes some file systems write it out first. */
static double time_save(krt_ctx *k, krt_model *m, const form *f, const char *path, bool durable)
{
    remove_all(path);
    settle();
    const double start = now();

    if (save(m, f, path, durable) != KRT_OK)
        die(k, path);
    return now() - start;
}

static double time_load_weights(krt_ctx *k, krt_model *m, const char *path)
{
    const double start = now();

    if (krt_load_weights(m, path, NULL) != KRT_OK)
        die(k, path);
    return now() - start;
}

/* Opening and listing, as `keratin weights` does: no tensor is read. */
static double time_list(krt_ctx *k, const char *path)
{
    krt_file *f = NULL;
    const double start = now();

    if (krt_file_open(k, &f, path) != KRT_OK || krt_file_num_arrays(f) == 0)
        die(k, path);
    krt_file_close(f);
    return now() - start;
}

static void measure(krt_ctx *k, krt_model *m, const form *f, const char *dir, int repeats)
{
    double best[4] = {1e30, 1e30, 1e30, 1e30};
    char path[4096];

    snprintf(path, sizeof path, "%s/%s", dir, f->name);
    for (int i = 0; i < repeats; i++) {
        const double t[4] = {time_save(k, m, f, path, false), time_load_weights(k, m, path),
                             time_list(k, path), time_save(k, m, f, path, true)};

        for (int j = 0; j < 4; j++)
            best[j] = t[j] < best[j] ? t[j] : best[j];
    }
    printf(
        "{\"form\": \"%s\", \"save\": %.1f, \"save_sync\": %.1f, \"load_mapped\": %.1f, \"list\": "
        "%.2f, \"peak_mb\": %ld}\n",
        f->name, best[0], best[3], best[1], best[2], peak_kb() / 1024);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    const int repeats = argc > 3 ? (int)strtol(argv[3], NULL, 10) : 3;
    krt_ctx *k = NULL;
    krt_model *m = NULL;
    struct stat info;
    char path[4096];

    if (argc < 3 || krt_ctx_new(&k, NULL) != KRT_OK)
        return 2;
    const double start = now();
    if (krt_load(k, &m, argv[1], NULL) != KRT_OK)
        die(k, argv[1]);
    printf("{\"form\": \"given\", \"load\": %.1f, \"peak_mb\": %ld}\n", now() - start,
           peak_kb() / 1024);
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
        measure(k, m, &forms[i], argv[2], repeats);
    snprintf(path, sizeof path, "%s/%s", argv[2], forms[0].name);
    if (stat(path, &info) != 0)
        return 1;
    unsigned char *data = malloc((size_t)info.st_size);
    raw_read(path, data, (size_t)info.st_size, false);
    raw(argv[2], data, (size_t)info.st_size, repeats);
    free(data);
    krt_ctx_free(k);
    return 0;
}
