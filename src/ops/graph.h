/* The graph: what a model computes, as values and the operations between them. Keras: keras.ops.
 *
 * Layers describe themselves by calling the constructors below, which infer shape and dtype at once;
 * nothing is computed until a graph is compiled into a plan (plan.h) and run. A graph with unknown
 * dimensions (KRT_NONE) answers for shapes and cannot be compiled. Failure sticks: the graph keeps
 * its first error, constructors then return NULL, and NULL inputs give NULL.
 *
 * Activations are channels last, (batch, spatial..., channels), whatever a layer's data_format says.
 * Negative axes count from the end. Binary operations broadcast as NumPy's. */
#ifndef KRTI_OPS_GRAPH_H
#define KRTI_OPS_GRAPH_H

#include "base/arena.h"
#include "tensor/tensor.h"

typedef struct krti_graph krti_graph;
typedef struct krti_node krti_node;
typedef struct krti_op krti_op;
typedef struct krt_value krt_value;

/* One result of one node. */
struct krt_value {
    krti_node *node;
    int index; /* which of the node's outputs */
    krt_dtype dtype;
    krt_shape shape;
    krt_value *same_as; /* what the compiler put in its place; NULL: itself */
};

/* How a window moves: convolution and pooling. Spatial rank 1 to 3; unused entries are 1 and 0.
 * Padding is explicit; "same" and "causal" were resolved by krti_window_make(), which leaves
 * KRT_NONE where it depends on a dimension that is unknown. For a transposed convolution before
 * and after are what is cut off the full result of (in - 1) * stride + (size - 1) * dilation + 1;
 * a negative `after` adds that many places, which hold the bias alone. */
typedef struct krti_window {
    int rank;
    int64_t size[3];
    int64_t stride[3];
    int64_t dilation[3];
    int64_t before[3], after[3];
    int64_t output_padding[3]; /* transposed convolution: KRT_NONE where Keras's is None */
    int64_t groups;
} krti_window;

/* An elementwise function with its parameters, to be fused behind a convolution or product. */
typedef struct krti_activation {
    const krti_op *op; /* NULL: none */
    double a, b, c;
} krti_activation;

typedef enum krti_pad_mode {
    KRTI_PAD_CONSTANT = 0,
    KRTI_PAD_REFLECT,
    KRTI_PAD_SYMMETRIC,
    KRTI_PAD_EDGE
} krti_pad_mode;

typedef enum krti_interpolation {
    KRTI_NEAREST = 0,
    KRTI_BILINEAR,
    KRTI_BICUBIC,
    KRTI_LANCZOS3,
    KRTI_LANCZOS5,
    KRTI_AREA
} krti_interpolation;

/* The recurrent cells. */
typedef enum krti_rnn_cell {
    KRTI_RNN_SIMPLE = 0, /* h = f(x + h U) */
    KRTI_RNN_LSTM,       /* gates i, f, c, o */
    KRTI_RNN_GRU,        /* gates z, r, h; the reset gate behind the product (reset_after) */
    KRTI_RNN_GRU_BEFORE  /* the same with the reset gate before it */
} krti_rnn_cell;

/* The functions that the loop over time knows; all have a slope that is told by their result. */
typedef enum krti_rnn_fn {
    KRTI_RNN_LINEAR = 0,
    KRTI_RNN_RELU,
    KRTI_RNN_SIGMOID,
    KRTI_RNN_TANH,
    KRTI_RNN_HARD_SIGMOID,   /* Keras 3's: relu6(x + 3) / 6 */
    KRTI_RNN_HARD_SIGMOID_V2 /* of Keras 1 and 2: clip(0.2 x + 0.5, 0, 1) */
} krti_rnn_fn;

typedef struct krti_rnn_kind {
    krti_rnn_cell cell;
    krti_rnn_fn activation, recurrent; /* recurrent: of the gates */
} krti_rnn_kind;

/* What an operation needs to know beside its inputs; which member counts is the op's business. */
typedef union krti_attrs {
    krti_window window; /* conv, conv_transpose, *_pool */
    struct {
        krti_window window; /* where `window` is, so that it is read as that too */
        krt_shape shape;    /* of what the convolution or pooling read, or of its kernel */
    } window_grad;
    struct {
        krti_window window;         /* where `window` is, so that it is read as that too */
        krti_activation activation; /* behind the pointwise convolution */
    } expand;                       /* expand_depthwise */
    struct {
        double a, b, c;
    } scalar; /* elementwise with parameters */
    struct {
        int n;
        int axis[KRT_MAX_RANK];
        bool keepdims;
    } reduce; /* axes >= 0, ascending */
    struct {
        int axis;
    } axis; /* concat, softmax, gather, argmax, ... */
    struct {
        int perm[KRT_MAX_RANK];
    } transpose;
    struct {
        krt_shape shape;
    } shape; /* reshape, broadcast_to */
    struct {
        int64_t start[KRT_MAX_RANK], stop[KRT_MAX_RANK], step[KRT_MAX_RANK];
        krt_shape shape; /* slice_grad: of what was sliced */
    } slice;
    struct {
        int64_t before[KRT_MAX_RANK], after[KRT_MAX_RANK];
        krti_pad_mode mode;
        double value;
        krt_shape shape; /* pad_grad: of what was padded */
    } pad;
    struct {
        int64_t times[KRT_MAX_RANK];
    } tile;
    struct {
        int axis;
        int64_t times;
    } repeat;
    struct {
        bool transpose_a, transpose_b;
    } matmul;
    struct {
        int n;
        int64_t size[2];
        int64_t from[2]; /* resize_grad: the size before */
        krti_interpolation method;
        bool antialias;
        const struct krti_resample *axis[2]; /* set by infer; see reference/resample.h */
    } resize;
    struct {
        double epsilon;
        int axis;
    } norm;
    struct {
        krt_dtype dtype;
    } cast;
    struct {
        int64_t depth;
        int axis;
        krt_dtype dtype;
    } one_hot;
    struct {
        int rank;
        int64_t size[3];
        krt_shape shape; /* adaptive_*_pool_grad: of what was pooled */
    } adaptive;          /* adaptive_*_pool: the output's spatial dimensions */
    struct {
        int axis;
        krt_shape shape; /* of what was gathered from */
    } gather_grad;
    struct {
        bool exclusive, reverse;
        int axis;
    } scan; /* cumsum */
    struct {
        krt_shape shape;
        double a, b; /* uniform: the bounds; bernoulli: the probability of true */
    } random;
    struct {
        krti_rnn_kind kind;
    } rnn;
    const struct krti_lookup *lookup; /* see text.h */
    struct {
        const struct krti_vectorizer *how;
        int64_t size; /* numbers a row */
        int bag;      /* krti_bag */
    } vectorize;
    const struct krti_hasher *hasher;
    struct {
        int64_t num_bins;
    } cross;
    const krt_tensor *tensor;       /* variable */
    const struct krti_fused *fused; /* fused: its program; see fused.h */
} krti_attrs;

enum { KRTI_MAX_OUT = 4 };

/* Models inside models inside models multiply; the largest of keras.applications has 5,000. */
enum { KRTI_MAX_NODES = 1 << 16 };

/* No value may have more elements than this, unknown dimensions aside. */
#define KRTI_MAX_ELEMENTS ((int64_t)1 << 48)

struct krti_node {
    const krti_op *op;
    int id; /* position of creation: inputs come before users */
    int num_in, num_out;
    krt_value **in; /* an optional input may be NULL */
    krt_value *out; /* as many as its op has at most */
    krti_attrs attrs;
    krti_activation activation; /* fused behind; only on ops whose table entry allows it */
    bool is_static;    /* known before the run: a leaf but no input, or made of such alone */
    bool is_state;     /* a variable that a run writes; never static */
    const char *scope; /* path of the layer that asked for it, for messages and profiles */
    void *constant;    /* krti_op_constant: the data, in the arena */
};

/* A variable and what it holds after a run. */
typedef struct krti_update {
    krt_value *variable, *value;
} krti_update;

/* A result as wide as the longest text of the batch: which input has the texts, and how they are taken
 * apart. See krti_text_width(). */
typedef struct krti_text_use {
    size_t input;
    const struct krti_vectorizer *how;
} krti_text_use;
enum { KRTI_MAX_TEXTS = 8 };

struct krti_graph {
    krt_ctx *k;
    krti_arena arena;
    krti_node **nodes;
    size_t num_nodes, capacity;
    krt_value **inputs;
    size_t num_inputs, inputs_capacity;
    krt_value **outputs;
    size_t num_outputs, outputs_capacity;
    krt_value **variables; /* one a tensor */
    size_t num_variables, variables_capacity;
    krt_value **slots;    /* the same by their tensors, for krti_variable() */
    size_t num_slots;     /* 0, or a power of two, at least twice their number */
    krti_update *updates; /* in order of their first krti_assign() */
    size_t num_updates, updates_capacity;
    krt_value **losses; /* what layers add to the loss; see krti_add_loss() */
    size_t num_losses, losses_capacity;
    bool variables_change; /* between runs of one plan: none is static, nothing is packed */
    krti_text_use texts[KRTI_MAX_TEXTS];
    size_t num_texts;
    const int64_t *text_widths; /* one each, as of the batch in hand; NULL: not known */
    const char *scope;          /* current layer path; set by the tracer */
    krt_status status;          /* the first failure */
};

krt_status krti_graph_new(krt_ctx *k, krti_graph **out);
void krti_graph_free(krti_graph *g); /* NULL allowed */
/* Records a failure with the current scope as its object; returns NULL for `return krti_graph_fail(...)`. */
krt_value *krti_graph_fail(krti_graph *g, krt_status status, const char *format, ...)
    KRTI_PRINTF(3, 4);
krt_status krti_graph_add_output(krti_graph *g, krt_value *v);
/* For op files: a node with inputs and attributes, inferred. NULL after a failure or a NULL
 * required input (the op's table says how many are required). */
krti_node *krti_graph_add(krti_graph *g, const krti_op *op, krt_value *const *in, int num_in,
                          const krti_attrs *attrs);
/* The only output of krti_graph_add(). */
krt_value *krti_graph_add1(krti_graph *g, const krti_op *op, krt_value *const *in, int num_in,
                           const krti_attrs *attrs);

/* Dimensions that may be unknown: KRT_NONE in, KRT_NONE out. */
int64_t krti_dim_mul(int64_t a, int64_t b);
int64_t krti_dim_add(int64_t a, int64_t b);
int64_t krti_dim_div(int64_t a, int64_t b); /* floor */
bool krti_shape_known(krt_shape s);
/* axis in [-rank, rank) to [0, rank); fails through the graph and returns -1. */
int krti_axis(krti_graph *g, int64_t axis, int rank);

/* --- leaves (graph.c) ------------------------------------------------------------------------ */
krt_value *krti_input(krti_graph *g, krt_dtype dtype, krt_shape shape);
/* A model's weight: borrowed, identified by its tensor: one value a graph, however often asked. */
krt_value *krti_variable(krti_graph *g, const krt_tensor *tensor);
krt_value *krti_constant(krti_graph *g, krt_dtype dtype, krt_shape shape, const void *data);
krt_value *krti_scalar(krti_graph *g, double value); /* float32, shape () */
krt_value *krti_scalar_of(krti_graph *g, krt_dtype dtype, double value);
/* A scalar of the same dtype as `like`. */
krt_value *krti_scalar_like(krti_graph *g, const krt_value *like, double value);

/* --- state (op_state.c) ---------------------------------------------------------------------- */
/* After a run the variable holds `value`, of the same shape and dtype; until then everything reads
 * what it held before. The last call for a variable counts. The plan writes into the tensor's own
 * memory, in place where nothing reads the old value any more; the tensor must then be private to
 * the process (krti_tensor_is_private()). Fails: E_INVALID. */
krt_status krti_assign(krti_graph *g, krt_value *variable, krt_value *value);
/* What the variable will hold: the value assigned so far, or itself. A layer called twice in a step
 * goes on from there, as statements do in Keras. */
krt_value *krti_current(krti_graph *g, krt_value *variable);
/* A scalar to be added to the loss of a training or evaluation step. */
krt_status krti_add_loss(krti_graph *g, krt_value *loss);

/* --- random numbers (op_random.c) ------------------------------------------------------------- */
/* float32 arrays from a key, uint32 (2,): the same key gives the same array, the one that JAX draws
 * from it. Keras counterpart: keras.random on JAX, the key being what a SeedGenerator hands out. */
krt_value *krti_random_uniform_of(krti_graph *g, krt_value *key, krt_shape shape, double low,
                                  double high);
krt_value *krti_random_normal_of(krti_graph *g, krt_value *key, krt_shape shape, double mean,
                                 double stddev);
/* KRT_BOOL, true with probability p. */
krt_value *krti_random_bernoulli_of(krti_graph *g, krt_value *key, krt_shape shape, double p);
/* keras.random.dropout: x / (1 - rate) where a draw of shape `noise`, broadcast, keeps it, else 0. */
krt_value *krti_dropout(krti_graph *g, krt_value *x, krt_value *key, double rate, krt_shape noise);

/* --- elementwise (op_math.c) ----------------------------------------------------------------- */
/* X(name): krti_<name>(g, x) and krti_op_<name>. */
/* The first group keeps integers, the second computes in floats (integers become float32, as in
 * Keras), the third answers in KRT_BOOL. */
/* clang-format off */
#define KRTI_UNARY_NUMBER(X) X(negative) X(absolute) X(sign) X(square)
#define KRTI_UNARY_FLOAT(X)                                                                       \
    X(exp) X(expm1) X(log) X(log1p) X(log2) X(log10) X(sqrt) X(rsqrt) X(reciprocal)               \
    X(sin) X(cos) X(tan) X(asin) X(acos) X(atan) X(sinh) X(cosh) X(asinh) X(acosh) X(atanh)       \
    X(floor) X(ceil) X(round) X(trunc) X(erf) X(sigmoid) X(tanh) X(silu) X(gelu) X(gelu_tanh)     \
    X(softplus) X(softsign) X(selu) X(mish) X(hard_sigmoid) X(hard_silu) X(log_sigmoid)
#define KRTI_UNARY_TEST(X) X(isnan) X(isinf) X(isfinite) X(logical_not)
#define KRTI_UNARY(X) KRTI_UNARY_NUMBER(X) KRTI_UNARY_FLOAT(X) KRTI_UNARY_TEST(X)
/* clang-format on */
/* X(name): with parameters a, b, c: krti_<name>(g, x, a, b, c).
 *   relu:      Keras's relu(x, negative_slope a, threshold b, max_value c): y = x > b ? x : 0;
 *              unless c is infinite, y = min(max(y, 0), c); unless a is 0, y -= a * max(b - x, 0).
 *              Plain is (0, 0, INFINITY), relu6 (0, 0, 6), leaky (slope, 0, INFINITY)
 *   elu:       x > 0 ? x : a * (exp(x) - 1)
 *   celu:      max(x, 0) + min(0, a * (exp(x / a) - 1))
 *   clip:      min(max(x, a), b)
 *   affine:    a * x + b
 *   power_scalar: x ** a */
#define KRTI_UNARY_PARAMS(X) X(relu) X(elu) X(celu) X(clip) X(affine) X(power_scalar)
/* X(name): krti_<name>(g, a, b), broadcasting; the second group gives KRT_BOOL. */
#define KRTI_BINARY(X) \
    X(add)             \
    X(subtract)        \
    X(multiply)        \
    X(divide) X(maximum) X(minimum) X(power) X(mod) X(floor_divide) X(atan2) X(squared_difference)
#define KRTI_COMPARE(X) \
    X(equal)            \
    X(not_equal)        \
    X(greater) X(greater_equal) X(less) X(less_equal) X(logical_and) X(logical_or) X(logical_xor)

#define X(name)                                          \
    krt_value *krti_##name(krti_graph *g, krt_value *x); \
    extern const krti_op krti_op_##name;
KRTI_UNARY(X)
#undef X
#define X(name)                                                                        \
    krt_value *krti_##name(krti_graph *g, krt_value *x, double a, double b, double c); \
    extern const krti_op krti_op_##name;
KRTI_UNARY_PARAMS(X)
#undef X
#define X(name)                                                        \
    krt_value *krti_##name(krti_graph *g, krt_value *a, krt_value *b); \
    extern const krti_op krti_op_##name;
KRTI_BINARY(X)
KRTI_COMPARE(X)
#undef X
/* An elementwise function chosen at run time (activations.c keeps a table of them). */
krt_value *krti_apply(krti_graph *g, krt_value *x, krti_activation f);
krt_value *krti_where(krti_graph *g, krt_value *condition, krt_value *a, krt_value *b);
krt_value *krti_cast(krti_graph *g, krt_value *x, krt_dtype dtype);
/* Both to the dtype Keras's backend would compute in (float wins over int, wider over narrower). */
krt_dtype krti_result_dtype(krt_dtype a, krt_dtype b);

/* --- reductions (op_reduce.c) ---------------------------------------------------------------- */
/* axes: n of them, any sign; n = 0 reduces all. */
#define KRTI_REDUCE(X) X(sum) X(mean) X(prod) X(max) X(min) X(any) X(all)
#define X(name)                                                                        \
    krt_value *krti_reduce_##name(krti_graph *g, krt_value *x, const int *axes, int n, \
                                  bool keepdims);                                      \
    extern const krti_op krti_op_reduce_##name;
KRTI_REDUCE(X)
#undef X
krt_value *krti_argmax(krti_graph *g, krt_value *x, int axis, bool keepdims); /* int32 */
krt_value *krti_argmin(krti_graph *g, krt_value *x, int axis, bool keepdims);
krt_value *krti_cumsum(krti_graph *g, krt_value *x, int axis, bool exclusive, bool reverse);
krt_value *krti_sort(krti_graph *g, krt_value *x, int axis); /* ascending */
/* Composed: mean and (biased) variance over axes, keepdims. */
krt_status krti_moments(krti_graph *g, krt_value *x, const int *axes, int n, krt_value **mean,
                        krt_value **variance);

/* --- shape (op_shape.c) ---------------------------------------------------------------------- */
/* One dimension may be -1; KRT_NONE ones are unknown and taken at their word. */
krt_value *krti_reshape(krti_graph *g, krt_value *x, krt_shape shape);
krt_value *krti_transpose(krti_graph *g, krt_value *x, const int *perm);
krt_value *krti_expand_dims(krti_graph *g, krt_value *x, int axis);
krt_value *krti_squeeze(krti_graph *g, krt_value *x, const int *axes, int n); /* n = 0: every 1 */
krt_value *krti_concat(krti_graph *g, krt_value *const *x, size_t n, int axis);
krt_value *krti_stack(krti_graph *g, krt_value *const *x, size_t n, int axis);
/* NumPy's basic slice, every axis given, step != 0. start and stop are clipped as NumPy clips;
 * start = KRT_NONE: from the beginning (for step < 0: from the last element); stop = KRT_NONE: to
 * the end (for step < 0: past the first element). */
krt_value *krti_slice(krti_graph *g, krt_value *x, const int64_t *start, const int64_t *stop,
                      const int64_t *step);
krt_value *krti_slice_axis(krti_graph *g, krt_value *x, int axis, int64_t start, int64_t stop,
                           int64_t step);
krt_value *krti_pad(krti_graph *g, krt_value *x, const int64_t *before, const int64_t *after,
                    krti_pad_mode mode, double value);
krt_value *krti_tile(krti_graph *g, krt_value *x, const int64_t *times);
krt_value *krti_repeat(krti_graph *g, krt_value *x, int64_t times, int axis); /* np.repeat */
krt_value *krti_broadcast_to(krti_graph *g, krt_value *x, krt_shape shape);
/* np.take along an axis; indices of any integer dtype and rank. Negative indices count from the
 * end; what is still out of range gives NaN (floats) or 0, as Keras on JAX and TensorFlow on GPU. */
krt_value *krti_gather(krti_graph *g, krt_value *x, krt_value *indices, int axis);
krt_value *krti_one_hot(krti_graph *g, krt_value *indices, int64_t depth, int axis,
                        krt_dtype dtype);

/* --- products (op_linalg.c) ------------------------------------------------------------------ */
/* np.matmul on the last two axes, batch axes broadcast; ranks >= 2. bias (n,) and residual (the
 * result's shape) may be NULL. */
krt_value *krti_matmul(krti_graph *g, krt_value *a, krt_value *b, bool transpose_a,
                       bool transpose_b, krt_value *bias);
/* x (..., in) times kernel (in, out): Dense. One product of flattened rows. */
krt_value *krti_dense(krti_graph *g, krt_value *x, krt_value *kernel, krt_value *bias);
/* Keras's equation over one or two inputs ("abc,cd->abd", with "..."). Composed of transpose,
 * reshape and matmul. */
krt_value *krti_einsum(krti_graph *g, const char *equation, krt_value *const *x, size_t n);

/* --- networks (op_nn.c) ---------------------------------------------------------------------- */
/* Resolves Keras's padding ("valid", "same", "causal") for this input. "same" with stride > 1 over
 * an unknown dimension leaves before and after KRT_NONE there. size etc. have `rank` entries;
 * dilation may be NULL. */
krt_status krti_window_make(krti_graph *g, krti_window *out, const krt_value *x, int rank,
                            const int64_t *size, const int64_t *stride, const int64_t *dilation,
                            const char *padding);
/* x (n, spatial..., in), kernel (size..., in / groups, out), bias (out) or NULL. */
krt_value *krti_conv(krti_graph *g, krt_value *x, krt_value *kernel, krt_value *bias,
                     const krti_window *w);
/* kernel (size..., out, in) as Keras stores it; `padding` as Keras resolves it for a transposed
 * convolution; output_padding NULL or KRT_NONE entries: inferred by Keras's rule. */
krt_value *krti_conv_transpose(krti_graph *g, krt_value *x, krt_value *kernel, krt_value *bias,
                               int rank, const int64_t *stride, const int64_t *dilation,
                               const int64_t *output_padding, const char *padding);
krt_value *krti_max_pool(krti_graph *g, krt_value *x, const krti_window *w);
/* The mean of the elements inside the image: padding does not count. */
krt_value *krti_avg_pool(krti_graph *g, krt_value *x, const krti_window *w);
/* Keras's adaptive pooling: output_size entries for each spatial axis. */
krt_value *krti_adaptive_avg_pool(krti_graph *g, krt_value *x, int rank, const int64_t *size);
krt_value *krti_adaptive_max_pool(krti_graph *g, krt_value *x, int rank, const int64_t *size);
/* (x - mean) / sqrt(variance + epsilon) * gamma + beta along `axis`; gamma, beta may be NULL.
 * At inference the compiler folds it into what stands before, or into scale and shift. */
krt_value *krti_batch_norm(krti_graph *g, krt_value *x, krt_value *mean, krt_value *variance,
                           krt_value *gamma, krt_value *beta, int axis, double epsilon);
/* Over the last axis; others are composed by the layer. gamma, beta (last dim) may be NULL. */
krt_value *krti_layer_norm(krti_graph *g, krt_value *x, krt_value *gamma, krt_value *beta,
                           double epsilon);
krt_value *krti_softmax(krti_graph *g, krt_value *x, int axis);
krt_value *krti_log_softmax(krti_graph *g, krt_value *x, int axis);
krt_value *krti_resize_image(krti_graph *g, krt_value *x, int64_t height, int64_t width,
                             krti_interpolation method,
                             bool antialias); /* x rank 4 channels last */

/* --- recurrence (op_rnn.c) ------------------------------------------------------------------- */
enum {
    KRTI_RNN_X,
    KRTI_RNN_KERNEL,
    KRTI_RNN_BIAS,
    KRTI_RNN_H,
    KRTI_RNN_C,
    KRTI_RNN_MASK,
    KRTI_RNN_IN
};
/* A cell over time: in[KRTI_RNN_X] (batch, steps, gates * units) are the inputs times the kernel, bias
 * added; in[KRTI_RNN_KERNEL] (units, gates * units). May be NULL: the bias of the product by the state
 * (gates * units; GRU alone), the states before the first step (batch, units; zeros), and the mask
 * (batch, steps), KRT_BOOL: where it is false the state stays. Gives the state h after each step,
 * (batch, steps, units); *carry, which may be NULL, becomes an LSTM's c of the same shape. */
krt_value *krti_rnn(krti_graph *g, krt_value *const in[KRTI_RNN_IN], krti_rnn_kind kind,
                    krt_value **carry);
int krti_rnn_gates(krti_rnn_cell cell);

#endif
