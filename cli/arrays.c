/* Arrays from files for the inputs and outputs of a model: which array goes where. Casting and the
 * missing channel axis are the library's. */
#include "arrays.h"

#include <stdlib.h>
#include <string.h>

/* --- inputs ---------------------------------------------------------------------------------- */

/* The arrays of one file. */
typedef struct arrays {
    size_t n;
    krt_tensor **tensors;
    char **names; /* NULL, or NULL entries, where the file gives none */
} arrays;

static void free_arrays(krt_ctx *k, arrays *a)
{
    for (size_t i = 0; a->tensors != NULL && i < a->n; i++)
        krt_tensor_free(a->tensors[i]);
    krt_free(k, a->tensors);
    krt_free(k, a->names);
}

/* Number of the input of this name; the number of inputs when there is none. */
static size_t input_named(const krt_model *m, const char *name, size_t length)
{
    size_t i = 0;

    for (; i < krt_model_num_inputs(m); i++) {
        const char *candidate = krt_model_input_name(m, i);

        if (candidate != NULL && strncmp(candidate, name, length) == 0 && candidate[length] == '\0')
            break;
    }
    return i;
}

/* "a, b" */
static const char *input_names(const krt_model *m, char *buffer, size_t size)
{
    size_t used = 0;

    buffer[0] = '\0';
    for (size_t i = 0; i < krt_model_num_inputs(m) && used < size; i++) {
        const char *name = krt_model_input_name(m, i);
        const int n = snprintf(buffer + used, size - used, "%s%s", i > 0 ? ", " : "",
                               name != NULL ? name : "?");

        used += n > 0 ? (size_t)n : 0;
    }
    return buffer;
}

/* Takes tensor i out of the list, so that it outlives it. */
static krt_tensor *take(arrays *a, size_t i)
{
    krt_tensor *t = a->tensors[i];

    a->tensors[i] = NULL;
    return t;
}

/* An array goes by the input's name, by "x_" before it, or, for the only input, by "x". */
static bool fits(const char *name, const krt_model *m, size_t input)
{
    const char *wanted = krt_model_input_name(m, input);

    if (name == NULL)
        return false;
    if (wanted != NULL && (strcmp(name, wanted) == 0 ||
                           (strncmp(name, "x_", 2) == 0 && strcmp(name + 2, wanted) == 0)))
        return true;
    return krt_model_num_inputs(m) == 1 && strcmp(name, "x") == 0;
}

/* The array for an input; a->n when none has its name. */
static size_t array_for(const arrays *a, const krt_model *m, size_t input)
{
    size_t j = 0;

    while (j < a->n && (a->names == NULL || !fits(a->names[j], m, input)))
        j++;
    return j;
}

/* By name where every input finds one, else in the file's order where the numbers agree. */
static int share_out(const char *file, const krt_model *m, arrays *a, krt_tensor **x)
{
    const size_t n = krt_model_num_inputs(m);
    size_t named = 0;
    char names[256];

    while (named < n && array_for(a, m, named) < a->n)
        named++;
    if (named < n && a->n != n)
        return fail_says(file, "%zu array%s for the model's %zu input%s (%s)", a->n,
                         a->n == 1 ? "" : "s", n, n == 1 ? "" : "s",
                         input_names(m, names, sizeof names));
    for (size_t i = 0; i < n; i++)
        x[i] = take(a, named == n ? array_for(a, m, i) : i);
    return CLI_DONE;
}

static int read_one(cli *c, const krt_model *m, const char *file, krt_tensor **x)
{
    arrays a = {0};
    int status;

    if (krt_tensors_read(c->k, &a.n, &a.tensors, &a.names, file) != KRT_OK)
        return fail(c, file);
    status = share_out(file, m, &a, x);
    free_arrays(c->k, &a);
    return status;
}

static bool is_readable(const char *file)
{
    FILE *f = fopen(file, "rb");

    if (f != NULL)
        fclose(f);
    return f != NULL;
}

/* --x NAME=FILE. */
static int read_named(cli *c, const krt_model *m, const char *text, krt_tensor **x)
{
    const size_t length = strcspn(text, "=");
    const size_t i = input_named(m, text, length);
    char names[256];

    if (i == krt_model_num_inputs(m))
        return fail_says(c->arguments[0], "no input \"%.*s\"; the model's inputs are %s",
                         (int)(length < 200 ? length : 200), text,
                         input_names(m, names, sizeof names));
    if (x[i] != NULL)
        return misuse(c, "two arrays for the input \"%s\"", krt_model_input_name(m, i));
    if (krt_tensor_read(c->k, &x[i], text + length + 1) != KRT_OK)
        return fail(c, text + length + 1);
    return CLI_DONE;
}

int arrays_for_inputs(cli *c, const krt_model *m, const opt_list *files, krt_tensor **x)
{
    const size_t n = krt_model_num_inputs(m);
    char names[256];

    for (size_t i = 0; i < files->n; i++) {
        const char *text = files->items[i];
        const size_t length = strcspn(text, "=");
        const bool named =
            text[length] == '=' && (input_named(m, text, length) < n || !is_readable(text));
        int status;

        if (!named && files->n > 1)
            return misuse(c, "several --x need names: --x NAME=FILE; the model's inputs are %s",
                          input_names(m, names, sizeof names));
        status = named ? read_named(c, m, text, x) : read_one(c, m, text, x);
        if (status != CLI_DONE)
            return status;
    }
    for (size_t i = 0; i < n; i++)
        if (x[i] == NULL)
            return fail_says(c->arguments[0], "no array for the input \"%s\"; its inputs are %s",
                             krt_model_input_name(m, i), input_names(m, names, sizeof names));
    return CLI_DONE;
}

/* x / scale as float32, for --scale. */
krt_status array_scale(krt_tensor **x, double scale)
{
    krt_tensor *copy = NULL;
    krt_status st = krt_tensor_cast(*x, &copy, KRT_FLOAT32);
    float *data;
    int64_t n;

    if (st != KRT_OK)
        return st;
    data = krt_tensor_data_mut(copy);
    n = krt_shape_size(krt_tensor_shape(copy));
    for (int64_t i = 0; i < n; i++)
        data[i] = (float)((double)data[i] / scale);
    krt_tensor_free(*x);
    *x = copy;
    return KRT_OK;
}

int arrays_for_outputs(cli *c, const krt_model *m, const opt_list *files, krt_tensor **y)
{
    const size_t n = krt_model_num_outputs(m);

    if (files->n == n) {
        for (size_t i = 0; i < n; i++)
            if (krt_tensor_read(c->k, &y[i], files->items[i]) != KRT_OK)
                return fail(c, files->items[i]);
        return CLI_DONE;
    }
    arrays a = {0};
    int status = CLI_DONE;

    if (files->n != 1)
        return misuse(c, "%zu files for the model's %zu outputs: give one .npz, or one file each",
                      files->n, n);
    if (krt_tensors_read(c->k, &a.n, &a.tensors, &a.names, files->items[0]) != KRT_OK)
        return fail(c, files->items[0]);
    if (a.n != n)
        status = fail_says(files->items[0], "%zu arrays for the model's %zu outputs", a.n, n);
    for (size_t i = 0; status == CLI_DONE && i < n; i++)
        y[i] = take(&a, i);
    free_arrays(c->k, &a);
    return status;
}

int samples_read(cli *c, const krt_model *m, const opt_list *x, const opt_list *y, double scale,
                 samples *out)
{
    int status = CLI_DONE;

    out->num_x = krt_model_num_inputs(m);
    out->num_y = krt_model_num_outputs(m);
    out->x = calloc(out->num_x + 1, sizeof *out->x);
    out->y = calloc(out->num_y + 1, sizeof *out->y);
    if (out->x == NULL || out->y == NULL)
        return fail_says(NULL, "out of memory");
    status = arrays_for_inputs(c, m, x, out->x);
    for (size_t i = 0; status == CLI_DONE && scale != 1 && i < out->num_x; i++)
        if (array_scale(&out->x[i], scale) != KRT_OK)
            status = fail(c, c->arguments[0]);
    return status == CLI_DONE ? arrays_for_outputs(c, m, y, out->y) : status;
}

void samples_free(samples *d)
{
    for (size_t i = 0; d->x != NULL && i < d->num_x; i++)
        krt_tensor_free(d->x[i]);
    for (size_t i = 0; d->y != NULL && i < d->num_y; i++)
        krt_tensor_free(d->y[i]);
    free(d->x);
    free(d->y);
    *d = (samples){0};
}
