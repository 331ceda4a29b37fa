/**
 * @file models.h
 * Models and the layers in them: building, looking inside, and predicting.
 * Keras: keras.Sequential, keras.Model, keras.layers.Layer.
 */
#ifndef KERATIN_MODELS_H
#define KERATIN_MODELS_H

#include "tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Keras: Model, Layer and Variable. Belong to the context; layers and variables live as long as their
 *  model. */
typedef struct krt_model       krt_model;
typedef struct krt_layer       krt_layer;
typedef struct krt_variable    krt_variable;
typedef struct krt_ktensor     krt_ktensor;     /**< Keras: KerasTensor, a symbolic tensor */
typedef struct krt_layer_class krt_layer_class; /**< see sys/layer_class.h */

/** A list of symbolic tensors by value. */
typedef struct krt_ktensors {
    size_t              n;
    krt_ktensor *const *items;
} krt_ktensors;
/** KRT_KTENSORS(a, b): a list of symbolic tensors, for one call. C only. */
#define KRT_KTENSORS(...) KRT_LIST(krt_ktensors, krt_ktensor *, __VA_ARGS__)

/* --- building -------------------------------------------------------------------------------- */

/** The arguments of krt_sequential() and krt_functional(). */
typedef struct krt_model_args {
    size_t      struct_size;
    const char *name; /**< NULL: sequential, sequential_1, ... or functional, ... */
} krt_model_args;
#define KRT_MODEL(...) KRT_ARGS(krt_model_args, .name = NULL, __VA_ARGS__)

/** The arguments of krt_input() and krt_add_input(). */
typedef struct krt_input_args {
    size_t      struct_size;
    const char *name;       /**< NULL: input_layer, input_layer_1, ... */
    int64_t     batch_size; /**< KRT_NONE: any */
    const char *dtype;      /**< NULL: "float32" */
} krt_input_args;
#define KRT_INPUT(...) KRT_ARGS(krt_input_args, .batch_size = KRT_NONE, .dtype = NULL, __VA_ARGS__)

/** An empty Sequential. Keras: keras.Sequential(). Returns NULL when memory is short.
 *  A model under construction keeps its first failure; later calls on it return that. */
KRT_API krt_model *krt_sequential(krt_ctx *k, const krt_model_args *args);
/** Keras: model.add(keras.Input(shape)). `shape` is without the batch dimension. Fails: E_STATE
 *  (there are layers already), E_INVALID, E_NOMEM. */
KRT_API krt_status krt_add_input(krt_model *m, krt_shape shape, const krt_input_args *args);
/** Keras: model.add(layer). Fails: E_UNKNOWN_CLASS, E_INVALID (arguments Keras refuses), E_STATE,
 *  E_NOMEM; what building the layer fails with, once the model's shapes are known. */
KRT_API krt_status krt_add(krt_model *m, const krt_spec *layer);
KRT_API krt_status krt_add_layer(krt_model *m, krt_layer *layer); /**< a layer that exists */

/** Keras: keras.Input(shape). NULL on failure, which flows through krt_apply(). */
KRT_API krt_ktensor *krt_input(krt_ctx *k, krt_shape shape, const krt_input_args *args);
/** Keras: Layer(...)(x). NULL when x is NULL or the layer fails. */
KRT_API krt_ktensor *krt_apply(krt_ktensor *x, const krt_spec *layer);
/** Keras: Add()([a, b]). */
KRT_API krt_ktensor *krt_apply_n(krt_ktensors x, const krt_spec *layer);
/** A layer to be called more than once. NULL on failure, which flows through krt_call_layer(). */
KRT_API krt_layer *krt_layer_new(krt_ctx *k, const krt_spec *layer);
/** Keras: layer(x); every call shares the weights. */
KRT_API krt_ktensor *krt_call_layer(krt_layer *layer, krt_ktensor *x);
/** Keras: layer([a, b]); lstm(x, initial_state=[h, c]) with x, h and c. */
KRT_API krt_ktensor *krt_call_layer_n(krt_layer *layer, krt_ktensors x);
/** The i-th result of the call that gave y: in Keras's `y, h, c = lstm(x)`, h is 1 and c is 2. y may be any
 *  of them. NULL on failure (there are not so many), and for NULL. */
KRT_API krt_ktensor *krt_ktensor_at(krt_ktensor *y, size_t i);
/** Keras: keras.Model(inputs, outputs). NULL on failure (see krt_ctx_error()). */
KRT_API krt_model *krt_functional(krt_ctx *k, krt_ktensors inputs, krt_ktensors outputs,
                                  const krt_model_args *args);
/** Frees the model and its own bookkeeping; layers it shares with other models live on.
 *  NULL: allowed. */
KRT_API void krt_model_free(krt_model *m);

/* --- looking inside -------------------------------------------------------------------------- */

/** Keras: model.name. */
KRT_API const char *krt_model_name(const krt_model *m);
/** "Sequential", "Functional", or a subclass's own name. */
KRT_API const char *krt_model_class_name(const krt_model *m);
/** Keras: len(model.inputs), len(model.outputs), in Keras's order. */
KRT_API size_t krt_model_num_inputs(const krt_model *m);
KRT_API size_t krt_model_num_outputs(const krt_model *m);
/** Shape with the batch dimension, unknown dimensions KRT_NONE; rank -1 while unknown. */
KRT_API krt_shape krt_model_input_shape(const krt_model *m, size_t i);
KRT_API krt_shape krt_model_output_shape(const krt_model *m, size_t i);
/** The name of its InputLayer. */
KRT_API const char *krt_model_input_name(const krt_model *m, size_t i);
/** What data, losses and metrics of an input or output go by: its key where the model has them in a
 *  dict, else the name of its layer. Keras: the keys of a dict given to fit(). */
KRT_API const char *krt_model_input_key(const krt_model *m, size_t i);
KRT_API const char *krt_model_output_key(const krt_model *m, size_t i);
/** What krt_predict() casts to. */
KRT_API krt_dtype krt_model_input_dtype(const krt_model *m, size_t i);

/** Keras: len(model.layers), model.layers[i], in Keras's order. */
KRT_API size_t     krt_model_num_layers(const krt_model *m);
KRT_API krt_layer *krt_model_layer(const krt_model *m, size_t i);
/** Keras: model.get_layer(name). NULL when there is none. */
KRT_API krt_layer *krt_get_layer(const krt_model *m, const char *name);
/** Keras: model.count_params(). */
KRT_API int64_t krt_model_count_params(const krt_model *m);

/** Keras: layer.name, "conv2d_1"; type(layer).__name__, "Conv2D". */
KRT_API const char *krt_layer_name(const krt_layer *l);
KRT_API const char *krt_layer_class_name(const krt_layer *l);
/** The model that a layer is; NULL when it is none, and for NULL. */
KRT_API krt_model *krt_layer_as_model(krt_layer *l);
/** Keras: layer.trainable. */
KRT_API bool krt_layer_trainable(const krt_layer *l);
/** All weights, inner layers' included; Keras: layer.weights (own first, then inner layers'). */
KRT_API size_t        krt_layer_num_weights(const krt_layer *l);
KRT_API krt_variable *krt_layer_weight(const krt_layer *l, size_t i);
/** "conv2d/kernel"; the name alone when memory is short. */
KRT_API const char *krt_variable_path(const krt_variable *v);
/** Shape and dtype as the model has them, whatever the file holds. */
KRT_API krt_shape krt_variable_shape(const krt_variable *v);
KRT_API krt_dtype krt_variable_dtype(const krt_variable *v);
/** The values, row major, borrowed; float32 even when the file holds another width. NULL while the
 *  model has no weights yet. */
KRT_API const void *krt_variable_data(const krt_variable *v);

/* --- weights in and out ---------------------------------------------------------------------- */

/** Weights by value, in the order of krt_layer_weight(). */
typedef struct krt_weights {
    size_t       n;
    krt_tensor **items; /**< to be written to as well */
    krt_ctx     *k;     /**< the library's */
} krt_weights;

/** Keras: layer.get_weights(): copies. Owns: *out, krt_weights_free() it. Fails: E_NOMEM. */
KRT_API krt_status krt_get_weights(const krt_layer *l, krt_weights **out);
/** Keras: layer.set_weights(weights). All or nothing; values are cast to the variables' dtypes.
 *  Fails: E_MISMATCH, in Keras's words (their number, a shape). */
KRT_API krt_status krt_set_weights(krt_layer *l, const krt_weights *w);
/** Keras: model.get_weights(), model.set_weights(): the same for all layers of a model. */
KRT_API krt_status krt_model_get_weights(const krt_model *m, krt_weights **out);
KRT_API krt_status krt_model_set_weights(krt_model *m, const krt_weights *w);
KRT_API void       krt_weights_free(krt_weights *w); /**< NULL: allowed */

/** Keras: layer.trainable = ...; holds for the layers in it, too. krt_compile() again makes it count. Without:
 *  what is frozen before a model's first step stays and keeps its slots, and what is thawed after the optimizer
 *  was built (a loaded model's is) is unknown to it, which krt_fit() fails with, E_STATE. */
KRT_API void krt_layer_set_trainable(krt_layer *l, bool trainable);
KRT_API void krt_model_set_trainable(krt_model *m, bool trainable);

/* --- states ---------------------------------------------------------------------------------- */

/** Keras: layer.reset_states(), for the layer and those in it: what stateful recurrent layers go on from
 *  becomes zero. The state lives in the layer: krt_fit(), krt_evaluate(), krt_predict() and their like each
 *  go on from where the last of them stopped, so they need one batch size, which the model's input names
 *  (KRT_INPUT(.batch_size = 32)), and krt_fit() wants .shuffle = false. A krt_run has a state of its own,
 *  zero at first: many may run at once, each over a sequence of its own. No file holds states. */
KRT_API void krt_layer_reset_states(krt_layer *l);
/** The same for all layers of a model. Keras 2: model.reset_states(). */
KRT_API void krt_reset_states(krt_model *m);

/* --- vocabularies ---------------------------------------------------------------------------- */

/** Keras: layer.get_vocabulary() of StringLookup, IntegerLookup and TextVectorization: the tokens by their
 *  numbers, mask and unknown included, as KRT_STRING or KRT_INT64. Its size is what an Embedding behind the
 *  layer needs. Owns: *out, krt_tensor_free() it. Fails: E_UNSUPPORTED (another class), E_NOMEM. */
KRT_API krt_status krt_get_vocabulary(krt_layer *l, krt_tensor **out);

/** The arguments of krt_enable_lora(). */
typedef struct krt_lora_args {
    size_t          struct_size;
    double          lora_alpha; /**< KRT_NONE_F: the rank; the product counts alpha / rank times */
    const krt_spec *a_initializer; /**< NULL: HeUniform */
    const krt_spec *b_initializer; /**< NULL: Zeros */
} krt_lora_args;
#define KRT_LORA(...) \
    KRT_ARGS(krt_lora_args, .lora_alpha = KRT_NONE_F, .b_initializer = NULL, __VA_ARGS__)
/** Keras: layer.enable_lora(rank): the kernel stays as it is, and a product of two small matrices that is
 *  added to it is trained, once the model is compiled anew; krt_fit() answers E_STATE when the optimizer was
 *  built before. Files hold the sum as the kernel, and what is loaded from them has a product of zero, which
 *  cannot grow: enable it on a model without. Only .h5 files of Keras 3 hold kernel and matrices. Setting the
 *  layer's trainable later frees the kernel again, as in Keras. Fails: E_UNSUPPORTED (a class without LoRA), E_STATE (not built, enabled already), E_INVALID (a
 *  rank below 1, a constraint on the kernel), E_NOMEM. */
KRT_API krt_status krt_enable_lora(krt_layer *l, int64_t rank, const krt_lora_args *args);

/** The arguments of krt_summary(). */
typedef struct krt_summary_args {
    size_t struct_size;
    int    line_length; /**< 0: 76, Keras's choice on the 80 columns it assumes for no terminal */
    bool   expand_nested;
    bool   show_trainable;
} krt_summary_args;
#define KRT_SUMMARY(...) KRT_ARGS(krt_summary_args, .show_trainable = false, __VA_ARGS__)

/** Keras: model.summary(), character for character, ending in a line feed. The screen is 80 columns
 *  wide, or as wide as line_length needs; COLUMNS and the terminal are not asked. A model whose file
 *  holds a compile_config counts the variables its optimizer will have, as Keras (with TensorFlow)
 *  builds it on loading; a legacy HDF5 file counts as loaded with compile=False. What cannot be
 *  traced has the shape "?". Owns: *out, krt_free() it.
 *  Fails: E_INVALID (a line_length too small or beyond 65536), E_UNSUPPORTED (nested deeper than 64),
 *  E_NOMEM. */
KRT_API krt_status krt_summary(krt_model *m, char **out, const krt_summary_args *args);

/* --- predicting ------------------------------------------------------------------------------ */

/** The arguments of krt_predict(). */
typedef struct krt_predict_args {
    size_t  struct_size;
    int64_t batch_size; /**< 32 */
} krt_predict_args;
#define KRT_PREDICT(...) KRT_ARGS(krt_predict_args, .batch_size = 32, __VA_ARGS__)

/** Keras: model.predict(x), for a model of one input and one output. x is cast to the input's
 *  dtype; a missing last axis of 1 is added. Owns: *out, krt_tensor_free() it.
 *  Fails: E_INVALID (rank, shape), E_UNSUPPORTED (a layer that cannot run, named), E_NOMEM. */
KRT_API krt_status krt_predict(krt_model *m, krt_tensor **out, const krt_tensor *x,
                               const krt_predict_args *args);
/** The same for any number of inputs and outputs, in the model's order. Owns: out[0] to
 *  out[num_out - 1], krt_tensor_free() them. Fails: as krt_predict(); E_INVALID also where num_x or
 *  num_out are not the model's. */
KRT_API krt_status krt_predict_n(krt_model *m, krt_tensor **out, size_t num_out,
                                 const krt_tensor *const *x, size_t num_x,
                                 const krt_predict_args *args);

/** One caller's place to run a model: its arena and its error. Many threads may run one model at
 *  once, each with a run of its own; the model must not change meanwhile. A run on shapes it has
 *  seen allocates nothing and takes no lock. */
typedef struct krt_run krt_run;

/** The arguments of krt_run_new(). */
typedef struct krt_run_args {
    size_t      struct_size;
    const char *layer;   /**< NULL: the model's outputs; else the output of this layer */
    int         threads; /**< 0: the context's */
} krt_run_args;
#define KRT_RUN(...) KRT_ARGS(krt_run_args, .threads = 0, __VA_ARGS__)

/** Makes a run. Call it on the model's own thread; use it on any one thread at a time.
 *  Owns: *out until krt_run_free(), which must come before krt_model_free(). Fails: E_NOT_FOUND (no
 *  such layer), E_UNSUPPORTED (a layer that cannot run, named), E_STATE, E_NOMEM. */
KRT_API krt_status krt_run_new(krt_model *m, krt_run **out, const krt_run_args *args);
KRT_API void       krt_run_free(krt_run *r); /**< NULL: allowed */
/** Compiles for inputs of these shapes (with the batch dimension) ahead of the first call. Fails: as
 *  krt_run_call(). */
KRT_API krt_status krt_run_prepare(krt_run *r, const krt_shape *shapes, size_t num_x);
/** Runs: x[i] are row-major inputs of the model's input dtypes with shapes[i]. Afterwards
 *  krt_run_output() has the results. Fails: E_INVALID, E_UNSUPPORTED, E_NOMEM; see
 *  krt_run_error(). */
KRT_API krt_status krt_run_call(krt_run *r, const void *const *x, const krt_shape *shapes,
                                size_t num_x);
/** Of the last call, or of what was prepared last; before, the model's. */
KRT_API size_t krt_run_num_outputs(const krt_run *r);
/** The i-th result of the last call, row major; borrowed until the next call. */
KRT_API const void *krt_run_output(const krt_run *r, size_t i);
KRT_API krt_shape   krt_run_output_shape(const krt_run *r, size_t i);
KRT_API krt_dtype   krt_run_output_dtype(const krt_run *r, size_t i);
/** The last failure of this run, as krt_ctx_error() has those of a context. */
KRT_API const krt_error *krt_run_error(const krt_run *r);
/** The run's own states of stateful layers become zero; the model's stay. */
KRT_API void krt_run_reset_states(krt_run *r);
/** predict() through this run: its layer's outputs when it taps one, its plans kept for the next
 *  call. `num_out` is krt_run_num_outputs() for the model's own outputs, 1 for most layers. */
KRT_API krt_status krt_run_predict(krt_run *r, krt_tensor **out, size_t num_out,
                                   const krt_tensor *const *x, size_t num_x,
                                   const krt_predict_args *args);
/** Bytes of the arena the last prepared shapes need: activations and scratch. */
KRT_API size_t krt_run_arena_bytes(const krt_run *r);

#ifdef __cplusplus
}
#endif

#endif
