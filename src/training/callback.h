/* Callbacks: the hooks and who is called when. Keras: callbacks/callback_list.py.
 *
 * This floor owns the hooks and knows no callback but History, which is its own; Keras's other ones
 * live in src/callbacks and stand in a table there, found by class name. */
#ifndef KRTI_TRAINING_CALLBACK_H
#define KRTI_TRAINING_CALLBACK_H

#include "training/training.h"

/* A callback at work: hooks, and what frees their `user`. */
typedef struct krti_callback {
    krt_callback_args hooks;
    void (*free)(void *user); /* NULL: it is the caller's */
} krti_callback;

/* One of Keras's callbacks. */
typedef struct krti_callback_class {
    krt_layer_class base; /* name, defaults, fields */
    /* Makes the hooks; `args` is a copy over the defaults and lives as long as the training does. A
     * monitor can be checked here: `will_validate` says whether there will be val_ values. */
    krt_status (*make)(krt_model *m, const void *args, bool will_validate, krti_callback *out);
} krti_callback_class;

/* Keras's callbacks, NULL-terminated: src/callbacks/table.c. */
extern const krti_callback_class *const krti_callback_classes[];

extern const krti_family krti_callback_family; /* the same, for describe() */

typedef struct krti_callbacks {
    struct krti_training *t;
    krti_arena arena;
    krti_callback *items;
    size_t n;
    bool wants_train_batches, wants_test_batches;
} krti_callbacks;

/* Makes every callback of the list, and the progress bar when `verbose` asks for one. Fails:
 * E_UNKNOWN_CLASS, what making one fails with. */
krt_status krti_callbacks_new(struct krti_training *t, krti_callbacks *out, krt_specs specs,
                              int verbose, bool will_validate);
void krti_callbacks_free(krti_callbacks *c);

/* X(hook): without a number; with the epoch's or batch's. */
#define KRTI_HOOKS(X) \
    X(on_train_begin) \
    X(on_train_end) X(on_test_begin) X(on_test_end) X(on_predict_begin) X(on_predict_end)
#define KRTI_NUMBERED_HOOKS(X) \
    X(on_epoch_begin)          \
    X(on_epoch_end)            \
    X(on_train_batch_begin)    \
    X(on_train_batch_end)      \
    X(on_test_batch_begin) X(on_test_batch_end) X(on_predict_batch_begin) X(on_predict_batch_end)
#define X(hook) krt_status krti_call_##hook(const krti_callbacks *c, const krt_logs *logs);
KRTI_HOOKS(X)
#undef X
#define X(hook) \
    krt_status krti_call_##hook(const krti_callbacks *c, int64_t number, const krt_logs *logs);
KRTI_NUMBERED_HOOKS(X)
#undef X

#endif
