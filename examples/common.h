/* What the examples share: real digits, a small network for them, and how a program ends. */
#ifndef KERATIN_EXAMPLES_COMMON_H
#define KERATIN_EXAMPLES_COMMON_H

#include <keratin/keratin.h>

#include <stdio.h>
#include <string.h>

enum { EX_SIDE = 8, EX_CLASSES = 10 };

/* The 1,797 images of data/digits: three of four to train on, every fourth to test with. */
typedef struct ex_digits {
    krt_tensor *x, *y; /* (1348, 8, 8, 1) and (1348,), uint8 */
    krt_tensor *test_x, *test_y;
} ex_digits;

/* Rows of an array: every fourth, or the rest. */
static inline krt_status ex_pick(krt_ctx *k, krt_tensor **out, const krt_tensor *all, bool fourth)
{
    krt_shape shape = krt_tensor_shape(all);
    const int64_t n = shape.dim[0];
    const size_t row = (size_t)(krt_shape_size(shape) / n);
    const uint8_t *from = krt_tensor_data(all);

    shape.dim[0] = fourth ? n / 4 : n - n / 4;
    if (shape.rank == 3)
        shape.dim[shape.rank++] = 1; /* the channel axis that the files leave out */
    const krt_status st = krt_tensor_new(k, out, KRT_UINT8, shape);
    if (st != KRT_OK)
        return st;
    uint8_t *to = krt_tensor_data_mut(*out);
    for (int64_t i = 0; i < n; i++, from += row) {
        if ((i % 4 == 3) != fourth)
            continue;
        memcpy(to, from, row);
        to += row;
    }
    return KRT_OK;
}

static inline krt_status ex_read(krt_ctx *k, const char *folder, ex_digits *d)
{
    krt_tensor *images = NULL, *labels = NULL;
    char path[4096];
    krt_status st = KRT_OK;

    snprintf(path, sizeof path, "%s/digits-images-idx3-ubyte", folder);
    if ((st = krt_tensor_read(k, &images, path)) != KRT_OK)
        return st;
    snprintf(path, sizeof path, "%s/digits-labels-idx1-ubyte", folder);
    if ((st = krt_tensor_read(k, &labels, path)) != KRT_OK ||
        (st = ex_pick(k, &d->x, images, false)) != KRT_OK ||
        (st = ex_pick(k, &d->y, labels, false)) != KRT_OK ||
        (st = ex_pick(k, &d->test_x, images, true)) != KRT_OK)
        return st;
    return ex_pick(k, &d->test_y, labels, true);
}

/* The network, compiled: what create_model() is in Keras's guides. NULL after a failure. */
static inline krt_model *ex_cnn(krt_ctx *k)
{
    krt_model *m = krt_sequential(k, KRT_MODEL(.name = "digits_cnn"));

    if (m == NULL)
        return NULL;
    krt_add_input(m, KRT_SHAPE(EX_SIDE, EX_SIDE, 1), NULL);
    krt_add(m, KRT_RESCALING(KRT_NUMBER(1.0 / 16)));
    krt_add(m, KRT_CONV2D(32, {3, 3}, .padding = "same", .activation = "relu"));
    krt_add(m, KRT_MAX_POOLING2D({2, 2}));
    krt_add(m, KRT_CONV2D(64, {3, 3}, .padding = "same", .activation = "relu"));
    krt_add(m, KRT_MAX_POOLING2D({2, 2}));
    krt_add(m, KRT_FLATTEN());
    krt_add(m, KRT_DENSE(EX_CLASSES, .activation = "softmax", .name = "predictions"));
    return krt_compile(m, KRT_COMPILE(.optimizer = KRT_ADAM(),
                                      .loss = KRT_ID("sparse_categorical_crossentropy"),
                                      .metrics = KRT_SPECS(KRT_ID("accuracy")))) == KRT_OK
               ? m
               : NULL;
}

/* Keras: model.evaluate(test_images, test_labels)[1]; below 0 after a failure. */
static inline double ex_accuracy(krt_model *m, const ex_digits *d)
{
    const krt_logs *logs = NULL;
    double accuracy = -1;

    if (krt_evaluate(m, &logs, d->test_x, d->test_y, NULL) == KRT_OK)
        krt_logs_get(logs, "accuracy", &accuracy);
    return accuracy;
}

/* The end of main(): says what failed, if anything did. */
static inline int ex_end(krt_ctx *k, krt_status st)
{
    if (st != KRT_OK) {
        const krt_error *e = krt_ctx_error(k);

        fprintf(stderr, "%s%s%s\n", e->filepath != NULL ? e->filepath : "",
                e->filepath != NULL ? ": " : "", e->message);
    }
    krt_ctx_free(k);
    return st == KRT_OK ? 0 : 1;
}

#endif
