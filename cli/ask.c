/* Keras's question before a file is overwritten. On a terminal only: elsewhere a job would wait for
 * ever, so there the command fails and names the flag. It goes to stderr: stdout is for results. */
#define _POSIX_C_SOURCE 200809L
#include "cli.h"

#include <string.h>
#include <unistd.h>

krt_overwrite_fn ask_if_terminal(const cli *c)
{
    return isatty(STDIN_FILENO) && !c->quiet ? ask_overwrite : NULL;
}

bool ask_overwrite(void *user, const char *filepath)
{
    char line[64];

    (void)user;
    fputs("[WARNING] ", stderr);
    print_safe(stderr, filepath, "");
    fputs(" already exists - overwrite? [y/n]", stderr);
    fflush(stderr);
    while (fgets(line, sizeof line, stdin) != NULL) {
        const size_t first = strspn(line, " \t"), end = first + strcspn(line + first, " \t\r\n");
        const char answer = end == first + 1 ? line[first] : '\0';

        if (answer == 'n' || answer == 'N')
            return false;
        if (answer == 'y' || answer == 'Y') {
            fputs("[TIP] Next time specify overwrite=True!\n", stderr);
            return true;
        }
        fputs("Enter \"y\" (overwrite) or \"n\" (cancel).", stderr);
        fflush(stderr);
    }
    return false;
}
