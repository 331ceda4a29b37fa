/* keratin weights FILE [PATH]: every array with its place in the file, or one array's values. */
#include "cli.h"

#include <string.h>

enum { SHA256_TEXT = 65 };

typedef struct options {
    bool digest;
    const char *out;
} options;

/* --- the list -------------------------------------------------------------------------------- */

/* The SHA-256 of the values, its digits alone. */
static krt_status digest_of(const cli *c, krt_file *f, size_t i, char text[SHA256_TEXT])
{
    char *digest = NULL;
    const krt_status st = krt_file_digest_array(f, i, KRT_DIGEST_SHA256, &digest);

    if (st == KRT_OK)
        snprintf(text, SHA256_TEXT, "%s", strchr(digest, ':') + 1);
    krt_free(c->k, digest);
    return st;
}

static krt_status list_json(const cli *c, krt_file *f, bool digest)
{
    char text[SHA256_TEXT];
    krt_status st = KRT_OK;
    json j;

    json_begin(&j, stdout);
    json_open(&j, '[');
    for (size_t i = 0; st == KRT_OK && i < krt_file_num_arrays(f); i++) {
        const krt_file_array *a = krt_file_array_at(f, i);

        json_open(&j, '{');
        json_key(&j, "path");
        json_text(&j, a->path);
        json_key(&j, "shape");
        json_shape(&j, a->shape);
        json_key(&j, "dtype");
        json_text(&j, a->dtype != KRT_DTYPE_NONE ? krt_dtype_name(a->dtype) : NULL);
        json_key(&j, "bytes");
        json_int(&j, a->size_bytes);
        json_key(&j, "file");
        json_text(&j, a->file);
        json_key(&j, "offset");
        json_int(&j, a->offset);
        json_key(&j, "optimizer");
        json_bool(&j, a->is_optimizer);
        if (digest) {
            st = a->dtype != KRT_DTYPE_NONE ? digest_of(c, f, i, text) : KRT_OK;
            json_key(&j, "sha256");
            json_text(&j, a->dtype != KRT_DTYPE_NONE ? text : NULL);
        }
        json_close(&j, '}');
    }
    json_close(&j, ']');
    json_end(&j);
    return st;
}

/* Columns of the list, as wide as their widest cell. */
enum { PATH, SHAPE, DTYPE, BYTES, OFFSET, PLACE, COLUMNS };

static const char *dtype_text(const krt_file_array *a)
{
    return a->dtype != KRT_DTYPE_NONE ? krt_dtype_name(a->dtype) : "unreadable";
}

static void format_row(const krt_file_array *a, const char *cell[COLUMNS],
                       char buffer[COLUMNS][160])
{
    cell[PATH] = a->path;
    cell[SHAPE] = krt_shape_print(a->shape, buffer[SHAPE], 160);
    cell[DTYPE] = dtype_text(a);
    cell[BYTES] = buffer[BYTES];
    snprintf(buffer[BYTES], 160, "%lld", (long long)a->size_bytes);
    cell[OFFSET] = buffer[OFFSET];
    if (a->offset == KRT_NONE)
        snprintf(buffer[OFFSET], 160, "-");
    else
        snprintf(buffer[OFFSET], 160, "%lld", (long long)a->offset);
    cell[PLACE] = a->file != NULL ? a->file : "";
}

/* A cell of at least `width` bytes. */
static void print_cell(const char *text, size_t width, bool to_the_right)
{
    const size_t length = strlen(text);
    const int pad = length < width ? (int)(width - length) : 0;

    for (int i = 0; i < pad && to_the_right; i++)
        putchar(' ');
    print_safe(stdout, text, "");
    for (int i = 0; i < pad && !to_the_right; i++)
        putchar(' ');
}

static size_t num_digits(long long value)
{
    size_t n = 1;

    for (; value >= 10; value /= 10)
        n++;
    return n;
}

static void measure(const krt_file *f, size_t width[COLUMNS], const char *const head[COLUMNS])
{
    char shape[160];

    for (int column = 0; column < COLUMNS; column++)
        width[column] = strlen(head[column]);
    for (size_t i = 0; i < krt_file_num_arrays(f); i++) {
        const krt_file_array *a = krt_file_array_at(f, i);
        const size_t wanted[COLUMNS] = {
            [PATH] = strlen(a->path),
            [SHAPE] = strlen(krt_shape_print(a->shape, shape, sizeof shape)),
            [DTYPE] = strlen(dtype_text(a)),
            [BYTES] = num_digits((long long)a->size_bytes),
            [OFFSET] = a->offset == KRT_NONE ? 1 : num_digits((long long)a->offset),
            [PLACE] = a->file != NULL ? strlen(a->file) : 0};

        for (int column = 0; column < COLUMNS; column++)
            if (wanted[column] > width[column])
                width[column] = wanted[column];
    }
}

static void print_row(const char *const cell[COLUMNS], const size_t width[COLUMNS], bool has_place,
                      const char *digest)
{
    const int last = has_place ? PLACE : OFFSET;

    for (int column = 0; column <= last; column++) {
        const bool is_last = column == last && digest[0] == '\0';
        const bool is_number = column == BYTES || column == OFFSET;

        print_cell(cell[column], is_last && !is_number ? 0 : width[column], is_number);
        fputs(is_last ? "" : "  ", stdout);
    }
    puts(digest);
}

static krt_status list_text(const cli *c, krt_file *f, bool digest)
{
    static const char *const head[COLUMNS] = {"path", "shape", "dtype", "bytes", "offset", "in"};
    const char *cell[COLUMNS];
    char buffer[COLUMNS][160], text[SHA256_TEXT] = "", commas[2][32];
    size_t width[COLUMNS];
    const size_t n = krt_file_num_arrays(f);
    bool has_place = false;
    long long bytes = 0;
    krt_status st = KRT_OK;

    measure(f, width, head);
    for (size_t i = 0; i < n; i++) {
        has_place = has_place || krt_file_array_at(f, i)->file != NULL;
        bytes += krt_file_array_at(f, i)->size_bytes;
    }
    print_row(head, width, has_place, digest ? "sha256" : "");
    for (size_t i = 0; st == KRT_OK && i < n; i++) {
        const krt_file_array *a = krt_file_array_at(f, i);

        format_row(a, cell, buffer);
        text[0] = '\0';
        if (digest && a->dtype != KRT_DTYPE_NONE)
            st = digest_of(c, f, i, text);
        print_row(cell, width, has_place, text);
    }
    if (st == KRT_OK)
        printf("%s arrays, %s bytes\n", with_commas((long long)n, commas[0]),
               with_commas(bytes, commas[1]));
    return st;
}

/* --- one array ------------------------------------------------------------------------------- */

/* With or without the slash that paths of Keras 3 begin with. */
static int find_array(const krt_file *f, const char *file, const char *path, size_t *found)
{
    nearest n = nearest_to(path);

    for (size_t i = 0; i < krt_file_num_arrays(f); i++) {
        const char *candidate = krt_file_array_at(f, i)->path;

        *found = i;
        if (strcmp(candidate + (candidate[0] == '/'), path + (path[0] == '/')) == 0)
            return CLI_DONE;
        nearest_try(&n, candidate);
    }
    if (nearest_best(&n) != NULL)
        return fail_says(file, "no array \"%s\"; did you mean \"%s\"", path, nearest_best(&n));
    return fail_says(file, "no array \"%s\"; without a path, this command lists all %zu", path,
                     krt_file_num_arrays(f));
}

static krt_status print_array(krt_ctx *k, const krt_file_array *a, const krt_tensor *t,
                              bool as_json)
{
    char *text = NULL;
    krt_status st;
    json j;

    if (!as_json) {
        st = krt_tensor_format(t, &text);
        if (st == KRT_OK)
            puts(text);
        krt_free(k, text);
        return st;
    }
    json_begin(&j, stdout);
    json_open(&j, '{');
    json_key(&j, "path");
    json_text(&j, a->path);
    json_key(&j, "shape");
    json_shape(&j, krt_tensor_shape(t));
    json_key(&j, "dtype");
    json_text(&j, krt_dtype_name(krt_tensor_dtype(t)));
    json_key(&j, "values");
    st = json_tensor(&j, t);
    json_close(&j, '}');
    json_end(&j);
    return st;
}

static int show_array(const cli *c, krt_file *f, const options *o)
{
    const char *const file = c->arguments[0];
    krt_tensor *t = NULL;
    size_t i = 0;
    krt_status st;

    if (find_array(f, file, c->arguments[1], &i) != CLI_DONE)
        return CLI_FAILED;
    st = krt_file_read_array(f, i, &t);
    if (st == KRT_OK)
        st = o->out != NULL ? krt_tensor_write(t, o->out)
                            : print_array(c->k, krt_file_array_at(f, i), t, c->json);
    krt_tensor_free(t);
    return st == KRT_OK ? CLI_DONE : fail(c, file);
}

static int run(cli *c, const void *p)
{
    const options *o = p;
    const char *const file = c->arguments[0];
    krt_file *f = NULL;
    int status = CLI_DONE;

    if (o->out != NULL && c->num_arguments < 2)
        return misuse(c, "--out takes one array: keratin weights FILE PATH --out FILE.npy");
    if (krt_file_open(c->k, &f, file) != KRT_OK)
        return fail(c, file);
    if (c->num_arguments == 2)
        status = show_array(c, f, o);
    else if ((c->json ? list_json(c, f, o->digest) : list_text(c, f, o->digest)) != KRT_OK)
        status = fail(c, file);
    krt_file_close(f);
    return status;
}

static const options defaults = {.digest = false};

static const opt table[] = {
    OPT("digest", OPT_FLAG, digest, NULL, "SHA-256 of each array's values", 0),
    OPT("out", OPT_TEXT, out, "FILE.npy", "write the array at PATH there", 0),
};

const cli_command cmd_weights = {
    .name = "weights",
    .arguments = "FILE [PATH]",
    .summary = "Lists every array of a file, or shows the one at PATH",
    .details = "offset is where the raw values begin, - when they are compressed or in chunks; in\n"
               "names the member or shard that offset counts in.\n",
    .least = 1,
    .most = 2,
    CLI_OPTIONS,
    .run = run,
};
