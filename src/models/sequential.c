/* Sequential: a chain of layers. Keras: models/sequential.py.
 *
 * Where the input's shape is said has changed with every generation: an InputLayer entry (tf.keras
 * 2.3 and later), the first layer's batch_input_shape (before), build_input_shape beside the layers,
 * or the first layer being a model with inputs of its own. The first that says something counts. */
#include "models/model.h"

/* The config is a dict with "layers", up to Keras 2.2.2 the list itself. */
static const krti_conf *layer_list(const krti_conf *config)
{
    if (krti_conf_is(config, KRTI_CONF_LIST))
        return config;
    return krti_conf_get(config, "layers");
}

static bool is_input_layer(const krti_conf *object)
{
    const char *name = krti_conf_get_text(object, "class_name");

    return name != NULL && strcmp(name, "InputLayer") == 0;
}

static krt_shape shape_in(const krti_conf *config)
{
    krt_shape s = krti_shape_from_conf(krti_conf_get(config, "batch_shape"));

    return s.rank >= 0 ? s : krti_shape_from_conf(krti_conf_get(config, "batch_input_shape"));
}

static krt_dtype dtype_in(const krti_conf *config)
{
    const krt_dtype dtype = krt_dtype_from_name(krti_conf_get_text(config, "dtype"));

    return dtype == KRT_DTYPE_NONE || krti_dtype_is_float(dtype) ? KRT_FLOAT32 : dtype;
}

/* The InputLayer entry: a layer that is not among model.layers. */
static krt_status add_explicit_input(krt_model *m, const krti_conf *object)
{
    const krti_conf *config = krti_conf_get(object, "config");
    krt_layer *layer = NULL;
    krt_status st = krti_layer_from_conf(m->base.owned.k, &layer, object, m->base.depth + 1);

    if (st != KRT_OK)
        return st;
    layer->is_built = true;
    st = krti_model_keep(m, layer);
    return st == KRT_OK
               ? krti_model_add_input(m, layer, layer->name, dtype_in(config), shape_in(config))
               : st;
}

/* What the first layer's entry or the model's own config says about the input. */
static krt_status add_implicit_input(krt_model *m, const krti_conf *config, const krti_conf *first)
{
    const krti_conf *first_config = krti_conf_get(first, "config");
    krt_shape shape = shape_in(first_config);
    const krt_layer *begin = m->num_layers > 0 ? m->layers[0] : NULL;
    const krt_dtype takes = begin != NULL ? krti_class_hooks(begin->cls)->takes : KRT_DTYPE_NONE;
    krt_dtype dtype = takes != KRT_DTYPE_NONE ? takes : dtype_in(first_config);
    const char *name = NULL;
    krti_str s = KRTI_STR_INIT(m->base.owned.k);

    if (shape.rank < 0)
        shape = krti_shape_from_conf(krti_conf_get(config, "build_input_shape"));
    if (shape.rank < 0)
        shape = krti_shape_from_conf(
            krti_conf_get(krti_conf_get(m->config, "build_config"), "input_shape"));
    const krt_model *inner = m->num_layers > 0 ? krti_model_of(m->layers[0]) : NULL;
    if (shape.rank < 0 && inner != NULL && inner->num_inputs == 1) {
        shape = inner->inputs[0].shape;
        dtype = inner->inputs[0].dtype;
    }
    krti_str_addf(&s, "%s_input", m->num_layers > 0 ? m->layers[0]->name : m->base.name);
    name = krti_arena_strdup(&m->base.arena, krti_str_text(&s));
    krti_str_free(&s);
    return name != NULL ? krti_model_add_input(m, NULL, name, dtype, shape) : KRT_E_NOMEM;
}

krt_status krti_sequential_open_input(krt_model *m)
{
    const krt_status st = add_implicit_input(m, NULL, NULL);

    return st == KRT_OK ? krti_sequential_wire(m) : st;
}

/* Keras 1 let a Sequential begin with a Merge that holds the models it merges, each with an input. */
static krt_status check_first(const krt_model *m, const krti_conf *first)
{
    const char *class_name = krti_conf_get_text(first, "class_name");
    const krti_conf *config = krti_conf_get(first, "config");
    const size_t branches = krti_conf_num(krti_conf_get(config, "layers"));

    if (class_name == NULL || strcmp(class_name, "Merge") != 0 || branches == 0)
        return KRT_OK;
    return krti_fail(m->base.owned.k, KRT_E_UNSUPPORTED, krti_conf_get_text(config, "name"),
                     "a Sequential of Keras 1 that begins with a Merge of %zu models is not read; "
                     "build the same as a Functional model and load the weights into it by name",
                     branches);
}

static krt_status add_layers(krt_model *m, const krti_conf *layers)
{
    krt_status st = check_first(m, krti_conf_at(layers, 0));

    if (st != KRT_OK)
        return st;
    for (size_t i = 0; i < krti_conf_num(layers); i++) {
        const krti_conf *object = krti_conf_at(layers, i);
        krt_layer *layer = NULL;

        if (i == 0 && is_input_layer(object)) {
            TRY(add_explicit_input(m, object));
            continue;
        }
        TRY(krti_layer_from_conf(m->base.owned.k, &layer, object, m->base.depth + 1));
        TRY(krti_model_keep(m, layer));
        TRY(krti_model_add_layer(m, layer));
    }

done:
    return st;
}

/* Node 0 is the input; node i + 1 calls layer i on node i. A layer of several outputs cannot be
 * followed by another, as in Keras. */
krt_status krti_sequential_wire(krt_model *m)
{
    krt_status st = krti_model_add_node(m, &(krti_model_node){.layer = m->inputs[0].layer});

    for (size_t i = 0; st == KRT_OK && i < m->num_layers; i++) {
        krti_model_node n = {.layer = m->layers[i], .num_in = 1, .num_refs = 1};

        n.call = m->layers[i]->num_calls++;
        n.refs = krti_arena_array(&m->base.arena, 1, sizeof *n.refs);
        if (n.refs == NULL)
            return KRT_E_NOMEM;
        n.refs[0] = (krti_ref){(int)i, 0};
        st = krti_model_add_node(m, &n);
    }
    if (st == KRT_OK)
        st = krti_model_add_output(m, (krti_ref){(int)m->num_layers, 0});
    return st;
}

krt_status krti_sequential_from_conf(krt_model *m, const krti_conf *config)
{
    const krti_conf *layers = layer_list(config);
    krt_status st = KRT_OK;

    m->is_sequential = true;
    if (!krti_conf_is(layers, KRTI_CONF_LIST))
        return krti_fail(m->base.owned.k, KRT_E_FORMAT, NULL,
                         "A Sequential model configuration must be a dictionary containing the "
                         "'name' and 'layers' keys");
    TRY(krti_layer_set_name(&m->base, krti_conf_get_text(config, "name")));
    TRY(add_layers(m, layers));
    if (m->num_inputs == 0)
        TRY(add_implicit_input(m, config, krti_conf_at(layers, 0)));
    TRY(krti_sequential_wire(m));
    if (m->inputs[0].shape.rank >= 0)
        TRY(krti_model_build(m));

done:
    return st;
}
