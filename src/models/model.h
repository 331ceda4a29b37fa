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

/* One output of one node. */
typedef struct krti_ref {
    int node, tensor;
} krti_ref;

typedef struct krti_model_node {
    krt_layer *layer;
    int call;               /* which call of that layer in this model, from 0 */
    size_t num_in;
    krti_ref *in;
    /* As Keras wrote them, tensors replaced by {"__value__": i}; NULL for a plain call. */
    const krti_conf *args, *kwargs;
    size_t num_out;
    krt_shape *out_shapes;  /* of the last symbolic trace; rank -1 while unknown */
} krti_model_node;

typedef struct krti_model_input {
    krt_layer *layer;       /* its InputLayer */
    const char *name;
    krt_dtype dtype;
    krt_shape shape;        /* with the batch dimension */
    int node;
} krti_model_input;

struct krt_model {
    krt_layer base;         /* inner: "layers", in_list, in Keras's order of model.layers, with the
                               InputLayers of a Functional and without a Sequential's */
    bool is_sequential;
    bool is_functional;     /* neither: a subclassed model, known by its config only */
    krti_model_node *nodes; /* inputs before users */
    size_t num_nodes, nodes_capacity;
    krti_model_input *inputs;
    size_t num_inputs;
    krti_ref *outputs;
    size_t num_outputs;
    const char **output_names; /* NULL entries: the layer's name; keys of a dict of outputs */
    krt_layer **layers;     /* model.layers as Keras lists them (operations left out) */
    size_t num_layers, layers_capacity;
    const char *cannot_run; /* why, with the first layer that has no implementation; NULL: it can */
    const krti_conf *config;/* the whole object of the file: class_name, config, compile_config */
    krt_status failed;      /* first failure while being built from C */
    struct krti_plans *plans; /* compiled programs by input shapes; predict.c */
};

/* Builds from Keras's object {"class_name", "config"}: layers, wiring, and, by a symbolic trace,
 * every variable with its shape (no data). `object` is copied. A class nobody knows is no failure:
 * cannot_run says so, and what follows it may have no variables. Fails: E_FORMAT, E_INVALID. */
krt_status krti_model_from_conf(krt_ctx *k, krt_model **out, const krti_conf *object);

/* The model behind a layer, NULL when it is none. */
krt_model *krti_model_of(const krt_layer *l);

/* Makes the classes Sequential, Functional and Model known to the context; once is enough. */
krt_status krti_models_register(krt_ctx *k);

/* Forgets compiled programs: after weights changed. */
void krti_model_forget_plans(krt_model *m);

#endif
