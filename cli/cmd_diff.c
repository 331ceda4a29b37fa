/* keratin diff A B: what differs between two files of any two formats. */
#include "cli.h"

typedef struct options {
    double atol, rtol;
    const char *config;
} options;

static int run(cli *c, const void *opts)
{
    const options *o = opts;
    krt_findings *found = NULL;
    int status;

    if (o->atol < 0 || o->rtol < 0)
        return misuse(c, "--atol and --rtol are not negative");
    if (krt_diff(c->k, &found, c->arguments[0], c->arguments[1],
                 KRT_DIFF(.atol = o->atol, .rtol = o->rtol, .config = o->config)) != KRT_OK)
        return fail(c, NULL);
    status = show_findings(c, c->arguments[1], "equal", found);
    krt_findings_free(found);
    return status;
}

static const options defaults = {0, 0, NULL};

static const opt table[] = {
    OPT("atol", OPT_NUMBER, atol, "A", "values may differ by A (0)", 0),
    OPT("rtol", OPT_NUMBER, rtol, "R", "and by R times B's value (0)", 0),
    OPT("config", OPT_TEXT, config, "JSON", "the architecture, for files that have none", 0),
};

const cli_command cmd_diff = {
    .name = "diff",
    .arguments = "A B",
    .summary = "Compares the architecture and the weights of two files of any two formats",
    .details = "Names the first place where the architectures differ, and every array that is\n"
               "missing, added, of another shape, or of other values. Status 1 when they differ.",
    .least = 2,
    .most = 2,
    CLI_OPTIONS,
    .run = run,
};
