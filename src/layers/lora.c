/* The two factors made and added to a kernel, and what configs say of them. See lora.h. Keras:
 * layers/core/dense.py and its like, enable_lora(). */
#include "layers/lora.h"

#include "layers/config.h"
#include "layers/spatial.h"
#include "tensor/tensor.h"

/* The classes that have it. Dense and Embedding, when they are built, hand on the rank alone, and their
 * alpha is the rank whatever the config says. */
static const struct adaptable {
    const char *class_name, *kernel, *factors[2], *constraint, *plural;
    bool takes_alpha;
} classes[] = {
#define KERNEL "kernel", {"lora_kernel_a", "lora_kernel_b"}, "kernel_constraint", "kernel"
#define TABLE \
    "embeddings", {"lora_embeddings_a", "lora_embeddings_b"}, "embeddings_constraint", "embedding"
    {"Dense", KERNEL, false},
    {"EinsumDense", KERNEL, true},
    {"Conv1D", KERNEL, true},
    {"Conv2D", KERNEL, true},
    {"Conv3D", KERNEL, true},
    {"Embedding", TABLE, false},
    {"ReversibleEmbedding", TABLE, false},
#undef KERNEL
#undef TABLE
};

static const struct adaptable *adaptable(const krt_layer *l)
{
    for (size_t i = 0; i < KRTI_COUNT(classes); i++)
        if (l->cls != NULL && strcmp(l->cls->name, classes[i].class_name) == 0 &&
            krti_args_member(l->cls, l->args, "lora_rank") != NULL) /* not another of this name */
            return &classes[i];
    return NULL;
}

bool krti_is_lora_kernel(const krt_variable *v)
{
    const krt_layer *l = v->layer;

    return l->lora_rank > 0 && strcmp(v->name, adaptable(l)->kernel) == 0;
}

bool krti_is_lora_factor(const krt_variable *v)
{
    const char *const *factors = v->layer->lora_rank > 0 ? adaptable(v->layer)->factors : NULL;

    return factors != NULL &&
           (strcmp(v->name, factors[0]) == 0 || strcmp(v->name, factors[1]) == 0);
}

/* What the arguments say: 0 is none, NaN the rank. */
static int64_t given_rank(const krt_layer *l)
{
    const int64_t rank = *(const int64_t *)krti_args_member(l->cls, l->args, "lora_rank");

    return rank == KRT_NONE ? 0 : rank;
}

static double given_alpha(const krt_layer *l)
{
    return *(const double *)krti_args_member(l->cls, l->args, "lora_alpha");
}

krt_variable *krti_lora_kernel(const krt_layer *l)
{
    return krti_layer_variable(l, adaptable(l)->kernel);
}

krt_variable *krti_lora_factor(const krt_layer *l, int i)
{
    return krti_layer_variable(l, adaptable(l)->factors[i]);
}

/* ------------------------------------------------------------------------------- making */

static krt_status add(krt_layer *l, int64_t rank, double alpha, const krt_spec *const init[2])
{
    const struct adaptable *c = adaptable(l);
    krt_variable *const kernel = krti_lora_kernel(l);
    const krt_spec *const *constraint = krti_args_member(l->cls, l->args, c->constraint);
    const int last = kernel->tensor->shape.rank - 1;
    krt_shape a = kernel->tensor->shape, b = {2, {rank, a.dim[last]}};
    krt_status st = KRT_OK;

    if (*constraint != NULL)
        return krti_layer_fail(l, KRT_E_INVALID,
                               "Lora is incompatible with %s constraints. In order to enable lora "
                               "on this layer, remove the `%s` argument",
                               c->plural, c->constraint);
    if (rank <= 0)
        return krti_layer_fail(l, KRT_E_INVALID,
                               "`rank` must be a positive integer. Received: rank=%lld",
                               (long long)rank);
    a.dim[last] = rank;
    TRY(krt_layer_add_weight(l, c->factors[0], a, init[0], true));
    TRY(krt_layer_add_weight(l, c->factors[1], b, init[1], true));
    kernel->is_fixed = true;
    l->lora_rank = rank;
    l->lora_alpha = isnan(alpha) ? (double)rank : alpha;

done:
    return st;
}

krt_status krti_lora_build(krt_layer *l)
{
    const krt_spec *const init[2] = {KRT_ID("HeUniform"), KRT_ID("Zeros")};

    if (given_rank(l) == 0)
        return KRT_OK;
    return add(l, given_rank(l), adaptable(l)->takes_alpha ? given_alpha(l) : KRT_NONE_F, init);
}

krt_status krti_lora_enable(krt_layer *l, int64_t rank, const krt_lora_args *args)
{
    const krt_spec *const init[2] = {
        args->a_initializer != NULL ? args->a_initializer : KRT_ID("HeUniform"),
        args->b_initializer != NULL ? args->b_initializer : KRT_ID("Zeros")};
    krt_status st = KRT_OK;

    if (adaptable(l) == NULL)
        return krti_layer_fail(l, KRT_E_UNSUPPORTED,
                               "lora is for Dense, EinsumDense, Embedding, ReversibleEmbedding and "
                               "Conv1D to Conv3D, and this layer is a %s",
                               l->class_name);
    if (!l->is_built)
        return krti_layer_fail(l, KRT_E_STATE,
                               "Cannot enable lora on a layer that isn't yet built");
    if (l->lora_rank > 0)
        return krti_layer_fail(l, KRT_E_STATE,
                               "lora is already enabled. This can only be done once per layer");
    TRY(krti_layer_initialize(l));
    TRY(add(l, rank, args->lora_alpha, init));
    TRY(krti_layer_initialize(l));

done:
    return st;
}

/* ------------------------------------------------------------------------------- the sum */

static double scale_of(const krt_layer *l)
{
    return l->lora_alpha / (double)l->lora_rank;
}

krt_value *krti_lora_sum(krti_graph *g, const krt_variable *v, krt_value *kernel)
{
    const krt_layer *l = v->layer;
    krt_value *product = NULL;

    if (!krti_is_lora_kernel(v))
        return kernel;
    product = krti_dense(g, krti_current(g, krti_variable(g, krti_lora_factor(l, 0)->tensor)),
                         krti_current(g, krti_variable(g, krti_lora_factor(l, 1)->tensor)), NULL);
    return krti_add(g, kernel, krti_affine(g, product, scale_of(l), 0, 0));
}

static bool is_zero(const float *values, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (values[i] != 0)
            return false;
    return true;
}

/* sum += scale * (left @ right), element by element. */
static void add_product(float *sum, const float *left, const float *right, size_t rows,
                        krt_shape shape, float scale)
{
    const size_t rank = (size_t)shape.dim[0], columns = (size_t)shape.dim[1];

    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++) {
            float product = 0;

            for (size_t k = 0; k < rank; k++)
                product += left[i * rank + k] * right[k * columns + j];
            sum[i * columns + j] += scale * product;
        }
}

const void *krti_lora_merged(krti_arena *a, const krt_variable *v)
{
    const krt_variable *factors[2];
    const float *values[2];
    size_t n[2];
    float *sum = NULL;

    if (!krti_is_lora_kernel(v))
        return v->tensor->data;
    for (int i = 0; i < 2; i++) {
        factors[i] = krti_lora_factor(v->layer, i);
        values[i] = krt_variable_data(factors[i]);
        n[i] = factors[i]->tensor->size_bytes / sizeof(float);
        if (values[i] == NULL || is_zero(values[i], n[i]))
            return v->tensor->data;
    }
    sum = krti_arena_alloc(a, v->tensor->size_bytes);
    if (sum == NULL)
        return NULL;
    memcpy(sum, v->tensor->data, v->tensor->size_bytes);
    add_product(sum, values[0], values[1], n[0] / (size_t)v->layer->lora_rank,
                factors[1]->tensor->shape, (float)scale_of(v->layer));
    return sum;
}

krt_status krti_lora_clear(krt_variable *factor, bool only_room)
{
    krt_tensor *t = factor->tensor;
    krt_status st = KRT_OK;

    if (t->data == NULL)
        st = krti_initialize(factor);
    else
        st = krti_tensor_own(t);
    if (st == KRT_OK && !only_room)
        memset(t->data, 0, t->size_bytes);
    return st;
}

/* ------------------------------------------------------------------------------- config */

krt_status krti_lora_to_conf(krti_arena *a, krti_conf *dict, const krt_layer *l)
{
    const bool is_on = l->lora_rank > 0;
    krt_status st = KRT_OK;

    if (adaptable(l) == NULL)
        return KRT_OK;
    const int64_t rank = is_on ? l->lora_rank : given_rank(l);
    const double given = is_on ? l->lora_alpha : given_alpha(l);
    const double alpha = isnan(given) ? (double)rank : given;
    const bool is_whole = alpha == floor(alpha) && fabs(alpha) < 1e15;
    krti_conf_remove(dict, "lora_rank");
    krti_conf_remove(dict, "lora_alpha");
    if (rank == 0)
        return KRT_OK;
    TRY(krti_conf_set(a, dict, "lora_rank", krti_conf_int(a, rank)));
    TRY(krti_conf_set(a, dict, "lora_alpha",
                      is_whole ? krti_conf_int(a, (int64_t)alpha) : krti_conf_float(a, alpha)));

done:
    return st;
}
