/* keratin describe [NAME]: a layer's arguments with their types and defaults, from the same tables
 * that read configs; without a name, everything this build supports. */
#include "cli.h"

static int run(cli *c, const void *options)
{
    const char *const name = c->num_arguments > 0 ? c->arguments[0] : NULL;
    char *text = NULL;

    (void)options;
    if (krt_describe(c->k, &text, name, KRT_DESCRIBE(.json = c->json)) != KRT_OK)
        return fail(c, NULL);
    fputs(text, stdout);
    krt_free(c->k, text);
    return CLI_DONE;
}

const cli_command cmd_describe = {
    .name = "describe",
    .arguments = "[NAME]",
    .summary = "Explains a layer, or lists what this build supports",
    .most = 1,
    .run = run,
};
