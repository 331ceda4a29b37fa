/* Work shared out between threads: a loop over tasks that the caller and the workers of a process-wide
 * pool run together. Why not OpenMP's loops: its threads all meet at the end of each of them, so on a
 * machine with other work every loop waits for a thread that the system has not woken yet. Here the
 * caller begins at once, a worker that comes late finds nothing left, and only tasks that a worker has
 * begun are waited for. See docs/design/memory-and-threads.md. */
#ifndef KRTI_BASE_TASKS_H
#define KRTI_BASE_TASKS_H

#include "base/ctx.h"

/* One task. `thread` is below the number asked for, and no two threads at work on the same loop have
 * the same: for scratch memory. A thread begins with the same part of the tasks in every loop, and takes
 * them in order. */
typedef void krti_task(void *arg, size_t task, size_t thread);

/* Runs every task once, on up to `threads` threads, this one included, and returns when all are done.
 * It never fails: without workers the caller does everything. Callable from any thread, many at once,
 * and from inside a task. */
void krti_share_tasks(int threads, size_t tasks, krti_task *run, void *arg);

/* As many threads as the context may use. */
int krti_num_threads(const krt_ctx *k);

/* The workers start when first wanted and end with the last context. */
void krti_tasks_use(void);
void krti_tasks_drop(void);

#endif
