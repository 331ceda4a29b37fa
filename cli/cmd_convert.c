/* keratin convert IN OUT: any form to any other. */
#define _POSIX_C_SOURCE 200809L
#include "cli.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct options {
    const char *to, *config, *for_keras, *digest;
    double max_shard_size;
    bool no_optimizer, overwrite, incremental;
} options;

/* --- progress -------------------------------------------------------------------------------- */

/* "  238.4 of 476.1 MB  50%", on one line of a terminal; told when a hundredth more is done. */
enum { LEAST = 16 << 20 }; /* what is done at once needs no bar */

typedef struct bar {
    int64_t told;
    bool is_open;
} bar;

static void show_progress(void *user, int64_t done, int64_t total)
{
    bar *b = user;

    if (total < LEAST || (done < total && done - b->told < total / 100))
        return;
    b->told = done;
    b->is_open = true;
    fprintf(stderr, "\r%8.1f of %.1f MB %3d%%", (double)done / 1e6, (double)total / 1e6,
            (int)(100 * (double)done / (double)total));
    fflush(stderr);
}

/* Whether the answer was no: then there is nothing to tell of. */
static bool ask_and_note(void *user, const char *filepath)
{
    bool *const declined = user;

    *declined = !ask_overwrite(NULL, filepath);
    return !*declined;
}

/* --- the result ------------------------------------------------------------------------------ */

/* Counted in the new file itself: the state of an optimizer is lost without a trace otherwise. */
static int tell_result(cli *c, const char *path)
{
    krt_file *f = NULL;
    size_t weights = 0, states = 0;
    json j;

    if (c->quiet)
        return CLI_DONE;
    if (krt_file_open(c->k, &f, path) != KRT_OK)
        return fail(c, path);
    for (size_t i = 0; i < krt_file_num_arrays(f); i++) {
        const bool is_state = krt_file_array_at(f, i)->is_optimizer;

        states += is_state;
        weights += !is_state;
    }
    krt_file_close(f);
    if (c->json) {
        json_begin(&j, stdout);
        json_open(&j, '{');
        json_key(&j, "weights");
        json_int(&j, (long long)weights);
        json_key(&j, "optimizer_variables");
        json_int(&j, (long long)states);
        json_close(&j, '}');
        json_end(&j);
    } else if (weights + states == 0) {
        puts("carried: the architecture");
    } else {
        printf("carried: %zu weights, %zu optimizer variables\n", weights, states);
    }
    return CLI_DONE;
}

/* --- the command ----------------------------------------------------------------------------- */

static bool wants_progress(const cli *c)
{
    return isatty(STDERR_FILENO) && !c->quiet && !c->json;
}

static int take_digest(const cli *c, const char *name, krt_digest *digest)
{
    static const struct {
        const char *name;
        krt_digest digest;
    } names[] = {{"none", KRT_DIGEST_NONE},
                 {"xxh3-128", KRT_DIGEST_XXH3_128},
                 {"sha256", KRT_DIGEST_SHA256}};

    if (name == NULL)
        return CLI_DONE;
    for (size_t i = 0; i < COUNT(names); i++)
        if (strcmp(names[i].name, name) == 0) {
            *digest = names[i].digest;
            return CLI_DONE;
        }
    return misuse(c, "--digest takes xxh3-128, sha256 or none, not \"%s\"", name);
}

static int take_for_keras(const cli *c, const char *name, int *for_keras)
{
    *for_keras = strcmp(name, "keras2") == 0 ? 2 : 3;
    if (*for_keras == 3 && strcmp(name, "keras3") != 0)
        return misuse(c, "--for takes keras2 or keras3, not \"%s\"", name);
    return CLI_DONE;
}

/* A set asked for as NAME.weights.h5 is called NAME.weights.json, as the warning said. */
static int tell_set(cli *c, const char *out)
{
    static const char ending[] = ".weights.h5", real[] = ".weights.json";
    const size_t n = strlen(out), m = sizeof ending - 1;
    char *name = n >= m && strcmp(out + n - m, ending) == 0 ? malloc(n + sizeof real) : NULL;

    if (name == NULL)
        return tell_result(c, out);
    memcpy(name, out, n - m);
    memcpy(name + n - m, real, sizeof real);
    const int status = tell_result(c, name);
    free(name);
    return status;
}

static int run(cli *c, const void *opts)
{
    const options *o = opts;
    krt_digest digest = KRT_DIGEST_DEFAULT;
    bar b = {0, false};
    bool declined = false;
    int for_keras = 3;
    krt_status st;

    if (o->max_shard_size < 0)
        return misuse(c, "--max-shard-size is a size in GB, not %g", o->max_shard_size);
    if (take_digest(c, o->digest, &digest) != CLI_DONE ||
        take_for_keras(c, o->for_keras, &for_keras) != CLI_DONE)
        return CLI_MISUSED;
    st = krt_convert(
        c->k, c->arguments[0], c->arguments[1],
        KRT_CONVERT(.to = o->to, .config = o->config, .digest = digest, .for_keras = for_keras,
                    .max_shard_size = o->max_shard_size, .include_optimizer = !o->no_optimizer,
                    .overwrite = o->overwrite, .incremental = o->incremental,
                    .ask = ask_if_terminal(c) != NULL ? ask_and_note : NULL, .ask_user = &declined,
                    .progress = wants_progress(c) ? show_progress : NULL, .progress_user = &b));
    if (b.is_open)
        fputc('\n', stderr);
    if (st != KRT_OK)
        return fail(c, c->arguments[0]);
    if (declined)
        return CLI_DONE;
    return o->max_shard_size > 0 && o->to == NULL ? tell_set(c, c->arguments[1])
                                                  : tell_result(c, c->arguments[1]);
}

static const options defaults = {.for_keras = "keras3"};

static const opt table[] = {
    OPT("to", OPT_TEXT, to, "FORMAT",
        "keras, keras-dir, h5, weights.h5, legacy-weights.h5, weights.json, tf-checkpoint, json,\n"
        "safetensors or npz; left out: the ending of OUT decides",
        0),
    OPT("config", OPT_TEXT, config, "JSON", "the architecture, for a file that has none", 0),
    OPT("max-shard-size", OPT_NUMBER, max_shard_size, "GB", "of sharded weights (5)", 0),
    OPT("incremental", OPT_FLAG, incremental, NULL,
        "write only what changed into the sharded set OUT", 0),
    OPT("no-optimizer", OPT_FLAG, no_optimizer, NULL, "leave out the optimizer and its state", 0),
    OPT("overwrite", OPT_FLAG, overwrite, NULL, "replace OUT when it is there", 0),
    OPT("for", OPT_TEXT, for_keras, "GENERATION",
        "keras2 or keras3, where no one file serves both (keras3)", 0),
    OPT("digest", OPT_TEXT, digest, "KIND",
        "xxh3-128, sha256 or none, kept with every array (xxh3-128)", 0),
};

const cli_command cmd_convert = {
    .name = "convert",
    .arguments = "IN OUT",
    .summary = "Writes a model or its weights in another form",
    .details = "Forms that name weights alike need no model to be built: files of any size and\n"
               "with any class. The others need every class to be known.",
    .least = 2,
    .most = 2,
    CLI_OPTIONS,
    .run = run,
};
