/* Activations that are layers, with arguments of their own; functions by name are activations.c. Keras:
 * layers/activations. */
#include "layers/describe.h"
#include "layers/spatial.h"

/* ------------------------------------------------------------------------------- one op each */

static krt_status activation_call(const krt_layer *l, const void *args, krt_call *c)
{
    const krt_activation_args *a = args;

    (void)l;
    return krt_call_output(c, 0, krti_activate(c, krti_cast_input(c, 0), a->activation));
}

static krt_status check_not_none(krt_layer *l, const char *key, double value)
{
    if (!isnan(value))
        return KRT_OK;
    return krti_layer_fail(l, KRT_E_INVALID,
                           "The %s value of a %s layer cannot be None, expecting a float", key,
                           l->class_name);
}

/* Keras: negative arguments are refused, one by one. */
static krt_status relu_init(krt_layer *l, void *args)
{
    const krt_relu_args *a = args;
    const struct {
        const char *key;
        double value;
    } checks[] = {{"max_value", isnan(a->max_value) ? 0 : a->max_value},
                  {"negative_slope", a->negative_slope},
                  {"threshold", a->threshold}};

    for (size_t i = 0; i < KRTI_COUNT(checks); i++)
        if (!(checks[i].value >= 0))
            return krti_layer_fail(l, KRT_E_INVALID,
                                   "%s of a ReLU layer cannot be a negative value. Received: "
                                   "%s=%g",
                                   checks[i].key, checks[i].key, checks[i].value);
    return KRT_OK;
}

static krt_status relu_call(const krt_layer *l, const void *args, krt_call *c)
{
    const krt_relu_args *a = args;
    const double limit = isnan(a->max_value) ? INFINITY : a->max_value;

    (void)l;
    return krt_call_output(
        c, 0, krti_relu(c->g, krti_float_input(c, 0), a->negative_slope, a->threshold, limit));
}

static krt_status leaky_relu_init(krt_layer *l, void *args)
{
    return check_not_none(l, "negative_slope", ((krt_leaky_relu_args *)args)->negative_slope);
}

static krt_status leaky_relu_call(const krt_layer *l, const void *args, krt_call *c)
{
    const krt_leaky_relu_args *a = args;

    (void)l;
    return krt_call_output(c, 0,
                           krti_relu(c->g, krti_float_input(c, 0), a->negative_slope, 0, INFINITY));
}

static krt_status elu_init(krt_layer *l, void *args)
{
    return check_not_none(l, "alpha", ((krt_elu_args *)args)->alpha);
}

static krt_status elu_call(const krt_layer *l, const void *args, krt_call *c)
{
    const krt_elu_args *a = args;

    (void)l;
    return krt_call_output(c, 0, krti_elu(c->g, krti_float_input(c, 0), a->alpha, 0, 0));
}

static krt_status thresholded_init(krt_layer *l, void *args)
{
    return check_not_none(l, "theta", ((krt_thresholded_relu_args *)args)->theta);
}

static krt_status thresholded_call(const krt_layer *l, const void *args, krt_call *c)
{
    const krt_thresholded_relu_args *a = args;
    krt_value *x = krti_float_input(c, 0);
    krt_value *above = krti_greater(c->g, x, krti_scalar(c->g, a->theta));

    (void)l;
    return krt_call_output(c, 0, krti_where(c->g, above, x, krti_scalar(c->g, 0)));
}

/* ------------------------------------------------------------------------------- PReLU */

/* One slope for each element of a sample; axes that share one have size 1. */
static krt_status prelu_build(krt_layer *l, const void *args, const krt_shape *inputs, size_t n)
{
    const krt_prelu_args *a = args;
    krt_shape alpha = {.rank = 0};

    if (n != 1)
        return krti_fail_inputs(l, 1, n);
    for (int i = 1; i < inputs[0].rank; i++)
        alpha.dim[alpha.rank++] = inputs[0].dim[i];
    for (int i = 0; i < a->shared_axes.n; i++) {
        if (a->shared_axes.axis[i] < 1 || a->shared_axes.axis[i] > alpha.rank)
            return krti_layer_fail(l, KRT_E_INVALID,
                                   "shared_axes of PReLU counts from 1 to %d, found %lld",
                                   alpha.rank, (long long)a->shared_axes.axis[i]);
        alpha.dim[a->shared_axes.axis[i] - 1] = 1;
    }
    return krt_layer_add_weight(l, "alpha", alpha, a->alpha_initializer, true);
}

/* relu(x) - alpha * relu(-x) */
static krt_status prelu_call(const krt_layer *l, const void *args, krt_call *c)
{
    krti_graph *g = c->g;
    krt_value *x = krti_float_input(c, 0);
    krt_value *positive = krti_relu(g, x, 0, 0, INFINITY);
    krt_value *negative = krti_relu(g, krti_negative(g, x), 0, 0, INFINITY);
    krt_value *alpha = krt_call_weight(c, "alpha");

    (void)l;
    (void)args;
    return krt_call_output(c, 0, krti_subtract(g, positive, krti_multiply(g, alpha, negative)));
}

/* ------------------------------------------------------------------------------- Softmax */

/* exp(x - logsumexp(x)) over several axes together. */
static krt_value *softmax_over(krti_graph *g, krt_value *x, const krt_axes *axes)
{
    int list[KRT_MAX_RANK];

    for (int i = 0; i < axes->n; i++)
        list[i] = (int)axes->axis[i];
    krt_value *shifted = krti_subtract(g, x, krti_reduce_max(g, x, list, axes->n, true));
    krt_value *e = krti_exp(g, shifted);
    krt_value *total = krti_log(g, krti_reduce_sum(g, e, list, axes->n, true));
    return krti_exp(g, krti_subtract(g, shifted, total));
}

static krt_status check_mask(const krt_layer *l, krt_shape mask, krt_shape x)
{
    bool fits = mask.rank <= x.rank;
    char a[160], b[160];

    for (int i = 1; fits && i <= mask.rank; i++) {
        const int64_t m = mask.dim[mask.rank - i], n = x.dim[x.rank - i];

        fits = m == 1 || m == n || m == KRT_NONE || n == KRT_NONE;
    }
    if (fits)
        return KRT_OK;
    return krti_layer_fail(l, KRT_E_INVALID,
                           "The `mask` must be broadcastable to `inputs`. Received: "
                           "inputs.shape=%s, mask.shape=%s",
                           krt_shape_print(x, a, sizeof a), krt_shape_print(mask, b, sizeof b));
}

static krt_status softmax_call(const krt_layer *l, const void *args, krt_call *c)
{
    const krt_softmax_args *a = args;
    krti_graph *g = c->g;
    krt_value *x = krti_float_input(c, 0);
    krt_value *mask = krti_call_mask(c, 1);
    krt_value *y = NULL;

    if (x == NULL)
        return g->status;
    if (mask != NULL) {
        const krt_status st = check_mask(l, mask->shape, x->shape);

        if (st != KRT_OK)
            return st;
        if (mask->dtype != KRT_BOOL)
            mask = krti_greater(g, krti_as_float32(g, mask), krti_scalar(g, 0.5));
        x = krti_where(g, mask, x, krti_scalar(g, -1e9));
    }
    y = a->axis.n > 1 ? softmax_over(g, x, &a->axis) : krti_softmax(g, x, (int)a->axis.axis[0]);
    if (mask != NULL) /* where everything is masked, softmax would be uniform */
        y = krti_where(g, mask, y, krti_scalar(g, 0));
    return krt_call_output(c, 0, y);
}

static krt_status softmax_init(krt_layer *l, void *args)
{
    const krt_softmax_args *a = args;

    for (int i = 0; i < a->axis.n; i++)
        if (a->axis.axis[i] < -KRT_MAX_RANK || a->axis.axis[i] >= KRT_MAX_RANK)
            return krti_layer_fail(l, KRT_E_INVALID, "axis %lld of Softmax is out of range",
                                   (long long)a->axis.axis[i]);
    if (a->axis.n > 0)
        return KRT_OK;
    return krti_layer_fail(l, KRT_E_INVALID, "axis of Softmax cannot be None");
}

/* ------------------------------------------------------------------------------- tables */

static const krt_field activation_fields[] = {
    KRT_FIELD(krt_activation_args, ACTIVATION, activation),
    KRT_BASE_FIELDS(krt_activation_args),
};
static const krt_field relu_fields[] = {
    KRT_FIELD(krt_relu_args, FLOAT, max_value),
    KRT_FIELD(krt_relu_args, FLOAT, negative_slope),
    KRT_FIELD(krt_relu_args, FLOAT, threshold),
    KRT_BASE_FIELDS(krt_relu_args),
};
static const krt_field leaky_relu_fields[] = {
    KRT_FIELD(krt_leaky_relu_args, FLOAT, negative_slope),
    KRT_BASE_FIELDS(krt_leaky_relu_args),
};
static const krt_field prelu_fields[] = {
    KRT_FIELD(krt_prelu_args, OBJECT, alpha_initializer),
    KRT_FIELD(krt_prelu_args, OBJECT, alpha_regularizer),
    KRT_FIELD(krt_prelu_args, OBJECT, alpha_constraint),
    KRT_FIELD(krt_prelu_args, AXES, shared_axes),
    KRT_BASE_FIELDS(krt_prelu_args),
};
static const krt_field elu_fields[] = {
    KRT_FIELD(krt_elu_args, FLOAT, alpha),
    KRT_BASE_FIELDS(krt_elu_args),
};
static const krt_field softmax_fields[] = {
    KRT_FIELD(krt_softmax_args, AXES, axis),
    KRT_BASE_FIELDS(krt_softmax_args),
};
static const krt_field thresholded_fields[] = {
    KRT_FIELD(krt_thresholded_relu_args, FLOAT, theta),
    KRT_BASE_FIELDS(krt_thresholded_relu_args),
};

static krt_status prelu_config(krti_arena *a, krti_conf *dict, const krt_layer *l)
{
    (void)l;
    return krti_conf_enlist(a, dict, "shared_axes");
}

#define CLASS(id, title, fallback, build_fn, init_fn, more, hook)             \
    static const krti_class id = {                                            \
        .base = {.struct_size = sizeof(krt_layer_class),                      \
                 .name = title,                                               \
                 .defaults = fallback,                                        \
                 .fields = id##_fields,                                       \
                 .num_fields = KRTI_COUNT(id##_fields),                       \
                 .build = build_fn,                                           \
                 .call = id##_call,                                           \
                 .init = init_fn,                                             \
                 .flags = KRT_LAYER_PASSES_MASK | KRTI_LAYER_HOOKS | (more)}, \
        .config = hook,                                                       \
    };
#define BUILT KRTI_LAYER_BORN_BUILT
CLASS(activation, "Activation", KRT_ACTIVATION(NULL), NULL, NULL, BUILT, NULL)
CLASS(relu, "ReLU", KRT_RELU(.trainable = true), NULL, relu_init, BUILT, NULL)
CLASS(leaky_relu, "LeakyReLU", KRT_LEAKY_RELU(.trainable = true), NULL, leaky_relu_init, BUILT,
      NULL)
CLASS(prelu, "PReLU", KRT_PRELU(.trainable = true), prelu_build, NULL, 0, prelu_config)
CLASS(elu, "ELU", KRT_ELU(.trainable = true), NULL, elu_init, BUILT, NULL)
CLASS(softmax, "Softmax", KRT_SOFTMAX(.trainable = true), NULL, softmax_init, BUILT, NULL)
CLASS(thresholded, "ThresholdedReLU", KRT_THRESHOLDED_RELU(.trainable = true), NULL,
      thresholded_init, 0, NULL)

const krt_layer_class *const krti_classes_activation[] = {
    &activation.base, &relu.base,    &leaky_relu.base,  &prelu.base,
    &elu.base,        &softmax.base, &thresholded.base, NULL};
