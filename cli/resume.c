/* See resume.h. A template's fields stand for any text, so "cp-{epoch:02d}.keras" finds "cp-07.keras".
 * A TensorFlow checkpoint is found by its .index file. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* stat times, signal */
#endif
#include "resume.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct candidate {
    char *path;
    struct timespec changed;
    int64_t epoch, batch; /* as the name says; KRT_NONE: it does not */
} candidate;

typedef struct candidates {
    candidate *items;
    size_t n;
} candidates;

static void candidates_free(candidates *all)
{
    for (size_t i = 0; i < all->n; i++)
        free(all->items[i].path);
    free(all->items);
}

/* What a name says in the places of {epoch} and {batch}; KRT_NONE: nothing. */
typedef struct numbers {
    int64_t epoch, batch;
} numbers;

static bool matches(const char *template, const char *name, numbers *n);

/* The field at `template` for some of `name`, and the rest for the rest. */
static bool match_field(const char *template, const char *name, numbers *n)
{
    const char *after = strchr(template, '}');

    for (const char *end = name; after != NULL; end++) {
        if (matches(after + 1, end, n)) {
            const int64_t value = strtoll(name, NULL, 10);

            if (strncmp(template, "{epoch", 6) == 0)
                n->epoch = value;
            else if (strncmp(template, "{batch", 6) == 0)
                n->batch = value;
            return true;
        }
        if (*end == '\0')
            return false;
    }
    return false;
}

/* Whether a name comes from a template: fields match anything, "{{" and "}}" are braces. */
static bool matches(const char *template, const char *name, numbers *n)
{
    while (*template != '\0') {
        if (template[0] == '{' && template[1] != '{')
            return match_field(template, name, n);
        if (*template == '{' || *template == '}')
            template ++;
        if (*template ++ != *name++)
            return false;
    }
    return *name == '\0';
}

static int add(candidates *all, const char *dir, const char *name, size_t length,
               const numbers *said)
{
    const size_t size = strlen(dir) + length + 2;
    candidate *items = realloc(all->items, (all->n + 1) * sizeof *items);
    struct stat info;
    char *path = malloc(size + 6);

    if (items != NULL)
        all->items = items;
    if (items == NULL || path == NULL) {
        free(path);
        return fail_says(NULL, "out of memory");
    }
    snprintf(path, size + 6, "%s/%s", dir, name);
    if (stat(path, &info) != 0) {
        free(path);
        return CLI_DONE;
    }
    snprintf(path, size, "%s/%s", dir, name); /* without .index */
    all->items[all->n++] = (candidate){path, info.st_mtim, said->epoch, said->batch};
    return CLI_DONE;
}

static int newest_first(const void *left, const void *right)
{
    const candidate *a = left, *b = right;

    if (a->changed.tv_sec != b->changed.tv_sec)
        return a->changed.tv_sec < b->changed.tv_sec ? 1 : -1;
    if (a->changed.tv_nsec != b->changed.tv_nsec)
        return a->changed.tv_nsec < b->changed.tv_nsec ? 1 : -1;
    return -strcmp(a->path, b->path);
}

static int find(const char *template, candidates *all)
{
    const char *slash = strrchr(template, '/');
    const size_t length = slash != NULL ? (size_t)(slash - template) : 0;
    char dir[4096];
    int status = CLI_DONE;

    if (length >= sizeof dir)
        return fail_says(template, "the name is too long");
    snprintf(dir, sizeof dir, "%.*s", (int)length, length > 0 ? template : ".");
    if (length == 0)
        snprintf(dir, sizeof dir, "%s", slash != NULL ? "/" : ".");
    DIR *d = opendir(dir);
    for (struct dirent *e = NULL; d != NULL && status == CLI_DONE && (e = readdir(d)) != NULL;) {
        const char *const pattern = slash != NULL ? slash + 1 : template;
        const size_t n = strlen(e->d_name);
        char name[512];

        if (n >= sizeof name || e->d_name[0] == '.')
            continue;
        const bool is_index = n > 6 && strcmp(e->d_name + n - 6, ".index") == 0;
        snprintf(name, sizeof name, "%.*s", (int)(n - (is_index ? 6 : 0)), e->d_name);
        numbers said = {KRT_NONE, KRT_NONE};
        if (matches(pattern, e->d_name, &said))
            status = add(all, dir, e->d_name, n, &said);
        else if (is_index && matches(pattern, name, &said))
            status = add(all, dir, e->d_name, n - 6, &said);
    }
    if (d != NULL)
        closedir(d);
    if (all->n > 1)
        qsort(all->items, all->n, sizeof *all->items, newest_first);
    return status;
}

static bool verifies(cli *c, const char *path)
{
    krt_findings *found = NULL;
    const krt_status st = krt_verify(c->k, &found, path, NULL);
    const bool good = st == KRT_OK && krt_findings_num_problems(found) == 0;

    if (!good && !c->quiet)
        fprintf(stderr, "keratin: %s does not verify, looking further\n", path);
    krt_findings_free(found);
    return good;
}

static krt_status load(cli *c, krt_model **m, const char *path, bool weights_only)
{
    krt_model *loaded = NULL;
    krt_status st = KRT_OK;

    if (weights_only)
        return krt_load_weights(*m, path, NULL);
    st = krt_load(c->k, &loaded, path, NULL);
    if (st != KRT_OK)
        return st;
    krt_model_free(*m);
    *m = loaded;
    return KRT_OK;
}

/* By the name where it tells the epoch, which counts from 1 and is done when saved at its end, and, of
 * one saved on the way, the batch; else by the optimizer's steps since the run began. False when the
 * two contradict each other, as when an optimizer skips steps: then the epoch begins again. */
static bool find_place(const candidate *from, const resuming *r, int64_t done, place *start)
{
    const int64_t first = start->epoch;

    if (from->epoch != KRT_NONE && (r->at_epoch_ends || from->batch != KRT_NONE)) {
        start->epoch = r->at_epoch_ends ? from->epoch : from->epoch - 1;
        start->batch = r->at_epoch_ends ? 0 : from->batch;
        return true;
    }
    if (r->steps > 0 && done >= 0) {
        start->epoch = first + done / r->steps;
        start->batch = done % r->steps;
        if (from->epoch == KRT_NONE || start->epoch == from->epoch - 1 ||
            (start->epoch == from->epoch && start->batch == 0))
            return true;
    }
    start->epoch = from->epoch != KRT_NONE ? from->epoch - 1 : first;
    start->batch = 0;
    return false;
}

int resume_from(cli *c, krt_model **m, const resuming *r, place *start)
{
    candidates all = {NULL, 0};
    int64_t done = 0, before = 0;
    int status = find(r->template, &all);
    size_t i = 0;

    while (status == CLI_DONE && i < all.n && !verifies(c, all.items[i].path))
        i++;
    if (status == CLI_DONE && i == all.n) {
        if (!c->quiet)
            fprintf(stderr, "keratin: no checkpoint to resume from, starting anew\n");
    } else if (status == CLI_DONE) {
        if (krt_iterations(*m, &before) != KRT_OK ||
            load(c, m, all.items[i].path, r->weights_only) != KRT_OK ||
            krt_iterations(*m, &done) != KRT_OK)
            status = fail(c, all.items[i].path);
        const bool is_known = find_place(&all.items[i], r, done - before, start);
        if (status == CLI_DONE && !c->quiet)
            fprintf(stderr, "keratin: resuming from %s, epoch %lld%s\n", all.items[i].path,
                    (long long)start->epoch + 1,
                    is_known ? ""
                             : " from its beginning: the name does not tell the batch, {batch} "
                               "in the template would");
    }
    candidates_free(&all);
    return status;
}
