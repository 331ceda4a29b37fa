/* Functional: reading layers and their wiring from a config. Keras: models/functional.py.
 *
 * Three spellings of one thing. Keras 3 writes each call as {"args": [...], "kwargs": {...}} with
 * tensors as __keras_tensor__ objects; Keras 1 and 2 as a list of [layer, node, tensor, kwargs];
 * tf.keras's operation layers drop one level of lists. All become refs plus a tree in which tensors
 * are {"__value__": i}. Node numbers of nested models start at 1 in Keras 2 everywhere and in
 * Keras 3's output_layers. */
#include "models/model.h"
#include "layers/operations.h"

/* One entry of "layers": its layer and where its calls lie among the model's nodes. */
typedef struct entry {
    krt_layer *layer;
    const krti_conf *object;
    const char *name;
    int first_node, num_calls;
} entry;

typedef struct reader {
    krt_model *m;
    krt_ctx *k;
    krti_arena *arena;  /* the model's */
    krti_arena scratch; /* argument trees are made here and kept shared: a thousand are alike */
    krti_sharing *sharing;
    entry *entries;
    size_t num_entries;
    krti_map *by_name; /* -> entry */
    krti_ref *refs;    /* of the node being read */
    size_t num_refs, capacity;
    bool is_keras2; /* list-form nodes were seen */
    int depth;
} reader;

static krt_status fail(reader *r, const char *name, const char *text)
{
    return krti_fail(r->k, KRT_E_FORMAT, name, "Invalid Functional model configuration: %s", text);
}

/* ------------------------------------------------------------------------------- references */

/* Which node of the model [layer, call, tensor] means. A number that fits only when counted from
 * the other start is taken so: real files disagree with themselves here. */
static krt_status resolve(reader *r, const char *name, int64_t call, int64_t tensor,
                          bool counts_from_1, krti_ref *out)
{
    const entry *e = krti_map_get(r->by_name, name);

    if (e == NULL)
        return krti_fail(r->k, KRT_E_FORMAT, name,
                         "Invalid Functional model configuration. Missing node: %s", name);
    int64_t at = counts_from_1 ? call - 1 : call;
    if (at < 0 || at >= e->num_calls)
        at = counts_from_1 ? call : call - 1;
    if (at < 0 || at >= e->num_calls || tensor < 0 || tensor > INT32_MAX)
        return fail(r, name, "a reference to a call that is not there");
    *out = (krti_ref){e->first_node + (int)at, (int)tensor};
    return KRT_OK;
}

static bool is_model(const reader *r, const char *name)
{
    const entry *e = krti_map_get(r->by_name, name);

    return e != NULL && krti_model_of(e->layer) != NULL;
}

static krti_conf *value_at(reader *r, krti_ref ref)
{
    krti_conf *d = krti_conf_dict(&r->scratch);
    const krt_status st = krti_grow(r->k, &r->refs, &r->capacity, r->num_refs + 1, sizeof *r->refs);

    if (st != KRT_OK || d == NULL)
        return NULL;
    r->refs[r->num_refs] = ref;
    if (krti_conf_set(&r->scratch, d, "__value__",
                      krti_conf_int(&r->scratch, (int64_t)r->num_refs)) != KRT_OK)
        return NULL;
    r->num_refs++;
    return d;
}

/* [name, int, int] or [name, int, int, kwargs]; a name that is no layer is data. */
static bool is_list_ref(const reader *r, const krti_conf *c)
{
    const char *name = krti_conf_text(krti_conf_at(c, 0));

    return krti_conf_is(c, KRTI_CONF_LIST) && krti_conf_num(c) >= 3 && name != NULL &&
           krti_conf_is(krti_conf_at(c, 1), KRTI_CONF_INT) && krti_map_has(r->by_name, name);
}

static bool is_constant_ref(const krti_conf *c)
{
    const char *name = krti_conf_text(krti_conf_at(c, 0));

    return name != NULL && strcmp(name, "_CONSTANT_VALUE") == 0 && krti_conf_num(c) >= 3;
}

static krt_status read_list_ref(reader *r, const krti_conf *c, krti_conf **out)
{
    const char *name = krti_conf_text(krti_conf_at(c, 0));
    int64_t call = 0, tensor = 0;
    krti_ref ref;

    if (!krti_conf_as_int(krti_conf_at(c, 1), &call) ||
        !krti_conf_as_int(krti_conf_at(c, 2), &tensor))
        return fail(r, name, "a reference whose numbers are none");
    const krt_status st = resolve(r, name, call, tensor, is_model(r, name), &ref);
    if (st != KRT_OK)
        return st;
    *out = value_at(r, ref);
    return *out != NULL ? KRT_OK : KRT_E_NOMEM;
}

static krt_status read_keras_tensor(reader *r, const krti_conf *c, krti_conf **out)
{
    const krti_conf *history = krti_conf_get(krti_conf_get(c, "config"), "keras_history");
    const char *name = krti_conf_text(krti_conf_at(history, 0));
    int64_t call = 0, tensor = 0;
    krti_ref ref;

    if (name == NULL || !krti_conf_as_int(krti_conf_at(history, 1), &call) ||
        !krti_conf_as_int(krti_conf_at(history, 2), &tensor))
        return fail(r, NULL, "a tensor without keras_history");
    const krt_status st = resolve(r, name, call, tensor, false, &ref);
    if (st != KRT_OK)
        return st;
    *out = value_at(r, ref);
    return *out != NULL ? KRT_OK : KRT_E_NOMEM;
}

static krt_status read_tree(reader *r, const krti_conf *c, int depth, krti_conf **out);

static krt_status read_children(reader *r, const krti_conf *c, int depth, krti_conf *into)
{
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < krti_conf_num(c); i++) {
        krti_conf *child = NULL;

        st = read_tree(r, krti_conf_at(c, i), depth + 1, &child);
        if (st != KRT_OK)
            break;
        st = into->kind == KRTI_CONF_LIST
                 ? krti_conf_add(&r->scratch, into, child)
                 : krti_conf_set(&r->scratch, into, krti_conf_key_at(c, i), child);
    }
    return st;
}

/* Copies an argument tree, tensors becoming {"__value__": i}. */
static krt_status read_tree(reader *r, const krti_conf *c, int depth, krti_conf **out)
{
    const char *class_name = krti_conf_get_text(c, "class_name");

    if (depth > KRTI_LAYER_MAX_DEPTH)
        return fail(r, NULL, "arguments are nested too deep");
    if (class_name != NULL && strcmp(class_name, "__keras_tensor__") == 0)
        return read_keras_tensor(r, c, out);
    if (is_list_ref(r, c))
        return read_list_ref(r, c, out);
    if (krti_conf_is(c, KRTI_CONF_LIST))
        *out = krti_conf_list(&r->scratch);
    else if (krti_conf_is(c, KRTI_CONF_DICT))
        *out = krti_conf_dict(&r->scratch);
    else
        *out = krti_conf_copy(&r->scratch, c);
    if (*out == NULL)
        return KRT_E_NOMEM;
    return krti_conf_num(c) > 0 ? read_children(r, c, depth, *out) : KRT_OK;
}

/* ------------------------------------------------------------------------------- nodes */

/* Keras 3: {"args": [...], "kwargs": {...}}. */
static krt_status read_dict_node(reader *r, const krti_conf *c, krti_model_node *n)
{
    krti_conf *args = NULL, *kwargs = NULL;
    static const krti_conf empty_list = {.kind = KRTI_CONF_LIST};
    static const krti_conf empty_dict = {.kind = KRTI_CONF_DICT};
    const krti_conf *a = krti_conf_get(c, "args"), *kw = krti_conf_get(c, "kwargs");
    krt_status st = KRT_OK;

    TRY(read_tree(r, a != NULL ? a : &empty_list, 0, &args));
    n->num_in = r->num_refs;
    TRY(read_tree(r, kw != NULL ? kw : &empty_dict, 0, &kwargs));
    if (n->num_in == 0) /* layer(inputs=x) */
        n->num_in = r->num_refs;
    n->args = args;
    n->kwargs = kwargs;

done:
    return st;
}

/* Merges the kwargs that stand as a reference's fourth item. */
static krt_status read_list_kwargs(reader *r, const krti_conf *ref, krti_conf *kwargs)
{
    const krti_conf *kw = krti_conf_at(ref, 3);
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < krti_conf_num(kw); i++) {
        krti_conf *value = NULL;

        if (!krti_conf_is(kw, KRTI_CONF_DICT))
            return fail(r, NULL, "keyword arguments that are no dictionary");
        st = read_tree(r, krti_conf_at(kw, i), 0, &value);
        if (st == KRT_OK)
            st = krti_conf_set(&r->scratch, kwargs, krti_conf_key_at(kw, i), value);
    }
    return st;
}

/* Collects the references of a Keras 2 call in order, whatever lists or dicts stand around them. */
static krt_status read_list_args(reader *r, const krti_conf *c, int depth, krti_conf *args,
                                 const krti_conf **kwargs_from)
{
    krti_conf *value = NULL;
    krt_status st = KRT_OK;

    if (depth > KRTI_LAYER_MAX_DEPTH)
        return fail(r, NULL, "arguments are nested too deep");
    if (is_constant_ref(c)) {
        value = krti_conf_copy(&r->scratch, krti_conf_at(c, 2));
        *kwargs_from = c;
        return krti_conf_add(&r->scratch, args, value);
    }
    if (is_list_ref(r, c)) {
        if (*kwargs_from == NULL)
            *kwargs_from = c;
        st = read_list_ref(r, c, &value);
        return st == KRT_OK ? krti_conf_add(&r->scratch, args, value) : st;
    }
    if (krti_conf_text(krti_conf_at(c, 0)) != NULL)
        return krti_fail(r->k, KRT_E_FORMAT, NULL,
                         "Invalid Functional model configuration. Missing node: %s",
                         krti_conf_text(krti_conf_at(c, 0)));
    for (size_t i = 0; st == KRT_OK && i < krti_conf_num(c); i++)
        st = read_list_args(r, krti_conf_at(c, i), depth + 1, args, kwargs_from);
    return st;
}

static krt_status read_list_node(reader *r, const krti_conf *c, krti_model_node *n)
{
    krti_conf *args = krti_conf_list(&r->scratch), *kwargs = krti_conf_dict(&r->scratch);
    const krti_conf *kwargs_from = NULL;
    krt_status st = KRT_OK;

    if (args == NULL || kwargs == NULL)
        return KRT_E_NOMEM;
    TRY(read_list_args(r, c, 0, args, &kwargs_from));
    n->num_in = r->num_refs;
    TRY(read_list_kwargs(r, kwargs_from, kwargs));
    n->args = args;
    n->kwargs = kwargs;

done:
    return st;
}

static krt_status read_node(reader *r, const entry *e, const krti_conf *c, krti_model_node *n)
{
    krt_status st = KRT_OK;

    r->num_refs = 0;
    *n = (krti_model_node){.layer = e->layer};
    if (krti_conf_is(c, KRTI_CONF_DICT))
        st = read_dict_node(r, c, n);
    else
        st = read_list_node(r, c, n);
    if (st != KRT_OK)
        return krti_fail_in_object(r->k, st, e->name);
    if (r->num_refs == 0)
        return fail(r, e->name, "a call on no tensor at all");
    n->args = krti_conf_shared(r->sharing, n->args);
    n->kwargs = krti_conf_shared(r->sharing, n->kwargs);
    krti_arena_free(&r->scratch);
    if (n->args == NULL || n->kwargs == NULL)
        return KRT_E_NOMEM;
    n->num_refs = r->num_refs;
    n->refs = krti_arena_array(r->arena, r->num_refs, sizeof *n->refs);
    if (n->refs == NULL)
        return KRT_E_NOMEM;
    memcpy(n->refs, r->refs, r->num_refs * sizeof *n->refs);
    return KRT_OK;
}

/* tf.keras's operation layers are called with one list level less: the node list is the call. */
static bool is_bare_call(const krti_conf *nodes)
{
    return krti_conf_text(krti_conf_at(krti_conf_at(nodes, 0), 0)) != NULL;
}

static const krti_conf *nodes_of(const entry *e)
{
    return krti_conf_get(e->object, "inbound_nodes");
}

static int count_calls(const entry *e)
{
    const krti_conf *nodes = nodes_of(e);
    const size_t n = krti_conf_num(nodes);

    if (n == 0)
        return strcmp(e->layer->class_name, "InputLayer") == 0 ? 1 : 0;
    return n > INT32_MAX / 2 ? 0 : (int)n;
}

/* ------------------------------------------------------------------------------- layers */

static krt_status read_entry(reader *r, const krti_conf *object, entry *e)
{
    krt_status st = KRT_OK;

    if (!krti_conf_is(object, KRTI_CONF_DICT))
        return fail(r, NULL, "a layer that is no dictionary");
    e->object = object;
    st = krti_is_operation(object) ? krti_operation_from_conf(r->k, &e->layer, object)
                                   : krti_layer_from_conf(r->k, &e->layer, object, r->depth + 1);
    if (st == KRT_OK)
        st = krti_model_keep(r->m, e->layer);
    if (st != KRT_OK)
        return st;
    e->name = krti_conf_get_text(object, "name");
    if (e->name == NULL)
        e->name = e->layer->name;
    if (krti_map_has(r->by_name, e->name))
        return fail(r, e->name, "two layers of one name");
    return krti_map_set(r->by_name, e->name, e);
}

static krt_status read_entries(reader *r, const krti_conf *layers)
{
    krt_status st = KRT_OK;

    r->num_entries = krti_conf_num(layers);
    r->entries = krti_array(r->k, r->num_entries + 1, sizeof *r->entries);
    if (r->entries == NULL)
        return KRT_E_NOMEM;
    for (size_t i = 0; i < r->num_entries; i++) {
        entry *e = &r->entries[i];

        TRY(read_entry(r, krti_conf_at(layers, i), e));
        if (!krti_is_operation(e->object))
            TRY(krti_model_add_layer(r->m, e->layer));
        if (is_bare_call(nodes_of(e)) || krti_conf_is(krti_conf_at(nodes_of(e), 0), KRTI_CONF_LIST))
            r->is_keras2 = true;
    }

done:
    return st;
}

/* ------------------------------------------------------------------------------- inputs, outputs */

static bool is_leaf(const krti_conf *c)
{
    return krti_conf_is(c, KRTI_CONF_LIST) && krti_conf_num(c) == 3 &&
           krti_conf_text(krti_conf_at(c, 0)) != NULL &&
           krti_conf_is(krti_conf_at(c, 1), KRTI_CONF_INT);
}

typedef krt_status (*leaf_fn)(reader *r, const char *name, int64_t call, int64_t tensor);

/* Keras's structure of inputs and outputs: a leaf, lists, dicts (in key order of the file, as
 * Keras flattens a dict by sorted keys: see sorted_each). */
static krt_status each_leaf(reader *r, const krti_conf *c, int depth, leaf_fn fn);

static krt_status sorted_each(reader *r, const krti_conf *dict, int depth, leaf_fn fn)
{
    const char *key = NULL;
    krt_status st = KRT_OK;

    while (st == KRT_OK && (key = krti_conf_key_after(dict, key)) != NULL)
        st = each_leaf(r, krti_conf_get(dict, key), depth + 1, fn);
    return st;
}

static krt_status each_leaf(reader *r, const krti_conf *c, int depth, leaf_fn fn)
{
    krt_status st = KRT_OK;
    int64_t call = 0, tensor = 0;

    if (depth > KRTI_LAYER_MAX_DEPTH)
        return fail(r, NULL, "inputs or outputs are nested too deep");
    if (krti_conf_is(c, KRTI_CONF_DICT))
        return sorted_each(r, c, depth, fn);
    if (is_leaf(c)) {
        if (!krti_conf_as_int(krti_conf_at(c, 1), &call) ||
            !krti_conf_as_int(krti_conf_at(c, 2), &tensor))
            return fail(r, NULL, "an input or output whose numbers are none");
        return fn(r, krti_conf_text(krti_conf_at(c, 0)), call, tensor);
    }
    if (!krti_conf_is(c, KRTI_CONF_LIST))
        return fail(r, NULL,
                    "input_layers and output_layers must be lists of [layer, node, tensor]");
    for (size_t i = 0; st == KRT_OK && i < krti_conf_num(c); i++)
        st = each_leaf(r, krti_conf_at(c, i), depth + 1, fn);
    return st;
}

static krt_status add_input(reader *r, const char *name, int64_t call, int64_t tensor)
{
    entry *e = krti_map_get(r->by_name, name);
    krt_dtype dtype = KRT_FLOAT32;

    (void)call;
    (void)tensor;
    if (e == NULL || strcmp(e->layer->class_name, "InputLayer") != 0)
        return krti_fail(r->k, KRT_E_FORMAT, name,
                         "Invalid Functional model configuration. Missing node: %s", name);
    const krti_conf *config = krti_conf_get(e->object, "config");
    krt_shape shape = krti_shape_from_conf(krti_conf_get(config, "batch_shape"));
    if (shape.rank < 0)
        shape = krti_shape_from_conf(krti_conf_get(config, "batch_input_shape"));
    if (shape.rank < 0)
        return fail(r, name, "an InputLayer without a shape");
    const krt_dtype given = krt_dtype_from_name(krti_conf_get_text(config, "dtype"));
    if (given != KRT_DTYPE_NONE && !krti_dtype_is_float(given))
        dtype = given;
    for (size_t i = 0; i < r->m->num_inputs; i++)
        if (r->m->inputs[i].layer == e->layer)
            return fail(r, name, "one input twice");
    e->first_node = (int)r->m->num_inputs;
    e->num_calls = 1;
    e->layer->is_built = true;
    e->layer->num_calls = 1;
    return krti_model_add_input(r->m, e->layer, e->layer->name, dtype, shape);
}

static krt_status add_output(reader *r, const char *name, int64_t call, int64_t tensor)
{
    const entry *e = krti_map_get(r->by_name, name);
    const krt_model *inner = e != NULL ? krti_model_of(e->layer) : NULL;
    const bool from_1 = inner != NULL && (r->is_keras2 || !inner->is_sequential);
    krti_ref ref;
    const krt_status st = resolve(r, name, call, tensor, from_1, &ref);

    return st == KRT_OK ? krti_model_add_output(r->m, ref) : st;
}

/* ------------------------------------------------------------------------------- the whole */

/* Inputs have the first nodes; every other entry gets a run of nodes, one a call. */
static krt_status number_nodes(reader *r)
{
    int next = (int)r->m->num_inputs;

    for (size_t i = 0; i < r->num_entries; i++) {
        entry *e = &r->entries[i];

        if (e->num_calls == 1)
            continue; /* an input */
        if (strcmp(e->layer->class_name, "InputLayer") == 0)
            return fail(r, e->name, "an InputLayer that is not among input_layers");
        e->first_node = next;
        e->num_calls = is_bare_call(nodes_of(e)) ? 1 : count_calls(e);
        next += e->num_calls;
    }
    return KRT_OK;
}

static krt_status read_nodes(reader *r)
{
    krt_status st = KRT_OK;
    krti_model_node n;

    for (size_t i = 0; i < r->m->num_inputs; i++)
        TRY(krti_model_add_node(r->m, &(krti_model_node){.layer = r->m->inputs[i].layer}));
    for (size_t i = 0; i < r->num_entries; i++) {
        const entry *e = &r->entries[i];
        const krti_conf *nodes = nodes_of(e);

        if (e->first_node < (int)r->m->num_inputs)
            continue;
        for (int j = 0; j < e->num_calls; j++) {
            TRY(read_node(r, e, is_bare_call(nodes) ? nodes : krti_conf_at(nodes, (size_t)j), &n));
            n.call = e->layer->num_calls++;
            TRY(krti_model_add_node(r->m, &n));
        }
    }

done:
    return st;
}

krt_status krti_functional_from_conf(krt_model *m, const krti_conf *config, int depth)
{
    reader r = {.m = m, .k = m->base.owned.k, .arena = &m->base.arena, .depth = depth};
    krt_status st = KRT_OK;

    m->is_functional = true;
    r.scratch.k = r.k;
    r.sharing = krti_sharing_new(r.arena);
    r.by_name = krti_map_new(r.k);
    if (r.by_name == NULL || r.sharing == NULL)
        TRY(KRT_E_NOMEM);
    TRY(krti_layer_set_name(&m->base, krti_conf_get_text(config, "name")));
    TRY(read_entries(&r, krti_conf_get(config, "layers")));
    TRY(each_leaf(&r, krti_conf_get(config, "input_layers"), 0, add_input));
    TRY(number_nodes(&r));
    TRY(read_nodes(&r));
    TRY(each_leaf(&r, krti_conf_get(config, "output_layers"), 0, add_output));
    if (m->num_outputs == 0)
        TRY(fail(&r, m->base.name, "no outputs"));
    TRY(krti_model_sort_nodes(m));
    TRY(krti_model_build(m));

done:
    krti_arena_free(&r.scratch);
    krti_sharing_free(r.sharing);
    krti_map_free(r.by_name);
    krti_free(r.k, r.entries);
    krti_free(r.k, r.refs);
    return st;
}
