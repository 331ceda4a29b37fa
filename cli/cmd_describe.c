/* keratin describe [NAME]: a layer's arguments with their types and defaults, from the same tables
 * that read configs; without a name, everything this build supports. */
#include "cli.h"

/* Files are the floor above classes, so the library's list cannot hold them. */
static const char *const formats[][2] = {
    {"keras", ".keras archives and directories"},
    {"h5", "whole models in HDF5 (Keras 2, tf.keras, Keras 3)"},
    {"weights.h5", "Keras 3 weights"},
    {"legacy-weights.h5", "Keras 2 weights in HDF5, with --config"},
    {"weights.json", "sharded weights"},
    {"json", "an architecture, with --weights"},
};

static void list_formats(void)
{
    puts("\nformats read");
    for (size_t i = 0; i < COUNT(formats); i++)
        printf("  %-18s %s\n", formats[i][0], formats[i][1]);
    puts("  arrays             .npy, .npz, IDX, CSV");
}

static int run(cli *c, const void *options)
{
    const char *const name = c->num_arguments > 0 ? c->arguments[0] : NULL;
    char *text = NULL;

    (void)options;
    if (krt_describe(c->k, &text, name, KRT_DESCRIBE(.json = c->json)) != KRT_OK)
        return fail(c, NULL);
    fputs(text, stdout);
    krt_free(c->k, text);
    if (name == NULL && !c->json)
        list_formats();
    return CLI_DONE;
}

const cli_command cmd_describe = {
    .name = "describe",
    .arguments = "[NAME]",
    .summary = "Explains a layer, or lists what this build supports",
    .most = 1,
    .run = run,
};
