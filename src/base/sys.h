/* Every system call that changes something on disk, in one table.
 *
 * A save reaches the disk through the table its context names and in no other way, so that a test
 * can let the n-th call fail (tests/faulty.h) and look at what is left. The calls keep their POSIX
 * meaning: -1 and errno on failure. */
#ifndef KRTI_BASE_SYS_H
#define KRTI_BASE_SYS_H

#include <stdint.h>
#include <sys/types.h>

typedef struct krti_sys {
    int (*open)(const char *path, int flags, mode_t mode);
    int (*close)(int fd);
    ssize_t (*write)(int fd, const void *data, size_t size); /* pipes and terminals */
    ssize_t (*pwrite)(int fd, const void *data, size_t size, off_t offset);
    int (*truncate)(int fd, off_t size);
    int (*mode)(int fd, mode_t mode); /* fchmod */
    int (*sync)(int fd);              /* fsync */
    int (*lock)(int fd);              /* flock, exclusive, without waiting: EWOULDBLOCK when held */
    int (*rename)(const char *from, const char *to);
    int (*exchange)(const char *a, const char *b); /* two names in one step; ENOSYS, EINVAL */
    int (*link)(const char *from, const char *to);
    int (*unlink)(const char *path);
    int (*mkdir)(const char *path, mode_t mode);
    int (*rmdir)(const char *path);
    int (*space)(const char *path, uint64_t *bytes); /* free for us on the disk of `path` */
} krti_sys;

/* The real ones. */
extern const krti_sys krti_sys_posix;

#endif
