/* Building models from C: Sequential's add, symbolic tensors and Functional.
 * Keras: models/sequential.py, layers/core/input_layer.py, models/functional.py.
 *
 * A krt_ktensor remembers the call that made it, as a KerasTensor does. krt_functional() walks back
 * from the outputs and turns the calls it meets into the nodes of a model, in the order in which
 * Keras's own walk lists them, so that files written later have Keras's order. */
#include "models/model.h"

/* One call of one layer on symbolic tensors. */
typedef struct calling {
    krt_layer *layer;
    size_t num_in;
    krt_ktensor **in;
    int call; /* which call of the layer */
    int mark; /* of the walk under way: 0 new, 1 entered, 2 done */
    int node; /* in the model being made */
    int depth;
    int entered; /* position in the order of entering */
    size_t num_out;
    struct result {
        krt_dtype dtype;
        krt_shape shape;
    } * out;
} calling;

struct krt_ktensor {
    krti_owned owned;
    calling *made_by;
    int index; /* which output */
    krt_dtype dtype;
    krt_shape shape;
    bool owns_call; /* the one that krt_call_layer() gave frees the calling */
};

/* ------------------------------------------------------------------------------- Sequential */

krt_model *krt_sequential(krt_ctx *k, const krt_model_args *args)
{
    static const krt_model_args defaults = {.struct_size = sizeof defaults};
    krt_model_args a;
    krt_model *m = NULL;
    krt_status st = KRT_OK;

    TRY(krti_args_import(k, &a, &defaults, sizeof a, args));
    TRY(krti_models_register(k));
    TRY(krti_model_alloc(k, &m, "Sequential"));
    m->is_sequential = true;
    TRY(krti_layer_set_name(&m->base, a.name));

done:
    if (st != KRT_OK) {
        krt_model_free(m);
        return NULL;
    }
    return m;
}

static krt_status remember(krt_model *m, krt_status st)
{
    if (m->failed == KRT_OK)
        m->failed = st;
    return m->failed;
}

/* The batch dimension in front. */
static krt_shape with_batch(krt_shape shape, int64_t batch)
{
    krt_shape s = {.rank = shape.rank + 1};

    s.dim[0] = batch;
    for (int i = 0; i < shape.rank; i++)
        s.dim[i + 1] = shape.dim[i];
    return s;
}

static krt_status make_input(krt_ctx *k, krt_layer **layer, krt_dtype *dtype, krt_shape *shape,
                             const krt_input_args *args)
{
    static const krt_input_args defaults = {.struct_size = sizeof defaults, .batch_size = KRT_NONE};
    krt_input_args a;
    krt_status st = krti_args_import(k, &a, &defaults, sizeof a, args);

    if (st != KRT_OK)
        return st;
    *dtype = a.dtype != NULL ? krt_dtype_from_name(a.dtype) : KRT_FLOAT32;
    if (*dtype == KRT_DTYPE_NONE)
        return krti_fail(k, KRT_E_INVALID, a.name, "unknown dtype \"%s\"", a.dtype);
    if (shape->rank < 0 || shape->rank >= KRT_MAX_RANK)
        return krti_fail(k, KRT_E_INVALID, a.name, "an input of rank %d, at most %d are possible",
                         shape->rank, KRT_MAX_RANK - 1);
    *shape = with_batch(*shape, a.batch_size);
    st = krti_layer_alloc(k, layer, sizeof **layer, "InputLayer");
    if (st != KRT_OK)
        return st;
    (*layer)->cls = krti_class_find(k, "InputLayer");
    (*layer)->generation = 3;
    (*layer)->is_built = true;
    (*layer)->dtype_policy = krt_dtype_name(*dtype);
    st = krti_args_copy(k, &(*layer)->arena, (*layer)->cls,
                        KRT_INPUT_LAYER(*shape, .dtype = krt_dtype_name(*dtype)), &(*layer)->args);
    if (*dtype == KRT_FLOAT16 || *dtype == KRT_BFLOAT16) /* rounded to, computed in float32 */
        *dtype = KRT_FLOAT32;
    return st == KRT_OK ? krti_layer_set_name(*layer, a.name) : st;
}

krt_status krt_add_input(krt_model *m, krt_shape shape, const krt_input_args *args)
{
    krt_layer *layer = NULL;
    krt_dtype dtype = KRT_FLOAT32;
    krt_status st = m->failed;

    if (st != KRT_OK)
        return st;
    if (m->num_inputs > 0 || m->num_layers > 0)
        return remember(m,
                        krti_layer_fail(&m->base, KRT_E_STATE, "the input comes first and once"));
    st = make_input(m->base.owned.k, &layer, &dtype, &shape, args);
    if (st == KRT_OK)
        st = krti_model_keep(m, layer);
    if (st == KRT_OK)
        st = krti_model_add_input(m, layer, layer->name, dtype, shape);
    return remember(m, st);
}

/* Wires and traces the chain anew; layers that are built stay as they are. */
static krt_status rebuild(krt_model *m)
{
    krt_status st = KRT_OK;

    m->num_nodes = 0;
    m->num_outputs = 0;
    if (m->num_inputs == 0)
        return KRT_OK; /* without a shape nothing can be built yet */
    st = krti_sequential_wire(m);
    return st == KRT_OK ? krti_model_build(m) : st;
}

krt_status krt_add_layer(krt_model *m, krt_layer *layer)
{
    krt_model *inner = krti_model_of(layer);
    krt_status st = m->failed;

    if (st != KRT_OK)
        return st;
    for (size_t i = 0; i < m->num_layers; i++)
        if (strcmp(m->layers[i]->name, layer->name) == 0)
            return remember(m,
                            krti_layer_fail(&m->base, KRT_E_INVALID,
                                            "all layers of a Sequential need names of their own; "
                                            "\"%s\" is taken",
                                            layer->name));
    if (m->num_inputs == 0 && inner != NULL && inner->num_inputs == 1)
        st = krti_model_add_input(m, NULL, inner->inputs[0].name, inner->inputs[0].dtype,
                                  inner->inputs[0].shape);
    if (st == KRT_OK)
        st = krti_model_add_layer(m, layer);
    if (st == KRT_OK)
        st = rebuild(m);
    return remember(m, st);
}

krt_status krt_add(krt_model *m, const krt_spec *spec)
{
    krt_layer *layer = NULL;
    krt_status st = m->failed;

    if (st != KRT_OK)
        return st;
    st = krti_layer_from_spec(m->base.owned.k, &layer, spec);
    if (st == KRT_OK)
        st = krti_model_keep(m, layer);
    return st == KRT_OK ? krt_add_layer(m, layer) : remember(m, st);
}

/* ------------------------------------------------------------------------------- symbolic tensors */

static void calling_free(krt_ctx *k, calling *c)
{
    krti_free(k, c->in);
    krti_free(k, c->out);
    krti_free(k, c);
}

static void ktensor_destroy(void *self)
{
    krt_ktensor *t = self;
    krt_ctx *k = t->owned.k;

    if (t->owns_call)
        calling_free(k, t->made_by);
    krti_free(k, t);
}

/* With room for `num_out` results. */
static calling *calling_new(krt_ctx *k, krt_layer *layer, krt_ktensor *const *in, size_t n,
                            size_t num_out)
{
    calling *c = krti_alloc(k, sizeof *c);

    if (c == NULL)
        return NULL;
    c->layer = layer;
    c->num_in = n;
    c->num_out = num_out;
    c->in = krti_array(k, n + 1, sizeof(krt_ktensor *));
    c->out = krti_array(k, num_out, sizeof *c->out);
    if (c->in == NULL || c->out == NULL) {
        calling_free(k, c);
        return NULL;
    }
    for (size_t i = 0; i < n; i++)
        c->in[i] = in[i];
    c->call = layer->num_calls++;
    return c;
}

static krt_ktensor *ktensor_new(krt_ctx *k, calling *c, size_t index)
{
    krt_ktensor *t = c != NULL ? krti_alloc(k, sizeof *t) : NULL;

    if (t == NULL)
        return NULL;
    t->made_by = c;
    t->index = (int)index;
    t->dtype = c->out[index].dtype;
    t->shape = c->out[index].shape;
    krti_own(k, &t->owned, ktensor_destroy);
    return t;
}

/* The one that goes with the call. */
static krt_ktensor *first_of(krt_ctx *k, calling *c)
{
    krt_ktensor *const t = ktensor_new(k, c, 0);

    if (t != NULL)
        t->owns_call = true;
    else if (c != NULL)
        calling_free(k, c);
    return t;
}

krt_ktensor *krt_input(krt_ctx *k, krt_shape shape, const krt_input_args *args)
{
    krt_layer *layer = NULL;
    krt_dtype dtype = KRT_FLOAT32;

    if (make_input(k, &layer, &dtype, &shape, args) != KRT_OK)
        return NULL;
    calling *const c = calling_new(k, layer, NULL, 0, 1);
    if (c != NULL)
        c->out[0] = (struct result){dtype, shape};
    return first_of(k, c);
}

krt_layer *krt_layer_new(krt_ctx *k, const krt_spec *spec)
{
    krt_layer *layer = NULL;

    if (krti_models_register(k) != KRT_OK)
        return NULL;
    return krti_layer_from_spec(k, &layer, spec) == KRT_OK ? layer : NULL;
}

/* Traces the layer on the tensors' shapes, in a graph thrown away at once. */
static krt_status infer(krt_ctx *k, krt_layer *layer, krt_ktensor *const *in, size_t n,
                        calling **out)
{
    krti_graph *g = NULL;
    krt_value **values = krti_array(k, n + 1, sizeof *values);
    krt_value **masks = krti_array(k, n + 1, sizeof *masks);
    krt_status st = values != NULL && masks != NULL ? krti_graph_new(k, &g) : KRT_E_NOMEM;
    krt_call c = {.num_in = n, .in = values, .in_mask = masks};

    for (size_t i = 0; st == KRT_OK && i < n; i++)
        values[i] = krti_input(g, in[i]->dtype, in[i]->shape);
    if (st == KRT_OK)
        st = g->status;
    if (st == KRT_OK)
        st = krti_layer_trace(layer, g, &c);
    if (st == KRT_OK && (*out = calling_new(k, layer, in, n, c.num_out)) == NULL)
        st = KRT_E_NOMEM;
    for (size_t i = 0; st == KRT_OK && i < c.num_out; i++) {
        (*out)->out[i] = (struct result){c.out[i]->dtype, c.out[i]->shape};
        if (n == 1 && i == 0 && krti_claims_to_build(layer))
            (*out)->out[i].shape = krti_claimed_shape(layer, in[0]->shape, c.out[i]->shape);
    }
    krti_graph_free(g);
    krti_free(k, values);
    krti_free(k, masks);
    return st;
}

static krt_ktensor *apply(krt_layer *layer, krt_ktensor *const *in, size_t n)
{
    calling *c = NULL;

    for (size_t i = 0; i < n; i++)
        if (in[i] == NULL)
            return NULL;
    if (layer == NULL || n == 0 || infer(layer->owned.k, layer, in, n, &c) != KRT_OK)
        return NULL;
    return first_of(layer->owned.k, c);
}

krt_ktensor *krt_ktensor_at(krt_ktensor *y, size_t i)
{
    if (y == NULL || (size_t)y->index == i)
        return y;
    if (i < y->made_by->num_out)
        return ktensor_new(y->owned.k, y->made_by, i);
    (void)krti_layer_fail(y->made_by->layer, KRT_E_INVALID,
                          "result %zu was asked for, the layer gives %zu", i, y->made_by->num_out);
    return NULL;
}

krt_ktensor *krt_call_layer_n(krt_layer *layer, krt_ktensors x)
{
    return apply(layer, x.items, x.n);
}

krt_ktensor *krt_call_layer(krt_layer *layer, krt_ktensor *x)
{
    return x != NULL ? apply(layer, &x, 1) : NULL;
}

krt_ktensor *krt_apply(krt_ktensor *x, const krt_spec *layer)
{
    return x != NULL ? apply(krt_layer_new(x->owned.k, layer), &x, 1) : NULL;
}

krt_ktensor *krt_apply_n(krt_ktensors x, const krt_spec *layer)
{
    for (size_t i = 0; i < x.n; i++)
        if (x.items[i] == NULL)
            return NULL;
    return x.n > 0 ? apply(krt_layer_new(x.items[0]->owned.k, layer), x.items, x.n) : NULL;
}

/* ------------------------------------------------------------------------------- Functional */

typedef struct walk {
    krt_ctx *k;
    calling **calls; /* inputs before users */
    size_t n, capacity;
    calling **stack;
    size_t top, stack_capacity;
    int entered;
} walk;

static krt_status push(walk *w, calling *c)
{
    const krt_status st =
        krti_grow(w->k, &w->stack, &w->stack_capacity, w->top + 1, sizeof *w->stack);

    if (st != KRT_OK)
        return st;
    c->mark = 1;
    c->entered = w->entered++;
    w->stack[w->top++] = c;
    return KRT_OK;
}

static krt_status finish(walk *w, calling *c)
{
    const krt_status st = krti_grow(w->k, &w->calls, &w->capacity, w->n + 1, sizeof *w->calls);

    if (st != KRT_OK)
        return st;
    c->mark = 2;
    w->calls[w->n++] = c;
    w->top--;
    return KRT_OK;
}

static krt_status walk_back(walk *w, calling *root)
{
    krt_status st = root->mark == 0 ? push(w, root) : KRT_OK;

    while (st == KRT_OK && w->top > 0) {
        calling *c = w->stack[w->top - 1], *next = NULL;

        for (size_t i = 0; i < c->num_in && next == NULL; i++)
            if (c->in[i]->made_by->mark == 0)
                next = c->in[i]->made_by;
        st = next != NULL ? push(w, next) : finish(w, c);
    }
    return st;
}

/* Keras's order of layers: farthest from the outputs first, ties as the walk entered them. The
 * calls are in an order in which inputs come first, so going backwards sees users before. */
static void find_depths(walk *w)
{
    for (size_t i = w->n; i-- > 0;) {
        calling *c = w->calls[i];

        for (size_t j = i + 1; j < w->n; j++)
            if (w->calls[j]->layer == c->layer && w->calls[j]->depth > c->depth)
                c->depth = w->calls[j]->depth;
        for (size_t j = 0; j < c->num_in; j++)
            if (c->in[j]->made_by->depth < c->depth + 1)
                c->in[j]->made_by->depth = c->depth + 1;
    }
}

static bool comes_before(const calling *a, const calling *b)
{
    return a->depth != b->depth ? a->depth > b->depth : a->entered < b->entered;
}

static bool has_layer(const krt_model *m, const krt_layer *layer)
{
    for (size_t i = 0; i < m->num_layers; i++)
        if (m->layers[i] == layer)
            return true;
    return false;
}

/* Insertion sort: a few hundred layers at most are written by hand. */
static krt_status list_layers(krt_model *m, walk *w)
{
    krt_status st = KRT_OK;

    for (size_t i = 1; i < w->n; i++) {
        calling *c = w->calls[i];
        size_t j = i;

        for (; j > 0 && comes_before(c, w->calls[j - 1]); j--)
            w->calls[j] = w->calls[j - 1];
        w->calls[j] = c;
    }
    for (size_t i = 0; st == KRT_OK && i < w->n; i++)
        if (!has_layer(m, w->calls[i]->layer))
            st = krti_model_add_layer(m, w->calls[i]->layer);
    return st;
}

static krt_status add_inputs(krt_model *m, krt_ktensors inputs)
{
    krt_status st = KRT_OK;

    for (size_t i = 0; i < inputs.n; i++) {
        const krt_ktensor *t = inputs.items[i];

        if (t->made_by->num_in > 0)
            return krti_layer_fail(&m->base, KRT_E_INVALID,
                                   "input %zu is the output of layer \"%s\", expected krt_input()",
                                   i, t->made_by->layer->name);
        t->made_by->node = (int)i;
        TRY(krti_model_add_input(m, t->made_by->layer, t->made_by->layer->name, t->dtype,
                                 t->shape));
        TRY(krti_model_add_node(m, &(krti_model_node){.layer = t->made_by->layer}));
    }

done:
    return st;
}

static krt_status add_call(krt_model *m, calling *c)
{
    krti_model_node n = {
        .layer = c->layer, .call = c->call, .num_in = c->num_in, .num_refs = c->num_in};

    if (c->num_in == 0) {
        if (c->node >= 0)
            return KRT_OK;
        return krti_layer_fail(&m->base, KRT_E_INVALID,
                               "the graph needs the input \"%s\", which is not among the inputs",
                               c->layer->name);
    }
    n.refs = krti_arena_array(&m->base.arena, c->num_in, sizeof *n.refs);
    if (n.refs == NULL)
        return KRT_E_NOMEM;
    for (size_t i = 0; i < c->num_in; i++)
        n.refs[i] = (krti_ref){c->in[i]->made_by->node, c->in[i]->index};
    c->node = (int)m->num_nodes;
    return krti_model_add_node(m, &n);
}

/* Leaves the calls as they were: they may be walked again for another model. */
static void reset(walk *w)
{
    for (size_t i = 0; i < w->n; i++) {
        w->calls[i]->mark = 0;
        w->calls[i]->depth = 0;
        w->calls[i]->node = -1;
    }
}

static krt_status wire(krt_model *m, walk *w, krt_ktensors inputs, krt_ktensors outputs)
{
    krt_status st = KRT_OK;

    for (size_t i = 0; i < outputs.n; i++)
        TRY(walk_back(w, outputs.items[i]->made_by));
    for (size_t i = 0; i < w->n; i++)
        w->calls[i]->node = -1;
    TRY(add_inputs(m, inputs));
    for (size_t i = 0; i < w->n; i++)
        TRY(add_call(m, w->calls[i]));
    for (size_t i = 0; i < outputs.n; i++)
        TRY(krti_model_add_output(
            m, (krti_ref){outputs.items[i]->made_by->node, outputs.items[i]->index}));
    find_depths(w);
    TRY(list_layers(m, w));
    TRY(krti_model_build(m));

done:
    return st;
}

static bool any_null(krt_ktensors t)
{
    for (size_t i = 0; i < t.n; i++)
        if (t.items[i] == NULL)
            return true;
    return t.n == 0;
}

krt_model *krt_functional(krt_ctx *k, krt_ktensors inputs, krt_ktensors outputs,
                          const krt_model_args *args)
{
    static const krt_model_args defaults = {.struct_size = sizeof defaults};
    krt_model_args a;
    walk w = {.k = k};
    krt_model *m = NULL;
    krt_status st = KRT_OK;

    if (any_null(inputs) || any_null(outputs))
        return NULL; /* the context has said why */
    TRY(krti_args_import(k, &a, &defaults, sizeof a, args));
    TRY(krti_models_register(k));
    TRY(krti_model_alloc(k, &m, "Functional"));
    m->is_functional = true;
    TRY(krti_layer_set_name(&m->base, a.name));
    TRY(wire(m, &w, inputs, outputs));

done:
    reset(&w);
    krti_free(k, w.calls);
    krti_free(k, w.stack);
    if (st != KRT_OK) {
        krt_model_free(m);
        return NULL;
    }
    return m;
}
