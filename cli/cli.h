/* What the tool's files share: the command table, options, output, and ending with the right word.
 *
 * A command is a table entry: its words for the help, its options, and a function. main.c finds
 * the command, opt.c fills its options struct, output.c prints. Every command knows the library by
 * its public headers only. Contract: docs/cli/keratin.1. */
#ifndef KERATIN_CLI_CLI_H
#define KERATIN_CLI_CLI_H

#include <keratin/keratin.h>

#include <stdio.h>

enum { CLI_DONE = 0, CLI_FAILED = 1, CLI_MISUSED = 2, CLI_INTERRUPTED = 130 };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* --- one invocation -------------------------------------------------------------------------- */

typedef struct cli {
    krt_ctx *k;
    const struct cli_command *command;
    bool json, quiet, help; /* options every command has */
    long long threads, seed;
    char **arguments; /* what is no option, in order */
    size_t num_arguments;
} cli;

/* --- options (opt.c) ------------------------------------------------------------------------- */

typedef enum opt_kind {
    OPT_FLAG,   /* bool */
    OPT_TEXT,   /* const char *, NULL when left out */
    OPT_INT,    /* long long, at least `least` */
    OPT_NUMBER, /* double */
    OPT_LIST    /* opt_list: may be given again and again */
} opt_kind;

typedef struct opt_list {
    size_t n;
    const char **items;
} opt_list;

typedef struct opt {
    const char *name; /* without dashes: "batch-size" */
    opt_kind kind;
    size_t offset;     /* in the command's options struct */
    const char *value; /* what the help calls its value; NULL for a flag */
    const char *help;
    long long least;
} opt;

typedef struct cli_command {
    const char *name;
    const char *arguments; /* "FILE [PATH]" */
    const char *summary;   /* one line for the list of commands */
    const char *details;   /* further lines of its own help, or NULL */
    size_t least, most;    /* how many arguments */
    const opt *options;
    size_t num_options;
    const void *defaults; /* an options struct with every default in place */
    size_t options_size;
    int (*run)(cli *c, const void *options);
} cli_command;

/* A command's own struct is called `options`, its table `table` and what is left out `defaults`. */
#define CLI_OPTIONS                                                       \
    .options = table, .num_options = COUNT(table), .defaults = &defaults, \
    .options_size = sizeof(options)

#define OPT(name, kind, member, ...)                       \
    {                                                      \
        name, kind, offsetof(options, member), __VA_ARGS__ \
    }

/* What all commands that run a model say alike. */
#define OPT_X_ROW     OPT("x", OPT_LIST, x, "FILE", "input: .npy, .npz, IDX or CSV; or NAME=FILE", 0)
#define OPT_SCALE_ROW OPT("scale", OPT_NUMBER, scale, "S", "divide the inputs, as by 255", 0)
#define OPT_MODEL_ROWS                                                  \
    OPT("config", OPT_TEXT, config, "ARCH.json",                        \
        "the architecture, where MODEL holds weights only", 0),         \
        OPT("weights", OPT_TEXT, weights, "FILE",                       \
            "the weights, where MODEL holds the architecture only", 0), \
        OPT("verify", OPT_FLAG, verify, NULL,                           \
            "hold the weights against their digests and checksums first", 0)

extern const cli_command cmd_info, cmd_summary, cmd_config, cmd_weights, cmd_predict, cmd_describe,
    cmd_evaluate, cmd_fit, cmd_convert, cmd_verify, cmd_diff, cmd_explain, cmd_scan,
    cmd_load_weights, cmd_gc, cmd_help;

/* Fills c and *options (malloc'ed, starts as the command's defaults; opt_free() it) from the words
 * after the command's name. On misuse prints the line that helps and returns CLI_MISUSED. */
int opt_parse(cli *c, void **options, int argc, char **argv);
void opt_free(const cli_command *command, void *options);
/* The command's help. */
void opt_help(FILE *f, const cli_command *command);

/* Which of many words is nearest to one that was mistyped. */
typedef struct nearest {
    const char *word, *best;
    size_t distance;
} nearest;
nearest nearest_to(const char *word);
void nearest_try(nearest *n, const char *candidate); /* must outlive n */
const char *nearest_best(const nearest *n);          /* NULL when nothing is near */

/* --- commands (main.c) ----------------------------------------------------------------------- */

const cli_command *command_find(const char *name); /* NULL: none */
const cli_command *command_at(size_t i);           /* NULL past the last */
/* Says that there is no such command, with the nearest name. Returns CLI_MISUSED. */
int command_unknown(const char *name);

/* --- output (output.c) ----------------------------------------------------------------------- */

/* Names and messages from files, with control characters made visible, so that a file cannot
 * steer a terminal. `keep` are control characters to leave alone. */
void print_safe(FILE *f, const char *text, const char *keep);
/* 1234567 as "1,234,567", the way Keras's summary has it. `buffer` has 32 bytes. */
const char *with_commas(long long value, char *buffer);

/* `keratin: FILE: OBJECT: sentence` from the context's last failure; `file` where the failure names
 * none. Returns CLI_FAILED. */
int fail(const cli *c, const char *file);
int fail_with(const krt_error *e, const char *file);
/* The same for what the tool itself found. `file` may be NULL. */
int fail_says(const char *file, const char *format, ...);
/* `keratin COMMAND: sentence`. Returns CLI_MISUSED. */
int misuse(const cli *c, const char *format, ...);

/* One JSON document on stdout, indented by two. */
enum { JSON_DEPTH = 24 };
typedef struct json {
    FILE *f;
    int depth;
    bool used[JSON_DEPTH]; /* whether this container has an item already */
    bool after_key;
    bool one_line; /* as lists of numbers are */
} json;
void json_begin(json *j, FILE *f);
void json_open(json *j, char bracket); /* '{' or '[' */
void json_close(json *j, char bracket);
void json_key(json *j, const char *key);
void json_text(json *j, const char *text); /* NULL: null */
void json_int(json *j, long long value);   /* KRT_NONE: null */
void json_bool(json *j, bool value);
void json_number(json *j, double value);   /* NaN and infinities: null */
void json_shape(json *j, krt_shape shape); /* rank -1: null */
void json_end(json *j);
/* The values as nested lists. NaN and infinities, which JSON lacks, are null. */
krt_status json_tensor(json *j, const krt_tensor *t);

bool ends_with(const char *text, const char *suffix);
/* Keras's question whether to overwrite, for krt_save() and its kin; NULL off a terminal (ask.c). */
bool ask_overwrite(void *user, const char *filepath);
krt_overwrite_fn ask_if_terminal(const cli *c);

/* Prints the findings about a file, or `good` when there is no problem, and the summary. Returns
 * the status: CLI_FAILED with the line on stderr when there is a problem. */
int show_findings(const cli *c, const char *file, const char *good, const krt_findings *found);

#endif
