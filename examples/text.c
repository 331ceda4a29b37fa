/* Texts to numbers and on: a TextVectorization learns its words, a small network learns what they say,
 * and both are one file, which then answers plain strings.
 *
 *     text OUT.keras
 *
 * Keras opens the file as well, and what Keras saves is loaded in the same way. */
#include "common.h"

enum { SIZE = 12, LENGTH = 6, EPOCHS = 60 };

static const char *const reviews[SIZE] = {
    "A wonderful film, truly wonderful!",
    "What a dull, dull evening.",
    "I loved every minute of it",
    "I hated every minute of it",
    "Great actors and a great story",
    "Bad actors, and the story is worse",
    "A joy from start to end",
    "A bore from start to end",
    "Wonderful music, great pictures",
    "Dull music; I hated it",
    "Loved it. Great!",
    "Worse than bad...",
};

/* TextVectorization, Embedding, a mean over the words, and one number: how much it was liked. */
static krt_model *build(krt_ctx *k, const krt_tensor *x)
{
    krt_layer *words = krt_layer_new(k, KRT_TEXT_VECTORIZATION(.output_sequence_length = LENGTH));
    krt_model *m = krt_sequential(k, KRT_MODEL(.name = "reviews"));
    krt_tensor *vocabulary = NULL;

    if (words == NULL || m == NULL || krt_adapt(words, x, NULL) != KRT_OK ||
        krt_get_vocabulary(words, &vocabulary) != KRT_OK)
        return NULL;
    const int64_t num_words = krt_tensor_shape(vocabulary).dim[0];
    printf("%lld words, padding and unknown among them\n", (long long)num_words);
    krt_add_input(m, KRT_SHAPE(1), KRT_INPUT(.dtype = "string"));
    krt_add_layer(m, words);
    krt_add(m, KRT_EMBEDDING(num_words, 8, .mask_zero = true));
    krt_add(m, KRT_GLOBAL_AVERAGE_POOLING1D());
    krt_add(m, KRT_DENSE(1, .activation = "sigmoid"));
    return m;
}

static krt_status train(krt_ctx *k, const char *file)
{
    static const float liked[SIZE] = {1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0};
    krt_tensor *x = NULL, *y = NULL;
    krt_status st = krt_tensor_texts(k, &x, KRT_SHAPE(SIZE, 1), reviews);

    if (st == KRT_OK)
        st = krt_tensor_wrap(k, &y, KRT_FLOAT32, KRT_SHAPE(SIZE, 1), liked);
    krt_model *m = st == KRT_OK ? build(k, x) : NULL;
    if (m == NULL)
        return krt_ctx_error(k)->status;
    st = krt_compile(m, KRT_COMPILE(.optimizer = KRT_ADAM(.learning_rate = 0.05),
                                    .loss = KRT_ID("binary_crossentropy")));
    if (st == KRT_OK)
        st = krt_fit(m, x, y, KRT_FIT(.epochs = EPOCHS, .batch_size = 4, .verbose = 0));
    return st == KRT_OK ? krt_save(m, file, NULL) : st;
}

static krt_status answer(krt_ctx *k, const char *file)
{
    static const char *const texts[] = {"What wonderful pictures!", "a dull story, badly told"};
    enum { NUM = sizeof texts / sizeof *texts };
    krt_model *m = NULL;
    krt_tensor *x = NULL, *y = NULL;
    krt_status st = krt_load(k, &m, file, NULL);

    if (st == KRT_OK)
        st = krt_tensor_texts(k, &x, KRT_SHAPE(NUM, 1), texts);
    if (st == KRT_OK)
        st = krt_predict(m, &y, x, NULL);
    for (int i = 0; st == KRT_OK && i < NUM; i++)
        printf("%s  %s\n", ((const float *)krt_tensor_data(y))[i] > 0.5F ? "liked   " : "disliked",
               texts[i]);
    return st;
}

int main(int argc, char **argv)
{
    krt_ctx *k = NULL;

    if (argc != 2) {
        fprintf(stderr, "usage: text OUT.keras\n");
        return 2;
    }
    if (krt_ctx_new(&k, KRT_CTX(.seed = 7)) != KRT_OK)
        return 1;
    krt_status st = train(k, argv[1]);
    return ex_end(k, st == KRT_OK ? answer(k, argv[1]) : st);
}
