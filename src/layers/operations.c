/* Making operation layers from a config and describing them. See operations.h. */
#include "layers/operations.h"

#include "layers/operations_list.h"
#include "layers/operations_run.h"

/* ------------------------------------------------------------------------------- which */

bool krti_is_tf_operation(const char *class_name)
{
    static const char *const names[] = {"TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer"};

    return krti_is_one_of(class_name, names, KRTI_COUNT(names));
}

/* Keras's own modules only: a layer of somebody's package "my.ops.norm" is a layer. */
static bool is_ops_module(const char *module)
{
    return module != NULL &&
           (krti_starts_with(module, "keras.src.ops.") || krti_starts_with(module, "keras.ops") ||
            krti_starts_with(module, "keras.src.operations.") ||
            krti_starts_with(module, "keras_core.src.ops.") ||
            krti_starts_with(module, "keras_core.operations"));
}

/* In the .h5 files of Keras 3 no object has a module. An operation is told from a layer of the same
 * name, Add say, by its config: every layer says whether it is trainable. */
static bool is_bare_operation(const krti_conf *object, const char *class_name)
{
    const krti_conf *const node = krti_conf_at(krti_conf_get(object, "inbound_nodes"), 0);

    if (class_name == NULL || krti_conf_get(object, "module") != NULL ||
        krti_conf_get(node, "args") == NULL ||
        krti_conf_get(krti_conf_get(object, "config"), "trainable") != NULL)
        return false;
    const krti_operation *const op = krti_operation_find(class_name);
    return op != NULL && op->base.package != NULL;
}

bool krti_is_operation(const krti_conf *object)
{
    const char *const class_name = krti_conf_get_text(object, "class_name");

    return is_ops_module(krti_conf_get_text(object, "module")) ||
           krti_is_tf_operation(class_name) || is_bare_operation(object, class_name);
}

/* ------------------------------------------------------------------------------- making */

/* "keras.ops.image.affine_transform" for the sentence that says it is missing. */
static krt_status public_name(krti_str *s, const krti_conf *object)
{
    static const char *const packages[] = {"image", "linalg"};
    const char *const module = krti_conf_get_text(object, "module");
    const char *const dot = module != NULL ? strrchr(module, '.') : NULL;

    krti_str_add(s, "keras.ops.");
    if (dot != NULL && krti_is_one_of(dot + 1, packages, KRTI_COUNT(packages)))
        krti_str_addf(s, "%s.", dot + 1);
    return krti_snake_case(s, krti_conf_get_text(object, "class_name"));
}

static krt_status mark_unknown(krt_layer *l, const char *operation)
{
    krti_str text = KRTI_STR_INIT(l->owned.k);
    krt_status st = KRT_OK;

    TRY(krti_str_addf(&text, "the operation %s (node \"%s\") is not supported by this build",
                      operation, l->name));
    l->unsupported = krti_arena_strdup(&l->arena, krti_str_text(&text));
    if (l->unsupported == NULL)
        st = KRT_E_NOMEM;

done:
    krti_str_free(&text);
    return st;
}

/* Keras 3: the class is the operation, the config its constructor arguments. */
static krt_status find_keras(krt_layer *l, krti_operation_node *n, const krti_conf *object)
{
    krti_str name = KRTI_STR_INIT(l->owned.k);
    krt_status st = KRT_OK;

    n->operation = krti_operation_find(l->class_name);
    n->config = l->config;
    l->cls = n->operation != NULL ? &n->operation->base : krti_operation_holder("");
    if (n->operation != NULL) {
        n->params = n->operation->params;
        goto done;
    }
    TRY(public_name(&name, object));
    TRY(mark_unknown(l, krti_str_text(&name)));

done:
    krti_str_free(&name);
    return st;
}

/* tf.keras 2.4 and newer: the config names a TensorFlow function. */
static krt_status find_function(krt_layer *l, krti_operation_node *n)
{
    const char *function = krti_conf_get_text(l->config, "function");

    if (function == NULL && strcmp(l->class_name, "SlicingOpLambda") == 0)
        function = "__operators__.getitem";
    if (function == NULL)
        return krti_layer_fail(l, KRT_E_FORMAT, "%s names no function", l->class_name);
    n->operation = krti_operation_of_function(function, &n->params);
    if (n->operation != NULL)
        return KRT_OK;
    char name[160];
    snprintf(name, sizeof name, "tf.%s", function);
    return mark_unknown(l, name);
}

/* tf.keras 2.0 to 2.3, and in graph mode until today: the config holds a node of a graph. */
static krt_status find_node_def(krt_layer *l, krti_operation_node *n)
{
    const krti_conf *const node = krti_conf_get(l->config, "node_def");
    const char *op = NULL;
    krti_conf *attrs = NULL;
    krt_status st = KRT_OK;

    if (krti_conf_text(node) != NULL)
        return mark_unknown(l, "of a TensorFlowOpLayer that holds its node as bytes");
    st = krti_node_def_read(&l->arena, node, &op, &attrs);
    if (st != KRT_OK)
        return krti_fail_in_object(l->owned.k, st, l->name);
    n->attrs = attrs;
    n->constants = krti_conf_get(l->config, "constants");
    n->operation = krti_operation_of_node_def(op, &n->params);
    if (n->operation != NULL)
        return KRT_OK;
    char name[160];
    snprintf(name, sizeof name, "TensorFlow's %s", op);
    return mark_unknown(l, name);
}

krt_status krti_operation_from_conf(krt_ctx *k, krt_layer **out, const krti_conf *object)
{
    const char *const class_name = krti_conf_get_text(object, "class_name");
    const krti_conf *const config = krti_conf_get(object, "config");
    krt_layer *l = NULL;
    krt_status st = KRT_OK;

    *out = NULL;
    if (class_name == NULL || config == NULL)
        return krti_fail(k, KRT_E_FORMAT, NULL,
                         "Improper config format for an operation. Expecting python dict contains "
                         "`class_name` and `config` as keys");
    /* A TensorFlowOpLayer is called "tf_op_layer_Mean" where its config says "Mean". */
    const char *name = krti_conf_get_text(object, "name");
    TRY(krti_layer_alloc(k, &l, sizeof *l, class_name));
    l->object = object;
    l->config = config;
    l->generation = k->file_generation != 0 ? k->file_generation : 3;
    TRY(krti_layer_set_name(l, name != NULL ? name : krti_conf_get_text(config, "name")));
    krti_operation_node *const n = krti_arena_alloc(&l->arena, sizeof *n);
    if (n == NULL)
        TRY(KRT_E_NOMEM);
    n->spec = (krt_spec){sizeof *n, l->class_name};
    l->args = n;
    l->cls = krti_operation_holder(class_name);
    if (!krti_is_tf_operation(class_name))
        TRY(find_keras(l, n, object));
    else if (strcmp(class_name, "TensorFlowOpLayer") == 0)
        TRY(find_node_def(l, n));
    else
        TRY(find_function(l, n));
    *out = l;

done:
    return st;
}

bool krti_operation_is_slice(const krt_layer *l)
{
    const krti_operation_node *const n = l->args;

    return l->cls != NULL && l->cls->call == krti_operation_call && n->operation != NULL &&
           n->operation->one == krti_operation_slice;
}

/* ------------------------------------------------------------------------------- describing */

static krt_status out_of_memory(krti_graph *g)
{
    if (g->status == KRT_OK)
        g->status = KRT_E_NOMEM;
    return KRT_E_NOMEM;
}

static krti_conf *reference(krti_arena *a, size_t i)
{
    krti_conf *const d = krti_conf_dict(a);

    if (d == NULL || krti_conf_set(a, d, "__value__", krti_conf_int(a, (int64_t)i)) != KRT_OK)
        return NULL;
    return d;
}

/* The inputs in order, constants at their places between them. */
static krt_status merge_inputs(const krti_operation_node *n, const krt_call *c,
                               const krti_conf **out)
{
    krti_arena *const a = &c->g->arena;
    krti_conf *const list = krti_conf_list(a);
    const size_t total = c->num_in + krti_conf_num(n->constants);
    char key[32];
    size_t next = 0;

    if (list == NULL)
        return out_of_memory(c->g);
    for (size_t i = 0; i < total; i++) {
        snprintf(key, sizeof key, "%zu", i);
        const krti_conf *const constant = krti_conf_get(n->constants, key);
        krti_conf *item = NULL;

        if (constant != NULL)
            item = krti_conf_copy(a, constant);
        else if (next < c->num_in)
            item = reference(a, next++);
        else
            break;
        if (item == NULL || krti_conf_add(a, list, item) != KRT_OK)
            return out_of_memory(c->g);
    }
    *out = list;
    return KRT_OK;
}

static krt_value *describe_one(const krti_opcall *o, const krti_operation *op)
{
    krt_value *a, *b;

    if (op->unary != NULL)
        return op->unary(o->g, krti_opcall_tensor(o, "x"));
    if (op->reduce != NULL)
        return krti_operation_reduce(o, op->reduce);
    if (op->one != NULL)
        return op->one(o);
    krti_opcall_pair(o, "x1", "x2", &a, &b);
    return op->binary(o->g, a, b);
}

krt_status krti_operation_call(const krt_layer *l, const void *args, krt_call *c)
{
    const krti_operation_node *const n = args;
    krti_opcall o = {.c = c,
                     .g = c->g,
                     .operation = n->operation,
                     .params = n->params,
                     .args = c->args,
                     .kwargs = n->attrs != NULL ? n->attrs : c->kwargs,
                     .config = n->config};
    krt_status st = KRT_OK;

    if (n->operation == NULL) /* `unsupported` has said so before */
        return krti_layer_fail(l, KRT_E_UNSUPPORTED, "an unknown operation");
    if (c->args == NULL || n->attrs != NULL)
        st = merge_inputs(n, c, &o.args);
    if (st != KRT_OK)
        return st;
    if (n->operation->many != NULL)
        return n->operation->many(&o);
    krt_value *const y = describe_one(&o, n->operation);
    if (y == NULL && c->g->status == KRT_OK)
        krti_opcall_fail(&o, KRT_E_INVALID, "the arguments do not fit the operation");
    return krt_call_output(c, 0, y);
}
