/* TimeDistributed: its inner layer describes all time steps at once, as rows of one batch where it can.
 * Bidirectional is bidirectional.c, SpectralNormalization normalization.c. Keras:
 * layers/core/wrapper.py, layers/rnn/time_distributed.py. */
#include "layers/describe.h"
#include "layers/spatial.h"

typedef krt_time_distributed_args wrapper_args;

static krt_status init(krt_layer *l, void *args)
{
    krt_layer *inner = NULL;
    krt_status st = KRT_OK;

    TRY(krti_layer_from_arg(l, &inner, ((const wrapper_args *)args)->layer));
    TRY(krti_layer_add_inner(l, "layer", false, inner));

done:
    return st;
}

/* ------------------------------------------------------------------------------- TimeDistributed */

static krt_status check_mask(const krt_layer *l, krt_shape mask, krt_shape x)
{
    char a[160], b[160];
    bool fits = mask.rank >= 2;

    for (int i = 0; fits && i < 2; i++)
        fits = mask.dim[i] == x.dim[i] || mask.dim[i] == KRT_NONE || x.dim[i] == KRT_NONE;
    if (fits)
        return KRT_OK;
    return krti_layer_fail(l, KRT_E_INVALID,
                           "The `mask` passed to the `TimeDistributed` layer has a shape %s that "
                           "is incompatible with the input shape %s",
                           krt_shape_print(mask, a, sizeof a), krt_shape_print(x, b, sizeof b));
}

static krt_status find_statistics(void *user, krt_variable *v)
{
    *(bool *)user |= v->layer->trainable && strcmp(v->layer->class_name, "BatchNormalization") == 0;
    return KRT_OK;
}

/* Step after step, as Keras does, for a layer that looks at its whole batch or goes on from a state. */
static krt_value *each_step(krt_layer *inner, krt_call *c, krt_value *x, krt_value *mask)
{
    const int64_t steps = x->shape.dim[1];
    krt_value **y = krti_array(inner->owned.k, (size_t)steps + 1, sizeof *y), *all = NULL;
    krti_graph *g = c->g;
    bool good = y != NULL;

    for (int64_t i = 0; good && i < steps; i++) {
        krt_value *one = krti_slice_axis(g, x, 1, i, i + 1, 1), *on = NULL;

        if (mask != NULL)
            on = krti_squeeze(g, krti_slice_axis(g, mask, 1, i, i + 1, 1), (const int[]){1}, 1);
        one = krti_layer_apply(inner, c, krti_squeeze(g, one, (const int[]){1}, 1), on, NULL);
        y[i] = krti_expand_dims(g, one, 1);
        good = y[i] != NULL;
    }
    if (good)
        all = krti_concat(g, y, (size_t)steps, 1);
    krti_free(inner->owned.k, (void *)y);
    return all;
}

/* Keras calls the layer once a step; most layers treat the samples of a batch alike, so that all steps
 * of all samples can be one large batch. */
static krt_status call(const krt_layer *l, const void *args, krt_call *c)
{
    krt_layer *inner = krti_layer_inner(l, "layer");
    krt_value *x = krti_cast_input(c, 0);
    krt_value *mask = krti_call_mask(c, 2);
    krt_value *y = NULL;
    bool has_statistics = false;
    krt_status st = KRT_OK;

    (void)args;
    if (x == NULL)
        return c->g->status;
    if (x->shape.rank < 3)
        return krti_check_min_ndim(l, x->shape, 3);
    if (mask != NULL)
        TRY(check_mask(l, mask->shape, x->shape));
    if (c->training)
        TRY(krti_layer_each_variable(inner, find_statistics, &has_statistics));
    if ((has_statistics || krti_layer_is_stateful(inner)) && x->shape.dim[1] > 0)
        return krt_call_output(c, 0, each_step(inner, c, x, mask));
    if (mask != NULL)
        mask = krti_fold_time(c->g, mask);
    y = krti_layer_apply(inner, c, krti_fold_time(c->g, x), mask, NULL);
    st = krt_call_output(c, 0, krti_unfold_time(c->g, y, x->shape.dim[0], x->shape.dim[1]));

done:
    return st;
}

static const krt_field fields[] = {
    KRT_FIELD(wrapper_args, LAYER, layer),
    KRT_BASE_FIELDS(wrapper_args),
};

static const krt_layer_class time_distributed = {
    .struct_size = sizeof time_distributed,
    .name = "TimeDistributed",
    .defaults = KRT_TIME_DISTRIBUTED(NULL),
    .fields = fields,
    .num_fields = KRTI_COUNT(fields),
    .call = call,
    .init = init,
    .flags = KRT_LAYER_PASSES_MASK,
};

/* ------------------------------------------------------------------------------- Wrapper */

/* Keras's base class: its inner layer has weights, but it says nothing about what to compute. */
static krt_status wrapper_init(krt_layer *l, void *args)
{
    const krt_status st = init(l, args);

    if (st != KRT_OK)
        return st;
    return krti_layer_unsupported(
        l, "Wrapper \"%s\" is Keras's base class, which does not say what it computes", l->name);
}

static const krt_layer_class wrapper = {
    .struct_size = sizeof wrapper,
    .name = "Wrapper",
    .defaults = KRT_SPEC(wrapper_args, "Wrapper", .trainable = true),
    .fields = fields,
    .num_fields = KRTI_COUNT(fields),
    .call = krti_unsupported_call,
    .init = wrapper_init,
};

const krt_layer_class *const krti_classes_wrappers[] = {&time_distributed, &wrapper, NULL};
