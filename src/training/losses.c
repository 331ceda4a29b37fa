/* The losses, described with operations: 22 functions. Keras: losses/losses.py; the crossentropies of
 * backend/tensorflow/nn.py.
 *
 * The order of operations is Keras's, so that float32 rounds alike. */
#include "ops/autodiff.h"
#include "training/score.h"

/* ------------------------------------------------------------------------------- helpers */

static krt_value *scale(krti_graph *g, krt_value *x, double a, double b)
{
    return krti_affine(g, x, a, b, 0);
}

static krt_value *last_mean(krti_graph *g, krt_value *x)
{
    return krti_reduce_mean(g, x, (const int[]){-1}, 1, false);
}

static krt_value *sum_over(krti_graph *g, krt_value *x, int axis, bool keepdims)
{
    return krti_reduce_sum(g, x, &axis, 1, keepdims);
}

static krt_value *clip_epsilon(krti_graph *g, krt_value *x)
{
    return krti_clip(g, x, (float)KRTI_EPSILON, 1.0f - (float)KRTI_EPSILON, 0);
}

void krti_same_rank(krti_graph *g, krt_value **a, krt_value **b, bool expand_rank_1)
{
    krt_value **longer = a, **shorter = b;

    if (*a == NULL || *b == NULL || (*a)->shape.rank == (*b)->shape.rank)
        return;
    if ((*b)->shape.rank > (*a)->shape.rank) {
        longer = b;
        shorter = a;
    }
    const int rank = (*longer)->shape.rank;
    if (rank != (*shorter)->shape.rank + 1 || (*longer)->shape.dim[rank - 1] != 1)
        return;
    if ((*shorter)->shape.rank == 1 && expand_rank_1)
        *shorter = krti_expand_dims(g, *shorter, -1);
    else
        *longer = krti_squeeze(g, *longer, (const int[]){-1}, 1);
}

static bool refuse_shapes(krti_scoring *s, const char *rule, const char *remedy)
{
    char a[160], b[160];

    (void)krti_graph_fail(s->g, KRT_E_INVALID, "%s: y_true has shape %s, y_pred has shape %s; %s",
                          rule, krt_shape_print(s->y_true->shape, a, sizeof a),
                          krt_shape_print(s->y_pred->shape, b, sizeof b), remedy);
    return false;
}

/* What y would be right, when it looks like class numbers where a row for each class is wanted. */
static const char *remedy_for(const krti_scoring *s)
{
    const krt_shape y = s->y_true->shape, output = s->y_pred->shape;
    const bool is_number = y.rank == output.rank - 1 || (y.rank > 0 && y.dim[y.rank - 1] == 1);

    return is_number ? "class numbers want sparse_categorical_crossentropy"
                     : "give y a value for each of the output's";
}

bool krti_scores_fit(krti_scoring *s)
{
    if (s->y_true == NULL || s->y_pred == NULL)
        return false;
    const krt_shape a = s->y_true->shape, b = s->y_pred->shape;
    bool fits = a.rank == b.rank;

    for (int i = 0; fits && i < a.rank; i++)
        fits = a.dim[i] == b.dim[i] || (i > 0 && (a.dim[i] == 1 || b.dim[i] == 1));
    return fits || refuse_shapes(s, "y does not have the shape of the output", remedy_for(s));
}

static bool same_shape(krti_scoring *s)
{
    if (s->y_true == NULL || s->y_pred == NULL)
        return false;
    return krt_shape_equal(s->y_true->shape, s->y_pred->shape) ||
           refuse_shapes(s, "Arguments `target` and `output` must have the same shape",
                         remedy_for(s));
}

/* What went into a softmax or sigmoid at the very end; NULL: there is none, or it is not asked for.
 * Keras notes the logits of either, and takes them for whichever crossentropy comes. */
static krt_value *behind(const krti_scoring *s)
{
    const bool is_softmax = krti_is(s->y_pred, &krti_op_softmax);

    if (!s->looks_through || (!is_softmax && !krti_is(s->y_pred, &krti_op_sigmoid)))
        return NULL;
    if (is_softmax && s->y_pred->node->attrs.axis.axis != s->y_pred->shape.rank - 1)
        return NULL;
    return s->y_pred->node->in[0];
}

static krt_value *logits_of(const krti_scoring *s, bool from_logits)
{
    krt_value *logits = behind(s);

    return logits == NULL && from_logits ? s->y_pred : logits;
}

static krt_value *smooth(krti_graph *g, krt_value *y_true, double smoothing, double classes)
{
    return smoothing == 0 ? y_true : scale(g, y_true, 1 - smoothing, smoothing / classes);
}

/* The class axis last. */
static krt_value *class_last(krti_graph *g, krt_value *x, int64_t axis)
{
    int perm[KRT_MAX_RANK];

    if (x == NULL)
        return NULL;
    const int rank = x->shape.rank, at = (int)(axis < 0 ? axis + rank : axis);
    if (at == rank - 1)
        return x;
    if (at < 0 || at >= rank)
        return krti_graph_fail(g, KRT_E_INVALID, "axis %lld is outside rank %d", (long long)axis,
                               rank);
    for (int i = 0, next = 0; i < rank; i++)
        if (i != at)
            perm[next++] = i;
    perm[rank - 1] = at;
    return krti_transpose(g, x, perm);
}

/* ------------------------------------------------------------------------------- binary */

/* target * log(output) + (1 - target) * log(1 - output), turned. */
static krt_value *binary_of(krti_graph *g, krt_value *target, krt_value *output)
{
    krt_value *p = clip_epsilon(g, output);
    krt_value *hit = krti_multiply(g, target, krti_log(g, p));
    krt_value *miss = krti_multiply(g, scale(g, target, -1, 1), krti_log(g, scale(g, p, -1, 1)));

    return krti_negative(g, krti_add(g, hit, miss));
}

/* max(x, 0) - x z + log(1 + exp(-|x|)), which is softplus(x) - x z. */
static krt_value *binary_of_logits(krti_graph *g, krt_value *target, krt_value *logits)
{
    return krti_subtract(g, krti_softplus(g, logits), krti_multiply(g, logits, target));
}

krt_value *krti_score_binary_crossentropy(krti_scoring *s)
{
    const krt_crossentropy_args *a = s->args;
    krti_graph *g = s->g;
    const int axis = (int)a->axis;

    if (!same_shape(s))
        return NULL;
    krt_value *y = smooth(g, s->y_true, a->label_smoothing, 2);
    krt_value *logits = logits_of(s, a->from_logits);
    krt_value *each = logits != NULL ? binary_of_logits(g, y, logits) : binary_of(g, y, s->y_pred);
    return krti_reduce_mean(g, each, &axis, 1, false);
}

krt_value *krti_score_binary_focal_crossentropy(krti_scoring *s)
{
    const krt_binary_focal_crossentropy_args *a = s->args;
    krti_graph *g = s->g;
    const int axis = (int)a->axis;

    if (!same_shape(s))
        return NULL;
    krt_value *y = smooth(g, s->y_true, a->label_smoothing, 2);
    krt_value *p = a->from_logits ? krti_sigmoid(g, s->y_pred) : s->y_pred;
    krt_value *logits = a->from_logits && s->looks_through ? s->y_pred : behind(s);
    krt_value *bce = logits != NULL ? binary_of_logits(g, y, logits) : binary_of(g, y, p);
    krt_value *not_y = scale(g, y, -1, 1);
    krt_value *p_t =
        krti_add(g, krti_multiply(g, y, p), krti_multiply(g, not_y, scale(g, p, -1, 1)));
    krt_value *focal =
        krti_multiply(g, krti_power_scalar(g, scale(g, p_t, -1, 1), a->gamma, 0, 0), bce);
    if (a->apply_class_balancing)
        focal = krti_multiply(
            g, krti_add(g, scale(g, y, a->alpha, 0), scale(g, not_y, 1 - a->alpha, 0)), focal);
    return krti_reduce_mean(g, focal, &axis, 1, false);
}

/* ------------------------------------------------------------------------------- categorical */

krt_value *krti_score_categorical_crossentropy(krti_scoring *s)
{
    const krt_crossentropy_args *a = s->args;
    krti_graph *g = s->g;

    if (!same_shape(s))
        return NULL;
    const double classes = (double)s->y_true->shape.dim[s->y_true->shape.rank - 1];
    krt_value *y = class_last(g, smooth(g, s->y_true, a->label_smoothing, classes), a->axis);
    krt_value *logits = logits_of(s, a->from_logits);

    if (logits != NULL)
        return krti_softmax_crossentropy(g, class_last(g, logits, a->axis), y);
    krt_value *p = class_last(g, s->y_pred, a->axis);
    p = clip_epsilon(g, krti_divide(g, p, sum_over(g, p, -1, true)));
    return krti_negative(g, sum_over(g, krti_multiply(g, y, krti_log(g, p)), -1, false));
}

krt_value *krti_score_categorical_focal_crossentropy(krti_scoring *s)
{
    const krt_categorical_focal_crossentropy_args *a = s->args;
    krti_graph *g = s->g;

    if (!same_shape(s))
        return NULL;
    const double classes = (double)s->y_true->shape.dim[s->y_true->shape.rank - 1];
    krt_value *y = class_last(g, smooth(g, s->y_true, a->label_smoothing, classes), a->axis);
    krt_value *p = class_last(g, s->y_pred, a->axis);

    if (a->from_logits)
        p = krti_softmax(g, p, -1);
    p = clip_epsilon(g, krti_divide(g, p, sum_over(g, p, -1, true)));
    krt_value *cce = krti_multiply(g, krti_negative(g, y), krti_log(g, p));
    krt_value *factor = krti_power_scalar(g, scale(g, p, -1, 1), a->gamma, 0, 0);
    return sum_over(g, krti_multiply(g, scale(g, factor, a->alpha, 0), cce), -1, false);
}

/* Class numbers in the shape of the prediction without its last axis. */
static krt_value *class_numbers(krti_scoring *s, krt_value *y, krt_value *y_pred)
{
    if (y == NULL || y_pred == NULL)
        return NULL;
    const int rank = y_pred->shape.rank;
    bool fits = rank >= 1;

    if (y->shape.rank == rank && rank > 0 && y->shape.dim[rank - 1] == 1)
        y = krti_squeeze(s->g, y, (const int[]){-1}, 1);
    fits = fits && y != NULL && y->shape.rank == rank - 1;
    for (int i = 0; fits && i < rank - 1; i++)
        fits = y->shape.dim[i] == y_pred->shape.dim[i];
    if (fits)
        return y;
    (void)refuse_shapes(s,
                        "Arguments `target` and `output` must have the same shape up until the "
                        "last dimension",
                        y != NULL && krt_shape_equal(y->shape, y_pred->shape)
                            ? "one-hot rows want categorical_crossentropy"
                            : "give y a class number for each row of the output");
    return NULL;
}

krt_value *krti_score_sparse_categorical_crossentropy(krti_scoring *s)
{
    const krt_sparse_categorical_crossentropy_args *a = s->args;
    krti_graph *g = s->g;
    krt_value *logits = logits_of(s, a->from_logits), *zero = NULL;

    if (a->ignore_class != KRT_NONE) /* where() stands between Keras and the softmax */
        logits = a->from_logits ? s->y_pred : NULL;
    krt_value *p = class_last(g, logits != NULL ? logits : s->y_pred, a->axis);
    krt_value *y = class_numbers(s, s->y_true, p);
    if (a->ignore_class != KRT_NONE) {
        zero = krti_scalar(g, 0);
        s->mask = krti_not_equal(g, y, krti_scalar(g, (double)a->ignore_class));
        y = krti_where(g, s->mask, y, zero);
        p = krti_where(g, krti_expand_dims(g, s->mask, -1), p, zero);
    }
    if (logits == NULL && !s->looks_through && p != NULL) /* JAX's way */
        p = krti_divide(g, p, sum_over(g, p, -1, true));
    if (logits == NULL)
        p = krti_log(g, clip_epsilon(g, p));
    krt_value *each = krti_sparse_softmax_crossentropy(g, p, krti_cast(g, y, KRT_INT32));
    return s->mask != NULL ? krti_where(g, s->mask, each, zero) : each;
}

krt_value *krti_score_categorical_generalized_cross_entropy(krti_scoring *s)
{
    const krt_categorical_generalized_cross_entropy_args *a = s->args;
    krti_graph *g = s->g;
    krt_value *y = class_numbers(s, s->y_true, s->y_pred);

    if (y == NULL)
        return NULL;
    const int64_t classes = s->y_pred->shape.dim[s->y_pred->shape.rank - 1];
    krt_value *rows = krti_one_hot(g, krti_cast(g, y, KRT_INT32), classes, -1, KRT_FLOAT32);
    krt_value *p = sum_over(g, krti_multiply(g, s->y_pred, rows), -1, false);
    return scale(g, krti_power_scalar(g, p, a->q, 0, 0), -1 / a->q, 1 / a->q);
}

/* ------------------------------------------------------------------------------- hinges */

/* Labels of 0 and 1 become -1 and 1. */
static krt_value *hinge_labels(krti_graph *g, krt_value *y)
{
    krt_value *is_bit = krti_logical_or(g, krti_equal(g, y, krti_scalar(g, 0)),
                                        krti_equal(g, y, krti_scalar(g, 1)));

    return krti_where(g, krti_reduce_all(g, is_bit, NULL, 0, false), scale(g, y, 2, -1), y);
}

static krt_value *hinge_of(krti_scoring *s)
{
    krti_graph *g = s->g;

    if (!krti_scores_fit(s))
        return NULL;
    krt_value *product = krti_multiply(g, hinge_labels(g, s->y_true), s->y_pred);
    return krti_maximum(g, scale(g, product, -1, 1), krti_scalar(g, 0));
}

krt_value *krti_score_hinge(krti_scoring *s)
{
    return last_mean(s->g, hinge_of(s));
}

krt_value *krti_score_squared_hinge(krti_scoring *s)
{
    return last_mean(s->g, krti_square(s->g, hinge_of(s)));
}

krt_value *krti_score_categorical_hinge(krti_scoring *s)
{
    krti_graph *g = s->g;

    if (!krti_scores_fit(s))
        return NULL;
    krt_value *pos = sum_over(g, krti_multiply(g, s->y_true, s->y_pred), -1, false);
    krt_value *neg = krti_reduce_max(g, krti_multiply(g, scale(g, s->y_true, -1, 1), s->y_pred),
                                     (const int[]){-1}, 1, false);
    return krti_maximum(g, scale(g, krti_subtract(g, neg, pos), 1, 1), krti_scalar(g, 0));
}

/* ------------------------------------------------------------------------------- errors */

krt_value *krti_score_mean_squared_error(krti_scoring *s)
{
    if (!krti_scores_fit(s))
        return NULL;
    return last_mean(s->g, krti_square(s->g, krti_subtract(s->g, s->y_true, s->y_pred)));
}

krt_value *krti_score_mean_absolute_error(krti_scoring *s)
{
    if (!krti_scores_fit(s))
        return NULL;
    return last_mean(s->g, krti_absolute(s->g, krti_subtract(s->g, s->y_true, s->y_pred)));
}

krt_value *krti_score_mean_absolute_percentage_error(krti_scoring *s)
{
    krti_graph *g = s->g;

    if (!krti_scores_fit(s))
        return NULL;
    krt_value *size =
        krti_maximum(g, krti_absolute(g, s->y_true), krti_scalar(g, (float)KRTI_EPSILON));
    krt_value *error = krti_divide(g, krti_subtract(g, s->y_true, s->y_pred), size);
    return scale(g, last_mean(g, krti_absolute(g, error)), 100, 0);
}

static krt_value *log_of(krti_graph *g, krt_value *x)
{
    return krti_log(g, scale(g, krti_maximum(g, x, krti_scalar(g, (float)KRTI_EPSILON)), 1, 1));
}

krt_value *krti_score_mean_squared_logarithmic_error(krti_scoring *s)
{
    krti_graph *g = s->g;

    if (!krti_scores_fit(s))
        return NULL;
    return last_mean(g,
                     krti_square(g, krti_subtract(g, log_of(g, s->y_pred), log_of(g, s->y_true))));
}

krt_value *krti_score_huber(krti_scoring *s)
{
    const double delta = ((const krt_huber_args *)s->args)->delta;
    krti_graph *g = s->g;

    if (!krti_scores_fit(s))
        return NULL;
    krt_value *error = krti_subtract(g, s->y_pred, s->y_true);
    krt_value *size = krti_absolute(g, error);
    krt_value *near = scale(g, krti_square(g, error), 0.5, 0);
    krt_value *far = scale(g, size, delta, -0.5 * delta * delta);
    return last_mean(g, krti_where(g, krti_less_equal(g, size, krti_scalar(g, delta)), near, far));
}

krt_value *krti_score_log_cosh(krti_scoring *s)
{
    krti_graph *g = s->g;

    if (!krti_scores_fit(s))
        return NULL;
    krt_value *x = krti_subtract(g, s->y_pred, s->y_true);
    krt_value *sum = krti_add(g, x, krti_softplus(g, scale(g, x, -2, 0)));
    return last_mean(g, scale(g, sum, 1, -0.69314718055994531));
}

krt_value *krti_score_kl_divergence(krti_scoring *s)
{
    krti_graph *g = s->g;

    if (!krti_scores_fit(s))
        return NULL;
    krt_value *y = krti_clip(g, s->y_true, (float)KRTI_EPSILON, 1, 0);
    krt_value *p = krti_clip(g, s->y_pred, (float)KRTI_EPSILON, 1, 0);
    return sum_over(g, krti_multiply(g, y, krti_log(g, krti_divide(g, y, p))), -1, false);
}

krt_value *krti_score_poisson(krti_scoring *s)
{
    krti_graph *g = s->g;

    if (!krti_scores_fit(s))
        return NULL;
    krt_value *log = krti_log(g, scale(g, s->y_pred, 1, (float)KRTI_EPSILON));
    return last_mean(g, krti_subtract(g, s->y_pred, krti_multiply(g, s->y_true, log)));
}

/* x * min(1 / sqrt(sum(x^2)), 1 / epsilon): keras.ops.normalize. */
static krt_value *unit(krti_graph *g, krt_value *x, int axis)
{
    krt_value *inverse = krti_rsqrt(g, sum_over(g, krti_square(g, x), axis, true));

    return krti_multiply(g, x, krti_minimum(g, inverse, krti_scalar(g, 1 / KRTI_EPSILON)));
}

krt_value *krti_score_cosine_similarity(krti_scoring *s)
{
    const int axis = (int)((const krt_cosine_similarity_args *)s->args)->axis;
    krti_graph *g = s->g;

    if (!krti_scores_fit(s))
        return NULL;
    krt_value *product = krti_multiply(g, unit(g, s->y_true, axis), unit(g, s->y_pred, axis));
    krt_value *sum = sum_over(g, product, axis, false);
    return s->is_metric ? sum : krti_negative(g, sum);
}

/* ------------------------------------------------------------------------------- overlaps */

static krt_value *sum_axes(krti_graph *g, krt_value *x, const krt_axes *axes)
{
    int axis[KRT_MAX_RANK];

    for (int i = 0; i < axes->n; i++)
        axis[i] = (int)axes->axis[i];
    return krti_reduce_sum(g, x, axis, axes->n, false);
}

krt_value *krti_score_dice(krti_scoring *s)
{
    const krt_axes *axes = &((const krt_dice_args *)s->args)->axis;
    krti_graph *g = s->g;

    if (!krti_scores_fit(s))
        return NULL;
    krt_value *both = scale(g, sum_axes(g, krti_multiply(g, s->y_true, s->y_pred), axes), 2, 0);
    krt_value *all = krti_add(g, sum_axes(g, s->y_true, axes), sum_axes(g, s->y_pred, axes));
    return scale(g, krti_divide(g, both, scale(g, all, 1, (float)KRTI_EPSILON)), -1, 1);
}

krt_value *krti_score_tversky(krti_scoring *s)
{
    const krt_tversky_args *a = s->args;
    krti_graph *g = s->g;

    if (!krti_scores_fit(s))
        return NULL;
    krt_value *both = sum_axes(g, krti_multiply(g, s->y_true, s->y_pred), &a->axis);
    krt_value *fp = sum_axes(g, krti_multiply(g, scale(g, s->y_pred, -1, 1), s->y_true), &a->axis);
    krt_value *fn = sum_axes(g, krti_multiply(g, s->y_pred, scale(g, s->y_true, -1, 1)), &a->axis);
    krt_value *all =
        krti_add(g, krti_add(g, both, scale(g, fp, a->alpha, 0)), scale(g, fn, a->beta, 0));
    return scale(g, krti_divide(g, both, scale(g, all, 1, (float)KRTI_EPSILON)), -1, 1);
}

/* ------------------------------------------------------------------------------- circle */

/* log(sum(exp(x))) over the last axis, where `on` is 1; -inf where none is. */
static krt_value *log_sum(krti_graph *g, krt_value *x, krt_value *on)
{
    krt_value *least = krti_scalar(g, -INFINITY);
    krt_value *kept = krti_where(g, on, x, least);
    krt_value *top = krti_reduce_max(g, kept, (const int[]){-1}, 1, true);
    krt_value *safe =
        krti_stop_gradient(g, krti_where(g, krti_isfinite(g, top), top, krti_scalar(g, 0)));
    krt_value *sum = sum_over(g, krti_exp(g, krti_subtract(g, kept, safe)), -1, false);
    return krti_add(g, krti_log(g, sum), krti_squeeze(g, safe, (const int[]){-1}, 1));
}

static krt_value *pair_weight(krti_graph *g, krt_value *x, krt_value *on)
{
    return krti_maximum(g, krti_multiply(g, x, krti_cast(g, on, KRT_FLOAT32)), krti_scalar(g, 0));
}

krt_value *krti_score_circle(krti_scoring *s)
{
    const krt_circle_args *a = s->args;
    krti_graph *g = s->g;

    if (s->y_pred == NULL || s->y_pred->shape.rank != 2)
        return krti_graph_fail(g, KRT_E_INVALID, "Circle wants embeddings of rank 2");
    krt_value *y = class_numbers(s, s->y_true, s->y_pred);
    if (y == NULL)
        return NULL;
    const int64_t n = s->y_pred->shape.dim[0];
    krt_value *distance =
        krti_maximum(g, scale(g, krti_matmul(g, s->y_pred, s->y_pred, false, true, NULL), -1, 1),
                     krti_scalar(g, 0));
    krt_value *same = krti_equal(g, krti_expand_dims(g, y, 1), krti_expand_dims(g, y, 0));
    krt_value *other = krti_logical_not(g, same);
    if (a->remove_diagonal) {
        krt_value *zeros = krti_scalar_of(g, KRT_INT32, 0);
        krt_value *ones =
            krti_broadcast_to(g, krti_scalar_of(g, KRT_INT32, 1), (krt_shape){1, {n}});
        krt_value *numbers = krti_cumsum(g, ones, 0, true, false);
        krt_value *diagonal = krti_one_hot(g, numbers, n, -1, KRT_INT32);

        same = krti_logical_and(g, same, krti_equal(g, diagonal, zeros));
    }
    krt_value *pos = pair_weight(g, scale(g, distance, 1, a->margin), same);
    krt_value *neg = pair_weight(g, scale(g, distance, -1, 1 + a->margin), other);
    pos = scale(g, krti_multiply(g, pos, scale(g, distance, -1, a->margin)), -a->gamma, 0);
    neg = scale(g, krti_multiply(g, neg, scale(g, distance, -1, 1 - a->margin)), a->gamma, 0);
    krt_value *loss = krti_softplus(g, krti_add(g, log_sum(g, pos, same), log_sum(g, neg, other)));
    s->mask = krti_greater(g, loss, krti_scalar(g, 0));
    return loss;
}
