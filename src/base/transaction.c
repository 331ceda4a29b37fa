/* transaction.h on POSIX. The order is everything: write beside, sync the bytes, rename, sync the
 * directory. Reading calls (stat, readdir) are made directly; all others through the context's
 * table. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* realpath */
#endif
#include "base/transaction.h"
#include "base/behind.h"
#include "base/number.h"
#include "base/sys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    NAME_LONGEST = 200, /* of a target's name in names of ours; longer ones are cut and hashed */
    TRIES = 100,        /* other names of ours that may be in the way */
    TREE_DEPTH = 64
};

struct krti_txn_file {
    krti_txn *t;
    krti_txn_file *next;
    char *temp, *path; /* what it is called now, what it will be called */
    int fd;
    krti_behind *out;
    bool is_renamed;
};

struct krti_txn {
    krt_ctx *k;
    const krti_sys *sys;
    char *dir, *name, *target; /* of the target: directory, name in it, both */
    char *stem;                /* dir/.NAME.krt- */
    char *lock_path;
    int lock_fd;
    bool has_lock; /* false where the file system has none */
    bool sync;
    char *new_dir; /* a directory as target: where it is made; NULL otherwise */
    unsigned serial;
    krti_txn_file *files, *last;
};

/* ------------------------------------------------------------------------------- names */

static uint64_t hash_name(const char *name)
{
    uint64_t h = 0xcbf29ce484222325u;

    for (; *name != '\0'; name++)
        h = (h ^ (unsigned char)*name) * 0x100000001b3u;
    return h;
}

/* ".NAME.krt-", short enough that a number behind it still makes a legal name. */
static krt_status make_stem(krti_txn *t)
{
    krti_str s = KRTI_STR_INIT(t->k), own = KRTI_STR_INIT(t->k);
    size_t n = strlen(t->name);
    krt_status st = KRT_OK;

    krti_str_add(&own, ".");
    if (n <= NAME_LONGEST) {
        krti_str_add(&own, t->name);
    } else {
        n = NAME_LONGEST - 20;
        while ((t->name[n] & 0xC0) == 0x80) /* not within a character */
            n--;
        krti_str_add_n(&own, t->name, n);
        krti_str_addf(&own, "-%016llx", (unsigned long long)hash_name(t->name));
    }
    TRY(krti_str_add(&own, ".krt-"));
    TRY(krti_path_join(&s, t->dir, own.ptr));
    t->stem = krti_str_take(&s);
    if (t->stem == NULL)
        st = KRT_E_NOMEM;

done:
    krti_str_free(&s);
    krti_str_free(&own);
    return st;
}

static char *joined(krt_ctx *k, const char *dir, const char *name)
{
    krti_str s = KRTI_STR_INIT(k);
    char *path = krti_path_join(&s, dir, name) == KRT_OK ? krti_str_take(&s) : NULL;

    krti_str_free(&s);
    return path;
}

/* "<stem>tmp-PID-N", another one each time. */
static char *temp_name(krti_txn *t, const char *what)
{
    krti_str s = KRTI_STR_INIT(t->k);
    char *path = NULL;

    if (krti_str_addf(&s, "%s%s-%ld-%u", t->stem, what, (long)getpid(), t->serial++) == KRT_OK)
        path = krti_str_take(&s);
    krti_str_free(&s);
    return path;
}

/* The target without slashes behind it and, when it is a symbolic link, what that points to. */
static krt_status resolve(krti_txn *t, const char *target)
{
    krt_ctx *k = t->k;
    struct stat info;
    size_t n = strlen(target);
    char *bare = NULL, *real = NULL;
    krti_str dir = KRTI_STR_INIT(k);
    krt_status st = KRT_OK;

    while (n > 1 && target[n - 1] == '/')
        n--;
    if ((bare = krti_strndup(k, target, n)) == NULL)
        TRY(KRT_E_NOMEM);
    if (lstat(bare, &info) == 0 && S_ISLNK(info.st_mode)) {
        real = krti_alloc_raw(k, PATH_MAX);
        if (real == NULL)
            TRY(KRT_E_NOMEM);
        if (realpath(bare, real) == NULL)
            TRY(krti_fail_errno(k, KRT_E_IO, "is a symbolic link that leads nowhere"));
    }
    t->target = krti_strdup(k, real != NULL ? real : bare);
    if (t->target == NULL)
        TRY(KRT_E_NOMEM);
    TRY(krti_path_dir(&dir, t->target));
    t->dir = krti_str_take(&dir);
    t->name = krti_strdup(k, krti_path_name(t->target));
    if (t->dir == NULL || t->name == NULL)
        TRY(KRT_E_NOMEM);
    if (!krti_path_is_plain_name(t->name))
        TRY(krti_fail(k, KRT_E_INVALID, NULL, "\"%s\" is no name for a file", target));

done:
    krti_free(k, bare);
    krti_free(k, real);
    krti_str_free(&dir);
    return st;
}

/* ------------------------------------------------------------------------------- leftovers */

/* Removes a file, or a directory with all that is in it. Links are removed, never followed. What
 * cannot be removed stays for the next save. */
static void remove_tree(krti_txn *t, const char *path, int depth)
{
    struct stat info;
    DIR *dir = NULL;

    if (lstat(path, &info) != 0)
        return;
    if (!S_ISDIR(info.st_mode)) {
        (void)t->sys->unlink(path);
        return;
    }
    dir = depth < TREE_DEPTH ? opendir(path) : NULL;
    for (struct dirent *e = NULL; dir != NULL && (e = readdir(dir)) != NULL;) {
        char *inner = krti_path_is_plain_name(e->d_name) ? joined(t->k, path, e->d_name) : NULL;

        if (inner != NULL)
            remove_tree(t, inner, depth + 1);
        krti_free(t->k, inner);
    }
    if (dir != NULL)
        closedir(dir);
    (void)t->sys->rmdir(path);
}

/* Whether the writer in "...tmp-PID-N" may still be at work. With the lock in hand there is none. */
static bool is_alive(const krti_txn *t, const char *rest)
{
    const char *dash = strchr(rest, '-');
    const long pid = dash != NULL ? strtol(dash + 1, NULL, 10) : 0;

    return !t->has_lock && pid > 0 && (kill((pid_t)pid, 0) == 0 || errno == EPERM);
}

/* What killed writers left: half-written files go; a directory that was moved aside comes back when
 * nothing took its place. */
static void clean(krti_txn *t)
{
    const char *prefix = krti_path_name(t->stem);
    const size_t n = strlen(prefix);
    DIR *dir = opendir(t->dir);

    for (struct dirent *e = NULL; dir != NULL && (e = readdir(dir)) != NULL;) {
        const char *rest = e->d_name + n;
        char *path = NULL;

        if (strncmp(e->d_name, prefix, n) != 0 || is_alive(t, rest))
            continue;
        if (!krti_starts_with(rest, "tmp-") && !krti_starts_with(rest, "old-"))
            continue;
        if ((path = joined(t->k, t->dir, e->d_name)) == NULL)
            continue;
        if (krti_starts_with(rest, "old-") && krti_path_kind_of(t->target) == KRTI_PATH_NONE)
            (void)t->sys->rename(path, t->target);
        else
            remove_tree(t, path, 0);
        krti_free(t->k, path);
    }
    if (dir != NULL)
        closedir(dir);
}

/* ------------------------------------------------------------------------------- the lock */

static krt_status cannot_create(krti_txn *t)
{
    const int error = errno;

    if (error == ENOENT || error == ENOTDIR)
        return krti_fail(t->k, KRT_E_NOT_FOUND, NULL,
                         "cannot save here: there is no directory %s. Create it with: mkdir -p %s",
                         t->dir, t->dir);
    errno = error;
    if (error == EACCES || error == EPERM || error == EROFS)
        return krti_fail_errno(t->k, KRT_E_IO,
                               "cannot save here: the directory %s does not let this user create "
                               "files; save elsewhere or change its permissions",
                               t->dir);
    return krti_fail_errno(t->k, KRT_E_IO, "cannot create a file in %s", t->dir);
}

static krt_status is_held(krti_txn *t, int fd)
{
    char who[128] = "";
    const ssize_t n = pread(fd, who, sizeof who - 1, 0);

    who[n > 0 ? n : 0] = '\0';
    who[strcspn(who, "\n")] = '\0';
    krti_fail(t->k, KRT_E_IO, NULL,
              "is being written by %s; wait for it to finish, or save under another name",
              who[0] != '\0' ? who : "another process");
    t->k->error.sys_errno = EWOULDBLOCK;
    return KRT_E_IO;
}

/* Says in the lock who holds it. That is for people; a failure changes nothing. */
static void sign_lock(krti_txn *t)
{
    char host[64] = "", who[128];

    if (gethostname(host, sizeof host - 1) != 0)
        host[0] = '\0';
    const int n = snprintf(who, sizeof who, "process %ld on %s\n", (long)getpid(), host);
    if (t->sys->truncate(t->lock_fd, 0) == 0)
        (void)t->sys->pwrite(t->lock_fd, who, (size_t)n, 0);
}

static bool is_same_file(int fd, const char *path)
{
    struct stat a, b;

    return fstat(fd, &a) == 0 && lstat(path, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

/* A lock's name is removed by its holder, so the file that was opened may be nobody's by the time
 * it is locked: then again, with the file that has the name now. */
static krt_status take_lock(krti_txn *t)
{
    for (int i = 0; i < TRIES; i++) {
        const int fd = t->sys->open(t->lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
        krt_status st = KRT_OK;

        if (fd < 0)
            return cannot_create(t);
        t->has_lock = t->sys->lock(fd) == 0;
        if (t->has_lock && !is_same_file(fd, t->lock_path)) {
            (void)t->sys->close(fd);
            continue;
        }
        if (!t->has_lock && errno == EWOULDBLOCK)
            st = is_held(t, fd);
        else if (!t->has_lock && errno != ENOLCK && errno != ENOSYS && errno != EOPNOTSUPP)
            st = krti_fail_errno(t->k, KRT_E_IO, "cannot lock %s", t->lock_path);
        if (st != KRT_OK) {
            (void)t->sys->close(fd);
            return st;
        }
        t->lock_fd = fd;
        sign_lock(t);
        return KRT_OK;
    }
    return krti_fail(t->k, KRT_E_IO, NULL, "is being written by one process after another");
}

/* ------------------------------------------------------------------------------- begin, end */

static void abandon_file(krti_txn *t, krti_txn_file *f)
{
    krti_behind_free(f->out);
    if (f->fd >= 0)
        (void)t->sys->close(f->fd);
    if (f->temp != NULL && !f->is_renamed && t->new_dir == NULL)
        (void)t->sys->unlink(f->temp);
    krti_free(t->k, f->temp);
    krti_free(t->k, f->path);
    krti_free(t->k, f);
}

static void abandon_files(krti_txn *t)
{
    while (t->files != NULL) {
        krti_txn_file *f = t->files;

        t->files = f->next;
        abandon_file(t, f);
    }
    t->last = NULL;
}

void krti_txn_end(krti_txn *t)
{
    if (t == NULL)
        return;
    abandon_files(t);
    if (t->new_dir != NULL)
        remove_tree(t, t->new_dir, 0);
    if (t->lock_fd >= 0) {
        (void)t->sys->unlink(t->lock_path);
        (void)t->sys->close(t->lock_fd);
    }
    krti_free(t->k, t->dir);
    krti_free(t->k, t->name);
    krti_free(t->k, t->target);
    krti_free(t->k, t->stem);
    krti_free(t->k, t->lock_path);
    krti_free(t->k, t->new_dir);
    krti_free(t->k, t);
}

krt_status krti_txn_begin(krt_ctx *k, krti_txn **out, const char *target, bool sync)
{
    krti_txn *t = krti_alloc(k, sizeof *t);
    krti_str lock = KRTI_STR_INIT(k);
    krt_status st = KRT_OK;

    *out = NULL;
    if (t == NULL)
        return KRT_E_NOMEM;
    t->k = k;
    t->sys = k->sys;
    t->sync = sync;
    t->lock_fd = -1;
    TRY(resolve(t, target));
    TRY(make_stem(t));
    TRY(krti_str_addf(&lock, "%slock", t->stem));
    t->lock_path = krti_str_take(&lock);
    if (t->lock_path == NULL)
        TRY(KRT_E_NOMEM);
    TRY(take_lock(t));
    clean(t);
    *out = t;
    t = NULL;

done:
    krti_str_free(&lock);
    krti_txn_end(t);
    return st == KRT_OK ? st : krti_fail_in_file(k, st, target);
}

const char *krti_txn_dir(const krti_txn *t)
{
    return t->dir;
}

const char *krti_txn_name(const krti_txn *t)
{
    return t->name;
}

krt_status krti_txn_need(krti_txn *t, uint64_t bytes)
{
    uint64_t space = 0;
    char wanted[32], have[32];

    if (t->sys->space(t->dir, &space) != 0 || bytes <= space)
        return KRT_OK; /* a disk that does not say is found out by writing */
    krti_fail(
        t->k, KRT_E_IO, NULL,
        "No space left on device: %s are needed, %s are free in %s. Nothing was changed; free "
        "some space or save elsewhere",
        krti_print_bytes(wanted, bytes), krti_print_bytes(have, space), t->dir);
    t->k->error.sys_errno = ENOSPC;
    return krti_fail_in_file(t->k, KRT_E_IO, t->target);
}

/* ------------------------------------------------------------------------------- directories */

static krt_status check_old_directory(krti_txn *t, bool (*is_ours)(const char *name))
{
    DIR *dir = opendir(t->target);
    krt_status st = KRT_OK;

    if (dir == NULL && errno != ENOENT)
        return krti_fail_errno(t->k, KRT_E_IO, "cannot look into the directory");
    for (struct dirent *e = NULL; dir != NULL && st == KRT_OK && (e = readdir(dir)) != NULL;)
        if (krti_path_is_plain_name(e->d_name) && !is_ours(e->d_name))
            st = krti_fail(t->k, KRT_E_EXISTS, NULL,
                           "is a directory that also holds %s, which replacing it would lose; save "
                           "into another one",
                           e->d_name);
    if (dir != NULL)
        closedir(dir);
    return st;
}

krt_status krti_txn_as_directory(krti_txn *t, bool (*is_ours)(const char *name))
{
    struct stat info = {.st_mode = 0};
    const bool exists = stat(t->target, &info) == 0;
    krt_status st = KRT_OK;

    KRTI_ASSERT(t->new_dir == NULL && t->files == NULL);
    if (exists && !S_ISDIR(info.st_mode))
        TRY(krti_fail(t->k, KRT_E_EXISTS, NULL, "is a file, expected a directory or a new name"));
    if (exists)
        TRY(check_old_directory(t, is_ours));
    t->new_dir = temp_name(t, "tmp");
    if (t->new_dir == NULL)
        TRY(KRT_E_NOMEM);
    if (t->sys->mkdir(t->new_dir, exists ? info.st_mode & 07777 : 0777) != 0) {
        st = krti_fail_errno(t->k, KRT_E_IO, "cannot create a directory in %s", t->dir);
        krti_free(t->k, t->new_dir);
        t->new_dir = NULL;
    }

done:
    return st == KRT_OK ? st : krti_fail_in_file(t->k, st, t->target);
}

/* Makes the directories of a path below the new one. */
static krt_status make_parents(krti_txn *t, char *path)
{
    char *p = path + strlen(t->new_dir) + 1;
    krt_status st = KRT_OK;

    while (st == KRT_OK && (p = strchr(p, '/')) != NULL) {
        *p = '\0';
        if (t->sys->mkdir(path, 0777) != 0 && errno != EEXIST)
            st = krti_fail_errno(t->k, KRT_E_IO, "cannot create the directory %s", path);
        *p++ = '/';
    }
    return st;
}

/* Syncs a directory and, below it, all others. */
static krt_status sync_directory(krti_txn *t, const char *path)
{
    const int fd = t->sys->open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    krt_status st = KRT_OK;

    if (fd < 0)
        return krti_fail_errno(t->k, KRT_E_IO, "cannot open the directory %s", path);
    if (t->sys->sync(fd) != 0 && errno != EINVAL && errno != ENOTSUP)
        st = krti_fail_errno(t->k, KRT_E_IO, "cannot sync the directory %s", path);
    (void)t->sys->close(fd);
    return st;
}

static krt_status sync_parents(krti_txn *t, const char *file)
{
    char *path = krti_strdup(t->k, file);
    krt_status st = path != NULL ? KRT_OK : KRT_E_NOMEM;

    for (char *slash = NULL; st == KRT_OK && (slash = strrchr(path, '/')) != NULL;) {
        *slash = '\0';
        if (strlen(path) <= strlen(t->new_dir))
            break;
        st = sync_directory(t, path);
    }
    krti_free(t->k, path);
    return st;
}

/* Two renames where one step does not do it; between them the old directory waits beside, and the
 * next save would bring it back. */
static krt_status replace_in_two(krti_txn *t)
{
    char *old = temp_name(t, "old");
    krt_status st = old != NULL ? KRT_OK : KRT_E_NOMEM;

    if (st == KRT_OK && t->sys->rename(t->target, old) != 0)
        st = krti_fail_errno(t->k, KRT_E_IO, "cannot move the old directory aside");
    if (st == KRT_OK && t->sys->rename(t->new_dir, t->target) != 0) {
        st = krti_fail_errno(t->k, KRT_E_IO, "cannot rename into place");
        (void)t->sys->rename(old, t->target);
    } else if (st == KRT_OK) {
        remove_tree(t, old, 0);
    }
    krti_free(t->k, old);
    return st;
}

static krt_status place_directory(krti_txn *t)
{
    krt_status st = KRT_OK;

    if (krti_path_kind_of(t->target) == KRTI_PATH_NONE) {
        if (t->sys->rename(t->new_dir, t->target) != 0)
            st = krti_fail_errno(t->k, KRT_E_IO, "cannot rename into place");
    } else if (t->sys->exchange(t->new_dir, t->target) == 0) {
        remove_tree(t, t->new_dir, 0);
    } else {
        st = replace_in_two(t);
    }
    if (st == KRT_OK) {
        krti_free(t->k, t->new_dir);
        t->new_dir = NULL;
    }
    return st;
}

/* ------------------------------------------------------------------------------- files */

/* Takes the permissions of the file that will be replaced. */
static krt_status keep_mode(krti_txn *t, const krti_txn_file *f)
{
    struct stat info;

    if (stat(f->path, &info) != 0 || !S_ISREG(info.st_mode))
        return KRT_OK;
    if (t->sys->mode(f->fd, info.st_mode & 07777) != 0)
        return krti_fail_errno(t->k, KRT_E_IO, "cannot set the permissions of the new file");
    return KRT_OK;
}

static krt_status open_temp(krti_txn *t, krti_txn_file *f)
{
    for (int i = 0; i < TRIES; i++) {
        krti_free(t->k, f->temp);
        f->temp = t->new_dir != NULL ? krti_strdup(t->k, f->path) : temp_name(t, "tmp");
        if (f->temp == NULL)
            return KRT_E_NOMEM;
        f->fd = t->sys->open(f->temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (f->fd >= 0)
            return keep_mode(t, f);
        if (errno != EEXIST || t->new_dir != NULL)
            break;
    }
    const krt_status st = cannot_create(t);
    krti_free(t->k, f->temp);
    f->temp = NULL;
    return st;
}

static krt_status create(krti_txn *t, krti_txn_file *f, const char *name)
{
    f->path = joined(t->k, t->new_dir != NULL ? t->new_dir : t->dir, name);
    if (f->path == NULL)
        return KRT_E_NOMEM;
    if (t->new_dir == NULL && krti_path_kind_of(f->path) == KRTI_PATH_DIR)
        return krti_fail(t->k, KRT_E_EXISTS, strcmp(name, t->name) != 0 ? name : NULL,
                         "is a directory, expected a file or a new name; save under another one");
    krt_status st = t->new_dir != NULL ? make_parents(t, f->path) : KRT_OK;
    if (st == KRT_OK)
        st = open_temp(t, f);
    if (st == KRT_OK && (f->out = krti_behind_new(t->k, f->fd)) == NULL)
        st = KRT_E_NOMEM;
    return st;
}

krt_status krti_txn_create(krti_txn *t, krti_txn_file **out, const char *name)
{
    krti_txn_file *f = krti_alloc(t->k, sizeof *f);
    krt_status st = f != NULL ? KRT_OK : KRT_E_NOMEM;

    *out = NULL;
    if (st == KRT_OK) {
        f->t = t;
        f->fd = -1;
        st = create(t, f, name);
    }
    if (st != KRT_OK) {
        if (f != NULL)
            abandon_file(t, f);
        return krti_fail_in_file(t->k, st, t->target);
    }
    *(t->last != NULL ? &t->last->next : &t->files) = f;
    t->last = f;
    *out = f;
    return KRT_OK;
}

krt_status krti_txn_create_target(krti_txn *t, krti_txn_file **out)
{
    return krti_txn_create(t, out, t->name);
}

static krt_status cannot_write(krti_txn *t, int error)
{
    krt_status st = KRT_E_IO;

    errno = error;
    if (error == ENOSPC || error == EDQUOT) {
        st = krti_fail(t->k, st, NULL,
                       "No space left on device while writing beside %s. Nothing was changed; free "
                       "some space or save elsewhere",
                       t->name);
        t->k->error.sys_errno = error;
        return st;
    }
    return krti_fail_errno(t->k, st, "cannot write beside %s; nothing was changed", t->name);
}

krt_status krti_txn_write(krti_txn_file *f, uint64_t offset, const void *data, size_t size)
{
    const int error = krti_behind_write(f->out, offset, data, size);

    return error == 0 ? KRT_OK
                      : krti_fail_in_file(f->t->k, cannot_write(f->t, error), f->t->target);
}

static krt_status sink_write(void *user, uint64_t offset, const void *data, size_t size)
{
    return krti_txn_write(user, offset, data, size);
}

krti_sink krti_txn_sink(krti_txn_file *f)
{
    return (krti_sink){sink_write, f};
}

/* ------------------------------------------------------------------------------- commit */

/* The last of the bytes; closing may fail too, on disks over a network. */
static krt_status finish_file(krti_txn_file *f)
{
    krti_txn *t = f->t;
    krt_status st = KRT_OK;

    if (f->fd < 0) /* it is */
        return KRT_OK;
    const int error = krti_behind_flush(f->out);
    if (error != 0)
        return cannot_write(t, error);
    if (st == KRT_OK && t->sync && t->sys->sync(f->fd) != 0 && errno != EINVAL)
        st = krti_fail_errno(t->k, KRT_E_IO, "cannot sync to disk; nothing was changed");
    if (st != KRT_OK)
        return st;
    const int fd = f->fd;
    f->fd = -1;
    if (t->sys->close(fd) != 0 && errno != EINTR)
        return krti_fail_errno(t->k, KRT_E_IO, "cannot close the new file; nothing was changed");
    if (t->new_dir != NULL && t->sync)
        st = sync_parents(t, f->path);
    krti_behind_free(f->out);
    f->out = NULL;
    return st;
}

krt_status krti_txn_finish(krti_txn_file *f)
{
    const krt_status st = finish_file(f);

    return st == KRT_OK ? st : krti_fail_in_file(f->t->k, st, f->t->target);
}

static krt_status place_files(krti_txn *t)
{
    for (krti_txn_file *f = t->files; f != NULL; f = f->next) {
        if (t->sys->rename(f->temp, f->path) != 0)
            return krti_fail_errno(t->k, KRT_E_IO, "cannot rename into place");
        f->is_renamed = true;
    }
    return KRT_OK;
}

krt_status krti_txn_commit(krti_txn *t)
{
    krt_status st = KRT_OK;

    for (krti_txn_file *f = t->files; f != NULL; f = f->next)
        TRY(finish_file(f));
    if (t->new_dir != NULL && t->sync)
        TRY(sync_directory(t, t->new_dir));
    if (t->new_dir != NULL)
        TRY(place_directory(t));
    else
        TRY(place_files(t));
    abandon_files(t);
    if (t->sync)
        TRY(sync_directory(t, t->dir));

done:
    return st == KRT_OK ? st : krti_fail_in_file(t->k, st, t->target);
}

/* ------------------------------------------------------------------------------- sets */

krt_status krti_txn_link(krti_txn *t, const char *from, const char *to)
{
    char *source = joined(t->k, t->dir, from), *target = joined(t->k, t->dir, to);
    char *temp = temp_name(t, "tmp");
    krt_status st = source != NULL && target != NULL && temp != NULL ? KRT_OK : KRT_E_NOMEM;

    if (st == KRT_OK && t->sys->link(source, temp) != 0)
        st = krti_fail_errno(t->k, errno == EIO ? KRT_E_IO : KRT_E_UNSUPPORTED,
                             "cannot give %s a second name", from);
    else if (st == KRT_OK && t->sys->rename(temp, target) != 0)
        st = krti_fail_errno(t->k, KRT_E_IO, "cannot rename into place");
    if (temp != NULL) /* it stays when both are names of one file already */
        (void)t->sys->unlink(temp);
    krti_free(t->k, source);
    krti_free(t->k, target);
    krti_free(t->k, temp);
    return st;
}

krt_status krti_txn_remove(krti_txn *t, const char *name)
{
    char *path = joined(t->k, t->dir, name);
    krt_status st = path != NULL ? KRT_OK : KRT_E_NOMEM;

    if (st == KRT_OK && t->sys->unlink(path) != 0 && errno != ENOENT)
        st = krti_fail_errno(t->k, KRT_E_IO, "cannot remove %s", name);
    krti_free(t->k, path);
    return st;
}

void krti_txn_discard(krti_txn *t, const char *name)
{
    char path[4096];
    const int n = snprintf(path, sizeof path, "%s/%s", t->dir, name);

    if (n > 0 && (size_t)n < sizeof path)
        (void)t->sys->unlink(path);
}
