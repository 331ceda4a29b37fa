/* Opens a model of any Keras generation and runs it on the array of a file.
 *
 *     predict MODEL INPUT.npy
 *
 * Keras: keras.saving.load_model(MODEL).predict(numpy.load("INPUT.npy")). */
#include <keratin/keratin.h>

#include <stdio.h>

static void print_error(krt_ctx *k)
{
    const krt_error *e = krt_ctx_error(k);

    fprintf(stderr, "%s: %s%s%s\n", e->filepath != NULL ? e->filepath : "predict",
            e->object != NULL ? e->object : "", e->object != NULL ? ": " : "", e->message);
}

int main(int argc, char **argv)
{
    krt_ctx *k = NULL;
    krt_model *m = NULL;
    krt_tensor *x = NULL, *y = NULL;
    char *text = NULL;
    krt_status st;

    if (argc != 3) {
        fprintf(stderr, "usage: predict MODEL INPUT.npy\n");
        return 2;
    }
    if (krt_ctx_new(&k, NULL) != KRT_OK)
        return 1;

    if ((st = krt_load(k, &m, argv[1], NULL)) == KRT_OK &&
        (st = krt_tensor_read(k, &x, argv[2])) == KRT_OK &&
        (st = krt_predict(m, &y, x, NULL)) == KRT_OK &&
        (st = krt_tensor_format(y, &text)) == KRT_OK)
        puts(text);
    else
        print_error(k);

    krt_free(k, text);
    krt_ctx_free(k); /* and what was made through it: model, input, output */
    return st == KRT_OK ? 0 : 1;
}
