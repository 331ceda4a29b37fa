/* Gradients of every layer class, of its weights and of its inputs, held against central differences in
 * float64. A layer describes itself in float32; its graph, differentiated, is widened to float64 and run
 * by the reference kernels. The cases are checked against the tables of classes: one that is in neither
 * list fails. */
#include "../ops/ops_testing.h"

#include "layers/layer.h"
#include "ops/autodiff.h"

#include <keratin/keratin.h>

enum { MAX_WRT = 12 };

typedef struct layer_case {
    const krt_spec *layer;
    krt_shape x;
    int num_x; /* inputs of that shape; 0: one of indices below INDICES */
} layer_case;

enum { INDICES = 4 };

/* ------------------------------------------------------------------------------- cases */

#define VECTOR   DIMS(3, 4)
#define SEQUENCE DIMS(2, 5, 3)
#define IMAGE    DIMS(2, 4, 5, 2)
#define VOLUME   DIMS(1, 3, 4, 3, 2)
#define DIMS(...)                                                                                 \
    {                                                                                             \
        .rank = (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), .dim = { __VA_ARGS__ } \
    }

static const layer_case cases[] = {
    {KRT_DENSE(3, .activation = "tanh"), SEQUENCE, 1},
    {KRT_DENSE(3, .activity_regularizer = KRT_L2(.l2 = 0.3)), VECTOR, 1},
    {KRT_EINSUM_DENSE("abc,cde->abde", .output_shape = DIMS(5, 2, 3), .bias_axes = "e"), SEQUENCE,
     1},
    {KRT_EMBEDDING(INDICES, 3), DIMS(2, 5), 0},
    {KRT_REVERSIBLE_EMBEDDING(INDICES, 3), DIMS(2, 5), 0},
    {KRT_IDENTITY(), VECTOR, 1},
    {KRT_MASKING(), SEQUENCE, 1},
    {KRT_ACTIVATION("gelu"), VECTOR, 1},
    {KRT_RELU(.negative_slope = 0.2, .max_value = 0.7), VECTOR, 1},
    {KRT_LEAKY_RELU(), VECTOR, 1},
    {KRT_PRELU(), SEQUENCE, 1},
    {KRT_ELU(), VECTOR, 1},
    {KRT_SOFTMAX(), SEQUENCE, 1},
    {KRT_THRESHOLDED_RELU(.theta = 0.3), VECTOR, 1},
    {KRT_CONV1D(2, {3}, .padding = "causal"), SEQUENCE, 1},
    {KRT_CONV2D(2, {3, 2}, .strides = {2, 1}, .padding = "same"), IMAGE, 1},
    {KRT_CONV2D(4, {2, 2}, .groups = 2, .activation = "sigmoid"), IMAGE, 1},
    {KRT_CONV3D(2, {2, 2, 2}), VOLUME, 1},
    {KRT_CONV1D_TRANSPOSE(2, {3}, .strides = {2}), SEQUENCE, 1},
    {KRT_CONV2D_TRANSPOSE(2, {3, 2}, .strides = {2, 2}, .padding = "same"), IMAGE, 1},
    {KRT_CONV3D_TRANSPOSE(2, {2, 2, 2}), VOLUME, 1},
    {KRT_DEPTHWISE_CONV1D({3}, .depth_multiplier = 2), SEQUENCE, 1},
    {KRT_DEPTHWISE_CONV2D({2, 3}, .padding = "same"), IMAGE, 1},
    {KRT_SEPARABLE_CONV1D(4, {3}), SEQUENCE, 1},
    {KRT_SEPARABLE_CONV2D(3, {3, 3}, .padding = "same", .depth_multiplier = 2), IMAGE, 1},
    {KRT_MAX_POOLING1D(), SEQUENCE, 1},
    {KRT_MAX_POOLING2D(.padding = "same"), IMAGE, 1},
    {KRT_MAX_POOLING3D(), VOLUME, 1},
    {KRT_AVERAGE_POOLING1D(.padding = "same"), SEQUENCE, 1},
    {KRT_AVERAGE_POOLING2D(), IMAGE, 1},
    {KRT_AVERAGE_POOLING3D(), VOLUME, 1},
    {KRT_GLOBAL_MAX_POOLING1D(), SEQUENCE, 1},
    {KRT_GLOBAL_MAX_POOLING2D(), IMAGE, 1},
    {KRT_GLOBAL_MAX_POOLING3D(), VOLUME, 1},
    {KRT_GLOBAL_AVERAGE_POOLING1D(), SEQUENCE, 1},
    {KRT_GLOBAL_AVERAGE_POOLING2D(), IMAGE, 1},
    {KRT_GLOBAL_AVERAGE_POOLING3D(), VOLUME, 1},
    {KRT_ADAPTIVE_MAX_POOLING1D({2}), SEQUENCE, 1},
    {KRT_ADAPTIVE_MAX_POOLING2D({3, 2}), IMAGE, 1},
    {KRT_ADAPTIVE_MAX_POOLING3D({2, 2, 2}), VOLUME, 1},
    {KRT_ADAPTIVE_AVERAGE_POOLING1D({2}), SEQUENCE, 1},
    {KRT_ADAPTIVE_AVERAGE_POOLING2D({3, 2}), IMAGE, 1},
    {KRT_ADAPTIVE_AVERAGE_POOLING3D({2, 2, 2}), VOLUME, 1},
    {KRT_BATCH_NORMALIZATION(), IMAGE, 1},
    {KRT_BATCH_NORMALIZATION(.axis = {1, {1}}, .scale = false), SEQUENCE, 1},
    {KRT_LAYER_NORMALIZATION(), SEQUENCE, 1},
    {KRT_LAYER_NORMALIZATION(.axis = {2, {1, 2}}), SEQUENCE, 1},
    {KRT_GROUP_NORMALIZATION(.groups = 2), IMAGE, 1},
    {KRT_RMS_NORMALIZATION(), SEQUENCE, 1},
    {KRT_UNIT_NORMALIZATION(), SEQUENCE, 1},
    /* with so many iterations that what it stops the gradient of has come to rest */
    {KRT_SPECTRAL_NORMALIZATION(KRT_DENSE(2), .power_iterations = 80), VECTOR, 1},
    {KRT_ADD(), VECTOR, 2},
    {KRT_SUBTRACT(), VECTOR, 2},
    {KRT_MULTIPLY(), VECTOR, 3},
    {KRT_AVERAGE(), VECTOR, 2},
    {KRT_MAXIMUM(), VECTOR, 2},
    {KRT_MINIMUM(), VECTOR, 2},
    {KRT_CONCATENATE(), VECTOR, 2},
    {KRT_DOT({1, {-1}}, .normalize = true), VECTOR, 2},
    {KRT_FLATTEN(), SEQUENCE, 1},
    {KRT_RESHAPE(DIMS(3, 5)), SEQUENCE, 1},
    {KRT_PERMUTE({2, {2, 1}}), SEQUENCE, 1},
    {KRT_REPEAT_VECTOR(2), VECTOR, 1},
    {KRT_CROPPING1D(), SEQUENCE, 1},
    {KRT_CROPPING2D(.cropping = {{1, 0}, {0, 2}}), IMAGE, 1},
    {KRT_CROPPING3D(.cropping = {{1, 0}, {0, 2}, {0, 0}}), VOLUME, 1},
    {KRT_ZERO_PADDING1D(), SEQUENCE, 1},
    {KRT_ZERO_PADDING2D(), IMAGE, 1},
    {KRT_ZERO_PADDING3D(), VOLUME, 1},
    {KRT_UP_SAMPLING1D(), SEQUENCE, 1},
    {KRT_UP_SAMPLING2D(.interpolation = "bilinear"), IMAGE, 1},
    {KRT_UP_SAMPLING3D(), VOLUME, 1},
    {KRT_ACTIVITY_REGULARIZATION(.l1 = 0.2, .l2 = 0.3), VECTOR, 1},
    {KRT_RESCALING({1, (const double[]){0.5}, {.rank = 0}}), VECTOR, 1},
    {KRT_NORMALIZATION(), VECTOR, 1},
    {KRT_RESIZING(3, .width = 7), IMAGE, 1},
    {KRT_CENTER_CROP(2, .width = 3), IMAGE, 1},
    {KRT_TIME_DISTRIBUTED(KRT_DENSE(2, .activation = "softplus")), SEQUENCE, 1},
    {KRT_ATTENTION(.use_scale = true), SEQUENCE, 2},
    {KRT_ATTENTION(.score_mode = "concat"), SEQUENCE, 3},
    {KRT_ADDITIVE_ATTENTION(), SEQUENCE, 2},
    {KRT_MULTI_HEAD_ATTENTION(2, 3, .use_gate = true, .use_bias = false), SEQUENCE, 2},
    {KRT_MULTI_HEAD_ATTENTION(2, 2, .sliding_window = 2), SEQUENCE, 2},
    {KRT_GROUPED_QUERY_ATTENTION(2, 4, 2, .use_gate = true), SEQUENCE, 2},
    {KRT_SIMPLE_RNN(3, .go_backwards = true), SEQUENCE, 1},
    {KRT_LSTM(2, .return_sequences = true), SEQUENCE, 1},
    {KRT_LSTM(2, .activation = "softsign"), SEQUENCE, 1},
    {KRT_GRU(2), SEQUENCE, 1},
    {KRT_GRU(2, .reset_after = false, .recurrent_activation = "tanh", .return_sequences = true),
     SEQUENCE, 1},
    {KRT_GRU(2, .reset_after = false, .activation = "gelu"), SEQUENCE, 1},
    {KRT_GRU(2, .activation = "gelu", .use_bias = false), SEQUENCE, 1},
    {KRT_RNN(KRT_SIMPLE_RNN_CELL(2, .activation = "softplus")), SEQUENCE, 1},
    {KRT_RNN(
         KRT_STACKED_RNN_CELLS({2, (const krt_spec *const[]){KRT_LSTM_CELL(2), KRT_GRU_CELL(2)}}),
         .return_sequences = true),
     SEQUENCE, 1},
    {KRT_BIDIRECTIONAL(KRT_LSTM(2, .return_sequences = true), .merge_mode = "mul"), SEQUENCE, 1},
    {KRT_BIDIRECTIONAL(KRT_GRU(2)), SEQUENCE, 1},
    {KRT_CONV_LSTM1D(2, {2}), DIMS(2, 3, 4, 2), 1},
    {KRT_CONV_LSTM2D(2, {2, 2}, .strides = {2, 1}, .return_sequences = true), DIMS(2, 3, 4, 3, 2),
     1},
    {KRT_CONV_LSTM3D(1, {2, 2, 2}, .padding = "same"), DIMS(1, 2, 3, 2, 3, 2), 1},
    {KRT_LAYER_SCALE(0.1, .projection_dim = 3), SEQUENCE, 1},
    {KRT_CUSTOM_SCALE_LAYER(0.3), VECTOR, 2},
};

/* Nothing flows back, or what does is drawn: models/test_step holds those against Keras. */
static const char *const without[] = {
    "InputLayer", "Lambda", "Wrapper", "Dropout", "AlphaDropout", "SpatialDropout1D",
    "SpatialDropout2D", "SpatialDropout3D", "GaussianDropout", "GaussianNoise", "StochasticDepth",
    "AutoContrast", "CategoryEncoding", "Discretization", "StringLookup", "IntegerLookup",
    "TextVectorization", "Hashing", "HashedCrossing",
    /* which run in an RNN */
    "LSTMCell", "GRUCell", "SimpleRNNCell", "StackedRNNCells"};

/* ------------------------------------------------------------------------------- describing */

/* A layer's loss, in training, and its gradients. */
typedef struct sloped {
    krti_graph *g;
    krt_value *loss, *wrt[MAX_WRT], *grad[MAX_WRT];
    const char *name[MAX_WRT];
    size_t num_wrt;
    void **data;
} sloped;

static void add_wrt(sloped *s, krt_value *v, const char *name)
{
    assert_true(s->num_wrt < MAX_WRT);
    s->wrt[s->num_wrt] = v;
    s->name[s->num_wrt++] = name;
}

static krt_status add_weight(void *user, krt_variable *v)
{
    sloped *s = user;

    if (v->trainable)
        add_wrt(s, krti_variable(s->g, v->tensor), krt_variable_path(v));
    return KRT_OK;
}

static krt_value *result_of(sloped *s, krt_layer *l, const layer_case *c)
{
    krt_value *in[4] = {NULL}, *mask[4] = {NULL};
    const int n = c->num_x > 0 ? c->num_x : 1;
    krt_call call = {.in = in, .in_mask = mask, .num_in = (size_t)n, .training = true};

    for (int i = 0; i < n; i++) {
        in[i] = krti_input(s->g, c->num_x > 0 ? KRT_FLOAT32 : KRT_INT32, c->x);
        if (c->num_x > 0)
            add_wrt(s, in[i], "the input");
    }
    if (krti_layer_trace(l, s->g, &call) != KRT_OK)
        fail_msg("%s: %s", l->class_name, krt_ctx_error(s->g->k)->message);
    return call.out[0];
}

/* Everything in float32 becomes float64. */
static void widen(krti_graph *g)
{
    for (size_t i = 0; i < g->num_nodes; i++) {
        krti_node *n = g->nodes[i];

        for (int j = 0; j < n->num_out; j++) {
            krt_value *v = &n->out[j];

            if (v->dtype != KRT_FLOAT32)
                continue;
            v->dtype = KRT_FLOAT64;
            if (n->op == &krti_op_constant) {
                const size_t size = (size_t)krt_shape_size(v->shape);
                double *wide = krti_arena_array(&g->arena, size + 1, sizeof *wide);

                krti_convert(wide, KRT_FLOAT64, n->constant, KRT_FLOAT32, size);
                n->constant = wide;
            }
        }
    }
}

static void fill_leaves(const sloped *s)
{
    uint64_t state = 42;

    for (size_t i = 0; i < s->g->num_nodes; i++) {
        const krti_node *n = s->g->nodes[i];
        const size_t size = (size_t)krt_shape_size(n->out[0].shape);

        if (n->op != &krti_op_input && n->op != &krti_op_variable)
            continue;
        double *d = krti_arena_array(&s->g->arena, size + 1, sizeof *d);
        for (size_t j = 0; j < size; j++)
            if (n->out[0].dtype == KRT_FLOAT64)
                d[j] = random_number(&state) * 2 - 1;
            else
                ((int32_t *)d)[j] = (int32_t)(j * 7 % INDICES);
        s->data[i * KRTI_MAX_OUT] = d;
    }
}

/* What a layer keeps besides what it trains: means and variances, which must be positive. */
static krt_status make_positive(void *user, krt_variable *v)
{
    const sloped *s = user;
    double *d = s->data[krti_variable(s->g, v->tensor)->node->id * KRTI_MAX_OUT];

    for (int64_t i = 0; !v->trainable && d != NULL && i < krt_shape_size(v->tensor->shape); i++)
        d[i] = fabs(d[i]) + 0.5;
    return KRT_OK;
}

static sloped describe(testing *t, const layer_case *c, krt_layer *l)
{
    sloped s = {.g = graph_new(t)};

    s.g->variables_change = true;
    krt_value *y = result_of(&s, l, c);
    krt_value *weight = krti_input(s.g, KRT_FLOAT32, y->shape);
    s.loss = krti_reduce_sum(s.g, krti_multiply(s.g, y, weight), NULL, 0, false);
    for (size_t i = 0; i < s.g->num_losses; i++)
        s.loss = krti_add(s.g, s.loss, s.g->losses[i]);
    ASSERT_OK(krti_layer_each_variable(l, add_weight, &s));
    ASSERT_OK(krti_gradients(s.g, s.loss, s.wrt, s.num_wrt, s.grad));
    s.data = krti_arena_array(&s.g->arena, (s.g->num_nodes + 64) * KRTI_MAX_OUT, sizeof(void *));
    widen(s.g);
    fill_leaves(&s);
    ASSERT_OK(krti_layer_each_variable(l, make_positive, &s));
    run_all(s.g, s.data, (int)s.g->num_nodes - 1);
    return s;
}

/* ------------------------------------------------------------------------------- comparing */

static void *data_of(const sloped *s, const krt_value *v)
{
    return s->data[v->node->id * KRTI_MAX_OUT + v->index];
}

static double loss_with(const sloped *s, double *element, double value)
{
    const double kept = *element;

    *element = value;
    run_all(s->g, s->data, s->loss->node->id);
    *element = kept;
    return element_at(data_of(s, s->loss), KRT_FLOAT64, 0);
}

static void check_case(testing *t, const layer_case *c)
{
    const double h = 1e-5;
    krt_layer *l = NULL;

    ASSERT_OK(krti_layer_from_spec(t->k, &l, c->layer));
    sloped s = describe(t, c, l);
    for (size_t i = 0; i < s.num_wrt; i++) {
        double *x = data_of(&s, s.wrt[i]);

        if (s.grad[i] == NULL)
            fail_msg("%s: no gradient of %s", l->class_name, s.name[i]);
        for (int64_t j = 0; j < krt_shape_size(s.wrt[i]->shape); j++) {
            const double found = ((double *)data_of(&s, s.grad[i]))[j];
            const double slope =
                (loss_with(&s, x + j, x[j] + h) - loss_with(&s, x + j, x[j] - h)) / (2 * h);

            if (!(fabs(slope - found) <= 1e-7 * (1 + fabs(slope))))
                fail_msg("%s: %s, element %d: the slope is %.12g, the gradient %.12g",
                         l->class_name, s.name[i], (int)j, slope, found);
        }
    }
    krti_graph_free(s.g);
}

TEST(gradients_of_weights_and_inputs_are_slopes)
{
    for (size_t i = 0; i < KRTI_COUNT(cases); i++)
        check_case(t, &cases[i]);
}

static bool is_known(const char *name)
{
    for (size_t i = 0; i < KRTI_COUNT(cases); i++)
        if (strcmp(cases[i].layer->class_name, name) == 0)
            return true;
    for (size_t i = 0; i < KRTI_COUNT(without); i++)
        if (strcmp(without[i], name) == 0)
            return true;
    return false;
}

TEST(every_class_has_a_case_or_an_excuse)
{
    const krt_layer_class *const *const lists[] = {
        krti_classes_core,          krti_classes_activation,   krti_classes_convolutional,
        krti_classes_pooling,       krti_classes_merging,      krti_classes_normalization,
        krti_classes_reshaping,     krti_classes_wrappers,     krti_classes_regularization,
        krti_classes_preprocessing, krti_classes_applications, krti_classes_rnn};

    for (size_t i = 0; i < KRTI_COUNT(lists); i++)
        for (size_t j = 0; lists[i][j] != NULL; j++)
            if (!is_known(lists[i][j]->name))
                fail_msg("%s has no case here", lists[i][j]->name);
}

int main(void)
{
    return RUN(UNIT(gradients_of_weights_and_inputs_are_slopes),
               UNIT(every_class_has_a_case_or_an_excuse));
}
