/* The pool behind tasks.h.
 *
 * A loop is published in one of a few slots, by putting the number of workers that may enter into its
 * gate. A worker enters by taking one off with a compare-and-swap; what it then reads of the slot was
 * written before the gate opened, and stays until all that entered have left. So nothing is locked.
 *
 * The tasks are cut into a range for each thread, which begins with its own, where its cache is warm
 * from the loop before, and then takes from the others. A worker without work watches the count of
 * loops for a short while, then sleeps on a condition. */
#include "base/tasks.h"
#include "base/fs.h"

#include <stdatomic.h>
#include <threads.h>

enum {
    SLOTS = 16,        /* loops at one time; one more runs on its caller alone */
    RANGES = 8,        /* parts of a loop that threads begin with */
    MAX_WORKERS = 255, /* a bound */
    LINE = 64,         /* bytes that move between processors together */
    LOOKS = 64         /* at memory, between two at the clock */
};
/* How long to watch before sleeping: a worker bridges the gaps between loops, an owner waits for tasks
 * that others have begun. */
static const int64_t worker_watches_ns = 200000, owner_watches_ns = 60000;

/* Part of a loop's tasks: its own thread takes them from the front, and others when theirs are done. */
typedef struct range {
    _Alignas(LINE) atomic_size_t next; /* the first task nobody has begun */
    size_t end;
} range;

typedef struct slot {
    _Alignas(LINE) atomic_int gate; /* workers that may still enter; 0: closed */
    atomic_bool taken;
    int most; /* workers that might have entered */
    int num_ranges;
    size_t grain;
    krti_task *run;
    void *arg;
    range ranges[RANGES];
    _Alignas(LINE) atomic_int left; /* workers that entered and went */
    atomic_bool owner_sleeps;
} slot;

static struct {
    slot slots[SLOTS];
    _Alignas(LINE) atomic_uint opened; /* loops so far */
    _Alignas(LINE) atomic_int watching;
    atomic_int sleeping, workers;
    atomic_bool ends;
    int processors;
    mtx_t life; /* of users; taken before the other */
    int users;  /* contexts */
    mtx_t lock; /* of the conditions and the threads */
    cnd_t wake, done;
    thrd_t threads[MAX_WORKERS];
} pool;

static once_flag once = ONCE_FLAG_INIT;

static inline void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield");
#endif
}

/* ------------------------------------------------------------------------------- doing tasks */

static void do_range(slot *s, range *r, size_t thread)
{
    for (;;) {
        const size_t from = atomic_fetch_add(&r->next, s->grain);
        const size_t to = from + s->grain < r->end ? from + s->grain : r->end;

        if (from >= r->end)
            return;
        for (size_t i = from; i < to; i++)
            s->run(s->arg, i, thread);
    }
}

static void do_tasks(slot *s, size_t thread)
{
    const size_t n = (size_t)s->num_ranges;

    for (size_t i = 0; i < n; i++)
        do_range(s, &s->ranges[(thread + i) % n], thread);
}

static void cut(slot *s, size_t tasks, int threads)
{
    const size_t n = threads < RANGES ? (size_t)threads : RANGES;

    s->num_ranges = (int)n;
    for (size_t i = 0; i < n; i++) {
        atomic_store(&s->ranges[i].next, tasks * i / n);
        s->ranges[i].end = tasks * (i + 1) / n;
    }
}

/* Works in a slot when it may be entered. */
static bool help(slot *s)
{
    int gate = atomic_load(&s->gate);

    do {
        if (gate <= 0)
            return false;
    } while (!atomic_compare_exchange_weak(&s->gate, &gate, gate - 1));
    do_tasks(s, (size_t)(s->most - gate + 1));
    atomic_fetch_add(&s->left, 1);
    if (atomic_load(&s->owner_sleeps)) {
        mtx_lock(&pool.lock);
        cnd_broadcast(&pool.done);
        mtx_unlock(&pool.lock);
    }
    return true;
}

static bool help_any(void)
{
    bool helped = false;

    for (int i = 0; i < SLOTS; i++)
        helped = help(&pool.slots[i]) || helped;
    return helped;
}

/* ------------------------------------------------------------------------------- a worker */

/* Until another loop than `seen` is opened, or the pool ends. */
static void wait_for_loop(unsigned seen)
{
    const int64_t until = krti_now_ns() + worker_watches_ns;

    atomic_fetch_add(&pool.watching, 1);
    do {
        for (int i = 0; i < LOOKS; i++, relax())
            if (atomic_load_explicit(&pool.opened, memory_order_relaxed) != seen)
                break;
    } while (atomic_load(&pool.opened) == seen && krti_now_ns() < until);
    atomic_fetch_sub(&pool.watching, 1);
    if (atomic_load(&pool.opened) != seen)
        return;
    mtx_lock(&pool.lock);
    atomic_fetch_add(&pool.sleeping,
                     1); /* then looks again: whoever opens does it the other way round */
    while (atomic_load(&pool.opened) == seen && !atomic_load(&pool.ends))
        cnd_wait(&pool.wake, &pool.lock);
    atomic_fetch_sub(&pool.sleeping, 1);
    mtx_unlock(&pool.lock);
}

static int worker(void *arg)
{
    (void)arg;
    while (!atomic_load(&pool.ends)) {
        const unsigned seen = atomic_load(&pool.opened);

        if (!help_any())
            wait_for_loop(seen);
    }
    return 0;
}

/* Workers for a loop that wants `wanted`: those at work elsewhere are not counted on while processors
 * remain. */
static void start_workers(int wanted)
{
    const int idle = atomic_load(&pool.watching) + atomic_load(&pool.sleeping);
    const int most = wanted < pool.processors - 1 ? pool.processors - 1 : wanted;

    if (idle >= wanted || atomic_load(&pool.workers) >= most)
        return;
    mtx_lock(&pool.lock);
    for (int n = idle; n < wanted; n++) {
        const int workers = atomic_load(&pool.workers);

        if (workers >= most || workers >= MAX_WORKERS ||
            thrd_create(&pool.threads[workers], worker, NULL) != thrd_success)
            break;
        atomic_store(&pool.workers, workers + 1);
    }
    mtx_unlock(&pool.lock);
}

static void wake_workers(int wanted)
{
    if (atomic_load(&pool.watching) >= wanted || atomic_load(&pool.sleeping) == 0)
        return;
    mtx_lock(&pool.lock);
    if (wanted == 1)
        cnd_signal(&pool.wake);
    else
        cnd_broadcast(&pool.wake);
    mtx_unlock(&pool.lock);
}

/* ------------------------------------------------------------------------------- an owner */

static slot *take_slot(void)
{
    for (int i = 0; i < SLOTS; i++)
        if (!atomic_load_explicit(&pool.slots[i].taken, memory_order_relaxed) &&
            !atomic_exchange(&pool.slots[i].taken, true))
            return &pool.slots[i];
    return NULL;
}

static void wait_until_left(slot *s, int entered)
{
    int64_t until = 0;

    if (atomic_load(&s->left) == entered)
        return;
    until = krti_now_ns() + owner_watches_ns;
    do {
        for (int i = 0; i < LOOKS; i++, relax())
            if (atomic_load(&s->left) == entered)
                return;
    } while (krti_now_ns() < until);
    mtx_lock(&pool.lock);
    atomic_store(&s->owner_sleeps, true);
    while (atomic_load(&s->left) != entered)
        cnd_wait(&pool.done, &pool.lock);
    atomic_store(&s->owner_sleeps, false);
    mtx_unlock(&pool.lock);
}

void krti_share_tasks(int threads, size_t tasks, krti_task *run, void *arg)
{
    const int wanted = tasks < (size_t)threads ? (int)tasks - 1 : threads - 1;
    slot *s = wanted > 0 ? take_slot() : NULL;

    if (s == NULL) {
        for (size_t i = 0; i < tasks; i++)
            run(arg, i, 0);
        return;
    }
    start_workers(wanted);
    s->most = wanted;
    cut(s, tasks, wanted + 1);
    s->grain = tasks / ((size_t)threads * 8) > 1 ? tasks / ((size_t)threads * 8) : 1;
    s->run = run;
    s->arg = arg;
    atomic_store(&s->left, 0);
    atomic_store(&s->gate, wanted);
    atomic_fetch_add(&pool.opened, 1);
    wake_workers(wanted);
    do_tasks(s, 0);
    wait_until_left(s, wanted - atomic_exchange(&s->gate, 0));
    atomic_store(&s->taken, false);
}

int krti_num_threads(const krt_ctx *k)
{
    return k->threads > 0 ? k->threads : krti_num_processors();
}

/* ------------------------------------------------------------------------------- the pool's life */

static void forget_workers(void) /* in the child of a fork, which has none */
{
    for (int i = 0; i < SLOTS; i++) {
        atomic_store(&pool.slots[i].gate, 0);
        atomic_store(&pool.slots[i].taken, false);
        atomic_store(&pool.slots[i].owner_sleeps, false);
    }
    atomic_store(&pool.watching, 0);
    atomic_store(&pool.sleeping, 0);
    atomic_store(&pool.workers, 0);
    mtx_init(&pool.life, mtx_plain);
    mtx_init(&pool.lock, mtx_plain);
    cnd_init(&pool.wake);
    cnd_init(&pool.done);
}

static void set_up(void)
{
    pool.processors = krti_num_processors();
    forget_workers();
    krti_after_fork(forget_workers);
}

void krti_tasks_use(void)
{
    call_once(&once, set_up);
    mtx_lock(&pool.life);
    pool.users++;
    mtx_unlock(&pool.life);
}

void krti_tasks_drop(void)
{
    mtx_lock(&pool.life);
    if (--pool.users == 0) {
        mtx_lock(&pool.lock);
        atomic_store(&pool.ends, true);
        atomic_fetch_add(&pool.opened, 1);
        cnd_broadcast(&pool.wake);
        mtx_unlock(&pool.lock);
        for (int i = 0; i < atomic_load(&pool.workers); i++)
            thrd_join(pool.threads[i], NULL);
        atomic_store(&pool.workers, 0);
        atomic_store(&pool.ends, false);
    }
    mtx_unlock(&pool.life);
}
