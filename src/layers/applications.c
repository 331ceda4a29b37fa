/* The layers keras.applications defines for itself: ConvNeXt's LayerScale and StochasticDepth,
 * Inception-ResNet's CustomScaleLayer. Keras: applications/convnext.py, inception_resnet_v2.py. */
#include "layers/describe.h"
#include "layers/spatial.h"

/* ------------------------------------------------------------------------------- LayerScale */

static krt_status scale_build(krt_layer *l, const void *args, const krt_shape *inputs, size_t n)
{
    const krt_layer_scale_args *a = args;

    (void)inputs;
    (void)n;
    if (a->projection_dim <= 0)
        return krti_layer_fail(l, KRT_E_INVALID, "projection_dim is %lld, expected 1 or more",
                               (long long)a->projection_dim);
    krt_constant_args *initializer = krti_arena_alloc(&l->arena, sizeof *initializer);
    if (initializer == NULL)
        return KRT_E_NOMEM;
    *initializer = (krt_constant_args){{sizeof *initializer, "Constant"}, a->init_values};
    return krt_layer_add_weight(l, "gamma", (krt_shape){.rank = 1, .dim = {a->projection_dim}},
                                &initializer->spec, true);
}

static krt_status scale_call(const krt_layer *l, const void *args, krt_call *c)
{
    (void)l;
    (void)args;
    return krt_call_output(c, 0,
                           krti_multiply(c->g, krti_cast_input(c, 0), krt_call_weight(c, "gamma")));
}

static const krt_field layer_scale_fields[] = {
    KRT_FIELD(krt_layer_scale_args, FLOAT, init_values),
    KRT_FIELD(krt_layer_scale_args, INT, projection_dim),
    KRT_BASE_FIELDS(krt_layer_scale_args),
};

static const krti_class layer_scale = {
    .base = {.struct_size = sizeof(krt_layer_class),
             .name = "LayerScale",
             .defaults = KRT_LAYER_SCALE(1, .projection_dim = 1),
             .fields = layer_scale_fields,
             .num_fields = KRTI_COUNT(layer_scale_fields),
             .build = scale_build,
             .call = scale_call,
             .flags = KRTI_LAYER_HOOKS},
    .module = "keras.src.applications.convnext",
};

/* ------------------------------------------------------------------------------- StochasticDepth */

static krt_status depth_call(const krt_layer *l, const void *args, krt_call *c)
{
    const krt_stochastic_depth_args *a = args;
    krti_graph *const g = c->g;
    krt_value *const x = krti_cast_input(c, 0);
    const double keep = 1 - a->drop_path_rate;

    (void)l;
    if (!c->training || x == NULL)
        return krt_call_output(c, 0, x);
    krt_shape a_sample = x->shape;
    for (int i = 1; i < a_sample.rank; i++)
        a_sample.dim[i] = 1;
    krt_value *const drawn = krti_random_uniform_of(g, krti_call_draw(c), a_sample, 0, 1);
    krt_value *const kept = krti_floor(g, krti_affine(g, drawn, 1, keep, 0));
    krt_value *const scaled = krti_divide(g, x, krti_scalar_like(g, x, keep));
    return krt_call_output(c, 0, krti_multiply(g, scaled, kept));
}

static const krt_field stochastic_depth_fields[] = {
    KRT_FIELD(krt_stochastic_depth_args, FLOAT, drop_path_rate),
    KRT_BASE_FIELDS(krt_stochastic_depth_args),
};

static const krti_class stochastic_depth = {
    .base = {.struct_size = sizeof(krt_layer_class),
             .name = "StochasticDepth",
             .defaults = KRT_STOCHASTIC_DEPTH(0),
             .fields = stochastic_depth_fields,
             .num_fields = KRTI_COUNT(stochastic_depth_fields),
             .call = depth_call,
             .flags = KRTI_LAYER_DRAWS | KRTI_LAYER_HOOKS},
    .module = "keras.src.applications.convnext",
};

/* ------------------------------------------------------------------------------- CustomScaleLayer */

static krt_status sum_call(const krt_layer *l, const void *args, krt_call *c)
{
    const krt_custom_scale_layer_args *a = args;

    (void)l;
    krt_value *scaled = krti_affine(c->g, krti_cast_input(c, 1), a->scale, 0, 0);
    return krt_call_output(c, 0, krti_add(c->g, krti_cast_input(c, 0), scaled));
}

static const krt_field custom_scale_layer_fields[] = {
    KRT_FIELD(krt_custom_scale_layer_args, FLOAT, scale),
    KRT_BASE_FIELDS(krt_custom_scale_layer_args),
};

static const krti_class custom_scale_layer = {
    .base = {.struct_size = sizeof(krt_layer_class),
             .name = "CustomScaleLayer",
             .defaults = KRT_CUSTOM_SCALE_LAYER(1),
             .fields = custom_scale_layer_fields,
             .num_fields = KRTI_COUNT(custom_scale_layer_fields),
             .call = sum_call,
             .flags = KRT_LAYER_TAKES_LIST | KRTI_LAYER_HOOKS},
    .module = "keras.src.applications.inception_resnet_v2",
};

const krt_layer_class *const krti_classes_applications[] = {
    &layer_scale.base, &stochastic_depth.base, &custom_scale_layer.base, NULL};
