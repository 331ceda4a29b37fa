/**
 * @file train.h
 * Training: compile, fit, evaluate, and the hooks of callbacks.
 * Keras: Model.compile(), fit(), evaluate(), train_on_batch(), keras.callbacks.Callback.
 *
 *     krt_compile(m, KRT_COMPILE(.optimizer = KRT_ADAM(), .loss = KRT_ID("mse"),
 *                                .metrics = KRT_SPECS(KRT_ID("mae"))));
 *     krt_fit(m, x, y, KRT_FIT(.epochs = 5, .validation_split = 0.2, .history = &h));
 */
#ifndef KERATIN_TRAIN_H
#define KERATIN_TRAIN_H

#include "models.h"
#include "training/losses.h"
#include "training/metrics.h"
#include "training/optimizers.h"
#include "training/schedules.h"

#ifdef __cplusplus
extern "C" {
#endif

/* --- compile --------------------------------------------------------------------------------- */

/** Where Keras takes a list, one entry an output or several for one: KRT_EACH(KRT_ID("mse"), ...). */
typedef struct krt_each_args {
    krt_spec  spec;
    krt_specs items;
} krt_each_args;
#define KRT_EACH(...) KRT_SPEC(krt_each_args, "list", .items = KRT_SPECS(__VA_ARGS__))

/** One entry of Keras's dict by output name; a KRT_EACH() of such is the dict. An output without a loss
 *  has NULL. */
typedef struct krt_for_args {
    krt_spec        spec;
    const char     *output;
    const krt_spec *item;
} krt_for_args;
#define KRT_FOR(output_name, ...) \
    KRT_SPEC(krt_for_args, "dict", .output = (output_name), .item = (__VA_ARGS__))

/** The arguments of krt_compile(). */
typedef struct krt_compile_args {
    size_t          struct_size;
    const krt_spec *optimizer;         /**< NULL: "rmsprop", as in Keras */
    const krt_spec *loss;              /**< NULL: none; one for all outputs, or KRT_EACH() */
    krt_numbers     loss_weights;      /**< none; one an output */
    krt_names       loss_weight_names; /**< none: in the outputs' order; else by output name */
    krt_specs       metrics;           /**< per output with KRT_EACH() or KRT_FOR() */
    krt_specs       weighted_metrics;  /**< the same, counting sample weights */
    bool            jit_compile;       /**< false; kept for files, always compiled here */
    const char     *backend; /**< NULL: "tensorflow", whose numbers are followed where Keras's
                                  backends differ; "jax": crossentropy of clipped probabilities */
} krt_compile_args;
#define KRT_COMPILE(...) KRT_ARGS(krt_compile_args, .backend = NULL, __VA_ARGS__)

/** Keras: model.compile(). A model loaded from a file is compiled as the file says; this replaces it.
 *  Fails: E_UNKNOWN_CLASS, E_INVALID (arguments Keras refuses), E_STATE, E_NOMEM; what building the
 *  model failed with. On failure the model is compiled as before. */
KRT_API krt_status krt_compile(krt_model *m, const krt_compile_args *args);
/** Whether there are compile settings, from krt_compile() or from a file. */
KRT_API bool krt_is_compiled(const krt_model *m);

/** Keras: model.optimizer.learning_rate; with a schedule the rate of the next step. Fails: E_STATE. */
KRT_API krt_status krt_learning_rate(krt_model *m, double *rate);
/** Keras: model.optimizer.learning_rate = rate. Fails: E_STATE; E_INVALID with a schedule. */
KRT_API krt_status krt_set_learning_rate(krt_model *m, double rate);
/** Keras: model.optimizer.iterations, steps done. Fails: E_STATE. */
KRT_API krt_status krt_iterations(krt_model *m, int64_t *iterations);

/* --- logs and history ------------------------------------------------------------------------ */

/** What Keras passes as `logs`: names sorted, values as of now. Borrowed for the length of the call. */
typedef struct krt_logs {
    size_t             n;
    const char *const *names;
    const double      *values;
} krt_logs;
/** False when there is no such name. NULL: allowed for both `logs` and `value`. */
KRT_API bool krt_logs_get(const krt_logs *logs, const char *name, double *value);

/** What fit() returns: a list of values for each name. */
typedef struct krt_history krt_history;
/** How many names, and the i-th: "loss", "accuracy", "val_loss". */
KRT_API size_t      krt_history_num(const krt_history *h);
KRT_API const char *krt_history_name(const krt_history *h, size_t i);
/** The values of a name, one an epoch it was reported in; NULL and *n 0 when unknown. */
KRT_API const double *krt_history_get(const krt_history *h, const char *name, size_t *n);
/** Keras: history.epoch, numbers from 0. */
KRT_API const int64_t *krt_history_epochs(const krt_history *h, size_t *n);
KRT_API void           krt_history_free(krt_history *h); /**< NULL: allowed */

/* --- callbacks ------------------------------------------------------------------------------- */

/** A callback in C: Keras's hooks under Keras's names; leave out what is unused. A hook that fails
 *  ends the training with its status. `epoch` and `batch` count from 0, as in Keras. */
typedef struct krt_callback_args {
    krt_spec spec;
    void    *user;
    krt_status (*on_train_begin)(void *user, krt_model *m, const krt_logs *logs);
    krt_status (*on_train_end)(void *user, krt_model *m, const krt_logs *logs);
    krt_status (*on_epoch_begin)(void *user, krt_model *m, int64_t epoch, const krt_logs *logs);
    krt_status (*on_epoch_end)(void *user, krt_model *m, int64_t epoch, const krt_logs *logs);
    krt_status (*on_train_batch_begin)(void *user, krt_model *m, int64_t batch,
                                       const krt_logs *logs);
    krt_status (*on_train_batch_end)(void *user, krt_model *m, int64_t batch, const krt_logs *logs);
    krt_status (*on_test_begin)(void *user, krt_model *m, const krt_logs *logs);
    krt_status (*on_test_end)(void *user, krt_model *m, const krt_logs *logs);
    krt_status (*on_test_batch_begin)(void *user, krt_model *m, int64_t batch,
                                      const krt_logs *logs);
    krt_status (*on_test_batch_end)(void *user, krt_model *m, int64_t batch, const krt_logs *logs);
    /* Of krt_predict_data(), without logs. */
    krt_status (*on_predict_begin)(void *user, krt_model *m, const krt_logs *logs);
    krt_status (*on_predict_end)(void *user, krt_model *m, const krt_logs *logs);
    krt_status (*on_predict_batch_begin)(void *user, krt_model *m, int64_t batch,
                                         const krt_logs *logs);
    krt_status (*on_predict_batch_end)(void *user, krt_model *m, int64_t batch,
                                       const krt_logs *logs);
} krt_callback_args;
#define KRT_CALLBACK(...) \
    KRT_SPEC(krt_callback_args, "Callback", .on_test_batch_end = NULL, __VA_ARGS__)

/** Keras: callback.params, for hooks while fit() or evaluate() runs. */
typedef struct krt_fit_params {
    int     verbose;
    int64_t epochs, initial_epoch;
    int64_t steps;      /**< batches an epoch; KRT_NONE while unknown */
    int64_t batch_size; /**< KRT_NONE for a source of batches */
} krt_fit_params;
/** NULL outside fit() and evaluate(). */
KRT_API const krt_fit_params *krt_params(const krt_model *m);
/** Keras: logs[name] = value, in on_epoch_end: what callbacks add stands behind the sorted names, and
 *  in the history. Fails: E_STATE outside of it, E_NOMEM. */
KRT_API krt_status krt_add_log(krt_model *m, const char *name, double value);
/** Keras: model.stop_training = True: training ends after this batch or epoch. */
KRT_API void krt_stop_training(krt_model *m);
/** The same from a signal handler or another thread: the batch under way is the last one, the epoch
 *  is not finished, and fit() ends with E_CANCELLED, its history whole. */
KRT_API void krt_request_stop(krt_model *m);

/* --- fit ------------------------------------------------------------------------------------- */

/** One array of a batch: row major, borrowed. */
typedef struct krt_array {
    krt_dtype   dtype;
    krt_shape   shape; /**< with the batch axis */
    const void *data;
} krt_array;

/** A batch as a source gives it: arrays in the order of the model's inputs and outputs. */
typedef struct krt_batch {
    size_t           num_x;
    const krt_array *x;
    size_t           num_y;
    const krt_array *y;
    size_t           num_weights; /**< 0, 1 for all outputs, or one an output */
    const krt_array *sample_weight;
} krt_batch;

/** A source of batches, Keras's generator. `next` fills *batch with arrays that stay as they are until
 *  the next call, sets *is_end instead when an epoch is over, and may fail. It is called from a
 *  thread of its own while the batch before is trained on, never twice at once, and must not touch the
 *  model or its context. */
typedef struct krt_source {
    size_t struct_size;
    krt_status (*next)(void *user, krt_batch *batch, bool *is_end);
    void   *user;
    int64_t steps; /**< batches an epoch if known, else KRT_NONE */
} krt_source;
#define KRT_SOURCE(...) KRT_ARGS(krt_source, .steps = KRT_NONE, .next = __VA_ARGS__)

/** Data for a model of several inputs or outputs, in the model's order, or a source of batches. */
typedef struct krt_data {
    size_t                   struct_size;
    size_t                   num_x;
    const krt_tensor *const *x;
    size_t                   num_y;
    const krt_tensor *const *y;
    size_t                   num_weights; /**< 0, 1 for all outputs, or one an output */
    const krt_tensor *const *sample_weight;
    const krt_source        *source; /**< NULL; else instead of all the above */
} krt_data;
#define KRT_DATA(...) KRT_ARGS(krt_data, .source = NULL, __VA_ARGS__)

/** The arguments of krt_fit(). */
typedef struct krt_fit_args {
    size_t            struct_size;
    int64_t           batch_size; /**< 32 */
    int64_t           epochs;     /**< 1 */
    int               verbose;    /**< 0; a library does not print unasked */
    krt_specs         callbacks;
    double            validation_split; /**< 0; the last part, taken before shuffling */
    const krt_tensor *validation_x, *validation_y, *validation_sample_weight;
    const krt_data   *validation;   /**< NULL; the same for several inputs and outputs */
    bool              shuffle;      /**< true: a new order of all rows each epoch */
    int64_t           shuffle_seed; /**< KRT_NONE: the model's, from the context's seed */
    krt_numbers       class_weight; /**< none; weights by class number, 1 beyond the list */
    const krt_tensor *sample_weight;
    int64_t           initial_epoch;    /**< 0 */
    int64_t           initial_batch;    /**< 0; batches of the first epoch that are done already */
    int64_t           steps_per_epoch;  /**< KRT_NONE: all batches */
    int64_t           validation_steps; /**< KRT_NONE: all batches */
    int64_t           validation_batch_size; /**< KRT_NONE: batch_size */
    int64_t           validation_freq;       /**< 1: after every epoch */
    krt_history     **history;               /**< out, optional; also filled when training fails */
    krt_numbers       validation_epochs;  /**< none; instead of validation_freq these, from 1 on */
    bool              shuffle_in_batches; /**< false; true is Keras's shuffle="batch": only the rows
                                               of a batch change places */
} krt_fit_args;
#define KRT_FIT(...)                                                                              \
    KRT_ARGS(krt_fit_args, .batch_size = 32, .epochs = 1, .shuffle = true,                        \
             .shuffle_seed = KRT_NONE, .steps_per_epoch = KRT_NONE, .validation_steps = KRT_NONE, \
             .validation_batch_size = KRT_NONE, .validation_freq = 1, .history = NULL,            \
             __VA_ARGS__)

/** Keras: model.fit(x, y). x and y are cast to what the model wants. The order of rows in an epoch is
 *  a function of the seed and the epoch's number, dropout's noise one of the seed and the step, so
 *  that training in two parts gives what training in one does, bit for bit.
 *  Fails: E_STATE (not compiled), E_INVALID (shapes, labels out of range, NaN in the data, an empty
 *  part), E_UNSUPPORTED (a layer that cannot train), E_CANCELLED (krt_request_stop()), a callback's
 *  status, E_NOMEM. */
KRT_API krt_status krt_fit(krt_model *m, const krt_tensor *x, const krt_tensor *y,
                           const krt_fit_args *args);
/** The same for any number of inputs and outputs, or a source. */
KRT_API krt_status krt_fit_data(krt_model *m, const krt_data *data, const krt_fit_args *args);

/* --- adapt ----------------------------------------------------------------------------------- */

/** The arguments of krt_adapt(). */
typedef struct krt_adapt_args {
    size_t            struct_size;
    int64_t           batch_size; /**< KRT_NONE: all rows at once, as Keras takes an array */
    int64_t           steps;      /**< KRT_NONE: all batches */
    const krt_source *source;     /**< NULL; else batches instead of `data`, their first x */
} krt_adapt_args;
#define KRT_ADAPT(...) \
    KRT_ARGS(krt_adapt_args, .batch_size = KRT_NONE, .steps = KRT_NONE, .source = NULL, __VA_ARGS__)

/** Keras: layer.adapt(data): what a preprocessing layer learns from data before any training, mean and
 *  variance of a Normalization, the boundaries of a Discretization, the vocabulary of a lookup or a
 *  TextVectorization. It starts from nothing each time, builds
 *  the layer if need be, and holds for every model that the layer stands in. On failure it knows what
 *  it knew. Fails: E_UNSUPPORTED (a class that learns nothing), E_STATE (its values were given), E_INVALID
 *  (shapes, no rows, NaN), what the source failed with, E_NOMEM. */
KRT_API krt_status krt_adapt(krt_layer *l, const krt_tensor *data, const krt_adapt_args *args);

/* --- evaluate and batch by batch ------------------------------------------------------------- */

/** The arguments of krt_evaluate(). */
typedef struct krt_evaluate_args {
    size_t            struct_size;
    int64_t           batch_size; /**< 32 */
    const krt_tensor *sample_weight;
    int64_t           steps; /**< KRT_NONE: all batches */
    int               verbose;
    krt_specs         callbacks;
} krt_evaluate_args;
#define KRT_EVALUATE(...)                                                                      \
    KRT_ARGS(krt_evaluate_args, .batch_size = 32, .steps = KRT_NONE, .callbacks = { 0, NULL }, \
             __VA_ARGS__)

/** Keras: model.evaluate(x, y, return_dict=True). Owns: *out is the model's, until it is trained or
 *  evaluated again. Fails: as krt_fit(). */
KRT_API krt_status krt_evaluate(krt_model *m, const krt_logs **out, const krt_tensor *x,
                                const krt_tensor *y, const krt_evaluate_args *args);
/** The same for any number of inputs and outputs, or a source. */
KRT_API krt_status krt_evaluate_data(krt_model *m, const krt_logs **out, const krt_data *data,
                                     const krt_evaluate_args *args);

/** Keras: model.train_on_batch(x, y, return_dict=True): one step on all rows. Loss and metrics
 *  are this batch's alone, as in Keras since 3.15; before, they went on from the batches before. */
KRT_API krt_status krt_train_on_batch(krt_model *m, const krt_logs **out, const krt_data *data);
/** Keras: model.test_on_batch(x, y, return_dict=True). */
KRT_API krt_status krt_test_on_batch(krt_model *m, const krt_logs **out, const krt_data *data);
/** Keras: model.predict(x, callbacks=...): krt_predict_n() with hooks and, when verbose, a progress line. y
 *  and weights of `data` are not looked at; a source is refused. Owns: out[0] to out[num_out - 1],
 *  krt_tensor_free() them; with `steps` they have the rows of so many batches. Fails: as krt_predict_n(),
 *  a callback's status. */
KRT_API krt_status krt_predict_data(krt_model *m, krt_tensor **out, size_t num_out,
                                    const krt_data *data, const krt_evaluate_args *args);
/** Keras: model.reset_metrics(). */
KRT_API void krt_reset_metrics(krt_model *m);

#ifdef __cplusplus
}
#endif

#endif
