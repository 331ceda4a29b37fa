/* What optimizers, schedules, losses and metrics have in common: a class with a field table,
 * described in C, by a name or by a Keras config. All three roads lead to the config form, and one
 * reader takes it from there. Keras: saving/serialization_lib.py, optimizers/__init__.py get(). */
#ifndef KRTI_TRAINING_OBJECT_H
#define KRTI_TRAINING_OBJECT_H

#include "layers/layer.h"

/* One family of classes: "optimizer" in "keras.optimizers". */
typedef struct krti_family {
    const char *what, *module;
    /* By Keras's class name or identifier; NULL: unknown. */
    const krt_layer_class *(*find)(const char *name);
    const krt_layer_class *(*at)(size_t i); /* NULL past the last */
    /* What the host registered, by its registered name. NULL: it cannot. */
    const krt_layer_class *(*own)(krt_ctx *k, const char *name);
} krti_family;

/* Whether a host registered it: the tables here leave struct_size out. */
static inline bool krti_is_own(const krt_layer_class *cls)
{
    return cls->struct_size != 0;
}

extern const krti_family krti_optimizers, krti_schedules;

/* The config form of a description made in C: a string for KRT_ID(), else Keras's object with every
 * key of get_config(). NULL is null. Fails: E_UNKNOWN_CLASS, E_UNSUPPORTED (a newer struct). */
krt_status krti_spec_to_conf(krt_ctx *k, krti_arena *a, const krti_family *family,
                             const krt_spec *spec, krti_conf **out);
/* The object of a class from its arguments; `name` takes the place of a NULL name. */
krt_status krti_object_to_conf(krt_ctx *k, krti_arena *a, const krti_family *family,
                               const krt_layer_class *cls, const void *args, const char *name,
                               krti_conf **out);
/* A name, or {"class_name", "config"}: the class, which may be a package's, and the config (NULL for
 * a name alone). Fails: E_UNKNOWN_CLASS "Could not interpret optimizer identifier: foo", E_INVALID. */
krt_status krti_object_find(krt_ctx *k, const krti_family *family, const krti_conf *object,
                            const krt_layer_class **cls, const krti_conf **config);
/* The arguments of a class from a config, which may be NULL and must outlive them. `owner` is named
 * in errors. Fails: E_INVALID "Argument(s) not recognized: {...}". */
krt_status krti_object_read(krt_layer *owner, krti_arena *a, const krt_layer_class *cls,
                            const krti_conf *config, void **args);

#endif
