/**
 * @file score_class.h
 * Losses and metrics of your own. Keras: functions, and subclasses of keras.losses.Loss and
 * keras.metrics.Metric, behind register_keras_serializable(). Promised within a minor version.
 *
 * Both are functions of y_true and y_pred, described with operations as a layer's call is
 * (sys/layer_class.h): inputs 0 and 1, float32, of one rank where the last axis of one is 1; output
 * 0 is a value a sample, of any shape. Reductions, weights and masks are Keras's and not your
 * concern; gradients follow from the description.
 *
 *     static krt_status log_cosh(const krt_layer *l, const void *args, krt_call *c)
 *     {
 *         krt_value *error = krt_op_subtract(c, krt_call_input(c, 1), krt_call_input(c, 0));
 *
 *         return krt_call_output(c, 0, krt_op_log(c, krt_op_cosh(c, error)));
 *     }
 *
 * Once registered the name works wherever Keras's own do: KRT_ID("package>Name"), an args struct,
 * KRT_COMPILE()'s lists, and the compile settings of files, in which both are saved as Keras saves
 * its custom objects.
 */
#ifndef KERATIN_SYS_SCORE_CLASS_H
#define KERATIN_SYS_SCORE_CLASS_H

#include "../training/metrics.h"
#include "op.h"

#ifdef __cplusplus
extern "C" {
#endif

/** The last entries of a loss's table; its args struct begins with KRT_LOSS_MEMBERS. */
#define KRT_LOSS_FIELDS(type) \
    KRT_FIELD(type, STRING, reduction), KRT_FIELD(type, STRING, name), KRT_FIELD_OF_DTYPE
/** The last entries of a metric's table; its args struct begins with KRT_METRIC_MEMBERS. */
#define KRT_METRIC_FIELDS(type) KRT_FIELD(type, STRING, name), KRT_FIELD_OF_DTYPE
#define KRT_FIELD_OF_DTYPE            \
    {                                 \
        "dtype", KRT_FIELD_IGNORED, 0 \
    }

/** Makes a loss known to this context: a class without `build` and `init`, whose `call` gets NULL for
 *  the layer. `cls` must outlive the context. Fails: E_EXISTS, E_INVALID. */
KRT_API krt_status krt_register_loss(krt_ctx *k, const krt_layer_class *cls);

/** A batch as a metric with state sees it: row major float32, in the shapes they were given. */
typedef struct krt_metric_batch {
    const float *y_true, *y_pred;
    krt_shape    true_shape, pred_shape;
    const float *weight; /**< one a row; NULL: all count the same */
} krt_metric_batch;

/** A metric: the mean of what `base.call` describes, or whatever `update` keeps in a few numbers. */
typedef struct krt_metric_class {
    krt_layer_class base; /**< its struct_size is sizeof(krt_metric_class) */
    /** Which values are better, for a callback's mode "auto": "up", "down"; NULL: it is asked for. */
    const char *direction;
    /** Instead of base.call: numbers that are 0 when an epoch begins. Keras: add_weight(). */
    size_t num_states;
    /** Keras: update_state(). */
    void (*update)(const void *args, float *states, const krt_metric_batch *batch);
    /** Keras: result(). */
    double (*result)(const void *args, const float *states);
} krt_metric_class;

/** Makes a metric known to this context. `cls` must outlive the context. Fails: E_EXISTS, E_INVALID. */
KRT_API krt_status krt_register_metric(krt_ctx *k, const krt_metric_class *cls);

#ifdef __cplusplus
}
#endif

#endif
