/* See testing.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* mkdtemp, nftw */
#endif
#include "testing.h"

#include "base/fs.h"
#include "formats/json.h"

#include <dirent.h>
#include <ftw.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

int testing_setup(void **state)
{
    testing *t = calloc(1, sizeof *t);
    const char *temp = getenv("TMPDIR");

    if (t == NULL || krt_ctx_new(&t->k, KRT_CTX(.threads = 2, .seed = 7)) != KRT_OK)
        return -1;
    snprintf(t->folder, sizeof t->folder, "%s/keratin-XXXXXX", temp != NULL ? temp : "/tmp");
    *state = t;
    return mkdtemp(t->folder) != NULL ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    (void)info;
    (void)kind;
    (void)where;
    return remove(path);
}

int testing_teardown(void **state)
{
    testing *t = *state;

    nftw(t->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    krt_ctx_free(t->k);
    free(t);
    return 0;
}

int testing_run(const struct CMUnitTest *tests, size_t n)
{
    return _cmocka_run_group_tests("tests", tests, n, NULL, NULL);
}

const char *in_folder(testing *t, const char *name)
{
    static char path[512];

    snprintf(path, sizeof path, "%s/%s", t->folder, name);
    return path;
}

const char *put_file(testing *t, const char *name, const void *data, size_t size)
{
    const char *path = in_folder(t, name);
    FILE *f = fopen(path, "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
    return path;
}

int num_names(const char *path)
{
    DIR *dir = opendir(path);
    int n = 0;

    assert_non_null(dir);
    for (struct dirent *e = NULL; (e = readdir(dir)) != NULL;)
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(dir);
    return n;
}

const krti_conf *read_conf(testing *t, krti_arena *a, const char *path)
{
    krti_bytes *bytes = NULL;
    const krti_conf *c = NULL;

    ASSERT_OK(krti_bytes_map(t->k, &bytes, path));
    ASSERT_OK(krti_json_parse(a, &c, bytes->data, bytes->size));
    krti_bytes_drop(bytes);
    return c;
}

void need(const char *path)
{
    if (access(path, R_OK) != 0) {
        print_message("skipped: %s is absent\n", path);
        skip();
    }
}

void testing_status(krt_ctx *k, krt_status expected, krt_status found, const char *call,
                    const char *file, int line)
{
    const krt_error *e = krt_ctx_error(k);

    if (expected == found)
        return;
    print_error("%s\n  expected %s, found %s", call, krt_status_name(expected),
                krt_status_name(found));
    if (found != KRT_OK)
        print_error(": %s%s%s%s%s", e->filepath != NULL ? e->filepath : "",
                    e->filepath != NULL ? ": " : "", e->object != NULL ? e->object : "",
                    e->object != NULL ? ": " : "", e->message);
    print_error("\n");
    _fail(file, line);
}

void testing_int(long long expected, long long found, const char *what, const char *file, int line)
{
    if (expected == found)
        return;
    print_error("%s: expected %lld, found %lld\n", what, expected, found);
    _fail(file, line);
}

void testing_says(krt_ctx *k, const char *text, const char *file, int line)
{
    const char *message = krt_ctx_error(k)->message;

    if (strstr(message, text) != NULL)
        return;
    print_error("expected a message with: %s\n  found: %s\n", text, message);
    _fail(file, line);
}

void testing_near(const float *expected, const float *found, size_t n, double rtol, double atol,
                  const char *what, const char *file, int line)
{
    for (size_t i = 0; i < n; i++) {
        const double e = (double)expected[i], f = (double)found[i];

        if (fabs(f - e) <= atol + rtol * fabs(e) || (isnan(e) && isnan(f)) || e == f)
            continue;
        print_error("%s: element %zu of %zu: expected %.9g, found %.9g\n", what, i, n, e, f);
        _fail(file, line);
    }
}
