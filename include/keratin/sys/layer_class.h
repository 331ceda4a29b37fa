/**
 * @file layer_class.h
 * For those who add layers of their own. Promised within a minor version.
 *
 * A layer class is a table: its arguments with their defaults, how a Keras config maps onto them,
 * how its weights are made, and how its result is described with operations (sys/op.h). It never
 * computes, so shapes, the compiled program and the gradients follow from one description.
 */
#ifndef KERATIN_SYS_LAYER_CLASS_H
#define KERATIN_SYS_LAYER_CLASS_H

#include "../models.h"

#ifdef __cplusplus
extern "C" {
#endif

/** The C type of an args member and the JSON forms its config key may take. */
typedef enum krt_field_kind {
    KRT_FIELD_BOOL = 1,   /**< bool */
    KRT_FIELD_INT,        /**< int64_t; null is KRT_NONE */
    KRT_FIELD_FLOAT,      /**< double; null is NAN */
    KRT_FIELD_STRING,     /**< const char *; null is NULL */
    KRT_FIELD_INT1,       /**< int64_t[1]: 3 or [3] */
    KRT_FIELD_INT2,       /**< int64_t[2]: 3 reads as [3, 3]; null is {KRT_NONE, KRT_NONE} */
    KRT_FIELD_INT3,       /**< int64_t[3] */
    KRT_FIELD_PAIR1,      /**< int64_t[1][2], padding and cropping: 1, [1, 2] */
    KRT_FIELD_PAIR2,      /**< int64_t[2][2]: 1, [1, 2], [[1, 2], [3, 4]] */
    KRT_FIELD_PAIR3,      /**< int64_t[3][2] */
    KRT_FIELD_SHAPE,      /**< krt_shape; null is rank -1 */
    KRT_FIELD_AXES,       /**< krt_axes: -1 or [1, 2]; null is n = 0 */
    KRT_FIELD_ACTIVATION, /**< const char *: Keras's name. A layer used as activation becomes an
                               inner layer, and the member names that: "@activation" */
    KRT_FIELD_OBJECT,     /**< const krt_spec *: initializer, regularizer, constraint */
    KRT_FIELD_LAYER,      /**< const krt_spec *: a wrapped layer */
    KRT_FIELD_NUMBERS,    /**< krt_numbers: a number or (nested) lists of them; null is n = 0 */
    KRT_FIELD_IGNORED,    /**< no member: read, checked for nothing, kept in the config */
    KRT_FIELD_NAMES,      /**< krt_names: a list of strings; null is n = 0 */
    KRT_FIELD_LAYERS,     /**< krt_specs: a list of wrapped layers */
    KRT_FIELD_INTS        /**< krt_ints: a list of integers; null is n = 0 */
} krt_field_kind;

/** Axes by value. */
typedef struct krt_axes {
    int     n;
    int64_t axis[KRT_MAX_RANK];
} krt_axes;

/** A list of numbers by value: row major, `shape` says how they were nested. */
typedef struct krt_numbers {
    size_t        n;
    const double *items;
    krt_shape     shape;
} krt_numbers;

/** A list of integers by value. */
typedef struct krt_ints {
    size_t         n;
    const int64_t *items;
} krt_ints;

/** One config key of a class and the args member it fills. */
typedef struct krt_field {
    const char    *key;
    krt_field_kind kind;
    size_t         offset; /**< offsetof(struct my_args, member) */
} krt_field;
/** KRT_FIELD(krt_dense_args, INT, units): a key with the member's name. */
#define KRT_FIELD(type, kind, member)                     \
    {                                                     \
#member, KRT_FIELD_##kind, offsetof(type, member) \
    }
/** The last two entries of every layer's table. */
#define KRT_BASE_FIELDS(type) KRT_FIELD(type, STRING, name), KRT_FIELD(type, BOOL, trainable)

/** One call of a layer while it is described: its inputs, and what it makes of them. */
typedef struct krt_call krt_call;
/** A class; constant, for it must outlive every context that knows it. */
struct krt_layer_class {
    size_t           struct_size;
    const char      *package; /**< NULL for Keras's own; files hold "package>name" */
    const char      *name;
    const krt_spec  *defaults; /**< an args struct with every default in place */
    const krt_field *fields;
    size_t           num_fields;
    /** Checks the arguments and adds weights for inputs of these shapes. NULL: no weights. */
    krt_status (*build)(krt_layer *l, const void *args, const krt_shape *inputs, size_t n);
    /** Describes the result with operations; never computes. */
    krt_status (*call)(const krt_layer *l, const void *args, krt_call *c);
    /** Runs once after the arguments are in place: makes inner layers. NULL: nothing to do. */
    krt_status (*init)(krt_layer *l, void *args);
    unsigned flags; /**< krt_layer_flags */
};

/** Flags of a class, or-ed. */
enum krt_layer_flags {
    KRT_LAYER_PASSES_MASK = 1, /**< the first input's mask goes on to the outputs */
    KRT_LAYER_TAKES_LIST = 2,  /**< a list of inputs, as the merging layers */
    KRT_LAYER_OPERATION = 4    /**< an operation inside a Functional, not one of model.layers */
};

/** Makes a class known to this context, as register_keras_serializable(). `cls` must outlive it.
 *  Fails: E_EXISTS, E_INVALID, E_UNSUPPORTED (a table of a newer header), E_NOMEM. */
KRT_API krt_status krt_register(krt_ctx *k, const krt_layer_class *cls);

/** Inside build: adds a weight; the order is the order in files. `initializer` NULL: Keras's
 *  default, GlorotUniform. `shape` must be fully known. Fails: E_INVALID, E_NOMEM. */
KRT_API krt_status krt_layer_add_weight(krt_layer *l, const char *name, krt_shape shape,
                                        const krt_spec *initializer, bool trainable);

/** A symbolic value inside `call`, the batch dimension included. What fails gives NULL, which flows on
 *  through every operation, and the call reports it once. */
typedef struct krt_value krt_value;
/** The i-th input; NULL, and the call fails, where there is none. */
KRT_API krt_value *krt_call_input(const krt_call *c, size_t i);
KRT_API size_t     krt_call_num_inputs(const krt_call *c);
/** A weight that `build` added, by its name; NULL, and the call fails, where there is none. */
KRT_API krt_value *krt_call_weight(krt_call *c, const char *name);
/** Whether this describes a step of training. */
KRT_API bool krt_call_training(const krt_call *c);
/** Sets the i-th output, from 0; NULL: allowed. Returns what `call` may return: the first failure. */
KRT_API krt_status krt_call_output(krt_call *c, size_t i, krt_value *v);
/** What is known of a value; NULL is not allowed. */
KRT_API krt_shape krt_value_shape(const krt_value *v);
KRT_API krt_dtype krt_value_dtype(const krt_value *v);

#ifdef __cplusplus
}
#endif

#endif
