/* Times one model for bench/predict.py, which speaks with it over pipes, as with its workers in Python.
 *
 *     predict MODEL THREADS FOLDER
 *
 * First prints one JSON line: how long reading the file's bytes takes, how long opening the model,
 * and what it holds. Then for every line "BATCH CALLS" on stdin, until it ends, it runs the model
 * CALLS times on the raw float32 input in FOLDER/x_BATCH.f32 and prints one JSON line with the
 * milliseconds of each call. The first request for a batch also compiles, warms up and leaves the
 * answer in FOLDER/keratin_BATCH.f32. */
#define _POSIX_C_SOURCE 200809L

#include "status.h"

#include <keratin/keratin.h>

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_BATCHES = 8, WARM_UP_CALLS = 3 };

struct batch {
    int64_t size;
    krt_run *run;
    krt_shape shape;
    void *x;
    double prepare_ms, first_ms;
};

/* Milliseconds to read the file once through a small buffer: the floor under any way of opening it. */
static double read_file_ms(const char *path)
{
    static char buffer[1 << 20];
    const double start = now_ms();
    FILE *f = fopen(path, "rb");

    if (f == NULL)
        return 0;
    setvbuf(f, NULL, _IONBF, 0);
    while (fread(buffer, 1, sizeof buffer, f) == sizeof buffer)
        continue;
    fclose(f);
    return now_ms() - start;
}

/* The whole raw input of this many bytes, or NULL. */
static void *read_input(const char *folder, int64_t batch, size_t size)
{
    char path[4096];
    void *x = malloc(size);
    FILE *f;

    snprintf(path, sizeof path, "%s/x_%" PRId64 ".f32", folder, batch);
    f = fopen(path, "rb");
    if (x == NULL || f == NULL || fread(x, 1, size, f) != size) {
        fprintf(stderr, "predict: cannot read %zu bytes of %s\n", size, path);
        free(x);
        x = NULL;
    }
    if (f != NULL)
        fclose(f);
    return x;
}

static int write_output(const char *folder, const struct batch *b)
{
    const krt_shape shape = krt_run_output_shape(b->run, 0);
    const size_t n = (size_t)krt_shape_size(shape);
    char path[4096];
    FILE *f;
    int ok;

    snprintf(path, sizeof path, "%s/keratin_%" PRId64 ".f32", folder, b->size);
    f = fopen(path, "wb");
    if (f == NULL)
        return 0;
    ok = fwrite(krt_run_output(b->run, 0), sizeof(float), n, f) == n;
    return fclose(f) == 0 && ok;
}

static krt_status call(struct batch *b)
{
    const void *x = b->x;
    const krt_status st = krt_run_call(b->run, &x, &b->shape, 1);

    if (st != KRT_OK)
        fprintf(stderr, "predict: %s\n", krt_run_error(b->run)->message);
    return st;
}

/* Compiles for this batch, runs it warm and leaves its answer in the folder. */
static int prepare(krt_ctx *k, krt_model *m, struct batch *b, int64_t size, const char *folder)
{
    double start;

    b->size = size;
    b->shape = krt_model_input_shape(m, 0);
    b->shape.dim[0] = size;
    if (krt_shape_size(b->shape) <= 0)
        return 0;
    b->x = read_input(folder, size, (size_t)krt_shape_size(b->shape) * sizeof(float));
    if (b->x == NULL)
        return 0;
    start = now_ms();
    if (krt_run_new(m, &b->run, NULL) != KRT_OK) {
        fprintf(stderr, "predict: %s\n", krt_ctx_error(k)->message);
        return 0;
    }
    if (krt_run_prepare(b->run, &b->shape, 1) != KRT_OK) {
        fprintf(stderr, "predict: %s\n", krt_run_error(b->run)->message);
        return 0;
    }
    b->prepare_ms = now_ms() - start;
    start = now_ms();
    if (call(b) != KRT_OK)
        return 0;
    b->first_ms = now_ms() - start;
    for (int i = 0; i < WARM_UP_CALLS; i++)
        if (call(b) != KRT_OK)
            return 0;
    return write_output(folder, b);
}

static int measure(struct batch *b, int calls)
{
    printf(
        "{\"prepare_ms\": %.3f, \"first_ms\": %.3f, \"arena_bytes\": %zu, \"peak_bytes\": %" PRId64
        ", \"anon_bytes\": %" PRId64 ", \"ms\": [",
        b->prepare_ms, b->first_ms, krt_run_arena_bytes(b->run), status_bytes("VmHWM"),
        status_bytes("RssAnon"));
    for (int i = 0; i < calls; i++) {
        const double start = now_ms();

        if (call(b) != KRT_OK)
            return 0;
        printf("%s%.5f", i > 0 ? ", " : "", now_ms() - start);
    }
    printf("]}\n");
    return fflush(stdout) == 0;
}

static int serve(krt_ctx *k, krt_model *m, const char *folder)
{
    struct batch batches[MAX_BATCHES] = {0};
    int64_t size;
    int n = 0, calls, ok = 1;

    while (ok && scanf("%" SCNd64 " %d", &size, &calls) == 2) {
        int i = 0;

        while (i < n && batches[i].size != size)
            i++;
        if (i == n)
            ok = n < MAX_BATCHES && prepare(k, m, &batches[n++], size, folder);
        ok = ok && measure(&batches[i], calls);
    }
    for (int i = 0; i < n; i++) {
        krt_run_free(batches[i].run);
        free(batches[i].x);
    }
    return ok;
}

int main(int argc, char **argv)
{
    krt_ctx *k = NULL;
    krt_model *m = NULL;
    double read_ms, start;
    int ok;

    if (argc != 4) {
        fprintf(stderr, "usage: predict MODEL THREADS FOLDER\n");
        return 2;
    }
    if (krt_ctx_new(&k, KRT_CTX(.threads = (int)strtol(argv[2], NULL, 10))) != KRT_OK)
        return 1;
    read_ms = read_file_ms(argv[1]);
    start = now_ms();
    ok = krt_load(k, &m, argv[1], NULL) == KRT_OK;
    if (ok) {
        printf("{\"read_ms\": %.3f, \"load_ms\": %.3f, \"weights_bytes\": %" PRId64 "}\n", read_ms,
               now_ms() - start, krt_model_count_params(m) * (int64_t)sizeof(float));
        fflush(stdout);
        ok = serve(k, m, argv[3]);
    } else {
        fprintf(stderr, "predict: %s\n", krt_ctx_error(k)->message);
    }
    krt_ctx_free(k);
    return ok ? 0 : 1;
}
