/* See behind.h. Pieces stand in a ring: the thread writes them in the order they were filled in, and whoever
 * finds all of them full waits until half are free again, so that neither wakes the other for every one. */
#include "base/behind.h"

#include "base/sys.h"
#include "base/tasks.h"

#include <errno.h>
#include <threads.h>

enum {
    PIECE = 1 << 20,
    PIECES = 6,        /* with two, each side waits for the other a third of the time */
    DIRECT = 256 << 10 /* from here on not worth gathering where nobody else writes */
};

typedef struct piece {
    unsigned char *bytes;
    uint64_t at; /* position of the first */
    size_t used;
} piece;

struct krti_behind {
    krt_ctx *k;
    const krti_sys *sys;
    int fd;
    piece pieces[PIECES]; /* one, until there is a thread */
    piece *filling;
    bool wants_thread, has_thread;
    thrd_t thread;
    mtx_t lock; /* of all below, and the condition */
    cnd_t changed;
    uint64_t given, done; /* pieces so far */
    uint64_t awaited;     /* the caller sleeps until so many are done */
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

static int write_pieces(void *arg)
{
    krti_behind *b = arg;

    mtx_lock(&b->lock);
    while (b->done < b->given || !b->ends) {
        if (b->done == b->given) {
            cnd_wait(&b->changed, &b->lock);
            continue;
        }
        const piece *p = &b->pieces[b->done % PIECES];

        mtx_unlock(&b->lock);
        const int error = put(b, p->at, p->bytes, p->used);
        mtx_lock(&b->lock);
        b->error = b->error != 0 ? b->error : error;
        if (++b->done == b->awaited)
            cnd_signal(&b->changed);
    }
    mtx_unlock(&b->lock);
    return 0;
}

static void start_thread(krti_behind *b)
{
    b->wants_thread = false;
    for (int i = 1; i < PIECES; i++)
        if ((b->pieces[i].bytes = krti_alloc_raw(b->k, PIECE)) == NULL)
            return;
    mtx_init(&b->lock, mtx_plain);
    cnd_init(&b->changed);
    b->has_thread = thrd_create(&b->thread, write_pieces, b) == thrd_success;
    if (b->has_thread)
        return;
    mtx_destroy(&b->lock);
    cnd_destroy(&b->changed);
}

/* Until so many pieces are done; with the lock. */
static int wait_until_done(krti_behind *b, uint64_t pieces)
{
    b->awaited = pieces;
    while (b->done < pieces)
        cnd_wait(&b->changed, &b->lock);
    return b->error;
}

/* The piece goes out, to the thread when there is one, and an empty one takes its place. */
static int hand_over(krti_behind *b)
{
    piece *const full = b->filling;
    int error = 0;

    if (!b->has_thread) {
        error = put(b, full->at, full->bytes, full->used);
        full->used = 0;
        return error;
    }
    mtx_lock(&b->lock);
    b->given++;
    if (b->given - b->done == 1) /* it may sleep */
        cnd_signal(&b->changed);
    error = b->given - b->done < PIECES ? b->error : wait_until_done(b, b->given - PIECES / 2);
    mtx_unlock(&b->lock);
    b->filling = &b->pieces[b->given % PIECES];
    b->filling->used = 0;
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
    b->filling = b->pieces;
    b->filling->bytes = krti_alloc_raw(k, PIECE);
    if (b->filling->bytes == NULL) {
        krti_free(k, b);
        return NULL;
    }
    return b;
}

static int append(krti_behind *b, uint64_t offset, const unsigned char *from, size_t size)
{
    int error =
        b->filling->used > 0 && offset != b->filling->at + b->filling->used ? hand_over(b) : 0;

    while (error == 0 && size > 0) {
        piece *p = b->filling;

        if (p->used == 0 && size >= DIRECT && !b->has_thread && !b->wants_thread)
            return put(b, offset, from, size);
        if (p->used == 0)
            p->at = offset;
        const size_t whole = PIECE - (size_t)(p->at % PIECE), room = whole - p->used;
        const size_t n = size < room ? size : room;

        memcpy(p->bytes + p->used, from, n);
        p->used += n;
        from += n;
        offset += n;
        size -= n;
        if (p->used < whole)
            break;
        if (b->wants_thread)
            start_thread(b);
        error = hand_over(b);
    }
    return error;
}

/* Whether a piece on its way has bytes of this place; with the lock. */
static bool is_on_its_way(const krti_behind *b, uint64_t offset, size_t size)
{
    for (uint64_t i = b->done; i < b->given; i++) {
        const piece *p = &b->pieces[i % PIECES];

        if (offset < p->at + p->used && p->at < offset + size)
            return true;
    }
    return false;
}

/* What comes late for a place before the piece: a header that has the checksum of what follows it. It goes
 * past the piece, so that this one need not go out half full. */
static int write_before(krti_behind *b, uint64_t offset, const unsigned char *data, size_t size)
{
    int error = 0;

    if (b->has_thread) {
        mtx_lock(&b->lock);
        error = is_on_its_way(b, offset, size) ? wait_until_done(b, b->given) : b->error;
        mtx_unlock(&b->lock);
    }
    return error == 0 ? put(b, offset, data, size) : error;
}

int krti_behind_write(krti_behind *b, uint64_t offset, const void *data, size_t size)
{
    const piece *p = b->filling;
    const unsigned char *from = data;
    int error = 0;

    if (p->used > 0 && offset < p->at) {
        const size_t n = size < p->at - offset ? size : (size_t)(p->at - offset);

        error = write_before(b, offset, from, n);
        from += n;
        offset += n;
        size -= n;
    }
    if (p->used > 0 && offset >= p->at && offset < p->at + p->used) { /* is not out yet */
        const size_t room = p->used - (size_t)(offset - p->at), n = size < room ? size : room;

        memcpy(p->bytes + (offset - p->at), from, n);
        from += n;
        offset += n;
        size -= n;
    }
    return error == 0 && size > 0 ? append(b, offset, from, size) : error;
}

int krti_behind_flush(krti_behind *b)
{
    int error = b->filling->used > 0 ? hand_over(b) : 0;

    if (!b->has_thread)
        return error;
    mtx_lock(&b->lock);
    error = wait_until_done(b, b->given);
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
    for (int i = 0; i < PIECES; i++)
        krti_free(b->k, b->pieces[i].bytes);
    krti_free(b->k, b);
}
