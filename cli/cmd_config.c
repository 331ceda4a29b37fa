/* keratin config FILE: the architecture as Keras's JSON, also of models that cannot run here. */
#include "cli.h"

typedef struct options {
    long long indent;
} options;

static int run(cli *c, const void *p)
{
    const options *o = p;
    const char *const file = c->arguments[0];
    krt_file *f = NULL;
    char *text = NULL;
    int status = CLI_DONE;

    if (o->indent > 16)
        return misuse(c, "--indent takes at most 16, not %lld", o->indent);
    if (krt_file_open(c->k, &f, file) != KRT_OK ||
        krt_file_config(f, &text, (int)o->indent) != KRT_OK)
        status = fail(c, file);
    else
        puts(text);
    krt_free(c->k, text);
    krt_file_close(f);
    return status;
}

static const options defaults = {.indent = -1};

static const opt table[] = {
    OPT("indent", OPT_INT, indent, "N", "spaces a level; left out: one line", 0),
};

const cli_command cmd_config = {
    .name = "config",
    .arguments = "FILE",
    .summary = "Prints the architecture as Keras's JSON",
    .details =
        "Works for models with classes this build does not know. It is JSON with or without\n"
        "--json.\n",
    .least = 1,
    .most = 1,
    CLI_OPTIONS,
    .run = run,
};
