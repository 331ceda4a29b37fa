/* Branches, a merge, a shared layer and two outputs: a Functional model made in C, shown and run.
 *
 * The weights are fresh, drawn by Keras's default initializers from the context's seed, so what it
 * answers means nothing yet; its shapes and its summary are Keras's. */
#include <keratin/keratin.h>

#include <stdio.h>

static krt_model *two_heads(krt_ctx *k)
{
    krt_ktensor *image = krt_input(k, KRT_SHAPE(64, 64, 3), KRT_INPUT(.name = "image"));
    krt_ktensor *x = krt_apply(image, KRT_CONV2D(32, {3, 3}, .padding = "same", .strides = {2, 2}));
    krt_ktensor *a = krt_apply(x, KRT_CONV2D(32, {1, 1}, .name = "branch_a"));
    krt_ktensor *b = krt_apply(x, KRT_CONV2D(32, {3, 3}, .padding = "same", .name = "branch_b"));
    krt_ktensor *y = krt_apply_n(KRT_KTENSORS(x, a, b), KRT_ADD());

    krt_layer *shared = krt_layer_new(k, KRT_DENSE(32, .activation = "relu", .name = "shared"));
    y = krt_call_layer(shared, krt_apply(y, KRT_GLOBAL_AVERAGE_POOLING2D()));
    y = krt_call_layer(shared, y); /* the same weights, a second time */

    krt_ktensor *kind = krt_apply(y, KRT_DENSE(10, .activation = "softmax", .name = "kind"));
    krt_ktensor *box = krt_apply(y, KRT_DENSE(4, .name = "box"));

    /* NULL flows through krt_apply(), so the caller's one check covers every line above. */
    return krt_functional(k, KRT_KTENSORS(image), KRT_KTENSORS(kind, box),
                          KRT_MODEL(.name = "two_heads"));
}

static krt_status show(krt_model *m, krt_ctx *k)
{
    char *text = NULL;
    const krt_status st = krt_summary(m, &text, NULL);

    if (st == KRT_OK)
        fputs(text, stdout);
    krt_free(k, text);
    return st;
}

static krt_status predict_zeros(krt_model *m, krt_ctx *k)
{
    krt_tensor *x = NULL, *y[2] = {NULL, NULL};
    char shape[160];
    krt_status st = krt_tensor_new(k, &x, KRT_FLOAT32, KRT_SHAPE(2, 64, 64, 3));

    if (st == KRT_OK)
        st = krt_predict_n(m, y, 2, (const krt_tensor *const[]){x}, 1, NULL);
    for (int i = 0; st == KRT_OK && i < 2; i++)
        printf("output %d: %s\n", i, krt_shape_print(krt_tensor_shape(y[i]), shape, sizeof shape));
    krt_tensor_free(x);
    krt_tensor_free(y[0]);
    krt_tensor_free(y[1]);
    return st;
}

int main(void)
{
    krt_ctx *k = NULL;
    krt_model *m;
    krt_status st = KRT_E_INVALID;

    if (krt_ctx_new(&k, KRT_CTX(.seed = 42)) != KRT_OK)
        return 1;
    m = two_heads(k);
    if (m != NULL && (st = show(m, k)) == KRT_OK)
        st = predict_zeros(m, k);
    if (st != KRT_OK)
        fprintf(stderr, "functional: %s\n", krt_ctx_error(k)->message);
    krt_ctx_free(k); /* and the model with it */
    return st == KRT_OK ? 0 : 1;
}
