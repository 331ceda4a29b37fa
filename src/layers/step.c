/* What a layer does in a step beside its outputs: drawing random numbers and updating weights of its own in
 * training, and going on from the state it was left in. All end as updates of the graph (ops/op_state.c).
 * Keras: random/seed_generator.py, and the assignments in layers. */
#include "base/rng.h"
#include "layers/layer.h"
#include "layers/spatial.h"

uint32_t krti_layer_default_seed(const krt_layer *l, uint64_t seed)
{
    const krti_rng stream = krti_rng_seeded(seed);
    uint64_t hash = UINT64_C(0xCBF29CE484222325);

    for (const char *p = l->name; *p != '\0'; p++)
        hash = (hash ^ (unsigned char)*p) * UINT64_C(0x100000001B3);
    return 1 + krti_random_bits(stream.key, hash) % 1000000000u;
}

bool krti_layer_has_seed(const krt_layer *l)
{
    const int64_t *given = l->cls != NULL ? krti_args_member(l->cls, l->args, "seed") : NULL;

    return given != NULL && *given != KRT_NONE;
}

static krt_status make_seed(krt_layer *l)
{
    krt_status st = KRT_OK;

    if (l->seed != NULL)
        return KRT_OK;
    st = krt_tensor_new(l->owned.k, &l->seed, KRT_UINT32, (krt_shape){.rank = 1, .dim = {2}});
    if (st != KRT_OK)
        return st;
    uint32_t *state = l->seed->data;
    state[0] = krti_layer_has_seed(l)
                   ? (uint32_t) * (const int64_t *)krti_args_member(l->cls, l->args, "seed")
                   : krti_layer_default_seed(l, l->owned.k->seed);
    state[1] = 0;
    return KRT_OK;
}

krt_value *krti_call_draw(krt_call *c)
{
    static const uint32_t one_more[] = {0, 1};
    krti_graph *const g = c->g;
    const krt_status st = make_seed(c->layer);

    if (st != KRT_OK) {
        g->status = st;
        return NULL;
    }
    krt_value *const state = krti_variable(g, c->layer->seed);
    krt_value *const key = krti_current(g, state);
    krt_value *const step =
        krti_constant(g, KRT_UINT32, (krt_shape){.rank = 1, .dim = {2}}, one_more);
    return krti_assign(g, state, krti_add(g, key, step)) == KRT_OK ? key : NULL;
}

krt_status krti_call_update(krt_call *c, const char *weight, krt_value *value)
{
    const krt_variable *v = krti_layer_variable(c->layer, weight);

    if (v == NULL)
        return krti_layer_fail(c->layer, KRT_E_INVALID, "the layer has no weight \"%s\"", weight);
    return krti_assign(c->g, krti_variable(c->g, v->tensor), value);
}

/* ------------------------------------------------------------------------------- states */

static krt_status add_state(krt_layer *l, krt_shape shape)
{
    krt_ctx *const k = l->owned.k;
    char text[160];
    krt_status st = KRT_OK;

    if (!krti_shape_known(shape))
        return krti_layer_fail(l, KRT_E_INVALID,
                               "When using `stateful=True` in a RNN, the batch size must be "
                               "static: give the model's input a batch_size. Its state would have "
                               "the shape %s",
                               krt_shape_print(shape, text, sizeof text));
    st = krti_grow(k, &l->states, &l->states_capacity, l->num_states + 1, sizeof *l->states);
    if (st == KRT_OK)
        st = krt_tensor_new(k, &l->states[l->num_states], KRT_FLOAT32, shape);
    if (st == KRT_OK)
        l->num_states++;
    return st;
}

krt_value *krti_call_state(krt_call *c, size_t i, krt_shape shape)
{
    krt_layer *const l = c->layer;
    krt_status st = i < l->num_states ? KRT_OK : add_state(l, shape);

    if (st == KRT_OK && shape.rank > 0 && shape.dim[0] != l->states[i]->shape.dim[0])
        st = krti_layer_fail(l, KRT_E_INVALID,
                             "If an RNN is stateful, the batch size of the input sequences must be "
                             "the same as the batch size of the initial state. Expected batch "
                             "size: %lld, received batch size: %lld",
                             (long long)l->states[i]->shape.dim[0], (long long)shape.dim[0]);
    if (st == KRT_OK)
        return krti_current(c->g, krti_variable(c->g, l->states[i]));
    if (c->g->status == KRT_OK)
        c->g->status = st;
    return NULL;
}

krt_status krti_call_keep_state(krt_call *c, size_t i, krt_value *value)
{
    return krti_assign(c->g, krti_variable(c->g, c->layer->states[i]), value);
}

bool krti_layer_is_stateful(const krt_layer *l)
{
    const bool *const told = l->cls != NULL ? krti_args_member(l->cls, l->args, "stateful") : NULL;
    bool found = told != NULL && *told;

    for (size_t i = 0; !found && i < l->num_inner; i++)
        found = krti_layer_is_stateful(l->inner[i].layer);
    return found;
}

void krt_layer_reset_states(krt_layer *l)
{
    for (size_t i = 0; i < l->num_states; i++)
        memset(l->states[i]->data, 0, l->states[i]->size_bytes);
    for (size_t i = 0; i < l->num_inner; i++)
        krt_layer_reset_states(l->inner[i].layer);
}

/* ------------------------------------------------------------------------------- seeds */

krt_status krti_layer_each_seed(krt_layer *l, krti_seed_fn fn, void *user)
{
    krt_status st = KRT_OK;

    if (l->seed != NULL || (l->cls != NULL && (l->cls->flags & KRTI_LAYER_DRAWS) != 0))
        st = make_seed(l);
    if (st == KRT_OK && l->seed != NULL)
        st = fn(user, l, l->seed);
    for (size_t i = 0; st == KRT_OK && i < l->num_inner; i++)
        st = krti_layer_each_seed(l->inner[i].layer, fn, user);
    return st;
}
