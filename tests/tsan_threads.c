/* The threads of C17 by those of POSIX, for builds with ThreadSanitizer, which watches pthread_*
 * but does not see into libc's own thrd_* and mtx_*: a thread it did not see begin crashes it, and
 * what a lock it did not see protects looks like a race. Only what the library and its tests use. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* pthread_* */
#endif
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <threads.h>

_Static_assert(sizeof(pthread_mutex_t) <= sizeof(mtx_t), "a lock has no room");
_Static_assert(sizeof(pthread_cond_t) <= sizeof(cnd_t), "a condition has no room");
_Static_assert(sizeof(pthread_once_t) == sizeof(once_flag), "a flag has another form");
_Static_assert(sizeof(pthread_t) == sizeof(thrd_t), "a thread has another name");

typedef struct start {
    thrd_start_t run;
    void *arg;
} start;

static void *run_start(void *arg)
{
    const start s = *(start *)arg;

    free(arg);
    return (void *)(intptr_t)s.run(s.arg);
}

int thrd_create(thrd_t *thread, thrd_start_t run, void *arg)
{
    start *s = malloc(sizeof *s);

    if (s == NULL)
        return thrd_nomem;
    *s = (start){run, arg};
    if (pthread_create(thread, NULL, run_start, s) == 0)
        return thrd_success;
    free(s);
    return thrd_error;
}

int thrd_join(thrd_t thread, int *result)
{
    void *value = NULL;

    if (pthread_join(thread, &value) != 0)
        return thrd_error;
    if (result != NULL)
        *result = (int)(intptr_t)value;
    return thrd_success;
}

int mtx_init(mtx_t *lock, int type)
{
    return type == mtx_plain && pthread_mutex_init((pthread_mutex_t *)(void *)lock, NULL) == 0
               ? thrd_success
               : thrd_error;
}

int mtx_lock(mtx_t *lock)
{
    return pthread_mutex_lock((pthread_mutex_t *)(void *)lock) == 0 ? thrd_success : thrd_error;
}

int mtx_unlock(mtx_t *lock)
{
    return pthread_mutex_unlock((pthread_mutex_t *)(void *)lock) == 0 ? thrd_success : thrd_error;
}

void mtx_destroy(mtx_t *lock)
{
    pthread_mutex_destroy((pthread_mutex_t *)(void *)lock);
}

int cnd_init(cnd_t *cond)
{
    return pthread_cond_init((pthread_cond_t *)(void *)cond, NULL) == 0 ? thrd_success : thrd_error;
}

int cnd_wait(cnd_t *cond, mtx_t *lock)
{
    return pthread_cond_wait((pthread_cond_t *)(void *)cond, (pthread_mutex_t *)(void *)lock) == 0
               ? thrd_success
               : thrd_error;
}

int cnd_signal(cnd_t *cond)
{
    return pthread_cond_signal((pthread_cond_t *)(void *)cond) == 0 ? thrd_success : thrd_error;
}

int cnd_broadcast(cnd_t *cond)
{
    return pthread_cond_broadcast((pthread_cond_t *)(void *)cond) == 0 ? thrd_success : thrd_error;
}

void call_once(once_flag *flag, void (*run)(void))
{
    pthread_once((pthread_once_t *)(void *)flag, run);
}
