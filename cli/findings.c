/* How verify, diff, explain and scan print what they found: a line each, or one JSON document. */
#include "cli.h"

#include <string.h>

static void print_line(FILE *f, const krt_finding *item)
{
    const char *const parts[] = {item->file, item->object, item->text};

    fprintf(f, "%s%s: ", item->is_problem ? "" : "note, ", item->code);
    for (size_t i = 0; i < COUNT(parts); i++) {
        if (parts[i] == NULL)
            continue;
        print_safe(f, parts[i], "");
        fputs(i + 1 < COUNT(parts) ? ": " : "\n", f);
    }
}

/* What the status 1 is for, in one line: the first problem, and how many there are. */
static int fail_findings(const char *file, const krt_findings *found)
{
    const krt_finding *first = NULL;
    const size_t num = krt_findings_num_problems(found);
    char more[64] = "";

    for (size_t i = 0; first == NULL; i++)
        if (krt_findings_at(found, i)->is_problem)
            first = krt_findings_at(found, i);
    if (num > 1)
        snprintf(more, sizeof more, " (and %zu more)", num - 1);
    return fail_says(file, "%s%s%s%s%s%s", first->file != NULL ? first->file : "",
                     first->file != NULL ? ": " : "", first->object != NULL ? first->object : "",
                     first->object != NULL ? ": " : "", first->text, more);
}

static void print_json(const char *file, const krt_findings *found)
{
    json j;

    json_begin(&j, stdout);
    json_open(&j, '{');
    json_key(&j, "file");
    json_text(&j, file);
    json_key(&j, "ok");
    json_bool(&j, krt_findings_num_problems(found) == 0);
    json_key(&j, "summary");
    json_text(&j, krt_findings_summary(found));
    json_key(&j, "findings");
    json_open(&j, '[');
    for (size_t i = 0; i < krt_findings_size(found); i++) {
        const krt_finding *item = krt_findings_at(found, i);

        json_open(&j, '{');
        json_key(&j, "code");
        json_text(&j, item->code);
        json_key(&j, "problem");
        json_bool(&j, item->is_problem);
        json_key(&j, "file");
        json_text(&j, item->file);
        json_key(&j, "object");
        json_text(&j, item->object);
        json_key(&j, "text");
        json_text(&j, item->text);
        if (!isnan(item->max_abs)) {
            json_key(&j, "max_abs");
            json_number(&j, item->max_abs);
            json_key(&j, "max_rel");
            json_number(&j, item->max_rel);
        }
        json_close(&j, '}');
    }
    json_close(&j, ']');
    json_close(&j, '}');
    json_end(&j);
}

int show_findings(const cli *c, const char *file, const char *good, const krt_findings *found)
{
    const size_t num = krt_findings_num_problems(found);

    if (c->json) {
        print_json(file, found);
    } else {
        for (size_t i = 0; i < krt_findings_size(found); i++)
            print_line(stdout, krt_findings_at(found, i));
        if (num == 0 || krt_findings_summary(found)[0] != '\0')
            printf("%s%s%s\n", num == 0 ? good : "looked at",
                   krt_findings_summary(found)[0] != '\0' ? ": " : "", krt_findings_summary(found));
    }
    return num == 0 ? CLI_DONE : fail_findings(file, found);
}
