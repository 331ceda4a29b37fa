/* keratin in its process, for bench/save_load.py: saves a model in one form or loads it from there, and in
 * turns with that writes and reads as many bytes raw. One line of JSON.
 *
 *     save_load save FORM MODEL DIRECTORY TIMES     DIRECTORY is made anew and keeps the last save
 *     save_load load FORM MODEL DIRECTORY TIMES     of that save; MODEL gives the architecture
 *     save_load list FILE TIMES
 *
 * All figures are milliseconds, one a time. Raw writes come from memory in pieces of 4 MiB; raw reads go into
 * memory of their own, as a load's do, and into memory that is there already. "cold": the files' pages
 * were dropped before. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "status.h"

#include <keratin/keratin.h>

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE = 4 << 20, MOST = 64 };

/* What is written how: `ending` names the file in its directory. */
typedef struct form {
    const char *name, *ending;
    double shard;
    bool is_model, is_zipped, is_checkpoint, has_digests;
} form;

static const form forms[] = {
    {"weights.h5", "m.weights.h5", 0, false, false, false, true},
    {"sharded", "m.weights.json", 0.25, false, false, false, true},
    {"keras", "m.keras", 0, true, true, false, true},
    {"directory", "m", 0, true, false, false, true},
    {"h5", "m.h5", 0, true, true, false, true},
    {"checkpoint", "m.ckpt", 0, false, false, true, false},
    {"safetensors", "m.safetensors", 0, false, false, false, false},
    {"npz", "m.npz", 0, false, false, false, false},
};

typedef struct bench {
    krt_ctx *k;
    const form *form;
    const char *model, *dir;
    char path[4096];
    size_t size;          /* of all files of the form */
    unsigned char *bytes; /* that many */
    int times;
} bench;

static bench *now_walking; /* nftw() hands nothing through */

static double peak_mb(void)
{
    return (double)status_bytes("VmHWM") / (1024 * 1024);
}

static void must(const bench *b, bool went_well, const char *what)
{
    if (went_well)
        return;
    fprintf(stderr, "%s: %s\n", what, krt_ctx_error(b->k)->message);
    exit(1);
}

static void print_times(const char *name, const double *ms, int n)
{
    printf(", \"%s\": [", name);
    for (int i = 0; i < n; i++)
        printf("%s%.3f", i > 0 ? ", " : "", ms[i]);
    printf("]");
}

/* ------------------------------------------------------------------------------- files */

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *at)
{
    (void)info;
    (void)kind;
    return at->level > 0 ? remove(path) : 0;
}

static int add_size(const char *path, const struct stat *info, int kind, struct FTW *at)
{
    (void)path;
    (void)at;
    if (kind == FTW_F)
        now_walking->size += (size_t)info->st_size;
    return 0;
}

static int drop_pages(const char *path, const struct stat *info, int kind, struct FTW *at)
{
    const int fd = kind == FTW_F ? open(path, O_RDONLY) : -1;

    (void)info;
    (void)at;
    if (fd < 0)
        return 0;
    (void)fdatasync(fd);
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    return close(fd);
}

static int read_one(const char *path, const struct stat *info, int kind, struct FTW *at)
{
    const int fd = kind == FTW_F ? open(path, O_RDONLY) : -1;
    ssize_t n = 1;

    (void)info;
    (void)at;
    while (fd >= 0 && (n = read(fd, now_walking->bytes + now_walking->size, PIECE)) > 0)
        now_walking->size += (size_t)n;
    if (fd >= 0)
        close(fd);
    return n < 0;
}

static void walk(bench *b, __nftw_func_t each)
{
    now_walking = b;
    must(b, nftw(b->dir, each, 8, FTW_DEPTH | FTW_PHYS) == 0, b->dir);
}

/* ------------------------------------------------------------------------------- raw */

static double raw_write(const bench *b, bool durable)
{
    char path[4200];
    int fd = -1;

    snprintf(path, sizeof path, "%s.raw", b->dir);
    unlink(path);
    sync();
    const double start = now_ms();
    must(b, (fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0666)) >= 0, path);
    for (size_t at = 0; at < b->size;) {
        const ssize_t n = write(fd, b->bytes + at, b->size - at < PIECE ? b->size - at : PIECE);

        must(b, n > 0, path);
        at += (size_t)n;
    }
    must(b, !durable || fsync(fd) == 0, path);
    close(fd);
    const double ms = now_ms() - start;
    unlink(path);
    return ms;
}

/* `mine`: into memory that is there already, NULL: into new. */
static double raw_read(bench *b, unsigned char *mine, bool is_cold)
{
    const size_t size = b->size;

    if (is_cold)
        walk(b, drop_pages);
    const double start = now_ms();
    b->bytes = mine != NULL ? mine : malloc(size + PIECE);
    b->size = 0;
    walk(b, read_one);
    const double ms = now_ms() - start;
    must(b, b->size == size, b->dir);
    if (mine == NULL)
        free(b->bytes);
    b->bytes = NULL;
    return ms;
}

/* ------------------------------------------------------------------------------- saving */

static krt_status save(const bench *b, krt_model *m, bool durable, krt_digest digest)
{
    const form *f = b->form;
    const krt_save_weights_args *weights =
        KRT_SAVE_WEIGHTS(.max_shard_size = f->shard, .sync = durable, .digest = digest);

    if (f->is_model)
        return krt_save(m, b->path,
                        KRT_SAVE(.zipped = f->is_zipped, .sync = durable, .digest = digest));
    return f->is_checkpoint ? krt_save_checkpoint(m, b->path, weights)
                            : krt_save_weights(m, b->path, weights);
}

/* To a fresh name, as the raw writes go: replacing a file makes some file systems write it out first. */
static double time_save(bench *b, krt_model *m, bool durable, krt_digest digest)
{
    walk(b, remove_one);
    sync();
    const double start = now_ms();
    must(b, save(b, m, durable, digest) == KRT_OK, b->path);
    return now_ms() - start;
}

static void run_save(bench *b)
{
    double plain[MOST], bare[MOST], durable[MOST], raw[MOST], raw_durable[MOST], peak = 0;
    krt_model *m = NULL;

    mkdir(b->dir, 0777);
    must(b, krt_load(b->k, &m, b->model, NULL) == KRT_OK, b->model);
    (void)time_save(b, m, false, KRT_DIGEST_DEFAULT);
    peak = peak_mb();
    walk(b, add_size);
    b->bytes = malloc(b->size);
    memset(b->bytes, 1, b->size);
    (void)raw_write(b, false); /* memory that this machine never used comes from its host first */
    for (int i = 0; i < b->times; i++) {
        raw[i] = raw_write(b, false);
        plain[i] = time_save(b, m, false, KRT_DIGEST_DEFAULT);
        if (b->form->has_digests)
            bare[i] = time_save(b, m, false, KRT_DIGEST_NONE);
        raw_durable[i] = raw_write(b, true);
        durable[i] = time_save(b, m, true, KRT_DIGEST_DEFAULT);
    }
    printf("{\"bytes\": %zu, \"peak_mb\": %.1f", b->size, peak);
    print_times("raw", raw, b->times);
    print_times("raw_sync", raw_durable, b->times);
    print_times("save", plain, b->times);
    print_times("save_sync", durable, b->times);
    print_times("save_no_digest", bare, b->form->has_digests ? b->times : 0);
    puts("}");
    free(b->bytes);
}

/* ------------------------------------------------------------------------------- loading */

/* Weights into a model that has none yet. */
static double time_weights(bench *b, bool copy, bool is_cold)
{
    krt_model *m = NULL;

    must(b, krt_load(b->k, &m, b->model, KRT_LOAD(.config_only = true)) == KRT_OK, b->model);
    if (is_cold)
        walk(b, drop_pages);
    const double start = now_ms();
    must(b, krt_load_weights(m, b->path, KRT_LOAD_WEIGHTS(.copy = copy)) == KRT_OK, b->path);
    const double ms = now_ms() - start;
    krt_model_free(m);
    return ms;
}

static double time_model(bench *b)
{
    krt_model *m = NULL;
    const double start = now_ms();

    must(b, krt_load(b->k, &m, b->path, NULL) == KRT_OK, b->path);
    const double ms = now_ms() - start;
    krt_model_free(m);
    return ms;
}

static void run_load(bench *b)
{
    double mapped[MOST], copied[MOST], raw[MOST], again[MOST], whole[MOST];
    double cold[3][MOST], peak = 0;
    unsigned char *mine = NULL;

    walk(b, add_size);
    (void)time_weights(b, true, false);
    peak = peak_mb();
    mine = malloc(b->size + PIECE);
    memset(mine, 1, b->size + PIECE);
    for (int i = 0; i < b->times; i++) {
        cold[0][i] = raw_read(b, NULL, true);
        cold[1][i] = time_weights(b, true, true);
        cold[2][i] = time_weights(b, false, true);
        (void)raw_read(b, mine, false); /* all is warm from here on */
        again[i] = raw_read(b, mine, false);
        raw[i] = raw_read(b, NULL, false);
        copied[i] = time_weights(b, true, false);
        mapped[i] = time_weights(b, false, false);
        if (b->form->is_model)
            whole[i] = time_model(b);
    }
    printf("{\"bytes\": %zu, \"peak_mb\": %.1f", b->size, peak);
    print_times("raw", raw, b->times);
    print_times("raw_again", again, b->times);
    print_times("copied", copied, b->times);
    print_times("mapped", mapped, b->times);
    print_times("model", whole, b->form->is_model ? b->times : 0);
    print_times("raw_cold", cold[0], b->times);
    print_times("copied_cold", cold[1], b->times);
    print_times("mapped_cold", cold[2], b->times);
    puts("}");
    free(mine);
}

/* ------------------------------------------------------------------------------- listing */

/* Opening and listing, as `keratin weights` does: no tensor is read. */
static void run_list(bench *b)
{
    double ms[MOST];
    size_t n = 0;
    krt_file *f = NULL;

    for (int i = 0; i < b->times; i++) {
        const double start = now_ms();

        must(b, krt_file_open(b->k, &f, b->model) == KRT_OK, b->model);
        n = krt_file_num_arrays(f);
        ms[i] = now_ms() - start;
        krt_file_close(f);
    }
    printf("{\"arrays\": %zu", n);
    print_times("list", ms, b->times);
    puts("}");
}

int main(int argc, char **argv)
{
    const bool lists = argc == 4 && strcmp(argv[1], "list") == 0;
    bench b = {.times = argc > 3 ? (int)strtol(argv[argc - 1], NULL, 10) : 0};

    for (size_t i = 0; argc == 6 && i < sizeof forms / sizeof forms[0]; i++)
        if (strcmp(argv[2], forms[i].name) == 0)
            b.form = &forms[i];
    if (b.times < 1 || b.times > MOST || (!lists && b.form == NULL) ||
        krt_ctx_new(&b.k, NULL) != KRT_OK) {
        fputs("usage: save_load save|load FORM MODEL DIRECTORY TIMES, save_load list FILE TIMES\n",
              stderr);
        return 2;
    }
    b.model = argv[lists ? 2 : 3];
    if (!lists) {
        b.dir = argv[4];
        snprintf(b.path, sizeof b.path, "%s/%s", b.dir, b.form->ending);
    }
    (lists ? run_list : strcmp(argv[1], "save") == 0 ? run_save : run_load)(&b);
    krt_ctx_free(b.k);
    return 0;
}
