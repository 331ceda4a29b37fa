/* See behind.h. One thread, one job at a time: a piece that is full waits for the one before. */
#include "base/behind.h"

#include "base/sys.h"
#include "base/tasks.h"

#include <errno.h>
#include <threads.h>

enum {
    PIECE = 1 << 20,   /* two of them stay in a second-level cache */
    DIRECT = 256 << 10 /* from here on not worth gathering where nobody else writes */
};

struct krti_behind {
    krt_ctx *k;
    const krti_sys *sys;
    int fd;
    unsigned char *piece, *other; /* being filled; being written */
    uint64_t at;                  /* position of the piece's first byte */
    size_t used;
    bool wants_thread, has_thread;
    thrd_t thread;
    mtx_t lock; /* of all below, and the condition */
    cnd_t changed;
    const unsigned char *job; /* NULL: none */
    uint64_t job_at;
    size_t job_size;
    bool ends;
    int error;
};

static int put(const krti_behind *b, uint64_t offset, const unsigned char *data, size_t size)
{
    while (size > 0) {
        const ssize_t n = b->sys->pwrite(b->fd, data, size, (off_t)offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n == 0 ? ENOSPC : errno;
        data += n;
        offset += (uint64_t)n;
        size -= (size_t)n;
    }
    return 0;
}

/* ------------------------------------------------------------------------------- the thread */

static int write_jobs(void *arg)
{
    krti_behind *b = arg;

    mtx_lock(&b->lock);
    while (b->job != NULL || !b->ends) {
        if (b->job == NULL) {
            cnd_wait(&b->changed, &b->lock);
            continue;
        }
        mtx_unlock(&b->lock);
        const int error = put(b, b->job_at, b->job, b->job_size);
        mtx_lock(&b->lock);
        b->error = b->error != 0 ? b->error : error;
        b->job = NULL;
        cnd_signal(&b->changed);
    }
    mtx_unlock(&b->lock);
    return 0;
}

static void start_thread(krti_behind *b)
{
    b->wants_thread = false;
    b->other = krti_alloc_raw(b->k, PIECE);
    if (b->other == NULL)
        return;
    mtx_init(&b->lock, mtx_plain);
    cnd_init(&b->changed);
    b->has_thread = thrd_create(&b->thread, write_jobs, b) == thrd_success;
    if (b->has_thread)
        return;
    mtx_destroy(&b->lock);
    cnd_destroy(&b->changed);
}

/* Until the thread has nothing to do; with the lock. */
static int wait_idle(krti_behind *b)
{
    while (b->job != NULL)
        cnd_wait(&b->changed, &b->lock);
    return b->error;
}

/* The piece goes out, to the thread when there is one. */
static int hand_over(krti_behind *b)
{
    unsigned char *const full = b->piece;
    const size_t size = b->used;

    b->used = 0;
    if (!b->has_thread)
        return put(b, b->at, full, size);
    mtx_lock(&b->lock);
    const int error = wait_idle(b);
    if (error == 0) {
        b->job = full;
        b->job_at = b->at;
        b->job_size = size;
        b->piece = b->other;
        b->other = full;
        cnd_signal(&b->changed);
    }
    mtx_unlock(&b->lock);
    return error;
}

/* ------------------------------------------------------------------------------- public */

krti_behind *krti_behind_new(krt_ctx *k, int fd)
{
    krti_behind *b = krti_alloc(k, sizeof *b);

    if (b == NULL)
        return NULL;
    b->k = k;
    b->sys = k->sys;
    b->fd = fd;
    b->wants_thread = krti_num_threads(k) > 1;
    b->piece = krti_alloc_raw(k, PIECE);
    if (b->piece == NULL) {
        krti_free(k, b);
        return NULL;
    }
    return b;
}

static int append(krti_behind *b, uint64_t offset, const unsigned char *from, size_t size)
{
    int error = b->used > 0 && offset != b->at + b->used ? hand_over(b) : 0;

    while (error == 0 && size > 0) {
        if (b->used == 0 && size >= DIRECT && !b->has_thread && !b->wants_thread)
            return put(b, offset, from, size);
        if (b->used == 0)
            b->at = offset;
        const size_t whole = PIECE - (size_t)(b->at % PIECE), room = whole - b->used;
        const size_t n = size < room ? size : room;

        memcpy(b->piece + b->used, from, n);
        b->used += n;
        from += n;
        offset += n;
        size -= n;
        if (b->used < whole)
            break;
        if (b->wants_thread)
            start_thread(b);
        error = hand_over(b);
    }
    return error;
}

/* What comes late for a place before the piece: a header that has the checksum of what follows it. It goes
 * past the piece, so that this one need not go out half full. */
static int write_before(krti_behind *b, uint64_t offset, const unsigned char *data, size_t size)
{
    int error = 0;

    if (b->has_thread) {
        mtx_lock(&b->lock);
        error = b->error;
        if (b->job != NULL && offset < b->job_at + b->job_size && b->job_at < offset + size)
            error = wait_idle(b);
        mtx_unlock(&b->lock);
    }
    return error == 0 ? put(b, offset, data, size) : error;
}

int krti_behind_write(krti_behind *b, uint64_t offset, const void *data, size_t size)
{
    const unsigned char *from = data;
    int error = 0;

    if (b->used > 0 && offset < b->at) {
        const size_t n = size < b->at - offset ? size : (size_t)(b->at - offset);

        error = write_before(b, offset, from, n);
        from += n;
        offset += n;
        size -= n;
    }
    if (b->used > 0 && offset >= b->at && offset < b->at + b->used) { /* is not out yet */
        const size_t room = b->used - (size_t)(offset - b->at), n = size < room ? size : room;

        memcpy(b->piece + (offset - b->at), from, n);
        from += n;
        offset += n;
        size -= n;
    }
    return error == 0 && size > 0 ? append(b, offset, from, size) : error;
}

int krti_behind_flush(krti_behind *b)
{
    int error = b->used > 0 ? hand_over(b) : 0;

    if (!b->has_thread)
        return error;
    mtx_lock(&b->lock);
    error = wait_idle(b);
    mtx_unlock(&b->lock);
    return error;
}

void krti_behind_free(krti_behind *b)
{
    if (b == NULL)
        return;
    if (b->has_thread) {
        mtx_lock(&b->lock);
        b->ends = true;
        cnd_signal(&b->changed);
        mtx_unlock(&b->lock);
        thrd_join(b->thread, NULL);
        mtx_destroy(&b->lock);
        cnd_destroy(&b->changed);
    }
    krti_free(b->k, b->piece);
    krti_free(b->k, b->other);
    krti_free(b->k, b);
}
