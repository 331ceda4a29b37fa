/* Where a prediction's time goes: every step of the compiled plan with its best time of REPEATS runs.
 *
 *     profile MODEL [BATCH [THREADS [REPEATS]]]
 *
 * One line a step: milliseconds, GFLOP/s (of the operation as defined, whatever method computes it),
 * kernel, shape and layer; then the sum. The input is noise; what its shape leaves open is 224. It reaches
 * below the public headers. */
#include <keratin/keratin.h>

#include "models/model.h"

#include <stdio.h>
#include <stdlib.h>

static float *noise(size_t n)
{
    float *x = malloc((n + 1) * sizeof *x);
    uint32_t state = 1;

    for (size_t i = 0; x != NULL && i < n; i++) {
        state = state * 1664525u + 1013904223u;
        x[i] = (float)(state >> 8) / (float)(1u << 24);
    }
    return x;
}

static krt_status print_profile(krt_ctx *k, krt_model *m, int64_t batch, int threads, int repeats)
{
    krt_shape shape = krt_model_input_shape(m, 0);
    krt_run *r = NULL;
    krti_str text = {.k = k};
    krt_status st;

    shape.dim[0] = batch;
    for (int i = 1; i < shape.rank; i++)
        shape.dim[i] = shape.dim[i] < 0 ? 224 : shape.dim[i];

    float *const x = noise((size_t)krt_shape_size(shape));
    const void *const inputs[] = {x};
    if ((st = krt_run_new(m, &r, KRT_RUN(.threads = threads))) == KRT_OK &&
        (st = krt_run_call(r, inputs, &shape, 1)) == KRT_OK &&
        (st = krti_run_profile(r, inputs, repeats, &text)) == KRT_OK)
        fputs(krti_str_text(&text), stdout);
    krti_str_free(&text);
    krt_run_free(r);
    free(x);
    return st;
}

/* The i-th argument, a number, or what stands for it. */
static long number(int argc, char **argv, int i, long otherwise)
{
    return i < argc ? strtol(argv[i], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
    krt_ctx *k = NULL;
    krt_model *m = NULL;

    if (argc < 2 || argc > 5) {
        fprintf(stderr, "usage: profile MODEL [BATCH [THREADS [REPEATS]]]\n");
        return 2;
    }
    if (krt_ctx_new(&k, NULL) != KRT_OK)
        return 1;
    const bool is_done =
        krt_load(k, &m, argv[1], NULL) == KRT_OK &&
        print_profile(k, m, number(argc, argv, 2, 1), (int)number(argc, argv, 3, 2),
                      (int)number(argc, argv, 4, 20)) == KRT_OK;
    if (!is_done)
        fprintf(stderr, "profile: %s\n", krt_ctx_error(k)->message);
    krt_ctx_free(k);
    return is_done ? 0 : 1;
}
