/* keratin explain WEIGHTS --into MODEL: why they fit, or why not and what helps. */
#include "cli.h"

typedef struct options {
    const char *into;
} options;

static int run(cli *c, const void *opts)
{
    const options *o = opts;
    krt_findings *found = NULL;
    int status;

    if (o->into == NULL)
        return misuse(c, "usage: keratin explain WEIGHTS --into MODEL");
    if (krt_explain(c->k, &found, c->arguments[0], o->into) != KRT_OK)
        return fail(c, c->arguments[0]);
    status = show_findings(c, c->arguments[0], "fits", found);
    krt_findings_free(found);
    return status;
}

static const options defaults = {NULL};

static const opt table[] = {
    OPT("into", OPT_TEXT, into, "MODEL", "a model, or an architecture JSON", 0),
};

const cli_command cmd_explain = {
    .name = "explain",
    .arguments = "WEIGHTS --into MODEL",
    .summary = "Says why weights fit a model, or where they part from it and what helps",
    .details = "Status 1 when they do not fit.",
    .least = 1,
    .most = 1,
    CLI_OPTIONS,
    .run = run,
};
