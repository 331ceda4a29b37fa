/* A whole file in one call: a transaction of its own, or a plain write where the target is a device or
 * a pipe, beside which nothing can be made. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* O_CLOEXEC */
#endif
#include "base/sys.h"
#include "base/transaction.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

static krt_status write_in_place(krt_ctx *k, const char *filepath, const krti_part *parts, size_t n)
{
    const int fd = k->sys->open(filepath, O_WRONLY | O_CLOEXEC, 0);
    krt_status st = KRT_OK;

    if (fd < 0)
        return krti_fail_errno(k, KRT_E_IO, "cannot open for writing");
    for (size_t i = 0; i < n && st == KRT_OK; i++) {
        const unsigned char *p = parts[i].data;

        for (size_t left = parts[i].size; left > 0 && st == KRT_OK;) {
            const ssize_t written = k->sys->write(fd, p, left);

            if (written < 0 && errno != EINTR)
                st = krti_fail_errno(k, KRT_E_IO, "cannot write");
            p += written > 0 ? written : 0;
            left -= (size_t)(written > 0 ? written : 0);
        }
    }
    (void)k->sys->close(fd);
    return st;
}

static krt_status write_beside(krt_ctx *k, const char *filepath, const krti_part *parts, size_t n)
{
    krti_txn *t = NULL;
    krti_txn_file *f = NULL;
    uint64_t offset = 0;
    krt_status st = KRT_OK;

    TRY(krti_txn_begin(k, &t, filepath, true));
    TRY(krti_txn_create_target(t, &f));
    for (size_t i = 0; i < n; i++) {
        TRY(krti_txn_write(f, offset, parts[i].data, parts[i].size));
        offset += parts[i].size;
    }
    TRY(krti_txn_commit(t));

done:
    krti_txn_end(t);
    return st;
}

krt_status krt_write_file(krt_ctx *k, const char *filepath, const void *data, size_t size)
{
    const krti_part part = {data, size};

    return krti_write_parts(k, filepath, &part, 1);
}

krt_status krti_write_parts(krt_ctx *k, const char *filepath, const krti_part *parts, size_t n)
{
    struct stat info;
    krt_status st = KRT_OK;

    if (stat(filepath, &info) == 0 && S_ISDIR(info.st_mode))
        st = krti_fail(k, KRT_E_IO, NULL, "is a directory, expected a file; give a name in it");
    else if (stat(filepath, &info) == 0 && !S_ISREG(info.st_mode))
        st = write_in_place(k, filepath, parts, n);
    else
        st = write_beside(k, filepath, parts, n);
    return st == KRT_OK ? st : krti_fail_in_file(k, st, filepath);
}
