/* Tracing one layer: build when needed, describe, pass the mask on. See layer.h. */
#include "layers/config.h"
#include "layers/describe.h"
#include "layers/lora.h"
#include "layers/spatial.h"
#include "layers/weight_rules.h"

krt_status krti_layer_keep_shapes(krt_layer *l, const krt_shape *inputs, size_t n)
{
    krt_shape *shapes = krti_array(l->owned.k, n > 0 ? n : 1, sizeof *shapes);

    if (shapes == NULL)
        return KRT_E_NOMEM;
    memcpy(shapes, inputs, n * sizeof *inputs);
    krti_free(l->owned.k, l->build_shapes);
    l->build_shapes = shapes;
    l->num_build_shapes = n;
    return KRT_OK;
}

krt_status krti_layer_build(krt_layer *l, const krt_shape *inputs, size_t n)
{
    krt_ctx *k = l->owned.k;
    krt_status st = KRT_OK;

    if (l->is_built)
        return KRT_OK;
    st = krti_layer_keep_shapes(l, inputs, n);
    if (st == KRT_OK && l->cls->build != NULL)
        st = l->cls->build(l, l->args, inputs, n);
    if (st != KRT_OK)
        return krti_fail_in_object(k, st, l->name);
    l->is_built = true;
    return KRT_OK;
}

static krt_status build_for(krt_layer *l, const krt_call *c)
{
    krt_ctx *k = l->owned.k;

    if (l->is_built)
        return KRT_OK;
    krt_shape *shapes = krti_array(k, c->num_in > 0 ? c->num_in : 1, sizeof *shapes);
    if (shapes == NULL)
        return KRT_E_NOMEM;
    for (size_t i = 0; i < c->num_in; i++)
        shapes[i] = c->in[i]->shape;
    const krt_status st = krti_layer_build(l, shapes, c->num_in);
    krti_free(k, shapes);
    return st;
}

/* Not Keras's own, as far as its file tells. */
static bool is_custom(const krt_layer *l)
{
    return l->package != NULL || !krti_is_keras_module(krti_conf_get(l->object, "module"));
}

static krt_status can_run(const krt_layer *l)
{
    char arrays[40] = "";

    if (l->num_stored > 0)
        snprintf(arrays, sizeof arrays, " (%zu array%s)", l->num_stored,
                 l->num_stored == 1 ? "" : "s");
    if (l->cls == NULL && l->unsupported != NULL)
        return krti_layer_fail(l, KRT_E_UNKNOWN_CLASS, "%s", l->unsupported);
    if (l->cls == NULL && is_custom(l))
        return krti_layer_fail(l, KRT_E_UNKNOWN_CLASS,
                               "layer \"%s\" has the custom class %s: its weights are readable%s, "
                               "running it needs krt_register()",
                               l->name, l->class_name, arrays);
    if (l->cls == NULL || l->cls->call == NULL)
        return krti_layer_fail(l, KRT_E_UNKNOWN_CLASS,
                               "layer \"%s\" has the class %s, which this build cannot run; its "
                               "weights are readable%s, running it needs krt_register()",
                               l->name, l->class_name, arrays);
    if (l->unsupported != NULL)
        return krti_layer_fail(l, KRT_E_UNSUPPORTED, "%s", l->unsupported);
    return KRT_OK;
}

/* The path of the layer inside the graph: outer scope + "/" + name. */
static const char *enter_scope(krti_graph *g, const krt_layer *l)
{
    const size_t outer = g->scope != NULL ? strlen(g->scope) + 1 : 0;
    const size_t n = outer + strlen(l->name);
    char *path = krti_arena_alloc(&g->arena, n + 1);

    if (path != NULL)
        snprintf(path, n + 1, "%s%s%s", outer > 0 ? g->scope : "", outer > 0 ? "/" : "", l->name);
    return path;
}

static void pass_mask(const krt_layer *l, krt_call *c)
{
    if (c->mask_is_set || !(l->cls->flags & KRT_LAYER_PASSES_MASK) || c->num_in == 0)
        return;
    for (size_t i = 0; i < c->num_out; i++)
        c->out_mask[i] = c->in_mask != NULL ? c->in_mask[0] : NULL;
}

/* Every layer may have one; the classes that do not say so keep it in their config. */
static krt_status find_activity_regularizer(krt_layer *l, const krt_spec **out)
{
    static const krt_field field = {"activity_regularizer", KRT_FIELD_OBJECT, 0};
    const krti_field_reader r = {l->owned.k, &l->arena, l, l->class_name};
    const krt_spec *const *member = krti_args_member(l->cls, l->args, field.key);
    const krti_conf *given = krti_conf_get(l->config, field.key);

    *out = member != NULL ? *member : NULL;
    if (member != NULL || given == NULL || krti_conf_is_null(given))
        return KRT_OK;
    return krti_field_read(&r, &field, given, out);
}

/* Penalties on what the layer gives, in a step of training or evaluation. */
static krt_status add_penalties(krt_layer *l, krt_call *c)
{
    const krt_spec *spec = NULL;
    krt_status st = KRT_OK;

    if (!c->g->variables_change)
        return KRT_OK;
    TRY(find_activity_regularizer(l, &spec));
    for (size_t i = 0; spec != NULL && i < c->num_out; i++) {
        krt_value *const y = krti_as_float32(c->g, c->out[i]);

        TRY(krti_add_loss(c->g, krti_a_sample(c->g, krti_regularize(c->g, l, spec, y),
                                              y != NULL ? y->shape : (krt_shape){.rank = 0})));
    }

done:
    return st;
}

krt_status krti_layer_trace(krt_layer *l, krti_graph *g, krt_call *c)
{
    krt_ctx *k = g->k;
    const char *outer = g->scope;
    krt_status st = can_run(l);

    if (st != KRT_OK)
        return st;
    for (size_t i = 0; i < c->num_in; i++)
        if (c->in[i] == NULL)
            return g->status;
    c->g = g;
    c->layer = l;
    c->num_out = 0;
    c->mask_is_set = c->takes_masks = false;
    memset(c->out, 0, sizeof c->out);
    memset(c->out_mask, 0, sizeof c->out_mask);
    g->scope = enter_scope(g, l);
    st = g->scope != NULL ? build_for(l, c) : KRT_E_NOMEM;
    if (st == KRT_OK)
        st = l->cls->call(l, l->args, c);
    if (st == KRT_OK)
        st = g->status;
    if (st == KRT_OK && c->num_out == 0)
        st = krti_layer_fail(l, KRT_E_USER, "the layer's call set no output");
    if (st == KRT_OK)
        st = add_penalties(l, c);
    if (st == KRT_OK)
        pass_mask(l, c);
    krti_fail_in_object(k, st, g->scope);
    g->scope = outer;
    return st;
}

krt_value *krti_layer_apply(krt_layer *l, krt_call *outer, krt_value *x, krt_value *mask,
                            krt_value **mask_out)
{
    krt_value *const in[1] = {x};
    krt_value *const in_mask[1] = {mask};
    krt_call c = {.training = outer->training,
                  .is_symbolic = outer->is_symbolic,
                  .num_in = 1,
                  .in = in,
                  .in_mask = in_mask,
                  .user = outer->user};

    if (mask_out != NULL)
        *mask_out = NULL;
    if (x == NULL)
        return NULL;
    const krt_status st = krti_layer_trace(l, outer->g, &c);
    if (st != KRT_OK) {
        if (outer->g->status == KRT_OK)
            outer->g->status = st;
        return NULL;
    }
    if (mask_out != NULL)
        *mask_out = c.out_mask[0];
    return c.out[0];
}

void krti_call_set_mask(krt_call *c, size_t i, krt_value *mask)
{
    KRTI_ASSERT(i < KRTI_MAX_CALL_OUT);
    c->mask_is_set = true;
    c->out_mask[i] = mask;
}

/* ------------------------------------------------------------------------------- public */

krt_value *krt_call_input(const krt_call *c, size_t i)
{
    if (i < c->num_in)
        return c->in[i];
    return krti_graph_fail(c->g, KRT_E_INVALID, "the layer wants input %zu, it is called on %zu", i,
                           c->num_in);
}

size_t krt_call_num_inputs(const krt_call *c)
{
    return c->num_in;
}

krt_value *krt_call_weight(krt_call *c, const char *name)
{
    const krt_variable *v = c->layer != NULL ? krti_layer_variable(c->layer, name) : NULL;

    if (v == NULL)
        return krti_graph_fail(c->g, KRT_E_INVALID, "there is no weight \"%s\"", name);
    return krti_lora_sum(c->g, v, krti_current(c->g, krti_variable(c->g, v->tensor)));
}

bool krt_call_training(const krt_call *c)
{
    return c->training;
}

krt_status krt_call_output(krt_call *c, size_t i, krt_value *v)
{
    if (i >= KRTI_MAX_CALL_OUT)
        return krti_fail(c->g->k, KRT_E_UNSUPPORTED, NULL, "more than %d outputs",
                         KRTI_MAX_CALL_OUT);
    c->out[i] = v;
    if (i >= c->num_out)
        c->num_out = i + 1;
    return c->g->status;
}

krt_shape krt_value_shape(const krt_value *v)
{
    return v->shape;
}

krt_dtype krt_value_dtype(const krt_value *v)
{
    return v->dtype;
}
