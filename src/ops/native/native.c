/* Activations by vector form, and how many threads a step is worth. See native.h. */
#include "ops/native/native.h"

static const struct {
    const krti_op *op;
    krti_fn fn;
} functions[] = {
    {&krti_op_relu, KRTI_FN_RELU},
    {&krti_op_clip, KRTI_FN_CLIP},
    {&krti_op_affine, KRTI_FN_AFFINE},
    {&krti_op_sigmoid, KRTI_FN_SIGMOID},
    {&krti_op_tanh, KRTI_FN_TANH},
    {&krti_op_silu, KRTI_FN_SILU},
    {&krti_op_gelu, KRTI_FN_GELU},
    {&krti_op_gelu_tanh, KRTI_FN_GELU_TANH},
    {&krti_op_elu, KRTI_FN_ELU},
    {&krti_op_selu, KRTI_FN_SELU},
    {&krti_op_exp, KRTI_FN_EXP},
    {&krti_op_hard_sigmoid, KRTI_FN_HARD_SIGMOID},
    {&krti_op_hard_silu, KRTI_FN_HARD_SILU},
    {&krti_op_sqrt, KRTI_FN_SQRT},
    {&krti_op_rsqrt, KRTI_FN_RSQRT},
    {&krti_op_square, KRTI_FN_SQUARE},
    {&krti_op_absolute, KRTI_FN_ABS},
    {&krti_op_negative, KRTI_FN_NEGATIVE},
    {&krti_op_reciprocal, KRTI_FN_RECIPROCAL},
    {&krti_op_softsign, KRTI_FN_SOFTSIGN},
    {&krti_op_log, KRTI_FN_LOG},
    {&krti_op_sign, KRTI_FN_SIGN},
    {&krti_op_floor, KRTI_FN_FLOOR},
    {&krti_op_erf, KRTI_FN_ERF},
};

bool krti_native_act(krti_activation f, krti_act *out)
{
    *out = (krti_act){KRTI_FN_NONE, (float)f.a, (float)f.b, (float)f.c};
    if (f.op == NULL)
        return true;
    if (f.op == &krti_op_relu && f.b != 0) /* a threshold: left to the reference */
        return false;
    for (size_t i = 0; i < KRTI_COUNT(functions); i++) {
        if (functions[i].op == f.op) {
            out->fn = functions[i].fn;
            return true;
        }
    }
    return false;
}

size_t krti_size(krt_shape shape)
{
    const int64_t n = krt_shape_size(shape);

    return n > 0 ? (size_t)n : 0;
}

bool krti_all_float(const krti_node *n)
{
    for (int i = 0; i < n->num_in; i++)
        if (n->in[i] != NULL && (n->in[i]->dtype != KRT_FLOAT32 || krti_size(n->in[i]->shape) == 0))
            return false;
    return n->out[0].dtype == KRT_FLOAT32 && krti_size(n->out[0].shape) > 0;
}

/* Waking threads costs about a microsecond, in which one does some 20,000 operations. */
int krti_share(const krti_step *s, double work)
{
    const double most = work / 20000.0;

    return most < 2 ? 1 : most < s->threads ? (int)most : s->threads;
}

void krti_native_release(krt_ctx *k, krti_step *s)
{
    krti_free(k, s->state);
    s->state = NULL;
}
