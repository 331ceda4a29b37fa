/* Connectionist temporal classification: the probability of every alignment of a label with a
 * sequence, summed. Keras: losses/losses.py ctc(), tf.nn.ctc_loss with blank 0.
 *
 * The forward recursion over alignments is spelled out step by step with operations, in logarithms;
 * the gradient follows from them. As many labels count as are not 0; a 0 among
 * them is a label like any other, which is spelled as the blank is. TensorFlow's gradient forgets that
 * such a label is spelled at all: of its logarithm only the normalizer is differentiated. */
#include "ops/autodiff.h"
#include "training/score.h"

/* Stands for the logarithm of zero: below anything that occurs, and finite, so that differences are
 * numbers. */
static const double log_zero = -1e30;

typedef struct alignment {
    krti_graph *g;
    int64_t batch, steps, classes, label, states; /* states: 2 label + 1 */
    krt_value *extended;                          /* (batch, states): blank, label, blank, ... */
    krt_value *zeros;   /* the same shape: 1 for a label that is 0, else 0 */
    krt_value *skips;   /* 0 where a state may be reached from two before, else log_zero */
    krt_value *emitted; /* (batch, steps, states): logarithms */
} alignment;

static krt_value *column(krti_graph *g, krt_value *x, int axis, int64_t from, int64_t to)
{
    return krti_slice_axis(g, x, axis, from, to, 1);
}

/* 0 where it holds, log_zero elsewhere. */
static krt_value *penalty(krti_graph *g, krt_value *holds)
{
    return krti_where(g, holds, krti_scalar(g, 0), krti_scalar(g, log_zero));
}

/* `of_labels` with a 0 before each and behind the last. */
static krt_value *among_zeros(const alignment *a, krt_value *of_labels)
{
    krti_graph *g = a->g;
    const krt_shape flat = {2, {a->batch, 2 * a->label}}, one = {2, {a->batch, 1}};
    krt_value *zero = krti_scalar_of(g, KRT_INT32, 0);
    krt_value *blanks = krti_broadcast_to(g, zero, (krt_shape){2, {a->batch, a->label}});
    krt_value *pairs[2] = {blanks, of_labels}, *parts[2];

    parts[0] = krti_reshape(g, krti_stack(g, pairs, 2, 2), flat);
    parts[1] = krti_broadcast_to(g, zero, one);
    return krti_concat(g, parts, 2, 1);
}

static void extend(alignment *a, krt_value *y_true)
{
    krti_graph *g = a->g;
    krt_value *labels = krti_cast(g, y_true, KRT_INT32);
    krt_value *are_zero = krti_equal(g, labels, krti_scalar_of(g, KRT_INT32, 0));

    a->extended = among_zeros(a, labels);
    a->zeros = krti_cast(g, among_zeros(a, krti_cast(g, are_zero, KRT_INT32)), KRT_FLOAT32);

    krt_value *now = column(g, a->extended, 1, 2, KRT_NONE);
    krt_value *before = column(g, a->extended, 1, 0, a->states - 2);
    krt_value *may = krti_not_equal(g, now, before); /* which two blanks are not */
    krt_value *skips[2] = {
        krti_broadcast_to(g, krti_scalar(g, log_zero), (krt_shape){2, {a->batch, 2}}),
        penalty(g, may)};
    a->skips = krti_concat(g, skips, 2, 1);
}

static krt_value *log_sum(krti_graph *g, krt_value *x, int axis)
{
    krt_value *top = krti_stop_gradient(g, krti_reduce_max(g, x, &axis, 1, true));
    krt_value *sum = krti_reduce_sum(g, krti_exp(g, krti_subtract(g, x, top)), &axis, 1, true);

    return krti_squeeze(g, krti_add(g, krti_log(g, sum), top), &axis, 1);
}

/* alpha moved on by `n` states; what comes in is impossible. */
static krt_value *shifted(const alignment *a, krt_value *alpha, int64_t n)
{
    krt_value *parts[2] = {
        krti_broadcast_to(a->g, krti_scalar(a->g, log_zero), (krt_shape){2, {a->batch, n}}),
        column(a->g, alpha, 1, 0, a->states - n)};

    return krti_concat(a->g, parts, 2, 1);
}

static void emit(alignment *a, const krti_scoring *s)
{
    krti_graph *g = a->g;
    krt_value *rows = krti_one_hot(g, a->extended, a->classes, -1, KRT_FLOAT32);
    krt_value *first = column(g, s->y_pred, 2, 0, 1);
    krt_value *nothing = krti_subtract(g, first, krti_stop_gradient(g, first));

    a->emitted = krti_matmul(g, krti_log_softmax(g, s->y_pred, -1), rows, false, true, NULL);
    if (s->looks_through)
        a->emitted = krti_subtract(g, a->emitted,
                                   krti_multiply(g, nothing, krti_expand_dims(g, a->zeros, 1)));
}

static krt_value *emission(const alignment *a, int64_t step)
{
    return krti_reshape(a->g, column(a->g, a->emitted, 1, step, step + 1),
                        (krt_shape){2, {a->batch, a->states}});
}

/* 0, 1, ... along the states. */
static krt_value *state_numbers(const alignment *a)
{
    krt_value *ones =
        krti_broadcast_to(a->g, krti_scalar_of(a->g, KRT_INT32, 1), (krt_shape){1, {a->states}});

    return krti_cumsum(a->g, ones, 0, true, false);
}

static krt_value *forward(const alignment *a)
{
    krti_graph *g = a->g;
    krt_value *first = krti_less(g, state_numbers(a), krti_scalar_of(g, KRT_INT32, 2));
    krt_value *alpha = krti_add(g, emission(a, 0), penalty(g, first));

    for (int64_t t = 1; t < a->steps; t++) {
        krt_value *ways[3] = {alpha, shifted(a, alpha, 1),
                              krti_add(g, shifted(a, alpha, 2), a->skips)};

        alpha = krti_add(g, log_sum(g, krti_stack(g, ways, 3, 0), 0), emission(a, t));
    }
    return alpha;
}

krt_value *krti_score_ctc(krti_scoring *s)
{
    krti_graph *g = s->g;
    alignment a = {.g = g};
    char text[160];

    if (s->y_true == NULL || s->y_pred == NULL)
        return NULL;
    if (s->y_true->shape.rank != 2)
        return krti_graph_fail(g, KRT_E_INVALID,
                               "Targets `y_true` are expected to be a tensor of shape "
                               "`(batch_size, max_length)` in integer format. Received: "
                               "y_true.shape=%s",
                               krt_shape_print(s->y_true->shape, text, sizeof text));
    if (s->y_pred->shape.rank != 3)
        return krti_graph_fail(g, KRT_E_INVALID,
                               "Logits `y_pred` are expected to be a tensor of shape "
                               "`(batch_size, max_length, num_classes)`. Received: y_pred.shape=%s",
                               krt_shape_print(s->y_pred->shape, text, sizeof text));
    a.batch = s->y_pred->shape.dim[0];
    a.steps = s->y_pred->shape.dim[1];
    a.classes = s->y_pred->shape.dim[2];
    a.label = s->y_true->shape.dim[1];
    a.states = 2 * a.label + 1;
    extend(&a, s->y_true);
    emit(&a, s);

    /* An alignment ends in the last label or in the blank behind it. */
    krt_value *is_label = krti_cast(g, krti_not_equal(g, s->y_true, krti_scalar(g, 0)), KRT_INT32);
    krt_value *length = krti_reduce_sum(g, is_label, (const int[]){-1}, 1, true);
    krt_value *blank = krti_add(g, length, length);
    krt_value *numbers = krti_expand_dims(g, state_numbers(&a), 0);
    krt_value *last = krti_subtract(g, blank, krti_scalar_of(g, KRT_INT32, 1));
    krt_value *ends =
        krti_logical_or(g, krti_equal(g, numbers, blank), krti_equal(g, numbers, last));
    return krti_negative(g, log_sum(g, krti_add(g, forward(&a), penalty(g, ends)), -1));
}
