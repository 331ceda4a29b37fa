/* keratin load-weights MODEL WEIGHTS --save OUT: weights of one file into the model of another, what
 * does not fit left out where that is asked for, and always a report. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct options {
    const char *save, *objects_to_skip, *config;
    const char *keras;
    bool skip_mismatch, by_name, overwrite, verify;
    opt_list map;
} options;

static const char *const outcomes[] = {
    [KRT_LOADED] = "loaded",
    [KRT_SKIPPED_SHAPE] = "skipped, other shape",
    [KRT_SKIPPED_COUNT] = "skipped, other count",
    [KRT_SKIPPED_ASKED] = "skipped as asked",
    [KRT_MISSING] = "not in the file",
    [KRT_UNEXPECTED] = "not in the model",
    [KRT_OPTIMIZER] = "optimizer",
};

/* --- the report --- */

static void print_shape(krt_shape shape)
{
    char text[160];

    if (shape.rank >= 0)
        printf(" %s", krt_shape_print(shape, text, sizeof text));
}

/* One line each: what became of it, the variable and its shape, the entry and its own where that is
 * another. */
static void print_entry(const krt_report_entry *e)
{
    const bool differs =
        e->expected.rank >= 0 && e->found.rank >= 0 && !krt_shape_equal(e->expected, e->found);

    printf("%-21s", outcomes[e->outcome]);
    if (e->path != NULL) {
        print_safe(stdout, e->path, "");
        print_shape(e->expected);
    }
    if (e->entry != NULL) {
        fputs(e->path != NULL ? " from " : "", stdout);
        print_safe(stdout, e->entry, "");
        if (e->path == NULL || differs)
            print_shape(e->found);
    }
    putchar('\n');
}

static size_t num_variables(const krt_report *r)
{
    return krt_report_count(r, KRT_LOADED) + krt_report_count(r, KRT_MISSING) +
           krt_report_count(r, KRT_SKIPPED_SHAPE);
}

static void print_report(const krt_report *r)
{
    size_t asked = 0, left = 0;

    for (size_t i = 0; i < krt_report_size(r); i++) {
        const krt_report_entry *e = krt_report_at(r, i);

        if (e->outcome != KRT_OPTIMIZER)
            print_entry(e);
        asked +=
            e->path != NULL && (e->outcome == KRT_SKIPPED_ASKED || e->outcome == KRT_SKIPPED_COUNT);
        left += e->outcome == KRT_UNEXPECTED;
    }
    printf("%zu of %zu variables loaded, %zu entries of the file left\n",
           krt_report_count(r, KRT_LOADED), num_variables(r) + asked, left);
}

static void print_json(const krt_report *r, const char *saved)
{
    json j;

    json_begin(&j, stdout);
    json_open(&j, '{');
    json_key(&j, "loaded");
    json_int(&j, (long long)krt_report_count(r, KRT_LOADED));
    json_key(&j, "saved");
    json_text(&j, saved);
    json_key(&j, "entries");
    json_open(&j, '[');
    for (size_t i = 0; i < krt_report_size(r); i++) {
        const krt_report_entry *e = krt_report_at(r, i);

        json_open(&j, '{');
        json_key(&j, "outcome");
        json_text(&j, outcomes[e->outcome]);
        json_key(&j, "variable");
        json_text(&j, e->path);
        json_key(&j, "entry");
        json_text(&j, e->entry);
        json_key(&j, "expected");
        json_shape(&j, e->expected);
        json_key(&j, "found");
        json_shape(&j, e->found);
        json_close(&j, '}');
    }
    json_close(&j, ']');
    json_close(&j, '}');
    json_end(&j);
}

/* --- saving --- */

/* Where there is nobody to ask, the flag is named. */
static int may_save(const cli *c, const options *o)
{
    if (o->overwrite || access(o->save, F_OK) != 0 || ask_if_terminal(c) != NULL)
        return CLI_DONE;
    return fail_says(o->save, "already exists; allow it with --overwrite");
}

static int generation(const options *o)
{
    return o->keras == NULL ? 0 : o->keras[strlen("keras")] - '0';
}

/* Whether the name is of a form that holds weights alone. */
static bool is_weights(const char *name)
{
    static const char *const endings[] = {".weights.h5", ".safetensors", ".npz"};

    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++)
        if (ends_with(name, endings[i]))
            return true;
    return false;
}

static krt_status save(const cli *c, krt_model *m, const options *o)
{
    const krt_overwrite_fn ask = ask_if_terminal(c);

    if (is_weights(o->save))
        return krt_save_weights(m, o->save,
                                KRT_SAVE_WEIGHTS(.overwrite = o->overwrite, .ask = ask));
    return krt_save(m, o->save,
                    KRT_SAVE(.overwrite = o->overwrite, .ask = ask, .for_keras = generation(o)));
}

/* --- the command --- */

/* "a,b" as a list, in a copy of the text that holds the names; it has room for one in two letters. */
static size_t split(char *text, const char **names)
{
    size_t n = 0;

    for (char *p = text; p != NULL;) {
        char *comma = strchr(p, ',');

        if (comma != NULL)
            *comma++ = '\0';
        if (*p != '\0')
            names[n++] = p;
        p = comma;
    }
    return n;
}

/* An architecture alone has nothing to load: its weights begin as new ones. */
static krt_status open_model(cli *c, krt_model **m, const char *file, const options *o)
{
    krt_file *f = NULL;
    krt_status st = krt_file_open(c->k, &f, file);
    const bool is_bare = st == KRT_OK && krt_file_get_info(f)->kind == KRT_FILE_CONFIG_JSON;

    krt_file_close(f);
    return st == KRT_OK ? krt_load(c->k, m, file,
                                   KRT_LOAD(.config = o->config, .config_only = is_bare,
                                            .verify = o->verify))
                        : st;
}

static int run(cli *c, const void *p)
{
    const options *o = p;
    const char *given = o->objects_to_skip != NULL ? o->objects_to_skip : "";
    const char **names = malloc((strlen(given) / 2 + 1) * sizeof *names);
    char *skip = malloc(strlen(given) + 1);
    krt_report *r = NULL;
    krt_model *m = NULL;
    int status = CLI_DONE;

    if (o->save == NULL)
        status = misuse(c, "where to? give --save OUT");
    else if (o->keras != NULL && strcmp(o->keras, "keras2") != 0 && strcmp(o->keras, "keras3") != 0)
        status = misuse(c, "--for takes keras2 or keras3, not \"%s\"", o->keras);
    else if (o->keras != NULL && is_weights(o->save))
        status = misuse(c, "--for is for .h5, not for weights alone");
    else if (skip == NULL || names == NULL)
        status = fail_says(NULL, "out of memory");
    else
        status = may_save(c, o);
    if (skip != NULL)
        memcpy(skip, given, strlen(given) + 1);
    if (status == CLI_DONE && open_model(c, &m, c->arguments[0], o) != KRT_OK)
        status = fail(c, c->arguments[0]);
    if (status == CLI_DONE) {
        const size_t n = split(skip, names);
        const krt_status st = krt_load_weights(
            m, c->arguments[1],
            KRT_LOAD_WEIGHTS(.report = &r, .skip_mismatch = o->skip_mismatch, .by_name = o->by_name,
                             .objects_to_skip = {n, names}, .rename = {o->map.n, o->map.items},
                             .verify = o->verify));

        if (st != KRT_OK)
            status = fail(c, c->arguments[1]);
    }
    if (status == CLI_DONE && save(c, m, o) != KRT_OK)
        status = fail(c, o->save);
    if (r != NULL && c->json)
        print_json(r, status == CLI_DONE ? o->save : NULL);
    else if (r != NULL)
        print_report(r);
    krt_report_free(r);
    krt_model_free(m);
    free(names);
    free(skip);
    return status;
}

static const options defaults = {.skip_mismatch = false};

static const opt table[] = {
    OPT("save", OPT_TEXT, save, "OUT",
        "the file to write: .keras, .h5, .weights.h5, .safetensors, .npz", 0),
    OPT("overwrite", OPT_FLAG, overwrite, NULL, "replace OUT without asking", 0),
    OPT("for", OPT_TEXT, keras, "KERAS",
        "an .h5 for keras2 or keras3; left out: for both where that can be", 0),
    OPT("skip-mismatch", OPT_FLAG, skip_mismatch, NULL,
        "leave out what does not fit, with a warning a layer", 0),
    OPT("by-name", OPT_FLAG, by_name, NULL, "pair the layers of an .h5 file by name", 0),
    OPT("objects-to-skip", OPT_TEXT, objects_to_skip, "A,B", "layers that keep their weights", 0),
    OPT("config", OPT_TEXT, config, "ARCH.json", "the architecture, where MODEL holds weights only",
        0),
    OPT("map", OPT_LIST, map, "OLD=NEW", "new names for names in WEIGHTS, * for any text", 0),
    OPT("verify", OPT_FLAG, verify, NULL,
        "hold both files against their digests and checksums first", 0),
};

const cli_command cmd_load_weights = {
    .name = "load-weights",
    .arguments = "MODEL WEIGHTS",
    .summary = "Puts the weights of a file into a model and saves it",
    .details =
        "MODEL is any file with an architecture, WEIGHTS any file with weights. Prints what "
        "became\n"
        "of each variable and of each entry of the file. Names are those of layers in .h5 "
        "files of\n"
        "Keras 1 and 2, paths such as layers/dense in files of Keras 3, and of layers or whole "
        "arrays\n"
        "in .safetensors and .npz.\n",
    .least = 2,
    .most = 2,
    CLI_OPTIONS,
    .run = run,
};
