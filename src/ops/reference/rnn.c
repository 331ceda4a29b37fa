/* Recurrence over time; see rnn.inc. */
#include "ops/reference/reference.h"

static double apply(krti_rnn_fn f, double x)
{
    if (isnan(x))
        return x;
    switch (f) {
    case KRTI_RNN_LINEAR:
        break;
    case KRTI_RNN_RELU:
        return x > 0 ? x : 0;
    case KRTI_RNN_SIGMOID:
        return x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x));
    case KRTI_RNN_TANH:
        return tanh(x);
    case KRTI_RNN_HARD_SIGMOID:
        return fmin(fmax(x + 3, 0), 6) / 6;
    case KRTI_RNN_HARD_SIGMOID_V2:
        return fmin(fmax(0.2 * x + 0.5, 0), 1);
    }
    return x;
}

/* The slope where the function gives y. */
static double slope(krti_rnn_fn f, double y)
{
    const bool is_inside = y > 0 && y < 1;

    switch (f) {
    case KRTI_RNN_LINEAR:
        break;
    case KRTI_RNN_RELU:
        return y > 0;
    case KRTI_RNN_SIGMOID:
        return y * (1 - y);
    case KRTI_RNN_TANH:
        return 1 - y * y;
    case KRTI_RNN_HARD_SIGMOID:
        return is_inside ? 1.0 / 6 : 0;
    case KRTI_RNN_HARD_SIGMOID_V2:
        return is_inside ? 0.2 : 0;
    }
    return 1;
}

static bool is_masked(const krti_view *mask, int64_t i)
{
    return mask->data != NULL && ((const uint8_t *)mask->data)[i] == 0;
}

#define TEMPLATE "ops/reference/rnn.inc"
#include "ops/reference/floats.inc"
#undef TEMPLATE

void krti_ref_rnn(const krti_node *n, const krti_view *in, krti_view *out)
{
    if (out->dtype == KRT_FLOAT64)
        rnn_f64(n, in, out);
    else
        rnn_f32(n, in, out);
}

void krti_ref_rnn_grad(const krti_node *n, const krti_view *in, krti_view *out)
{
    if (out->dtype == KRT_FLOAT64)
        rnn_grad_f64(n, in, out);
    else
        rnn_grad_f32(n, in, out);
}
