/* Files: mapped for reading, and questions about paths. The only header of the library that knows
 * the operating system is behind it (os_posix.c). */
#ifndef KRTI_BASE_FS_H
#define KRTI_BASE_FS_H

#include "base/str.h"

#include <stdatomic.h>
#include <time.h>

/* Bytes of a file, mapped read only, or a caller's buffer. Counted, because tensors keep pointing
 * into it after the reader that opened it is gone. The count is atomic. */
typedef struct krti_bytes {
    const unsigned char *data;
    size_t size;
    /* The rest is os_posix.c's. */
    krt_ctx *k;
    atomic_int uses;
    bool mapped, taken;        /* how to give the memory back; neither: it is not ours */
    struct krti_bytes *parent; /* what a view lies in, kept alive; else NULL */
    char *filepath;            /* NULL for a buffer */
} krti_bytes;

/* Maps a file. Fails: E_NOT_FOUND, E_IO, and E_FORMAT "is a directory". An empty file maps to
 * size 0. The failure names the file. */
krt_status krti_bytes_map(krt_ctx *k, krti_bytes **out, const char *filepath);
/* Wraps the caller's memory, which must outlive every use. */
krt_status krti_bytes_wrap(krt_ctx *k, krti_bytes **out, const void *data, size_t size);
/* Takes over memory from krti_alloc (an inflated archive member, say). */
krt_status krti_bytes_take(krt_ctx *k, krti_bytes **out, void *data, size_t size);
/* A part of other bytes, which it keeps alive: an archive member where it lies. The caller has
 * checked that it lies inside. */
krt_status krti_bytes_view(krt_ctx *k, krti_bytes **out, krti_bytes *parent, size_t offset,
                           size_t size);
krti_bytes *krti_bytes_use(krti_bytes *b); /* one more user */
void krti_bytes_drop(krti_bytes *b);       /* one less; NULL allowed */
/* Tells the system that this range was copied elsewhere and its pages may go. A hint. */
void krti_bytes_forget(const krti_bytes *b, const void *from, size_t size);

typedef enum krti_path_kind { KRTI_PATH_NONE, KRTI_PATH_FILE, KRTI_PATH_DIR } krti_path_kind;
krti_path_kind krti_path_kind_of(const char *filepath);
/* Whether the path itself is a symbolic link. */
bool krti_path_is_link(const char *filepath);
/* Size of a file in bytes, -1 when it cannot be told. */
int64_t krti_path_size(const char *filepath);
/* What a name leads to: as long as it stays equal, nothing took its place. Zeros when there is
 * nothing. */
typedef struct krti_path_id {
    uint64_t device, file;
    int64_t changed_ns;
} krti_path_id;
krti_path_id krti_path_id_of(const char *filepath);
bool krti_path_id_equal(krti_path_id a, krti_path_id b);
/* dir + "/" + name into s (cleared first). */
krt_status krti_path_join(krti_str *s, const char *dir, const char *name);
/* The directory part of filepath ("." when there is none) into s (cleared first). */
krt_status krti_path_dir(krti_str *s, const char *filepath);
/* The part after the last slash. */
const char *krti_path_name(const char *filepath);
/* Calls `each` for every name in a directory but "." and ".."; a non-OK return stops. A directory that
 * cannot be looked into has none. */
krt_status krti_path_each(const char *dir, krt_status (*each)(void *user, const char *name),
                          void *user);
/* A single component: no separator, not "", "." or "..", no NUL. */
bool krti_path_is_plain_name(const char *name);

/* krt_write_file() for a file that lies in several places: header, data, header, data, ... */
typedef struct krti_part {
    const void *data;
    size_t size;
} krti_part;
krt_status krti_write_parts(krt_ctx *k, const char *filepath, const krti_part *parts, size_t n);

/* Tells the system whether a fresh block is for large pages: cheaper to fill and to walk through where
 * such pages are free, a wait where the system has to make them first. A hint. */
void krti_advise_pages(void *p, size_t size, bool large);

/* Processors this process may use, at least 1. */
int krti_num_processors(void);
/* The date and time where this machine is. False when it cannot be told. */
bool krti_local_time(struct tm *out);
/* A clock that only goes forward, in nanoseconds. */
int64_t krti_now_ns(void);
/* Has a function called in every child process made by fork(), before it does anything. */
void krti_after_fork(void (*in_child)(void));

#endif
