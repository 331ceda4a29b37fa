/* Convolution layers of every rank: plain, transposed, depthwise and separable.
 *
 * One build and one call a family serve all ranks: the arguments are read through the class's own
 * field table into a `conv` (see spatial.h). Everything is computed channels last; a channels-first
 * layer transposes at its borders and the compiler cancels what meets. A depthwise convolution is
 * a grouped one: its kernel (size..., c, m) reads as (size..., 1, c * m) in c groups.
 * Keras: layers/convolutional/base_conv.py, base_conv_transpose.py, base_depthwise_conv.py,
 * base_separable_conv.py. */
#include "layers/describe.h"
#include "layers/lora.h"
#include "layers/spatial.h"
#include <keratin/layers/convolutional.h>

/* The arguments of any class here; what a class does not have keeps its neutral value. */
typedef struct conv {
    int rank;
    int64_t filters, groups, multiplier;
    int64_t *size, *stride, *dilation, *output_padding;
    const char **padding, **data_format, *activation;
    bool use_bias;
    const krt_spec *const *kernel_init, *const *depthwise_init, *const *pointwise_init;
    const krt_spec *const *bias_init;
} conv;

static int64_t read_int(const krt_layer_class *cls, void *args, const char *key, int64_t fallback)
{
    const int64_t *p = krti_args_member(cls, args, key);

    return p != NULL ? *p : fallback;
}

static conv read_args(const krt_layer *l)
{
    const krt_layer_class *cls = l->cls;
    void *args = l->args;

    return (conv){
        .rank = krti_args_rank(cls, "kernel_size"),
        .filters = read_int(cls, args, "filters", 1),
        .groups = read_int(cls, args, "groups", 1),
        .multiplier = read_int(cls, args, "depth_multiplier", 1),
        .size = krti_args_member(cls, args, "kernel_size"),
        .stride = krti_args_member(cls, args, "strides"),
        .dilation = krti_args_member(cls, args, "dilation_rate"),
        .output_padding = krti_args_member(cls, args, "output_padding"),
        .padding = krti_args_member(cls, args, "padding"),
        .data_format = krti_args_member(cls, args, "data_format"),
        .activation = *(const char **)krti_args_member(cls, args, "activation"),
        .use_bias = *(bool *)krti_args_member(cls, args, "use_bias"),
        .kernel_init = krti_args_member(cls, args, "kernel_initializer"),
        .depthwise_init = krti_args_member(cls, args, "depthwise_initializer"),
        .pointwise_init = krti_args_member(cls, args, "pointwise_initializer"),
        .bias_init = krti_args_member(cls, args, "bias_initializer"),
    };
}

/* ------------------------------------------------------------------------------- arguments */

/* In Keras's words where the count is none, in ours where no tensor has as many. */
static krt_status check_count(const krt_layer *l, const char *key, int64_t value)
{
    if (value > INT32_MAX)
        return krti_layer_fail(l, KRT_E_INVALID, "`%s` is more than %d. Received %s=%lld", key,
                               INT32_MAX, key, (long long)value);
    if (value <= 0)
        return krti_layer_fail(l, KRT_E_INVALID,
                               "Invalid value for argument `%s`. Expected a strictly positive "
                               "value. Received %s=%lld",
                               key, key, (long long)value);
    return KRT_OK;
}

static krt_status check_counts(const krt_layer *l, const conv *v)
{
    krt_status st = KRT_OK;

    if (v->filters == KRT_NONE)
        return krti_layer_fail(l, KRT_E_INVALID, "%s needs the argument `filters`", l->class_name);
    st = check_count(l, "filters", v->filters);
    if (st == KRT_OK)
        st = check_count(l, "depth_multiplier", v->multiplier);
    if (st != KRT_OK)
        return st;
    if (v->groups <= 0)
        return krti_layer_fail(l, KRT_E_INVALID,
                               "The number of groups must be a positive integer. Received: "
                               "groups=%lld",
                               (long long)v->groups);
    if (v->filters % v->groups != 0)
        return krti_layer_fail(l, KRT_E_INVALID,
                               "The number of filters must be evenly divisible by the number of "
                               "groups. Received: groups=%lld, filters=%lld",
                               (long long)v->groups, (long long)v->filters);
    return KRT_OK;
}

static int64_t largest(const int64_t *value, int n)
{
    int64_t max = value[0];

    for (int i = 1; i < n; i++)
        max = value[i] > max ? value[i] : max;
    return max;
}

/* Depthwise and separable layers leave this to the backend, which computes both at once. */
static krt_status check_steps(const krt_layer *l, const conv *v)
{
    const int64_t stride = largest(v->stride, v->rank), dilation = largest(v->dilation, v->rank);

    if (stride > 1 && dilation > 1 && v->kernel_init != NULL)
        return krti_layer_fail(l, KRT_E_INVALID,
                               "`strides > 1` not supported in conjunction with `dilation_rate > "
                               "1`. Received: strides up to %lld and dilation_rate up to %lld",
                               (long long)stride, (long long)dilation);
    return KRT_OK;
}

/* None, or a tuple of numbers below the strides. */
static krt_status check_output_padding(const krt_layer *l, const conv *v)
{
    krt_status st = KRT_OK;

    if (v->output_padding == NULL || v->output_padding[0] == KRT_NONE)
        return KRT_OK;
    TRY(krti_spatial_tuple(l, "output_padding", v->output_padding, v->rank, true));
    for (int i = 0; i < v->rank; i++)
        if (v->output_padding[i] >= v->stride[i])
            return krti_layer_fail(l, KRT_E_INVALID,
                                   "`output_padding` must be strictly less than `strides` for all "
                                   "dimensions. At dimension %d, `output_padding` is %lld but "
                                   "`strides` is %lld",
                                   i, (long long)v->output_padding[i], (long long)v->stride[i]);

done:
    return st;
}

/* tf.keras had it for SeparableConv1D, too. */
static bool may_be_causal(const krt_layer *l)
{
    return strcmp(l->cls->name, "Conv1D") == 0 ||
           (l->generation < 3 && strcmp(l->cls->name, "SeparableConv1D") == 0);
}

static krt_status conv_init(krt_layer *l, void *args)
{
    krt_status st = KRT_OK;
    const conv v = read_args(l);

    (void)args;
    TRY(check_counts(l, &v));
    TRY(krti_spatial_tuple(l, "kernel_size", v.size, v.rank, false));
    TRY(krti_spatial_tuple(l, "strides", v.stride, v.rank, false));
    TRY(krti_spatial_tuple(l, "dilation_rate", v.dilation, v.rank, false));
    TRY(krti_spatial_padding(l, v.padding, may_be_causal(l)));
    TRY(krti_spatial_data_format(l, v.data_format));
    TRY(check_steps(l, &v));
    TRY(check_output_padding(l, &v));

done:
    return st;
}

/* ------------------------------------------------------------------------------- build */

static int channel_axis(const conv *v)
{
    return krti_is_channels_first(*v->data_format) ? 1 : -1;
}

/* The number of input channels, which must be known. */
static krt_status input_channels(const krt_layer *l, const conv *v, krt_shape x, int64_t *channels)
{
    krt_status st = KRT_OK;
    const int axis = channel_axis(v);
    char text[160];

    TRY(krti_check_min_ndim(l, x, v->rank + 2));
    if (x.rank != v->rank + 2)
        return krti_layer_fail(l, KRT_E_INVALID,
                               "Kernel shape must have the same length as input, but received a "
                               "kernel of %d dimensions and input of shape %s",
                               v->rank + 2, krt_shape_print(x, text, sizeof text));
    *channels = x.dim[axis < 0 ? x.rank - 1 : axis];
    if (*channels == KRT_NONE)
        return krti_layer_fail(
            l, KRT_E_INVALID,
            "The channel dimension of the inputs should be defined. The "
            "input_shape received is %s, where axis %d is the channel dimension, "
            "which found to be `None`",
            krt_shape_print(x, text, sizeof text), axis);

done:
    return st;
}

/* Whether a window fits where nothing is padded: what compute_conv_output_shape checks. */
static krt_status check_output_size(const krt_layer *l, const conv *v, krt_shape x)
{
    const int first = krti_is_channels_first(*v->data_format) ? 2 : 1;
    char text[160];

    if (strcmp(*v->padding, "valid") != 0)
        return KRT_OK;
    for (int i = 0; i < v->rank; i++) {
        const int64_t extent = v->dilation[i] * (v->size[i] - 1) + 1;

        if (x.dim[first + i] != KRT_NONE && x.dim[first + i] < extent)
            return krti_layer_fail(l, KRT_E_INVALID,
                                   "Computed output size would be zero or negative. Received "
                                   "`inputs shape=%s`, a window of %lld along axis %d and "
                                   "`padding=valid`",
                                   krt_shape_print(x, text, sizeof text), (long long)extent,
                                   first + i);
    }
    return KRT_OK;
}

/* (size..., in, out) */
static krt_shape kernel_shape(const conv *v, int64_t in, int64_t out)
{
    krt_shape s = {.rank = v->rank + 2};

    memcpy(s.dim, v->size, (size_t)v->rank * sizeof *v->size);
    s.dim[v->rank] = in;
    s.dim[v->rank + 1] = out;
    return s;
}

static krt_status add_bias(krt_layer *l, const conv *v, int64_t n)
{
    if (!v->use_bias)
        return KRT_OK;
    return krt_layer_add_weight(l, "bias", (krt_shape){1, {n}}, *v->bias_init, true);
}

static krt_status conv_build(krt_layer *l, const void *args, const krt_shape *inputs, size_t n)
{
    krt_status st = KRT_OK;
    const conv v = read_args(l);
    int64_t channels;
    char text[160];

    (void)args, (void)n;
    TRY(input_channels(l, &v, inputs[0], &channels));
    if (channels % v.groups != 0)
        return krti_layer_fail(l, KRT_E_INVALID,
                               "The number of input channels must be evenly divisible by the "
                               "number of groups. Received groups=%lld, but the input has %lld "
                               "channels (full input shape is %s)",
                               (long long)v.groups, (long long)channels,
                               krt_shape_print(inputs[0], text, sizeof text));
    TRY(check_output_size(l, &v, inputs[0]));
    TRY(krt_layer_add_weight(l, "kernel", kernel_shape(&v, channels / v.groups, v.filters),
                             *v.kernel_init, true));
    TRY(add_bias(l, &v, v.filters));
    TRY(krti_lora_build(l));

done:
    return st;
}

static krt_status transpose_build(krt_layer *l, const void *args, const krt_shape *inputs, size_t n)
{
    krt_status st = KRT_OK;
    const conv v = read_args(l);
    int64_t channels;

    (void)args, (void)n;
    TRY(input_channels(l, &v, inputs[0], &channels));
    TRY(krt_layer_add_weight(l, "kernel", kernel_shape(&v, v.filters, channels), *v.kernel_init,
                             true));
    TRY(add_bias(l, &v, v.filters));

done:
    return st;
}

static krt_status depthwise_build(krt_layer *l, const void *args, const krt_shape *inputs, size_t n)
{
    krt_status st = KRT_OK;
    const conv v = read_args(l);
    int64_t channels;

    (void)args, (void)n;
    TRY(input_channels(l, &v, inputs[0], &channels));
    TRY(check_output_size(l, &v, inputs[0]));
    TRY(krt_layer_add_weight(l, "kernel", kernel_shape(&v, channels, v.multiplier),
                             *v.depthwise_init, true));
    TRY(add_bias(l, &v, krti_dim_mul(channels, v.multiplier)));

done:
    return st;
}

static krt_status separable_build(krt_layer *l, const void *args, const krt_shape *inputs, size_t n)
{
    krt_status st = KRT_OK;
    const conv v = read_args(l);
    krt_shape pointwise = {.rank = v.rank + 2, .dim = {1, 1, 1}};
    int64_t channels;

    (void)args, (void)n;
    TRY(input_channels(l, &v, inputs[0], &channels));
    TRY(check_output_size(l, &v, inputs[0]));
    pointwise.dim[v.rank] = krti_dim_mul(channels, v.multiplier);
    pointwise.dim[v.rank + 1] = v.filters;
    TRY(krt_layer_add_weight(l, "depthwise_kernel", kernel_shape(&v, channels, v.multiplier),
                             *v.depthwise_init, true));
    TRY(krt_layer_add_weight(l, "pointwise_kernel", pointwise, *v.pointwise_init, true));
    TRY(add_bias(l, &v, v.filters));

done:
    return st;
}

/* ------------------------------------------------------------------------------- call */

/* The input, channels last; checked against the channels the kernel was built for. */
static krt_status enter(const krt_layer *l, krt_call *c, const conv *v, int64_t channels,
                        krt_value **x)
{
    krt_status st = KRT_OK;
    krt_value *const in = krti_float_input(c, 0);

    if (in == NULL)
        return c->g->status;
    TRY(krti_check_ndim(l, in->shape, v->rank + 2));
    TRY(krti_check_axis(l, in->shape, channel_axis(v), channels));
    *x = krti_to_channels_last(c->g, in, *v->data_format);

done:
    return st;
}

/* Functions along an axis see the layout the layer promises, the others either one. */
static bool works_along_axis(const char *activation)
{
    static const char *const names[] = {"softmax", "log_softmax", "glu", "sparsemax"};

    return krti_is_one_of(activation, names, KRTI_COUNT(names)) ||
           (activation != NULL && activation[0] == '@'); /* an inner layer may be anything */
}

static krt_status leave(krt_call *c, const conv *v, krt_value *y)
{
    if (works_along_axis(v->activation)) {
        y = krti_from_channels_last(c->g, y, *v->data_format);
        return krt_call_output(c, 0, krti_activate(c, y, v->activation));
    }
    y = krti_activate(c, y, v->activation);
    return krt_call_output(c, 0, krti_from_channels_last(c->g, y, *v->data_format));
}

static krt_value *bias_of(krt_call *c, const conv *v)
{
    return v->use_bias ? krt_call_weight(c, "bias") : NULL;
}

/* A convolution in `groups` groups; NULL after a failure, which the graph keeps. */
static krt_value *convolve(krti_graph *g, const conv *v, krt_value *x, krt_value *kernel,
                           krt_value *bias, int64_t groups)
{
    krti_window w;

    if (x == NULL || kernel == NULL)
        return NULL;
    if (krti_window_make(g, &w, x, v->rank, v->size, v->stride, v->dilation, *v->padding) != KRT_OK)
        return NULL;
    w.groups = groups;
    return krti_conv(g, x, kernel, bias, &w);
}

static krt_status conv_call(const krt_layer *l, const void *args, krt_call *c)
{
    krt_status st = KRT_OK;
    const conv v = read_args(l);
    krt_value *const kernel = krt_call_weight(c, "kernel");
    krt_value *x = NULL;

    (void)args;
    if (kernel == NULL)
        return c->g->status;
    TRY(enter(l, c, &v, krti_dim_mul(kernel->shape.dim[v.rank], v.groups), &x));
    st = leave(c, &v, convolve(c->g, &v, x, kernel, bias_of(c, &v), v.groups));

done:
    return st;
}

static krt_status transpose_call(const krt_layer *l, const void *args, krt_call *c)
{
    krt_status st = KRT_OK;
    const conv v = read_args(l);
    krt_value *const kernel = krt_call_weight(c, "kernel");
    krt_value *x = NULL;

    (void)args;
    if (kernel == NULL)
        return c->g->status;
    TRY(enter(l, c, &v, kernel->shape.dim[v.rank + 1], &x));
    st = leave(c, &v,
               krti_conv_transpose(c->g, x, kernel, bias_of(c, &v), v.rank, v.stride, v.dilation,
                                   v.output_padding, *v.padding));

done:
    return st;
}

/* (size..., c, m) as the kernel of a convolution in c groups. */
static krt_value *grouped_kernel(krti_graph *g, krt_value *kernel)
{
    krt_shape s = kernel->shape;

    s.dim[s.rank - 1] = krti_dim_mul(s.dim[s.rank - 2], s.dim[s.rank - 1]);
    s.dim[s.rank - 2] = 1;
    return krti_reshape(g, kernel, s);
}

static krt_status depthwise_call(const krt_layer *l, const void *args, krt_call *c)
{
    krt_status st = KRT_OK;
    const conv v = read_args(l);
    krt_value *const kernel = krt_call_weight(c, "kernel");
    krt_value *x = NULL;

    (void)args;
    if (kernel == NULL)
        return c->g->status;
    const int64_t channels = kernel->shape.dim[v.rank];
    TRY(enter(l, c, &v, channels, &x));
    st =
        leave(c, &v, convolve(c->g, &v, x, grouped_kernel(c->g, kernel), bias_of(c, &v), channels));

done:
    return st;
}

/* The pointwise half is a convolution with a window of one and no steps. */
static krt_value *pointwise(krti_graph *g, const conv *v, krt_value *x, krt_value *kernel,
                            krt_value *bias)
{
    int64_t ones[3] = {1, 1, 1};
    const char *valid = "valid";
    conv point = *v;

    point.size = point.stride = point.dilation = ones;
    point.padding = &valid;
    return convolve(g, &point, x, kernel, bias, 1);
}

static krt_status separable_call(const krt_layer *l, const void *args, krt_call *c)
{
    krt_status st = KRT_OK;
    const conv v = read_args(l);
    krt_value *const depthwise = krt_call_weight(c, "depthwise_kernel");
    krt_value *x = NULL;

    (void)args;
    if (depthwise == NULL)
        return c->g->status;
    const int64_t channels = depthwise->shape.dim[v.rank];
    TRY(enter(l, c, &v, channels, &x));
    x = convolve(c->g, &v, x, grouped_kernel(c->g, depthwise), NULL, channels);
    st = leave(c, &v,
               pointwise(c->g, &v, x, krt_call_weight(c, "pointwise_kernel"), bias_of(c, &v)));

done:
    return st;
}

/* ------------------------------------------------------------------------------- classes */

/* Fields stand in the order of get_config(), which is the order of the keys in files. */
#define SIZE_FIELDS(T, N) \
    KRT_FIELD(T, INT##N, kernel_size), KRT_FIELD(T, INT##N, strides), KRT_FIELD(T, STRING, padding)
#define FORMAT_FIELDS(T, N) KRT_FIELD(T, STRING, data_format), KRT_FIELD(T, INT##N, dilation_rate)
#define OUTPUT_FIELDS(T)    KRT_FIELD(T, ACTIVATION, activation), KRT_FIELD(T, BOOL, use_bias)
#define KERNEL_OBJECTS(T, kernel)                                                              \
    KRT_FIELD(T, OBJECT, kernel##_initializer), KRT_FIELD(T, OBJECT, bias_initializer),        \
        KRT_FIELD(T, OBJECT, kernel##_regularizer), KRT_FIELD(T, OBJECT, bias_regularizer),    \
        KRT_FIELD(T, OBJECT, activity_regularizer), KRT_FIELD(T, OBJECT, kernel##_constraint), \
        KRT_FIELD(T, OBJECT, bias_constraint)
#define SEPARABLE_OBJECTS(T)                                                                    \
    KRT_FIELD(T, OBJECT, depthwise_initializer), KRT_FIELD(T, OBJECT, pointwise_initializer),   \
        KRT_FIELD(T, OBJECT, bias_initializer), KRT_FIELD(T, OBJECT, depthwise_regularizer),    \
        KRT_FIELD(T, OBJECT, pointwise_regularizer), KRT_FIELD(T, OBJECT, bias_regularizer),    \
        KRT_FIELD(T, OBJECT, activity_regularizer), KRT_FIELD(T, OBJECT, depthwise_constraint), \
        KRT_FIELD(T, OBJECT, pointwise_constraint), KRT_FIELD(T, OBJECT, bias_constraint)
#define CONV_FIELDS(T, N)                                                                          \
    KRT_FIELD(T, INT, filters), SIZE_FIELDS(T, N), FORMAT_FIELDS(T, N), KRT_FIELD(T, INT, groups), \
        OUTPUT_FIELDS(T), KERNEL_OBJECTS(T, kernel), KRT_FIELD(T, INT, lora_rank),                 \
        KRT_FIELD(T, FLOAT, lora_alpha), KRT_BASE_FIELDS(T)
#define TRANSPOSE_FIELDS(T, N)                                                           \
    KRT_FIELD(T, INT, filters), SIZE_FIELDS(T, N), KRT_FIELD(T, INT##N, output_padding), \
        FORMAT_FIELDS(T, N), OUTPUT_FIELDS(T), KERNEL_OBJECTS(T, kernel), KRT_BASE_FIELDS(T)
#define DEPTHWISE_FIELDS(T, N)                                                                     \
    KRT_FIELD(T, INT, depth_multiplier), SIZE_FIELDS(T, N), FORMAT_FIELDS(T, N), OUTPUT_FIELDS(T), \
        KERNEL_OBJECTS(T, depthwise), KRT_BASE_FIELDS(T)
#define SEPARABLE_FIELDS(T, N)                                                          \
    KRT_FIELD(T, INT, depth_multiplier), KRT_FIELD(T, INT, filters), SIZE_FIELDS(T, N), \
        FORMAT_FIELDS(T, N), OUTPUT_FIELDS(T), SEPARABLE_OBJECTS(T), KRT_BASE_FIELDS(T)

/* X(identifier, class, defaults, fields, build and call) */
#define CLASSES(X)                                                                   \
    X(conv1d, "Conv1D", KRT_CONV1D(KRT_NONE), CONV_FIELDS(krt_conv1d_args, 1), conv) \
    X(conv2d, "Conv2D", KRT_CONV2D(KRT_NONE), CONV_FIELDS(krt_conv2d_args, 2), conv) \
    X(conv3d, "Conv3D", KRT_CONV3D(KRT_NONE), CONV_FIELDS(krt_conv3d_args, 3), conv) \
    X(conv1d_transpose, "Conv1DTranspose", KRT_CONV1D_TRANSPOSE(KRT_NONE),           \
      TRANSPOSE_FIELDS(krt_conv1d_transpose_args, 1), transpose)                     \
    X(conv2d_transpose, "Conv2DTranspose", KRT_CONV2D_TRANSPOSE(KRT_NONE),           \
      TRANSPOSE_FIELDS(krt_conv2d_transpose_args, 2), transpose)                     \
    X(conv3d_transpose, "Conv3DTranspose", KRT_CONV3D_TRANSPOSE(KRT_NONE),           \
      TRANSPOSE_FIELDS(krt_conv3d_transpose_args, 3), transpose)                     \
    X(depthwise_conv1d, "DepthwiseConv1D", KRT_DEPTHWISE_CONV1D({0}),                \
      DEPTHWISE_FIELDS(krt_depthwise_conv1d_args, 1), depthwise)                     \
    X(depthwise_conv2d, "DepthwiseConv2D", KRT_DEPTHWISE_CONV2D({0}),                \
      DEPTHWISE_FIELDS(krt_depthwise_conv2d_args, 2), depthwise)                     \
    X(separable_conv1d, "SeparableConv1D", KRT_SEPARABLE_CONV1D(KRT_NONE),           \
      SEPARABLE_FIELDS(krt_separable_conv1d_args, 1), separable)                     \
    X(separable_conv2d, "SeparableConv2D", KRT_SEPARABLE_CONV2D(KRT_NONE),           \
      SEPARABLE_FIELDS(krt_separable_conv2d_args, 2), separable)

#define DEFINE(id, class_name, default_args, field_list, family) \
    static const krt_field id##_fields[] = {field_list};         \
    static const krt_layer_class id##_class = {                  \
        .struct_size = sizeof(krt_layer_class),                  \
        .name = class_name,                                      \
        .defaults = default_args,                                \
        .fields = id##_fields,                                   \
        .num_fields = KRTI_COUNT(id##_fields),                   \
        .build = family##_build,                                 \
        .call = family##_call,                                   \
        .init = conv_init,                                       \
    };
CLASSES(DEFINE)

#define LIST(id, class_name, default_args, field_list, family) &id##_class,
const krt_layer_class *const krti_classes_convolutional[] = {CLASSES(LIST) NULL};
