/* Keras's classic encoder and decoder: an LSTM reads a word, and another, which goes on from the first one's
 * states, writes it backwards. It is trained with the right letters as input; to write, the same layers make
 * two models, and the decoder's own letters and states are what it is given at the next step.
 *
 *     seq2seq OUT        writes OUT/seq2seq.keras, OUT/encoder.keras and OUT/decoder.keras */
#include "common.h"

enum { LETTERS = 6, LENGTH = 4, START = LETTERS, WORDS = 1296, UNITS = 64 };

typedef struct models {
    krt_model *training, *encoder, *decoder;
} models;

static bool build(krt_ctx *k, models *m)
{
    /* encoder: all that is kept of it are its states */
    krt_ktensor *word = krt_input(k, KRT_SHAPE(KRT_NONE, LETTERS), KRT_INPUT(.name = "word"));
    krt_ktensor *y = krt_apply(word, KRT_LSTM(UNITS, .return_state = true, .name = "encoder"));
    krt_ktensor *h = krt_ktensor_at(y, 1), *c = krt_ktensor_at(y, 2);

    /* decoder, called on all letters at once */
    krt_ktensor *before =
        krt_input(k, KRT_SHAPE(KRT_NONE, LETTERS + 1), KRT_INPUT(.name = "before"));
    krt_layer *lstm = krt_layer_new(
        k, KRT_LSTM(UNITS, .return_sequences = true, .return_state = true, .name = "decoder"));
    krt_layer *letter = krt_layer_new(k, KRT_DENSE(LETTERS, .activation = "softmax"));
    y = krt_call_layer_n(lstm, KRT_KTENSORS(before, h, c));
    m->training =
        krt_functional(k, KRT_KTENSORS(word, before), KRT_KTENSORS(krt_call_layer(letter, y)),
                       KRT_MODEL(.name = "seq2seq"));

    /* the same layers, letter by letter */
    m->encoder =
        krt_functional(k, KRT_KTENSORS(word), KRT_KTENSORS(h, c), KRT_MODEL(.name = "reads"));
    krt_ktensor *h_in = krt_input(k, KRT_SHAPE(UNITS), KRT_INPUT(.name = "h"));
    krt_ktensor *c_in = krt_input(k, KRT_SHAPE(UNITS), KRT_INPUT(.name = "c"));
    y = krt_call_layer_n(lstm, KRT_KTENSORS(before, h_in, c_in));
    krt_ktensor *out = krt_call_layer(letter, y);
    m->decoder = krt_functional(k, KRT_KTENSORS(before, h_in, c_in),
                                KRT_KTENSORS(out, krt_ktensor_at(y, 1), krt_ktensor_at(y, 2)),
                                KRT_MODEL(.name = "writes"));
    return m->training != NULL && m->encoder != NULL && m->decoder != NULL;
}

static int letter_of(int word, int place)
{
    for (; place > 0; place--)
        word /= LETTERS;
    return word % LETTERS;
}

/* Three words of four, all of them letter for letter: the word, what stands before each letter of the
 * answer, and the answer. */
static krt_status make_words(krt_ctx *k, krt_tensor *x[2], krt_tensor **y)
{
    const int64_t rows = WORDS - WORDS / 4;
    krt_status st = krt_tensor_new(k, &x[0], KRT_FLOAT32, KRT_SHAPE(rows, LENGTH, LETTERS));
    int64_t row = 0;

    if (st == KRT_OK)
        st = krt_tensor_new(k, &x[1], KRT_FLOAT32, KRT_SHAPE(rows, LENGTH, LETTERS + 1));
    if (st == KRT_OK)
        st = krt_tensor_new(k, y, KRT_INT32, KRT_SHAPE(rows, LENGTH));
    if (st != KRT_OK)
        return st;
    float *word = krt_tensor_data_mut(x[0]), *before = krt_tensor_data_mut(x[1]);
    int32_t *answer = krt_tensor_data_mut(*y);
    for (int w = 0; w < WORDS; w++) {
        int last = START;

        for (int i = 0; w % 4 != 3 && i < LENGTH; i++, row++) {
            const int next = letter_of(w, LENGTH - 1 - i);

            word[row * LETTERS + letter_of(w, i)] = 1;
            before[row * (LETTERS + 1) + last] = 1;
            answer[row] = next;
            last = next;
        }
    }
    return KRT_OK;
}

/* One step of the decoder: the likeliest letter, and in s[1] and s[2] the states after it. */
static krt_status write_letter(krt_model *decoder, krt_tensor *s[3], int *letter)
{
    float *before = krt_tensor_data_mut(s[0]);
    krt_tensor *y[3] = {NULL};

    memset(before, 0, sizeof(float) * (LETTERS + 1));
    before[*letter] = 1;
    const krt_status st = krt_predict_n(decoder, y, 3, (const krt_tensor *const *)s, 3, NULL);
    if (st != KRT_OK)
        return st;
    const float *likely = krt_tensor_data(y[0]);
    *letter = 0;
    for (int i = 1; i < LETTERS; i++)
        *letter = likely[i] > likely[*letter] ? i : *letter;
    for (int i = 0; i < 3; i++) {
        krt_tensor_free(i == 0 ? y[0] : s[i]);
        s[i] = i == 0 ? s[0] : y[i];
    }
    return KRT_OK;
}

/* Whether the word comes out backwards. */
static krt_status turns(krt_ctx *k, const models *m, int word, bool *right)
{
    krt_tensor *x = NULL, *s[3] = {NULL};
    int letter = START;
    krt_status st = krt_tensor_new(k, &x, KRT_FLOAT32, KRT_SHAPE(1, LENGTH, LETTERS));

    if (st == KRT_OK)
        st = krt_tensor_new(k, &s[0], KRT_FLOAT32, KRT_SHAPE(1, 1, LETTERS + 1));
    for (int i = 0; st == KRT_OK && i < LENGTH; i++)
        ((float *)krt_tensor_data_mut(x))[i * LETTERS + letter_of(word, i)] = 1;
    if (st == KRT_OK)
        st = krt_predict_n(m->encoder, &s[1], 2, (const krt_tensor *const[]){x}, 1, NULL);
    *right = true;
    for (int i = 0; st == KRT_OK && i < LENGTH; i++) {
        st = write_letter(m->decoder, s, &letter);
        *right = *right && letter == letter_of(word, LENGTH - 1 - i);
    }
    krt_tensor_free(x);
    for (int i = 0; i < 3; i++)
        krt_tensor_free(s[i]);
    return st;
}

static krt_status save(const models *m, const char *folder)
{
    const struct {
        krt_model *model;
        const char *name;
    } files[] = {{m->training, "seq2seq"}, {m->encoder, "encoder"}, {m->decoder, "decoder"}};
    char path[4096];
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "%s/%s.keras", folder, files[i].name);
        st = krt_save(files[i].model, path, NULL);
    }
    return st;
}

static krt_status run(krt_ctx *k, const char *folder)
{
    krt_tensor *x[2] = {NULL}, *y = NULL;
    models m = {.encoder = NULL};
    int right = 0;
    krt_status st = make_words(k, x, &y);

    if (st != KRT_OK || !build(k, &m))
        return krt_ctx_error(k)->status;
    const krt_data data = {.struct_size = sizeof data,
                           .x = (const krt_tensor *const *)x,
                           .num_x = 2,
                           .y = (const krt_tensor *const[]){y},
                           .num_y = 1};
    if ((st = krt_compile(m.training,
                          KRT_COMPILE(.optimizer = KRT_ADAM(.learning_rate = 0.005),
                                      .loss = KRT_ID("sparse_categorical_crossentropy")))) !=
            KRT_OK ||
        (st = krt_fit_data(m.training, &data, KRT_FIT(.epochs = 30))) != KRT_OK)
        return st;
    for (int w = 3; st == KRT_OK && w < WORDS; w += 4 * 9) { /* none of them was trained on */
        bool is_right = false;

        st = turns(k, &m, w, &is_right);
        right += is_right;
    }
    if (st != KRT_OK)
        return st;
    printf("of 36 words it had not seen it wrote %s backwards\n",
           right >= 32 ? "32 or more" : "fewer than 32");
    return save(&m, folder);
}

int main(int argc, char **argv)
{
    krt_ctx *k = NULL;

    if (argc != 2) {
        fprintf(stderr, "usage: seq2seq OUT\n");
        return 2;
    }
    if (krt_ctx_new(&k, KRT_CTX(.seed = 1)) != KRT_OK)
        return 1;
    return ex_end(k, run(k, argv[1]));
}
