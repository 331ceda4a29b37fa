/* keratin help [COMMAND]. */
#include "cli.h"

static int run(cli *c, const void *options)
{
    (void)options;
    if (c->num_arguments == 1) {
        const cli_command *command = command_find(c->arguments[0]);

        if (command == NULL)
            return command_unknown(c->arguments[0]);
        opt_help(stdout, command);
        return CLI_DONE;
    }
    puts("keratin opens, checks, converts, runs, trains and writes Keras models of every "
         "generation.\n\n"
         "usage: keratin COMMAND [options] ARGUMENTS\n");
    for (size_t i = 0; command_at(i) != NULL; i++)
        printf("  %-12s %s\n", command_at(i)->name, command_at(i)->summary);
    puts("\nkeratin help COMMAND tells more; keratin --version names the version.");
    return CLI_DONE;
}

const cli_command cmd_help = {
    .name = "help",
    .arguments = "[COMMAND]",
    .summary = "Lists the commands, or explains one",
    .most = 1,
    .run = run,
};
