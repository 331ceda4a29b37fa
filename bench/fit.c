/* keratin training one model for bench/fit.py, an epoch at a time.
 *
 *     fit FOLDER BATCH EPOCHS THREADS SHAPE [CHECKPOINT]
 *
 * FOLDER holds model.keras with its compile settings, x.f32 and y.i32; SHAPE is one sample's
 * ("28,28,1"). Waits for a line on stdin before each epoch and prints a JSON line behind it. With
 * CHECKPOINT every epoch saves the whole model there in the background: it begins with its first
 * batch, and the epoch's time ends when the file is written. */
#define _DEFAULT_SOURCE

#include "status.h"

#include <inttypes.h>
#include <keratin/keratin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A file of raw numbers as a tensor of rows of this shape. */
static krt_status read_array(krt_ctx *k, krt_tensor **out, const char *folder, const char *name,
                             krt_dtype dtype, krt_shape row)
{
    char path[1024];
    int64_t floats = 1;
    krt_shape shape = {.rank = row.rank + 1};
    krt_status st;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "rb");
    if (f == NULL)
        return KRT_E_IO;
    for (int i = 0; i < row.rank; i++) {
        shape.dim[i + 1] = row.dim[i];
        floats *= row.dim[i];
    }
    fseek(f, 0, SEEK_END);
    shape.dim[0] = ftell(f) / (4 * floats);
    rewind(f);
    st = krt_tensor_new(k, out, dtype, shape);
    if (st == KRT_OK &&
        fread(krt_tensor_data_mut(*out), 4, (size_t)(shape.dim[0] * floats), f) == 0)
        st = KRT_E_IO;
    fclose(f);
    return st;
}

typedef struct turns {
    krt_ctx *k;
    double start;
    const char *checkpoint; /* NULL: none */
} turns;

static krt_status wait_for_turn(void *user, krt_model *m, int64_t epoch, const krt_logs *logs)
{
    turns *t = user;
    char line[16];

    (void)epoch;
    (void)logs;
    if (fgets(line, sizeof line, stdin) == NULL)
        krt_stop_training(m);
    t->start = now_s();
    return t->checkpoint != NULL ? krt_save_async(m, t->checkpoint, KRT_SAVE()) : KRT_OK;
}

static krt_status report(void *user, krt_model *m, int64_t epoch, const krt_logs *logs)
{
    const turns *t = user;
    const krt_status saved = krt_save_wait(t->k);
    const double seconds = now_s() - t->start;
    double loss = 0;

    (void)m;
    (void)epoch;
    krt_logs_get(logs, "loss", &loss);
    printf("{\"seconds\": %.6f, \"loss\": %.9g, \"peak_mb\": %.1f}\n", seconds, loss,
           (double)status_bytes("VmHWM") / (1024 * 1024));
    fflush(stdout);
    return saved;
}

static krt_status train(krt_ctx *k, char **argv)
{
    krt_model *m = NULL;
    krt_tensor *x = NULL, *y = NULL;
    krt_shape row = {.rank = 0};
    char path[1024];
    turns t = {.k = k, .checkpoint = argv[6]};

    for (char *p = argv[5]; *p != '\0' && row.rank < 4; p += *p == ',')
        row.dim[row.rank++] = strtol(p, &p, 10);
    snprintf(path, sizeof path, "%s/model.keras", argv[1]);
    krt_status st = read_array(k, &x, argv[1], "x.f32", KRT_FLOAT32, row);
    if (st == KRT_OK)
        st = read_array(k, &y, argv[1], "y.i32", KRT_INT32, (krt_shape){.rank = 0});
    if (st == KRT_OK)
        st = krt_load(k, &m, path, NULL);
    if (st != KRT_OK)
        return st;
    return krt_fit(
        m, x, y,
        KRT_FIT(.batch_size = strtol(argv[2], NULL, 10), .epochs = strtol(argv[3], NULL, 10),
                .shuffle = false,
                .callbacks = KRT_SPECS(KRT_CALLBACK(.user = &t, .on_epoch_begin = wait_for_turn,
                                                    .on_epoch_end = report))));
}

int main(int argc, char **argv)
{
    krt_ctx *k = NULL;

    if (argc != 6 && argc != 7) {
        fprintf(stderr, "usage: fit FOLDER BATCH EPOCHS THREADS SHAPE [CHECKPOINT]\n");
        return 2;
    }
    if (krt_ctx_new(&k, KRT_CTX(.threads = (int)strtol(argv[4], NULL, 10))) != KRT_OK)
        return 1;
    const krt_status st = train(k, argv);
    if (st != KRT_OK)
        fprintf(stderr, "fit: %s\n", krt_ctx_error(k)->message);
    krt_ctx_free(k);
    return st == KRT_OK ? 0 : 1;
}
