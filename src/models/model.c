/* Models as layers: making them, ordering their nodes, looking inside. See model.h; what a model
 * computes is described in trace.c. */
#include "models/model.h"

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
    return krti_model_keep_why(m, KRT_E_UNKNOWN_CLASS);
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

    if (i >= num || !krti_conf_is(dict, KRTI_CONF_DICT) || krti_conf_num(dict) != num)
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
