/* Models as the objects of a Keras 3 config. Keras: models/{sequential,functional}.py,
 * get_config(), and ops/node.py's arguments.
 *
 * A model that Keras 3 wrote is copied and its layers are put in anew (layers/serialization.c says
 * why). Any other one is written from its nodes: each call with its arguments, tensors among them by
 * the operation, the call and the output they come from. */
#include "layers/rnn.h"
#include "models/model.h"
#include "base/str.h"
#include "layers/operations.h"

static bool is_from_keras3(const krt_model *m)
{
    return krti_layer_is_keras3(&m->base);
}

/* Which call of its layer a node is, counting those of this model alone. */
static int call_within(const krt_model *m, int node)
{
    const krti_model_node *n = &m->nodes[node];
    int index = 0;

    for (size_t i = 0; i < m->num_nodes; i++)
        index += m->nodes[i].layer == n->layer && m->nodes[i].call < n->call;
    return index;
}

/* ------------------------------------------------------------------------------- tensors */

/* What Keras says of a tensor: the layer computes in its policy's type, whatever it is here. */
static const char *dtype_name(const krti_model_node *n, int tensor)
{
    static const char mixed[] = "mixed_";
    const krt_dtype dtype = tensor < (int)n->num_out ? n->out_dtypes[tensor] : KRT_FLOAT32;
    const char *policy = n->layer->dtype_policy;

    if (krti_starts_with(policy, mixed))
        policy += strlen(mixed);
    return dtype == KRT_FLOAT32 && krt_dtype_from_name(policy) != KRT_DTYPE_NONE
               ? policy
               : krt_dtype_name(dtype);
}

static krti_conf *history_conf(krti_arena *a, const krt_model *m, krti_ref ref, int more)
{
    krti_conf *list = krti_conf_list(a);
    krt_status st = KRT_OK;

    TRY(krti_conf_add(a, list, krti_conf_string(a, m->nodes[ref.node].layer->name)));
    TRY(krti_conf_add(a, list, krti_conf_int(a, call_within(m, ref.node) + more)));
    TRY(krti_conf_add(a, list, krti_conf_int(a, ref.tensor)));

done:
    return st == KRT_OK ? list : NULL;
}

static krti_conf *tensor_conf(krti_arena *a, const krt_model *m, krti_ref ref)
{
    const krti_model_node *n = &m->nodes[ref.node];
    const bool is_known = ref.tensor < (int)n->num_out;
    const krt_shape shape =
        is_known ? n->out_shapes[ref.tensor] : (krt_shape){.rank = 1, .dim = {KRT_NONE}};
    krti_conf *object = krti_conf_dict(a), *config = krti_conf_dict(a);
    krt_status st = KRT_OK;

    TRY(krti_conf_set(a, config, "shape", krti_shape_to_conf(a, shape)));
    TRY(krti_conf_set(a, config, "dtype", krti_conf_string(a, dtype_name(n, ref.tensor))));
    TRY(krti_conf_set(a, config, "keras_history", history_conf(a, m, ref, 0)));
    TRY(krti_conf_set(a, object, "class_name", krti_conf_string(a, "__keras_tensor__")));
    TRY(krti_conf_set(a, object, "config", config));

done:
    return st == KRT_OK ? object : NULL;
}

/* An argument tree, {"__value__": i} replaced by the tensor. */
static krti_conf *argument_conf(krti_arena *a, const krt_model *m, const krti_model_node *n,
                                const krti_conf *c)
{
    const int64_t i = krti_conf_get_int(c, "__value__", -1);
    krti_conf *copy = NULL;
    krt_status st = KRT_OK;

    if (i >= 0 && (size_t)i < n->num_refs)
        return tensor_conf(a, m, n->refs[i]);
    if (krti_conf_num(c) == 0)
        return krti_conf_copy(a, c);
    copy = c->kind == KRTI_CONF_LIST ? krti_conf_list(a) : krti_conf_dict(a);
    for (size_t j = 0; st == KRT_OK && j < krti_conf_num(c); j++) {
        krti_conf *item = argument_conf(a, m, n, krti_conf_at(c, j));

        st = c->kind == KRTI_CONF_LIST ? krti_conf_add(a, copy, item)
                                       : krti_conf_set(a, copy, krti_conf_key_at(c, j), item);
    }
    return st == KRT_OK ? copy : NULL;
}

/* ------------------------------------------------------------------------------- calls */

/* A merging layer and a model of several inputs are called on a list. */
static bool takes_list(const krti_model_node *n)
{
    return n->num_in > 1 &&
           (krti_model_of(n->layer) != NULL ||
            (n->layer->cls != NULL && (n->layer->cls->flags & KRT_LAYER_TAKES_LIST) != 0));
}

/* The positional arguments as they stand in the node, or the tensors one after another. */
static krti_conf *positional(krti_arena *a, const krt_model *m, const krti_model_node *n)
{
    krti_conf *list = krti_conf_list(a);
    krt_status st = KRT_OK;

    if (n->args != NULL)
        return argument_conf(a, m, n, n->args);
    for (size_t i = 0; st == KRT_OK && i < n->num_in; i++)
        st = krti_conf_add(a, list, tensor_conf(a, m, n->refs[i]));
    return st == KRT_OK ? list : NULL;
}

/* States given to a recurrent layer are an argument of their own in Keras 3; in Keras 2 and from C they stand
 * behind the sequence. */
static bool has_states(const krti_model_node *n)
{
    const bool is_recurrent =
        n->layer->cls == &krti_class_bidirectional.base || krti_rnn_num_states(n->layer) > 0;

    return n->num_in > 1 && is_recurrent && (n->args == NULL || n->layer->generation < 3);
}

static krt_status name_states(krti_arena *a, krti_conf **args, krti_conf *kwargs)
{
    krti_conf *first = krti_conf_list(a), *states = krti_conf_list(a);
    krt_status st = KRT_OK;

    for (size_t i = 0; i < krti_conf_num(*args); i++)
        TRY(krti_conf_add(a, i == 0 ? first : states, krti_conf_copy(a, krti_conf_at(*args, i))));
    TRY(krti_conf_set(a, kwargs, "initial_state", states));
    *args = first;

done:
    return st;
}

static krti_conf *call_conf(krti_arena *a, const krt_model *m, const krti_model_node *n)
{
    krti_conf *call = krti_conf_dict(a), *args = positional(a, m, n), *outer = NULL;
    krti_conf *kwargs = n->kwargs != NULL ? argument_conf(a, m, n, n->kwargs) : krti_conf_dict(a);
    krt_status st = KRT_OK;

    if (takes_list(n) && krti_conf_num(args) > 1) {
        outer = krti_conf_list(a);
        TRY(krti_conf_add(a, outer, args));
        args = outer;
    }
    if (has_states(n)) {
        TRY(name_states(a, &args, kwargs));
        if (krti_conf_is_null(
                krti_conf_get(kwargs, "constants"))) /* Keras 2 says so, 3 has no such */
            krti_conf_remove(kwargs, "constants");
    }
    TRY(krti_conf_set(a, call, "args", args));
    TRY(krti_conf_set(a, call, "kwargs", kwargs));

done:
    return st == KRT_OK ? call : NULL;
}

/* The calls of one layer in their order. */
static krti_conf *calls_conf(krti_arena *a, const krt_model *m, const krt_layer *l)
{
    krti_conf *list = krti_conf_list(a);
    int last = -1;

    for (;;) {
        const krti_model_node *next = NULL;

        for (size_t i = m->num_inputs; i < m->num_nodes; i++) {
            const krti_model_node *n = &m->nodes[i];

            if (n->layer == l && n->call > last && (next == NULL || n->call < next->call))
                next = n;
        }
        if (next == NULL)
            return list;
        if (krti_conf_add(a, list, call_conf(a, m, next)) != KRT_OK)
            return NULL;
        last = next->call;
    }
}

/* ------------------------------------------------------------------------------- Functional */

/* A layer as an entry of "layers". */
static krti_conf *entry_conf(krti_arena *a, const krt_model *m, krt_layer *l)
{
    krti_conf *entry = krti_layer_to_object(a, l);
    const krti_conf *calls = krti_conf_get(l->object, "inbound_nodes");
    const char *name = krti_conf_get_text(l->object, "name");
    krt_status st = KRT_OK;

    TRY(krti_conf_set(a, entry, "name", krti_conf_string(a, name != NULL ? name : l->name)));
    if (calls == NULL || (!is_from_keras3(m) && !krti_is_tf_operation(l->class_name)))
        TRY(krti_conf_set(a, entry, "inbound_nodes", calls_conf(a, m, l)));
    else
        TRY(krti_conf_set(a, entry, "inbound_nodes", krti_conf_copy(a, calls)));

done:
    return st == KRT_OK ? entry : NULL;
}

/* Every operation in the order of the file, or of Keras's walk for a model made in C. */
static krti_conf *entries_conf(krti_arena *a, const krt_model *m)
{
    krt_layer *const *layers = m->config != NULL ? m->kept : m->layers;
    const size_t n = m->config != NULL ? m->num_kept : m->num_layers;
    krti_conf *list = krti_conf_list(a);

    for (size_t i = 0; i < n; i++)
        if (krti_conf_add(a, list, entry_conf(a, m, layers[i])) != KRT_OK)
            return NULL;
    return list;
}

/* Keras counts the calls of a nested Functional from 1 here, and nowhere else. */
static krti_conf *leaf_conf(krti_arena *a, const krt_model *m, krti_ref ref)
{
    const krt_model *inner = krti_model_of(m->nodes[ref.node].layer);

    return history_conf(a, m, ref, inner != NULL && !inner->is_sequential);
}

/* Where the inputs or outputs are written, one after another. */
typedef struct ends {
    krti_arena *a;
    const krt_model *m;
    bool are_inputs;
    size_t next;
} ends;

static krti_conf *next_leaf(ends *e)
{
    const size_t i = e->next++;

    if (i >= (e->are_inputs ? e->m->num_inputs : e->m->num_outputs))
        return NULL;
    return leaf_conf(e->a, e->m, e->are_inputs ? (krti_ref){(int)i, 0} : e->m->outputs[i]);
}

static krti_conf *structure_conf(ends *e, const krti_conf *given);

/* Keras flattens a dict in the order of its keys' names and writes it in its own. */
static krti_conf *dict_conf(ends *e, const krti_conf *given)
{
    krti_conf *dict = krti_conf_copy(e->a, given);
    const char *key = NULL;

    while (dict != NULL && (key = krti_conf_key_after(given, key)) != NULL)
        if (krti_conf_set(e->a, dict, key, structure_conf(e, krti_conf_get(given, key))) != KRT_OK)
            return NULL;
    return dict;
}

static krti_conf *structure_conf(ends *e, const krti_conf *given)
{
    krti_conf *list = NULL;

    if (krti_conf_is(given, KRTI_CONF_DICT))
        return dict_conf(e, given);
    if (krti_conf_text(krti_conf_at(given, 0)) != NULL)
        return next_leaf(e);
    list = krti_conf_list(e->a);
    for (size_t i = 0; i < krti_conf_num(given); i++)
        if (krti_conf_add(e->a, list, structure_conf(e, krti_conf_at(given, i))) != KRT_OK)
            return NULL;
    return list;
}

/* Inputs or outputs in the structure they have in the file. Keras 1 and 2 always wrote a list, which
 * of one tensor means the tensor. */
static krti_conf *ends_conf(krti_arena *a, const krt_model *m, const char *key)
{
    const krti_conf *given = krti_conf_get(krti_conf_get(m->config, "config"), key);
    ends e = {.a = a, .m = m, .are_inputs = strcmp(key, "input_layers") == 0};
    const size_t n = e.are_inputs ? m->num_inputs : m->num_outputs;
    krti_conf *list = NULL;

    if (is_from_keras3(m))
        return krti_conf_copy(a, given);
    if (n == 1 && !krti_conf_is(given, KRTI_CONF_DICT))
        return next_leaf(&e);
    if (given != NULL)
        return structure_conf(&e, given);
    list = krti_conf_list(a);
    for (size_t i = 0; i < n; i++)
        if (krti_conf_add(a, list, next_leaf(&e)) != KRT_OK)
            return NULL;
    return list;
}

static krti_conf *functional_config(krti_arena *a, const krt_model *m)
{
    const krti_conf *given = krti_conf_get(m->config, "config");
    krti_conf *config = is_from_keras3(m) ? krti_conf_copy(a, given) : krti_conf_dict(a);
    krt_status st = KRT_OK;

    TRY(krti_conf_set(a, config, "name", krti_conf_string(a, m->base.name)));
    TRY(krti_conf_set(a, config, "trainable", krti_conf_bool(a, m->base.trainable)));
    TRY(krti_conf_set(a, config, "layers", entries_conf(a, m)));
    TRY(krti_conf_set(a, config, "input_layers", ends_conf(a, m, "input_layers")));
    TRY(krti_conf_set(a, config, "output_layers", ends_conf(a, m, "output_layers")));

done:
    return st == KRT_OK ? config : NULL;
}

/* ------------------------------------------------------------------------------- Sequential */

/* The InputLayer that Keras makes when nobody gave one. */
static krti_conf *implied_input(krti_arena *a, const krti_model_input *in)
{
    krti_conf *config = krti_conf_dict(a);
    krt_status st = KRT_OK;

    TRY(krti_conf_set(a, config, "batch_shape", krti_shape_to_conf(a, in->shape)));
    TRY(krti_conf_set(a, config, "dtype", krti_conf_string(a, krt_dtype_name(in->dtype))));
    TRY(krti_conf_set(a, config, "sparse", krti_conf_bool(a, false)));
    TRY(krti_conf_set(a, config, "ragged", krti_conf_bool(a, false)));
    TRY(krti_conf_set(a, config, "name", krti_conf_string(a, in->name)));
    TRY(krti_conf_set(a, config, "optional", krti_conf_bool(a, false)));

done:
    return st == KRT_OK ? krti_object_conf(a, "keras.layers", NULL, "InputLayer", config) : NULL;
}

/* Keras 3 makes the InputLayer when the model is built, and writes it from then on. */
static bool has_implied_input(const krt_model *m)
{
    return !is_from_keras3(m) && m->num_inputs == 1 && m->inputs[0].layer == NULL &&
           m->inputs[0].shape.rank >= 0;
}

static krti_conf *chain_conf(krti_arena *a, const krt_model *m)
{
    krti_conf *list = krti_conf_list(a);
    krt_status st = KRT_OK;

    if (has_implied_input(m))
        TRY(krti_conf_add(a, list, implied_input(a, &m->inputs[0])));
    if (m->num_inputs == 1 && m->inputs[0].layer != NULL)
        TRY(krti_conf_add(a, list, krti_layer_to_object(a, m->inputs[0].layer)));
    for (size_t i = 0; i < m->num_layers; i++)
        TRY(krti_conf_add(a, list, krti_layer_to_object(a, m->layers[i])));

done:
    return st == KRT_OK ? list : NULL;
}

static krti_conf *sequential_config(krti_arena *a, const krt_model *m)
{
    const krti_conf *given = krti_conf_get(m->config, "config");
    const bool is_whole = is_from_keras3(m) && krti_conf_is(given, KRTI_CONF_DICT);
    krti_conf *config = is_whole ? krti_conf_copy(a, given) : krti_conf_dict(a);
    krt_status st = KRT_OK;

    TRY(krti_conf_set(a, config, "name", krti_conf_string(a, m->base.name)));
    TRY(krti_conf_set(a, config, "trainable", krti_conf_bool(a, m->base.trainable)));
    if (!is_whole)
        TRY(krti_conf_set(a, config, "dtype", krti_policy_to_conf(a, m->base.dtype_policy)));
    TRY(krti_conf_set(a, config, "layers", chain_conf(a, m)));
    if (!is_whole && m->num_inputs == 1 && m->inputs[0].shape.rank >= 0)
        TRY(krti_conf_set(a, config, "build_input_shape",
                          krti_shape_to_conf(a, m->inputs[0].shape)));

done:
    return st == KRT_OK ? config : NULL;
}

/* ------------------------------------------------------------------------------- the whole */

static krt_status add_build_config(krti_arena *a, krti_conf *object, const krt_model *m)
{
    const krt_shape shape =
        m->is_sequential && m->num_inputs == 1 ? m->inputs[0].shape : (krt_shape){.rank = -1};

    if (m->is_sequential && shape.rank < 0)
        return KRT_OK;
    return krti_conf_set(a, object, "build_config", krti_build_conf(a, &shape, 1, false));
}

/* Keras 3's names are kept: a class of one's own on top of Functional has another. */
static krt_status add_names(krti_arena *a, krti_conf *object, const krt_model *m)
{
    const bool is_custom = m->is_functional && strcmp(m->base.class_name, "Functional") != 0 &&
                           strcmp(m->base.class_name, "Model") != 0;
    const char *class_name = m->base.class_name;
    const char *module = "keras", *registered = NULL;
    krt_status st = KRT_OK;

    if (m->is_functional && !is_custom) {
        module = "keras.src.models.functional";
        class_name = registered = "Functional";
    } else if (is_custom) {
        module = NULL;
        registered = class_name;
    }
    TRY(krti_conf_set(a, object, "module",
                      module != NULL ? krti_conf_string(a, module) : krti_conf_null(a)));
    TRY(krti_conf_set(a, object, "class_name", krti_conf_string(a, class_name)));
    TRY(krti_conf_set(a, object, "config", krti_conf_null(a)));
    TRY(krti_conf_set(a, object, "registered_name",
                      registered != NULL ? krti_conf_string(a, registered) : krti_conf_null(a)));

done:
    return st;
}

krt_status krti_model_to_conf(krti_arena *a, const krt_model *m, krti_conf **out)
{
    const bool is_known = m->is_sequential || m->is_functional;
    /* Keras 3 leaves all but class and config of the model itself out of an .h5. */
    const bool is_whole = is_from_keras3(m) && krti_conf_get(m->config, "module") != NULL;
    krti_conf *object = NULL;
    krt_status st = KRT_OK;

    *out = NULL;
    object = m->config != NULL && (is_whole || !is_known) ? krti_conf_copy(a, m->config)
                                                          : krti_conf_dict(a);
    if (object == NULL)
        return KRT_E_NOMEM;
    krti_conf_remove(object, "shared_object_id");
    krti_conf_remove(object, "name");
    krti_conf_remove(object, "inbound_nodes");
    if (!is_known) { /* a subclassed model: as it was */
        *out = object;
        return KRT_OK;
    }
    if (!is_whole)
        TRY(add_names(a, object, m));
    TRY(krti_conf_set(a, object, "config",
                      m->is_sequential ? sequential_config(a, m) : functional_config(a, m)));
    if (!is_whole)
        TRY(add_build_config(a, object, m));
    if (!is_whole)
        TRY(krti_conf_set(a, object, "compile_config", krti_conf_dict(a)));
    *out = object;

done:
    return st;
}
