/* Random arrays (base/rng.h): the words side by side in vectors and on all threads, then what is made of
 * them. Each element depends on its place alone, so the numbers are the reference's. */
#include "base/rng.h"
#include "ops/native/native.h"

enum { WORDS = 1024 };

typedef struct random_run {
    const krti_isa *isa;
    const krti_node *n;
    const uint32_t *key;
    void *y;
    size_t size;
} random_run;

static void make_floats(const krti_node *n, float *y, const uint32_t *words, size_t count)
{
    const float low = (float)n->attrs.random.a, high = (float)n->attrs.random.b;

    for (size_t i = 0; i < count; i++)
        y[i] = n->op == &krti_op_random_uniform ? krti_random_uniform(words[i], low, high)
                                                : krti_random_normal(words[i]);
}

static void random_task(void *arg, size_t task, size_t thread)
{
    const random_run *r = arg;
    const size_t from = task * WORDS, count = krti_smaller_size(WORDS, r->size - from);
    const float p = (float)r->n->attrs.random.a;
    uint32_t words[WORDS];

    (void)thread;
    r->isa->random_bits(words, r->key, from, count);
    if (r->n->op != &krti_op_random_bernoulli) {
        make_floats(r->n, (float *)r->y + from, words, count);
        return;
    }
    for (size_t i = 0; i < count; i++) /* the 23 bits of krti_random_uniform(word, 0, 1) */
        ((unsigned char *)r->y)[from + i] = (float)(int)(words[i] >> 9) * 0x1p-23f < p;
}

static bool supports(const krti_node *n, int threads)
{
    (void)threads;
    return krti_size(n->out[0].shape) > 0;
}

static void run(const krti_step *s, void *const *ptr, void *scratch, void *run_state)
{
    random_run r = {krti_isa_get(), s->node, ptr[s->in[0]], ptr[s->out[0]],
                    krti_size(s->node->out[0].shape)};

    (void)scratch;
    (void)run_state;
    krti_share_tasks(krti_share(s, krti_node_flops(s->node)), (r.size + WORDS - 1) / WORDS,
                     random_task, &r);
}

#define RANDOM(NAME)                                                                     \
    {                                                                                    \
        .name = "native_" #NAME, .op = &krti_op_##NAME, .supports = supports, .run = run \
    }
const krti_kernel krti_native_random[] = {RANDOM(random_uniform), RANDOM(random_normal),
                                          RANDOM(random_bernoulli)};
