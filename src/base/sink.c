/* See sink.h. */
#include "base/sink.h"

#include "base/tasks.h"

enum {
    BLOCK = 1 << 20, /* stays in a second-level cache */
    FEW = 64 << 10   /* are looked at sooner than another thread hears of them */
};

typedef struct block {
    const krti_sink *sink;
    const krti_look *look;
    uint64_t offset;
    const unsigned char *data;
    size_t size;
    krt_status st;
} block;

static void do_half(void *arg, size_t half, size_t thread)
{
    block *b = arg;

    (void)thread;
    if (half == 0)
        b->st = b->sink->write(b->sink->user, b->offset, b->data, b->size);
    else
        b->look->at(b->look->user, b->data, b->size);
}

krt_status krti_sink_write(krt_ctx *k, const krti_sink *sink, uint64_t offset, const void *data,
                           size_t size, const krti_look *look)
{
    block b = {sink, look, offset, data, size, KRT_OK};

    if (look == NULL)
        return sink->write(sink->user, offset, data, size);
    for (size_t left = size; left > 0 && b.st == KRT_OK; left -= b.size) {
        b.size = left < BLOCK ? left : BLOCK;
        krti_share_tasks(b.size > FEW ? krti_num_threads(k) : 1, 2, do_half, &b);
        b.data += b.size;
        b.offset += b.size;
    }
    return b.st;
}
