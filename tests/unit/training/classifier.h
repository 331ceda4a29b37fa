/* A small classifier and its data, for the tests of fit() and its arguments. */
#ifndef KERATIN_TESTS_CLASSIFIER_H
#define KERATIN_TESTS_CLASSIFIER_H

#include "training_testing.h"
#include <keratin/keratin.h>

enum { ROWS = 20, FEATURES = 4, CLASSES = 3 };

static inline krt_tensor *features(testing *t, int64_t rows)
{
    krt_tensor *x = NULL;

    ASSERT_OK(krt_tensor_new(t->k, &x, KRT_FLOAT32, KRT_SHAPE(rows, FEATURES)));
    float *v = krt_tensor_data_mut(x);
    for (int64_t i = 0; i < rows * FEATURES; i++)
        v[i] = (float)((i * 37 + 11) % 101) / 101.0f - 0.5f;
    return x;
}

static inline krt_tensor *classes(testing *t, int64_t rows)
{
    krt_tensor *y = NULL;

    ASSERT_OK(krt_tensor_new(t->k, &y, KRT_INT32, KRT_SHAPE(rows)));
    int32_t *v = krt_tensor_data_mut(y);
    for (int64_t i = 0; i < rows; i++)
        v[i] = (int32_t)(i * 7 % CLASSES);
    return y;
}

static inline krt_model *classifier(testing *t, double dropout)
{
    krt_model *m = krt_sequential(t->k, NULL);

    ASSERT_OK(krt_add_input(m, KRT_SHAPE(FEATURES), NULL));
    ASSERT_OK(krt_add(m, KRT_DENSE(8, .activation = "relu",
                                   .kernel_initializer = KRT_GLOROT_UNIFORM(.seed = 3))));
    ASSERT_OK(krt_add(m, KRT_DROPOUT(dropout, .seed = 5)));
    ASSERT_OK(krt_add(m, KRT_DENSE(CLASSES, .activation = "softmax",
                                   .kernel_initializer = KRT_GLOROT_UNIFORM(.seed = 4))));
    return m;
}

static inline krt_model *compiled(testing *t, double dropout)
{
    krt_model *m = classifier(t, dropout);

    ASSERT_OK(krt_compile(m, KRT_COMPILE(.optimizer = KRT_ADAM(.learning_rate = 0.01),
                                         .loss = KRT_ID("sparse_categorical_crossentropy"),
                                         .metrics = KRT_SPECS(KRT_ID("accuracy")))));
    return m;
}

#endif
