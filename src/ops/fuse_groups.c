/* Groups of elementwise operations become one step each: an optimizer's update of a variable, the
 * gradient of an activation and what is added to it, the arithmetic of a loss. Computed one by one
 * such operations do nothing but move memory; a group moves each array once. See fused.h.
 *
 * The pass runs on the schedule. Each operation starts a group of its own and takes in the groups that
 * make its inputs, where their sizes agree and nothing outside lies between the two (else the
 * step would wait for itself). A group with more results than a node can have is cut in two. */
#include "ops/fused.h"
#include "ops/plan.h"

enum { NONE = -1, OUTSIDE = -2 };

typedef struct grouper {
    krti_graph *g;
    krti_node **order;
    int num_order;
    int *position; /* by node id: its place in the order; NONE: not in it */
    int *group;    /* by position: the group's first member's position (groups are chained lists) */
    int *next;     /* by position: the next member of its group, in order; NONE: the last */
    int *last;     /* by group: its last member */
    int *heads;    /* first members of groups, and of such as were taken in since */
    int num_heads;
    int *first_reader; /* by position: where its readers begin in `readers`; views are no readers */
    int *readers;      /* positions */
    bool *is_output;   /* by position: of the graph or new value of a variable, or seen in a view */
    int *seen;         /* by position: stamp of the search that was there */
    int stamp;
    int *stack;
    krti_has_kernel has_kernel;
    void *user;
} grouper;

/* ------------------------------------------------------------------------------- which nodes */

/* Arithmetic; comparisons and logic are told apart by what they give. */
static bool is_arithmetic(const krti_op *op)
{
    static const krti_op *const all[] = {
#define X(name) &krti_op_##name,
        KRTI_BINARY(X)
#undef X
            & krti_op_relu_grad,
    };

    for (size_t i = 0; i < KRTI_COUNT(all); i++)
        if (all[i] == op)
            return true;
    return false;
}

static bool is_test(const krti_op *op)
{
    static const krti_op *const all[] = {
#define X(name) &krti_op_##name,
        KRTI_UNARY_TEST(X) KRTI_COMPARE(X)
#undef X
    };

    for (size_t i = 0; i < KRTI_COUNT(all); i++)
        if (all[i] == op)
            return true;
    return false;
}

static bool is_float(const krt_value *v)
{
    return v->dtype == KRT_FLOAT32;
}

static bool is_mask(const krt_value *v)
{
    return v->dtype == KRT_BOOL;
}

/* Casts between what a group holds, and from small integers, which are read as they are. */
static bool is_held_cast(const krti_node *n)
{
    const krt_dtype from = n->in[0]->dtype;

    return n->op == &krti_op_cast && (is_float(&n->out[0]) || is_mask(&n->out[0])) &&
           (from == KRT_FLOAT32 || from == KRT_BOOL || from == KRT_UINT8);
}

/* Its input is an input of the group that repeats: nothing is left to do. */
static bool is_spread(const krti_node *n)
{
    return n->op == &krti_op_broadcast_to && is_float(n->in[0]);
}

static bool has_held_types(const krti_node *n)
{
    bool floats = true, masks = true;

    for (int i = 0; i < n->num_in; i++) {
        floats = floats && is_float(n->in[i]);
        masks = masks && is_mask(n->in[i]);
    }
    if (n->op == &krti_op_where)
        return is_mask(n->in[0]) && is_float(n->in[1]) && is_float(n->in[2]);
    if (is_test(n->op))
        return floats || (masks && n->op->max_in <= 2 && n->op != &krti_op_greater &&
                          n->op != &krti_op_greater_equal && n->op != &krti_op_less &&
                          n->op != &krti_op_less_equal);
    return floats && is_float(&n->out[0]);
}

static bool has_seen_shapes(const krti_node *n)
{
    krti_fused_input see;

    if (!krti_shape_known(n->out[0].shape) || krt_shape_size(n->out[0].shape) <= 0)
        return false;
    for (int i = 0; i < n->num_in; i++)
        if (!krti_fused_see(n->in[i]->shape, n->out[0].shape, &see))
            return false;
    return true;
}

static bool can_be_member(const krti_node *n)
{
    if (n->is_static || (n->op->flags & KRTI_OP_LEAF))
        return false;
    for (int i = 0; i < n->num_in; i++)
        if (n->in[i] == NULL)
            return false;
    if (!(n->op->flags & KRTI_OP_ELEMENTWISE) && !is_arithmetic(n->op) && !is_test(n->op) &&
        n->op != &krti_op_where && !is_held_cast(n) && !is_spread(n))
        return false;
    return (is_held_cast(n) || has_held_types(n)) && has_seen_shapes(n);
}

/* ------------------------------------------------------------------------------- groups */

static int64_t size_of(const krti_node *n)
{
    return krt_shape_size(n->out[0].shape);
}

static int maker_position(const grouper *r, const krt_value *v)
{
    const krti_node *n = v != NULL ? krti_behind_views(v)->node : NULL;

    return n == NULL || n->is_static ? NONE : r->position[n->id];
}

/* What stands for a position in searches: its group's first member, or itself. */
static int unit_of(const grouper *r, int position)
{
    return r->group[position] >= 0 ? r->group[position] : position;
}

static int next_member(const grouper *r, int position)
{
    return r->group[position] >= 0 ? r->next[position] : NONE;
}

/* The first position such that what ends before it depends on nothing that ends at `goal` or later:
 * no group reaches across. */
static int closed_before(const grouper *r, int goal)
{
    int closed = goal;

    for (bool is_lower = true; is_lower;) {
        is_lower = false;
        for (int i = r->num_heads; i-- > 0;) {
            const int head = r->heads[i];

            if (r->group[head] == head && head < closed && r->last[head] >= closed) {
                closed = head;
                is_lower = true;
            }
        }
    }
    return closed;
}

/* Whether a search upwards from `from` meets the unit `goal`. */
static bool depends_on(grouper *r, int from, int goal)
{
    const int closed = closed_before(r, goal);
    int top = 0;

    if (r->last[from] < closed)
        return false;
    r->stack[top++] = from;
    r->seen[from] = r->stamp;
    while (top > 0) {
        const int unit = r->stack[--top];

        if (unit == goal)
            return true;
        for (int m = unit; m != NONE; m = next_member(r, m)) {
            const krti_node *n = r->order[m];

            for (int i = 0; i < n->num_in; i++) {
                const int p = maker_position(r, n->in[i]);

                if (p == NONE)
                    continue;
                const int u = unit_of(r, p);
                if (r->seen[u] == r->stamp || r->last[u] < closed)
                    continue;
                r->seen[u] = r->stamp;
                r->stack[top++] = u;
            }
        }
    }
    return false;
}

/* Whether something outside both lies on a way from `goal` to the members of `unit`. */
static bool is_way_around(grouper *r, int unit, int goal)
{
    r->stamp++;
    for (int m = unit; m != NONE; m = next_member(r, m)) {
        const krti_node *n = r->order[m];

        for (int i = 0; i < n->num_in; i++) {
            const int p = maker_position(r, n->in[i]);

            if (p == NONE)
                continue;
            const int u = unit_of(r, p);
            if (u != unit && u != goal && r->seen[u] != r->stamp && depends_on(r, u, goal))
                return true;
        }
    }
    return false;
}

typedef struct extent {
    int members, inputs;
} extent;

static bool is_in(const grouper *r, const krt_value *v, int unit)
{
    const int p = maker_position(r, v);

    return p != NONE && r->group[p] == unit;
}

/* An upper bound of a group's inputs: one read twice counts twice only across members. */
static extent measure(const grouper *r, int unit)
{
    extent e = {0, 0};

    for (int m = unit; m != NONE; m = r->next[m]) {
        const krti_node *n = r->order[m];

        e.members++;
        for (int i = 0; i < n->num_in; i++)
            e.inputs += !is_in(r, n->in[i], unit);
    }
    return e;
}

/* Two lists in order into one; its first member names the group. */
static int join(grouper *r, int a, int b)
{
    const int first = a < b ? a : b, last = r->last[a] > r->last[b] ? r->last[a] : r->last[b];
    int *tail = NULL;

    while (a != NONE || b != NONE) {
        int *from = b == NONE || (a != NONE && a < b) ? &a : &b;
        const int m = *from;

        *from = r->next[m];
        if (tail != NULL)
            *tail = m;
        tail = &r->next[m];
        r->group[m] = first;
    }
    *tail = NONE;
    r->last[first] = last;
    return first;
}

/* The group of `unit` with the group that makes v, where that can be. */
static int take_in(grouper *r, int unit, const krt_value *v)
{
    const krti_node *n = krti_behind_views(v)->node;
    const int p = maker_position(r, v);

    if (p == NONE || r->group[p] < 0 || r->group[p] == unit)
        return unit;
    const int other = r->group[p];
    const extent a = measure(r, unit), b = measure(r, other);
    if (size_of(n) != size_of(r->order[unit]) || a.members + b.members > KRTI_FUSED_MAX_OPS - 8 ||
        a.inputs + b.inputs > KRTI_FUSED_MAX_IN)
        return unit;
    if (is_way_around(r, unit, other) || is_way_around(r, other, unit))
        return unit;
    return join(r, unit, other);
}

static void find_groups(grouper *r)
{
    for (int i = 0; i < r->num_order; i++) {
        const krti_node *n = r->order[i];

        r->last[i] = i;
        if (!can_be_member(n))
            continue;
        int unit = i;
        r->group[i] = i;
        r->heads[r->num_heads++] = i;
        for (int j = 0; j < n->num_in; j++)
            unit = take_in(r, unit, n->in[j]);
    }
}

/* ------------------------------------------------------------------------------- programs */

typedef struct writer {
    grouper *r;
    krti_fused *f;
    krt_value *in[KRTI_FUSED_MAX_IN];
    const krti_node *made_by[KRTI_FUSED_MAX_OPS]; /* by operation */
} writer;

static int add_input(writer *w, krt_value *v, krti_fused_input see)
{
    krti_fused *f = w->f;

    for (int i = 0; i < f->num_in; i++)
        if (w->in[i] == v && f->in[i].repeat == see.repeat && f->in[i].period == see.period)
            return i;
    if (f->num_in == KRTI_FUSED_MAX_IN)
        return NONE;
    w->in[f->num_in] = v;
    f->in[f->num_in] = see;
    return f->num_in++;
}

/* Inputs get their numbers first, in a pass of their own, since operations count from there. */
static bool add_inputs(writer *w, const int *members, int count)
{
    for (int m = 0; m < count; m++) {
        const krti_node *n = w->r->order[members[m]];

        for (int i = 0; i < n->num_in; i++) {
            krti_fused_input see;
            bool is_inside = false;

            for (int k = 0; k < m && !is_inside; k++)
                is_inside = w->r->order[members[k]] == krti_behind_views(n->in[i])->node;
            (void)krti_fused_see(n->in[i]->shape, n->out[0].shape, &see);
            if (!is_inside && add_input(w, n->in[i], see) == NONE)
                return false;
        }
    }
    return true;
}

static int number_of(writer *w, const krti_node *n, int i)
{
    krti_fused_input see;

    for (int k = 0; k < w->f->num_ops; k++)
        if (w->made_by[k] == krti_behind_views(n->in[i])->node)
            return w->f->num_in + k;
    (void)krti_fused_see(n->in[i]->shape, n->out[0].shape, &see);
    return add_input(w, n->in[i], see);
}

static void add_op(writer *w, const krti_node *n)
{
    krti_fused_op *op = &w->f->ops[w->f->num_ops];

    *op = (krti_fused_op){.op = n->op, .in = {NONE, NONE, NONE}, .is_bool = is_mask(&n->out[0])};
    if ((n->op->flags & KRTI_OP_ELEMENTWISE) || n->op == &krti_op_relu_grad) {
        op->a = n->attrs.scalar.a;
        op->b = n->attrs.scalar.b;
        op->c = n->attrs.scalar.c;
    }
    for (int i = 0; i < n->num_in; i++)
        op->in[i] = number_of(w, n, i);
    w->made_by[w->f->num_ops++] = n;
}

/* Whether anything but members [0, count) reads the member, through views included. */
static bool is_read_outside(const grouper *r, int member, const int *members, int count)
{
    const int end = r->first_reader[member + 1];

    for (int i = r->first_reader[member]; i < end; i++) {
        bool is_inside = false;

        for (int k = 0; k < count && !is_inside; k++)
            is_inside = members[k] == r->readers[i];
        if (!is_inside)
            return true;
    }
    return r->is_output[member];
}

static int count_outputs(const grouper *r, const int *members, int count, bool *is_output)
{
    int n = 0;

    for (int i = 0; i < count; i++) {
        is_output[i] = is_read_outside(r, members[i], members, count);
        n += is_output[i];
    }
    return n;
}

/* A group of one is worth a program only where no kernel of its own does it. */
static bool pays(const grouper *r, const int *members, int count)
{
    return count > 1 || !r->has_kernel(r->user, r->order[members[0]]);
}

static krt_status write_program(grouper *r, const int *members, int count, const bool *is_output)
{
    krti_graph *g = r->g;
    writer w = {.r = r, .f = krti_arena_alloc(&g->arena, sizeof *w.f)};
    krti_attrs attrs;

    if (w.f == NULL)
        return KRT_E_NOMEM;
    if (!add_inputs(&w, members, count))
        return KRT_OK; /* too many: left as it is */
    w.f->size = size_of(r->order[members[0]]);
    for (int i = 0; i < count; i++)
        add_op(&w, r->order[members[i]]);
    for (int i = 0; i < count; i++) {
        const krt_value *v = &r->order[members[i]]->out[0];

        if (!is_output[i])
            continue;
        w.f->out[w.f->num_out] = w.f->num_in + i;
        w.f->out_dtype[w.f->num_out] = v->dtype;
        w.f->out_shape[w.f->num_out++] = v->shape;
    }
    memset(&attrs, 0, sizeof attrs);
    attrs.fused = w.f;
    g->scope = r->order[members[count - 1]]->scope;
    krti_node *n = krti_graph_add(g, &krti_op_fused, w.in, w.f->num_in, &attrs);
    g->scope = NULL;
    if (n == NULL)
        return g->status;
    n->is_static = false;
    if (!r->has_kernel(r->user, n))
        return KRT_OK; /* reference kernels are asked for: nobody refers to n */
    for (int i = 0, j = 0; i < count; i++)
        if (is_output[i])
            r->order[members[i]]->out[0].same_as = &n->out[j++];
    return KRT_OK;
}

/* The longest beginning of the group whose results a node can have becomes one, then the rest. */
static krt_status write_group(grouper *r, int unit)
{
    int members[KRTI_FUSED_MAX_OPS], count = 0, from = 0;
    bool is_output[KRTI_FUSED_MAX_OPS];
    krt_status st = KRT_OK;

    for (int m = unit; m != NONE; m = r->next[m])
        members[count++] = m;
    while (st == KRT_OK && from < count) {
        int n = count - from;

        while (n > 1 && count_outputs(r, members + from, n, is_output) > KRTI_MAX_OUT)
            n--;
        (void)count_outputs(r, members + from, n, is_output);
        if (pays(r, members + from, n))
            st = write_program(r, members + from, n, is_output);
        from += n;
    }
    return st;
}

/* ------------------------------------------------------------------------------- the pass */

static krt_status begin(grouper *r)
{
    krt_ctx *k = r->g->k;
    const size_t n = (size_t)r->num_order + 2;
    size_t edges = 1;

    for (int i = 0; i < r->num_order; i++)
        edges += (size_t)r->order[i]->num_in;
    r->position = krti_array(k, r->g->num_nodes + 1, sizeof *r->position);
    r->group = krti_array(k, n, sizeof *r->group);
    r->next = krti_array(k, n, sizeof *r->next);
    r->last = krti_array(k, n, sizeof *r->last);
    r->heads = krti_array(k, n, sizeof *r->heads);
    r->first_reader = krti_array(k, n, sizeof *r->first_reader);
    r->readers = krti_array(k, edges, sizeof *r->readers);
    r->is_output = krti_array(k, n, sizeof *r->is_output);
    r->seen = krti_array(k, n, sizeof *r->seen);
    r->stack = krti_array(k, n, sizeof *r->stack);
    if (r->position == NULL || r->group == NULL || r->next == NULL || r->last == NULL ||
        r->heads == NULL || r->first_reader == NULL || r->readers == NULL || r->is_output == NULL ||
        r->seen == NULL || r->stack == NULL)
        return KRT_E_NOMEM;
    for (size_t i = 0; i < r->g->num_nodes; i++)
        r->position[i] = NONE;
    for (int i = 0; i < r->num_order; i++) {
        r->position[r->order[i]->id] = i;
        r->group[i] = NONE;
        r->next[i] = NONE;
    }
    return KRT_OK;
}

/* Readers sorted by what they read: counted first, then filled in from the back. */
static void find_readers(grouper *r)
{
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < r->num_order; i++) {
            const krti_node *n = r->order[i];

            for (int j = 0; j < n->num_in && !(n->op->flags & KRTI_OP_VIEW); j++) {
                const int p = maker_position(r, n->in[j]);

                if (p != NONE && pass == 0)
                    r->first_reader[p]++;
                else if (p != NONE)
                    r->readers[--r->first_reader[p]] = i;
            }
        }
        for (int i = 1; i <= r->num_order && pass == 0; i++)
            r->first_reader[i] += r->first_reader[i - 1];
    }
    for (size_t i = 0; i < r->g->num_outputs; i++) {
        const int p = maker_position(r, r->g->outputs[i]);

        if (p != NONE)
            r->is_output[p] = true;
    }
    for (size_t i = 0; i < r->g->num_updates; i++) {
        const int p = maker_position(r, r->g->updates[i].value);

        if (p != NONE)
            r->is_output[p] = true;
    }
}

static void end(grouper *r)
{
    krt_ctx *k = r->g->k;

    krti_free(k, r->position);
    krti_free(k, r->group);
    krti_free(k, r->next);
    krti_free(k, r->last);
    krti_free(k, r->heads);
    krti_free(k, r->first_reader);
    krti_free(k, r->readers);
    krti_free(k, r->is_output);
    krti_free(k, r->seen);
    krti_free(k, r->stack);
}

krt_status krti_fuse_groups(krti_graph *g, krti_node **order, int num_order,
                            krti_has_kernel has_kernel, void *user)
{
    grouper r = {
        .g = g, .order = order, .num_order = num_order, .has_kernel = has_kernel, .user = user};
    krt_status st = begin(&r);

    if (st == KRT_OK) {
        find_readers(&r);
        find_groups(&r);
    }
    for (int i = 0; st == KRT_OK && i < num_order; i++)
        if (r.group[i] == i)
            st = write_group(&r, i);
    if (st == KRT_OK)
        krti_resolve_all(g);
    end(&r);
    return st;
}
