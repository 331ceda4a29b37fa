/* A table of system calls in which the n-th call fails: what a full disk, a broken one or a pulled
 * cable do to a save, one call after the other.
 *
 *     faulty_install(k, n, ENOSPC);  the n-th call through krt_ctx.sys fails with that errno; a
 *                                    write before it first comes back short
 *     faulty_calls()                 how many calls were made since
 */
#ifndef KERATIN_TESTS_FAULTY_H
#define KERATIN_TESTS_FAULTY_H

#include "base/ctx.h"
#include "base/sys.h"
#include "testing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>

static struct {
    atomic_size_t calls; /* also from the thread that writes behind */
    size_t failing;      /* SIZE_MAX: none */
    int error;
    bool stays;     /* all calls after it fail too */
    uint64_t space; /* what the disk claims to have; UINT64_MAX: the truth */
} faulty = {.failing = SIZE_MAX, .space = UINT64_MAX};

static inline bool faulty_fails(void)
{
    const size_t call = faulty.calls++;

    if (call != faulty.failing && !(faulty.stays && call > faulty.failing))
        return false;
    errno = faulty.error;
    return true;
}

#define FAULTY(name, parameters, arguments)                         \
    static inline int faulty_##name parameters                      \
    {                                                               \
        return faulty_fails() ? -1 : krti_sys_posix.name arguments; \
    }
FAULTY(open, (const char *path, int flags, mode_t mode), (path, flags, mode))
FAULTY(truncate, (int fd, off_t size), (fd, size))
FAULTY(mode, (int fd, mode_t mode), (fd, mode))
FAULTY(sync, (int fd), (fd))
FAULTY(lock, (int fd), (fd))
FAULTY(rename, (const char *from, const char *to), (from, to))
FAULTY(exchange, (const char *a, const char *b), (a, b))
FAULTY(link, (const char *from, const char *to), (from, to))
FAULTY(unlink, (const char *path), (path))
FAULTY(mkdir, (const char *path, mode_t mode), (path, mode))
FAULTY(rmdir, (const char *path), (path))
#undef FAULTY

/* The descriptor is gone either way, as on Linux. */
static inline int faulty_close(int fd)
{
    const bool fails = faulty_fails();
    const int error = errno, rc = krti_sys_posix.close(fd);

    errno = fails ? error : errno;
    return fails ? -1 : rc;
}

static inline ssize_t faulty_pwrite(int fd, const void *data, size_t size, off_t offset)
{
    if (faulty_fails())
        return -1;
    if (faulty.calls == faulty.failing && size > 1) /* the next one fails: a short one before it */
        size /= 2;
    return krti_sys_posix.pwrite(fd, data, size, offset);
}

static inline ssize_t faulty_write(int fd, const void *data, size_t size)
{
    return faulty_fails() ? -1 : krti_sys_posix.write(fd, data, size);
}

static inline int faulty_space(const char *path, uint64_t *bytes)
{
    if (faulty_fails())
        return -1;
    *bytes = faulty.space;
    return faulty.space == UINT64_MAX ? krti_sys_posix.space(path, bytes) : 0;
}

static const krti_sys faulty_sys = {
    .open = faulty_open,
    .close = faulty_close,
    .write = faulty_write,
    .pwrite = faulty_pwrite,
    .truncate = faulty_truncate,
    .mode = faulty_mode,
    .sync = faulty_sync,
    .lock = faulty_lock,
    .rename = faulty_rename,
    .exchange = faulty_exchange,
    .link = faulty_link,
    .unlink = faulty_unlink,
    .mkdir = faulty_mkdir,
    .rmdir = faulty_rmdir,
    .space = faulty_space,
};

static inline void faulty_install(krt_ctx *k, size_t call, int error)
{
    faulty.calls = 0;
    faulty.failing = call;
    faulty.error = error;
    k->sys = &faulty_sys;
}

static inline size_t faulty_calls(void)
{
    return faulty.calls;
}

#endif
