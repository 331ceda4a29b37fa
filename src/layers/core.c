/* Dense, Embedding and the other core layers. Keras: layers/core. EinsumDense is einsum_dense.c.
 *
 * Everything is computed in float32: inputs of another float type are cast first, as Keras casts
 * to a layer's compute dtype; integers meet the kernel as float32, as in Keras's dtype rules. */
#include "layers/describe.h"
#include "layers/lora.h"
#include "layers/spatial.h"

/* ------------------------------------------------------------------------------- InputLayer */

static krt_status input_layer_init(krt_layer *l, void *args)
{
    krt_input_layer_args *a = args;

    if (a->batch_shape.rank < 0)
        return krti_layer_fail(l, KRT_E_INVALID, "You must pass a `shape` argument");
    if (a->dtype == NULL)
        a->dtype = l->dtype_policy;
    if (krt_dtype_from_name(a->dtype) == KRT_DTYPE_NONE)
        return krti_layer_unsupported(l,
                                      "InputLayer \"%s\" has the dtype %s, which this build does "
                                      "not know",
                                      l->name, a->dtype);
    if (a->ragged || a->sparse)
        return krti_layer_unsupported(l, "InputLayer \"%s\" is %s, which this build does not run",
                                      l->name, a->ragged ? "ragged" : "sparse");
    l->dtype_policy = a->dtype;
    return KRT_OK;
}

/* What a model feeds in comes out; models usually make the value themselves. */
static krt_status pass_through(const krt_layer *l, const void *args, krt_call *c)
{
    (void)l;
    (void)args;
    return krt_call_output(c, 0, krt_call_input(c, 0));
}

static const krt_field input_layer_fields[] = {
    KRT_FIELD(krt_input_layer_args, SHAPE, batch_shape),
    KRT_FIELD(krt_input_layer_args, STRING, dtype),
    KRT_FIELD(krt_input_layer_args, BOOL, sparse),
    KRT_FIELD(krt_input_layer_args, BOOL, ragged),
    KRT_FIELD(krt_input_layer_args, BOOL, optional),
    KRT_BASE_FIELDS(krt_input_layer_args),
};

static const krt_layer_class input_layer = {
    .struct_size = sizeof input_layer,
    .name = "InputLayer",
    .defaults = KRT_INPUT_LAYER({.rank = -1}),
    .fields = input_layer_fields,
    .num_fields = KRTI_COUNT(input_layer_fields),
    .call = pass_through,
    .init = input_layer_init,
    .flags = KRT_LAYER_PASSES_MASK | KRTI_LAYER_BORN_BUILT | KRTI_LAYER_BARE_CONFIG,
};

/* ------------------------------------------------------------------------------- Dense */

static krt_status dense_init(krt_layer *l, void *args)
{
    const krt_dense_args *a = args;

    if (a->units <= 0)
        return krti_layer_fail(l, KRT_E_INVALID,
                               "Received an invalid value for `units`, expected a positive "
                               "integer. Received: units=%lld",
                               (long long)a->units);
    return KRT_OK;
}

static krt_status dense_build(krt_layer *l, const void *args, const krt_shape *inputs, size_t n)
{
    const krt_dense_args *a = args;
    krt_status st = n == 1 ? krti_check_min_ndim(l, inputs[0], 2) : krti_fail_inputs(l, 1, n);

    if (st != KRT_OK)
        return st;
    const int64_t in = inputs[0].dim[inputs[0].rank - 1];
    TRY(krt_layer_add_weight(l, "kernel", (krt_shape){2, {in, a->units}}, a->kernel_initializer,
                             true));
    if (a->use_bias)
        TRY(krt_layer_add_weight(l, "bias", (krt_shape){1, {a->units}}, a->bias_initializer, true));
    TRY(krti_lora_build(l));

done:
    return st;
}

static krt_status dense_call(const krt_layer *l, const void *args, krt_call *c)
{
    const krt_dense_args *a = args;
    krt_value *x = krti_float_input(c, 0);
    krt_value *kernel = krt_call_weight(c, "kernel");
    krt_value *bias = a->use_bias ? krt_call_weight(c, "bias") : NULL;

    if (x == NULL || kernel == NULL)
        return c->g->status;
    const krt_status st = krti_check_axis(l, x->shape, -1, kernel->shape.dim[0]);
    if (st != KRT_OK)
        return st;
    krt_value *y = krti_dense(c->g, x, kernel, bias);
    return krt_call_output(c, 0, krti_activate(c, y, a->activation));
}

static const krt_field dense_fields[] = {
    KRT_FIELD(krt_dense_args, INT, units),
    KRT_FIELD(krt_dense_args, ACTIVATION, activation),
    KRT_FIELD(krt_dense_args, BOOL, use_bias),
    KRT_FIELD(krt_dense_args, OBJECT, kernel_initializer),
    KRT_FIELD(krt_dense_args, OBJECT, bias_initializer),
    KRT_FIELD(krt_dense_args, OBJECT, kernel_regularizer),
    KRT_FIELD(krt_dense_args, OBJECT, bias_regularizer),
    KRT_FIELD(krt_dense_args, OBJECT, activity_regularizer),
    KRT_FIELD(krt_dense_args, OBJECT, kernel_constraint),
    KRT_FIELD(krt_dense_args, OBJECT, bias_constraint),
    KRT_FIELD(krt_dense_args, INT, lora_rank),
    KRT_FIELD(krt_dense_args, FLOAT, lora_alpha),
    KRT_BASE_FIELDS(krt_dense_args),
};

/* Of these two one is always written and one, of the base class, only where it is given. */
static krt_status dense_config(krti_arena *a, krti_conf *dict, const krt_layer *l)
{
    if (krti_conf_is_null(krti_conf_get(dict, "activity_regularizer")))
        krti_conf_remove(dict, "activity_regularizer");
    return krti_config_quantizes(a, dict, l);
}

static const krti_class dense = {
    .base = {.struct_size = sizeof(krt_layer_class),
             .name = "Dense",
             .defaults = KRT_DENSE(0),
             .fields = dense_fields,
             .num_fields = KRTI_COUNT(dense_fields),
             .build = dense_build,
             .call = dense_call,
             .init = dense_init,
             .flags = KRT_LAYER_PASSES_MASK | KRTI_LAYER_HOOKS},
    .config = dense_config,
};

/* ------------------------------------------------------------------------------- Embedding */

static krt_status check_table(krt_layer *l, int64_t input_dim, int64_t output_dim)
{
    const bool input_is_wrong = input_dim <= 0;

    if (!input_is_wrong && output_dim > 0)
        return KRT_OK;
    return krti_layer_fail(l, KRT_E_INVALID, "`%s` must be a positive integer. Received: %s=%lld",
                           input_is_wrong ? "input_dim" : "output_dim",
                           input_is_wrong ? "input_dim" : "output_dim",
                           (long long)(input_is_wrong ? input_dim : output_dim));
}

static krt_status embedding_init(krt_layer *l, void *args)
{
    const krt_embedding_args *a = args;

    return check_table(l, a->input_dim, a->output_dim);
}

static krt_status embedding_build(krt_layer *l, const void *args, const krt_shape *inputs, size_t n)
{
    const krt_embedding_args *a = args;

    const krt_status st =
        krt_layer_add_weight(l, "embeddings", (krt_shape){2, {a->input_dim, a->output_dim}},
                             a->embeddings_initializer, true);

    (void)inputs;
    (void)n;
    return st == KRT_OK ? krti_lora_build(l) : st;
}

/* Rows of the table, and the mask where the index is 0. */
static krt_status look_up(krt_call *c, bool mask_zero)
{
    krt_value *x = krt_call_input(c, 0);
    krt_value *indices = x;

    if (x != NULL && krti_dtype_is_float(x->dtype))
        indices = krti_cast(c->g, x, KRT_INT32);
    krti_call_set_mask(c, 0,
                       mask_zero ? krti_not_equal(c->g, x, krti_scalar_like(c->g, x, 0)) : NULL);
    return krt_call_output(c, 0, krti_gather(c->g, krt_call_weight(c, "embeddings"), indices, 0));
}

static krt_status embedding_call(const krt_layer *l, const void *args, krt_call *c)
{
    (void)l;
    return look_up(c, ((const krt_embedding_args *)args)->mask_zero);
}

static const krt_field embedding_fields[] = {
    KRT_FIELD(krt_embedding_args, INT, input_dim),
    KRT_FIELD(krt_embedding_args, INT, output_dim),
    KRT_FIELD(krt_embedding_args, OBJECT, embeddings_initializer),
    KRT_FIELD(krt_embedding_args, OBJECT, embeddings_regularizer),
    KRT_FIELD(krt_embedding_args, OBJECT, activity_regularizer),
    KRT_FIELD(krt_embedding_args, OBJECT, embeddings_constraint),
    KRT_FIELD(krt_embedding_args, BOOL, mask_zero),
    {"weights", KRT_FIELD_IGNORED, 0},
    KRT_FIELD(krt_embedding_args, INT, lora_rank),
    KRT_FIELD(krt_embedding_args, FLOAT, lora_alpha),
    KRT_BASE_FIELDS(krt_embedding_args),
};

static const krti_class embedding = {
    .base = {.struct_size = sizeof(krt_layer_class),
             .name = "Embedding",
             .defaults = KRT_EMBEDDING(0),
             .fields = embedding_fields,
             .num_fields = KRTI_COUNT(embedding_fields),
             .build = embedding_build,
             .call = embedding_call,
             .init = embedding_init,
             .flags = KRTI_LAYER_HOOKS},
    .config = krti_config_quantizes,
};

/* ------------------------------------------------------------------------------- ReversibleEmbedding */

static krt_status reversible_init(krt_layer *l, void *args)
{
    const krt_reversible_embedding_args *a = args;

    return check_table(l, a->input_dim, a->output_dim);
}

static krt_status reversible_build(krt_layer *l, const void *args, const krt_shape *inputs,
                                   size_t n)
{
    const krt_reversible_embedding_args *a = args;
    krt_status st = KRT_OK;

    (void)inputs;
    (void)n;
    TRY(krt_layer_add_weight(l, "embeddings", (krt_shape){2, {a->input_dim, a->output_dim}},
                             a->embeddings_initializer, true));
    TRY(krti_lora_build(l));
    if (!a->tie_weights)
        TRY(krt_layer_add_weight(l, "reverse_embeddings",
                                 (krt_shape){2, {a->output_dim, a->input_dim}},
                                 a->embeddings_initializer, true));

done:
    return st;
}

/* Back onto the table: logits of every row, softly capped by tanh when asked. */
static krt_status project_back(krt_call *c, const krt_reversible_embedding_args *a)
{
    static const int swap[2] = {1, 0};
    krt_value *x = krti_float_input(c, 0);
    krt_value *kernel = a->tie_weights
                            ? krti_transpose(c->g, krt_call_weight(c, "embeddings"), swap)
                            : krt_call_weight(c, "reverse_embeddings");
    krt_value *logits = krti_dense(c->g, x, kernel, NULL);

    if (!isnan(a->logit_soft_cap)) {
        logits = krti_tanh(c->g, krti_affine(c->g, logits, 1 / a->logit_soft_cap, 0, 0));
        logits = krti_affine(c->g, logits, a->logit_soft_cap, 0, 0);
    }
    return krt_call_output(c, 0, logits);
}

static krt_status reversible_call(const krt_layer *l, const void *args, krt_call *c)
{
    const krt_reversible_embedding_args *a = args;

    (void)l;
    return krti_call_flag(c, "reverse", 1) ? project_back(c, a) : look_up(c, a->mask_zero);
}

static const krt_field reversible_fields[] = {
    KRT_FIELD(krt_reversible_embedding_args, INT, input_dim),
    KRT_FIELD(krt_reversible_embedding_args, INT, output_dim),
    KRT_FIELD(krt_reversible_embedding_args, OBJECT, embeddings_initializer),
    KRT_FIELD(krt_reversible_embedding_args, OBJECT, embeddings_regularizer),
    KRT_FIELD(krt_reversible_embedding_args, OBJECT, embeddings_constraint),
    KRT_FIELD(krt_reversible_embedding_args, BOOL, mask_zero),
    {"weights", KRT_FIELD_IGNORED, 0},
    KRT_FIELD(krt_reversible_embedding_args, INT, lora_rank),
    KRT_FIELD(krt_reversible_embedding_args, FLOAT, lora_alpha),
    KRT_FIELD(krt_reversible_embedding_args, BOOL, tie_weights),
    KRT_FIELD(krt_reversible_embedding_args, STRING, reverse_dtype),
    KRT_FIELD(krt_reversible_embedding_args, FLOAT, logit_soft_cap),
    KRT_BASE_FIELDS(krt_reversible_embedding_args),
};

static const krti_class reversible_embedding = {
    .base = {.struct_size = sizeof(krt_layer_class),
             .name = "ReversibleEmbedding",
             .defaults = KRT_REVERSIBLE_EMBEDDING(0),
             .fields = reversible_fields,
             .num_fields = KRTI_COUNT(reversible_fields),
             .build = reversible_build,
             .call = reversible_call,
             .init = reversible_init,
             .flags = KRTI_LAYER_HOOKS},
    .config = krti_config_quantizes,
};

/* ------------------------------------------------------------------------------- Identity, Masking */

static const krt_field identity_fields[] = {KRT_BASE_FIELDS(krt_identity_args)};

static const krt_layer_class identity = {
    .struct_size = sizeof identity,
    .name = "Identity",
    .defaults = KRT_IDENTITY(.trainable = true),
    .fields = identity_fields,
    .num_fields = KRTI_COUNT(identity_fields),
    .call = pass_through,
    .flags = KRT_LAYER_PASSES_MASK | KRTI_LAYER_BORN_BUILT,
};

static krt_status masking_call(const krt_layer *l, const void *args, krt_call *c)
{
    const krt_masking_args *a = args;
    krti_graph *g = c->g;
    krt_value *x = krti_float_input(c, 0);

    if (x == NULL)
        return g->status;
    const krt_status st = krti_check_min_ndim(l, x->shape, 1);
    if (st != KRT_OK)
        return st;
    krt_value *differs = krti_not_equal(g, x, krti_scalar_like(g, x, a->mask_value));
    krt_value *keep = krti_reduce_any(g, differs, &(int){-1}, 1, true);
    krti_call_set_mask(c, 0, krti_squeeze(g, keep, &(int){-1}, 1));
    return krt_call_output(c, 0, krti_where(g, keep, x, krti_scalar_like(g, x, 0)));
}

static const krt_field masking_fields[] = {
    KRT_FIELD(krt_masking_args, FLOAT, mask_value),
    KRT_BASE_FIELDS(krt_masking_args),
};

static const krt_layer_class masking = {
    .struct_size = sizeof masking,
    .name = "Masking",
    .defaults = KRT_MASKING(.trainable = true),
    .fields = masking_fields,
    .num_fields = KRTI_COUNT(masking_fields),
    .call = masking_call,
    .flags = KRTI_LAYER_BORN_BUILT,
};

/* ------------------------------------------------------------------------------- Lambda */

/* Known so that it can be refused by name: its function is Python, as bytecode or by a name. */
static krt_status lambda_init(krt_layer *l, void *args)
{
    const krti_conf *const function = krti_conf_get(l->config, "function");
    const char *name = krti_conf_text(function);

    (void)args;
    if (name == NULL && krti_conf_is(krti_conf_get(function, "config"), KRTI_CONF_STRING))
        name = krti_conf_get_text(function, "config");
    if (name != NULL)
        return krti_layer_unsupported(
            l, "Lambda \"%s\" calls the Python function \"%s\", which this build cannot run",
            l->name, name);
    return krti_layer_unsupported(
        l, "Lambda \"%s\" holds Python bytecode, which is never executed here", l->name);
}

static const krt_field lambda_fields[] = {
    {"function", KRT_FIELD_IGNORED, 0},
    {"function_type", KRT_FIELD_IGNORED, 0},
    {"module", KRT_FIELD_IGNORED, 0},
    {"output_shape", KRT_FIELD_IGNORED, 0},
    {"output_shape_type", KRT_FIELD_IGNORED, 0},
    {"output_shape_module", KRT_FIELD_IGNORED, 0},
    {"mask", KRT_FIELD_IGNORED, 0},
    {"arguments", KRT_FIELD_IGNORED, 0},
    KRT_BASE_FIELDS(krt_identity_args),
};

static const krt_layer_class lambda = {
    .struct_size = sizeof lambda,
    .name = "Lambda",
    .defaults = KRT_SPEC(krt_identity_args, "Lambda", .trainable = true),
    .fields = lambda_fields,
    .num_fields = KRTI_COUNT(lambda_fields),
    .call = krti_unsupported_call,
    .init = lambda_init,
};

const krt_layer_class *const krti_classes_core[] = {&input_layer,
                                                    &dense.base,
                                                    &krti_class_einsum_dense.base,
                                                    &embedding.base,
                                                    &reversible_embedding.base,
                                                    &identity,
                                                    &masking,
                                                    &lambda,
                                                    NULL};
