/* Building graphs: nodes, leaves, and the failure that sticks. See graph.h. */
#include "ops/op.h"

krt_status krti_graph_new(krt_ctx *k, krti_graph **out)
{
    krti_graph *g = krti_alloc(k, sizeof *g);

    *out = g;
    if (g == NULL)
        return KRT_E_NOMEM;
    g->k = k;
    g->arena = (krti_arena)KRTI_ARENA_INIT(k);
    return KRT_OK;
}

void krti_graph_free(krti_graph *g)
{
    if (g == NULL)
        return;
    krti_arena_free(&g->arena);
    krti_free(g->k, g->nodes);
    krti_free(g->k, g->inputs);
    krti_free(g->k, g->outputs);
    krti_free(g->k, g->variables);
    krti_free(g->k, g->slots);
    krti_free(g->k, g->updates);
    krti_free(g->k, g->losses);
    krti_free(g->k, g);
}

krt_value *krti_graph_fail(krti_graph *g, krt_status status, const char *format, ...)
{
    char text[KRTI_MESSAGE_MAX];
    va_list args;

    if (g->status != KRT_OK)
        return NULL;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    g->status = krti_fail(g->k, status, g->scope, "%s", text);
    return NULL;
}

static krt_status append(krti_graph *g, void *items, size_t *n, size_t *capacity, void *item)
{
    void **list = NULL;
    const krt_status st = krti_grow(g->k, items, capacity, *n + 1, sizeof item);

    if (st != KRT_OK)
        return g->status = st;
    memcpy(&list, items, sizeof list);
    list[(*n)++] = item;
    return KRT_OK;
}

krt_status krti_graph_add_output(krti_graph *g, krt_value *v)
{
    if (v == NULL)
        return g->status;
    return append(g, &g->outputs, &g->num_outputs, &g->outputs_capacity, v);
}

krt_status krti_add_loss(krti_graph *g, krt_value *loss)
{
    if (loss == NULL)
        return g->status;
    return append(g, &g->losses, &g->num_losses, &g->losses_capacity, loss);
}

/* Most nodes have the scope of the one before. */
static krt_status keep_scope(krti_graph *g, krti_node *n)
{
    const char *last = g->num_nodes > 0 ? g->nodes[g->num_nodes - 1]->scope : NULL;

    if (g->scope == NULL)
        return KRT_OK;
    n->scope =
        last != NULL && strcmp(last, g->scope) == 0 ? last : krti_arena_strdup(&g->arena, g->scope);
    return n->scope != NULL ? KRT_OK : KRT_E_NOMEM;
}

static krti_node *node_new(krti_graph *g, const krti_op *op, int num_in)
{
    if (g->num_nodes >= KRTI_MAX_NODES) {
        krti_graph_fail(g, KRT_E_INVALID, "the model comes to more than %d operations",
                        KRTI_MAX_NODES);
        return NULL;
    }
    krti_node *n = krti_arena_alloc(&g->arena, sizeof *n);

    if (n == NULL) {
        g->status = KRT_E_NOMEM;
        return NULL;
    }
    n->op = op;
    n->num_in = num_in;
    n->num_out = op->num_out > 0 ? op->num_out : 1;
    n->id = (int)g->num_nodes;
    n->in = krti_arena_array(&g->arena, (size_t)(num_in > 0 ? num_in : 1), sizeof(krt_value *));
    n->out = krti_arena_array(&g->arena, (size_t)n->num_out, sizeof *n->out);
    if (n->in == NULL || n->out == NULL || keep_scope(g, n) != KRT_OK) {
        g->status = KRT_E_NOMEM;
        return NULL;
    }
    for (int i = 0; i < n->num_out; i++)
        n->out[i] = (krt_value){.node = n, .index = i, .shape = {.rank = -1}};
    return append(g, &g->nodes, &g->num_nodes, &g->capacity, n) == KRT_OK ? n : NULL;
}

/* Shapes come from files. Bounding what is known of them here keeps every later sum of a few
 * dimensions inside int64. */
static bool shape_is_sane(krt_shape s)
{
    int64_t size = 1;

    if (s.rank < 0 || s.rank > KRT_MAX_RANK)
        return false;
    for (int i = 0; i < s.rank; i++)
        if (s.dim[i] != KRT_NONE &&
            (s.dim[i] < 0 || s.dim[i] > KRTI_MAX_ELEMENTS ||
             !krti_mul_i64(size, s.dim[i] > 0 ? s.dim[i] : 1, &size) || size > KRTI_MAX_ELEMENTS))
            return false;
    return true;
}

static krt_status shape_check(krti_graph *g, krt_shape s)
{
    char text[160];

    if (shape_is_sane(s))
        return KRT_OK;
    krti_graph_fail(g, KRT_E_INVALID, "shape %s is beyond what can be computed",
                    krt_shape_print(s, text, sizeof text));
    return g->status;
}

/* Strings end at the layer that makes numbers of them. */
static bool takes_texts_wrongly(krti_graph *g, const krti_op *op, krt_value *const *in, int num_in)
{
    for (int i = 0; i < num_in; i++) {
        if (in[i] == NULL || in[i]->dtype != KRT_STRING || (op->flags & KRTI_OP_TEXTS) != 0)
            continue;
        krti_graph_fail(g, KRT_E_UNSUPPORTED,
                        "%s is not computed on strings; a layer that makes numbers of them, such "
                        "as StringLookup or TextVectorization, must come first",
                        op->name);
        return true;
    }
    return false;
}

krti_node *krti_graph_add(krti_graph *g, const krti_op *op, krt_value *const *in, int num_in,
                          const krti_attrs *attrs)
{
    if (g->status != KRT_OK)
        return NULL;
    for (int i = 0; i < num_in; i++)
        if (in[i] == NULL && (i < op->min_in || op->max_in < 0))
            return NULL;
    if (takes_texts_wrongly(g, op, in, num_in))
        return NULL;
    krti_node *n = node_new(g, op, num_in);
    if (n == NULL)
        return NULL;
    n->is_static = op != &krti_op_input;
    for (int i = 0; i < num_in; i++) {
        n->in[i] = in[i];
        n->is_static = n->is_static && (in[i] == NULL || in[i]->node->is_static);
    }
    if (attrs != NULL)
        n->attrs = *attrs;
    if (op->infer != NULL && op->infer(g, n) != KRT_OK) {
        if (g->status == KRT_OK)
            g->status = g->k->error.status;
        return NULL;
    }
    n->is_static = n->is_static && n->num_out == 1; /* static.c evaluates one result */
    for (int i = 0; i < n->num_out && op->infer != NULL; i++)
        if (shape_check(g, n->out[i].shape) != KRT_OK)
            return NULL;
    return n;
}

krt_value *krti_graph_add1(krti_graph *g, const krti_op *op, krt_value *const *in, int num_in,
                           const krti_attrs *attrs)
{
    krti_node *n = krti_graph_add(g, op, in, num_in, attrs);

    return n != NULL ? &n->out[0] : NULL;
}

/* ------------------------------------------------------------------------------- dimensions */

int64_t krti_dim_mul(int64_t a, int64_t b)
{
    int64_t product = 0;

    if (a == KRT_NONE || b == KRT_NONE || !krti_mul_i64(a, b, &product))
        return KRT_NONE;
    return product;
}

int64_t krti_dim_add(int64_t a, int64_t b)
{
    if (a == KRT_NONE || b == KRT_NONE || (b > 0 ? a > INT64_MAX - b : a < INT64_MIN - b))
        return KRT_NONE;
    return a + b;
}

int64_t krti_dim_div(int64_t a, int64_t b)
{
    if (a == KRT_NONE || b == KRT_NONE || b == 0)
        return KRT_NONE;
    return a >= 0 ? a / b : -((-a + b - 1) / b);
}

bool krti_shape_known(krt_shape s)
{
    for (int i = 0; i < s.rank; i++)
        if (s.dim[i] == KRT_NONE)
            return false;
    return s.rank >= 0;
}

int krti_axis(krti_graph *g, int64_t axis, int rank)
{
    if (axis >= -rank && axis < rank)
        return (int)(axis < 0 ? axis + rank : axis);
    krti_graph_fail(g, KRT_E_INVALID, "axis %lld is out of range for rank %d", (long long)axis,
                    rank);
    return -1;
}

/* ------------------------------------------------------------------------------- leaves */

const krti_op krti_op_input = {.name = "input", .flags = KRTI_OP_LEAF};
const krti_op krti_op_variable = {.name = "variable", .flags = KRTI_OP_LEAF};
const krti_op krti_op_constant = {.name = "constant", .flags = KRTI_OP_LEAF};

static krt_value *leaf(krti_graph *g, const krti_op *op, krt_dtype dtype, krt_shape shape)
{
    if (g->status != KRT_OK || shape_check(g, shape) != KRT_OK)
        return NULL;
    krti_node *n = krti_graph_add(g, op, NULL, 0, NULL);
    if (n == NULL)
        return NULL;
    n->out[0].dtype = dtype;
    n->out[0].shape = shape;
    return &n->out[0];
}

krt_value *krti_input(krti_graph *g, krt_dtype dtype, krt_shape shape)
{
    krt_value *v = leaf(g, &krti_op_input, dtype, shape);

    if (v == NULL || append(g, &g->inputs, &g->num_inputs, &g->inputs_capacity, v) != KRT_OK)
        return NULL;
    return v;
}

/* Where the variable of this tensor is, or where there is room for it. */
static size_t slot_of(const krti_graph *g, const krt_tensor *tensor)
{
    const size_t mask = g->num_slots - 1;
    size_t i = (size_t)((uint64_t)(uintptr_t)tensor * 0x9E3779B97F4A7C15u >> 32) & mask;

    while (g->slots[i] != NULL && g->slots[i]->node->attrs.tensor != tensor)
        i = (i + 1) & mask;
    return i;
}

/* Room for one more variable. */
static krt_status reserve_slot(krti_graph *g)
{
    if (2 * (g->num_variables + 1) <= g->num_slots)
        return KRT_OK;
    const size_t n = g->num_slots > 0 ? 2 * g->num_slots : 64;
    krt_value **slots = krti_array(g->k, n, sizeof(krt_value *));
    if (slots == NULL)
        return g->status = KRT_E_NOMEM;
    krti_free(g->k, g->slots);
    g->slots = slots;
    g->num_slots = n;
    for (size_t i = 0; i < g->num_variables; i++)
        slots[slot_of(g, g->variables[i]->node->attrs.tensor)] = g->variables[i];
    return KRT_OK;
}

krt_value *krti_variable(krti_graph *g, const krt_tensor *tensor)
{
    if (tensor == NULL || g->status != KRT_OK || reserve_slot(g) != KRT_OK)
        return NULL;
    const size_t slot = slot_of(g, tensor);
    if (g->slots[slot] != NULL)
        return g->slots[slot];
    krt_value *v = leaf(g, &krti_op_variable, tensor->dtype, tensor->shape);
    if (v == NULL ||
        append(g, &g->variables, &g->num_variables, &g->variables_capacity, v) != KRT_OK)
        return NULL;
    v->node->attrs.tensor = tensor;
    g->slots[slot] = v;
    v->node->is_static = !g->variables_change;
    return v;
}

krt_value *krti_constant(krti_graph *g, krt_dtype dtype, krt_shape shape, const void *data)
{
    size_t bytes = 0;

    if (!krti_shape_bytes(shape, dtype, &bytes))
        return krti_graph_fail(g, KRT_E_INVALID, "a constant needs a known shape");
    krt_value *v = leaf(g, &krti_op_constant, dtype, shape);
    if (v == NULL)
        return NULL;
    v->node->constant = krti_arena_alloc(&g->arena, bytes > 0 ? bytes : 1);
    if (v->node->constant == NULL) {
        g->status = KRT_E_NOMEM;
        return NULL;
    }
    if (bytes > 0)
        memcpy(v->node->constant, data, bytes);
    return v;
}

krt_value *krti_scalar_of(krti_graph *g, krt_dtype dtype, double value)
{
    unsigned char bytes[8] = {0};

    krti_convert(bytes, dtype, &value, KRT_FLOAT64, 1);
    return krti_constant(g, dtype, (krt_shape){.rank = 0}, bytes);
}

krt_value *krti_scalar(krti_graph *g, double value)
{
    return krti_scalar_of(g, KRT_FLOAT32, value);
}

krt_value *krti_scalar_like(krti_graph *g, const krt_value *like, double value)
{
    return like != NULL ? krti_scalar_of(g, like->dtype, value) : NULL;
}

double krti_node_flops(const krti_node *n)
{
    if (n->op->flags & (KRTI_OP_LEAF | KRTI_OP_VIEW))
        return 0;
    if (n->op->flops != NULL)
        return n->op->flops(n);
    const int64_t size = krt_shape_size(n->out[0].shape);
    return size == KRT_NONE ? 0 : (double)size;
}
