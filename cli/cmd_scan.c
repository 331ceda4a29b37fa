/* keratin scan FILE: what a careful person asks before opening a stranger's file. */
#include "cli.h"

static int run(cli *c, const void *options)
{
    const char *file = c->arguments[0];
    krt_findings *found = NULL;
    int status;

    (void)options;
    if (krt_scan(c->k, &found, file) != KRT_OK)
        return fail(c, file);
    status = show_findings(c, file, "nothing found", found);
    krt_findings_free(found);
    return status;
}

const cli_command cmd_scan = {
    .name = "scan",
    .arguments = "FILE",
    .summary = "Says what a file would do to whoever opens it without care",
    .details = "Looks for Python bytecode, foreign code, links, data in other files, bombs, paths\n"
               "that lead out, pickles and programs. Status 1 when there is any. Nothing is run.",
    .least = 1,
    .most = 1,
    .run = run,
};
