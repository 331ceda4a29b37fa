/* Writing behind: bytes are gathered in pieces, and while one goes to the system the next is filled.
 *
 * Handing bytes to the system takes as long as finding them, reading them from a mapped file and summing
 * them, so with two threads a save takes as long as its writing alone. Pieces begin at multiples of
 * their size in the file, which is what a page cache takes fastest. */
#ifndef KRTI_BASE_BEHIND_H
#define KRTI_BASE_BEHIND_H

#include "base/ctx.h"

typedef struct krti_behind krti_behind;

/* For an open file, through the context's table of system calls; a thread is started when there is more
 * than a piece to write and the context has two. NULL: E_NOMEM. */
krti_behind *krti_behind_new(krt_ctx *k, int fd);
/* Both answer 0 or the errno of the first write that failed. The bytes are copied. A place may be written
 * again. */
int krti_behind_write(krti_behind *b, uint64_t offset, const void *data, size_t size);
int krti_behind_flush(krti_behind *b); /* everything is with the system */
/* Waits for the thread; what was not flushed is dropped. NULL allowed. */
void krti_behind_free(krti_behind *b);

#endif
