/* A model as tf.keras's save_weights(prefix) writes it: the graph of its objects, found breadth first as
 * TensorFlow finds it, and the arrays under the keys that follow from it. See tf_checkpoint_write.h.
 *
 * A node is numbered when the first edge reaches it, and its key is the path of that edge. So a file of
 * ours has the nodes, the keys and the order of data that TensorFlow would give them, and only nodes
 * without values that nobody reads are missing. */
#include "saving/tf_checkpoint_write.h"

#include "formats/object_graph.h"
#include "saving/optimizer_state.h"
#include "saving/tf_checkpoint.h"
#include "saving/walk.h"
#include "training/optimizer.h"
#include "training/update.h"

typedef enum object_kind {
    LAYER,
    VALUE,
    LIST,
    OPTIMIZER,
    SLOTS,
    PLACEHOLDERS,
    LOSS_SCALE,
    EMPTY
} object_kind;

/* What a node stands for. */
typedef struct object {
    object_kind kind;
    krt_layer *layer;            /* a LAYER, the owner of a LIST */
    const char *attribute;       /* of a LIST; the slot of PLACEHOLDERS */
    const char *full_name;       /* of a VALUE */
    krt_dtype dtype, data_dtype; /* as it is written, as it is in memory */
    krt_shape shape;
    const void *data, *precise;
    const char *path; /* "" for the root */
} object;

typedef struct saver {
    krt_ctx *k;
    krti_named_list *list;
    krt_model *model;
    krti_optimizer *optimizer; /* NULL: none is written */
    krti_object_graph graph;
    object *objects; /* by node */
    size_t capacity;
    krti_map *nodes; /* identity -> node + 1 */
} saver;

/* ------------------------------------------------------------------------------- nodes */

/* The node of an object, a new one when no edge has reached it. */
static krt_status find_node(saver *s, const char *identity, const object *o, const char *parent,
                            const char *name, uint32_t *node)
{
    const uintptr_t known = (uintptr_t)krti_map_get(s->nodes, identity);
    krti_str path = KRTI_STR_INIT(s->k);
    krt_status st = KRT_OK;

    if (known > 0) {
        *node = (uint32_t)(known - 1);
        return KRT_OK;
    }
    TRY(krti_object_graph_add_node(&s->graph, node));
    TRY(krti_map_set(s->nodes, identity, (void *)((uintptr_t)*node + 1)));
    TRY(krti_grow(s->k, &s->objects, &s->capacity, (size_t)*node + 1, sizeof *s->objects));
    s->objects[*node] = *o;
    TRY(krti_str_addf(&path, "%s%s", parent, parent[0] != '\0' ? "/" : ""));
    TRY(krti_object_graph_escape(&path, name));
    s->objects[*node].path = krti_arena_strdup(&s->list->arena, path.ptr);
    if (s->objects[*node].path == NULL)
        TRY(KRT_E_NOMEM);

done:
    krti_str_free(&path);
    return st;
}

static krt_status add_child(saver *s, uint32_t parent, const char *name, const char *identity,
                            const object *o)
{
    uint32_t node = 0;
    krt_status st = KRT_OK;

    TRY(find_node(s, identity, o, s->objects[parent].path, name, &node));
    TRY(krti_object_graph_add_edge(&s->graph, parent, name, node));

done:
    return st;
}

static krt_status add_layer(saver *s, uint32_t parent, const char *name, krt_layer *l)
{
    const object o = {.kind = LAYER, .layer = l};
    char identity[32];

    snprintf(identity, sizeof identity, "%p", (void *)l);
    return add_child(s, parent, name, identity, &o);
}

/* An array, which has this type in files. */
static krt_status add_value(saver *s, uint32_t parent, const char *name, const char *full_name,
                            const krt_tensor *t, krt_dtype dtype, const krt_tensor *precise)
{
    object o = {.kind = VALUE,
                .dtype = dtype,
                .data_dtype = t->dtype,
                .shape = t->shape,
                .data = t->data,
                .precise = precise != NULL ? precise->data : NULL};
    char identity[32];

    snprintf(identity, sizeof identity, "%p", (const void *)t);
    o.full_name = krti_arena_strdup(&s->list->arena, full_name);
    return o.full_name != NULL ? add_child(s, parent, name, identity, &o) : KRT_E_NOMEM;
}

/* ------------------------------------------------------------------------------- layers */

/* tf.keras's attribute where it is not the variable's name. */
static const char *attribute_of(const krt_layer *l, const char *name)
{
    static const struct {
        const char *class_name, *name, *attribute;
    } renamed[] = {{"DepthwiseConv1D", "kernel", "depthwise_kernel"},
                   {"DepthwiseConv2D", "kernel", "depthwise_kernel"},
                   {"Normalization", "mean", "adapt_mean"},
                   {"Normalization", "variance", "adapt_variance"},
                   {"MultiHeadAttention", "query_dense", "_query_dense"},
                   {"MultiHeadAttention", "key_dense", "_key_dense"},
                   {"MultiHeadAttention", "value_dense", "_value_dense"},
                   {"MultiHeadAttention", "output_dense", "_output_dense"}};

    for (size_t i = 0; i < KRTI_COUNT(renamed); i++)
        if (strcmp(renamed[i].class_name, l->class_name) == 0 && strcmp(renamed[i].name, name) == 0)
            return renamed[i].attribute;
    return name;
}

/* layer_with_weights-K counts the layers that have weights, layer-N all of them. */
static krt_status add_layers(saver *s, uint32_t node, const krt_model *m)
{
    size_t with_weights = 0;
    char name[48];
    krt_status st = KRT_OK;

    for (size_t i = 0; i < m->num_layers; i++) {
        if (krt_layer_num_weights(m->layers[i]) > 0) {
            snprintf(name, sizeof name, "layer_with_weights-%zu", with_weights++);
            TRY(add_layer(s, node, name, m->layers[i]));
        }
        snprintf(name, sizeof name, "layer-%zu", i);
        TRY(add_layer(s, node, name, m->layers[i]));
    }

done:
    return st;
}

static krt_status add_variables(saver *s, uint32_t node, const krt_layer *l)
{
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < l->num_variables; i++) {
        krt_variable *v = l->variables[i];

        if (v->layer == l)
            st = add_value(s, node, attribute_of(l, v->name), krt_variable_path(v), v->tensor,
                           krti_stored_dtype(v), v->precise);
    }
    return st;
}

/* An inner layer under its attribute; those of a list under one node with their numbers. */
static krt_status add_inner(saver *s, uint32_t node, krt_layer *l)
{
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < l->num_inner; i++) {
        const krti_inner *inner = &l->inner[i];
        const object list = {.kind = LIST, .layer = l, .attribute = inner->attribute};
        char identity[160];

        if (!inner->in_list) {
            st = add_layer(s, node, attribute_of(l, inner->attribute), inner->layer);
            continue;
        }
        snprintf(identity, sizeof identity, "%p %s", (void *)l, inner->attribute);
        if (!krti_map_has(s->nodes, identity))
            st = add_child(s, node, inner->attribute, identity, &list);
    }
    return st;
}

static krt_status visit_list(saver *s, uint32_t node)
{
    const object o = s->objects[node];
    size_t n = 0;
    char name[24];
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < o.layer->num_inner; i++) {
        const krti_inner *inner = &o.layer->inner[i];

        if (!inner->in_list || strcmp(inner->attribute, o.attribute) != 0)
            continue;
        snprintf(name, sizeof name, "%zu", n++);
        st = add_layer(s, node, name, inner->layer);
    }
    return st;
}

static krt_status visit_layer(saver *s, uint32_t node)
{
    static const object optimizer = {.kind = OPTIMIZER}, empty = {.kind = EMPTY};
    char axis[40];
    krt_layer *l = s->objects[node].layer;
    const krt_model *m = krti_model_of(l);
    krt_status st = KRT_OK;

    if (l->cls == NULL)
        return krti_layer_fail(l, KRT_E_UNKNOWN_CLASS,
                               "Could not locate class '%s': the model does not hold this layer's "
                               "weights, so saving it would lose them",
                               l->class_name);
    if (m != NULL)
        TRY(add_layers(s, node, m));
    if (strcmp(l->class_name, "BatchNormalization") == 0 ||
        strcmp(l->class_name, "LayerNormalization") == 0) {
        snprintf(axis, sizeof axis, "%p axis", (void *)l);
        TRY(add_child(s, node, "axis", axis, &empty)); /* a list of numbers, which has no value */
    }
    TRY(add_variables(s, node, l));
    if (m == NULL)
        TRY(add_inner(s, node, l));
    if (node == 0 && s->optimizer != NULL)
        TRY(add_child(s, 0, "optimizer", "optimizer", &optimizer));
    if (node == 0)
        TRY(add_layer(s, 0, "root", l));

done:
    return st;
}

/* ------------------------------------------------------------------------------- the optimizer */

/* The one that has the slots: what a LossScaleOptimizer wraps. */
static const krti_optimizer *inner_optimizer(const saver *s)
{
    return s->optimizer->inner != NULL ? s->optimizer->inner : s->optimizer;
}

static krt_status add_state(saver *s, uint32_t node, const char *name, const char *full_name,
                            const krti_optimizer_variable *v)
{
    return add_value(s, node, name, full_name, v->tensor, krti_stored_optimizer_dtype(v),
                     v->precise);
}

static krt_status visit_optimizer(saver *s, uint32_t node)
{
    static const object slots = {.kind = SLOTS}, loss_scale = {.kind = LOSS_SCALE},
                        rows = {.kind = PLACEHOLDERS, .attribute = "r"},
                        columns = {.kind = PLACEHOLDERS, .attribute = "c"};
    const krti_optimizer *o = inner_optimizer(s);
    const char *rate = o->schedule != NULL ? "_current_learning_rate" : "_learning_rate";
    krt_status st = KRT_OK;

    if (s->optimizer->inner != NULL)
        TRY(add_child(s, node, "loss_scale", "loss_scale", &loss_scale));
    TRY(add_child(s, node, "_variables", "slots", &slots));
    TRY(add_state(s, node, "_iterations", "iteration", &o->variables[0]));
    if (o->learning_rate != NULL) {
        TRY(add_state(s, node, rate, "learning_rate", &o->variables[1]));
    } else if (o->schedule != NULL) {
        object value = {.kind = VALUE, .full_name = "current_learning_rate", .dtype = KRT_FLOAT32};
        float *now = krti_arena_alloc(&s->list->arena, sizeof *now);

        if (now == NULL)
            TRY(KRT_E_NOMEM);
        *now = krti_schedule_at(o->schedule, *(const int64_t *)o->iteration->data);
        value.data = now;
        TRY(add_child(s, node, rate, "rate", &value));
    }
    if (strcmp(o->class_name, "Adafactor") == 0) {
        TRY(add_child(s, node, "_r", "rows", &rows));
        TRY(add_child(s, node, "_c", "columns", &columns));
    }
    for (size_t i = 0; i < o->num_variables; i++)
        if (strcmp(o->variables[i].slot, "u_product") == 0)
            TRY(add_state(s, node, "_u_product", "_u_product", &o->variables[i]));

done:
    return st;
}

static krt_status add_slot(saver *s, uint32_t node, size_t index, const char *word,
                           const krti_optimizer_variable *v)
{
    const krti_optimizer *o = inner_optimizer(s);
    krti_str full = KRTI_STR_INIT(s->k);
    char name[24];
    krt_status st = KRT_OK;

    snprintf(name, sizeof name, "%zu", index);
    TRY(krti_str_addf(&full, "%s/%s/%s", o->class_name, word, krt_variable_path(v->of)));
    TRY(add_state(s, node, name, full.ptr, v));

done:
    krti_str_free(&full);
    return st;
}

/* tf.keras's SGD has a momentum for every variable even when it is not used; Keras 3's has not. */
static krt_status add_unused_momenta(saver *s, uint32_t node, size_t *index)
{
    const krti_optimizer *o = inner_optimizer(s);
    krt_status st = KRT_OK;

    for (size_t i = 0; i < o->num_trainable; i++) {
        const krt_variable *v = o->trainable[i];
        krti_str full = KRTI_STR_INIT(s->k);
        object value = {.kind = VALUE,
                        .dtype = krti_stored_dtype(v),
                        .data_dtype = v->tensor->dtype,
                        .shape = v->tensor->shape};
        char name[24];

        snprintf(name, sizeof name, "%zu", (*index)++);
        st = krti_str_addf(&full, "SGD/m/%s", krt_variable_path(v));
        value.full_name = st == KRT_OK ? krti_arena_strdup(&s->list->arena, full.ptr) : NULL;
        value.data = krti_arena_alloc(&s->list->arena, v->tensor->size_bytes + 1);
        krti_str_free(&full);
        if (value.full_name == NULL || value.data == NULL)
            return KRT_E_NOMEM;
        st = add_child(s, node, name, value.full_name, &value);
        if (st != KRT_OK)
            return st;
    }
    return KRT_OK;
}

/* tf.keras goes by the numbers: what it does not know comes behind what it does. */
static krt_status visit_slots(saver *s, uint32_t node)
{
    const krti_optimizer *o = inner_optimizer(s);
    const size_t n = o->is_built ? o->num_variables : 0;
    bool has_momenta = strcmp(o->class_name, "SGD") != 0;
    size_t index = 1;
    krt_status st = KRT_OK;

    TRY(add_state(s, node, "0", "iteration", &o->variables[0]));
    for (int unknown = 0; unknown < 2; unknown++) {
        for (size_t i = o->first_slot; i < n; i++) {
            const krti_optimizer_variable *v = &o->variables[i];
            const char *word = krti_optimizer_tf_slot(o, v->slot, false);

            if (v->of == NULL || word == NULL || krti_is_placeholder(v) ||
                krti_is_of_keras3(v) != (unknown != 0))
                continue;
            has_momenta |= strcmp(v->slot, "momentum") == 0;
            TRY(add_slot(s, node, index++, word, v));
        }
        if (o->is_built && !has_momenta && unknown == 0)
            TRY(add_unused_momenta(s, node, &index));
    }

done:
    return st;
}

/* The numbers in place of slots that are not needed; tf.keras has them beside its list, by variable. */
static krt_status visit_placeholders(saver *s, uint32_t node)
{
    static const int32_t zero = 0;
    const krti_optimizer *o = inner_optimizer(s);
    const object value = {.kind = VALUE,
                          .full_name = "r",
                          .dtype = KRT_INT32,
                          .data_dtype = KRT_INT32,
                          .data = &zero};
    const char *slot = s->objects[node].attribute;
    char identity[32];
    size_t index = 0;
    krt_status st = KRT_OK;

    for (size_t i = o->first_slot; st == KRT_OK && o->is_built && i < o->num_variables; i++) {
        if (strcmp(o->variables[i].slot, slot) != 0)
            continue;
        snprintf(identity, sizeof identity, "%s/%zu", slot, index++);
        if (krti_is_placeholder(&o->variables[i]))
            st = add_child(s, node, identity + 2, identity, &value);
    }
    return st;
}

static krt_status visit_loss_scale(saver *s, uint32_t node)
{
    static const char *const names[][2] = {{"dynamic_scale", "current_loss_scale"},
                                           {"step_counter", "good_steps"}};
    const krti_optimizer *o = s->optimizer;
    krt_status st = KRT_OK;

    for (size_t n = 0; n < KRTI_COUNT(names); n++)
        for (size_t i = 0; i < o->num_variables; i++)
            if (strcmp(o->variables[i].slot, names[n][0]) == 0)
                TRY(add_state(s, node, names[n][1], names[n][1], &o->variables[i]));

done:
    return st;
}

/* ------------------------------------------------------------------------------- all */

static krt_status visit(saver *s, uint32_t node)
{
    static krt_status (*const visitors[])(saver *, uint32_t) = {[LAYER] = visit_layer,
                                                                [LIST] = visit_list,
                                                                [OPTIMIZER] = visit_optimizer,
                                                                [SLOTS] = visit_slots,
                                                                [PLACEHOLDERS] = visit_placeholders,
                                                                [LOSS_SCALE] = visit_loss_scale,
                                                                [EMPTY] = NULL};
    const object_kind kind = s->objects[node].kind;

    return visitors[kind] != NULL ? visitors[kind](s, node) : KRT_OK;
}

/* The arrays, in the order of the nodes. */
static krt_status list_values(saver *s)
{
    krti_str key = KRTI_STR_INIT(s->k);
    krt_status st = KRT_OK;

    for (uint32_t i = 0; i < s->graph.num_nodes; i++) {
        const object *o = &s->objects[i];
        krti_named_item item = {.dtype = o->dtype,
                                .shape = o->shape,
                                .data = o->data,
                                .data_dtype = o->data_dtype,
                                .precise = o->precise};

        if (o->kind != VALUE)
            continue;
        krti_str_clear(&key);
        TRY(krti_str_addf(&key, "%s/.ATTRIBUTES/" KRTI_VARIABLE_VALUE, o->path));
        TRY(krti_object_graph_add_attribute(&s->graph, i, KRTI_VARIABLE_VALUE, o->full_name,
                                            key.ptr));
        item.key = key.ptr;
        TRY(krti_named_list_add(s->list, &item));
    }

done:
    krti_str_free(&key);
    return st;
}

static krt_status check_built(const krt_model *m)
{
    if (m->failed != KRT_OK)
        return m->failed;
    if (m->cannot_run != NULL || !krti_walk_is_unbuilt(&m->base))
        return krti_walk_check_whole(m);
    return krti_fail(
        m->base.owned.k, KRT_E_STATE, m->base.name,
        "Weights for model '%s' have not yet been created. Weights are created when the "
        "model is first called on inputs or `build()` is called with an `input_shape`. "
        "Give it an input first: krt_add_input()",
        m->base.name);
}

/* The model's optimizer, with the state its file has for it. One that this build does not know has none
 * here: TensorFlow then leaves its own alone. */
static krt_status find_optimizer(saver *s)
{
    krt_status st = KRT_OK;

    if (krti_compile_config(s->model) == NULL)
        return KRT_OK;
    st = krti_model_optimizer(s->model, &s->optimizer);
    if (st != KRT_E_UNKNOWN_CLASS && st != KRT_E_INVALID && st != KRT_E_UNSUPPORTED)
        return st;
    krti_warn(s->k, "the checkpoint has no optimizer state: %s", s->k->error.message);
    s->optimizer = NULL;
    return KRT_OK;
}

krt_status krti_named_list_add_checkpoint(krti_named_list *l, krt_model *m,
                                          const krti_checkpoint_options *options)
{
    saver s = {.k = l->k, .list = l, .model = m};
    krt_status st = check_built(m);

    krti_object_graph_init(&s.graph, l->k);
    if (st != KRT_OK)
        return st;
    if (options->include_optimizer)
        TRY(find_optimizer(&s));
    TRY(krti_layer_initialize(&m->base));
    s.nodes = krti_map_new(l->k);
    if (s.nodes == NULL)
        TRY(KRT_E_NOMEM);
    char identity[32];
    uint32_t root = 0;
    const object o = {.kind = LAYER, .layer = &m->base};
    snprintf(identity, sizeof identity, "%p", (void *)&m->base);
    TRY(find_node(&s, identity, &o, "", "", &root));
    for (uint32_t i = 0; i < s.graph.num_nodes; i++)
        TRY(visit(&s, i));
    TRY(list_values(&s));
    if (s.optimizer != NULL)
        TRY(krti_named_list_add(l, &(krti_named_item){.key = KRTI_TF_SEED_KEY,
                                                      .dtype = KRT_INT64,
                                                      .data = &s.optimizer->seed}));
    TRY(krti_object_graph_put(&l->graph, &s.graph));

done:
    krti_object_graph_free(&s.graph);
    krti_map_free(s.nodes);
    krti_free(l->k, s.objects);
    return st;
}
