/* Weights in and out of layers and models, and what is trainable. Keras: Layer.get_weights(),
 * set_weights(), the setter of Layer.trainable. */
#include "models/model.h"

#include "base/str.h"
#include "layers/lora.h"

/* ------------------------------------------------------------------------------- reading */

typedef struct gathering {
    krt_ctx *k;
    krt_variable **items;
    size_t n, capacity;
} gathering;

static krt_status gather_one(void *user, krt_variable *v)
{
    gathering *g = user;
    const krt_status st =
        krti_grow(g->k, &g->items, &g->capacity, g->n + 1, sizeof(krt_variable *));

    for (size_t i = 0; st == KRT_OK && i < g->n; i++)
        if (g->items[i] == v) /* of a layer that stands in two places */
            return KRT_OK;
    if (st == KRT_OK)
        g->items[g->n++] = v;
    return st;
}

void krt_weights_free(krt_weights *w)
{
    if (w == NULL)
        return;
    for (size_t i = 0; i < w->n; i++)
        krt_tensor_free(w->items[i]);
    krti_free(w->k, w->items);
    krti_free(w->k, w);
}

krt_status krt_get_weights(const krt_layer *l, krt_weights **out)
{
    gathering g = {.k = l->owned.k};
    krt_weights *w = krti_alloc(g.k, sizeof *w);
    krt_status st = w != NULL ? KRT_OK : KRT_E_NOMEM;

    *out = NULL;
    TRY(st);
    w->k = g.k;
    TRY(krti_layer_initialize((krt_layer *)(uintptr_t)l));
    TRY(krti_layer_each_variable(l, gather_one, &g));
    w->items = krti_array(g.k, g.n + 1, sizeof(krt_tensor *));
    if (w->items == NULL)
        TRY(KRT_E_NOMEM);
    for (size_t i = 0; i < g.n; i++) {
        const krt_tensor *t = g.items[i]->tensor;

        TRY(krt_tensor_from(g.k, &w->items[i], t->dtype, t->shape, krt_variable_data(g.items[i])));
        w->n++;
    }
    *out = w;
    w = NULL;

done:
    krti_free(g.k, g.items);
    krt_weights_free(w);
    return st;
}

/* ------------------------------------------------------------------------------- writing */

static krt_status check_shapes(const krt_layer *l, const gathering *g, const krt_weights *w)
{
    char expected[160], found[160];

    if (w->n != g->n)
        return krti_layer_fail(l, KRT_E_MISMATCH,
                               "You called `set_weights(weights)` on layer '%s' with a weight list "
                               "of length %zu, but the layer was expecting %zu weights",
                               l->name, w->n, g->n);
    for (size_t i = 0; i < g->n; i++)
        if (!krt_shape_equal(g->items[i]->tensor->shape, krt_tensor_shape(w->items[i])))
            return krti_layer_fail(
                l, KRT_E_MISMATCH,
                "Layer %s weight shape %s is not compatible with provided weight shape %s (weight "
                "%zu, %s)",
                l->name, krt_shape_print(g->items[i]->tensor->shape, expected, sizeof expected),
                krt_shape_print(krt_tensor_shape(w->items[i]), found, sizeof found), i,
                krt_variable_path(g->items[i]));
    return KRT_OK;
}

krt_status krti_models_forget_plans(krt_ctx *k)
{
    krt_status st = KRT_OK;

    for (krti_owned *o = k->owned; st == KRT_OK && o != NULL; o = o->next) {
        krt_model *m = krti_model_of(krti_layer_of_owned(o));

        if (m != NULL)
            st = krti_model_weights_moved(m);
    }
    return st;
}

void krti_variable_take(krt_variable *v, krt_tensor *from)
{
    krt_tensor *to = v->tensor;
    const krt_tensor old = *to;

    to->data = from->data;
    to->writable = from->writable;
    to->ours = from->ours;
    to->source = from->source;
    to->size_bytes = from->size_bytes;
    from->data = old.data;
    from->writable = old.writable;
    from->ours = old.ours;
    from->source = old.source;
    from->size_bytes = old.size_bytes;
}

krt_status krt_set_weights(krt_layer *l, const krt_weights *w)
{
    gathering g = {.k = l->owned.k};
    krt_tensor **cast = NULL;
    krt_status st = KRT_OK;

    TRY(krti_layer_each_variable(l, gather_one, &g));
    TRY(check_shapes(l, &g, w));
    cast = krti_array(g.k, g.n + 1, sizeof *cast);
    if (cast == NULL)
        TRY(KRT_E_NOMEM);
    for (size_t i = 0; i < g.n; i++)
        TRY(krt_tensor_cast(w->items[i], &cast[i], g.items[i]->tensor->dtype));
    TRY(krti_models_forget_plans(g.k));
    for (size_t i = 0; i < g.n; i++)
        krti_variable_take(g.items[i], cast[i]);

done:
    for (size_t i = 0; cast != NULL && i < g.n; i++)
        krt_tensor_free(cast[i]);
    krti_free(g.k, cast);
    krti_free(g.k, g.items);
    return st;
}

krt_status krt_model_get_weights(const krt_model *m, krt_weights **out)
{
    return krt_get_weights(&m->base, out);
}

krt_status krt_model_set_weights(krt_model *m, const krt_weights *w)
{
    return m->failed != KRT_OK ? m->failed : krt_set_weights(&m->base, w);
}

/* ------------------------------------------------------------------------------- trainable */

void krt_layer_set_trainable(krt_layer *l, bool trainable)
{
    l->trainable = trainable;
    for (size_t i = 0; i < l->num_variables; i++) /* a kernel with LoRA too, as Keras does */
        l->variables[i]->is_fixed = false;
    for (size_t i = 0; i < l->num_inner; i++)
        krt_layer_set_trainable(l->inner[i].layer, trainable);
}

void krt_model_set_trainable(krt_model *m, bool trainable)
{
    krt_layer_set_trainable(&m->base, trainable);
}

void krt_reset_states(krt_model *m)
{
    krt_layer_reset_states(&m->base);
}

krt_status krt_enable_lora(krt_layer *l, int64_t rank, const krt_lora_args *args)
{
    krt_lora_args a;
    krt_status st = krti_args_import(l->owned.k, &a, KRT_LORA(), sizeof a, args);

    if (st == KRT_OK)
        st = krti_lora_enable(l, rank, &a);
    return st == KRT_OK ? krti_models_forget_plans(l->owned.k) : st;
}
