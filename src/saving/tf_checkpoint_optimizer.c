/* An optimizer's state from a checkpoint. See tf_checkpoint.h.
 *
 * Three forms: slots that hang on the model's variables (tf.keras up to 2.10), a list `_variables` of
 * iteration and slots (tf.keras since 2.11), and the same list with the learning rate second (Keras 3).
 * In each, a slot's name says what it is and which variable it goes with; where it says something
 * else by now, the place in the list counts. */
#include "saving/tf_checkpoint.h"

#include "saving/optimizer_state.h"

typedef struct filling {
    krt_ctx *k;
    krti_store *s;
    const krti_tf_checkpoint *c;
    krti_optimizer *o;
    size_t *arrays; /* by variable of the optimizer: its array + 1, 0 for none */
} filling;

static size_t array_of(const filling *f, uint32_t node)
{
    return node != KRTI_NO_NODE ? f->c->arrays[node] : 0;
}

static uint32_t child(const filling *f, uint32_t node, const char *name)
{
    return node != KRTI_NO_NODE ? krti_object_graph_child(&f->c->graph, node, name) : KRTI_NO_NODE;
}

/* The optimizer's node: below the model, or beside it; the inner one of a LossScaleOptimizer. */
static uint32_t find_optimizer(const filling *f, uint32_t root)
{
    uint32_t node = child(f, root, "optimizer");

    if (node == KRTI_NO_NODE)
        node = child(f, 0, "optimizer");
    const uint32_t base = child(f, node, "base_optimizer");
    return base != KRTI_NO_NODE && f->c->graph.nodes[base].has_iterations ? base : node;
}

static krti_optimizer_variable *variable(filling *f, const char *slot, const krt_variable *of)
{
    return krti_optimizer_find(f->o, slot, of);
}

static void take(filling *f, const krti_optimizer_variable *v, size_t array)
{
    if (v != NULL && array > 0)
        f->arrays[v - f->o->variables] = array;
}

/* ------------------------------------------------------------------------------- the forms */

/* What belongs to the optimizer alone. */
static void take_scalars(filling *f, uint32_t node)
{
    static const struct {
        const char *slot, *children[3];
    } scalars[] = {{"iteration", {"_iterations", "iter", NULL}},
                   {"learning_rate", {"_learning_rate", "learning_rate", NULL}},
                   {"u_product", {"_u_product", "u_product", NULL}}};

    for (size_t i = 0; i < KRTI_COUNT(scalars); i++)
        for (size_t j = 0; scalars[i].children[j] != NULL; j++)
            take(f, variable(f, scalars[i].slot, NULL),
                 array_of(f, child(f, node, scalars[i].children[j])));
}

/* Slots of tf.keras up to 2.10. */
static krt_status take_legacy_slots(filling *f, uint32_t optimizer, const uint32_t *nodes)
{
    const krti_object_graph *g = &f->c->graph;
    size_t *places = NULL; /* by node: its trainable variable + 1 */

    if (g->nodes[optimizer].slots == KRTI_NO_NODE)
        return KRT_OK;
    places = krti_array(f->k, g->num_nodes, sizeof *places);
    if (places == NULL)
        return KRT_E_NOMEM;
    for (size_t t = f->o->num_trainable; t-- > 0;)
        if (nodes[t] < g->num_nodes)
            places[nodes[t]] = t + 1;
    for (uint32_t i = g->nodes[optimizer].slots; i != KRTI_NO_NODE; i = g->slots[i].next) {
        const krti_graph_slot *slot = &g->slots[i];
        const size_t t = slot->original < g->num_nodes ? places[slot->original] : 0;

        if (t > 0)
            take(f, krti_optimizer_find_legacy(f->o, slot->name, f->o->trainable[t - 1]),
                 array_of(f, slot->node));
    }
    krti_free(f->k, places);
    return KRT_OK;
}

/* The names a slot may have in a list: "Adam/m/dense/kernel", "m/dense/kernel", and Keras 3's. */
static krt_status map_names(const filling *f, krti_map *names)
{
    krti_str name = KRTI_STR_INIT(f->k);
    krt_status st = KRT_OK;

    for (size_t i = 0; i < f->o->num_variables; i++) {
        const krti_optimizer_variable *v = &f->o->variables[i];
        void *const value = (void *)(uintptr_t)(i + 1);
        const char *word = v->of != NULL ? krti_optimizer_tf_slot(f->o, v->slot, false) : NULL;

        TRY(krti_map_set(names, v->path, value));
        if (word == NULL)
            continue;
        krti_str_clear(&name);
        TRY(krti_str_addf(&name, "%s/%s", word, krt_variable_path(v->of)));
        TRY(krti_map_set(names, name.ptr, value));
        krti_str_clear(&name);
        TRY(krti_str_addf(&name, "%s/%s/%s", f->o->class_name, word, krt_variable_path(v->of)));
        TRY(krti_map_set(names, name.ptr, value));
    }

done:
    krti_str_free(&name);
    return st;
}

/* Whether an entry of the list is the learning rate, which Keras 3 keeps there. */
static bool is_rate(const filling *f, uint32_t node)
{
    const krti_graph_attribute *a = krti_object_graph_variable(&f->c->graph, node);

    return a != NULL && (strcmp(a->full_name, "learning_rate") == 0 ||
                         krti_ends_with(a->full_name, "/learning_rate"));
}

/* Which slots go by their places: sums of gradients apart from the others, because Keras 3 has them first and
 * a file that tf.keras can read has them last; numbers in place of slots where the list has them. */
typedef struct order {
    bool sums, placeholders;
} order;

static const char SUM[] = "gradient_accumulator";

/* The next such slot of the optimizer from `at` on. */
static size_t next_slot(const filling *f, size_t at, order of)
{
    for (; at < f->o->num_variables; at++) {
        const krti_optimizer_variable *v = &f->o->variables[at];

        if (v->of != NULL && (strcmp(v->slot, SUM) == 0) == of.sums &&
            (of.placeholders || !krti_is_placeholder(v)))
            break;
    }
    return at;
}

static size_t count_slots(const filling *f, order of)
{
    size_t n = 0;

    for (size_t at = next_slot(f, f->o->first_slot, of); at < f->o->num_variables;
         at = next_slot(f, at + 1, of))
        n++;
    return n;
}

/* The array of the list's next such entry, 0 for no more; *edge moves behind it. */
static size_t next_in_list(const filling *f, uint32_t *edge, uint32_t iteration, order of)
{
    const krti_object_graph *g = &f->c->graph;

    while (*edge != KRTI_NO_NODE) {
        const uint32_t node = g->edges[*edge].node;
        const krti_graph_attribute *a = krti_object_graph_variable(g, node);
        const bool is_sum = a != NULL && strstr(a->full_name, SUM) != NULL;

        *edge = g->edges[*edge].next;
        if (array_of(f, node) > 0 && node != iteration && !is_rate(f, node) && is_sum == of.sums)
            return array_of(f, node);
    }
    return 0;
}

/* What has another name by now, by its place: where both sides have as many and the shape fits. */
static void take_places(filling *f, uint32_t optimizer, uint32_t list, order of)
{
    const uint32_t first = f->c->graph.nodes[list].edges,
                   iteration = child(f, optimizer, "_iterations");
    uint32_t edge = first;
    size_t n = 0;

    while (next_in_list(f, &edge, iteration, of) > 0)
        n++;
    of.placeholders = n == count_slots(f, of);
    if (n != count_slots(f, of))
        return;
    edge = first;
    for (size_t at = next_slot(f, f->o->first_slot, of); at < f->o->num_variables;
         at = next_slot(f, at + 1, of)) {
        const size_t array = next_in_list(f, &edge, iteration, of);

        if (f->arrays[at] == 0 &&
            krt_shape_equal(f->o->variables[at].tensor->shape, f->s->arrays[array - 1].shape))
            take(f, &f->o->variables[at], array);
    }
}

static krt_status take_list(filling *f, uint32_t optimizer)
{
    const krti_object_graph *g = &f->c->graph;
    const uint32_t list = child(f, optimizer, "_variables");
    krti_map *names = NULL;
    krt_status st = KRT_OK;

    if (list == KRTI_NO_NODE)
        return KRT_OK;
    names = krti_map_new(f->k);
    if (names == NULL)
        return KRT_E_NOMEM;
    TRY(map_names(f, names));
    for (uint32_t i = g->nodes[list].edges; i != KRTI_NO_NODE; i = g->edges[i].next) {
        const krti_graph_attribute *a = krti_object_graph_variable(g, g->edges[i].node);
        const size_t known = a != NULL ? (size_t)(uintptr_t)krti_map_get(names, a->full_name) : 0;

        if (known == 0 || array_of(f, g->edges[i].node) == 0)
            continue;
        take(f, &f->o->variables[known - 1], array_of(f, g->edges[i].node));
    }
    take_places(f, optimizer, list, (order){.sums = false, .placeholders = true});
    take_places(f, optimizer, list, (order){.sums = true, .placeholders = true});

done:
    krti_map_free(names);
    return st;
}

/* ------------------------------------------------------------------------------- filling */

static krt_status fill_variable(filling *f, size_t i, size_t *num)
{
    krti_optimizer_variable *v = &f->o->variables[i];
    const size_t array = f->arrays[i] - 1;
    const krti_store_array *a = &f->s->arrays[array];
    char found[160], expected[160];

    if (!krt_shape_equal(a->shape, v->tensor->shape)) {
        krti_warn(f->k, "optimizer %s: %s has the shape %s, the file's %s; it keeps its value",
                  f->o->name, v->path, krt_shape_print(v->tensor->shape, expected, sizeof expected),
                  krt_shape_print(a->shape, found, sizeof found));
        return KRT_OK;
    }
    const krt_status st = krti_optimizer_variable_read(f->s, array, v);
    *num += st == KRT_OK;
    return st;
}

/* The state of a LossScaleOptimizer itself. */
static krt_status fill_loss_scale(krti_store *s, krti_optimizer *o, uint32_t root, size_t *num)
{
    filling f = {.k = s->k, .s = s, .c = s->checkpoint, .o = o};
    uint32_t node = child(&f, root, "optimizer");
    krt_status st = KRT_OK;

    if (node == KRTI_NO_NODE)
        node = child(&f, 0, "optimizer");
    node = child(&f, node, "loss_scale");
    f.arrays = krti_array(s->k, o->num_variables, sizeof *f.arrays);
    if (f.arrays == NULL)
        return KRT_E_NOMEM;
    take(&f, variable(&f, "dynamic_scale", NULL),
         array_of(&f, child(&f, node, "current_loss_scale")));
    take(&f, variable(&f, "step_counter", NULL), array_of(&f, child(&f, node, "good_steps")));
    for (size_t i = 0; st == KRT_OK && i < o->num_variables; i++)
        if (f.arrays[i] > 0)
            st = fill_variable(&f, i, num);
    krti_free(s->k, f.arrays);
    return st;
}

static krt_status read_seed(krti_store *s, krti_optimizer *o)
{
    krt_tensor *t = NULL;
    krt_status st = KRT_OK;
    size_t i = 0;

    while (i < s->num_arrays && strcmp(s->arrays[i].entry, KRTI_TF_SEED_KEY) != 0)
        i++;
    if (i == s->num_arrays || s->arrays[i].shape.rank != 0 || s->arrays[i].dtype != KRT_INT64)
        return KRT_OK;
    st = krti_store_tensor(s, i, KRT_INT64, &t);
    if (st == KRT_OK)
        o->seed = (uint64_t) * (const int64_t *)t->data;
    krt_tensor_free(t);
    return st;
}

krt_status krti_tf_checkpoint_fill_optimizer(krti_store *s, krt_model *m, krti_optimizer *o,
                                             size_t *num)
{
    filling f = {.k = s->k, .s = s, .c = s->checkpoint, .o = o->inner != NULL ? o->inner : o};
    uint32_t *nodes = NULL, root = 0;
    krt_status st = KRT_OK;

    *num = 0;
    if (!s->checkpoint->has_graph)
        return KRT_OK;
    TRY(read_seed(s, o));
    nodes = krti_array(s->k, f.o->num_trainable, sizeof *nodes);
    f.arrays = krti_array(s->k, f.o->num_variables, sizeof *f.arrays);
    if (nodes == NULL || f.arrays == NULL)
        TRY(KRT_E_NOMEM);
    TRY(krti_tf_checkpoint_nodes(s, m, f.o->trainable, f.o->num_trainable, nodes, &root));
    const uint32_t optimizer = find_optimizer(&f, root);
    if (optimizer == KRTI_NO_NODE)
        goto done;
    take_scalars(&f, optimizer);
    TRY(take_legacy_slots(&f, optimizer, nodes));
    TRY(take_list(&f, optimizer));
    for (size_t i = 0; i < f.o->num_variables; i++)
        if (f.arrays[i] > 0)
            TRY(fill_variable(&f, i, num));
    if (o->inner != NULL)
        TRY(fill_loss_scale(s, o, root, num));

done:
    krti_free(s->k, nodes);
    krti_free(s->k, f.arrays);
    return st;
}
