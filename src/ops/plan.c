/* Compiling: schedule, kernels, slots, lifetimes. See plan.h. */
#include "ops/plan.h"

#include "base/fs.h"

/* A static input no kernel has packed yet; becomes a static slot, or KRTI_NO_SLOT. */
enum { PENDING_STATIC = -2 };

typedef struct compiler {
    krti_build build;
    const krti_compile_args *args;
    krti_plan *p;
    krti_graph *g;
    krti_node **order; /* the nodes to run, inputs before users */
    int num_order;
    int slots_capacity;
    int *last_use; /* by value: the last step that reads it or a view of it */
    int *step_of;  /* by node id: its step, -1 when it has none */
} compiler;

static int value_id(const krt_value *v)
{
    return v->node->id * KRTI_MAX_OUT + v->index;
}

static bool has_step(const krti_node *n)
{
    return !n->is_static && !(n->op->flags & (KRTI_OP_LEAF | KRTI_OP_VIEW));
}

/* ------------------------------------------------------------------------------- updates */

/* One node an update: it copies the new value into the variable when all the rest is done, or finds
 * it there already. A value that is only another variable's old one is set aside first. */
static krt_status make_assignments(compiler *c)
{
    krti_graph *g = c->g;

    for (size_t i = 0; i < g->num_updates; i++) {
        krti_update *u = &g->updates[i];

        if (krti_behind_views(u->value)->node->is_state)
            u->value = krti_graph_add1(g, &krti_op_copy, &u->value, 1, NULL);
        if (u->value == NULL)
            return g->status;
    }
    for (size_t i = 0; i < g->num_updates; i++) { /* the last nodes of all */
        krt_value *in[] = {g->updates[i].value, g->updates[i].variable};

        if (krti_graph_add(g, &krti_op_assign, in, 2, NULL) == NULL)
            return g->status;
    }
    return KRT_OK;
}

static krt_status order_nodes(compiler *c)
{
    krti_free(c->build.k, c->order);
    c->order = krti_array(c->build.k, c->g->num_nodes + 1, sizeof *c->order);
    if (c->order == NULL)
        return KRT_E_NOMEM;
    return krti_schedule(c->g, c->order, &c->num_order);
}

/* ------------------------------------------------------------------------------- kernels */

/* The i-th kernel that could do the node; the reference kernel is the last. */
static const krti_kernel *nth_kernel(const compiler *c, const krti_node *n, int i)
{
    const char *only = c->args->only != NULL ? c->args->only : "";

    static const krti_kernel *const *const tables[] = {krti_kernels_native,
#ifdef KERATIN_HAVE_ONEDNN
                                                       krti_kernels_onednn
#endif
    };

    for (size_t t = 0; t < KRTI_COUNT(tables); t++)
        for (const krti_kernel *const *k = tables[t]; *k != NULL; k++)
            if ((*k)->op == n->op && strncmp((*k)->name, only, strlen(only)) == 0 &&
                (*k)->supports(n, c->p->threads) && i-- == 0)
                return *k;
    return &krti_kernel_reference;
}

static bool has_kernel(void *user, const krti_node *n)
{
    return nth_kernel(user, n, 0) != &krti_kernel_reference;
}

/* Groups are found on a schedule, which they change; the assignments come last of all. */
static krt_status schedule(compiler *c)
{
    krti_graph *g = c->g;
    krt_status st = KRT_OK;

    TRY(order_nodes(c));
    TRY(krti_fuse_groups(g, c->order, c->num_order, has_kernel, c));
    TRY(make_assignments(c));
    TRY(order_nodes(c));
    for (size_t i = g->num_nodes - g->num_updates; i < g->num_nodes; i++) {
        g->nodes[i]->is_static = false;
        c->order[c->num_order++] = g->nodes[i];
    }

done:
    return st;
}

static void reset_inputs(krti_step *s)
{
    for (int i = 0; i < s->num_in; i++) {
        const krt_value *v = s->node->in[i];

        s->in[i] = v == NULL ? KRTI_NO_SLOT : v->node->is_static ? PENDING_STATIC : 0;
    }
    s->scratch_bytes = 0;
}

/* A kernel may look closer while it prepares and decline with E_UNSUPPORTED; the next one is asked. */
static krt_status pick_kernel(compiler *c, krti_step *s)
{
    krt_ctx *k = c->build.k;
    krt_status st = KRT_E_UNSUPPORTED;

    for (int i = 0; st == KRT_E_UNSUPPORTED; i++) {
        reset_inputs(s);
        s->kernel = nth_kernel(c, s->node, i);
        st = s->kernel->prepare != NULL ? s->kernel->prepare(&c->build, s) : KRT_OK;
        if (st == KRT_E_UNSUPPORTED && s->kernel->release != NULL)
            s->kernel->release(k, s);
        if (s->kernel == &krti_kernel_reference)
            break;
    }
    return st;
}

static krt_status make_step(compiler *c, krti_node *n)
{
    krti_plan *p = c->p;
    krti_step *s = &p->steps[p->num_steps];

    for (int i = 0; i < n->num_out; i++)
        if (!krti_shape_known(n->out[i].shape))
            return krti_fail(c->build.k, KRT_E_INVALID, n->scope,
                             "%s has an unknown dimension; give inputs of a full shape",
                             n->op->name);
    s->node = n;
    s->num_in = n->num_in;
    s->num_out = n->num_out;
    s->threads = p->threads;
    s->in = krti_arena_array(&c->g->arena, (size_t)n->num_in + 1, sizeof *s->in);
    if (s->in == NULL)
        return KRT_E_NOMEM;
    c->step_of[n->id] = p->num_steps++;
    return pick_kernel(c, s);
}

static krt_status make_steps(compiler *c)
{
    krti_plan *p = c->p;
    krt_status st = KRT_OK;

    p->steps = krti_array(p->k, (size_t)c->num_order + 1, sizeof *p->steps);
    c->step_of = krti_array(p->k, c->g->num_nodes + 1, sizeof *c->step_of);
    if (p->steps == NULL || c->step_of == NULL)
        return KRT_E_NOMEM;
    for (size_t i = 0; i < c->g->num_nodes; i++)
        c->step_of[i] = -1;
    for (int i = 0; st == KRT_OK && i < c->num_order; i++)
        if (has_step(c->order[i]))
            st = make_step(c, c->order[i]);
    return st;
}

/* ------------------------------------------------------------------------------- slots */

/* An update names its variable without reading it. */
static bool is_target(const krti_node *n, int i)
{
    return n->op == &krti_op_assign && i == 1;
}

static krt_status find_last_uses(compiler *c)
{
    krti_plan *p = c->p;

    c->last_use = krti_array(p->k, (c->g->num_nodes + 1) * KRTI_MAX_OUT, sizeof *c->last_use);
    if (c->last_use == NULL)
        return KRT_E_NOMEM;
    for (int i = 0; i < p->num_steps; i++)
        for (int j = 0; j < p->steps[i].num_in; j++)
            if (p->steps[i].node->in[j] != NULL && !is_target(p->steps[i].node, j))
                c->last_use[value_id(krti_behind_views(p->steps[i].node->in[j]))] = i;
    for (size_t i = 0; i < c->g->num_outputs; i++)
        c->last_use[value_id(krti_behind_views(c->g->outputs[i]))] = p->num_steps;
    return KRT_OK;
}

static krt_status new_slot(compiler *c, krti_slot_kind kind, int *out)
{
    krti_plan *p = c->p;
    size_t capacity = (size_t)c->slots_capacity;
    const krt_status st =
        krti_grow(p->k, &p->slots, &capacity, (size_t)p->num_slots + 1, sizeof *p->slots);

    if (st != KRT_OK)
        return st;
    c->slots_capacity = (int)capacity;
    p->slots[p->num_slots] = (krti_slot){.kind = kind};
    *out = p->num_slots++;
    return KRT_OK;
}

static krt_status static_slot(compiler *c, const krt_value *v, int *slot)
{
    krti_plan *p = c->p;
    krt_status st = KRT_OK;

    *slot = p->slot_of[value_id(v)];
    if (*slot != KRTI_NO_SLOT)
        return KRT_OK;
    const void *data = krti_build_static(&c->build, v);
    if (data == NULL)
        return c->build.k->error.status != KRT_OK ? c->build.k->error.status : KRT_E_STATE;
    st = new_slot(c, KRTI_SLOT_STATIC, slot);
    if (st != KRT_OK)
        return st;
    p->slots[*slot].data = data;
    p->slot_of[value_id(v)] = *slot;
    return KRT_OK;
}

static bool may_write_over(const krti_step *s, int out, int in)
{
    if (s->kernel->may_write_over != NULL)
        return s->kernel->may_write_over(s->node, out, in);
    return out == 0 && in < 32 && (s->kernel->may_alias & (1u << in)) != 0;
}

/* The slot of an input that dies here, where this kernel may write its result over it. */
static int alias_for(compiler *c, const krti_step *s, int step, int out, size_t bytes)
{
    for (int i = 0; i < s->num_in; i++) {
        if (s->in[i] < 0 || !may_write_over(s, out, i))
            continue;
        const krti_slot *slot = &c->p->slots[s->in[i]];
        const krt_value *root = krti_behind_views(s->node->in[i]);

        if (slot->kind == KRTI_SLOT_ARENA && slot->size_bytes == bytes && slot->last == step &&
            c->last_use[value_id(root)] == step)
            return s->in[i];
    }
    return KRTI_NO_SLOT;
}

/* The variable that this result is the new value of, when its memory is free by then: whoever reads
 * the old value has done so, or is this step and may write over it. */
static int state_for(const compiler *c, const krti_step *s, int step, int out)
{
    for (size_t i = 0; i < c->g->num_updates; i++) {
        const krti_update *u = &c->g->updates[i];
        const int slot = c->p->slot_of[value_id(u->variable)];
        const int last = c->last_use[value_id(u->variable)];
        bool is_free = krti_behind_views(u->value) == &s->node->out[out] && last <= step &&
                       s->node->op != &krti_op_assign;

        for (int j = 0; is_free && j < s->num_in; j++)
            is_free = s->in[j] != slot || may_write_over(s, out, j);
        if (is_free)
            return slot;
    }
    return KRTI_NO_SLOT;
}

static krt_status output_slot(compiler *c, krti_step *s, int step, int i)
{
    const krt_value *v = &s->node->out[i];
    size_t bytes = 0;
    krt_status st = KRT_OK;

    if (!krti_shape_bytes(v->shape, v->dtype, &bytes))
        return krti_fail(c->build.k, KRT_E_INVALID, s->node->scope, "the result is too large");
    int last = c->last_use[value_id(v)];
    if (last < step)
        last = step; /* an output of several that nobody reads */
    s->out[i] = state_for(c, s, step, i);
    if (s->node->op == &krti_op_assign)
        s->out[i] = c->p->slot_of[value_id(s->node->in[1])];
    if (s->out[i] != KRTI_NO_SLOT) {
        c->p->slot_of[value_id(v)] = s->out[i];
        return KRT_OK;
    }
    s->out[i] = alias_for(c, s, step, i, bytes);
    if (s->out[i] == KRTI_NO_SLOT) {
        st = new_slot(c, KRTI_SLOT_ARENA, &s->out[i]);
        if (st != KRT_OK)
            return st;
        c->p->slots[s->out[i]].size_bytes = bytes;
        c->p->slots[s->out[i]].first = step;
    }
    c->p->slots[s->out[i]].last = last;
    c->p->slot_of[value_id(v)] = s->out[i];
    return KRT_OK;
}

static krt_status assign_step(compiler *c, int step)
{
    krti_step *s = &c->p->steps[step];
    krt_status st = KRT_OK;

    for (int i = 0; st == KRT_OK && i < s->num_in; i++) {
        if (s->in[i] == PENDING_STATIC)
            st = static_slot(c, s->node->in[i], &s->in[i]);
        else if (s->in[i] != KRTI_NO_SLOT)
            s->in[i] = c->p->slot_of[value_id(s->node->in[i])];
    }
    for (int i = 0; st == KRT_OK && i < s->num_out; i++)
        st = output_slot(c, s, step, i);
    return st;
}

static krt_status assign_inputs(compiler *c)
{
    krti_plan *p = c->p;
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < c->g->num_inputs; i++) {
        int slot = 0;

        st = new_slot(c, KRTI_SLOT_INPUT, &slot);
        if (st != KRT_OK)
            break;
        p->slots[slot].input = (int)i;
        p->slot_of[value_id(c->g->inputs[i])] = slot;
    }
    return st;
}

static krt_status assign_states(compiler *c)
{
    krti_plan *p = c->p;
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < c->g->num_variables; i++) {
        const krt_value *v = c->g->variables[i];
        int slot = 0;

        if (v->node->is_static)
            continue;
        st = new_slot(c, KRTI_SLOT_STATE, &slot);
        if (st != KRT_OK)
            break;
        p->slots[slot].state = v->node->attrs.tensor;
        p->slots[slot].is_written = v->node->is_state;
        p->slot_of[value_id(v)] = slot;
    }
    return st;
}

static krt_status assign_slots(compiler *c)
{
    krti_plan *p = c->p;
    const size_t num_values = (c->g->num_nodes + 1) * KRTI_MAX_OUT;
    krt_status st = KRT_OK;

    p->slot_of = krti_array(p->k, num_values, sizeof *p->slot_of);
    if (p->slot_of == NULL)
        return KRT_E_NOMEM;
    for (size_t i = 0; i < num_values; i++)
        p->slot_of[i] = KRTI_NO_SLOT;
    TRY(find_last_uses(c));
    TRY(assign_inputs(c));
    TRY(assign_states(c));
    for (int i = 0; i < c->num_order; i++) {
        krti_node *n = c->order[i];

        if (c->step_of[n->id] >= 0)
            TRY(assign_step(c, c->step_of[n->id]));
        else if (n->op->flags & KRTI_OP_VIEW)
            p->slot_of[value_id(&n->out[0])] = p->slot_of[value_id(n->in[0])];
    }
    for (size_t i = 0; i < c->g->num_outputs; i++) {
        int slot = 0;

        if (c->g->outputs[i]->node->is_static)
            TRY(static_slot(c, c->g->outputs[i], &slot));
    }

done:
    return st;
}

/* ------------------------------------------------------------------------------- compile */

/* The system may have mapped more around what was packed; what is used where it lies comes back by itself. */
static void forget_sources(const krti_graph *g)
{
    const krti_bytes *last = NULL;

    for (size_t i = 0; i < g->num_variables; i++) {
        const krti_bytes *source = g->variables[i]->node->attrs.tensor->source;

        if (source != NULL && source != last)
            krti_bytes_forget(source, source->data, source->size);
        last = source;
    }
}

krt_status krti_compile(krt_ctx *k, krti_plan **out, krti_graph *graph, krti_packs *packs,
                        const krti_compile_args *args)
{
    krti_plan *p = krti_alloc(k, sizeof *p);
    compiler c = {.p = p, .g = graph, .args = args};
    krt_status st = KRT_OK;

    *out = NULL;
    if (p == NULL) {
        krti_graph_free(graph);
        return KRT_E_NOMEM;
    }
    p->k = k;
    p->graph = graph;
    p->threads = args->threads > 0 ? args->threads : krti_num_processors();
    if (packs == NULL)
        TRY(krti_packs_new(k, &p->packs));
    c.build = (krti_build){k, p, packs != NULL ? packs : p->packs, p->threads};
    TRY(graph->status);
    TRY(krti_rewrite(graph));
    TRY(schedule(&c));
    TRY(krti_fuse_expansions(graph, c.order, &c.num_order, has_kernel, &c));
    krti_use_threads(p->threads); /* oneDNN makes its choices for the number it finds set */
    TRY(make_steps(&c));
    TRY(assign_slots(&c));
    TRY(krti_plan_memory(p));
    forget_sources(graph);
    *out = p;
    p = NULL;

done:
    krti_plan_free(p);
    krti_free(k, c.order);
    krti_free(k, c.last_use);
    krti_free(k, c.step_of);
    return st;
}

void krti_plan_free(krti_plan *p)
{
    if (p == NULL)
        return;
    for (int i = 0; i < p->num_steps; i++)
        if (p->steps[i].kernel != NULL && p->steps[i].kernel->release != NULL)
            p->steps[i].kernel->release(p->k, &p->steps[i]);
    krti_free(p->k, p->steps);
    krti_free(p->k, p->slots);
    krti_free(p->k, p->slot_of);
    krti_graph_free(p->graph);
    krti_packs_free(p->packs);
    krti_free(p->k, p);
}

/* ------------------------------------------------------------------------------- the fallback */

static void run_reference(const krti_step *s, void *const *ptr, void *scratch, void *run_state)
{
    krti_view fixed[16], *in = fixed, out[KRTI_MAX_OUT];
    const krti_node *n = s->node;

    (void)run_state;
    if (s->num_in > (int)KRTI_COUNT(fixed))
        in = scratch;
    for (int i = 0; i < s->num_in; i++) {
        in[i] = (krti_view){.data = NULL};
        if (s->in[i] != KRTI_NO_SLOT)
            in[i] = (krti_view){ptr[s->in[i]], n->in[i]->dtype, n->in[i]->shape};
    }
    for (int i = 0; i < s->num_out; i++)
        out[i] = (krti_view){ptr[s->out[i]], n->out[i].dtype, n->out[i].shape};
    krti_reference_run(n, in, out);
}

static krt_status prepare_reference(krti_build *b, krti_step *s)
{
    (void)b;
    s->scratch_bytes = (size_t)s->num_in * sizeof(krti_view);
    return KRT_OK;
}

const krti_kernel krti_kernel_reference = {
    .name = "reference", .prepare = prepare_reference, .run = run_reference};
