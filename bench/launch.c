/* Starts a command again and again for bench/predict.py and says what each start cost.
 *
 *     launch RUNS COMMAND [ARGUMENT...]
 *
 * Prints one JSON line: milliseconds from exec to exit of each run, the largest resident size of
 * any, and the exit status of the last. The command's standard output is thrown away. A program of
 * its own because the kernel counts the image a process was forked from into its largest resident
 * size, and Python's would hide a small one. */
#define _DEFAULT_SOURCE

#include "status.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* In the child: never returns. */
static void become(char **command)
{
    const int nowhere = open("/dev/null", O_RDWR);

    if (nowhere < 0 || dup2(nowhere, STDIN_FILENO) < 0 || dup2(nowhere, STDOUT_FILENO) < 0)
        _exit(126);
    execvp(command[0], command);
    perror(command[0]);
    _exit(127);
}

/* The exit status of one run, -1 when it could not be started. */
static int run(char **command, double *ms, long *peak_kb)
{
    const double start = now_ms();
    const pid_t child = fork();
    struct rusage used = {0};
    int status = 0;

    if (child == 0)
        become(command);
    if (child < 0 || wait4(child, &status, 0, &used) != child)
        return -1;
    *ms = now_ms() - start;
    if (used.ru_maxrss > *peak_kb)
        *peak_kb = used.ru_maxrss;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
    const long runs = argc > 2 ? strtol(argv[1], NULL, 10) : 0;
    long peak_kb = 0;
    int status = 0;

    if (runs < 1) {
        fprintf(stderr, "usage: launch RUNS COMMAND [ARGUMENT...]\n");
        return 2;
    }
    printf("{\"ms\": [");
    for (long i = 0; i < runs && status == 0; i++) {
        double ms = 0;

        fflush(stdout);
        status = run(argv + 2, &ms, &peak_kb);
        printf("%s%.4f", i > 0 ? ", " : "", ms);
    }
    printf("], \"peak_bytes\": %ld, \"status\": %d}\n", peak_kb * 1024, status);
    return 0;
}
