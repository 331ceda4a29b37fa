/* Metrics on a confusion matrix by threshold. Keras: metrics/confusion_metrics.py,
 * metrics/metrics_utils.py.
 *
 * A prediction is positive where it is greater than the threshold; thresholds that lie evenly are
 * found by division, as Keras does, which treats a prediction of exactly 0 or 1 alike. */
#include "training/metric.h"

#include <stdlib.h>

enum { TP, FP, TN, FN, NUM_KINDS };

/* Which variables a metric has, in Keras's order. */
typedef struct matrix {
    size_t n;          /* thresholds */
    float *thresholds; /* float32 as Keras compares */
    bool is_even, has_epsilon;
    int state_of[NUM_KINDS]; /* -1: not kept */
    int64_t top_k, class_id;
    bool multi_label, from_logits;
    size_t labels; /* columns of each state: 1 unless multi_label */
    const float *label_weights;
} matrix;

static const float negative_infinity = -1e10f; /* Keras's NEG_INF */

/* ------------------------------------------------------------------------------- thresholds */

/* numpy.allclose(thresholds, arange(n) / (n - 1), atol=1e-7) */
static bool lie_evenly(const double *thresholds, size_t n)
{
    if (n < 3)
        return false;
    for (size_t i = 0; i < n; i++) {
        const double even = (float)i / (float)(n - 1);

        if (fabs(thresholds[i] - even) > 1e-7 + 1e-5 * fabs(even))
            return false;
    }
    return true;
}

static krt_status take_thresholds(krti_metric *m, matrix *x, const krt_numbers *given,
                                  double fallback)
{
    const double alone[] = {fallback};
    const double *const items = given->n > 0 ? given->items : alone;

    x->n = given->n > 0 ? given->n : 1;
    x->thresholds = krti_arena_array(m->arena, x->n, sizeof *x->thresholds);
    if (x->thresholds == NULL)
        return KRT_E_NOMEM;
    for (size_t i = 0; i < x->n; i++) {
        if (given->n > 0 && !(items[i] >= 0 && items[i] <= 1))
            return krti_fail(m->k, KRT_E_INVALID, m->name,
                             "Threshold values must be in [0, 1]. Received: [%g]", items[i]);
        x->thresholds[i] = (float)items[i];
    }
    x->is_even = lie_evenly(items, x->n);
    return KRT_OK;
}

/* 0, 1 / (n - 1), ..., 1; the ends moved out by `epsilon`. */
static krt_status even_thresholds(krti_metric *m, matrix *x, int64_t n, double epsilon)
{
    enum { MOST = 1 << 20 };

    if (n < 1 || n > MOST)
        return krti_fail(m->k, KRT_E_INVALID, m->name,
                         "Argument `num_thresholds` must be an integer > 0. Received: "
                         "num_thresholds=%lld",
                         (long long)n);
    x->n = (size_t)n;
    x->thresholds = krti_arena_array(m->arena, x->n, sizeof *x->thresholds);
    if (x->thresholds == NULL)
        return KRT_E_NOMEM;
    for (size_t i = 0; i < x->n; i++)
        x->thresholds[i] = (float)((double)i / (double)(n - 1));
    if (n == 1) {
        x->thresholds[0] = 0.5f;
        return KRT_OK;
    }
    x->thresholds[0] = (float)-epsilon;
    x->thresholds[x->n - 1] = (float)(1 + epsilon);
    x->is_even = true;
    x->has_epsilon = epsilon > 0;
    return KRT_OK;
}

/* ------------------------------------------------------------------------------- building */

static matrix *new_matrix(krti_metric *m)
{
    matrix *x = krti_arena_alloc(m->arena, sizeof *x);

    if (x == NULL)
        return NULL;
    for (int i = 0; i < NUM_KINDS; i++)
        x->state_of[i] = -1;
    x->top_k = x->class_id = KRT_NONE;
    x->labels = 1;
    m->extra = x;
    return x;
}

static krt_status keep(krti_metric *m, int kind, const char *name)
{
    matrix *x = m->extra;

    x->state_of[kind] = m->num_states;
    return krti_metric_add_state(m, name, x->n * x->labels);
}

static krt_status check_class(const krti_metric *m, int64_t class_id)
{
    const krt_shape p = m->y_pred;

    if (class_id == KRT_NONE)
        return KRT_OK;
    if (p.rank < 2)
        return krti_fail(m->k, KRT_E_INVALID, m->name,
                         "When class_id is provided, y_pred must be a 2D array with shape "
                         "(num_samples, num_classes), found rank %d",
                         p.rank);
    if (class_id < 0 || class_id >= p.dim[p.rank - 1])
        return krti_fail(m->k, KRT_E_INVALID, m->name, "class_id %lld is outside [0, %lld)",
                         (long long)class_id, (long long)p.dim[p.rank - 1]);
    return KRT_OK;
}

static krt_status check_shapes(const krti_metric *m, krt_shape y_true, krt_shape y_pred)
{
    const matrix *x = m->extra;
    const int64_t last = y_pred.rank > 0 ? y_pred.dim[y_pred.rank - 1] : 0;
    const bool fits = y_pred.rank > 0 && krt_shape_size(y_true) == krt_shape_size(y_pred) &&
                      (x->class_id == KRT_NONE || x->class_id < last) &&
                      (!x->multi_label || (int64_t)x->labels == last);

    return fits ? KRT_OK : krti_metric_refuse(m, y_true, y_pred);
}

static krt_status begin_counts(krti_metric *m)
{
    const krt_confusion_metric_args *a = m->args;
    matrix *x = new_matrix(m);
    krt_status st = x != NULL ? KRT_OK : KRT_E_NOMEM;

    if (st == KRT_OK)
        st = take_thresholds(m, x, &a->thresholds,
                             a->top_k == KRT_NONE ? 0.5 : (double)negative_infinity);
    if (st == KRT_OK)
        st = check_class(m, a->class_id);
    if (st == KRT_OK) {
        x->top_k = a->top_k;
        x->class_id = a->class_id;
    }
    return st;
}

static krt_status build_count(krti_metric *m, int kind)
{
    const krt_status st = begin_counts(m);

    return st == KRT_OK ? keep(m, kind, "accumulator") : st;
}

static krt_status build_tp(krti_metric *m, krt_shape y_true, krt_shape y_pred)
{
    (void)y_true;
    (void)y_pred;
    return build_count(m, TP);
}

static krt_status build_tn(krti_metric *m, krt_shape y_true, krt_shape y_pred)
{
    (void)y_true;
    (void)y_pred;
    return build_count(m, TN);
}

static krt_status build_fp(krti_metric *m, krt_shape y_true, krt_shape y_pred)
{
    (void)y_true;
    (void)y_pred;
    return build_count(m, FP);
}

static krt_status build_fn(krti_metric *m, krt_shape y_true, krt_shape y_pred)
{
    (void)y_true;
    (void)y_pred;
    return build_count(m, FN);
}

static krt_status build_precision(krti_metric *m, krt_shape y_true, krt_shape y_pred)
{
    krt_status st = begin_counts(m);

    (void)y_true;
    (void)y_pred;
    if (st == KRT_OK)
        st = keep(m, TP, "true_positives");
    return st == KRT_OK ? keep(m, FP, "false_positives") : st;
}

static krt_status build_recall(krti_metric *m, krt_shape y_true, krt_shape y_pred)
{
    krt_status st = begin_counts(m);

    (void)y_true;
    (void)y_pred;
    if (st == KRT_OK)
        st = keep(m, TP, "true_positives");
    return st == KRT_OK ? keep(m, FN, "false_negatives") : st;
}

static krt_status keep_all(krti_metric *m)
{
    krt_status st = keep(m, TP, "true_positives");

    if (st == KRT_OK)
        st = keep(m, FP, "false_positives");
    if (st == KRT_OK)
        st = keep(m, TN, "true_negatives");
    return st == KRT_OK ? keep(m, FN, "false_negatives") : st;
}

static krt_status build_at_point(krti_metric *m, krt_shape y_true, krt_shape y_pred)
{
    const krt_at_point_metric_args *a = m->args;
    matrix *x = new_matrix(m);
    krt_status st = x != NULL ? KRT_OK : KRT_E_NOMEM;

    (void)y_true;
    (void)y_pred;
    if (st == KRT_OK && !(a->value >= 0 && a->value <= 1))
        st = krti_fail(m->k, KRT_E_INVALID, m->name,
                       "%s needs a value in the range [0, 1]. Received: %g", m->cls->base.name,
                       a->value);
    if (st == KRT_OK)
        st = even_thresholds(m, x, a->num_thresholds, 0);
    if (st == KRT_OK)
        st = check_class(m, a->class_id);
    if (st != KRT_OK)
        return st;
    x->class_id = a->class_id;
    return keep_all(m);
}

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Thresholds of the caller's: sorted, with one before and one behind. */
static krt_status given_thresholds(krti_metric *m, matrix *x, const krt_numbers *given)
{
    const size_t n = given->n + 2;
    double *sorted = krti_arena_array(m->arena, n, sizeof *sorted);

    x->thresholds = krti_arena_array(m->arena, n, sizeof *x->thresholds);
    if (sorted == NULL || x->thresholds == NULL)
        return KRT_E_NOMEM;
    x->n = n;
    memcpy(sorted + 1, given->items, given->n * sizeof *sorted);
    qsort(sorted + 1, given->n, sizeof *sorted, compare_doubles);
    sorted[0] = 0;
    sorted[n - 1] = 1;
    x->is_even = lie_evenly(sorted, n);
    x->has_epsilon = true;
    for (size_t i = 0; i < n; i++)
        x->thresholds[i] = (float)sorted[i];
    x->thresholds[0] = (float)-KRTI_EPSILON;
    x->thresholds[n - 1] = (float)(1 + KRTI_EPSILON);
    return KRT_OK;
}

static krt_status check_auc(krti_metric *m, const krt_auc_args *a)
{
    static const char *const curves[] = {"ROC", "roc", "PR", "pr", "PRGAIN", "prgain"};
    static const char *const methods[] = {"interpolation", "Interpolation", "majoring",
                                          "Majoring",      "minoring",      "Minoring"};
    bool known = false;

    for (size_t i = 0; a->curve != NULL && i < KRTI_COUNT(curves); i++)
        known = known || strcmp(a->curve, curves[i]) == 0;
    if (!known)
        return krti_fail(m->k, KRT_E_INVALID, m->name,
                         "Invalid AUC curve value: \"%s\". Expected values are [\"PR\", \"ROC\", "
                         "\"PRGAIN\"]",
                         a->curve != NULL ? a->curve : "None");
    known = false;
    for (size_t i = 0; a->summation_method != NULL && i < KRTI_COUNT(methods); i++)
        known = known || strcmp(a->summation_method, methods[i]) == 0;
    if (!known)
        return krti_fail(m->k, KRT_E_INVALID, m->name,
                         "Invalid AUC summation method value: \"%s\". Expected values are "
                         "[\"interpolation\", \"majoring\", \"minoring\"]",
                         a->summation_method != NULL ? a->summation_method : "None");
    return KRT_OK;
}

static krt_status check_labels(krti_metric *m, const krt_auc_args *a, krt_shape y_pred)
{
    const bool is_given = a->num_labels != KRT_NONE && a->num_labels != 0;

    if (a->multi_label && y_pred.rank != 2)
        return krti_fail(m->k, KRT_E_INVALID, m->name,
                         "`y_pred` must have rank 2 when `multi_label=True`. Found rank %d",
                         y_pred.rank);
    if (is_given && !a->multi_label)
        return krti_fail(m->k, KRT_E_INVALID, m->name,
                         "`num_labels` is needed only when `multi_label` is True.");
    if (is_given && a->num_labels != y_pred.dim[1])
        return krti_fail(m->k, KRT_E_INVALID, m->name,
                         "num_labels is %lld, but `y_pred` has %lld labels",
                         (long long)a->num_labels, (long long)y_pred.dim[1]);
    return KRT_OK;
}

static krt_status build_auc(krti_metric *m, krt_shape y_true, krt_shape y_pred)
{
    const krt_auc_args *a = m->args;
    matrix *x = new_matrix(m);
    float *weights = NULL;
    krt_status st = x != NULL ? KRT_OK : KRT_E_NOMEM;

    (void)y_true;
    if (st != KRT_OK)
        return st;
    TRY(check_auc(m, a));
    TRY(check_labels(m, a, y_pred));
    TRY(a->thresholds.n > 0 ? given_thresholds(m, x, &a->thresholds)
                            : even_thresholds(m, x, a->num_thresholds, KRTI_EPSILON));
    x->multi_label = a->multi_label;
    x->from_logits = a->from_logits;
    if (a->multi_label)
        x->labels = (size_t)y_pred.dim[1];
    const int64_t columns = y_pred.rank > 0 ? y_pred.dim[y_pred.rank - 1] : 1;
    if (a->label_weights.n > 0 && (int64_t)a->label_weights.n != columns)
        TRY(krti_fail(m->k, KRT_E_INVALID, m->name, "%zu label_weights for %lld labels",
                      a->label_weights.n, (long long)columns));
    if (a->label_weights.n > 0) {
        weights = krti_arena_array(m->arena, a->label_weights.n, sizeof *weights);
        if (weights == NULL)
            TRY(KRT_E_NOMEM);
        for (size_t i = 0; i < a->label_weights.n; i++)
            weights[i] = (float)a->label_weights.items[i];
        x->label_weights = weights;
    }
    TRY(keep_all(m));

done:
    return st;
}

/* ------------------------------------------------------------------------------- counting */

static void count_one(krti_metric *m, int kind, size_t threshold, size_t label, float weight)
{
    const matrix *x = m->extra;
    const int state = x->state_of[kind];

    if (state >= 0)
        m->states[state].values[threshold * x->labels + label] += weight;
}

/* One prediction against every threshold. */
static void count(krti_metric *m, bool truth, float p, float weight, size_t label)
{
    const matrix *x = m->extra;
    size_t positive = 0; /* thresholds before this one are exceeded */

    if (x->is_even) {
        const float clipped = p < 0 ? 0 : p > 1 ? 1 : p;
        float bucket = ceilf(clipped * (float)(x->n - 1)) - 1;

        if (x->has_epsilon && bucket < 0)
            bucket = 0;
        positive = bucket < 0 ? 0 : (size_t)bucket + 1;
    }
    for (size_t i = 0; i < x->n; i++) {
        const bool is_positive = x->is_even ? i < positive : p > x->thresholds[i];

        count_one(m, truth ? (is_positive ? TP : FN) : (is_positive ? FP : TN), i, label, weight);
    }
}

/* Whether a score is among the k greatest of its row; of equal ones the first counts. */
static bool is_among(const float *row, int64_t n, int64_t at, int64_t k)
{
    int64_t before = 0;

    for (int64_t i = 0; i < n; i++)
        before += row[i] > row[at] || (row[i] == row[at] && i < at);
    return before < k;
}

static void update(krti_metric *m, const krt_metric_batch *b)
{
    const matrix *x = m->extra;
    const int64_t total = krt_shape_size(b->pred_shape);
    const int rank = b->pred_shape.rank;
    const int64_t last = rank > 1 ? b->pred_shape.dim[rank - 1] : 1;
    const int64_t rows = b->pred_shape.dim[0], a_row = rows > 0 ? total / rows : 0;

    for (int64_t i = 0; i < total; i++) {
        const int64_t column = i % last;
        float p = b->y_pred[i];
        float weight = b->weight != NULL ? b->weight[i / a_row] : 1;

        if (x->class_id != KRT_NONE && column != x->class_id)
            continue;
        if (x->from_logits)
            p = 1 / (1 + expf(-p));
        if (x->top_k != KRT_NONE && !is_among(b->y_pred + (i - column), last, column, x->top_k))
            p = negative_infinity;
        if (x->label_weights != NULL && !x->multi_label)
            weight *= x->label_weights[column];
        count(m, b->y_true[i] != 0, p, weight, x->multi_label ? (size_t)column : 0);
    }
}

/* ------------------------------------------------------------------------------- results */

static const float *kept(const krti_metric *m, int kind)
{
    const matrix *x = m->extra;

    return x->state_of[kind] >= 0 ? m->states[x->state_of[kind]].values : NULL;
}

static size_t count_result(const krti_metric *m, double *out, size_t room)
{
    for (size_t i = 0; i < m->states[0].n && i < room; i++)
        out[i] = (double)m->states[0].values[i];
    return m->states[0].n;
}

static float ratio(const float *part, const float *rest, size_t i)
{
    return krti_divide_no_nan(part[i], part[i] + rest[i]);
}

static size_t ratio_result(const krti_metric *m, double *out, size_t room)
{
    const float *part = m->states[0].values, *rest = m->states[1].values;

    for (size_t i = 0; i < m->states[0].n && i < room; i++)
        out[i] = (double)ratio(part, rest, i);
    return m->states[0].n;
}

/* The greatest `wanted` where `constrained` reaches the value. */
static size_t best_at(const krti_metric *m, double *out, const int constrained[2],
                      const int wanted[2])
{
    const double value = ((const krt_at_point_metric_args *)m->args)->value;
    float best = 0;

    for (size_t i = 0; i < m->states[0].n; i++) {
        const float c = ratio(kept(m, constrained[0]), kept(m, constrained[1]), i);
        const float w = ratio(kept(m, wanted[0]), kept(m, wanted[1]), i);

        if (c >= (float)value && w > best)
            best = w;
    }
    out[0] = (double)best;
    return 1;
}

static const int sensitivity[2] = {TP, FN}, specificity[2] = {TN, FP}, precision[2] = {TP, FP};

static size_t result_sensitivity(const krti_metric *m, double *out, size_t room)
{
    (void)room;
    return best_at(m, out, specificity, sensitivity);
}

static size_t result_specificity(const krti_metric *m, double *out, size_t room)
{
    (void)room;
    return best_at(m, out, sensitivity, specificity);
}

static size_t result_precision_at(const krti_metric *m, double *out, size_t room)
{
    (void)room;
    return best_at(m, out, sensitivity, precision);
}

static size_t result_recall_at(const krti_metric *m, double *out, size_t room)
{
    (void)room;
    return best_at(m, out, precision, sensitivity);
}

/* ------------------------------------------------------------------------------- AUC */

/* One point of the curve. */
static void point(const krti_metric *m, char curve, size_t i, float *x, float *y)
{
    const float tp = kept(m, TP)[i], fp = kept(m, FP)[i], tn = kept(m, TN)[i], fn = kept(m, FN)[i];

    if (curve == 'R') {
        *x = krti_divide_no_nan(fp, fp + tn);
        *y = krti_divide_no_nan(tp, tp + fn);
    } else if (curve == 'P') {
        *x = krti_divide_no_nan(tp, tp + fn);
        *y = krti_divide_no_nan(tp, tp + fp);
    } else {
        const float factor = krti_divide_no_nan(tp + fn, tn + fp);

        *x = tp == 0 ? 0 : fmaxf(1 - factor * krti_divide_no_nan(fn, tp), 0);
        *y = tp == 0 ? 1 : 1 - factor * krti_divide_no_nan(fp, tp);
    }
}

/* Davis and Goadrich's interpolation between i and i + 1 (at `step` further in the states). */
static float pr_piece(const krti_metric *m, size_t i, size_t step)
{
    const float *tp = kept(m, TP), *fp = kept(m, FP), *fn = kept(m, FN);
    const size_t j = i + step;
    const float dtp = tp[i] - tp[j], p = tp[i] + fp[i], next = tp[j] + fp[j];
    const float slope = krti_divide_no_nan(dtp, fmaxf(p - next, 0));
    const float intercept = tp[j] - slope * next;
    const float safe = p > 0 && next > 0 ? krti_divide_no_nan(p, fmaxf(next, 0)) : 1;

    return krti_divide_no_nan(slope * (dtp + intercept * logf(safe)), fmaxf(tp[j] + fn[j], 0));
}

static float auc_of_label(const krti_metric *m, size_t label)
{
    const krt_auc_args *a = m->args;
    const matrix *mx = m->extra;
    const char method = a->summation_method[1]; /* i-n-, m-a-joring, m-i-noring */
    const bool is_roc = a->curve[0] == 'R' || a->curve[0] == 'r';
    const char curve = is_roc ? 'R' : strlen(a->curve) == 2 ? 'P' : 'G';
    float sum = 0;

    for (size_t i = 0; i + 1 < mx->n; i++) {
        const size_t at = i * mx->labels + label;
        float x0 = 0, y0 = 0, x1 = 0, y1 = 0;

        if (curve == 'P' && method == 'n') {
            sum += pr_piece(m, at, mx->labels);
            continue;
        }
        point(m, curve, at, &x0, &y0);
        point(m, curve, at + mx->labels, &x1, &y1);
        const float height = method == 'n'   ? (y0 + y1) / 2
                             : method == 'i' ? fminf(y0, y1)
                                             : fmaxf(y0, y1);
        sum += (x0 - x1) * height;
    }
    return sum;
}

static size_t result_auc(const krti_metric *m, double *out, size_t room)
{
    const matrix *x = m->extra;
    float sum = 0, weights = 0;

    (void)room;
    for (size_t i = 0; i < x->labels; i++) {
        const float w = x->label_weights != NULL && x->multi_label ? x->label_weights[i] : 1;

        sum += w * auc_of_label(m, i);
        weights += w;
    }
    out[0] = (double)krti_divide_no_nan(sum, weights);
    return 1;
}

/* ------------------------------------------------------------------------------- rules */

const krti_metric_rule krti_rule_true_positives = {check_shapes, build_tp, update, count_result};
const krti_metric_rule krti_rule_true_negatives = {check_shapes, build_tn, update, count_result};
const krti_metric_rule krti_rule_false_positives = {check_shapes, build_fp, update, count_result};
const krti_metric_rule krti_rule_false_negatives = {check_shapes, build_fn, update, count_result};
const krti_metric_rule krti_rule_precision = {check_shapes, build_precision, update, ratio_result};
const krti_metric_rule krti_rule_recall = {check_shapes, build_recall, update, ratio_result};
const krti_metric_rule krti_rule_sensitivity_at_specificity = {check_shapes, build_at_point, update,
                                                               result_sensitivity};
const krti_metric_rule krti_rule_specificity_at_sensitivity = {check_shapes, build_at_point, update,
                                                               result_specificity};
const krti_metric_rule krti_rule_precision_at_recall = {check_shapes, build_at_point, update,
                                                        result_precision_at};
const krti_metric_rule krti_rule_recall_at_precision = {check_shapes, build_at_point, update,
                                                        result_recall_at};
const krti_metric_rule krti_rule_auc = {check_shapes, build_auc, update, result_auc};
