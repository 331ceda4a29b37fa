/* Attention: for each query a mean of the values, weighted by how well their keys fit. Keras:
 * layers/attention.
 *
 * Masks come as arguments of the call, travel with queries and values, and from use_causal_mask; what
 * they take away gets a score that exp() makes zero. */
#include "layers/attention.h"

#include "layers/describe.h"

#include <math.h>

/* ------------------------------------------------------------------------------- weights */

/* Numbers from 1 on, along the rows (rows, 1) or the columns (1, columns). */
static krt_value *count(krti_graph *g, krt_shape shape)
{
    krt_value *const ones = krti_broadcast_to(g, krti_scalar_of(g, KRT_INT32, 1), shape);

    return krti_cumsum(g, ones, shape.dim[0] == 1 ? 1 : 0, false, false);
}

/* `mask`, and with is_causal no column behind the row's own; NULL: everything counts. */
static krt_value *without_future(krti_graph *g, const krt_value *scores, krt_value *mask,
                                 bool is_causal)
{
    const int64_t rows = scores->shape.dim[scores->shape.rank - 2];
    const int64_t columns = scores->shape.dim[scores->shape.rank - 1];

    if (!is_causal || rows == KRT_NONE || columns == KRT_NONE)
        return mask;
    krt_value *const past =
        krti_less_equal(g, count(g, KRT_SHAPE(1, columns)), count(g, KRT_SHAPE(rows, 1)));
    return mask != NULL ? krti_logical_and(g, mask, past) : past;
}

krt_value *krti_attention_weights(krti_graph *g, krt_value *scores, krt_value *mask, bool is_causal)
{
    if (scores == NULL)
        return NULL;
    mask = without_future(g, scores, mask, is_causal);
    if (mask != NULL)
        scores = krti_where(g, mask, scores,
                            krti_scalar_like(g, scores, -0.7 * (double)3.402823466e+38F));
    return krti_softmax(g, scores, -1);
}

/* Attention's and AdditiveAttention's: what is masked loses so much, and where all of a row is, its scores
 * have a gradient still. */
static krt_value *lowered_weights(krti_graph *g, krt_value *scores, krt_value *mask, bool is_causal)
{
    if (scores == NULL)
        return NULL;
    mask = without_future(g, scores, mask, is_causal);
    if (mask != NULL)
        scores = krti_where(g, mask, scores, krti_affine(g, scores, 1, -1e9, 0));
    return krti_softmax(g, scores, -1);
}

/* In training some of them are left out. */
static krt_value *drop(krt_call *c, krt_value *weights, double rate)
{
    if (!c->training || !(rate > 0) || weights == NULL)
        return weights;
    return krti_dropout(c->g, weights, krti_call_draw(c), rate, weights->shape);
}

/* ------------------------------------------------------------------------------- the call */

static krt_value *as_bool(krti_graph *g, krt_value *mask)
{
    return mask != NULL ? krti_cast(g, mask, KRT_BOOL) : NULL;
}

/* The mask that travels with a value. */
static krt_value *mask_of(const krt_call *c, const krt_value *x)
{
    const size_t n = c->num_values > c->num_in ? c->num_values : c->num_in;

    for (size_t i = 0; c->in_mask != NULL && i < n; i++)
        if (c->in[i] == x)
            return as_bool(c->g, c->in_mask[i]);
    return NULL;
}

/* ------------------------------------------------------------------- Attention, AdditiveAttention */

/* (batch, rows, features) and (batch, columns, features), each row beside each column. */
static krt_value *each_pair(krti_graph *g, krt_value *query, krt_value *key)
{
    return krti_add(g, krti_expand_dims(g, query, 2), krti_expand_dims(g, key, 1));
}

static krt_status attention_init(krt_layer *l, void *args)
{
    const krt_attention_args *a = args;

    if (strcmp(a->score_mode, "dot") == 0 || strcmp(a->score_mode, "concat") == 0)
        return KRT_OK;
    return krti_layer_fail(l, KRT_E_INVALID,
                           "Invalid value for argument score_mode. Expected one of {'dot', "
                           "'concat'}. Received: score_mode=%s",
                           a->score_mode);
}

static krt_status attention_build(krt_layer *l, const void *args, const krt_shape *inputs, size_t n)
{
    const krt_attention_args *a = args;
    const krt_spec *ones = krti_initializer_find("Ones")->defaults;
    const krt_shape scalar = {.rank = 0};
    krt_status st = KRT_OK;

    (void)inputs;
    (void)n;
    if (a->use_scale)
        st = krt_layer_add_weight(l, "scale", scalar, ones, true);
    if (st == KRT_OK && strcmp(a->score_mode, "concat") == 0)
        st = krt_layer_add_weight(l, "concat_score_weight", scalar, ones, true);
    return st;
}

static krt_status additive_build(krt_layer *l, const void *args, const krt_shape *inputs, size_t n)
{
    const krt_additive_attention_args *a = args;

    if (n == 0 || inputs[0].rank < 1)
        return krti_fail_inputs(l, 2, n);
    if (!a->use_scale)
        return KRT_OK;
    return krt_layer_add_weight(l, "scale", KRT_SHAPE(inputs[0].dim[inputs[0].rank - 1]), NULL,
                                true);
}

static krt_value *dot_scores(krt_call *c, krt_value *query, krt_value *key, krt_value *scale)
{
    krt_value *const y = krti_matmul(c->g, query, key, false, true, NULL);

    return scale != NULL ? krti_multiply(c->g, y, scale) : y;
}

/* sum of tanh(scale (q + k)) over the features, times a weight. */
static krt_value *concat_scores(krt_call *c, krt_value *query, krt_value *key, krt_value *scale)
{
    const int last = 3;
    krt_value *pairs = each_pair(c->g, query, key);

    if (scale != NULL)
        pairs = krti_multiply(c->g, pairs, scale);
    return krti_multiply(c->g, krti_reduce_sum(c->g, krti_tanh(c->g, pairs), &last, 1, false),
                         krt_call_weight(c, "concat_score_weight"));
}

/* sum of scale tanh(q + k) over the features. */
static krt_value *additive_scores(krt_call *c, krt_value *query, krt_value *key, krt_value *scale)
{
    const int last = 3;
    krt_value *y = krti_tanh(c->g, each_pair(c->g, query, key));

    if (scale != NULL)
        y = krti_multiply(c->g, y, scale);
    return krti_reduce_sum(c->g, y, &last, 1, false);
}

/* The mask of query (0) or value (1): the call's, else the one that travels. */
static krt_value *given_mask(krt_call *c, size_t i)
{
    const krti_conf *list = krti_conf_get(c->kwargs, "mask");

    if (krti_conf_is_null(list) && krti_conf_is(krti_conf_at(c->args, 0), KRTI_CONF_LIST))
        list = krti_conf_at(c->args, 1); /* older files have the inputs side by side there */
    if (!krti_conf_is_null(list))
        return as_bool(c->g, krti_call_arg(c, krti_conf_at(list, i)));
    return mask_of(c, c->in[i]);
}

typedef krt_value *score_fn(krt_call *c, krt_value *query, krt_value *key, krt_value *scale);

static krt_status attend(const krt_layer *l, krt_call *c, score_fn *scores, bool has_scale,
                         double dropout)
{
    krti_graph *const g = c->g;
    krt_value *x[3] = {NULL};

    if (c->num_in < 2 || c->num_in > 3)
        return krti_layer_fail(l, KRT_E_INVALID,
                               "%s layer accepts inputs list of length 2 or 3, namely [query, "
                               "value] or [query, value, key]. Received length: %zu",
                               l->class_name, c->num_in);
    for (size_t i = 0; i < 3; i++) {
        x[i] = krti_float_input(c, i < c->num_in ? i : 1);
        if (x[i] == NULL)
            return g->status;
    }
    krt_value *const query_mask = given_mask(c, 0);
    krt_value *value_mask = given_mask(c, 1);
    const bool is_masked = query_mask != NULL || value_mask != NULL;
    /* tf.keras takes matrices too, whose rows then attend to each other. */
    const int rank = x[0]->shape.rank == 2 && scores == dot_scores && !is_masked ? 2 : 3;
    for (size_t i = 0; i < 3; i++)
        if (x[i]->shape.rank != rank)
            return krti_layer_fail(l, KRT_E_INVALID,
                                   "query, value and key must have 3 axes, found %d",
                                   x[i]->shape.rank);
    if (value_mask != NULL)
        value_mask = krti_expand_dims(g, value_mask, 1);
    krt_value *const scale = has_scale ? krt_call_weight(c, "scale") : NULL;
    krt_value *const weights = drop(c,
                                    lowered_weights(g, scores(c, x[0], x[2], scale), value_mask,
                                                    krti_call_flag(c, "use_causal_mask", 4)),
                                    dropout);
    krt_value *y = krti_matmul(g, weights, x[1], false, false, NULL);
    if (query_mask != NULL)
        y = krti_multiply(g, y, krti_cast(g, krti_expand_dims(g, query_mask, 2), KRT_FLOAT32));
    krti_call_set_mask(c, 0, query_mask);
    const krt_status st = krt_call_output(c, 0, y);
    return st == KRT_OK && krti_call_flag(c, "return_attention_scores", 3)
               ? krt_call_output(c, 1, weights)
               : st;
}

static krt_status attention_call(const krt_layer *l, const void *args, krt_call *c)
{
    const krt_attention_args *a = args;
    const bool is_dot = strcmp(a->score_mode, "dot") == 0;

    return attend(l, c, is_dot ? dot_scores : concat_scores, a->use_scale, a->dropout);
}

static krt_status additive_call(const krt_layer *l, const void *args, krt_call *c)
{
    const krt_additive_attention_args *a = args;

    return attend(l, c, additive_scores, a->use_scale, a->dropout);
}

/* ------------------------------------------------------- MultiHeadAttention, GroupedQueryAttention */

typedef krt_multi_head_attention_args multi_head_args;
typedef krt_grouped_query_attention_args grouped_args;

/* The arguments of either class: grouped, each head of keys and values is there for several of the queries'.
 * What one class calls query_dense is an attribute that begins with a line in the other. */
typedef struct heads {
    multi_head_args a;
    int64_t num_shared; /* of keys and values */
    bool is_grouped;
} heads;

static bool is_grouped(const krt_layer *l)
{
    return strcmp(l->cls->name, "GroupedQueryAttention") == 0;
}

static heads heads_of(const krt_layer *l)
{
    const grouped_args *g = l->args;

    if (!is_grouped(l)) {
        const multi_head_args *a = l->args;

        return (heads){*a, a->num_heads, false};
    }
    return (heads){.num_shared = g->num_key_value_heads,
                   .is_grouped = true,
                   .a = {.num_heads = g->num_query_heads,
                         .key_dim = g->head_dim,
                         .value_dim = KRT_NONE,
                         .dropout = g->dropout,
                         .use_bias = g->use_bias,
                         .use_gate = g->use_gate,
                         .output_shape = {.rank = -1},
                         .sliding_window = g->sliding_window,
                         .kernel_initializer = g->kernel_initializer,
                         .bias_initializer = g->bias_initializer,
                         .kernel_regularizer = g->kernel_regularizer,
                         .bias_regularizer = g->bias_regularizer,
                         .activity_regularizer = g->activity_regularizer,
                         .kernel_constraint = g->kernel_constraint,
                         .bias_constraint = g->bias_constraint}};
}

/* "_query_dense", without the line where that is a name of Keras's own. */
static const char *attribute(const krt_layer *l, const char *name)
{
    return is_grouped(l) || strcmp(name, "_gate_dense") == 0 ? name : name + 1;
}

static krt_status check_window(const krt_layer *l, int64_t window)
{
    if (window == KRT_NONE || window > 0)
        return KRT_OK;
    return krti_layer_fail(
        l, KRT_E_INVALID,
        "`sliding_window` must be `None` or a positive integer. Received: sliding_window=%lld",
        (long long)window);
}

static krt_status grouped_init(krt_layer *l, void *args)
{
    const grouped_args *a = args;

    if (a->head_dim < 1 || a->num_query_heads < 1 || a->num_key_value_heads < 1)
        return krti_layer_fail(
            l, KRT_E_INVALID, "head_dim, num_query_heads and num_key_value_heads must be positive");
    if (a->num_query_heads % a->num_key_value_heads != 0)
        return krti_layer_fail(l, KRT_E_INVALID,
                               "`num_query_heads` must be divisible by `num_key_value_heads`.");
    return check_window(l, a->sliding_window);
}

static krt_status multi_head_init(krt_layer *l, void *args)
{
    const multi_head_args *a = args;
    const krt_axes *axes = &a->attention_axes;

    if (a->num_heads < 1 || a->key_dim < 1 || (a->value_dim != KRT_NONE && a->value_dim < 1))
        return krti_layer_fail(l, KRT_E_INVALID,
                               "num_heads, key_dim and value_dim must be positive");
    if (axes->n > 1 || (axes->n == 1 && axes->axis[0] != 1 && axes->axis[0] != -2))
        return krti_layer_unsupported(
            l,
            "layer \"%s\" attends over other axes than the steps (attention_axes), which this "
            "build cannot run",
            l->name);
    return check_window(l, a->sliding_window);
}

/* One of the inner layers, EinsumDense over this equation. */
static krt_status add_projection(krt_layer *l, const multi_head_args *a, const char *as,
                                 const char *name, const char *equation, const char *bias_axes,
                                 krt_shape output, krt_shape input)
{
    krt_layer *inner = NULL;
    krt_status st = KRT_OK;

    TRY(krti_layer_from_arg(
        l, &inner,
        KRT_EINSUM_DENSE(
            equation, .output_shape = output, .bias_axes = a->use_bias ? bias_axes : NULL,
            .activation = strcmp(name, "gate") == 0 ? "sigmoid" : NULL,
            .kernel_initializer = a->kernel_initializer, .bias_initializer = a->bias_initializer,
            .kernel_regularizer = a->kernel_regularizer, .bias_regularizer = a->bias_regularizer,
            .activity_regularizer = a->activity_regularizer,
            .kernel_constraint = a->kernel_constraint, .bias_constraint = a->bias_constraint,
            .name = name)));
    TRY(krti_layer_add_inner(l, attribute(l, as), false, inner));
    TRY(krti_layer_build(inner, &input, 1));

done:
    return st;
}

static krt_status add_projections(krt_layer *l, krt_shape query, krt_shape value, krt_shape key)
{
    const heads h = heads_of(l);
    const multi_head_args *const a = &h.a;
    const int64_t value_dim = a->value_dim != KRT_NONE ? a->value_dim : a->key_dim;
    krt_shape output = {.rank = 1, .dim = {KRT_NONE}};
    krt_status st = KRT_OK;

    if (query.rank != 3 || value.rank != 3 || key.rank != 3)
        return krti_layer_fail(l, KRT_E_UNSUPPORTED,
                               "query, value and key must have 3 axes, found %d, %d and %d",
                               query.rank, value.rank, key.rank);
    if (a->output_shape.rank > 2)
        return krti_layer_fail(l, KRT_E_UNSUPPORTED, "output_shape has more than 2 axes");
    if (a->output_shape.rank < 1)
        output.dim[output.rank++] = query.dim[2];
    for (int i = 0; i < a->output_shape.rank; i++)
        output.dim[output.rank++] = a->output_shape.dim[i];

    static const char split[] = "abc,cde->abde";
    TRY(add_projection(l, a, "_query_dense", "query", split, "de",
                       KRT_SHAPE(KRT_NONE, a->num_heads, a->key_dim), query));
    TRY(add_projection(l, a, "_key_dense", "key", split, "de",
                       KRT_SHAPE(KRT_NONE, h.num_shared, a->key_dim), key));
    if (a->use_gate) {
        TRY(add_projection(l, a, "_gate_dense", "gate", split, "de",
                           KRT_SHAPE(KRT_NONE, a->num_heads, value_dim), query));
    }
    TRY(add_projection(l, a, "_value_dense", "value", split, "de",
                       KRT_SHAPE(KRT_NONE, h.num_shared, value_dim), value));
    TRY(add_projection(l, a, "_output_dense", "attention_output",
                       output.rank == 2 ? "abcd,cde->abe" : "abcd,cdef->abef",
                       output.rank == 2 ? "e" : "ef", output,
                       KRT_SHAPE(query.dim[0], query.dim[1], a->num_heads, value_dim)));

done:
    return st;
}

/* Values given by name are no inputs to build for; then the call builds. */
static krt_status multi_head_build(krt_layer *l, const void *args, const krt_shape *inputs,
                                   size_t n)
{
    (void)args;
    return n < 2 ? KRT_OK : add_projections(l, inputs[0], inputs[1], inputs[n > 2 ? 2 : 1]);
}

/* Query, value or key: an argument of the call, or an input in that order. */
static krt_value *operand(krt_call *c, const char *name, size_t i)
{
    bool given = false;
    krt_value *const x = krti_call_argument(c, name, i, &given);

    return given || c->args != NULL || i >= c->num_in ? x : c->in[i];
}

static krt_value *both(krti_graph *g, krt_value *a, krt_value *b)
{
    return a == NULL ? b : b == NULL ? a : krti_logical_and(g, a, b);
}

/* Steps less than `window` away from each other; NULL while their number is not known. */
static krt_value *band(krti_graph *g, int64_t rows, int64_t columns, int64_t window)
{
    if (rows == KRT_NONE || columns == KRT_NONE)
        return NULL;
    krt_value *const away =
        krti_subtract(g, count(g, KRT_SHAPE(rows, 1)), count(g, KRT_SHAPE(1, columns)));
    return krti_less(g, krti_absolute(g, away), krti_scalar_of(g, KRT_INT32, (double)window));
}

/* (batch, rows, columns) of all masks there are, with an axis for the heads; NULL: none. */
static krt_value *joint_mask(krt_call *c, const krt_value *query, const krt_value *value,
                             const krt_value *key, int64_t window)
{
    krti_graph *const g = c->g;
    const krt_value *const side[3] = {query, value, key};
    bool given = false;
    krt_value *all = as_bool(g, krti_call_argument(c, "attention_mask", 6, &given));

    for (int i = 0; i < 3; i++) {
        krt_value *const mask = side[i] != NULL ? mask_of(c, side[i]) : NULL;

        if (mask != NULL)
            all = both(g, all, krti_expand_dims(g, mask, i == 0 ? 2 : 1));
    }
    if (window != KRT_NONE)
        all = both(g, all, band(g, query->shape.dim[1], value->shape.dim[1], window));
    while (all != NULL && all->shape.rank < 4)
        all = krti_expand_dims(g, all, all->shape.rank > 2 ? all->shape.rank - 2 : 0);
    return all;
}

static krt_value *project(const krt_layer *l, krt_call *c, const char *as, krt_value *x)
{
    return krti_layer_apply(krti_layer_inner(l, attribute(l, as)), c, x, NULL, NULL);
}

/* Each head of keys or values for all the queries' that share it. */
static krt_value *for_queries(krti_graph *g, const heads *h, krt_value *x)
{
    return h->num_shared == h->a.num_heads ? x
                                           : krti_repeat(g, x, h->a.num_heads / h->num_shared, 2);
}

static krt_status multi_head_call(const krt_layer *l, const void *args, krt_call *c)
{
    const heads h = heads_of(l);
    const multi_head_args *const a = &h.a;
    krti_graph *const g = c->g;
    krt_value *const query = operand(c, "query", 0), *const value = operand(c, "value", 1);
    krt_value *const other = operand(c, "key", 2), *const key = other != NULL ? other : value;

    if (query == NULL || value == NULL)
        return g->status != KRT_OK ? g->status : krti_fail_inputs(l, 2, c->num_in);
    (void)args;
    if (krti_layer_inner(l, attribute(l, "_query_dense")) == NULL) { /* value came by name */
        const krt_shape shapes[] = {query->shape, value->shape, key->shape};
        krt_status st = krti_layer_keep_shapes(c->layer, shapes, other != NULL ? 3 : 2);

        if (st == KRT_OK)
            st = add_projections(c->layer, shapes[0], shapes[1], shapes[2]);
        if (st != KRT_OK)
            return st;
    }
    const bool gives_weights = krti_call_flag(c, "return_attention_scores", 7);
    krt_value *const mask = joint_mask(c, query, value, other, a->sliding_window);
    krt_value *const q =
        krti_affine(g, project(l, c, "_query_dense", query), 1 / sqrt((double)a->key_dim), 0, 0);
    krt_value *const k = for_queries(g, &h, project(l, c, "_key_dense", key));
    krt_value *const v = for_queries(g, &h, project(l, c, "_value_dense", value));
    krt_value *const scores = krti_einsum(g, "BTNH,BSNH->BNTS", (krt_value *const[]){q, k}, 2);
    krt_value *weights =
        krti_attention_weights(g, scores, mask, krti_call_flag(c, "use_causal_mask", 9));
    /* Where Keras computes step by step, a row without any key gets nothing. */
    if (mask != NULL && (gives_weights || (c->training && a->dropout > 0)))
        weights = krti_where(g, mask, weights, krti_scalar(g, 0));
    krt_value *y =
        krti_einsum(g, "BNTS,BSNH->BTNH", (krt_value *const[]){drop(c, weights, a->dropout), v}, 2);
    if (a->use_gate)
        y = krti_multiply(g, y, project(l, c, "_gate_dense", query));

    krti_call_set_mask(c, 0, mask_of(c, query));
    c->takes_masks = true;
    const krt_status st = krt_call_output(c, 0, project(l, c, "_output_dense", y));
    return st == KRT_OK && gives_weights ? krt_call_output(c, 1, weights) : st;
}

/* A shape for each argument of build(); a key is only there where it was given. */
static krti_conf *multi_head_build_config(krti_arena *a, const krt_layer *l)
{
    static const char *const keys[] = {"query_shape", "value_shape", "key_shape"};
    krti_conf *dict = krti_conf_dict(a), *shapes = krti_conf_dict(a);
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < l->num_build_shapes && i < KRTI_COUNT(keys); i++)
        st = krti_conf_set(a, shapes, keys[i], krti_shape_to_conf(a, l->build_shapes[i]));
    if (st == KRT_OK)
        st = krti_conf_set(a, dict, "shapes_dict", shapes);
    return st == KRT_OK ? dict : NULL;
}

static krt_status multi_head_config(krti_arena *a, krti_conf *dict, const krt_layer *l)
{
    (void)l;
    return krti_conf_enlist(a, dict, "attention_axes");
}

/* ------------------------------------------------------------------------------- classes */

#define T krt_attention_args
static const krt_field attention_fields[] = {
    KRT_FIELD(T, BOOL, use_scale), KRT_FIELD(T, STRING, score_mode), KRT_FIELD(T, FLOAT, dropout),
    KRT_FIELD(T, INT, seed), KRT_BASE_FIELDS(T)};
#undef T
#define T krt_additive_attention_args
static const krt_field additive_fields[] = {KRT_FIELD(T, BOOL, use_scale),
                                            KRT_FIELD(T, FLOAT, dropout), KRT_FIELD(T, INT, seed),
                                            KRT_BASE_FIELDS(T)};
#undef T
#define T multi_head_args
static const krt_field multi_head_fields[] = {
    KRT_FIELD(T, INT, num_heads),
    KRT_FIELD(T, INT, key_dim),
    KRT_FIELD(T, INT, value_dim),
    KRT_FIELD(T, FLOAT, dropout),
    KRT_FIELD(T, BOOL, use_bias),
    KRT_FIELD(T, BOOL, use_gate),
    KRT_FIELD(T, SHAPE, output_shape),
    KRT_FIELD(T, AXES, attention_axes),
    KRT_FIELD(T, INT, sliding_window),
    KRT_FIELD(T, OBJECT, kernel_initializer),
    KRT_FIELD(T, OBJECT, bias_initializer),
    KRT_FIELD(T, OBJECT, kernel_regularizer),
    KRT_FIELD(T, OBJECT, bias_regularizer),
    KRT_FIELD(T, OBJECT, activity_regularizer),
    KRT_FIELD(T, OBJECT, kernel_constraint),
    KRT_FIELD(T, OBJECT, bias_constraint),
    KRT_FIELD(T, INT, seed),
    KRT_BASE_FIELDS(T),
};
#undef T

#define T grouped_args
static const krt_field grouped_fields[] = {
    KRT_FIELD(T, INT, head_dim),
    KRT_FIELD(T, INT, num_query_heads),
    KRT_FIELD(T, INT, num_key_value_heads),
    KRT_FIELD(T, BOOL, use_bias),
    KRT_FIELD(T, BOOL, use_gate),
    KRT_FIELD(T, INT, sliding_window),
    KRT_FIELD(T, FLOAT, dropout),
    KRT_FIELD(T, OBJECT, kernel_initializer),
    KRT_FIELD(T, OBJECT, bias_initializer),
    KRT_FIELD(T, OBJECT, kernel_regularizer),
    KRT_FIELD(T, OBJECT, bias_regularizer),
    KRT_FIELD(T, OBJECT, activity_regularizer),
    KRT_FIELD(T, OBJECT, kernel_constraint),
    KRT_FIELD(T, OBJECT, bias_constraint),
    KRT_FIELD(T, INT, seed),
    KRT_BASE_FIELDS(T),
};
#undef T

/* X(identifier, class, defaults, init, flags, build and call, hooks) */
#define ATTENTIONS(X)                                                                              \
    X(attention, "Attention", KRT_ATTENTION(.trainable = true), attention_init,                    \
      KRT_LAYER_TAKES_LIST, attention, .config = NULL)                                             \
    X(additive, "AdditiveAttention", KRT_ADDITIVE_ATTENTION(.trainable = true), NULL,              \
      KRT_LAYER_TAKES_LIST, additive, .config = NULL)                                              \
    X(multi_head, "MultiHeadAttention", KRT_MULTI_HEAD_ATTENTION(KRT_NONE), multi_head_init, 0,    \
      multi_head, .config = multi_head_config, .build_config = multi_head_build_config)            \
    X(grouped, "GroupedQueryAttention", KRT_GROUPED_QUERY_ATTENTION(KRT_NONE, KRT_NONE, KRT_NONE), \
      grouped_init, 0, multi_head, .build_config = multi_head_build_config)

#define X(id, title, args, start, more, family, ...)                     \
    static const krti_class id = {                                       \
        .base = {.struct_size = sizeof(krt_layer_class),                 \
                 .name = title,                                          \
                 .defaults = args,                                       \
                 .fields = id##_fields,                                  \
                 .num_fields = KRTI_COUNT(id##_fields),                  \
                 .build = family##_build,                                \
                 .call = family##_call,                                  \
                 .init = start,                                          \
                 .flags = (more) | KRTI_LAYER_DRAWS | KRTI_LAYER_HOOKS}, \
        __VA_ARGS__,                                                     \
    };
ATTENTIONS(X)
#undef X

const krt_layer_class *const krti_classes_attention[] = {&attention.base, &additive.base,
                                                         &multi_head.base, &grouped.base, NULL};
