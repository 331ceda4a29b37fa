/* Real handwritten digits: a small convolutional network is trained, saved, and loaded again.
 *
 *     digits DATA OUT
 *
 * DATA holds 1,797 images of 8 x 8 pixels with their labels in the form MNIST ships in. Three of
 * four train, a tenth of them to validate on; every fourth is never seen. OUT gets the best model,
 * TensorBoard's logs, and the model in three forms. `./dev quickstart` runs it on data/digits. */
#include "common.h"

enum { PER_LINE = 4, LINES = 2, BRIGHTEST = 16, EPOCHS = 40 };

typedef struct digits {
    krt_ctx *k;
    ex_digits data;
    const char *out;
    krt_model *model;
    krt_tensor *probabilities; /* of the images never seen */
} digits;

static krt_status print_summary(digits *d)
{
    char *text = NULL;
    const krt_status st = krt_summary(d->model, &text, NULL);

    if (st == KRT_OK)
        fputs(text, stdout);
    krt_free(d->k, text);
    return st;
}

static krt_status train(digits *d)
{
    char best[4096], logs[4096];

    snprintf(best, sizeof best, "%s/best.keras", d->out);
    snprintf(logs, sizeof logs, "%s/logs", d->out);
    fflush(stdout);
    krt_status st =
        krt_fit(d->model, d->data.x, d->data.y,
                KRT_FIT(.epochs = EPOCHS, .validation_split = 0.1, .verbose = 1,
                        .callbacks = KRT_SPECS(KRT_MODEL_CHECKPOINT(best, .save_best_only = true),
                                               KRT_TENSORBOARD(.log_dir = logs))));
    if (st != KRT_OK)
        return st;
    krt_model_free(d->model);
    return krt_load(d->k, &d->model, best, NULL); /* of all epochs the one that validated best */
}

/* --- saving and loading ------------------------------------------------------------------------ */

static krt_status show_loaded(const digits *d, krt_model *m, const char *file, double untrained)
{
    const double accuracy = ex_accuracy(m, &d->data);

    if (accuracy < 0)
        return krt_ctx_error(d->k)->status;
    printf("  %-19s untrained %4.1f %%, loaded %4.1f %%\n", file, 100 * untrained, 100 * accuracy);
    return KRT_OK;
}

/* Weights into a new model, which has only guessed before. */
static krt_status show_weights(digits *d, const char *file, double max_shard_size)
{
    char path[4096];
    krt_model *fresh = ex_cnn(d->k);
    krt_status st = fresh != NULL ? KRT_OK : krt_ctx_error(d->k)->status;

    snprintf(path, sizeof path, "%s/%s", d->out, file);
    const double untrained = fresh != NULL ? ex_accuracy(fresh, &d->data) : -1;
    if (st == KRT_OK)
        st = krt_save_weights(d->model, path, KRT_SAVE_WEIGHTS(.max_shard_size = max_shard_size));
    if (st == KRT_OK)
        st = krt_load_weights(fresh, path, NULL);
    if (st == KRT_OK)
        st = show_loaded(d, fresh, file, untrained);
    krt_model_free(fresh);
    return st;
}

static krt_status show_whole(digits *d, const char *file, double untrained)
{
    char path[4096];
    krt_model *loaded = NULL;
    krt_status st = KRT_OK;

    snprintf(path, sizeof path, "%s/%s", d->out, file);
    if ((st = krt_save(d->model, path, NULL)) == KRT_OK &&
        (st = krt_load(d->k, &loaded, path, NULL)) == KRT_OK)
        st = show_loaded(d, loaded, file, untrained);
    krt_model_free(loaded);
    return st;
}

static krt_status show_forms(digits *d, double untrained)
{
    krt_status st = KRT_OK;

    printf("\nSaved in %s and loaded into new models:\n", d->out);
    if ((st = show_whole(d, "digits.keras", untrained)) != KRT_OK ||
        (st = show_weights(d, "digits.weights.h5", 0)) != KRT_OK)
        return st;
    return show_weights(d, "shards.weights.json", 0.00003);
}

/* --- pictures ---------------------------------------------------------------------------------- */

static const float *row_of(const digits *d, int64_t i)
{
    return (const float *)krt_tensor_data(d->probabilities) + i * EX_CLASSES;
}

static int best(const float *row)
{
    int at = 0;

    for (int i = 1; i < EX_CLASSES; i++)
        if (row[i] > row[at])
            at = i;
    return at;
}

/* One line of pixels of one image, two characters a pixel. */
static void print_pixels(const uint8_t *row)
{
    static const char *const shades[] = {" ", "░", "▒", "▓", "█"};

    for (int x = 0; x < EX_SIDE; x++) {
        const int shade = row[x] >= BRIGHTEST ? 4 : row[x] * 5 / (BRIGHTEST + 1);

        printf("%s%s", shades[shade], shades[shade]);
    }
    fputs("  ", stdout);
}

static void print_pictures(const digits *d, int64_t first)
{
    const uint8_t *images = krt_tensor_data(d->data.test_x);
    char caption[2 * EX_SIDE + 3];

    for (int y = 0; y < EX_SIDE; y++) {
        for (int64_t i = first; i < first + PER_LINE; i++)
            print_pixels(images + (i * EX_SIDE + y) * EX_SIDE);
        putchar('\n');
    }
    for (int64_t i = first; i < first + PER_LINE; i++) {
        const float *row = row_of(d, i);

        snprintf(caption, sizeof caption, "%d (%.1f %%)", best(row),
                 100.0 * (double)row[best(row)]);
        printf("%-*s", 2 * EX_SIDE + 2, caption);
    }
    puts("\n");
}

static void print_accuracy(const digits *d)
{
    const uint8_t *labels = krt_tensor_data(d->data.test_y);
    const int64_t n = krt_tensor_shape(d->data.test_y).dim[0];
    int64_t right = 0;

    for (int64_t i = 0; i < n; i++)
        right += best(row_of(d, i)) == labels[i];
    printf("%lld of %lld digits the model has never seen are read correctly: %.1f %%\n",
           (long long)right, (long long)n, 100.0 * (double)right / (double)n);
}

static krt_status run(digits *d, const char *data)
{
    krt_status st = ex_read(d->k, data, &d->data);

    if (st != KRT_OK)
        return st;
    d->model = ex_cnn(d->k);
    if (d->model == NULL)
        return krt_ctx_error(d->k)->status;
    if ((st = print_summary(d)) != KRT_OK)
        return st;
    const double untrained = ex_accuracy(d->model, &d->data);
    printf("\nUntrained, it reads %.1f %% of the digits correctly.\n\n", 100 * untrained);
    if ((st = train(d)) != KRT_OK || (st = show_forms(d, untrained)) != KRT_OK ||
        (st = krt_predict(d->model, &d->probabilities, d->data.test_x, NULL)) != KRT_OK)
        return st;
    putchar('\n');
    for (int line = 0; line < LINES; line++)
        print_pictures(d, line * PER_LINE);
    print_accuracy(d);
    return KRT_OK;
}

int main(int argc, char **argv)
{
    digits d = {0};

    if (argc != 3) {
        fprintf(stderr, "usage: digits DATA OUT\n");
        return 2;
    }
    d.out = argv[2];
    if (krt_ctx_new(&d.k, KRT_CTX(.seed = 3)) != KRT_OK)
        return 1;
    return ex_end(d.k, run(&d, argv[1]));
}
