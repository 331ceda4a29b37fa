/**
 * @file callbacks.h
 * What happens while a model trains: checkpoints, early stopping, logs. Keras: keras.callbacks.
 *
 *     krt_fit(m, x, y, KRT_FIT(.epochs = 50, .validation_split = 0.2, .verbose = 1,
 *                              .callbacks = KRT_SPECS(
 *                                  KRT_MODEL_CHECKPOINT("best.keras", .save_best_only = true),
 *                                  KRT_EARLY_STOPPING(.patience = 5, .restore_best_weights = true),
 *                                  KRT_TENSORBOARD(.log_dir = "logs"))));
 *
 * The arguments have Keras's names and defaults, the decisions and printed lines are Keras's. A monitor
 * that will never be reported is an error before the first step, which lists what will be; Keras warns
 * after an epoch. mode: "auto", "min" or "max".
 */
#ifndef KERATIN_CALLBACKS_H
#define KERATIN_CALLBACKS_H

#include "train.h"

#ifdef __cplusplus
extern "C" {
#endif

/** KRT_MODEL_CHECKPOINT(.save_freq = ...): after every epoch, as Keras's "epoch". */
#define KRT_EVERY_EPOCH KRT_NONE

/** The arguments of KRT_MODEL_CHECKPOINT(). */
typedef struct krt_model_checkpoint_args {
    krt_spec    spec;
    const char *filepath;          /**< with fields: "cp-{epoch:04d}-{val_loss:.2f}.keras" */
    const char *monitor;           /**< "val_loss" */
    int64_t     verbose;           /**< 0 */
    bool        save_best_only;    /**< false */
    bool        save_weights_only; /**< false */
    const char *mode;              /**< "auto" */
    int64_t     save_freq;         /**< KRT_EVERY_EPOCH, or batches */
    int64_t     period; /**< 1; Keras 2's: every so many epochs, when save_freq is by epoch */
    double      initial_value_threshold; /**< KRT_NONE_F; the first best */
    /** false; true as krt_save_async(): training goes on while the file is written, and a failure
     *  ends it at the next save or at its end */
    bool background;
} krt_model_checkpoint_args;
/** Keras: keras.callbacks.ModelCheckpoint. The form follows the ending: whole models `.keras`, `.h5`;
 *  weights `.weights.h5`, `.weights.json`, `.h5`, and, as tf.keras has it, a TensorFlow checkpoint for
 *  any other. Each save replaces the file in one step. With save_best_only a training that goes on
 *  (initial_epoch, or a model that has taken steps) remembers what "best" was: it is kept
 *  beside the file, in `.NAME.best.json`. */
#define KRT_MODEL_CHECKPOINT(...)                                                                 \
    KRT_SPEC(krt_model_checkpoint_args, "ModelCheckpoint", .monitor = "val_loss", .mode = "auto", \
             .save_freq = KRT_EVERY_EPOCH, .period = 1, .initial_value_threshold = NAN,           \
             .filepath = __VA_ARGS__)

/** The arguments of KRT_EARLY_STOPPING(). */
typedef struct krt_early_stopping_args {
    krt_spec    spec;
    const char *monitor;              /**< "val_loss" */
    double      min_delta;            /**< 0 */
    int64_t     patience;             /**< 0 */
    int64_t     verbose;              /**< 0 */
    const char *mode;                 /**< "auto" */
    double      baseline;             /**< KRT_NONE_F */
    bool        restore_best_weights; /**< false */
    int64_t     start_from_epoch;     /**< 0 */
} krt_early_stopping_args;
/** Keras: keras.callbacks.EarlyStopping. */
#define KRT_EARLY_STOPPING(...)                                                               \
    KRT_SPEC(krt_early_stopping_args, "EarlyStopping", .monitor = "val_loss", .mode = "auto", \
             .baseline = NAN, .start_from_epoch = 0, __VA_ARGS__)

/** The arguments of KRT_REDUCE_LR_ON_PLATEAU(). */
typedef struct krt_reduce_lr_args {
    krt_spec    spec;
    const char *monitor;   /**< "val_loss" */
    double      factor;    /**< 0.1, below 1 */
    int64_t     patience;  /**< 10 */
    int64_t     verbose;   /**< 0 */
    const char *mode;      /**< "auto" */
    double      min_delta; /**< 1e-4 */
    int64_t     cooldown;  /**< 0 */
    double      min_lr;    /**< 0 */
} krt_reduce_lr_args;
/** Keras: keras.callbacks.ReduceLROnPlateau. */
#define KRT_REDUCE_LR_ON_PLATEAU(...)                                                       \
    KRT_SPEC(krt_reduce_lr_args, "ReduceLROnPlateau", .monitor = "val_loss", .factor = 0.1, \
             .patience = 10, .mode = "auto", .min_delta = 1e-4, .min_lr = 0, __VA_ARGS__)

/** The arguments of KRT_LEARNING_RATE_SCHEDULER(). */
typedef struct krt_lr_scheduler_args {
    krt_spec spec;
    /** The rate for an epoch, from 0, given the one in use. */
    double (*schedule)(void *user, int64_t epoch, double rate);
    void   *user;
    int64_t verbose; /**< 0 */
} krt_lr_scheduler_args;
/** Keras: keras.callbacks.LearningRateScheduler. */
#define KRT_LEARNING_RATE_SCHEDULER(...) \
    KRT_SPEC(krt_lr_scheduler_args, "LearningRateScheduler", .schedule = __VA_ARGS__)

/** The arguments of KRT_CSV_LOGGER(). */
typedef struct krt_csv_logger_args {
    krt_spec    spec;
    const char *filename;
    const char *separator; /**< "," */
    bool        append;    /**< false */
} krt_csv_logger_args;
/** Keras: keras.callbacks.CSVLogger. */
#define KRT_CSV_LOGGER(...) \
    KRT_SPEC(krt_csv_logger_args, "CSVLogger", .separator = ",", .filename = __VA_ARGS__)

/** The arguments of KRT_TERMINATE_ON_NAN(). */
typedef struct krt_terminate_on_nan_args {
    krt_spec spec;
    bool     raise_error; /**< false; true ends fit() with E_USER */
} krt_terminate_on_nan_args;
/** Keras: keras.callbacks.TerminateOnNaN. */
#define KRT_TERMINATE_ON_NAN(...) \
    KRT_SPEC(krt_terminate_on_nan_args, "TerminateOnNaN", .raise_error = false, __VA_ARGS__)

/** The arguments of KRT_TENSORBOARD(). */
typedef struct krt_tensorboard_args {
    krt_spec    spec;
    const char *log_dir;                /**< "logs" */
    int64_t     histogram_freq;         /**< 0; epochs between histograms of all weights */
    bool        write_graph;            /**< true */
    bool        write_steps_per_second; /**< false */
    int64_t     update_freq;            /**< KRT_EVERY_EPOCH, or batches (1 is Keras's "batch") */
} krt_tensorboard_args;
/** Keras: keras.callbacks.TensorBoard: event files in log_dir/train and log_dir/validation. */
#define KRT_TENSORBOARD(...)                                                              \
    KRT_SPEC(krt_tensorboard_args, "TensorBoard", .log_dir = "logs", .write_graph = true, \
             .update_freq = KRT_EVERY_EPOCH, __VA_ARGS__)

/** The arguments of KRT_BACKUP_AND_RESTORE(). */
typedef struct krt_backup_args {
    krt_spec    spec;
    const char *backup_dir;
    int64_t     save_freq;         /**< KRT_EVERY_EPOCH, or batches */
    bool        double_checkpoint; /**< false */
    bool        delete_checkpoint; /**< true */
} krt_backup_args;
/** Keras: keras.callbacks.BackupAndRestore. The optimizer's state is in the backup, so that training
 *  goes on bit for bit. */
#define KRT_BACKUP_AND_RESTORE(...)                                             \
    KRT_SPEC(krt_backup_args, "BackupAndRestore", .save_freq = KRT_EVERY_EPOCH, \
             .delete_checkpoint = true, .backup_dir = __VA_ARGS__)

/** The arguments of KRT_SWAP_EMA_WEIGHTS(). */
typedef struct krt_swap_ema_args {
    krt_spec spec;
    bool     swap_on_epoch; /**< false */
} krt_swap_ema_args;
/** Keras: keras.callbacks.SwapEMAWeights: the averaged weights while the model is evaluated. The
 *  optimizer has use_ema. */
#define KRT_SWAP_EMA_WEIGHTS(...) \
    KRT_SPEC(krt_swap_ema_args, "SwapEMAWeights", .swap_on_epoch = false, __VA_ARGS__)

/** The arguments of KRT_REMOTE_MONITOR(). */
typedef struct krt_remote_monitor_args {
    krt_spec    spec;
    const char *root;         /**< "http://localhost:9000" */
    const char *path;         /**< "/publish/epoch/end/" */
    const char *field;        /**< "data", of the form that carries the JSON */
    bool        send_as_json; /**< false */
} krt_remote_monitor_args;
/** Keras: keras.callbacks.RemoteMonitor: each epoch's logs to a server, by plain HTTP. A server that
 *  does not answer is a warning. */
#define KRT_REMOTE_MONITOR(...)                                                         \
    KRT_SPEC(krt_remote_monitor_args, "RemoteMonitor", .root = "http://localhost:9000", \
             .path = "/publish/epoch/end/", .field = "data", .send_as_json = false, __VA_ARGS__)

#ifdef __cplusplus
}
#endif

#endif
