/* A list of arrays by name, to be written: of a model, or of an open file without building a model; then
 * they are read one by one while they are written. What .safetensors, .npz and TensorFlow checkpoints
 * are made of. */
#ifndef KRTI_SAVING_NAMED_LIST_H
#define KRTI_SAVING_NAMED_LIST_H

#include "models/model.h"
#include "saving/store.h"

typedef struct krti_named_item {
    const char *key;
    krt_dtype dtype;
    krt_shape shape;
    const void *data;     /* NULL: in the list's store */
    krt_dtype data_dtype; /* of `data`, where models compute in float32; NONE: the same */
    const void *precise;  /* float64 of the file it came from, for values that did not change */
    size_t store_array;   /* its index there */
} krti_named_item;

typedef struct krti_named_list {
    krt_ctx *k;
    krti_arena arena;
    krti_named_item *items;
    size_t n, capacity;
    krti_str graph;    /* of a TensorFlow checkpoint, serialized; else empty */
    krti_store *store; /* where items without data lie; borrowed */
} krti_named_list;

void krti_named_list_init(krti_named_list *l, krt_ctx *k);
void krti_named_list_free(krti_named_list *l);
/* The key is copied, data is not. */
krt_status krti_named_list_add(krti_named_list *l, const krti_named_item *item);
/* An item's elements as they are written, for as long as *owned lives, which may be NULL. */
krt_status krti_named_item_read(const krti_named_list *l, const krti_named_item *item,
                                const void **data, krt_tensor **owned);

/* The model's weights by the paths of variables, "dense/kernel"; where two layers share a name, by
 * their places in Keras 3's tree, "layers/dense/vars/0". Fails: E_STATE for a model without its
 * variables, E_UNKNOWN_CLASS. */
krt_status krti_named_list_add_model(krti_named_list *l, krt_model *m);
/* The weights of an open file, which must outlive the list, by the names it has for them; of a
 * TensorFlow checkpoint with `keeps_graph` everything under its keys, and the graph. Fails:
 * E_UNSUPPORTED for arrays without a type of ours. */
krt_status krti_named_list_add_store(krti_named_list *l, krti_store *s, bool keeps_graph);

/* Writes the list, whole or not at all. Fails: E_UNSUPPORTED (bfloat16 in .npz), E_IO, E_INVALID. */
krt_status krti_safetensors_write(const krti_named_list *l, const char *filepath, bool sync);
krt_status krti_npz_write_list(const krti_named_list *l, const char *filepath, bool sync);

#endif
