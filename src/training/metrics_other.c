/* F-scores, intersection over union, and R2. Keras: metrics/f_score_metrics.py, iou_metrics.py and
 * regression_metrics.py R2Score. */
#include "training/metric.h"

static krt_status want_rank_2(const krti_metric *m, krt_shape y_true, krt_shape y_pred)
{
    char a[160], b[160];

    if (y_true.rank == 2 && y_pred.rank == 2 && y_true.dim[1] == y_pred.dim[1])
        return KRT_OK;
    return krti_fail(m->k, KRT_E_INVALID, m->name,
                     "%s expects 2D inputs with shape (batch_size, output_dim). Received input "
                     "shapes: y_pred.shape=%s and y_true.shape=%s",
                     m->cls->base.name, krt_shape_print(y_pred, b, sizeof b),
                     krt_shape_print(y_true, a, sizeof a));
}

/* ------------------------------------------------------------------------------- F-scores */

static bool is_average(const krti_metric *m, const char *name)
{
    const char *average = ((const krt_fbeta_metric_args *)m->args)->average;

    return average != NULL && strcmp(average, name) == 0;
}

static krt_status build_fbeta(krti_metric *m, krt_shape y_true, krt_shape y_pred)
{
    static const char *const names[] = {"true_positives", "false_positives", "false_negatives",
                                        "intermediate_weights"};
    const krt_fbeta_metric_args *a = m->args;
    krt_status st = want_rank_2(m, y_true, y_pred);

    if (st == KRT_OK && a->average != NULL && !is_average(m, "micro") && !is_average(m, "macro") &&
        !is_average(m, "weighted"))
        st = krti_fail(m->k, KRT_E_INVALID, m->name,
                       "Invalid `average` argument value. Expected one of: None, 'micro', 'macro', "
                       "'weighted'. Received: average=%s",
                       a->average);
    if (st == KRT_OK && !(a->beta > 0))
        st = krti_fail(m->k, KRT_E_INVALID, m->name,
                       "Invalid `beta` argument value. It should be > 0. Received: beta=%g",
                       a->beta);
    if (st == KRT_OK && !isnan(a->threshold) && !(a->threshold > 0 && a->threshold <= 1))
        st = krti_fail(m->k, KRT_E_INVALID, m->name,
                       "Invalid `threshold` argument value. It should verify 0 < threshold <= 1. "
                       "Received: threshold=%g",
                       a->threshold);
    for (size_t i = 0; st == KRT_OK && i < KRTI_COUNT(names); i++)
        st = krti_metric_add_state(m, names[i], is_average(m, "micro") ? 1 : (size_t)y_pred.dim[1]);
    return st;
}

static krt_status check_fbeta(const krti_metric *m, krt_shape y_true, krt_shape y_pred)
{
    const bool fits = y_true.rank == 2 && krt_shape_equal(y_true, y_pred) &&
                      (m->states[0].n == 1 || (int64_t)m->states[0].n == y_pred.dim[1]);

    return fits ? KRT_OK : krti_metric_refuse(m, y_true, y_pred);
}

static float greatest(const float *row, int64_t n)
{
    float top = row[0];

    for (int64_t i = 1; i < n; i++)
        top = fmaxf(top, row[i]);
    return top;
}

static void update_fbeta(krti_metric *m, const krt_metric_batch *b)
{
    const krt_fbeta_metric_args *a = m->args;
    const int64_t n = b->pred_shape.dim[1];

    for (int64_t row = 0; row < b->pred_shape.dim[0]; row++) {
        const float *p = b->y_pred + row * n, *y = b->y_true + row * n;
        const float weight = b->weight != NULL ? b->weight[row] : 1;
        const float top = greatest(p, n);

        for (int64_t i = 0; i < n; i++) {
            const size_t at = m->states[0].n == 1 && n > 1 ? 0 : (size_t)i;
            const bool is_positive = isnan(a->threshold) ? p[i] >= top && fabsf(p[i]) > 1e-9f
                                                         : p[i] > (float)a->threshold;
            const float hit = is_positive ? 1 : 0;

            m->states[0].values[at] += weight * hit * y[i];
            m->states[1].values[at] += weight * hit * (1 - y[i]);
            m->states[2].values[at] += weight * (1 - hit) * y[i];
            m->states[3].values[at] += weight * y[i];
        }
    }
}

static size_t result_fbeta(const krti_metric *m, double *out, size_t room)
{
    const float epsilon = (float)KRTI_EPSILON;
    const float beta = (float)((const krt_fbeta_metric_args *)m->args)->beta;
    const size_t n = m->states[0].n;
    double sum = 0, weights = 0;

    for (size_t i = 0; i < n; i++) {
        const float tp = m->states[0].values[i];
        const float precision = tp / (tp + m->states[1].values[i] + epsilon);
        const float recall = tp / (tp + m->states[2].values[i] + epsilon);
        const float mean = precision * recall / (beta * beta * precision + recall + epsilon);
        const float score = mean * (1 + beta * beta);
        const double weight = is_average(m, "weighted") ? (double)m->states[3].values[i] : 1;

        if (i < room)
            out[i] = (double)score;
        sum += weight * (double)score;
        weights += weight;
    }
    if (((const krt_fbeta_metric_args *)m->args)->average == NULL)
        return n;
    out[0] = is_average(m, "weighted") ? sum / (weights + KRTI_EPSILON) : sum / weights;
    return 1;
}

/* ------------------------------------------------------------------------------- IoU */

enum { MOST_CLASSES = 1 << 12 };

static bool is_binary(const krti_metric *m)
{
    return strcmp(m->cls->base.name, "BinaryIoU") == 0;
}

static krt_status build_iou(krti_metric *m, krt_shape y_true, krt_shape y_pred)
{
    const krt_iou_metric_args *a = m->args;

    (void)y_true;
    (void)y_pred;
    if (a->num_classes < 1 || a->num_classes > MOST_CLASSES)
        return krti_fail(m->k, KRT_E_INVALID, m->name, "num_classes is %lld, expected 1 to %d",
                         (long long)a->num_classes, MOST_CLASSES);
    for (size_t i = 0; i < a->target_class_ids.n; i++)
        if (!(a->target_class_ids.items[i] >= 0 &&
              a->target_class_ids.items[i] < (double)a->num_classes))
            return krti_fail(m->k, KRT_E_INVALID, m->name,
                             "Target class id %g is out of range, which is [0, %lld)",
                             a->target_class_ids.items[i], (long long)a->num_classes);
    if (a->axis != -1)
        return krti_fail(m->k, KRT_E_UNSUPPORTED, m->name,
                         "axis %lld of %s; only the last axis is supported", (long long)a->axis,
                         m->cls->base.name);
    return krti_metric_add_state(m, "total_confusion_matrix",
                                 (size_t)(a->num_classes * a->num_classes));
}

static int64_t first_maximum(const float *row, int64_t n)
{
    int64_t at = 0;

    for (int64_t i = 1; i < n; i++)
        if (row[i] > row[at])
            at = i;
    return at;
}

/* The class of the i-th place: a number, or the greatest of a row. */
static int64_t class_at(const float *values, krt_shape shape, bool is_sparse, int64_t i)
{
    const int64_t n = shape.rank > 0 ? shape.dim[shape.rank - 1] : 1;

    return is_sparse ? (int64_t)values[i] : first_maximum(values + i * n, n);
}

/* Places with a class each, of labels or predictions. */
static int64_t num_places(krt_shape shape, bool is_sparse)
{
    const int64_t last = shape.rank > 0 ? shape.dim[shape.rank - 1] : 1;

    return is_sparse || last < 1 ? krt_shape_size(shape) : krt_shape_size(shape) / last;
}

static krt_status check_iou(const krti_metric *m, krt_shape y_true, krt_shape y_pred)
{
    const krt_iou_metric_args *a = m->args;
    const int64_t places = num_places(y_true, a->sparse_y_true);
    const bool fits = y_true.rank > 0 && places > 0 && y_true.dim[0] <= places &&
                      places == num_places(y_pred, is_binary(m) || a->sparse_y_pred);

    return fits ? KRT_OK : krti_metric_refuse(m, y_true, y_pred);
}

static void update_iou(krti_metric *m, const krt_metric_batch *b)
{
    const krt_iou_metric_args *a = m->args;
    const int64_t last = b->true_shape.rank > 0 ? b->true_shape.dim[b->true_shape.rank - 1] : 1;
    const int64_t size = krt_shape_size(b->true_shape);
    const int64_t places = a->sparse_y_true ? size : size / last;
    const int64_t rows = b->true_shape.dim[0];

    for (int64_t i = 0; i < places; i++) {
        const int64_t truth = class_at(b->y_true, b->true_shape, a->sparse_y_true, i);
        const int64_t found = is_binary(m)
                                  ? b->y_pred[i] >= (float)a->threshold
                                  : class_at(b->y_pred, b->pred_shape, a->sparse_y_pred, i);
        const float weight = b->weight != NULL ? truncf(b->weight[i / (places / rows)]) : 1;

        if (truth < 0 || truth >= a->num_classes || found < 0 || found >= a->num_classes)
            continue;
        if (a->ignore_class == KRT_NONE || truth != a->ignore_class)
            m->states[0].values[truth * a->num_classes + found] += weight;
    }
}

static size_t result_iou(const krti_metric *m, double *out, size_t room)
{
    const krt_iou_metric_args *a = m->args;
    const size_t n = (size_t)a->num_classes, wanted = a->target_class_ids.n;
    const float *cm = m->states[0].values;
    double sum = 0, valid = 0;

    (void)room;
    for (size_t t = 0; t < (wanted > 0 ? wanted : n); t++) {
        const size_t c = wanted > 0 ? (size_t)a->target_class_ids.items[t] : t;
        double row = 0, column = 0;

        for (size_t i = 0; i < n; i++) {
            row += (double)cm[c * n + i];
            column += (double)cm[i * n + c];
        }
        const double hit = (double)cm[c * n + c], all = row + column - hit;
        if (all > 1e-9) {
            sum += hit / (all + KRTI_EPSILON);
            valid += 1;
        }
    }
    out[0] = sum / (valid + KRTI_EPSILON);
    return 1;
}

/* ------------------------------------------------------------------------------- R2 */

enum { SAMPLES, SQUARES, SUM, RESIDUAL, COUNT };

static krt_status build_r2(krti_metric *m, krt_shape y_true, krt_shape y_pred)
{
    static const char *const names[] = {"num_samples", "squared_sum", "sum", "residual", "count"};
    const krt_r2_score_args *a = m->args;
    krt_status st = KRT_OK;

    if (y_true.rank == 1 && y_pred.rank == 2 && y_pred.dim[1] == 1)
        y_true = y_pred;
    st = want_rank_2(m, y_true, y_pred);
    if (st == KRT_OK && a->class_aggregation != NULL &&
        strcmp(a->class_aggregation, "uniform_average") != 0 &&
        strcmp(a->class_aggregation, "variance_weighted_average") != 0)
        st = krti_fail(m->k, KRT_E_INVALID, m->name,
                       "Invalid value for argument `class_aggregation`. Expected one of (None, "
                       "'uniform_average', 'variance_weighted_average'). Received: "
                       "class_aggregation=%s",
                       a->class_aggregation);
    if (st == KRT_OK && a->num_regressors < 0)
        st = krti_fail(m->k, KRT_E_INVALID, m->name,
                       "Invalid value for argument `num_regressors`. Expected a value >= 0. "
                       "Received: num_regressors=%lld",
                       (long long)a->num_regressors);
    for (size_t i = 0; st == KRT_OK && i < KRTI_COUNT(names); i++)
        st = krti_metric_add_state(m, names[i], i == SAMPLES ? 1 : (size_t)y_pred.dim[1]);
    return st;
}

static krt_status check_r2(const krti_metric *m, krt_shape y_true, krt_shape y_pred)
{
    const bool fits = y_pred.rank == 2 && krt_shape_size(y_true) == krt_shape_size(y_pred) &&
                      (int64_t)m->states[SUM].n == y_pred.dim[1];

    return fits ? KRT_OK : krti_metric_refuse(m, y_true, y_pred);
}

static void update_r2(krti_metric *m, const krt_metric_batch *b)
{
    const int64_t n = b->pred_shape.dim[1];

    for (int64_t row = 0; row < b->pred_shape.dim[0]; row++) {
        const float weight = b->weight != NULL ? b->weight[row] : 1;

        for (int64_t i = 0; i < n; i++) {
            const float y = b->y_true[row * n + i], error = y - b->y_pred[row * n + i];

            m->states[SUM].values[i] += y * weight;
            m->states[SQUARES].values[i] += y * y * weight;
            m->states[RESIDUAL].values[i] += error * error * weight;
            m->states[COUNT].values[i] += weight;
        }
    }
    m->states[SAMPLES].values[0] += (float)krt_shape_size(b->pred_shape);
}

static double adjusted(const krti_metric *m, double score)
{
    const double p = (double)((const krt_r2_score_args *)m->args)->num_regressors;
    const double n = (double)m->states[SAMPLES].values[0];

    if (p == 0 || p >= n - 1)
        return score;
    return 1 - (1 - score) * (n - 1) / (n - p - 1);
}

static size_t result_r2(const krti_metric *m, double *out, size_t room)
{
    const char *how = ((const krt_r2_score_args *)m->args)->class_aggregation;
    const bool by_variance = how != NULL && strcmp(how, "variance_weighted_average") == 0;
    const size_t n = m->states[SUM].n;
    double sum = 0, weights = 0;

    for (size_t i = 0; i < n; i++) {
        const float all = m->states[SUM].values[i];
        const float total = m->states[SQUARES].values[i] - all * (all / m->states[COUNT].values[i]);
        const float raw = 1 - m->states[RESIDUAL].values[i] / total;
        const double score = isinf(raw) ? 0 : (double)raw;
        const double weight = by_variance ? (double)total : 1;

        if (how == NULL && i < room)
            out[i] = adjusted(m, score);
        sum += weight * score;
        weights += weight;
    }
    if (how == NULL)
        return n;
    out[0] = adjusted(m, sum / weights);
    return 1;
}

const krti_metric_rule krti_rule_fbeta = {check_fbeta, build_fbeta, update_fbeta, result_fbeta};
const krti_metric_rule krti_rule_iou = {check_iou, build_iou, update_iou, result_iou};
const krti_metric_rule krti_rule_r2 = {check_r2, build_r2, update_r2, result_r2};
