/* Loops shared out between threads: each task once, from many callers, from inside tasks, in the child
 * of a fork, and again after the pool has ended. */
#include "base/tasks.h"
#include "testing.h"

#include <stdatomic.h>
#include <sys/wait.h>
#include <threads.h>
#include <unistd.h>

#if defined(__has_feature) && !defined(__SANITIZE_THREAD__)
#if __has_feature(thread_sanitizer)
#define __SANITIZE_THREAD__ 1
#endif
#endif

enum { TASKS = 1000, CALLERS = 4, MOST = 11 }; /* more threads than ranges */

typedef struct count {
    atomic_int done[TASKS];
    atomic_int on[MOST]; /* at work as this thread */
    atomic_bool clash;
} count;

static void count_task(void *arg, size_t task, size_t thread)
{
    count *c = arg;

    if (thread >= MOST || atomic_fetch_add(&c->on[thread], 1) != 0)
        atomic_store(&c->clash, true);
    atomic_fetch_add(&c->done[task], 1);
    if (thread < MOST)
        atomic_fetch_sub(&c->on[thread], 1);
}

static bool each_once(const count *c, size_t tasks)
{
    for (size_t i = 0; i < TASKS; i++)
        if (atomic_load(&c->done[i]) != (i < tasks))
            return false;
    return !atomic_load(&c->clash);
}

static bool runs_all(int threads, size_t tasks)
{
    count c = {0};

    krti_share_tasks(threads, tasks, count_task, &c);
    return each_once(&c, tasks);
}

static void test_every_task_is_done_once(void **state)
{
    krt_ctx *k = NULL;

    (void)state;
    assert_int_equal(krt_ctx_new(&k, NULL), KRT_OK);
    for (int round = 0; round < 150; round++)
        for (int threads = 1; threads <= MOST; threads++)
            assert_true(runs_all(threads, (size_t)(round * 7) % TASKS));
    krt_ctx_free(k);
}

static void nested_task(void *arg, size_t task, size_t thread)
{
    (void)task;
    (void)thread;
    if (!runs_all(3, 50))
        atomic_store((atomic_bool *)arg, false);
}

static void test_a_task_may_share_out_tasks(void **state)
{
    krt_ctx *k = NULL;
    atomic_bool good = true;

    (void)state;
    assert_int_equal(krt_ctx_new(&k, NULL), KRT_OK);
    for (int i = 0; i < 20; i++)
        krti_share_tasks(4, 20, nested_task, &good);
    assert_true(atomic_load(&good));
    krt_ctx_free(k);
}

static int caller(void *arg)
{
    krt_ctx *k = NULL;
    bool good = krt_ctx_new(&k, NULL) == KRT_OK;

    (void)arg;
    for (int i = 0; good && i < 200; i++)
        good = runs_all(1 + i % 4, TASKS);
    krt_ctx_free(k);
    return good;
}

static void test_many_threads_share_out_at_once(void **state)
{
    thrd_t threads[CALLERS];

    (void)state;
    for (int round = 0; round < 3;
         round++) { /* the pool ends with the last context, and starts again */
        for (int i = 0; i < CALLERS; i++)
            assert_int_equal(thrd_create(&threads[i], caller, NULL), thrd_success);
        for (int i = 0; i < CALLERS; i++) {
            int good = 0;

            assert_int_equal(thrd_join(threads[i], &good), thrd_success);
            assert_true(good);
        }
    }
}

static void test_the_child_of_a_fork_has_a_pool_of_its_own(void **state)
{
    krt_ctx *k = NULL;
    int status = 0;

    (void)state;
#ifdef __SANITIZE_THREAD__
    skip(); /* ThreadSanitizer ends a child that starts threads */
#endif
    assert_int_equal(krt_ctx_new(&k, NULL), KRT_OK);
    assert_true(runs_all(4, TASKS));
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(runs_all(4, TASKS) ? 0 : 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_true(runs_all(4, TASKS));
    krt_ctx_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_task_is_done_once),
        cmocka_unit_test(test_a_task_may_share_out_tasks),
        cmocka_unit_test(test_many_threads_share_out_at_once),
        cmocka_unit_test(test_the_child_of_a_fork_has_a_pool_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
