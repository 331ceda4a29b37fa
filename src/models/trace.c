/* A model described node by node, and built by being described on its own input shapes. Keras:
 * ops/function.py and models/functional.py, call() and compute_output_spec(). */
#include "models/model.h"

/* ------------------------------------------------------------------------------- values */

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

/* ------------------------------------------------------------------------------- nodes */

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
                  .is_symbolic = tracing != NULL && tracing->is_symbolic,
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

/* ------------------------------------------------------------------------------- building */

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
    if (st == KRT_OK) {
        memcpy(m->texts, g->texts, sizeof m->texts);
        m->num_texts = g->num_texts;
    }
    krti_graph_free(g);
    krti_free(k, in);
    return st;
}

krt_status krti_model_keep_why(krt_model *m, krt_status st)
{
    m->cannot_run = krti_arena_strdup(&m->base.arena, m->base.owned.k->error.message);
    m->cannot_status = st;
    return m->cannot_run != NULL ? KRT_OK : KRT_E_NOMEM;
}

krt_status krti_model_say_why(krt_model *m)
{
    krti_tracing tracing = {.is_symbolic = true};
    const krt_status st = trace_and_learn(m, &tracing, LEARN_NOTHING);

    return is_missing_implementation(st) ? krti_model_keep_why(m, st) : st;
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
        st = krti_model_keep_why(m, st);
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
