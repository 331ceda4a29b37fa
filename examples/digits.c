/* Real handwritten digits, classified by a small convolutional network that Keras trained.
 *
 *     digits FOLDER
 *
 * FOLDER holds the model, digits_cnn.keras, and 1,797 images of 8 x 8 pixels with their labels in
 * the form MNIST ships in. The model was trained on the first three quarters; this program shows it
 * the last quarter. `./dev quickstart` runs it on data/digits. */
#include <keratin/keratin.h>

#include <stdio.h>

enum { SIDE = 8, CLASSES = 10, PER_LINE = 4, LINES = 2, BRIGHTEST = 16 };

typedef struct digits {
    krt_ctx *k;
    krt_model *model;
    krt_tensor *images, *labels; /* (1797, 8, 8) and (1797,), both uint8 */
    krt_tensor *unseen;          /* the last quarter of the images */
    krt_tensor *probabilities;   /* (449, 10) */
} digits;

static krt_status read_array(digits *d, krt_tensor **out, const char *folder, const char *name)
{
    char path[4096];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return krt_tensor_read(d->k, out, path);
}

static krt_status open_all(digits *d, const char *folder)
{
    char path[4096];
    krt_status st;

    snprintf(path, sizeof path, "%s/digits_cnn.keras", folder);
    if ((st = krt_load(d->k, &d->model, path, NULL)) != KRT_OK ||
        (st = read_array(d, &d->images, folder, "digits-images-idx3-ubyte")) != KRT_OK)
        return st;
    return read_array(d, &d->labels, folder, "digits-labels-idx1-ubyte");
}

static krt_status print_summary(digits *d)
{
    char *text = NULL;
    const krt_status st = krt_summary(d->model, &text, NULL);

    if (st == KRT_OK)
        fputs(text, stdout);
    krt_free(d->k, text);
    return st;
}

static int64_t count(const krt_tensor *t)
{
    return krt_tensor_shape(t).dim[0];
}

static int64_t first_unseen(const digits *d)
{
    return count(d->images) - count(d->images) / 4;
}

/* Keras: model.predict(images[-n // 4:]). The library adds the channel axis the images lack. */
static krt_status predict_unseen(digits *d)
{
    const int64_t first = first_unseen(d);
    const uint8_t *pixels = krt_tensor_data(d->images);
    krt_status st = krt_tensor_wrap(d->k, &d->unseen, KRT_UINT8,
                                    KRT_SHAPE(count(d->images) - first, SIDE, SIDE),
                                    pixels + first * SIDE * SIDE);

    if (st == KRT_OK)
        st = krt_predict(d->model, &d->probabilities, d->unseen, NULL);
    return st;
}

static const float *row_of(const digits *d, int64_t i)
{
    return (const float *)krt_tensor_data(d->probabilities) + i * CLASSES;
}

static int best(const float *row)
{
    int at = 0;

    for (int i = 1; i < CLASSES; i++)
        if (row[i] > row[at])
            at = i;
    return at;
}

/* One line of pixels of one image, two characters a pixel. */
static void print_pixels(const uint8_t *row)
{
    static const char *const shades[] = {" ", "░", "▒", "▓", "█"};

    for (int x = 0; x < SIDE; x++) {
        const int shade = row[x] >= BRIGHTEST ? 4 : row[x] * 5 / (BRIGHTEST + 1);

        printf("%s%s", shades[shade], shades[shade]);
    }
    fputs("  ", stdout);
}

static void print_pictures(const digits *d, int64_t first)
{
    const uint8_t *images = krt_tensor_data(d->unseen);
    char caption[2 * SIDE + 3];

    for (int y = 0; y < SIDE; y++) {
        for (int64_t i = first; i < first + PER_LINE; i++)
            print_pixels(images + (i * SIDE + y) * SIDE);
        putchar('\n');
    }
    for (int64_t i = first; i < first + PER_LINE; i++) {
        const float *row = row_of(d, i);

        snprintf(caption, sizeof caption, "%d (%.1f %%)", best(row),
                 100.0 * (double)row[best(row)]);
        printf("%-*s", 2 * SIDE + 2, caption);
    }
    puts("\n");
}

static void print_accuracy(const digits *d)
{
    const uint8_t *labels = krt_tensor_data(d->labels);
    const int64_t n = count(d->unseen), first = first_unseen(d);
    int64_t right = 0;

    for (int64_t i = 0; i < n; i++)
        right += best(row_of(d, i)) == labels[first + i];
    printf("%lld of %lld digits the model has never seen are read correctly: %.1f %%\n",
           (long long)right, (long long)n, 100.0 * (double)right / (double)n);
}

/* The files are the project's own, but a program should say what it cannot use. */
static bool is_as_expected(const digits *d)
{
    const krt_shape images = krt_tensor_shape(d->images), labels = krt_tensor_shape(d->labels);
    const krt_shape output = krt_model_output_shape(d->model, 0);

    return krt_tensor_dtype(d->images) == KRT_UINT8 && krt_tensor_dtype(d->labels) == KRT_UINT8 &&
           images.rank == 3 && images.dim[1] == SIDE && images.dim[2] == SIDE &&
           images.dim[0] >= 4 * PER_LINE * LINES && labels.rank == 1 &&
           labels.dim[0] == images.dim[0] && output.rank == 2 && output.dim[1] == CLASSES;
}

static int run(digits *d, const char *folder)
{
    if (open_all(d, folder) != KRT_OK)
        return 1;
    if (!is_as_expected(d)) {
        fprintf(stderr, "digits: %s does not hold 8 x 8 digits and a model of 10 classes\n",
                folder);
        return 2;
    }
    if (print_summary(d) != KRT_OK || predict_unseen(d) != KRT_OK)
        return 1;
    putchar('\n');
    for (int line = 0; line < LINES; line++)
        print_pictures(d, line * PER_LINE);
    print_accuracy(d);
    return 0;
}

int main(int argc, char **argv)
{
    digits d = {0};
    int status;

    if (argc != 2) {
        fprintf(stderr, "usage: digits FOLDER\n");
        return 2;
    }
    if (krt_ctx_new(&d.k, NULL) != KRT_OK)
        return 1;
    status = run(&d, argv[1]);
    if (status == 1) {
        const krt_error *e = krt_ctx_error(d.k);

        fprintf(stderr, "digits: %s: %s\n", e->filepath != NULL ? e->filepath : argv[1],
                e->message);
    }
    krt_ctx_free(d.k);
    return status;
}
