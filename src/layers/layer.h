/* A layer: a class, its arguments, its variables and its inner layers. Keras: layers/layer.py.
 *
 * A layer comes from C (an args struct), or from a Keras config (a dict). Both end in the same
 * args struct, filled through the class's field table. A layer of a class nobody knows is still a
 * layer: it has a name, a config and, when the file has any, weights; only tracing it fails. Models
 * are layers too: their classes live one floor up and register here (krti_class_add). */
#ifndef KRTI_LAYERS_LAYER_H
#define KRTI_LAYERS_LAYER_H

#include "base/conf.h"
#include "base/map.h"
#include "ops/graph.h"
#include <keratin/layers.h>
#include <keratin/sys/layer_class.h>

struct krt_variable {
    krt_layer *layer;    /* the owner */
    const char *name;    /* "kernel" */
    char *path;          /* "conv2d/kernel", made on demand */
    krt_tensor *tensor;  /* shape from build on; data NULL until loaded or initialized */
    krt_tensor *precise; /* float64 of a file, whose values this one's are in float32; else NULL */
    bool trainable;      /* as it was made: the order of weights goes by it */
    bool is_table; /* files hold it, but Keras counts it among no layer's weights: idf_weights */
    bool is_fixed; /* stays although it was made trainable: LoRA's factors are trained instead */
    int64_t ones_from, num_ones; /* start as 1 whatever the initializer: an LSTM's forget gate */
    const krt_spec *initializer;
};

/* An inner layer under the attribute name Keras gives it, which is its path in weight files. */
typedef struct krti_inner {
    const char *attribute; /* "layer", "query_dense", "layers" */
    bool in_list;          /* the attribute is a list: paths go attribute/<snake_case>[_N] */
    krt_layer *layer;
} krti_inner;

struct krt_layer {
    krti_owned owned;
    krti_arena arena;           /* names, args, configs: everything that lives with the layer */
    const krt_layer_class *cls; /* NULL: unknown class */
    const char *class_name;     /* as the file or the spec says it, without "package>" */
    const char *package;        /* NULL unless registered under one */
    const char *name;
    void *args;               /* the class's args struct; NULL for an unknown class */
    const krti_conf *object;  /* {"class_name", "config", ...} of its file; NULL when made in C */
    const krti_conf *config;  /* the dict in it */
    const char *dtype_policy; /* "float32", "mixed_float16", ... */
    bool trainable;
    bool is_built;
    bool is_adapted;   /* its arguments are no longer those of its file */
    int64_t lora_rank; /* of the factors it has for its kernel; 0: none (lora.h) */
    double lora_alpha;
    int depth;      /* of the object in its file: guards recursion */
    int generation; /* of the Keras that wrote it: 1, 2 or 3; it decides what some names mean */
    int trains_as; /* the same, of the Keras that training follows: files of either form pass it on */
    int num_calls; /* on symbolic tensors, in any model: the next one's number in Keras */
    krt_variable **variables; /* own, in Keras's order of creation = index in `vars` */
    size_t num_variables, variables_capacity;
    uint64_t shared_variables; /* bit i: variables[i] belongs to another layer */
    krti_inner *inner;         /* in order of creation */
    const krt_layer *outer;    /* the layer it is an inner one of; NULL: none, or a model */
    bool shares_inner;         /* a model's layers may stand in others too: it does not free them */
    size_t num_inner, inner_capacity;
    krt_shape *build_shapes; /* what it was built for */
    size_t num_build_shapes;
    struct krti_index *index; /* the vocabulary of one that looks up (lookup.h); NULL: none */
    krt_tensor *seed;    /* Keras's SeedGenerator state, uint32 [seed, draws]; NULL until needed */
    krt_tensor **states; /* what a stateful layer goes on from; no weights, in no file */
    size_t num_states, states_capacity;
    void (*fini)(krt_layer *l); /* what a class with state of its own frees; NULL: nothing */
    size_t num_stored; /* arrays its file holds for it, of a class nobody knows; 0: not counted */
    const char *unsupported; /* why it cannot run, found while reading the config; NULL: it can */
};

/* --- making (layer.c) ------------------------------------------------------------------------ */
/* From an args struct. Owns: *out belongs to the context. Fails: E_UNKNOWN_CLASS, E_INVALID. */
krt_status krti_layer_from_spec(krt_ctx *k, krt_layer **out, const krt_spec *spec);
/* From Keras's object: {"class_name", "config", ...}, of any generation (legacy.c respells it).
 * Unknown classes succeed with cls NULL, what is known but cannot run with `unsupported`. The
 * object must outlive the layer. `depth` guards recursion. Fails: E_FORMAT, E_INVALID. */
krt_status krti_layer_from_conf(krt_ctx *k, krt_layer **out, const krti_conf *object, int depth);
enum { KRTI_LAYER_MAX_DEPTH = 64, KRTI_LAYER_MAX_KEYS = 1024 };
/* The layer in an argument of `owner` (KRT_FIELD_LAYER), made in C or read from a file; for the
 * init hook of a wrapper, which then adds it as an inner layer. */
krt_status krti_layer_from_arg(krt_layer *owner, krt_layer **out, const krt_spec *arg);
/* For classes with state of their own: `size` bytes instead of sizeof(krt_layer), the base first. */
krt_status krti_layer_alloc(krt_ctx *k, krt_layer **out, size_t size, const char *class_name);
/* Sets the name from `name`, or the next automatic one: snake_case(class), "_1", ... */
krt_status krti_layer_set_name(krt_layer *l, const char *name);
/* Keras's to_snake_case: Conv2D -> conv2d, ReLU -> re_lu. */
krt_status krti_snake_case(krti_str *s, const char *class_name);
enum { KRTI_SNAKE_TEXT = 512 };
void krti_snake_case_text(char snake[KRTI_SNAKE_TEXT], const char *class_name);
/* Keras's auto_name: the snake case, "_1", "_2" behind from the second time on. */
krt_status krti_automatic_name(krt_ctx *k, krti_str *s, const char *class_name);
krt_status krti_layer_add_inner(krt_layer *l, const char *attribute, bool in_list,
                                krt_layer *inner);
/* A variable that belongs to another layer but is also saved here (SpectralNormalization). */
krt_status krti_layer_add_shared(krt_layer *l, krt_variable *v);
krt_variable *krti_layer_variable(const krt_layer *l, const char *name); /* own; NULL: none */
/* Whether training changes it, as far as its own layer says. */
bool krti_variable_trains(const krt_variable *v);
krt_layer *krti_layer_inner(const krt_layer *l, const char *attribute); /* the first; NULL: none */
/* The layer's failure: status, its name as the object. */
krt_status krti_layer_fail(const krt_layer *l, krt_status status, const char *format, ...)
    KRTI_PRINTF(3, 4);
/* Fills every variable, inner ones too, that has no data yet by its initializer. */
krt_status krti_layer_initialize(krt_layer *l);
krt_status krti_initialize(krt_variable *v); /* initializers.c */
/* Visits own variables, then inner layers', each once, in Keras's order of `layer.weights`. */
typedef krt_status (*krti_variable_fn)(void *user, krt_variable *v);
krt_status krti_layer_each_variable(const krt_layer *l, krti_variable_fn fn, void *user);

/* The layer behind an object of the context, NULL when it is none. */
krt_layer *krti_layer_of_owned(krti_owned *o);

/* --- classes (registry.c) -------------------------------------------------------------------- */
/* Finds in the context's registered classes, then in the built-in tables; NULL: unknown. Aliases
 * of older Keras ("Convolution2D", "Model") are resolved by legacy.c before. */
const krt_layer_class *krti_class_find(krt_ctx *k, const char *name);
/* What any class must have to be registered: `size` is that of the struct, `what` "layer". */
krt_status krti_class_check(krt_ctx *k, const krt_layer_class *cls, size_t size, const char *what);
/* Under its registered name, into a map of the context that is made when needed. Fails: E_EXISTS. */
krt_status krti_class_add(krt_ctx *k, krti_map **classes, const krt_layer_class *cls);
/* Modules whose classes are Keras's own; an absent module is an older file, which had none. */
bool krti_is_keras_module(const krti_conf *module);
bool krti_class_is_registered(krt_ctx *k, const krt_layer_class *cls); /* not built in */
/* Flags of built-in classes only, above krt_layer_flags. */
enum {
    KRTI_LAYER_HOOKS = 1 << 16,       /* the table is a krti_class */
    KRTI_LAYER_DRAWS = 1 << 17,       /* random numbers, in training */
    KRTI_LAYER_BORN_BUILT = 1 << 18,  /* as soon as it is made: it has no build_config */
    KRTI_LAYER_BARE_CONFIG = 1 << 19, /* does not say `trainable`; the dtype is a name, no policy */
    KRTI_LAYER_BUILDS_CLAIM = 1 << 20, /* what follows is built for the shape it claims */
};
/* What adapt() learns from: arrays with rows, one after another. */
typedef struct krti_adapt_data {
    bool is_whole; /* an array given as one; else batches, which Keras turns into float32 */
    /* The next batch; *out NULL when there is none. It is valid until the next call. */
    krt_status (*next)(struct krti_adapt_data *d, const krt_tensor **out);
} krti_adapt_data;
/* A built-in class that differs from the others in what it writes. Every hook may be NULL. */
typedef struct krti_class {
    krt_layer_class base;
    const char *module;      /* where Keras has it; NULL: keras.layers */
    const char *name_prefix; /* of its layers' names, left out in their configs; NULL: none */
    krt_dtype takes;         /* of the input of a Sequential that begins with it; 0: float32 */
    /* Adds to or mends the dict that the fields gave, where get_config() says otherwise. */
    krt_status (*config)(krti_arena *a, krti_conf *dict, const krt_layer *l);
    /* The whole of get_build_config(). NULL returned: out of memory. */
    krti_conf *(*build_config)(krti_arena *a, const krt_layer *l);
    /* The shape that Keras says comes out, where it is another than `out` (models/claims.c). */
    krt_shape (*claim)(const krt_layer *l, krt_shape in, krt_shape out);
    /* Of classes whose layers are more than a krt_layer, models: both or none. */
    krt_status (*from_object)(krt_ctx *k, krt_layer **out, const krti_conf *object, int depth);
    krti_conf *(*to_object)(krti_arena *a, const krt_layer *l);
    /* Keras's adapt(), from nothing; of a layer that may not be built yet. Touches the layer once it
     * cannot fail any more. What it puts into arguments is written when `is_adapted` is set. */
    krt_status (*adapt)(krt_layer *l, krti_adapt_data *data);
} krti_class;
/* The hooks of a class, all NULL for one without; cls may be NULL. */
const krti_class *krti_class_hooks(const krt_layer_class *cls);
/* Every built-in class, NULL-terminated lists, one a file; the registry concatenates them. */
extern const krt_layer_class *const krti_classes_core[];
extern const krt_layer_class *const krti_classes_activation[];
extern const krt_layer_class *const krti_classes_convolutional[];
extern const krt_layer_class *const krti_classes_pooling[];
extern const krt_layer_class *const krti_classes_normalization[];
extern const krt_layer_class *const krti_classes_merging[];
extern const krt_layer_class *const krti_classes_reshaping[];
extern const krt_layer_class *const krti_classes_regularization[];
extern const krt_layer_class *const krti_classes_preprocessing[];
extern const krt_layer_class *const krti_classes_augmentation[];
extern const krt_layer_class *const krti_classes_attention[];
extern const krt_layer_class *const krti_classes_categorical[];
extern const krt_layer_class *const krti_classes_wrappers[];
extern const krt_layer_class *const krti_classes_rnn[];
extern const krt_layer_class *const krti_classes_applications[];
extern const krt_layer_class *const krti_classes_text[];
/* For `describe` and the tests: i-th built-in class, NULL past the last. */
const krt_layer_class *krti_class_at(size_t i);

/* --- args and configs (config.c) ------------------------------------------------------------- */
/* Copies a spec's args into the arena, strings and lists included, over the class's defaults. */
krt_status krti_args_copy(krt_ctx *k, krti_arena *a, const krt_layer_class *cls,
                          const krt_spec *spec, void **out);
/* The member of l->args that is the argument `key`, of this kind; NULL: there is none. */
const void *krti_layer_arg(const krt_layer *l, const char *key, krt_field_kind kind);
/* Reads a config dict into a fresh args struct. A key the class does not know is an error as in
 * Keras ("Unrecognized keyword arguments passed to Dense: {'extra': 1}"), base keys (name,
 * trainable, dtype, ...) aside. Initializers left out are Keras's default for the key, here and in
 * krti_args_copy(): build can hand them on as they are. */
krt_status krti_args_from_conf(krt_layer *l, const krti_conf *config);
/* The same for an object that is no layer, an initializer; `owner` is named in errors. */
krt_status krti_object_args(krt_layer *owner, const krt_layer_class *cls, const krt_spec *spec,
                            void **out);
/* The dict of get_config(), the base keys included. What Keras 3 wrote comes out as it was, but for
 * what has changed since; what older Keras wrote is respelled. NULL: out of memory. */
krti_conf *krti_layer_to_conf(krti_arena *a, const krt_layer *l);
/* The object around it as serialize_keras_object() gives it: {"module", "class_name", "config",
 * "registered_name", "build_config"} (serialization.c); of a model with everything in it. */
krti_conf *krti_layer_to_object(krti_arena *a, const krt_layer *l);
/* Its four names around a config that is made already; a class of a package has no module. */
krti_conf *krti_object_conf(krti_arena *a, const char *module, const char *package,
                            const char *class_name, krti_conf *config);
/* Whether Keras 3 wrote the object with all its names. Its .h5 files leave them out. */
bool krti_layer_is_keras3(const krt_layer *l);
/* "float32" of a name or of a policy dict of any generation; NULL when there is none. */
const char *krti_policy_name(const krti_conf *dtype);
krti_conf *krti_policy_to_conf(krti_arena *a, const char *name); /* a DTypePolicy object */
krti_conf *krti_shape_to_conf(krti_arena *a, krt_shape shape);   /* rank -1 is null */
krti_conf *krti_build_conf(krti_arena *a, const krt_shape *shapes, size_t n, bool is_list);
/* An object-valued argument that came from a file: the spec's class_name and the whole dict. */
#define KRTI_CONF_SPEC SIZE_MAX
typedef struct krti_conf_spec {
    krt_spec spec;         /* struct_size is KRTI_CONF_SPEC, which no args struct can have */
    const krti_conf *conf; /* {"class_name", "config"} */
} krti_conf_spec;
/* The dict behind such a spec; NULL when the spec was made in C. */
const krti_conf *krti_spec_conf(const krt_spec *spec);

/* --- tracing (call.c) ------------------------------------------------------------------------ */
enum { KRTI_MAX_CALL_OUT = 64 };

struct krt_call {
    krti_graph *g;
    krt_layer *layer;
    bool training;
    bool is_symbolic; /* on shapes alone; nothing will run */
    size_t num_in;
    size_t num_values; /* entries of `in`, those included that only kwargs refer to; 0: num_in */
    krt_value *const *in;
    krt_value *const *in_mask; /* NULL entries: no mask; KRT_BOOL, (batch, time) as in Keras */
    size_t num_out;
    krt_value *out[KRTI_MAX_CALL_OUT];
    krt_value *out_mask[KRTI_MAX_CALL_OUT];
    bool mask_is_set; /* the layer decided about out_mask itself */
    bool takes_masks; /* what runs after the layer finds no masks beside its inputs any more */
    /* A Functional node's arguments as Keras wrote them, tensors replaced by {"__value__": i},
     * i an index into `in`. NULL outside such a node. */
    const krti_conf *args, *kwargs;
    void *user; /* the tracer's own */
};

/* Builds the layer if it is not, then describes it. Inputs' shapes may hold KRT_NONE. The scope of
 * the graph becomes the layer's path meanwhile. c->in, in_mask, training, args are the caller's;
 * out and out_mask are filled. Fails: what build and call fail with, the layer named;
 * E_UNKNOWN_CLASS for a class nobody knows, E_UNSUPPORTED. */
krt_status krti_layer_trace(krt_layer *l, krti_graph *g, krt_call *c);
/* One value in, one out, for a layer inside a layer; mask in and out may be NULL. */
krt_value *krti_layer_apply(krt_layer *l, krt_call *outer, krt_value *x, krt_value *mask,
                            krt_value **mask_out);
/* --- what a step does beside its outputs (step.c) -------------------------------------------- */
/* In training: the key of the layer's next draw, for krti_random_*(); the draws are counted in the
 * layer's seed state, which the step updates. Keras: SeedGenerator.next(). */
krt_value *krti_call_draw(krt_call *c);
/* The weight holds `value` from the end of the step on, and for what is described after this. Keras:
 * variable.assign(). */
krt_status krti_call_update(krt_call *c, const char *weight, krt_value *value);
/* The i-th state that a stateful layer goes on from, zeros of this shape when it is new. What it is after
 * the step is said with krti_call_keep_state(). Fails, in Keras's words: E_INVALID, another batch size, or
 * none that is known. */
krt_value *krti_call_state(krt_call *c, size_t i, krt_shape shape);
krt_status krti_call_keep_state(krt_call *c, size_t i, krt_value *value);
/* Whether the layer, or one in it, is told to be stateful. */
bool krti_layer_is_stateful(const krt_layer *l);
/* Visits the seed state of every layer that draws, made from its `seed` argument where there is none
 * yet: what exact resumption has to keep beside the weights. A seed of None becomes one made of the
 * context's seed and the layer's name. */
typedef krt_status (*krti_seed_fn)(void *user, krt_layer *l, krt_tensor *state);
/* Whether the arguments name a seed; if not, what one of None becomes: from 1 to 1e9, as Keras draws it,
 * the same for the same name and context seed however often the model is made or loaded. */
bool krti_layer_has_seed(const krt_layer *l);
uint32_t krti_layer_default_seed(const krt_layer *l, uint64_t seed);
krt_status krti_layer_each_seed(krt_layer *l, krti_seed_fn fn, void *user);

/* Builds without describing: for inner layers of layers. */
krt_status krti_layer_build(krt_layer *l, const krt_shape *inputs, size_t n);
/* What it was built for: stored as "build_config". */
krt_status krti_layer_keep_shapes(krt_layer *l, const krt_shape *inputs, size_t n);
/* Sets a mask for output i (NULL: none) and says that the layer has decided. */
void krti_call_set_mask(krt_call *c, size_t i, krt_value *mask);
/* The value or constant behind one entry of c->args or c->kwargs; NULL for null. */
krt_value *krti_call_arg(krt_call *c, const krti_conf *arg);

/* --- activations (activations.c) ------------------------------------------------------------- */
/* Keras's function by name, or "@attribute": the inner layer that was given as activation. NULL is
 * linear. Fails through the graph: E_UNKNOWN_CLASS "unknown activation \"foo\"". */
krt_value *krti_activate(krt_call *c, krt_value *x, const char *activation);
/* Whether Keras has such a function; NULL is linear. config.c asks for every activation field: a
 * bad name from C fails at once, one from a file marks the layer as unsupported. */
bool krti_activation_known(const char *activation);
/* For `describe`: the i-th name, NULL past the last. */
const char *krti_activation_at(size_t i);

/* --- initializers (initializers.c) ----------------------------------------------------------- */
/* Keras's initializers as classes without build and call: "HeNormal", "he_normal", "uniform", ...;
 * NULL: unknown. */
const krt_layer_class *krti_initializer_find(const char *name);
/* The same for whatever an argument of kind KRT_FIELD_OBJECT may be: regularizers and constraints
 * too (weight_rules.h). */
const krt_layer_class *krti_object_class_find(const char *name);
/* The same initializer for a kernel whose input and output axes are not the last two; itself when
 * it does not look at them, or names its own. */
krt_status krti_initializer_with_axes(krt_layer *owner, const krt_spec *spec,
                                      const krt_axes *inputs, const krt_axes *outputs,
                                      const krt_spec **out);
const krt_layer_class *krti_initializer_at(size_t i); /* NULL past the last */

/* --- older generations (legacy.c) ------------------------------------------------------------ */
/* Respells the config of a layer (of today's class name) as Keras 3 would write it: renamed and
 * dropped keys, older forms of values. *out is a dict in `scratch` whose values are those of `config`, or
 * new ones in the arena; nested layers are respelled when their turn comes. */
krt_status krti_legacy_config(krti_arena *a, krti_arena *scratch, int generation,
                              const char *class_name, const krti_conf *config,
                              const krti_conf **out);
/* Today's name of a class: Convolution2D is Conv2D; others stay as they are. */
const char *krti_legacy_class_name(const char *class_name);
/* The same for an object, whose config may decide: Merge (legacy_keras1.c). */
const char *krti_legacy_class(const krti_conf *object);

#endif
