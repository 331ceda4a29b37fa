/* The functions behind the metrics that are means and no losses. Keras: metrics/accuracy_metrics.py,
 * correlation_metrics.py, regression_metrics.py. */
#include "training/metric_values.h"

static krt_value *as_float(krti_graph *g, krt_value *x)
{
    return krti_cast(g, x, KRT_FLOAT32);
}

static krt_value *class_of(krti_graph *g, krt_value *x)
{
    return as_float(g, krti_argmax(g, x, -1, false));
}

static krt_value *equal(krti_graph *g, krt_value *a, krt_value *b)
{
    return as_float(g, krti_equal(g, a, b));
}

krt_value *krti_value_accuracy(krti_scoring *s)
{
    return krti_scores_fit(s) ? equal(s->g, s->y_true, s->y_pred) : NULL;
}

krt_value *krti_value_binary_accuracy(krti_scoring *s)
{
    const double threshold = ((const krt_binary_accuracy_args *)s->args)->threshold;
    krti_graph *g = s->g;

    if (!krti_scores_fit(s))
        return NULL;
    return equal(g, s->y_true, as_float(g, krti_greater(g, s->y_pred, krti_scalar(g, threshold))));
}

krt_value *krti_value_categorical_accuracy(krti_scoring *s)
{
    if (!krti_scores_fit(s))
        return NULL;
    return equal(s->g, class_of(s->g, s->y_true), class_of(s->g, s->y_pred));
}

/* Class numbers without an axis of 1 at the end. */
static krt_value *numbers(krti_scoring *s)
{
    krt_value *y = s->y_true;

    if (y == NULL || s->y_pred == NULL)
        return NULL;
    if (y->shape.rank == s->y_pred->shape.rank && y->shape.dim[y->shape.rank - 1] == 1)
        y = krti_squeeze(s->g, y, (const int[]){-1}, 1);
    return y;
}

krt_value *krti_value_sparse_categorical_accuracy(krti_scoring *s)
{
    return equal(s->g, numbers(s), class_of(s->g, s->y_pred));
}

/* Whether fewer than k scores are greater than that of the class. */
static krt_value *in_top_k(krti_scoring *s, krt_value *classes, int64_t k)
{
    krti_graph *g = s->g;

    if (s->y_pred == NULL)
        return NULL;
    const int64_t n = s->y_pred->shape.dim[s->y_pred->shape.rank - 1];
    krt_value *row = krti_one_hot(g, krti_cast(g, classes, KRT_INT32), n, -1, KRT_FLOAT32);
    krt_value *score =
        krti_reduce_sum(g, krti_multiply(g, row, s->y_pred), (const int[]){-1}, 1, true);
    krt_value *greater = as_float(g, krti_greater(g, s->y_pred, score));
    krt_value *rank = krti_reduce_sum(g, greater, (const int[]){-1}, 1, false);
    return as_float(g, krti_less(g, rank, krti_scalar(g, (double)k)));
}

krt_value *krti_value_top_k(krti_scoring *s)
{
    if (!krti_scores_fit(s))
        return NULL;
    return in_top_k(s, krti_argmax(s->g, s->y_true, -1, false),
                    ((const krt_top_k_metric_args *)s->args)->k);
}

krt_value *krti_value_sparse_top_k(krti_scoring *s)
{
    const krt_top_k_metric_args *a = s->args;
    krti_graph *g = s->g;

    if (!a->from_sorted_ids)
        return in_top_k(s, numbers(s), a->k);
    krt_value *first = krti_slice_axis(g, s->y_pred, -1, 0, a->k, 1);
    krt_value *hit = krti_equal(g, krti_expand_dims(g, numbers(s), -1), first);
    return as_float(g, krti_reduce_any(g, hit, (const int[]){-1}, 1, false));
}

krt_value *krti_value_squared_error(krti_scoring *s)
{
    if (!krti_scores_fit(s))
        return NULL;
    return krti_square(s->g, krti_subtract(s->g, s->y_pred, s->y_true));
}

krt_value *krti_value_pearson(krti_scoring *s)
{
    const int axis = (int)((const krt_correlation_metric_args *)s->args)->axis;
    krti_graph *g = s->g;
    krt_value *x[2] = {s->y_true, s->y_pred};

    if (!krti_scores_fit(s))
        return NULL;
    for (int i = 0; i < 2; i++) {
        krt_value *mean = NULL, *variance = NULL;

        x[i] = krti_subtract(g, x[i], krti_reduce_mean(g, x[i], &axis, 1, true));
        if (krti_moments(g, x[i], &axis, 1, &mean, &variance) != KRT_OK)
            return NULL;
        x[i] = krti_divide(g, x[i], krti_sqrt(g, variance));
    }
    return krti_reduce_mean(g, krti_multiply(g, x[0], x[1]), &axis, 1, false);
}

krt_value *krti_value_concordance(krti_scoring *s)
{
    const int axis = (int)((const krt_correlation_metric_args *)s->args)->axis;
    krti_graph *g = s->g;
    krt_value *mean[2] = {NULL}, *variance[2] = {NULL};

    if (!krti_scores_fit(s) ||
        krti_moments(g, s->y_true, &axis, 1, &mean[0], &variance[0]) != KRT_OK ||
        krti_moments(g, s->y_pred, &axis, 1, &mean[1], &variance[1]) != KRT_OK)
        return NULL;
    /* Keras takes the prediction's mean from both. */
    krt_value *covar = krti_multiply(g, krti_subtract(g, s->y_true, mean[1]),
                                     krti_subtract(g, s->y_pred, mean[1]));
    krt_value *norm = krti_add(g, krti_add(g, variance[0], variance[1]),
                               krti_square(g, krti_subtract(g, mean[0], mean[1])));
    krt_value *each = krti_divide(g, krti_affine(g, covar, 2, 0, 0),
                                  krti_affine(g, norm, 1, (float)KRTI_EPSILON, 0));
    return krti_reduce_mean(g, each, &axis, 1, false);
}
