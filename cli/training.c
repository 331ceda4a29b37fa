/* Settings put together as compile's JSON. See training.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* isatty */
#endif
#include "training.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A growing text; NULL after out of memory. */
static char *append(char *text, const char *more, size_t length)
{
    const size_t used = text != NULL ? strlen(text) : 0;
    char *longer = realloc(text, used + length + 1);

    if (longer == NULL) {
        free(text);
        return NULL;
    }
    memcpy(longer + used, more, length);
    longer[used + length] = '\0';
    return longer;
}

/* What begins as JSON is JSON, anything else a name: adam, {"class_name": ...}. */
static char *put_value(char *text, const char *value, size_t length)
{
    const bool is_json = value[0] == '{' || value[0] == '[' || value[0] == '"';

    if (!is_json)
        text = append(text, "\"", 1);
    for (size_t i = 0; text != NULL && i < length; i++) {
        if (!is_json && (value[i] == '"' || value[i] == '\\'))
            text = append(text, "\\", 1);
        if (text != NULL)
            text = append(text, value + i, 1);
    }
    return text != NULL && !is_json ? append(text, "\"", 1) : text;
}

static char *put_key(char *text, const char *key)
{
    text = append(text, text[1] != '\0' ? ", \"" : "\"", text[1] != '\0' ? 3 : 1);
    text = text != NULL ? append(text, key, strlen(key)) : NULL;
    return text != NULL ? append(text, "\": ", 3) : NULL;
}

/* a,b or JSON. */
static char *put_list(char *text, const char *list)
{
    if (list[0] == '[' || list[0] == '{')
        return put_value(text, list, strlen(list));
    text = append(text, "[", 1);
    for (const char *at = list; text != NULL && *at != '\0';) {
        const size_t n = strcspn(at, ",");

        text = put_value(text, at, n);
        at += n;
        if (*at == ',') {
            text = text != NULL ? append(text, ", ", 2) : NULL;
            at++;
        }
    }
    return text != NULL ? append(text, "]", 1) : NULL;
}

static char *make_json(const settings *s)
{
    char *text = append(NULL, "{", 1);

    if (s->optimizer != NULL && text != NULL)
        text = put_key(text, "optimizer");
    if (s->optimizer != NULL && text != NULL)
        text = put_value(text, s->optimizer, strlen(s->optimizer));
    if (s->loss != NULL && text != NULL)
        text = put_key(text, "loss");
    if (s->loss != NULL && text != NULL)
        text = put_value(text, s->loss, strlen(s->loss));
    if (s->metrics != NULL && text != NULL)
        text = put_key(text, "metrics");
    if (s->metrics != NULL && text != NULL)
        text = put_list(text, s->metrics);
    return text != NULL ? append(text, "}", 1) : NULL;
}

int settings_apply(cli *c, krt_model *m, const settings *s)
{
    char *text = NULL;
    krt_status st = KRT_OK;

    if (s->optimizer == NULL && s->loss == NULL && s->metrics == NULL) {
        if (krt_is_compiled(m))
            return CLI_DONE;
        return fail_says(
            c->arguments[0],
            "the model has no compile settings; give --loss, and %s--metrics as needed",
            strcmp(c->command->name, "fit") == 0 ? "--optimizer and " : "");
    }
    text = make_json(s);
    if (text == NULL)
        return fail_says(NULL, "out of memory");
    st = krt_compile_json(m, text);
    free(text);
    return st == KRT_OK ? CLI_DONE : fail(c, c->arguments[0]);
}

int progress_kind(const cli *c, bool forced)
{
    if (forced)
        return 1;
    return c->quiet || c->json ? 0 : isatty(STDOUT_FILENO) ? 1 : 2;
}
