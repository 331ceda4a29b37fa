/* Running a plan: a loop over steps. No allocation, no lookup, no lock. See plan.h. */
#include "ops/plan.h"

#include "base/fs.h"

#ifdef _OPENMP
#include <omp.h>
#endif

struct krti_exec {
    krt_ctx *k;
    const krti_plan *plan;
    char *arena;
    void **ptr;             /* by slot */
    const krt_tensor **own; /* by slot: what it writes instead of a variable; NULL: nothing */
    void **run_states;      /* by step */
};

static krt_status check_state(krt_ctx *k, const krti_slot *s)
{
    if (s->state->data == NULL)
        return krti_fail(k, KRT_E_STATE, NULL, "the model has no weights yet");
    if (!krti_tensor_is_aligned(s->state) || (s->is_written && !krti_tensor_is_private(s->state)))
        return krti_fail(k, KRT_E_STATE, NULL, "a variable's memory is not the process's own");
    return KRT_OK;
}

/* Anew for every run: a variable may have been given other memory meanwhile. */
static void bind_states(krti_exec *e)
{
    const krti_plan *p = e->plan;

    for (int i = 0; i < p->num_slots; i++)
        if (p->slots[i].kind == KRTI_SLOT_STATE)
            e->ptr[i] = (e->own != NULL && e->own[i] != NULL ? e->own[i] : p->slots[i].state)->data;
}

krt_status krti_exec_own_states(krti_exec *e, krti_state_fn of, void *user)
{
    const krti_plan *p = e->plan;

    for (int i = 0; i < p->num_slots; i++) {
        if (p->slots[i].kind != KRTI_SLOT_STATE || !p->slots[i].is_written)
            continue;
        if (e->own == NULL)
            e->own = krti_array(e->k, (size_t)p->num_slots, sizeof *e->own);
        if (e->own == NULL || (e->own[i] = of(user, p->slots[i].state)) == NULL)
            return KRT_E_NOMEM;
    }
    return KRT_OK;
}

krt_status krti_exec_new(krt_ctx *k, krti_exec **out, const krti_plan *plan)
{
    krti_exec *e = krti_alloc(k, sizeof *e);
    krt_status st = KRT_OK;

    *out = NULL;
    if (e == NULL)
        return KRT_E_NOMEM;
    e->k = k;
    e->plan = plan;
    e->arena = krti_alloc(k, plan->arena_bytes + 64); /* kernels may load a vector past the end */
    e->ptr = krti_array(k, (size_t)plan->num_slots + 1, sizeof *e->ptr);
    e->run_states = krti_array(k, (size_t)plan->num_steps + 1, sizeof *e->run_states);
    if (e->arena == NULL || e->ptr == NULL || e->run_states == NULL)
        TRY(KRT_E_NOMEM);
    for (int i = 0; i < plan->num_slots; i++) {
        const krti_slot *s = &plan->slots[i];

        if (s->kind == KRTI_SLOT_ARENA)
            e->ptr[i] = e->arena + s->offset;
        else if (s->kind == KRTI_SLOT_STATIC)
            e->ptr[i] = (void *)(uintptr_t)s->data;
        else if (s->kind == KRTI_SLOT_STATE)
            TRY(check_state(k, s));
    }
    bind_states(e);
    for (int i = 0; i < plan->num_steps; i++) {
        const krti_step *s = &plan->steps[i];

        if (s->kernel->run_begin != NULL)
            TRY(s->kernel->run_begin(k, s, e->ptr, e->arena + s->scratch_offset,
                                     &e->run_states[i]));
    }
    *out = e;
    e = NULL;

done:
    krti_exec_free(e);
    return st;
}

void krti_exec_free(krti_exec *e)
{
    if (e == NULL)
        return;
    for (int i = 0; e->run_states != NULL && i < e->plan->num_steps; i++)
        if (e->plan->steps[i].kernel->run_end != NULL && e->run_states[i] != NULL)
            e->plan->steps[i].kernel->run_end(e->k, e->run_states[i]);
    krti_free(e->k, e->arena);
    krti_free(e->k, e->ptr);
    krti_free(e->k, (void *)e->own);
    krti_free(e->k, e->run_states);
    krti_free(e->k, e);
}

void krti_use_threads(int threads)
{
#ifdef _OPENMP
    if (omp_get_max_threads() != threads)
        omp_set_num_threads(threads);
#else
    (void)threads;
#endif
}

static void bind(krti_exec *e, const void *const *inputs)
{
    const krti_plan *p = e->plan;

    for (int i = 0; i < p->num_slots; i++)
        if (p->slots[i].kind == KRTI_SLOT_INPUT)
            e->ptr[i] = (void *)(uintptr_t)inputs[p->slots[i].input];
    bind_states(e);
    krti_use_threads(p->threads);
}

static void run_step(krti_exec *e, int i)
{
    const krti_step *s = &e->plan->steps[i];

    s->kernel->run(s, e->ptr, e->arena + s->scratch_offset, e->run_states[i]);
}

/* Only operations of few inputs have something to look for. */
static krt_status check_step(krti_exec *e, int i)
{
    const krti_step *s = &e->plan->steps[i];
    const krti_node *n = s->node;
    krti_view in[4] = {{.data = NULL}}, out[KRTI_MAX_OUT];

    KRTI_ASSERT(s->num_in <= (int)KRTI_COUNT(in));
    for (int j = 0; j < s->num_in; j++)
        if (s->in[j] != KRTI_NO_SLOT)
            in[j] = (krti_view){e->ptr[s->in[j]], n->in[j]->dtype, n->in[j]->shape};
    for (int j = 0; j < s->num_out; j++)
        out[j] = (krti_view){e->ptr[s->out[j]], n->out[j].dtype, n->out[j].shape};
    const krt_status st = n->op->check(e->k, n, in, out);
    return st == KRT_OK ? st : krti_fail_in_object(e->k, st, n->scope);
}

krt_status krti_exec_run(krti_exec *e, const void *const *inputs)
{
    krt_status st = KRT_OK;

    bind(e, inputs);
    for (int i = 0; st == KRT_OK && i < e->plan->num_steps; i++) {
        run_step(e, i);
        if (e->plan->steps[i].node->op->check != NULL)
            st = check_step(e, i);
    }
    return st;
}

const void *krti_exec_output(const krti_exec *e, size_t i)
{
    const krti_plan *p = e->plan;
    const krt_value *v = p->graph->outputs[i];

    return e->ptr[p->slot_of[v->node->id * KRTI_MAX_OUT + v->index]];
}

static double now_ms(void)
{
    return (double)krti_now_ns() * 1e-6;
}

krt_status krti_exec_profile(krti_exec *e, const void *const *inputs, int repeats, krti_str *out)
{
    const krti_plan *p = e->plan;
    double total = 0;

    const krt_status st = krti_exec_run(e, inputs);
    if (st != KRT_OK)
        return st;
    double *ms = krti_array(e->k, (size_t)p->num_steps + 1, sizeof *ms);
    if (ms == NULL)
        return KRT_E_NOMEM;
    for (int r = 0; r < repeats; r++) {
        for (int i = 0; i < p->num_steps; i++) {
            const double start = now_ms();

            run_step(e, i);
            const double took = now_ms() - start;

            ms[i] = r == 0 || took < ms[i] ? took : ms[i];
        }
    }
    for (int i = 0; i < p->num_steps; i++) {
        const krti_step *s = &p->steps[i];
        const double flops = krti_node_flops(s->node);
        char shape[160];

        total += ms[i];
        krti_str_addf(out, "%9.4f ms %8.2f GFLOP/s  %-22s %-24s %s\n", ms[i],
                      ms[i] > 0 ? flops / ms[i] * 1e-6 : 0, s->kernel->name,
                      krt_shape_print(s->node->out[0].shape, shape, sizeof shape),
                      s->node->scope != NULL ? s->node->scope : "");
    }
    krti_free(e->k, ms);
    return krti_str_addf(out, "%9.4f ms in %d steps, arena of %zu bytes\n", total, p->num_steps,
                         p->arena_bytes);
}
