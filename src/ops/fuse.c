/* Rewriting a graph for inference. See plan.h.
 *
 * One walk in order of creation, so a rule finds its inputs already rewritten: a convolution first
 * takes the padding before it, then the BatchNormalization behind it, then bias, residual and
 * activation. What a rule replaces gets `same_as`; nothing is moved, schedule.c sorts
 * what is still reachable. The rules are a table at the end. */
#include "ops/fuse.h"

typedef struct rewriter {
    krti_graph *g;
    int *uses;  /* by node id * KRTI_MAX_OUT + output index; nodes made later are not in it */
    bool *live; /* by node id: something wanted depends on it */
    size_t num_nodes;
} rewriter;

krt_value *krti_resolve(krt_value *v)
{
    while (v != NULL && v->same_as != NULL)
        v = v->same_as;
    return v;
}

static int *uses_of(rewriter *r, const krt_value *v)
{
    return &r->uses[v->node->id * KRTI_MAX_OUT + v->index];
}

/* Read once and no more; of a node made while rewriting nobody has counted. */
static bool has_one_use(rewriter *r, const krt_value *v)
{
    return (size_t)v->node->id < r->num_nodes && *uses_of(r, v) == 1;
}

static void want(rewriter *r, const krt_value *v)
{
    ++*uses_of(r, v);
    r->live[v->node->id] = true;
}

/* What is known before the run: the graph now says which variables a run writes. */
static void find_static(krti_graph *g)
{
    for (size_t i = 0; i < g->num_nodes; i++) {
        krti_node *n = g->nodes[i];

        n->is_static = n->op != &krti_op_input && n->num_out == 1;
        if (n->op == &krti_op_variable)
            n->is_static = !n->is_state && !g->variables_change;
        for (int j = 0; j < n->num_in; j++)
            n->is_static = n->is_static && (n->in[j] == NULL || n->in[j]->node->is_static);
    }
}

static krt_status count_uses(rewriter *r)
{
    krti_graph *g = r->g;

    r->num_nodes = g->num_nodes;
    r->uses = krti_array(g->k, (g->num_nodes + 1) * KRTI_MAX_OUT, sizeof *r->uses);
    if (r->uses == NULL)
        return KRT_E_NOMEM;
    r->live = krti_array(g->k, g->num_nodes + 1, sizeof *r->live);
    if (r->live == NULL)
        return KRT_E_NOMEM;
    for (size_t i = 0; i < g->num_outputs; i++)
        want(r, g->outputs[i]);
    for (size_t i = 0; i < g->num_updates; i++)
        want(r, g->updates[i].value);
    for (size_t i = g->num_nodes; i-- > 0;) /* inputs come before users */
        for (int j = 0; r->live[i] && j < g->nodes[i]->num_in; j++)
            if (g->nodes[i]->in[j] != NULL)
                want(r, g->nodes[i]->in[j]);
    return KRT_OK;
}

/* v now stands where n's output stood; v's uses become n's. */
static void replace(rewriter *r, krti_node *n, krt_value *v)
{
    if (v == NULL)
        return;
    n->out[0].same_as = v;
    if ((size_t)v->node->id < r->num_nodes)
        *uses_of(r, v) += *uses_of(r, &n->out[0]) - 1;
}

/* The node that makes v, when nothing else looks at v and it can take more behind it. */
static krti_node *open_producer(rewriter *r, krt_value *v)
{
    krti_node *n = v->node;

    if ((size_t)n->id >= r->num_nodes || *uses_of(r, v) != 1 || !(n->op->flags & KRTI_OP_FUSES) ||
        n->is_static)
        return NULL;
    return n->activation.op == NULL && v->dtype == KRT_FLOAT32 ? n : NULL;
}

static krt_value *input_of(const krti_node *n, int i)
{
    return i < n->num_in ? n->in[i] : NULL;
}

static krt_status set_input(rewriter *r, krti_node *n, int i, krt_value *v)
{
    if (i >= n->num_in) {
        krt_value **in = krti_arena_array(&r->g->arena, (size_t)i + 1, sizeof(krt_value *));

        if (in == NULL)
            return KRT_E_NOMEM;
        memcpy(in, n->in, (size_t)n->num_in * sizeof(krt_value *));
        n->in = in;
        n->num_in = i + 1;
    }
    n->in[i] = v;
    return KRT_OK;
}

/* ------------------------------------------------------------------------------- identities */

static krt_status drop_identity(rewriter *r, krti_node *n)
{
    krt_value *x = n->in[0];
    bool same = x->dtype == n->out[0].dtype && krt_shape_equal(x->shape, n->out[0].shape);

    if (n->op == &krti_op_transpose)
        for (int i = 0; i < x->shape.rank; i++)
            same = same && n->attrs.transpose.perm[i] == i;
    if (same)
        replace(r, n, x);
    return KRT_OK;
}

static krt_status merge_transposes(rewriter *r, krti_node *n)
{
    krti_node *before = n->in[0]->node;
    int perm[KRT_MAX_RANK];

    if (before->op != &krti_op_transpose)
        return drop_identity(r, n);
    for (int i = 0; i < n->out[0].shape.rank; i++)
        perm[i] = before->attrs.transpose.perm[n->attrs.transpose.perm[i]];
    memcpy(n->attrs.transpose.perm, perm, sizeof perm);
    n->in[0] = before->in[0];
    return drop_identity(r, n);
}

/* ------------------------------------------------------------------------------- padding */

/* ZeroPadding2D and the like in front of a convolution becomes the convolution's own. */
static krt_status merge_padding(rewriter *r, krti_node *n)
{
    krti_node *pad = n->in[0]->node;
    krti_window *w = &n->attrs.window;
    const int rank = w->rank;

    if (pad->op != &krti_op_pad || pad->attrs.pad.mode != KRTI_PAD_CONSTANT ||
        pad->attrs.pad.value != 0 || !has_one_use(r, n->in[0]))
        return KRT_OK;
    const int64_t *before = pad->attrs.pad.before, *after = pad->attrs.pad.after;
    if (before[0] != 0 || after[0] != 0 || before[rank + 1] != 0 || after[rank + 1] != 0)
        return KRT_OK;
    for (int i = 0; i < rank; i++)
        if (before[i + 1] < 0 || after[i + 1] < 0)
            return KRT_OK;
    for (int i = 0; i < rank; i++) {
        w->before[i] += before[i + 1];
        w->after[i] += after[i + 1];
    }
    n->in[0] = pad->in[0];
    return KRT_OK;
}

/* ------------------------------------------------------------------------------- BatchNormalization */

/* The kernel with its output channels scaled. Where those are not last (transposed convolution),
 * the scale is shaped to meet them. */
static krt_value *scaled_kernel(krti_graph *g, const krti_node *n, krt_value *scale)
{
    if (n->op == &krti_op_conv_transpose)
        scale = krti_reshape(g, scale, (krt_shape){.rank = 2, .dim = {scale->shape.dim[0], 1}});
    return krti_multiply(g, n->in[1], scale);
}

static bool can_scale(const krti_node *n)
{
    if (input_of(n, 3) != NULL || !n->in[1]->node->is_static)
        return false;
    if (n->op == &krti_op_matmul)
        return !n->attrs.matmul.transpose_b && n->in[1]->shape.rank == 2;
    return n->op == &krti_op_conv || n->op == &krti_op_conv_transpose;
}

/* The producer computes y * scale + shift from now on. */
static krt_status fold_scale(rewriter *r, krti_node *n, krt_value *scale, krt_value *shift)
{
    krti_graph *g = r->g;
    krt_value *bias = input_of(n, 2);
    krt_value *kernel = scaled_kernel(g, n, scale);

    if (bias != NULL)
        shift = krti_add(g, krti_multiply(g, bias, scale), shift);
    if (kernel == NULL || shift == NULL)
        return g->status;
    n->in[1] = kernel;
    return set_input(r, n, 2, shift);
}

/* scale = gamma / sqrt(variance + epsilon), shift = beta - mean * scale, as Keras's backends do. */
static krt_status fold_batch_norm(rewriter *r, krti_node *n)
{
    krti_graph *g = r->g;
    krt_value *x = n->in[0], *mean = n->in[1], *gamma = input_of(n, 3), *beta = input_of(n, 4);

    for (int i = 1; i < n->num_in; i++)
        if (n->in[i] != NULL && !n->in[i]->node->is_static)
            return KRT_OK;
    if (n->attrs.norm.axis != x->shape.rank - 1 || x->dtype != KRT_FLOAT32)
        return KRT_OK;
    krt_value *scale = krti_rsqrt(g, krti_affine(g, n->in[2], 1, n->attrs.norm.epsilon, 0));
    if (gamma != NULL)
        scale = krti_multiply(g, scale, gamma);
    krt_value *shift = krti_negative(g, krti_multiply(g, mean, scale));
    if (beta != NULL)
        shift = krti_add(g, beta, shift);
    if (shift == NULL)
        return g->status;
    krti_node *before = open_producer(r, x);
    if (before != NULL && can_scale(before)) {
        replace(r, n, x);
        return fold_scale(r, before, scale, shift);
    }
    n->op = &krti_op_scale_shift;
    memset(&n->attrs, 0, sizeof n->attrs);
    n->in[1] = scale;
    n->in[2] = shift;
    n->num_in = 3;
    return KRT_OK;
}

/* ------------------------------------------------------------------------------- epilogues */

/* What a view, or a view of a view, that nobody else uses looks at. */
static krt_value *behind_views(rewriter *r, krt_value *v)
{
    while ((v->node->op->flags & KRTI_OP_VIEW) && (size_t)v->node->id < r->num_nodes &&
           *uses_of(r, v) == 1)
        v = krti_resolve(v->node->in[0]);
    return v;
}

static krt_status fuse_activation(rewriter *r, krti_node *n)
{
    krti_node *before = open_producer(r, behind_views(r, n->in[0]));

    if (before == NULL || n->out[0].dtype != KRT_FLOAT32)
        return KRT_OK;
    before->activation =
        (krti_activation){n->op, n->attrs.scalar.a, n->attrs.scalar.b, n->attrs.scalar.c};
    replace(r, n, n->in[0]);
    return KRT_OK;
}

static bool is_bias_for(const krt_value *v, const krt_value *x)
{
    return v->node->is_static && v->dtype == KRT_FLOAT32 && v->shape.rank == 1 &&
           x->shape.rank >= 1 && v->shape.dim[0] == x->shape.dim[x->shape.rank - 1];
}

static bool can_take_bias(const krti_node *n)
{
    return input_of(n, 2) == NULL && input_of(n, 3) == NULL;
}

/* The one of the two that can take the other as a residual; the later one when both can, so that
 * the earlier is surely there. */
static int residual_side(rewriter *r, const krti_node *n)
{
    int side = -1;

    for (int i = 0; i < 2; i++) {
        krti_node *before = open_producer(r, n->in[i]);
        const bool fits = before != NULL && input_of(before, 3) == NULL &&
                          krt_shape_equal(n->in[0]->shape, n->in[1]->shape) &&
                          n->in[1 - i]->dtype == KRT_FLOAT32 && !n->in[1 - i]->node->is_static;

        if (fits && (side < 0 || before->id > n->in[side]->node->id))
            side = i;
    }
    return side;
}

static krt_status fuse_add(rewriter *r, krti_node *n)
{
    krt_status st = KRT_OK;

    for (int i = 0; i < 2; i++) {
        krti_node *before = open_producer(r, n->in[i]);

        if (before != NULL && can_take_bias(before) && is_bias_for(n->in[1 - i], n->in[i])) {
            st = set_input(r, before, 2, n->in[1 - i]);
            replace(r, n, n->in[i]);
            return st;
        }
    }
    const int side = n->in[0] != n->in[1] ? residual_side(r, n) : -1;
    if (side < 0)
        return KRT_OK;
    st = set_input(r, n->in[side]->node, 2, input_of(n->in[side]->node, 2));
    if (st == KRT_OK)
        st = set_input(r, n->in[side]->node, 3, n->in[1 - side]);
    replace(r, n, n->in[side]);
    return st;
}

/* ------------------------------------------------------------------------------- affine chains */

/* A known number a channel, or one for all, as a vector along the last axis of x. NULL: it is not. */
static krt_value *as_channels(krti_graph *g, krt_value *v, const krt_value *x)
{
    const int rank = x->shape.rank, own = v->shape.rank;
    const int64_t channels = rank > 0 ? x->shape.dim[rank - 1] : 0;

    if (!v->node->is_static || v->dtype != KRT_FLOAT32 || channels <= 0 || own > rank)
        return NULL;
    for (int i = 0; i + 1 < own; i++)
        if (v->shape.dim[i] != 1)
            return NULL;
    if (own > 0 && v->shape.dim[own - 1] != 1 && v->shape.dim[own - 1] != channels)
        return NULL;
    const krt_shape flat = {.rank = 1, .dim = {own > 0 ? v->shape.dim[own - 1] : 1}};
    const krt_shape wide = {.rank = 1, .dim = {channels}};
    return krti_broadcast_to(g, krti_reshape(g, v, flat), wide);
}

static krt_value *filled(krti_graph *g, int64_t n, float value)
{
    return krti_broadcast_to(g, krti_scalar(g, (double)value), (krt_shape){.rank = 1, .dim = {n}});
}

/* What makes v, where it is x * a + b and only read here. */
static const krti_node *only_affine(rewriter *r, const krt_value *v)
{
    const krti_node *n = v->node;

    return n->op == &krti_op_affine && (size_t)n->id < r->num_nodes && *uses_of(r, v) == 1 ? n
                                                                                           : NULL;
}

static bool is_one(const krt_value *v)
{
    v = v->node->op == &krti_op_broadcast_to ? v->node->in[0] : v;
    return v->node->op == &krti_op_constant && krt_shape_size(v->shape) == 1 &&
           *(const float *)v->node->constant == 1;
}

/* x + b of an x that nothing has rounded yet. What scales that stays a step of its own: (x - mean) / deviation
 * is exact near the mean, x / deviation - mean / deviation is not, where the mean is large. */
static bool is_shift(const krti_node *n)
{
    return n != NULL && ((n->op == &krti_op_affine && n->attrs.scalar.a == 1) ||
                         (n->op == &krti_op_scale_shift && is_one(n->in[1])));
}

/* n becomes x * scale + shift; a chain of such becomes one. NULL stands for 1 and 0. */
static krt_status make_scale_shift(rewriter *r, krti_node *n, krt_value *x, krt_value *scale,
                                   krt_value *shift)
{
    krti_graph *g = r->g;
    const int64_t channels = x->shape.dim[x->shape.rank - 1];
    krti_node *before = open_producer(r, x);
    const bool scales = scale != NULL;

    scale = scale != NULL ? scale : filled(g, channels, 1);
    shift = shift != NULL ? shift : filled(g, channels, 0);
    const krti_node *affine = only_affine(r, x);
    if (affine != NULL && !(scales && is_shift(affine))) {
        shift = krti_add(g, krti_affine(g, scale, affine->attrs.scalar.b, 0, 0), shift);
        scale = krti_affine(g, scale, affine->attrs.scalar.a, 0, 0);
        x = affine->in[0];
        before = open_producer(r, x);
    }
    if (before != NULL && before->op == &krti_op_scale_shift && input_of(before, 3) == NULL &&
        !(scales && is_shift(before))) {
        shift = krti_add(g, krti_multiply(g, before->in[2], scale), shift);
        scale = krti_multiply(g, before->in[1], scale);
        x = before->in[0];
    }
    if (scale == NULL || shift == NULL)
        return g->status;
    n->op = &krti_op_scale_shift;
    memset(&n->attrs, 0, sizeof n->attrs);
    n->in[0] = x;
    krt_status st = set_input(r, n, 1, scale);
    return st == KRT_OK ? set_input(r, n, 2, shift) : st;
}

static bool can_be_affine(const krti_node *n, const krt_value *x)
{
    return n->out[0].dtype == KRT_FLOAT32 && x->dtype == KRT_FLOAT32 && x->shape.rank > 0 &&
           !x->node->is_static && krt_shape_equal(x->shape, n->out[0].shape) &&
           krt_shape_size(x->shape) > 0 && x->shape.dim[x->shape.rank - 1] <= 65536;
}

/* n becomes x * a + b: behind what makes x, one with an affine before, or as it is. */
static krt_status make_affine(rewriter *r, krti_node *n, krt_value *x, double a, double b)
{
    const krti_node *before = only_affine(r, x);

    if (before != NULL && (a == 1 || !is_shift(before))) {
        b += a * before->attrs.scalar.b;
        a *= before->attrs.scalar.a;
        x = before->in[0];
    }
    n->op = &krti_op_affine;
    n->in[0] = x;
    n->num_in = 1;
    memset(&n->attrs, 0, sizeof n->attrs);
    n->attrs.scalar.a = a;
    n->attrs.scalar.b = b;
    krti_node *open = open_producer(r, x);
    if (open == NULL)
        return KRT_OK;
    if (open->op != &krti_op_scale_shift || input_of(open, 3) != NULL)
        return fuse_activation(r, n);
    const int64_t channels = x->shape.dim[x->shape.rank - 1];
    return make_scale_shift(r, n, x, a != 1 ? filled(r->g, channels, (float)a) : NULL,
                            filled(r->g, channels, (float)b));
}

/* x + c, x - c, c - x, x * c, x / c for one number c. */
static krt_status fuse_number(rewriter *r, krti_node *n, krt_value *x, double c, bool swapped)
{
    if (n->op == &krti_op_multiply)
        return make_affine(r, n, x, c, 0);
    if (n->op == &krti_op_divide)
        return make_affine(r, n, x, 1 / c, 0);
    if (n->op == &krti_op_add)
        return make_affine(r, n, x, 1, c);
    return swapped ? make_affine(r, n, x, -1, c) : make_affine(r, n, x, 1, -c);
}

static bool is_number(const krt_value *v)
{
    return v->node->op == &krti_op_constant && v->dtype == KRT_FLOAT32 &&
           krt_shape_size(v->shape) == 1;
}

/* x + c, x - c, c - x, x * c, x / c with c known along the last axis. */
static krt_status fuse_affine(rewriter *r, krti_node *n)
{
    krti_graph *g = r->g;
    const bool swapped = n->in[0]->node->is_static;
    krt_value *x = n->in[swapped ? 1 : 0], *other = n->in[swapped ? 0 : 1];

    if (!can_be_affine(n, x) || (swapped && n->op == &krti_op_divide))
        return KRT_OK;
    if (is_number(other)) {
        const double number = (double)*(const float *)other->node->constant;

        return fuse_number(r, n, x, number, swapped);
    }
    krt_value *c = as_channels(g, other, x);
    if (c == NULL)
        return g->status;
    if (n->op == &krti_op_multiply)
        return make_scale_shift(r, n, x, c, NULL);
    if (n->op == &krti_op_divide)
        return make_scale_shift(r, n, x, krti_reciprocal(g, c), NULL);
    if (n->op == &krti_op_add)
        return make_scale_shift(r, n, x, NULL, c);
    if (swapped)
        return make_scale_shift(r, n, x, filled(g, x->shape.dim[x->shape.rank - 1], -1), c);
    return make_scale_shift(r, n, x, NULL, krti_negative(g, c));
}

/* Rescaling, alone or in such a chain. */
static krt_status fuse_rescaling(rewriter *r, krti_node *n)
{
    return can_be_affine(n, n->in[0]) || open_producer(r, n->in[0]) != NULL
               ? make_affine(r, n, n->in[0], n->attrs.scalar.a, n->attrs.scalar.b)
               : KRT_OK;
}

/* Bias and residual first; what remains may still be a shift. */
static krt_status fuse_sum(rewriter *r, krti_node *n)
{
    const krt_status st = fuse_add(r, n);

    return st == KRT_OK && n->out[0].same_as == NULL ? fuse_affine(r, n) : st;
}

/* ------------------------------------------------------------------------------- pooling */

/* Zeros around an image that is nowhere negative cannot win a maximum that also sees the image. */
static krt_status merge_pool_padding(rewriter *r, krti_node *n)
{
    krti_node *pad = n->in[0]->node;
    krti_window *w = &n->attrs.window;

    if (pad->op != &krti_op_pad || pad->attrs.pad.mode != KRTI_PAD_CONSTANT ||
        pad->attrs.pad.value != 0 || !has_one_use(r, n->in[0]))
        return KRT_OK;
    const krti_node *source = pad->in[0]->node;
    const int64_t *before = pad->attrs.pad.before, *after = pad->attrs.pad.after;
    const bool not_negative = source->activation.op == &krti_op_relu && source->activation.a == 0 &&
                              source->activation.b >= 0;
    if (!not_negative || before[0] != 0 || after[0] != 0 || before[w->rank + 1] != 0 ||
        after[w->rank + 1] != 0)
        return KRT_OK;
    for (int i = 0; i < w->rank; i++)
        if (before[i + 1] < 0 || after[i + 1] < 0 || w->dilation[i] != 1 ||
            w->before[i] + before[i + 1] >= w->size[i] || w->after[i] + after[i + 1] >= w->size[i])
            return KRT_OK;
    for (int i = 0; i < w->rank; i++) {
        w->before[i] += before[i + 1];
        w->after[i] += after[i + 1];
    }
    n->in[0] = pad->in[0];
    return KRT_OK;
}

/* ------------------------------------------------------------------------------- the walk */

static krt_status split_batch_norm(rewriter *r, krti_node *n)
{
    return krti_split_batch_norm(r->g, n);
}

static krt_status split_batch_norm_grad(rewriter *r, krti_node *n)
{
    return krti_split_batch_norm_grad(r->g, n);
}

static krt_status swap_pool_and_relu(rewriter *r, krti_node *n)
{
    return has_one_use(r, n->in[0]) ? krti_swap_pool_and_relu(r->g, n) : KRT_OK;
}

typedef struct rule {
    const krti_op *op;
    krt_status (*apply)(rewriter *r, krti_node *n);
} rule;

static const rule rules[] = {
    {&krti_op_reshape, drop_identity},
    {&krti_op_cast, drop_identity},
    {&krti_op_transpose, merge_transposes},
    {&krti_op_conv, merge_padding},
    {&krti_op_batch_norm, fold_batch_norm},
    {&krti_op_add, fuse_sum},
    {&krti_op_subtract, fuse_affine},
    {&krti_op_multiply, fuse_affine},
    {&krti_op_divide, fuse_affine},
    {&krti_op_affine, fuse_rescaling},
    {&krti_op_max_pool, merge_pool_padding},
    {&krti_op_stop_gradient, drop_identity},
    {&krti_op_batch_norm_train, split_batch_norm},
    {&krti_op_batch_norm_grad, split_batch_norm_grad},
    {&krti_op_relu_grad, swap_pool_and_relu},
};

static krt_status apply_rules(rewriter *r, krti_node *n)
{
    for (int i = 0; i < n->num_in; i++)
        n->in[i] = krti_resolve(n->in[i]);
    if (n->is_static)
        return KRT_OK;
    for (size_t i = 0; i < KRTI_COUNT(rules); i++)
        if (rules[i].op == n->op)
            return rules[i].apply(r, n);
    if (n->op->flags & KRTI_OP_ELEMENTWISE)
        return fuse_activation(r, n);
    return KRT_OK;
}

void krti_resolve_all(krti_graph *g)
{
    for (size_t i = 0; i < g->num_nodes; i++)
        for (int j = 0; j < g->nodes[i]->num_in; j++)
            g->nodes[i]->in[j] = krti_resolve(g->nodes[i]->in[j]);
    for (size_t i = 0; i < g->num_outputs; i++)
        g->outputs[i] = krti_resolve(g->outputs[i]);
    for (size_t i = 0; i < g->num_updates; i++)
        g->updates[i].value = krti_resolve(g->updates[i].value);
}

krt_status krti_rewrite(krti_graph *g)
{
    rewriter r = {.g = g};
    krt_status st = KRT_OK;

    find_static(g);
    st = count_uses(&r);
    for (size_t i = 0; st == KRT_OK && i < r.num_nodes; i++)
        if (r.live[i])
            st = apply_rules(&r, g->nodes[i]);
    krti_resolve_all(g);
    krti_free(g->k, r.uses);
    krti_free(g->k, r.live);
    return st;
}
