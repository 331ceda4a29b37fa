/* Directories made, checkpoints removed, logs appended to. See files.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* O_CLOEXEC */
#endif
#include "callbacks/files.h"

#include "base/fs.h"
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>

static krt_status fail(krt_ctx *k, const char *what, const char *path)
{
    krti_fail(k, KRT_E_IO, NULL, "%s %s: %s", what, path, strerror(errno));
    return krti_fail_in_file(k, KRT_E_IO, path);
}

krt_status krti_make_directory(krt_ctx *k, const char *path)
{
    char *copy = krti_strdup(k, path);
    krt_status st = copy != NULL ? KRT_OK : KRT_E_NOMEM;

    for (char *at = copy; st == KRT_OK && at != NULL; *at = '/') {
        at = strchr(at + 1, '/');
        if (at != NULL)
            *at = '\0';
        if (copy[0] != '\0' && krti_path_kind_of(copy) == KRTI_PATH_NONE &&
            k->sys->mkdir(copy, 0777) != 0 && errno != EEXIST)
            st = fail(k, "cannot make the directory", copy);
        if (at == NULL)
            break;
    }
    krti_free(k, copy);
    return st;
}

krt_status krti_make_parents(krt_ctx *k, const char *filepath)
{
    krti_str dir = KRTI_STR_INIT(k);
    krt_status st = krti_path_dir(&dir, filepath);

    if (st == KRT_OK && krti_path_kind_of(krti_str_text(&dir)) == KRTI_PATH_NONE)
        st = krti_make_directory(k, krti_str_text(&dir));
    krti_str_free(&dir);
    return st;
}

bool krti_is_keras_directory(const char *path)
{
    char config[4096];
    const int n = snprintf(config, sizeof config, "%s/config.json", path);

    return n > 0 && (size_t)n < sizeof config && krti_path_kind_of(config) == KRTI_PATH_FILE;
}

typedef struct removing {
    krt_ctx *k;
    const char *dir;
} removing;

static krt_status remove_one(void *user, const char *name)
{
    const removing *r = user;
    krti_str path = KRTI_STR_INIT(r->k);
    krt_status st = krti_path_join(&path, r->dir, name);

    if (st == KRT_OK && r->k->sys->unlink(krti_str_text(&path)) != 0)
        st = fail(r->k, "cannot remove", krti_str_text(&path));
    krti_str_free(&path);
    return st;
}

krt_status krti_remove_path(krt_ctx *k, const char *path)
{
    const krti_path_kind kind = krti_path_kind_of(path);
    krt_status st = KRT_OK;

    if (kind == KRTI_PATH_FILE && k->sys->unlink(path) != 0)
        return fail(k, "cannot remove", path);
    if (kind != KRTI_PATH_DIR)
        return KRT_OK;
    st = krti_path_each(path, remove_one, &(removing){k, path});
    if (st == KRT_OK && k->sys->rmdir(path) != 0)
        st = fail(k, "cannot remove", path);
    return st;
}

krt_status krti_log_open(krt_ctx *k, krti_log_file *f, const char *filepath, bool keeps)
{
    krt_status st = krti_make_parents(k, filepath);

    *f = (krti_log_file){.k = k, .fd = -1};
    if (st != KRT_OK)
        return st;
    f->filepath = krti_strdup(k, filepath);
    if (f->filepath == NULL)
        return KRT_E_NOMEM;
    f->fd = k->sys->open(filepath,
                         O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | (keeps ? 0 : O_TRUNC), 0666);
    return f->fd >= 0 ? KRT_OK : fail(k, "cannot write", filepath);
}

krt_status krti_log_write(krti_log_file *f, const void *data, size_t size)
{
    const char *p = data;

    while (size > 0) {
        const ssize_t n = f->k->sys->write(f->fd, p, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return fail(f->k, "cannot write", f->filepath);
        p += n;
        size -= (size_t)n;
    }
    return KRT_OK;
}

void krti_log_close(krti_log_file *f)
{
    if (f->k == NULL)
        return;
    if (f->fd >= 0)
        f->k->sys->close(f->fd);
    krti_free(f->k, f->filepath);
    *f = (krti_log_file){.fd = -1};
}
