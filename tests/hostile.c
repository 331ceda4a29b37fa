/* What the tool says to every file of the hostile catalogue.
 *
 *     hostile TOOL FIXTURES        builds the files in the current folder, asks every command about
 *                                  each, prints the sentences; cli/hostile.out is what must be printed
 *     hostile TOOL FIXTURES NAME   builds them all, asks about this one only
 *
 * A command may do what it can do with such a file, or fail: in one line, in seconds, in little memory,
 * without a file left behind. Anything else is printed in capitals and no part of hostile.out. */
#define _DEFAULT_SOURCE 1 /* wait4 */
#include "hostile_files.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SECONDS = 10, MEGABYTES = 96, LONGEST = 4096 };

static const char *tool;

/* The hostile file takes the place of FILE; what is written may only be there when all went well. */
static const char *const commands[][14] = {
    {"info", "FILE"},
    {"summary", "FILE"},
    {"config", "FILE"},
    {"weights", "FILE", "--digest"},
    {"verify", "FILE"},
    {"scan", "FILE"},
    {"predict", "FILE", "--x", "x.npy"},
    {"predict --x", "good.keras", "--x", "FILE"},
    {"evaluate", "FILE", "--x", "x.npy", "--y", "y.npy", "--loss", "mse"},
    {"fit", "FILE", "--x", "x.npy", "--y", "y.npy", "--loss", "mse", "--optimizer", "sgd", "--save",
     "out.keras"},
    {"fit --x", "good.keras", "--x", "FILE", "--y", "y.npy", "--loss", "mse", "--save",
     "out.keras"},
    {"convert", "FILE", "out.safetensors"},
    {"load-weights", "good.keras", "FILE", "--save", "out.keras"},
    {"load-weights into", "FILE", "good.weights.h5", "--save", "out.keras"},
    {"diff", "good.keras", "FILE"},
    {"explain", "FILE", "--into", "good.keras"},
    {"explain into", "good.weights.h5", "--into", "FILE"},
};
enum { NUM_COMMANDS = sizeof commands / sizeof commands[0] };
typedef struct answer {
    char text[LONGEST];
    bool told;
} answer;

static void start(size_t command, const char *file)
{
    const struct rlimit cpu = {SECONDS, SECONDS};
    const char *argv[16] = {tool};
    char name[40];
    size_t n = 1;
    const int messages = open("messages", O_WRONLY | O_CREAT | O_TRUNC, 0600);

    snprintf(name, sizeof name, "%.*s", (int)strcspn(commands[command][0], " "),
             commands[command][0]);
    argv[n++] = name;
    for (size_t i = 1; commands[command][i] != NULL; i++)
        argv[n++] = strcmp(commands[command][i], "FILE") == 0 ? file : commands[command][i];
    (void)setrlimit(RLIMIT_CPU, &cpu);
    (void)alarm(4 * SECONDS);
    (void)dup2(open("/dev/null", O_WRONLY), STDOUT_FILENO);
    (void)dup2(messages, STDERR_FILENO);
    execv(tool, (char **)(uintptr_t)argv);
    _exit(127);
}

static bool is_sanitized(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return true;
#else
    return false;
#endif
}

/* The sentence without what it begins with always. */
static void read_answer(char *text, const char *file, int status, long kilobytes)
{
    char line[LONGEST] = "", whole[LONGEST] = "", start_of[300];
    FILE *f = fopen("messages", "rb");
    int lines = 0;

    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, "keratin: warning: ", 18) != 0) {
            lines++;
            snprintf(whole, sizeof whole, "%s", line);
        }
    if (f != NULL)
        fclose(f);
    whole[strcspn(whole, "\n")] = '\0';
    snprintf(start_of, sizeof start_of, "keratin: %s: ", file);
    const size_t skip = strncmp(whole, start_of, strlen(start_of)) == 0 ? strlen(start_of) : 0;
    snprintf(text, LONGEST, "%s", whole + skip);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        snprintf(text, LONGEST, "fine");
    else if (WIFSIGNALED(status))
        snprintf(text, LONGEST, "DIED of signal %d", WTERMSIG(status));
    else if (WEXITSTATUS(status) != 1)
        snprintf(text, LONGEST, "EXIT %d: %.3000s", WEXITSTATUS(status), whole);
    else if (lines > 1)
        snprintf(text, LONGEST, "SAID %d lines: %.3000s", lines, whole);
    if (!is_sanitized() && kilobytes > MEGABYTES << 10)
        snprintf(text, LONGEST, "TOOK %ld MB", kilobytes >> 10);
}

static void ask(size_t command, const char *file, char *text)
{
    struct rusage usage;
    int status = 0;
    const pid_t child = fork();

    if (child == 0)
        start(command, file);
    (void)wait4(child, &status, 0, &usage);
    read_answer(text, file, status, usage.ru_maxrss);
    const int left = (unlink("out.safetensors") == 0) + (unlink("out.keras") == 0);
    if (left > 0 && strcmp(text, "fine") != 0)
        snprintf(text, LONGEST, "LEFT a file");
}

/* Commands that say the same stand in one line. */
static void ask_all(const char *file)
{
    static answer answers[NUM_COMMANDS];

    printf("\n%s\n", file);
    for (size_t i = 0; i < NUM_COMMANDS; i++) {
        ask(i, file, answers[i].text);
        answers[i].told = false;
    }
    for (size_t i = 0; i < NUM_COMMANDS; i++) {
        bool all = i == 0;

        if (answers[i].told)
            continue;
        for (size_t j = i; j < NUM_COMMANDS; j++)
            all = all && strcmp(answers[i].text, answers[j].text) == 0;
        printf("  %s: ", answers[i].text);
        for (size_t j = i; j < NUM_COMMANDS; j++)
            if (strcmp(answers[i].text, answers[j].text) == 0) {
                if (!all)
                    printf("%s%s", j > i ? ", " : "", commands[j][0]);
                answers[j].told = true;
            }
        printf("%s\n", all ? "all" : "");
    }
}

int main(int argc, char **argv)
{
    static hostile_list files;

    if (argc < 3)
        return 2;
    tool = argv[1];
    hostile_files_make(&files, argv[2]);
    for (size_t i = 0; i < files.n; i++)
        if (argc < 4 || strcmp(argv[3], files.names[i]) == 0)
            ask_all(files.names[i]);
    return 0;
}
