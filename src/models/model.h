/* A model: a layer whose inner layers are wired by nodes. Keras: models/{model,sequential,
 * functional}.py and ops/{function,node}.py.
 *
 * Sequential and Functional share this one form: a Sequential is a chain. A node is one call of
 * one layer; its inputs name the outputs of earlier nodes. Operations inside a Functional
 * (x + y, keras.ops.relu(x)) are layers here too (layers/operations.c), they only are not counted
 * as such. Models register their classes with the layers floor, so that a model can be a layer. */
#ifndef KRTI_MODELS_MODEL_H
#define KRTI_MODELS_MODEL_H

#include "layers/layer.h"
#include "ops/plan.h"

/* One output of one node. */
typedef struct krti_ref {
    int node, tensor;
} krti_ref;

typedef struct krti_model_node {
    krt_layer *layer;
    int call;        /* which call of the layer this is: Keras's node index */
    size_t num_in;   /* positional inputs */
    size_t num_refs; /* those, and behind them the tensors among the keyword arguments */
    krti_ref *refs;
    /* As Keras wrote them, tensors replaced by {"__value__": i}, i into refs; NULL: plain call. */
    const krti_conf *args, *kwargs;
    size_t num_out;        /* of the last symbolic trace; 0 while unknown */
    krt_shape *out_shapes; /* as Keras says them */
    krt_dtype *out_dtypes;
} krti_model_node;

typedef struct krti_model_input {
    krt_layer *layer; /* its InputLayer; NULL for a Sequential that has none */
    const char *name;
    krt_dtype dtype;
    krt_dtype rounded; /* float32 that Keras converts to this 16-bit type first; else dtype */
    krt_shape shape;   /* with the batch dimension; rank -1 while unknown */
} krti_model_input;

struct krti_optimizer; /* the training floor's */

struct krt_model {
    krt_layer base; /* inner: "layers", in_list, in Keras's order of model.layers, with the
                               InputLayers of a Functional and without a Sequential's */
    bool is_sequential;
    bool is_functional;     /* neither: a subclassed model, known by its config only */
    krti_model_node *nodes; /* inputs before users; the first num_inputs are the inputs' */
    size_t num_nodes, nodes_capacity;
    krti_model_input *inputs;
    size_t num_inputs, inputs_capacity;
    krti_ref *outputs;
    size_t num_outputs, outputs_capacity;
    krt_shape *output_shapes; /* by output; rank -1 while unknown */
    krt_layer **layers;       /* model.layers as Keras lists them: operations, and a Sequential's
                                 InputLayer, left out */
    size_t num_layers, layers_capacity;
    krt_layer **kept; /* every layer made for this model alone: freed with it */
    size_t num_kept, kept_capacity;
    krti_text_use texts[KRTI_MAX_TEXTS]; /* what is as wide as the texts of a batch */
    size_t num_texts;
    const char *cannot_run;   /* why, naming the first layer without implementation; NULL: it can */
    krt_status cannot_status; /* the status that goes with it */
    const krti_conf *config;  /* the whole object of the file: class_name, config, compile_config */
    krt_status failed;        /* first failure while being built from C */
    struct krti_plans *plans; /* compiled programs by input shapes; predict.c */
    /* What it was compiled with, as in Keras 3's files; NULL: not compiled. The config's own at first. */
    const krti_conf *compile_config;
    /* What compile() made of the model: the training floor's, which frees it. */
    struct krti_training *training;
    void (*free_training)(struct krti_training *training);
    void (*weights_moved)(struct krti_training *training); /* programs hold them by address */
    /* The state of its file's optimizer, not read yet: the saving floor's, which reads it into an
     * optimizer made later. */
    struct krti_saved_state *saved;
    void (*free_saved)(struct krti_saved_state *saved);
    krt_status (*restore_optimizer)(krt_model *m, struct krti_optimizer *o);
    /* The variables Keras's optimizer is built for, as of the compile settings or the file: slots stay
     * with these whatever is frozen since. To compare with, as a layer may be gone. */
    struct krti_trained {
        bool is_known;

        krt_variable **items;
        size_t n;
        /* What Keras does when it reads the file, which its summary shows. */
        enum { KRTI_BUILT, KRTI_BUILT_FOR_NONE, KRTI_UNBUILT } in_keras;
    } trained;
};

/* Builds from Keras's object {"class_name", "config"}: layers, wiring, and, by a symbolic trace,
 * every variable with its shape (no data). `object` is copied. A class nobody knows is no failure:
 * cannot_run says so, and what follows it may have no variables. Fails: E_FORMAT, E_INVALID. */
krt_status krti_model_from_conf(krt_ctx *k, krt_model **out, const krti_conf *object);

/* The whole object as Keras 3 writes it, {"module", "class_name", "config", "registered_name",
 * "build_config", "compile_config"}, for any model: made in C, or read from a file of any Keras. What
 * Keras 3 wrote comes out as it was, but for what has been changed since. The compile settings are
 * those of the file; saving/serialization.h knows today's. */
krt_status krti_model_to_conf(krti_arena *a, const krt_model *m, krti_conf **out);

/* The model behind a layer, NULL when it is none. */
krt_model *krti_model_of(const krt_layer *l);

/* Makes the classes Sequential, Functional and Model known to the context; once is enough. */
krt_status krti_models_register(krt_ctx *k);

/* --- for the files of this floor ------------------------------------------------------------- */

krt_status krti_model_alloc(krt_ctx *k, krt_model **out, const char *class_name);
krt_status krti_model_add_layer(krt_model *m, krt_layer *layer); /* to `layers` and `inner` */
krt_status krti_model_keep(krt_model *m, krt_layer *layer);      /* frees it with the model */
krt_status krti_model_add_input(krt_model *m, krt_layer *layer, const char *name, krt_dtype dtype,
                                krt_shape shape);
/* Takes over the node's arrays; they live in the model's arena. */
krt_status krti_model_add_node(krt_model *m, const krti_model_node *node);
krt_status krti_model_add_output(krt_model *m, krti_ref ref);
/* Brings the nodes into an order in which inputs come first and mends every reference. Fails:
 * E_FORMAT, Keras's words: "Invalid Functional model configuration. The graph ... has loops or
 * disconnected nodes". */
krt_status krti_model_sort_nodes(krt_model *m);
/* Traces with the model's own input shapes: makes variables, learns shapes, finds what cannot run. */
krt_status krti_model_build(krt_model *m);
/* An input of yet unknown shape for a chain made in C without one, and its wiring. */
krt_status krti_sequential_open_input(krt_model *m);
krt_status krti_sequential_wire(krt_model *m); /* nodes and output of a chain, from scratch */
krt_status krti_sequential_from_conf(krt_model *m, const krti_conf *config);
krt_status krti_functional_from_conf(krt_model *m, const krti_conf *config, int depth);
/* The context's last failure, `st`, is why the model cannot run. */
krt_status krti_model_keep_why(krt_model *m, krt_status st);
/* Says anew why the model cannot run, now that the arrays of unknown classes are counted. */
krt_status krti_model_say_why(krt_model *m);
/* A shape from a JSON list, null is unknown; rank -1 when it is none. */
krt_shape krti_shape_from_conf(const krti_conf *c);

/* What a tracer hands down through krt_call.user. */
typedef struct krti_tracing {
    const krt_layer *tap; /* NULL, or the layer whose first outputs are wanted */
    krt_value *tapped[KRTI_MAX_CALL_OUT];
    size_t num_tapped;
    bool is_symbolic; /* on shapes alone, to build layers and to print */
    bool claims;      /* go on with the shapes Keras claims; claims.c */
    bool has_claims;  /* out: it makes a difference */
} krti_tracing;

/* Describes the model on these inputs. out has num_outputs entries. */
krt_status krti_model_trace(krt_model *m, krti_graph *g, krt_value *const *in,
                            krt_value *const *in_mask, size_t num_in, bool training,
                            krti_tracing *tracing, krt_value **out, krt_value **out_mask);

/* claims.c: whether Keras may say another shape than comes out of the layer, and which. */
bool krti_claims_shape(const krt_layer *l);
/* Whether what follows is built for the claimed shape. */
bool krti_claims_to_build(const krt_layer *l);
krt_shape krti_claimed_shape(const krt_layer *l, krt_shape in, krt_shape out);

/* predict.c */
/* Forgets compiled programs, which hold weights in layouts of their own: after weights changed. Runs
 * that are alive make theirs anew at their next call. */
krt_status krti_model_forget_plans(krt_model *m);
/* The same when variables have other memory than before, as after a load. */
krt_status krti_model_weights_moved(krt_model *m);
/* Whether the model can run at all; a Sequential that was never told its input's shape is built for
 * `shape` (with the batch axis; rank -1: unknown), and weights without data are initialized. */
krt_status krti_model_ready(krt_model *m, krt_shape shape);
krt_status krti_run_profile(krt_run *r, const void *const *x, int repeats, krti_str *out);
void krti_plans_free(struct krti_plans *plans);

/* weights.c */
/* The same for every model of the context: after a layer's weights changed, which may stand in any. */
krt_status krti_models_forget_plans(krt_ctx *k);
/* Gives the variable's own tensor the bytes of another, which gets the old ones: graphs hold on to
 * the tensor itself. */
void krti_variable_take(krt_variable *v, krt_tensor *from);

#endif
