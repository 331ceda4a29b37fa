/* What Keras's callbacks have in common here: a state made from arguments, hooks, and an end.
 *
 * A class is a table entry for training (callback.h): its arguments, which describe() lists, and a
 * function that makes the hooks. KRTI_STOCK() writes both from what differs. */
#ifndef KRTI_CALLBACKS_STOCK_H
#define KRTI_CALLBACKS_STOCK_H

#include "training/callback.h"
#include <keratin/callbacks.h>

/* Stands before each state. */
typedef struct krti_stock_head {
    krt_ctx *k;
    krt_model *m;
    bool will_validate;
    void (*fini)(void *state);
} krti_stock_head;
static inline const krti_stock_head *krti_stock(const void *state)
{
    return (const krti_stock_head *)(const void *)((const char *)state - 64);
}

typedef struct krti_stock_class {
    size_t state_size;
    krt_status (*init)(void *state, krt_model *m, const void *args); /* args outlive the state */
    void (*fini)(void *state); /* also of a state whose init failed; NULL: nothing to free */
    krt_callback_args hooks;   /* `user` will be the state */
} krti_stock_class;

krt_status krti_stock_make(const krti_stock_class *cls, krt_model *m, const void *args,
                           bool will_validate, krti_callback *out);

/* KRTI_STOCK(callback, "Callback", args type, fields, state type, .init = ..., .hooks = ...) with
 * `defaults` above it. */
#define KRTI_STOCK(id, class_name, type, field_list, ...)                                   \
    static const krti_stock_class stock_##id = {__VA_ARGS__};                               \
    static krt_status make_##id(krt_model *m, const void *args, bool v, krti_callback *out) \
    {                                                                                       \
        return krti_stock_make(&stock_##id, m, args, v, out);                               \
    }                                                                                       \
    const krti_callback_class krti_callback_##id = {                                        \
        .base = {.struct_size = sizeof(krt_layer_class),                                    \
                 .name = (class_name),                                                      \
                 .defaults = &id##_defaults.spec,                                           \
                 .fields = (field_list),                                                    \
                 .num_fields = KRTI_COUNT(field_list)},                                     \
        .make = make_##id}

extern const krti_callback_class krti_callback_model_checkpoint, krti_callback_early_stopping,
    krti_callback_reduce_lr, krti_callback_lr_scheduler, krti_callback_csv_logger,
    krti_callback_terminate_on_nan, krti_callback_tensorboard, krti_callback_backup,
    krti_callback_swap_ema, krti_callback_remote_monitor, krti_callback_progbar;

#endif
