/* Models as layers: making them, tracing their nodes, looking inside. See model.h. */
#include "models/model.h"

#include <stdlib.h>

/* ------------------------------------------------------------------------------- the class */

static krt_status call_model(const krt_layer *l, const void *args, krt_call *c)
{
    krt_model *m = krti_model_of(l);
    krt_value *out[KRTI_MAX_CALL_OUT], *out_mask[KRTI_MAX_CALL_OUT];
    krt_status st = KRT_OK;

    (void)args;
    if (m->num_outputs > KRTI_MAX_CALL_OUT)
        return krti_layer_fail(l, KRT_E_UNSUPPORTED, "more than %d outputs", KRTI_MAX_CALL_OUT);
    TRY(krti_model_trace(m, c->g, c->in, c->in_mask, c->num_in, c->training, c->user, out,
                         out_mask));
    for (size_t i = 0; i < m->num_outputs; i++) {
        TRY(krt_call_output(c, i, out[i]));
        krti_call_set_mask(c, i, out_mask[i]);
    }

done:
    return st;
}

static krt_status model_from_object(krt_ctx *k, krt_layer **out, const krti_conf *object,
                                    int depth);

static krti_conf *model_to_object(krti_arena *a, const krt_layer *l)
{
    krti_conf *object = NULL;

    return krti_model_to_conf(a, krti_model_of(l), &object) == KRT_OK ? object : NULL;
}

#define MODEL_CLASS(title)                                              \
    {                                                                   \
        .base = {.struct_size = sizeof(krt_layer_class),                \
                 .name = title,                                         \
                 .call = call_model,                                    \
                 .flags = KRTI_LAYER_HOOKS},                            \
        .from_object = model_from_object, .to_object = model_to_object, \
    }
static const krti_class model_classes[] = {MODEL_CLASS("Sequential"), MODEL_CLASS("Functional"),
                                           MODEL_CLASS("Model")};

krt_status krti_models_register(krt_ctx *k)
{
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < KRTI_COUNT(model_classes); i++)
        if (krti_class_find(k, model_classes[i].base.name) == NULL)
            st = krti_class_add(k, &k->classes, &model_classes[i].base);
    return st;
}

krt_model *krti_model_of(const krt_layer *l)
{
    const bool is_model = l != NULL && l->cls != NULL && l->cls->call == call_model;

    return is_model ? (krt_model *)(uintptr_t)l : NULL;
}

/* ------------------------------------------------------------------------------- life */

/* When the context goes, it frees every layer itself. */
static void free_kept(krt_model *m)
{
    for (size_t i = 0; !m->base.owned.k->is_closing && i < m->num_kept; i++) {
        krti_owned *layer = &m->kept[i]->owned;

        krti_disown(layer);
        layer->destroy(layer);
    }
    krti_free(m->base.owned.k, m->kept);
}

static void model_fini(krt_layer *l)
{
    krt_model *m = (krt_model *)l;
    krt_ctx *k = l->owned.k;

    if (m->training != NULL)
        m->free_training(m->training);
    if (m->saved != NULL)
        m->free_saved(m->saved);
    krti_plans_free(m->plans);
    free_kept(m);
    krti_free(k, m->nodes);
    krti_free(k, m->inputs);
    krti_free(k, m->outputs);
    krti_free(k, m->layers);
    krti_free(k, m->trained.items);
}

krt_status krti_model_alloc(krt_ctx *k, krt_model **out, const char *class_name)
{
    krt_layer *l = NULL;
    krt_status st = krti_layer_alloc(k, &l, sizeof(krt_model), class_name);

    *out = (krt_model *)l;
    if (st != KRT_OK)
        return st;
    l->cls = &model_classes[0].base;
    l->fini = model_fini;
    l->shares_inner = true;
    l->is_built = true; /* its layers build themselves while it is traced */
    return KRT_OK;
}

void krt_model_free(krt_model *m)
{
    if (m == NULL)
        return;
    krti_disown(&m->base.owned);
    m->base.owned.destroy(m);
}

krt_status krti_model_keep(krt_model *m, krt_layer *layer)
{
    const krt_status st = krti_grow(m->base.owned.k, &m->kept, &m->kept_capacity, m->num_kept + 1,
                                    sizeof(krt_layer *));

    if (st == KRT_OK)
        m->kept[m->num_kept++] = layer;
    return st;
}

krt_status krti_model_add_layer(krt_model *m, krt_layer *layer)
{
    krt_status st = krti_grow(m->base.owned.k, &m->layers, &m->layers_capacity, m->num_layers + 1,
                              sizeof(krt_layer *));

    if (st == KRT_OK)
        m->layers[m->num_layers++] = layer;
    return st == KRT_OK ? krti_layer_add_inner(&m->base, "layers", true, layer) : st;
}

static bool is_half(krt_dtype dtype)
{
    return dtype == KRT_FLOAT16 || dtype == KRT_BFLOAT16;
}

krt_status krti_model_add_input(krt_model *m, krt_layer *layer, const char *name, krt_dtype dtype,
                                krt_shape shape)
{
    const krt_dtype declared = layer != NULL ? krt_dtype_from_name(layer->dtype_policy) : dtype;
    const krt_status st = krti_grow(m->base.owned.k, &m->inputs, &m->inputs_capacity,
                                    m->num_inputs + 1, sizeof *m->inputs);

    if (st == KRT_OK)
        m->inputs[m->num_inputs++] =
            (krti_model_input){layer, name, is_half(dtype) ? KRT_FLOAT32 : dtype,
                               is_half(declared) ? declared : dtype, shape};
    return st;
}

krt_status krti_model_add_node(krt_model *m, const krti_model_node *node)
{
    const krt_status st = krti_grow(m->base.owned.k, &m->nodes, &m->nodes_capacity,
                                    m->num_nodes + 1, sizeof *m->nodes);

    if (st == KRT_OK)
        m->nodes[m->num_nodes++] = *node;
    return st;
}

krt_status krti_model_add_output(krt_model *m, krti_ref ref)
{
    const krt_status st = krti_grow(m->base.owned.k, &m->outputs, &m->outputs_capacity,
                                    m->num_outputs + 1, sizeof *m->outputs);

    if (st == KRT_OK)
        m->outputs[m->num_outputs++] = ref;
    return st;
}

/* ------------------------------------------------------------------------------- order */

typedef struct sorting {
    const krt_model *m;
    int *order; /* new position -> old */
    size_t num_order;
    unsigned char *state; /* 0 new, 1 entered, 2 placed */
    int *stack;
} sorting;

/* Places a node behind everything it needs; false when it needs itself. */
static bool place(sorting *s, int root)
{
    size_t top = 0;

    s->stack[top++] = root;
    while (top > 0) {
        const int at = s->stack[top - 1];
        const krti_model_node *n = &s->m->nodes[at];
        int next = -1;

        s->state[at] = 1;
        for (size_t i = 0; i < n->num_refs && next < 0; i++) {
            if (s->state[n->refs[i].node] == 1)
                return false;
            if (s->state[n->refs[i].node] == 0)
                next = n->refs[i].node;
        }
        if (next >= 0) {
            s->stack[top++] = next;
            continue;
        }
        top--;
        s->state[at] = 2;
        s->order[s->num_order++] = at;
    }
    return true;
}

static krt_status apply_order(krt_model *m, const int *order)
{
    krt_ctx *k = m->base.owned.k;
    krti_model_node *sorted = krti_array(k, m->num_nodes + 1, sizeof *sorted);
    int *position = krti_array(k, m->num_nodes + 1, sizeof *position);

    if (sorted == NULL || position == NULL) {
        krti_free(k, sorted);
        krti_free(k, position);
        return KRT_E_NOMEM;
    }
    for (size_t i = 0; i < m->num_nodes; i++) {
        sorted[i] = m->nodes[order[i]];
        position[order[i]] = (int)i;
    }
    for (size_t i = 0; i < m->num_nodes; i++)
        for (size_t j = 0; j < sorted[i].num_refs; j++)
            sorted[i].refs[j].node = position[sorted[i].refs[j].node];
    for (size_t i = 0; i < m->num_outputs; i++)
        m->outputs[i].node = position[m->outputs[i].node];
    memcpy(m->nodes, sorted, m->num_nodes * sizeof *sorted);
    krti_free(k, sorted);
    krti_free(k, position);
    return KRT_OK;
}

krt_status krti_model_sort_nodes(krt_model *m)
{
    krt_ctx *k = m->base.owned.k;
    sorting s = {.m = m};
    krt_status st = KRT_OK;

    s.order = krti_array(k, m->num_nodes + 1, sizeof *s.order);
    s.stack = krti_array(k, m->num_nodes + 1, sizeof *s.stack);
    s.state = krti_array(k, m->num_nodes + 1, 1);
    if (s.order == NULL || s.stack == NULL || s.state == NULL)
        TRY(KRT_E_NOMEM);
    for (size_t i = 0; i < m->num_nodes; i++)
        if (s.state[i] == 0 && !place(&s, (int)i))
            TRY(krti_layer_fail(&m->base, KRT_E_FORMAT,
                                "Invalid Functional model configuration. The graph of the "
                                "Functional model either has loops or disconnected nodes"));
    TRY(apply_order(m, s.order));

done:
    krti_free(k, s.order);
    krti_free(k, s.stack);
    krti_free(k, s.state);
    return st;
}

/* ------------------------------------------------------------------------------- tracing */

/* The values of one trace of one model: by node, then by output. */
typedef struct values {
    krt_value **value, **mask;
    size_t *first; /* by node: its first entry in the two above */
    size_t *count;
    size_t n, capacity, mask_capacity;
} values;

static void values_free(krt_ctx *k, values *v)
{
    krti_free(k, v->value);
    krti_free(k, v->mask);
    krti_free(k, v->first);
    krti_free(k, v->count);
}

static krt_status values_new(krt_ctx *k, values *v, size_t num_nodes)
{
    *v = (values){0};
    v->first = krti_array(k, num_nodes + 1, sizeof *v->first);
    v->count = krti_array(k, num_nodes + 1, sizeof *v->count);
    return v->first != NULL && v->count != NULL ? KRT_OK : KRT_E_NOMEM;
}

static krt_status values_put(krt_ctx *k, values *v, size_t node, krt_value *const *value,
                             krt_value *const *mask, size_t n)
{
    krt_status st = krti_grow(k, &v->value, &v->capacity, v->n + n, sizeof *v->value);

    if (st == KRT_OK)
        st = krti_grow(k, &v->mask, &v->mask_capacity, v->n + n, sizeof *v->mask);
    if (st != KRT_OK)
        return st;
    v->first[node] = v->n;
    v->count[node] = n;
    for (size_t i = 0; i < n; i++) {
        v->value[v->n] = value[i];
        v->mask[v->n++] = mask != NULL ? mask[i] : NULL;
    }
    return KRT_OK;
}

static krt_value *values_get(const values *v, krti_ref ref, krt_value **mask)
{
    if (ref.tensor < 0 || (size_t)ref.tensor >= v->count[ref.node])
        return NULL;
    const size_t i = v->first[ref.node] + (size_t)ref.tensor;

    if (mask != NULL)
        *mask = v->mask[i];
    return v->value[i];
}

/* Keras 3 records the mask a layer was called with as a tensor of its own. */
static void take_recorded_mask(const krti_model_node *n, krt_value *const *in, krt_value **in_mask)
{
    const krti_conf *mask = krti_conf_get(n->kwargs, "mask");
    const int64_t i = krti_conf_get_int(mask, "__value__", -1);

    if (i >= 0 && (size_t)i < n->num_refs && n->num_in > 0 && in_mask[0] == NULL)
        in_mask[0] = in[i];
}

/* Keras's MultiHeadAttention takes the masks off the very tensors it was called with. */
static void take_masks(values *v, krt_value *const *in, size_t n)
{
    for (size_t i = 0; i < v->n; i++)
        for (size_t j = 0; j < n; j++)
            if (v->value[i] == in[j])
                v->mask[i] = NULL;
}

static void tap(krti_tracing *t, const krt_layer *layer, const krt_call *c)
{
    if (t == NULL || t->tap != layer || t->num_tapped > 0)
        return;
    memcpy(t->tapped, c->out, c->num_out * sizeof c->out[0]);
    t->num_tapped = c->num_out;
}

/* The value may be the layer's input, so one that goes on with another size is a new one. */
static void claim(krti_tracing *t, const krt_layer *layer, krt_value *const *in, krt_call *c)
{
    if (t == NULL || c->num_in == 0 || c->num_out == 0 || !krti_claims_shape(layer))
        return;
    if (krti_claims_to_build(layer)) {
        if (t->is_symbolic)
            c->out[0] = krti_input(c->g, c->out[0]->dtype,
                                   krti_claimed_shape(layer, in[0]->shape, c->out[0]->shape));
        return;
    }
    t->has_claims = true;
    if (t->claims)
        c->out[0]->shape = krti_claimed_shape(layer, in[0]->shape, c->out[0]->shape);
}

/* A failed inner trace of what merely has no implementation leaves the rest to be looked at. */
static bool is_missing_implementation(krt_status st)
{
    return st == KRT_E_UNKNOWN_CLASS || st == KRT_E_UNSUPPORTED;
}

static krt_status trace_node(krt_model *m, krti_graph *g, size_t at, values *v, bool training,
                             krti_tracing *tracing)
{
    const krti_model_node *n = &m->nodes[at];
    krt_ctx *k = g->k;
    krt_value **in = krti_array(k, n->num_refs + 1, sizeof *in);
    krt_value **in_mask = krti_array(k, n->num_refs + 1, sizeof *in_mask);
    krt_call c = {.training = training,
                  .num_in = n->num_in,
                  .num_values = n->num_refs,
                  .args = n->args,
                  .kwargs = n->kwargs,
                  .user = tracing};
    bool complete = true;
    krt_status st = in != NULL && in_mask != NULL ? KRT_OK : KRT_E_NOMEM;

    for (size_t i = 0; st == KRT_OK && i < n->num_refs; i++) {
        in[i] = values_get(v, n->refs[i], &in_mask[i]);
        complete = complete && in[i] != NULL;
    }
    if (st == KRT_OK && complete) {
        take_recorded_mask(n, in, in_mask);
        c.in = in;
        c.in_mask = in_mask;
        st = krti_layer_trace(n->layer, g, &c);
        if (st == KRT_OK && c.takes_masks)
            take_masks(v, in, n->num_refs);
        if (st == KRT_OK)
            claim(tracing, n->layer, in, &c);
        st = st == KRT_OK ? g->status : st;
        if (st == KRT_OK)
            st = values_put(k, v, at, c.out, c.out_mask, c.num_out);
        if (st == KRT_OK)
            tap(tracing, n->layer, &c);
    }
    krti_free(k, in);
    krti_free(k, in_mask);
    return st;
}

static krt_status trace_nodes(krt_model *m, krti_graph *g, values *v, bool training,
                              krti_tracing *tracing)
{
    krt_status first = KRT_OK;

    for (size_t i = m->num_inputs; i < m->num_nodes; i++) {
        const krt_status st = trace_node(m, g, i, v, training, tracing);

        if (st == KRT_OK)
            continue;
        if (!is_missing_implementation(st))
            return st;
        if (first == KRT_OK)
            first = st;
        g->status = KRT_OK; /* look on: what follows may still be built */
    }
    return first;
}

static krt_status check_num_inputs(const krt_model *m, size_t num_in)
{
    if (num_in == m->num_inputs)
        return KRT_OK;
    return krti_layer_fail(&m->base, KRT_E_INVALID, "the model has %zu inputs, it is called on %zu",
                           m->num_inputs, num_in);
}

/* Remembers each node's shapes: the summary prints them. What a second trace does not get at stays
 * as the first left it. */
static krt_status learn_nodes(krt_model *m, const values *v)
{
    for (size_t i = 0; i < m->num_nodes; i++) {
        krti_model_node *n = &m->nodes[i];
        krt_shape *shapes = NULL;
        krt_dtype *dtypes = NULL;

        if (v->count[i] == 0)
            continue;
        shapes = krti_arena_array(&m->base.arena, v->count[i], sizeof *shapes);
        dtypes = krti_arena_array(&m->base.arena, v->count[i], sizeof *dtypes);
        if (shapes == NULL || dtypes == NULL)
            return KRT_E_NOMEM;
        n->out_shapes = shapes;
        n->out_dtypes = dtypes;
        n->num_out = v->count[i];
        for (size_t j = 0; j < v->count[i]; j++) {
            shapes[j] = v->value[v->first[i] + j]->shape;
            dtypes[j] = v->value[v->first[i] + j]->dtype;
        }
    }
    return KRT_OK;
}

static void learn_outputs(krt_model *m, const values *v)
{
    for (size_t i = 0; i < m->num_outputs; i++) {
        const krt_value *value = values_get(v, m->outputs[i], NULL);

        m->output_shapes[i] = value != NULL ? value->shape : (krt_shape){.rank = -1};
    }
}

/* Only a trace on the model's own shapes comes with LEARN_. */
enum learning { LEARN_NOTHING, LEARN_NODES, LEARN_ALL };

/* Keras converts what comes in to the input's dtype; everything here is computed in float32. */
static krt_value *round_input(krti_graph *g, const krti_model_input *input, krt_value *x)
{
    if (x == NULL || x->dtype != KRT_FLOAT32 || input->rounded == input->dtype)
        return x;
    return krti_cast(g, krti_cast(g, x, input->rounded), KRT_FLOAT32);
}

static krt_status trace_model(krt_model *m, krti_graph *g, krt_value *const *in,
                              krt_value *const *in_mask, bool training, krti_tracing *tracing,
                              krt_value **out, krt_value **out_mask, enum learning learning)
{
    values v;
    krt_status st = values_new(g->k, &v, m->num_nodes), traced = KRT_OK;

    if (st != KRT_OK)
        goto done;
    for (size_t i = 0; i < m->num_inputs; i++) {
        krt_value *x = round_input(g, &m->inputs[i], in[i]);

        TRY(values_put(g->k, &v, i, &x, in_mask != NULL ? &in_mask[i] : NULL, 1));
    }
    traced = trace_nodes(m, g, &v, training, tracing);
    if (traced != KRT_OK && !is_missing_implementation(traced))
        TRY(traced);
    if (learning != LEARN_NOTHING)
        TRY(learn_nodes(m, &v));
    if (learning == LEARN_ALL)
        learn_outputs(m, &v);
    for (size_t i = 0; traced == KRT_OK && i < m->num_outputs; i++) {
        krt_value *mask = NULL, *value = values_get(&v, m->outputs[i], &mask);

        if (out != NULL) {
            out[i] = value;
            out_mask[i] = mask;
        }
        if (value == NULL)
            TRY(krti_layer_fail(&m->base, KRT_E_FORMAT, "output %zu is not made by any layer", i));
    }
    st = traced;

done:
    values_free(g->k, &v);
    return st;
}

krt_status krti_model_trace(krt_model *m, krti_graph *g, krt_value *const *in,
                            krt_value *const *in_mask, size_t num_in, bool training,
                            krti_tracing *tracing, krt_value **out, krt_value **out_mask)
{
    const krt_status st = check_num_inputs(m, num_in);

    if (st != KRT_OK)
        return st;
    return trace_model(m, g, in, in_mask, training, tracing, out, out_mask, LEARN_NOTHING);
}

static krt_status build_from_config(krt_layer *l, const krti_conf *object)
{
    const krti_conf *build = krti_conf_get(object, "build_config");
    const krt_shape shape = krti_shape_from_conf(krti_conf_get(build, "input_shape"));

    if (l->is_built || l->cls == NULL || shape.rank < 0)
        return KRT_OK;
    return krti_layer_build(l, &shape, 1);
}

/* Layers behind something that cannot be traced are built from what Keras 3 wrote down. The list
 * of the file holds model.layers in order, operations and inputs between them. */
static krt_status build_from_configs(krt_model *m)
{
    const krti_conf *objects = krti_conf_get(krti_conf_get(m->config, "config"), "layers");
    krt_status st = KRT_OK;

    for (size_t i = 0, next = 0; i < krti_conf_num(objects) && next < m->num_layers; i++) {
        const krti_conf *object = krti_conf_at(objects, i);
        const char *name = krti_conf_get_text(krti_conf_get(object, "config"), "name");

        if (name == NULL || strcmp(name, m->layers[next]->name) != 0)
            continue;
        st = build_from_config(m->layers[next++], object);
        if (st != KRT_OK)
            break;
    }
    return st;
}

/* One trace in a graph that is thrown away. */
static krt_status trace_and_learn(krt_model *m, krti_tracing *tracing, enum learning learning)
{
    krt_ctx *k = m->base.owned.k;
    krti_graph *g = NULL;
    krt_value **in = krti_array(k, m->num_inputs + 1, sizeof *in);
    krt_status st = in != NULL ? krti_graph_new(k, &g) : KRT_E_NOMEM;

    for (size_t i = 0; st == KRT_OK && i < m->num_inputs; i++)
        if ((in[i] = krti_input(g, m->inputs[i].dtype, m->inputs[i].shape)) == NULL)
            st = krti_fail_in_object(k, g->status, m->inputs[i].name);
    if (st == KRT_OK)
        st = trace_model(m, g, in, NULL, false, tracing, NULL, NULL, learning);
    krti_graph_free(g);
    krti_free(k, in);
    return st;
}

static krt_status keep_why(krt_model *m, krt_status st)
{
    m->cannot_run = krti_arena_strdup(&m->base.arena, m->base.owned.k->error.message);
    m->cannot_status = st;
    return m->cannot_run != NULL ? KRT_OK : KRT_E_NOMEM;
}

krt_status krti_model_say_why(krt_model *m)
{
    krti_tracing tracing = {.is_symbolic = true};
    const krt_status st = trace_and_learn(m, &tracing, LEARN_NOTHING);

    return is_missing_implementation(st) ? keep_why(m, st) : st;
}

krt_status krti_model_build(krt_model *m)
{
    krti_tracing tracing = {.is_symbolic = true};
    krti_tracing claiming = {.is_symbolic = true, .claims = true};
    krt_status st = KRT_OK;

    m->output_shapes =
        krti_arena_array(&m->base.arena, m->num_outputs + 1, sizeof *m->output_shapes);
    if (m->output_shapes == NULL)
        TRY(KRT_E_NOMEM);
    st = trace_and_learn(m, &tracing, LEARN_ALL);
    if (is_missing_implementation(st)) {
        st = keep_why(m, st);
        if (st == KRT_OK)
            st = build_from_configs(m);
    }
    /* Shapes that are wrong may fit nowhere; then those of the first trace stand. */
    if (st == KRT_OK && tracing.has_claims &&
        trace_and_learn(m, &claiming, LEARN_NODES) == KRT_E_NOMEM)
        st = KRT_E_NOMEM;

done:
    return st;
}

/* ------------------------------------------------------------------------------- configs */

krt_shape krti_shape_from_conf(const krti_conf *c)
{
    krt_shape s = {.rank = -1};
    const size_t n = krti_conf_num(c);

    if (!krti_conf_is(c, KRTI_CONF_LIST) || n > KRT_MAX_RANK)
        return s;
    for (size_t i = 0; i < n; i++) {
        const krti_conf *d = krti_conf_at(c, i);

        s.dim[i] = KRT_NONE;
        if (krti_conf_is_null(d))
            continue;
        if (!krti_conf_as_int(d, &s.dim[i]) || s.dim[i] < 0)
            return (krt_shape){.rank = -1};
    }
    s.rank = (int)n;
    return s;
}

/* A class of one's own on top of Functional keeps its name and has Functional's config. */
static bool has_functional_config(const krti_conf *config)
{
    return krti_conf_is(krti_conf_get(config, "layers"), KRTI_CONF_LIST) &&
           krti_conf_get(config, "input_layers") != NULL &&
           krti_conf_get(config, "output_layers") != NULL;
}

static krt_status read_config(krt_model *m, const krti_conf *object, int depth)
{
    const krti_conf *config = krti_conf_get(object, "config");

    if (strcmp(m->base.class_name, "Sequential") == 0)
        return krti_sequential_from_conf(m, config);
    if (has_functional_config(config))
        return krti_functional_from_conf(m, config, depth);
    const krt_status st = krti_layer_set_name(&m->base, krti_conf_get_text(config, "name"));
    if (st != KRT_OK)
        return st;
    (void)krti_layer_fail(
        &m->base, KRT_E_UNKNOWN_CLASS,
        "model \"%s\" has the custom class %s, defined by Python code; its weights "
        "and config are readable, running it is not possible",
        m->base.name, m->base.class_name);
    return keep_why(m, KRT_E_UNKNOWN_CLASS);
}

/* `object` is gone when its file is closed. */
static const krti_conf *keep_config(krti_arena *a, const krti_conf *object)
{
    krti_sharing *s = krti_sharing_new(a);
    const krti_conf *kept = s != NULL ? krti_conf_shared(s, object) : NULL;

    krti_sharing_free(s);
    return kept;
}

static krt_status model_new(krt_ctx *k, krt_model **out, const krti_conf *object, int depth,
                            bool copy)
{
    const char *class_name = krti_conf_get_text(object, "class_name");
    krt_model *m = NULL;
    krt_status st = KRT_OK;

    *out = NULL;
    if (class_name == NULL || krti_conf_get(object, "config") == NULL)
        return krti_fail(k, KRT_E_FORMAT, NULL,
                         "The provided configuration is not a valid Keras configuration: a model "
                         "needs \"class_name\" and \"config\"");
    if (depth > KRTI_LAYER_MAX_DEPTH)
        return krti_fail(k, KRT_E_FORMAT, NULL, "models are nested more than %d deep",
                         KRTI_LAYER_MAX_DEPTH);
    TRY(krti_models_register(k));
    TRY(krti_model_alloc(k, &m, class_name));
    m->config = copy ? keep_config(&m->base.arena, object) : object;
    if (m->config == NULL)
        TRY(KRT_E_NOMEM);
    m->compile_config = krti_conf_get(m->config, "compile_config");
    m->base.object = m->config;
    m->base.config = m->config;
    m->base.depth = depth;
    m->base.generation = k->file_generation != 0 ? k->file_generation : 3;
    m->base.trains_as = k->file_trains_as != 0 ? k->file_trains_as : m->base.generation;
    /* Sequential.from_config() takes the name and the layers, nothing else. */
    m->base.trainable = strcmp(class_name, "Sequential") == 0 ||
                        krti_conf_get_bool(krti_conf_get(m->config, "config"), "trainable", true);
    TRY(read_config(m, m->config, depth));
    *out = m;
    m = NULL;

done:
    krt_model_free(m);
    return st;
}

static krt_status model_from_object(krt_ctx *k, krt_layer **out, const krti_conf *object, int depth)
{
    krt_model *m = NULL;
    const krt_status st = model_new(k, &m, object, depth, false);

    *out = m != NULL ? &m->base : NULL;
    return st;
}

krt_status krti_model_from_conf(krt_ctx *k, krt_model **out, const krti_conf *object)
{
    return model_new(k, out, object, 0, true);
}

/* ------------------------------------------------------------------------------- public */

const char *krt_model_name(const krt_model *m)
{
    return m->base.name;
}

const char *krt_model_class_name(const krt_model *m)
{
    return m->base.class_name;
}

size_t krt_model_num_inputs(const krt_model *m)
{
    return m->num_inputs;
}

size_t krt_model_num_outputs(const krt_model *m)
{
    return m->num_outputs;
}

krt_shape krt_model_input_shape(const krt_model *m, size_t i)
{
    return i < m->num_inputs ? m->inputs[i].shape : (krt_shape){.rank = -1};
}

krt_shape krt_model_output_shape(const krt_model *m, size_t i)
{
    return i < m->num_outputs && m->output_shapes != NULL ? m->output_shapes[i]
                                                          : (krt_shape){.rank = -1};
}

const char *krt_model_input_name(const krt_model *m, size_t i)
{
    return i < m->num_inputs ? m->inputs[i].name : NULL;
}

/* The key of leaf i of a dict of tensors as Keras flattens it, by sorted keys. NULL: no such dict. */
static const char *key_of(const krt_model *m, const char *structure, size_t num, size_t i)
{
    const krti_conf *const dict = krti_conf_get(krti_conf_get(m->config, "config"), structure);
    const char *key = NULL;

    if (!krti_conf_is(dict, KRTI_CONF_DICT) || krti_conf_num(dict) != num)
        return NULL;
    for (size_t j = 0; j <= i; j++)
        key = krti_conf_key_after(dict, key);
    return key;
}

const char *krt_model_input_key(const krt_model *m, size_t i)
{
    const char *const key = key_of(m, "input_layers", m->num_inputs, i);

    return key != NULL ? key : krt_model_input_name(m, i);
}

const char *krt_model_output_key(const krt_model *m, size_t i)
{
    if (i >= m->num_outputs)
        return NULL;
    const char *const key = key_of(m, "output_layers", m->num_outputs, i);

    return key != NULL ? key : m->nodes[m->outputs[i].node].layer->name;
}

krt_dtype krt_model_input_dtype(const krt_model *m, size_t i)
{
    return i < m->num_inputs ? m->inputs[i].dtype : KRT_DTYPE_NONE;
}

size_t krt_model_num_layers(const krt_model *m)
{
    return m->num_layers;
}

krt_layer *krt_model_layer(const krt_model *m, size_t i)
{
    return i < m->num_layers ? m->layers[i] : NULL;
}

krt_layer *krt_get_layer(const krt_model *m, const char *name)
{
    for (size_t i = 0; i < m->num_layers; i++)
        if (strcmp(m->layers[i]->name, name) == 0)
            return m->layers[i];
    return NULL;
}

krt_model *krt_layer_as_model(krt_layer *l)
{
    return krti_model_of(l);
}

static krt_status add_params(void *user, krt_variable *v)
{
    *(int64_t *)user += krt_shape_size(v->tensor->shape);
    return KRT_OK;
}

int64_t krt_model_count_params(const krt_model *m)
{
    int64_t total = 0;

    (void)krti_layer_each_variable(&m->base, add_params, &total);
    return total;
}
