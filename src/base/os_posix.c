/* fs.h on POSIX. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* sched_getaffinity, madvise */
#endif
#include "base/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static krt_status bytes_new(krt_ctx *k, krti_bytes **out, const void *data, size_t size)
{
    krti_bytes *b = krti_alloc(k, sizeof *b);

    *out = b;
    if (b == NULL)
        return KRT_E_NOMEM;
    b->k = k;
    atomic_init(&b->uses, 1);
    b->data = data;
    b->size = size;
    return KRT_OK;
}

static krt_status map_fd(krt_ctx *k, krti_bytes *b, int fd)
{
    struct stat info;

    if (fstat(fd, &info) != 0)
        return krti_fail_errno(k, KRT_E_IO, "cannot stat");
    if (S_ISDIR(info.st_mode))
        return krti_fail(k, KRT_E_FORMAT, NULL, "is a directory, expected a file");
    if (!S_ISREG(info.st_mode))
        return krti_fail(k, KRT_E_FORMAT, NULL, "is not a regular file");
    if (info.st_size == 0)
        return KRT_OK;
    void *p = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED)
        return krti_fail_errno(k, KRT_E_IO, "cannot map %lld bytes", (long long)info.st_size);
    b->data = p;
    b->size = (size_t)info.st_size;
    b->mapped = true;
    return KRT_OK;
}

krt_status krti_bytes_map(krt_ctx *k, krti_bytes **out, const char *filepath)
{
    krt_status st = bytes_new(k, out, NULL, 0);
    int fd = -1;

    if (st != KRT_OK)
        return st;
    fd = open(filepath, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        st = krti_fail(k, KRT_E_NOT_FOUND, NULL, "no such file");
    else if (fd < 0)
        st = krti_fail_errno(k, KRT_E_IO, "cannot open");
    else
        st = map_fd(k, *out, fd);
    if (st == KRT_OK && ((*out)->filepath = krti_strdup(k, filepath)) == NULL)
        st = KRT_E_NOMEM;
    if (fd >= 0)
        close(fd);
    if (st != KRT_OK) {
        krti_bytes_drop(*out);
        *out = NULL;
        return krti_fail_in_file(k, st, filepath);
    }
    return KRT_OK;
}

krt_status krti_bytes_wrap(krt_ctx *k, krti_bytes **out, const void *data, size_t size)
{
    return bytes_new(k, out, data, size);
}

krt_status krti_bytes_take(krt_ctx *k, krti_bytes **out, void *data, size_t size)
{
    const krt_status st = bytes_new(k, out, data, size);

    if (st != KRT_OK)
        krti_free(k, data);
    else
        (*out)->taken = true;
    return st;
}

krt_status krti_bytes_view(krt_ctx *k, krti_bytes **out, krti_bytes *parent, size_t offset,
                           size_t size)
{
    KRTI_ASSERT(offset <= parent->size && size <= parent->size - offset);
    const unsigned char *data = parent->data != NULL ? parent->data + offset : NULL;
    const krt_status st = bytes_new(k, out, data, size);

    if (st == KRT_OK)
        (*out)->parent = krti_bytes_use(parent);
    return st;
}

krti_bytes *krti_bytes_use(krti_bytes *b)
{
    atomic_fetch_add(&b->uses, 1);
    return b;
}

void krti_bytes_drop(krti_bytes *b)
{
    if (b == NULL || atomic_fetch_sub(&b->uses, 1) != 1)
        return;
    if (b->mapped)
        munmap((void *)(uintptr_t)b->data, b->size);
    if (b->taken)
        krti_free(b->k, (void *)(uintptr_t)b->data);
    krti_bytes_drop(b->parent);
    krti_free(b->k, b->filepath);
    krti_free(b->k, b);
}

/* A read fault maps what the page cache holds as one around it, up to a large page, so as much is let go
 * on either side. */
void krti_bytes_forget(const krti_bytes *b, const void *from, size_t size)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), around = 2 << 20;

    while (b->parent != NULL)
        b = b->parent;
    if (!b->mapped)
        return;
    const uintptr_t first = (uintptr_t)b->data, last = first + b->size;
    uintptr_t start = (uintptr_t)from, end = start + size;
    start = start - first > around ? start - around : first;
    end = last - end > around ? end + around : last;
    start = (start + page - 1) / page * page;
    end = end / page * page;
    if (end > start)
        (void)madvise((void *)start, end - start, MADV_DONTNEED);
}

krti_path_kind krti_path_kind_of(const char *filepath)
{
    struct stat info;

    if (stat(filepath, &info) != 0)
        return KRTI_PATH_NONE;
    return S_ISDIR(info.st_mode) ? KRTI_PATH_DIR : KRTI_PATH_FILE;
}

bool krti_path_is_link(const char *filepath)
{
    struct stat info;

    return lstat(filepath, &info) == 0 && S_ISLNK(info.st_mode);
}

int64_t krti_path_size(const char *filepath)
{
    struct stat info;

    return stat(filepath, &info) == 0 ? (int64_t)info.st_size : -1;
}

krti_path_id krti_path_id_of(const char *filepath)
{
    struct stat info;

    if (stat(filepath, &info) != 0)
        return (krti_path_id){0};
    return (krti_path_id){(uint64_t)info.st_dev, (uint64_t)info.st_ino,
                          (int64_t)info.st_mtim.tv_sec * 1000000000 + info.st_mtim.tv_nsec};
}

bool krti_path_id_equal(krti_path_id a, krti_path_id b)
{
    return a.device == b.device && a.file == b.file && a.changed_ns == b.changed_ns;
}

krt_status krti_path_join(krti_str *s, const char *dir, const char *name)
{
    krti_str_clear(s);
    if (strcmp(dir, ".") != 0)
        krti_str_add(s, dir);
    if (s->length > 0 && s->ptr[s->length - 1] != '/')
        krti_str_add(s, "/");
    return krti_str_add(s, name);
}

krt_status krti_path_dir(krti_str *s, const char *filepath)
{
    const char *slash = strrchr(filepath, '/');

    krti_str_clear(s);
    if (slash == NULL)
        return krti_str_add(s, ".");
    return krti_str_add_n(s, filepath, slash == filepath ? 1 : (size_t)(slash - filepath));
}

const char *krti_path_name(const char *filepath)
{
    const char *slash = strrchr(filepath, '/');

    return slash != NULL ? slash + 1 : filepath;
}

krt_status krti_path_each(const char *path, krt_status (*each)(void *user, const char *name),
                          void *user)
{
    DIR *dir = opendir(path);
    krt_status st = KRT_OK;

    for (struct dirent *e = NULL; dir != NULL && st == KRT_OK && (e = readdir(dir)) != NULL;)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            st = each(user, e->d_name);
    if (dir != NULL)
        closedir(dir);
    return st;
}

bool krti_path_is_plain_name(const char *name)
{
    return name[0] != '\0' && strchr(name, '/') == NULL && strchr(name, '\\') == NULL &&
           strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

void krti_advise_pages(void *p, size_t size, bool large)
{
#ifdef MADV_HUGEPAGE
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    const uintptr_t start = ((uintptr_t)p + page - 1) / page * page;
    const uintptr_t end = ((uintptr_t)p + size) / page * page;

    if (end > start)
        (void)madvise((void *)start, end - start, large ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
#else
    (void)p, (void)size, (void)large;
#endif
}

int krti_num_processors(void)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return CPU_COUNT(&set);
    return 1;
}

void krti_after_fork(void (*in_child)(void))
{
    (void)pthread_atfork(NULL, NULL, in_child);
}

bool krti_local_time(struct tm *out)
{
    const time_t now = time(NULL);

    return localtime_r(&now, out) != NULL;
}

int64_t krti_now_ns(void)
{
    struct timespec t = {0};

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}
