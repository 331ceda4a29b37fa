/* sys.h on POSIX. What Linux alone has falls back to ENOSYS, and the caller to its second way. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* renameat2 */
#endif
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static int sys_open(const char *path, int flags, mode_t mode)
{
    return open(path, flags, mode);
}

static int sys_lock(int fd)
{
    return flock(fd, LOCK_EX | LOCK_NB);
}

static int sys_exchange(const char *a, const char *b)
{
#ifdef RENAME_EXCHANGE
    return renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE);
#else
    (void)a;
    (void)b;
    errno = ENOSYS;
    return -1;
#endif
}

static int sys_space(const char *path, uint64_t *bytes)
{
    struct statvfs info;

    if (statvfs(path, &info) != 0)
        return -1;
    *bytes = (uint64_t)info.f_bavail * (info.f_frsize != 0 ? info.f_frsize : info.f_bsize);
    return 0;
}

const krti_sys krti_sys_posix = {
    .open = sys_open,
    .close = close,
    .write = write,
    .pwrite = pwrite,
    .truncate = ftruncate,
    .mode = fchmod,
    .sync = fsync,
    .lock = sys_lock,
    .rename = rename,
    .exchange = sys_exchange,
    .link = link,
    .unlink = unlink,
    .mkdir = mkdir,
    .rmdir = rmdir,
    .space = sys_space,
};
