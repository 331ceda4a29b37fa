/* keratin verify FILE: reads everything and says what is wrong. */
#include "cli.h"

typedef struct options {
    const char *config, *against, *write_digests;
} options;

static int run(cli *c, const void *opts)
{
    const options *o = opts;
    const char *file = c->arguments[0];
    krt_findings *found = NULL;
    int status;

    if (krt_verify(c->k, &found, file, KRT_VERIFY(.config = o->config, .against = o->against)) !=
        KRT_OK)
        return fail(c, file);
    status = show_findings(c, file, "whole", found);
    krt_findings_free(found);
    if (status == CLI_DONE && o->write_digests != NULL &&
        krt_write_digests(c->k, file, o->write_digests, NULL) != KRT_OK)
        return fail(c, file);
    return status;
}

static const options defaults = {.config = NULL};

static const opt table[] = {
    OPT("config", OPT_TEXT, config, "JSON", "the architecture, for a file that has none", 0),
    OPT("against", OPT_TEXT, against, "DIGESTS", "hold the arrays against a list", 0),
    OPT("write-digests", OPT_TEXT, write_digests, "DIGESTS",
        "write that list: SHA-256 of every array, JSON", 0),
};

const cli_command cmd_verify = {
    .name = "verify",
    .arguments = "FILE",
    .summary = "Proves that a file is whole: structure, checksums, shards, architecture",
    .details =
        "Reads everything. Names every array that was altered, is missing or does not fit;\n"
        "status 1 when there is any. Files written by keratin carry a digest of each array;\n"
        "for others, and against tampering, keep a list aside with --write-digests.",
    .least = 1,
    .most = 1,
    CLI_OPTIONS,
    .run = run,
};
