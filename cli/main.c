/* keratin: the command. This file finds the command and sets the stage.
 *
 * Results go to stdout, all else to stderr. Status 0: done; 1: failed, one line says what and
 * where; 2: used wrongly, one line helps. */
#include "cli.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static const cli_command *const commands[] = {
    &cmd_info, &cmd_summary, &cmd_config,       &cmd_weights, &cmd_predict, &cmd_evaluate,
    &cmd_fit,  &cmd_convert, &cmd_load_weights, &cmd_verify,  &cmd_diff,    &cmd_explain,
    &cmd_scan, &cmd_gc,      &cmd_describe,     &cmd_help,
};

const cli_command *command_at(size_t i)
{
    return i < COUNT(commands) ? commands[i] : NULL;
}

const cli_command *command_find(const char *name)
{
    for (size_t i = 0; i < COUNT(commands); i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

int command_unknown(const char *name)
{
    nearest n = nearest_to(name);
    const char *best;

    for (size_t i = 0; i < COUNT(commands); i++)
        nearest_try(&n, commands[i]->name);
    best = nearest_best(&n);
    fputs("keratin: unknown command \"", stderr);
    print_safe(stderr, name, "");
    if (best != NULL)
        fprintf(stderr, "\"; did you mean %s?\n", best);
    else
        fputs("\"; see: keratin help\n", stderr);
    return CLI_MISUSED;
}

static void log_line(void *user, int level, const char *text)
{
    const cli *c = user;

    if (c->quiet || level < KRT_LOG_WARNING)
        return;
    fputs("keratin: warning: ", stderr);
    print_safe(stderr, text, "");
    fputc('\n', stderr);
}

static int run_in_context(cli *c, const void *options)
{
    int status;
    const krt_status st = krt_ctx_new(
        &c->k, KRT_CTX(.threads = (int)c->threads, .seed = c->seed, .log = log_line, .user = c));

    if (st != KRT_OK)
        return fail_says(NULL, "%s", krt_status_text(st));
    status = c->command->run(c, options);
    krt_ctx_free(c->k);
    return status;
}

static int run_command(const cli_command *command, int argc, char **argv)
{
    cli c = {.command = command, .seed = KRT_NONE};
    void *options = NULL;
    int status = opt_parse(&c, &options, argc, argv);

    if (status == CLI_DONE && c.threads > 4096)
        status = misuse(&c, "--threads takes at most 4096, not %lld", c.threads);
    if (status == CLI_DONE && c.help)
        opt_help(stdout, command);
    else if (status == CLI_DONE)
        status = run_in_context(&c, options);
    opt_free(command, options);
    return status;
}

static int dispatch(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : NULL;
    const cli_command *command;

    if (name == NULL) {
        fputs("keratin: usage: keratin COMMAND [options] ARGUMENTS; see: keratin help\n", stderr);
        return CLI_MISUSED;
    }
    if (strcmp(name, "--version") == 0) {
        printf("keratin %s\n", krt_version());
        return CLI_DONE;
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        return run_command(&cmd_help, 0, argv + 2);
    command = command_find(name);
    return command != NULL ? run_command(command, argc - 2, argv + 2) : command_unknown(name);
}

int main(int argc, char **argv)
{
#ifdef SIGXFSZ
    (void)signal(SIGXFSZ,
                 SIG_IGN); /* a file beyond `ulimit -f` is a write that fails, not the end */
#endif
    const int status = dispatch(argc, argv);

    /* A full disk shows only now: what was printed may still be on its way. */
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fail_says("standard output", "%s", strerror(errno));
        return CLI_FAILED;
    }
    return status;
}
