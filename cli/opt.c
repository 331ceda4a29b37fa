/* Options: long names only, `--name value` or `--name=value`, anywhere on the line, `--` ends them.
 *
 * Each command lists its options as a table of names, kinds and places in a struct, so parsing,
 * the help text and the suggestion for a mistyped name come from one description. Names are
 * Keras's keyword names with dashes. */
#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const opt common[] = {
    {"json", OPT_FLAG, offsetof(cli, json), NULL, "print one JSON document instead of text", 0},
    {"quiet", OPT_FLAG, offsetof(cli, quiet), NULL, "no warnings", 0},
    {"threads", OPT_INT, offsetof(cli, threads), "N", "0: one per processor, less for small jobs",
     0},
    {"seed", OPT_INT, offsetof(cli, seed), "N", "for what is random", 0},
    {"help", OPT_FLAG, offsetof(cli, help), NULL, "this text", 0},
};

/* --- finding a name -------------------------------------------------------------------------- */

static const opt *find_in(const opt *options, size_t n, const char *name, size_t length)
{
    for (size_t i = 0; i < n; i++)
        if (strncmp(options[i].name, name, length) == 0 && options[i].name[length] == '\0')
            return &options[i];
    return NULL;
}

static int unknown_option(const cli *c, const char *word)
{
    const cli_command *command = c->command;
    const size_t length = strcspn(word, "=");
    char name[64];
    const char *best;

    snprintf(name, sizeof name, "%.*s", (int)(length < 60 ? length : 60), word);

    nearest n = nearest_to(name + strspn(name, "-"));
    for (size_t i = 0; i < command->num_options; i++)
        nearest_try(&n, command->options[i].name);
    for (size_t i = 0; i < COUNT(common); i++)
        nearest_try(&n, common[i].name);
    best = nearest_best(&n);
    if (best != NULL)
        return misuse(c, "unknown option \"%s\"; did you mean --%s?", name, best);
    return misuse(c, "unknown option \"%s\"; see: keratin help %s", name, command->name);
}

/* --- values ---------------------------------------------------------------------------------- */

static int set_int(const cli *c, const opt *o, const char *text, long long *place)
{
    char *end = NULL;

    errno = 0;
    *place = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0)
        return misuse(c, "--%s takes a whole number, not \"%s\"", o->name, text);
    if (*place < o->least)
        return misuse(c, "--%s takes a whole number of at least %lld, not %lld", o->name, o->least,
                      *place);
    return CLI_DONE;
}

static int set_number(const cli *c, const opt *o, const char *text, double *place)
{
    char *end = NULL;

    *place = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(*place))
        return misuse(c, "--%s takes a number, not \"%s\"", o->name, text);
    return CLI_DONE;
}

static int add_to_list(const char *text, opt_list *place)
{
    const char **items = realloc(place->items, (place->n + 1) * sizeof *items);

    if (items == NULL)
        return fail_says(NULL, "out of memory");
    items[place->n++] = text;
    place->items = items;
    return CLI_DONE;
}

static int set_option(const cli *c, const opt *o, const char *text, void *base)
{
    void *place = (char *)base + o->offset;

    switch (o->kind) {
    case OPT_FLAG:
        *(bool *)place = true;
        return CLI_DONE;
    case OPT_TEXT:
        *(const char **)place = text;
        return CLI_DONE;
    case OPT_INT:
        return set_int(c, o, text, place);
    case OPT_NUMBER:
        return set_number(c, o, text, place);
    case OPT_LIST:
        return add_to_list(text, place);
    }
    return CLI_MISUSED;
}

/* Reads the option at argv[*i] and, where it takes one, its value, which may be the next word. */
static int read_option(cli *c, void *options, int argc, char **argv, int *i)
{
    const char *const word = argv[*i];
    const char *const name = strcmp(word, "-h") == 0 ? "help" : word + 2;
    const size_t length = strcspn(name, "=");
    const char *value = name[length] == '=' ? name + length + 1 : NULL;
    void *base = options;
    const opt *o = NULL;

    if (word[1] == '-' || strcmp(word, "-h") == 0)
        o = find_in(c->command->options, c->command->num_options, name, length);
    if (o == NULL && (word[1] == '-' || strcmp(word, "-h") == 0)) {
        o = find_in(common, COUNT(common), name, length);
        base = c;
    }
    if (o == NULL)
        return unknown_option(c, word);
    if (o->kind == OPT_FLAG && value != NULL)
        return misuse(c, "--%s takes no value", o->name);
    if (o->kind != OPT_FLAG && value == NULL) {
        if (*i + 1 >= argc)
            return misuse(c, "--%s takes a value: --%s %s", o->name, o->name, o->value);
        value = argv[++*i];
    }
    return set_option(c, o, value, base);
}

/* --- the line -------------------------------------------------------------------------------- */

static int check_count(const cli *c)
{
    const cli_command *command = c->command;

    if (c->num_arguments < command->least)
        return misuse(c, "usage: keratin %s %s", command->name, command->arguments);
    if (c->num_arguments > command->most)
        return misuse(c, "unexpected \"%s\"; usage: keratin %s %s", c->arguments[command->most],
                      command->name, command->arguments);
    return CLI_DONE;
}

int opt_parse(cli *c, void **options, int argc, char **argv)
{
    const cli_command *command = c->command;
    bool options_ended = false;

    *options = calloc(1, command->options_size > 0 ? command->options_size : 1);
    if (*options == NULL)
        return fail_says(NULL, "out of memory");
    if (command->defaults != NULL)
        memcpy(*options, command->defaults, command->options_size);

    c->arguments = argv; /* arguments move to the front of the words they came from */
    c->num_arguments = 0;
    for (int i = 0; i < argc; i++) {
        int status = CLI_DONE;

        if (options_ended || argv[i][0] != '-' || argv[i][1] == '\0')
            c->arguments[c->num_arguments++] = argv[i];
        else if (strcmp(argv[i], "--") == 0)
            options_ended = true;
        else
            status = read_option(c, *options, argc, argv, &i);
        if (status != CLI_DONE)
            return status;
    }
    return c->help ? CLI_DONE : check_count(c);
}

void opt_free(const cli_command *command, void *options)
{
    for (size_t i = 0; options != NULL && i < command->num_options; i++)
        if (command->options[i].kind == OPT_LIST)
            free(((opt_list *)(void *)((char *)options + command->options[i].offset))->items);
    free(options);
}

/* --- help ------------------------------------------------------------------------------------ */

static void print_options(FILE *f, const opt *options, size_t n)
{
    char left[48];

    for (size_t i = 0; i < n; i++) {
        const char *value = options[i].value;

        snprintf(left, sizeof left, "--%s%s%s", options[i].name, value != NULL ? " " : "",
                 value != NULL ? value : "");
        fprintf(f, "  %-24s %s\n", left, options[i].help);
    }
}

void opt_help(FILE *f, const cli_command *command)
{
    fprintf(f, "usage: keratin %s%s%s\n\n%s.\n", command->name,
            command->arguments[0] != '\0' ? " " : "", command->arguments, command->summary);
    if (command->details != NULL)
        fprintf(f, "\n%s", command->details);
    fputs("\noptions:\n", f);
    print_options(f, command->options, command->num_options);
    print_options(f, common, COUNT(common));
}

/* --- the nearest name ------------------------------------------------------------------------ */

enum { LONGEST_WORD = 120 };

static size_t least_of(size_t a, size_t b, size_t c)
{
    const size_t ab = a < b ? a : b;

    return ab < c ? ab : c;
}

/* How many letters to insert, drop, change or swap with their neighbour. Three rows of the table
 * are enough: the current one and the two above it. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t rows[3][LONGEST_WORD + 1];
    size_t *above2 = rows[0], *above = rows[1], *row = rows[2];
    const size_t na = strlen(a), nb = strlen(b);

    if (na > LONGEST_WORD || nb > LONGEST_WORD)
        return SIZE_MAX;
    for (size_t j = 0; j <= nb; j++)
        above[j] = j;
    for (size_t i = 1; i <= na; i++) {
        size_t *const spare = above2;

        row[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            row[j] = least_of(above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least_of(row[j], above2[j - 2] + 1, row[j]);
        }
        above2 = above;
        above = row;
        row = spare;
    }
    return above[nb];
}

nearest nearest_to(const char *word)
{
    return (nearest){.word = word, .distance = SIZE_MAX};
}

void nearest_try(nearest *n, const char *candidate)
{
    const size_t distance = edit_distance(n->word, candidate);

    if (distance < n->distance) {
        n->distance = distance;
        n->best = candidate;
    }
}

const char *nearest_best(const nearest *n)
{
    return n->distance <= 1 + strlen(n->word) / 3 ? n->best : NULL;
}
