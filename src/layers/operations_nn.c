/* Operations of neural networks: activations with parameters, softmax, convolution and pooling of
 * tensors, normalization, attention. Keras: ops/nn.py.
 *
 * They describe themselves as the layers of the same names do, channels last inside; only the
 * arguments come from a node. */
#include "layers/attention.h"
#include "layers/describe.h"
#include "layers/operations_list.h"
#include "layers/spatial.h"
#include "tensor/tensor.h"

/* ------------------------------------------------------------------------------- activations */

krt_value *krti_operation_leaky_relu(const krti_opcall *o)
{
    return krti_relu(o->g, krti_opcall_tensor(o, "x"), krti_opcall_float(o, "negative_slope", 0.2),
                     0, INFINITY);
}

krt_value *krti_operation_elu(const krti_opcall *o)
{
    return krti_elu(o->g, krti_opcall_tensor(o, "x"), krti_opcall_float(o, "alpha", 1), 0, 0);
}

krt_value *krti_operation_celu(const krti_opcall *o)
{
    return krti_celu(o->g, krti_opcall_tensor(o, "x"), krti_opcall_float(o, "alpha", 1), 0, 0);
}

krt_value *krti_operation_gelu(const krti_opcall *o)
{
    krt_value *const x = krti_opcall_tensor(o, "x");

    return krti_opcall_bool(o, "approximate", true) ? krti_gelu_tanh(o->g, x) : krti_gelu(o->g, x);
}

krt_value *krti_operation_hard_shrink(const krti_opcall *o)
{
    krt_value *const x = krti_opcall_tensor(o, "x");
    krt_value *const limit = krti_scalar_like(o->g, x, krti_opcall_float(o, "threshold", 0.5));

    return krti_where(o->g, krti_greater(o->g, krti_absolute(o->g, x), limit), x,
                      krti_scalar_like(o->g, x, 0));
}

krt_value *krti_operation_soft_shrink(const krti_opcall *o)
{
    krt_value *const x = krti_opcall_tensor(o, "x");
    const double limit = krti_opcall_float(o, "threshold", 0.5);

    return krti_subtract(o->g, x, krti_clip(o->g, x, -limit, limit, 0));
}

krt_value *krti_operation_threshold(const krti_opcall *o)
{
    krt_value *const x = krti_opcall_tensor(o, "x");
    krt_value *const limit = krti_scalar_like(o->g, x, krti_opcall_float(o, "threshold", 0));
    krt_value *const other = krti_scalar_like(o->g, x, krti_opcall_float(o, "default_value", 0));

    return krti_where(o->g, krti_greater(o->g, x, limit), x, other);
}

krt_value *krti_operation_crelu(const krti_opcall *o)
{
    krt_value *const x = krti_opcall_tensor(o, "x");

    if (x == NULL)
        return NULL;
    krt_value *const both[] = {krti_relu(o->g, x, 0, 0, INFINITY),
                               krti_relu(o->g, krti_negative(o->g, x), 0, 0, INFINITY)};
    return krti_concat(o->g, both, 2, krti_opcall_axis(o, "axis", -1, x->shape.rank));
}

krt_value *krti_operation_squareplus(const krti_opcall *o)
{
    krt_value *const x = krti_opcall_tensor(o, "x");
    krt_value *const square =
        krti_affine(o->g, krti_square(o->g, x), 1, krti_opcall_float(o, "b", 4), 0);

    return krti_affine(o->g, krti_add(o->g, x, krti_sqrt(o->g, square)), 0.5, 0, 0);
}

krt_value *krti_operation_sparse_plus(const krti_opcall *o)
{
    return krti_activate(o->c, krti_opcall_tensor(o, "x"), "sparse_plus");
}

krt_value *krti_operation_sparse_sigmoid(const krti_opcall *o)
{
    return krti_activate(o->c, krti_opcall_tensor(o, "x"), "sparse_sigmoid");
}

/* A function that works along the last axis, along another one. */
static krt_value *along_axis(const krti_opcall *o, const char *activation)
{
    krt_value *const x = krti_opcall_tensor(o, "x");
    int perm[KRT_MAX_RANK];

    if (x == NULL)
        return NULL;
    const int axis = krti_opcall_axis(o, "axis", -1, x->shape.rank), last = x->shape.rank - 1;
    if (axis < 0)
        return NULL;
    for (int i = 0; i <= last; i++)
        perm[i] = i == axis ? last : i == last ? axis : i;
    krt_value *const turned = krti_transpose(o->g, x, perm);
    return krti_transpose(o->g, krti_activate(o->c, turned, activation), perm);
}

krt_value *krti_operation_glu(const krti_opcall *o)
{
    return along_axis(o, "glu");
}

krt_value *krti_operation_sparsemax(const krti_opcall *o)
{
    return along_axis(o, "sparsemax");
}

/* Along one axis, or along several at once as if they were one; null means all of them. */
static krt_value *softmax(const krti_opcall *o, krt_value *(*fn)(krti_graph *, krt_value *, int),
                          bool is_log)
{
    krti_graph *const g = o->g;
    krt_value *const x = krti_opcall_tensor(o, "x");
    int axes[KRT_MAX_RANK] = {-1};
    int n = krti_opcall_axes(o, "axis", axes);
    const krti_conf *const written = krti_conf_get(o->config, "axis");

    if (x == NULL || n < 0)
        return NULL;
    if (n == 0 && krti_conf_is(written, KRTI_CONF_NULL))
        return krti_reshape(g, fn(g, krti_reshape(g, x, KRT_SHAPE(-1)), 0), x->shape);
    if (n <= 1)
        return fn(g, x, krti_axis(g, axes[0], x->shape.rank));
    krt_value *const far = krti_subtract(g, x, krti_reduce_max(g, x, axes, n, true));
    krt_value *const sum = krti_reduce_sum(g, krti_exp(g, far), axes, n, true);
    return is_log ? krti_subtract(g, far, krti_log(g, sum)) : krti_divide(g, krti_exp(g, far), sum);
}

krt_value *krti_operation_softmax(const krti_opcall *o)
{
    return softmax(o, krti_softmax, false);
}

krt_value *krti_operation_log_softmax(const krti_opcall *o)
{
    return softmax(o, krti_log_softmax, true);
}

/* ------------------------------------------------------------------------------- windows */

/* One number for every spatial axis, or one each. TensorFlow also writes one for each of all axes,
 * (1, h, w, 1). */
static bool read_sizes(const krti_opcall *o, const char *name, int rank, int64_t fallback,
                       int64_t *out)
{
    int64_t given[KRT_MAX_RANK];
    const int n = krti_opcall_ints(o, name, given, KRT_MAX_RANK);

    for (int i = 0; i < rank; i++)
        out[i] = n == 0 ? fallback : n == 1 ? given[0] : given[n == rank + 2 ? i + 1 : i];
    if (n == 0 || n == 1 || n == rank || n == rank + 2)
        return true;
    krti_opcall_fail(o, KRT_E_INVALID, "`%s` must have %d numbers", name, rank);
    return false;
}

static const char *data_format(const krti_opcall *o)
{
    const char *const text = krti_opcall_text(o, "data_format", "channels_last");
    const bool first = strcmp(text, "channels_first") == 0 || krti_starts_with(text, "NC");

    return first && strcmp(text, "NCHWc") != 0 ? "channels_first" : "channels_last";
}

static const char *padding(const krti_opcall *o)
{
    const char *const text = krti_opcall_text(o, "padding", "valid");

    return strcmp(text, "SAME") == 0 ? "same" : strcmp(text, "VALID") == 0 ? "valid" : text;
}

/* The input channels last; *rank is the number of spatial axes. */
static krt_value *spatial_input(const krti_opcall *o, int *rank)
{
    krt_value *const x = krti_opcall_tensor(o, "inputs");

    *rank = x != NULL ? x->shape.rank - 2 : 0;
    if (x != NULL && (*rank < 1 || *rank > 3))
        return krti_opcall_fail(o, KRT_E_INVALID, "an input of rank 3, 4 or 5 is wanted, found %d",
                                x->shape.rank);
    return krti_to_channels_last(o->g, x, data_format(o));
}

static krt_value *pool(const krti_opcall *o,
                       krt_value *(*fn)(krti_graph *, krt_value *, const krti_window *))
{
    int rank;
    krt_value *const x = spatial_input(o, &rank);
    int64_t size[3], stride[3];
    krti_window w;

    if (x == NULL || !read_sizes(o, "pool_size", rank, 1, size) ||
        !read_sizes(o, "strides", rank, KRT_NONE, stride))
        return NULL;
    for (int i = 0; i < rank; i++)
        stride[i] = stride[i] == KRT_NONE ? size[i] : stride[i];
    if (krti_window_make(o->g, &w, x, rank, size, stride, NULL, padding(o)) != KRT_OK)
        return NULL;
    return krti_from_channels_last(o->g, fn(o->g, x, &w), data_format(o));
}

krt_value *krti_operation_max_pool(const krti_opcall *o)
{
    return pool(o, krti_max_pool);
}

krt_value *krti_operation_average_pool(const krti_opcall *o)
{
    return pool(o, krti_avg_pool);
}

static krt_value *adaptive_pool(const krti_opcall *o,
                                krt_value *(*fn)(krti_graph *, krt_value *, int, const int64_t *))
{
    int rank;
    krt_value *const x = spatial_input(o, &rank);
    int64_t size[3];

    if (x == NULL || !read_sizes(o, "output_size", rank, 1, size))
        return NULL;
    return krti_from_channels_last(o->g, fn(o->g, x, rank, size), data_format(o));
}

krt_value *krti_operation_adaptive_max_pool(const krti_opcall *o)
{
    return adaptive_pool(o, krti_adaptive_max_pool);
}

krt_value *krti_operation_adaptive_average_pool(const krti_opcall *o)
{
    return adaptive_pool(o, krti_adaptive_avg_pool);
}

/* Channels last in and out; groups follow from how many channels the kernel takes. */
static krt_value *convolve(const krti_opcall *o, krt_value *x, krt_value *kernel, int rank,
                           bool moves)
{
    int64_t stride[3] = {1, 1, 1}, dilation[3] = {1, 1, 1};
    krti_window w;

    if (x == NULL || kernel == NULL)
        return NULL;
    if (kernel->shape.rank != rank + 2)
        return krti_opcall_fail(o, KRT_E_INVALID, "a kernel of rank %d for an input of rank %d",
                                kernel->shape.rank, rank + 2);
    if (moves && (!read_sizes(o, "strides", rank, 1, stride) ||
                  !read_sizes(o, "dilation_rate", rank, 1, dilation)))
        return NULL;
    if (krti_window_make(o->g, &w, x, rank, kernel->shape.dim, stride, dilation,
                         moves ? padding(o) : "valid") != KRT_OK)
        return NULL;
    const int64_t in = x->shape.dim[rank + 1], of_group = kernel->shape.dim[rank];
    w.groups = in != KRT_NONE && of_group > 0 ? in / of_group : 1;
    return krti_conv(o->g, x, kernel, NULL, &w);
}

krt_value *krti_operation_conv(const krti_opcall *o)
{
    int rank;
    krt_value *const x = spatial_input(o, &rank);
    krt_value *const y = convolve(o, x, krti_opcall_tensor(o, "kernel"), rank, true);

    return krti_from_channels_last(o->g, y, data_format(o));
}

/* (size..., c, m) as the kernel of a convolution in c groups. */
static krt_value *grouped_kernel(const krti_opcall *o, const char *name)
{
    krt_value *const kernel = krti_opcall_tensor(o, name);

    if (kernel == NULL || kernel->shape.rank < 3)
        return kernel != NULL ? krti_opcall_fail(o, KRT_E_INVALID, "`%s` must be a kernel", name)
                              : NULL;
    krt_shape s = kernel->shape;
    s.dim[s.rank - 1] = krti_dim_mul(s.dim[s.rank - 2], s.dim[s.rank - 1]);
    s.dim[s.rank - 2] = 1;
    return krti_reshape(o->g, kernel, s);
}

krt_value *krti_operation_depthwise_conv(const krti_opcall *o)
{
    int rank;
    krt_value *const x = spatial_input(o, &rank);
    krt_value *const y = convolve(o, x, grouped_kernel(o, "kernel"), rank, true);

    return krti_from_channels_last(o->g, y, data_format(o));
}

krt_value *krti_operation_separable_conv(const krti_opcall *o)
{
    int rank;
    krt_value *const x = spatial_input(o, &rank);
    krt_value *y = convolve(o, x, grouped_kernel(o, "depthwise_kernel"), rank, true);

    y = convolve(o, y, krti_opcall_tensor(o, "pointwise_kernel"), rank, false);
    return krti_from_channels_last(o->g, y, data_format(o));
}

krt_value *krti_operation_conv_transpose(const krti_opcall *o)
{
    int rank;
    krt_value *const x = spatial_input(o, &rank);
    krt_value *const kernel = krti_opcall_tensor(o, "kernel");
    int64_t stride[3], dilation[3], output_padding[3];

    if (x == NULL || !read_sizes(o, "strides", rank, 1, stride) ||
        !read_sizes(o, "dilation_rate", rank, 1, dilation) ||
        !read_sizes(o, "output_padding", rank, KRT_NONE, output_padding))
        return NULL;
    krt_value *const y = krti_conv_transpose(o->g, x, kernel, NULL, rank, stride, dilation,
                                             output_padding, padding(o));
    return krti_from_channels_last(o->g, y, data_format(o));
}

/* ------------------------------------------------------------------------------- normalization */

krt_value *krti_operation_batch_norm(const krti_opcall *o)
{
    krt_value *const x = krti_opcall_tensor(o, "x");

    if (x == NULL)
        return NULL;
    return krti_batch_norm(
        o->g, x, krti_opcall_tensor(o, "mean"), krti_opcall_tensor(o, "variance"),
        krti_opcall_optional(o, "scale"), krti_opcall_optional(o, "offset"),
        krti_opcall_axis(o, "axis", -1, x->shape.rank), krti_opcall_float(o, "epsilon", 1e-3));
}

krt_value *krti_operation_rms_norm(const krti_opcall *o)
{
    krti_graph *const g = o->g;
    krt_value *const x = krti_opcall_tensor(o, "x"), *const scale =
                                                         krti_opcall_optional(o, "scale");
    int axes[KRT_MAX_RANK] = {-1};
    const int n = krti_opcall_axes(o, "axis", axes);

    if (x == NULL || n < 0)
        return NULL;
    krt_value *const mean = krti_reduce_mean(g, krti_square(g, x), axes, n > 0 ? n : 1, true);
    krt_value *const y =
        krti_multiply(g, x, krti_rsqrt_above(g, mean, krti_opcall_float(o, "epsilon", 1e-7)));
    return scale != NULL ? krti_multiply(g, y, scale) : y;
}

/* gamma or beta in the shape that meets x; as given where it already does. */
static krt_value *spread_along(krti_graph *g, krt_value *v, krt_shape x, const int *axes, int n)
{
    krt_shape s = {.rank = x.rank, .dim = {1, 1, 1, 1, 1, 1, 1, 1}};

    if (v == NULL || v->shape.rank == x.rank)
        return v;
    for (int i = 0; i < n; i++) {
        const int axis = krti_axis(g, axes[i], x.rank);

        if (axis < 0)
            return NULL;
        s.dim[axis] = x.dim[axis];
    }
    return krti_reshape(g, v, s);
}

krt_value *krti_operation_layer_norm(const krti_opcall *o)
{
    krti_graph *const g = o->g;
    krt_value *const x = krti_opcall_tensor(o, "x");
    krt_value *gamma = krti_opcall_optional(o, "gamma"), *beta = krti_opcall_optional(o, "beta");
    const bool rms = krti_opcall_bool(o, "rms_scaling", false);
    const double epsilon = krti_opcall_float(o, "epsilon", 1e-7);
    krt_value *mean, *variance;
    int axes[KRT_MAX_RANK] = {-1};
    const int given = krti_opcall_axes(o, "axis", axes), n = given > 0 ? given : 1;

    if (x == NULL || given < 0 || krti_moments(g, x, axes, n, &mean, &variance) != KRT_OK)
        return NULL;
    gamma = spread_along(g, gamma, x->shape, axes, n);
    beta = spread_along(g, beta, x->shape, axes, n);
    krt_value *inv = krti_rsqrt_above(g, variance, epsilon);
    if (gamma != NULL)
        inv = krti_multiply(g, inv, gamma);
    if (rms)
        return krti_multiply(g, x, inv);
    krt_value *offset = krti_negative(g, krti_multiply(g, mean, inv));
    if (beta != NULL)
        offset = krti_add(g, offset, beta);
    return krti_add(g, krti_multiply(g, x, inv), offset);
}

enum { MAX_RADIUS = 64 };

/* x / (bias + alpha * sum over the channels around)^beta */
krt_value *krti_operation_local_response_normalization(const krti_opcall *o)
{
    krti_graph *const g = o->g;
    krt_value *const x = krti_opcall_tensor(o, "x");
    const int64_t radius = krti_opcall_int(o, "depth_radius", 5);
    int64_t border[KRT_MAX_RANK] = {0};
    krt_value *sum = NULL;

    if (x == NULL)
        return NULL;
    const int last = x->shape.rank - 1;
    if (last < 0 || x->shape.dim[last] == KRT_NONE || radius < 0 || radius > MAX_RADIUS)
        return krti_opcall_fail(o, KRT_E_UNSUPPORTED, "a radius of %lld", (long long)radius);
    border[last] = radius;
    krt_value *const square = krti_pad(g, krti_square(g, x), border, border, KRTI_PAD_CONSTANT, 0);
    for (int64_t i = 0; i <= 2 * radius; i++) {
        krt_value *const part = krti_slice_axis(g, square, last, i, i + x->shape.dim[last], 1);

        sum = sum != NULL ? krti_add(g, sum, part) : part;
    }
    krt_value *const base =
        krti_affine(g, sum, krti_opcall_float(o, "alpha", 1), krti_opcall_float(o, "bias", 1), 0);
    return krti_multiply(g, x,
                         krti_power_scalar(g, base, -krti_opcall_float(o, "beta", 0.5), 0, 0));
}

/* ------------------------------------------------------------------------------- attention */

krt_value *krti_operation_dot_product_attention(const krti_opcall *o)
{
    krti_graph *const g = o->g;
    krt_value *const query = krti_opcall_tensor(o, "query");
    krt_value *key = krti_opcall_tensor(o, "key"), *value = krti_opcall_tensor(o, "value");
    krt_value *const bias = krti_opcall_optional(o, "bias"),
                     *mask = krti_opcall_optional(o, "mask");

    if (query == NULL || key == NULL || value == NULL)
        return NULL;
    if (query->shape.rank != 4 || key->shape.rank != 4 || value->shape.rank != 4)
        return krti_opcall_fail(o, KRT_E_INVALID,
                                "only 4D inputs are supported, found ranks %d, "
                                "%d and %d",
                                query->shape.rank, key->shape.rank, value->shape.rank);
    if (krti_opcall_find(o, "attn_logits_soft_cap") != NULL)
        return krti_opcall_fail(o, KRT_E_UNSUPPORTED, "the argument `attn_logits_soft_cap`");
    const int64_t heads = query->shape.dim[2], kv_heads = key->shape.dim[2];
    const int64_t width = key->shape.dim[3];
    if (heads == KRT_NONE || kv_heads < 1 || width < 1 || heads % kv_heads != 0)
        return krti_opcall_fail(o, KRT_E_INVALID, "%lld heads of queries for %lld of keys",
                                (long long)heads, (long long)kv_heads);
    key = krti_repeat(g, key, heads / kv_heads, 2);
    value = krti_repeat(g, value, heads / kv_heads, 2);
    krt_value *logits = krti_einsum(g, "BTNH,BSNH->BNTS", (krt_value *const[]){query, key}, 2);
    logits = krti_affine(g, logits, krti_opcall_float(o, "scale", 1 / sqrt((double)width)), 0, 0);
    if (bias != NULL)
        logits = krti_add(g, logits, bias);
    krt_value *const weights =
        krti_attention_weights(g, logits, mask, krti_opcall_bool(o, "is_causal", false));
    return krti_einsum(g, "BNTS,BSNH->BTNH", (krt_value *const[]){weights, value}, 2);
}
