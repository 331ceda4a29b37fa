/* Arrays from files for the inputs and outputs of a model: which array goes where. Casting and the
 * missing channel axis are the library's. */
#include "arrays.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- what takes them ------------------------------------------------------------------------- */

/* The inputs or the outputs of a model. An end goes by its key, which is the one of Keras's data
 * dicts, or by its name. */
typedef struct ends {
    const krt_model *m;
    size_t n;
    const char *(*key)(const krt_model *m, size_t i);
    const char *(*name)(const krt_model *m, size_t i);
    const char *what;   /* "input" */
    const char *letter; /* "x", as NumPy files are wont to call it, and the option's name */
} ends;

static ends inputs_of(const krt_model *m)
{
    return (ends){m,  krt_model_num_inputs(m), krt_model_input_key, krt_model_input_name, "input",
                  "x"};
}

static ends outputs_of(const krt_model *m)
{
    return (ends){
        m, krt_model_num_outputs(m), krt_model_output_key, krt_model_output_key, "output", "y"};
}

/* Two outputs of one layer have the same name, which then says nothing. */
static bool is_only(const ends *e, size_t i)
{
    const char *key = e->key(e->m, i);

    for (size_t j = 0; j < e->n; j++)
        if (j != i && (key == NULL || strcmp(key, e->key(e->m, j)) == 0))
            return false;
    return key != NULL;
}

static bool is_end(const ends *e, size_t i, const char *text, size_t length)
{
    const char *const names[] = {e->key(e->m, i), e->name(e->m, i)};

    for (size_t j = 0; j < 2 && is_only(e, i); j++)
        if (names[j] != NULL && strncmp(names[j], text, length) == 0 && names[j][length] == '\0')
            return true;
    return false;
}

/* Number of the end of this name; e->n when there is none. */
static size_t end_named(const ends *e, const char *text, size_t length)
{
    size_t i = 0;

    while (i < e->n && !is_end(e, i, text, length))
        i++;
    return i;
}

/* "a, b" */
static const char *end_names(const ends *e, char *buffer, size_t size)
{
    size_t used = 0;

    buffer[0] = '\0';
    for (size_t i = 0; i < e->n && used < size; i++) {
        const char *key = e->key(e->m, i);
        const int n =
            snprintf(buffer + used, size - used, "%s%s", i > 0 ? ", " : "", key ? key : "?");

        used += n > 0 ? (size_t)n : 0;
    }
    return buffer;
}

/* --- texts ----------------------------------------------------------------------------------- */

/* Whether the file is a text, a line an element, for an input of strings: anything but NumPy's. */
static bool is_lines(const ends *e, size_t i, const char *file)
{
    char head[6] = "";
    FILE *f;

    if (e->letter[0] != 'x' || krt_model_input_dtype(e->m, i) != KRT_STRING)
        return false;
    f = fopen(file, "rb");
    if (f == NULL)
        return false;
    const size_t n = fread(head, 1, sizeof head, f);
    fclose(f);
    return n < sizeof head || (memcmp(head, "\x93NUMPY", 6) != 0 && memcmp(head, "PK\3\4", 4) != 0);
}

static krt_status read_array(cli *c, const ends *e, size_t i, const char *file, krt_tensor **x)
{
    return is_lines(e, i, file) ? krt_tensor_read_lines(c->k, x, file)
                                : krt_tensor_read(c->k, x, file);
}

/* --- one file for all of them ---------------------------------------------------------------- */

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

/* Takes tensor i out of the list, so that it outlives it. */
static krt_tensor *take(arrays *a, size_t i)
{
    krt_tensor *t = a->tensors[i];

    a->tensors[i] = NULL;
    return t;
}

/* An array goes by the end's name, by "x_" before it, or, for the only one, by "x". */
static bool fits(const char *name, const ends *e, size_t i)
{
    const bool has_letter = name != NULL && name[0] == e->letter[0];

    if (name == NULL)
        return false;
    return is_end(e, i, name, strlen(name)) ||
           (has_letter && name[1] == '_' && is_end(e, i, name + 2, strlen(name + 2))) ||
           (has_letter && name[1] == '\0' && e->n == 1);
}

/* The array for an end; a->n when none has its name. */
static size_t array_for(const arrays *a, const ends *e, size_t i)
{
    size_t j = 0;

    while (j < a->n && (a->names == NULL || !fits(a->names[j], e, i)))
        j++;
    return j;
}

/* By name where every end finds an array, in the file's order where none does. */
static int share_out(const char *file, const ends *e, arrays *a, krt_tensor **x)
{
    size_t named = 0, missing = e->n;
    char names[256];

    for (size_t i = e->n; i-- > 0;)
        if (array_for(a, e, i) < a->n)
            named++;
        else
            missing = i;
    if (named < e->n && a->n != e->n)
        return fail_says(file, "%zu array%s for the model's %zu %s%s (%s)", a->n,
                         a->n == 1 ? "" : "s", e->n, e->what, e->n == 1 ? "" : "s",
                         end_names(e, names, sizeof names));
    if (named > 0 && named < e->n)
        return fail_says(file, "no array for the %s \"%s\"; the model's are %s", e->what,
                         e->key(e->m, missing), end_names(e, names, sizeof names));
    for (size_t i = 0; i < e->n; i++)
        x[i] = take(a, named == e->n ? array_for(a, e, i) : i);
    return CLI_DONE;
}

static int read_one(cli *c, const ends *e, const char *file, krt_tensor **x)
{
    arrays a = {0};
    int status;

    if (e->n == 1 && is_lines(e, 0, file))
        return read_array(c, e, 0, file, x) == KRT_OK ? CLI_DONE : fail(c, file);
    if (krt_tensors_read(c->k, &a.n, &a.tensors, &a.names, file) != KRT_OK)
        return fail(c, file);
    status = share_out(file, e, &a, x);
    free_arrays(c->k, &a);
    return status;
}

/* --- a file for each ------------------------------------------------------------------------- */

static bool is_readable(const char *file)
{
    FILE *f = fopen(file, "rb");

    if (f != NULL)
        fclose(f);
    return f != NULL;
}

/* NAME=FILE. */
static int read_named(cli *c, const ends *e, const char *text, krt_tensor **x)
{
    const size_t length = strcspn(text, "=");
    const size_t i = end_named(e, text, length);
    char names[256];

    if (i == e->n)
        return fail_says(c->arguments[0], "no %s \"%.*s\"; the model's %ss are %s", e->what,
                         (int)(length < 200 ? length : 200), text, e->what,
                         end_names(e, names, sizeof names));
    if (x[i] != NULL)
        return misuse(c, "two arrays for the %s \"%s\"", e->what, e->key(e->m, i));
    if (read_array(c, e, i, text + length + 1, &x[i]) != KRT_OK)
        return fail(c, text + length + 1);
    return CLI_DONE;
}

static bool is_named(const ends *e, const char *text)
{
    const size_t length = strcspn(text, "=");

    return text[length] == '=' && (end_named(e, text, length) < e->n || !is_readable(text));
}

static int read_ends(cli *c, const ends *e, const opt_list *files, krt_tensor **x)
{
    char names[256];

    for (size_t i = 0; i < files->n; i++) {
        const char *text = files->items[i];
        const bool named = is_named(e, text);
        int status;

        if (!named && files->n > 1)
            return misuse(c, "several --%s need names: --%s NAME=FILE; the model's %ss are %s",
                          e->letter, e->letter, e->what, end_names(e, names, sizeof names));
        status = named ? read_named(c, e, text, x) : read_one(c, e, text, x);
        if (status != CLI_DONE)
            return status;
    }
    for (size_t i = 0; i < e->n; i++)
        if (x[i] == NULL)
            return fail_says(c->arguments[0], "no array for the %s \"%s\"; its %ss are %s", e->what,
                             e->key(e->m, i), e->what, end_names(e, names, sizeof names));
    return CLI_DONE;
}

int arrays_for_inputs(cli *c, const krt_model *m, const opt_list *files, krt_tensor **x)
{
    const ends e = inputs_of(m);

    return read_ends(c, &e, files, x);
}

/* Files without a name stand in the outputs' order, where there is one for each. */
static int arrays_for_outputs(cli *c, const krt_model *m, const opt_list *files, krt_tensor **y)
{
    const ends e = outputs_of(m);

    if (files->n != e.n || e.n < 2 || is_named(&e, files->items[0]))
        return read_ends(c, &e, files, y);
    for (size_t i = 0; i < e.n; i++)
        if (krt_tensor_read(c->k, &y[i], files->items[i]) != KRT_OK)
            return fail(c, files->items[i]);
    return CLI_DONE;
}

/* --- all of them ----------------------------------------------------------------------------- */

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
