/* What a save writes, as a list: objects with their paths in Keras 3's tree, and their arrays.
 *
 * It is made of a model, or of the store of an open file without building a model: then the arrays
 * are read one by one while they are written, so files larger than memory and models of unknown
 * classes can be converted. Every writer of Keras 3's containers takes this list. Keras: _save_state
 * in saving_lib.py. */
#ifndef KRTI_SAVING_SAVE_LIST_H
#define KRTI_SAVING_SAVE_LIST_H

#include "base/arena.h"
#include "models/model.h"
#include "saving/store.h"

typedef struct krti_save_array {
    const char *key; /* within the object's `vars`: "0"; a few layers name what they store */
    krt_dtype dtype;
    krt_shape shape;
    uint64_t size_bytes;
    const void *data;     /* of a model's variable; NULL: in the list's store */
    krt_dtype data_dtype; /* what it is in memory, where models compute in float32 */
    krti_bytes *source;   /* the mapping it lies in, borrowed: let go once written; NULL: none */
    const void *precise;  /* float64 of the file it came from, for values that did not change */
    size_t store_array;   /* its index there */
} krti_save_array;

typedef struct krti_save_object {
    const char *path; /* "layers/dense"; "" for the model itself */
    const char *name; /* of the layer, which Keras writes beside and never reads; NULL: none */
    krti_role role;
    size_t first, num; /* its arrays */
    bool has_seed;     /* an optimizer's: see krti_optimizer.seed */
    uint64_t seed;
} krti_save_object;

typedef struct krti_save_list {
    krt_ctx *k;
    krti_arena arena;
    krti_save_object *objects;
    size_t num_objects, objects_capacity;
    krti_save_array *arrays;
    size_t num_arrays, arrays_capacity;
    krti_store *store; /* where arrays without `data` lie; borrowed */
} krti_save_list;

krt_status krti_save_list_new(krt_ctx *k, krti_save_list **out);
void krti_save_list_free(krti_save_list *l); /* NULL allowed */

/* The objects and variables of a model; variables without values get their initial ones. Fails:
 * E_UNKNOWN_CLASS for a model with layers whose weights it cannot hold, E_STATE when it is not
 * built and `must_be_built`. */
krt_status krti_save_list_add_model(krti_save_list *l, krt_model *m, bool must_be_built);
/* The objects of an open file in Keras 3's tree, in the file's order; what Keras does not read is
 * left out. The store must outlive the list. Fails: E_UNSUPPORTED for a store of another form or an
 * array whose dtype is not ours. */
bool krti_save_list_takes(const krti_store *s);
krt_status krti_save_list_add_store(krti_save_list *l, krti_store *s, bool include_optimizer);

/* The dtype Keras keeps a variable in, by its layer's policy: float16 for "float16", float32 for
 * "mixed_float16". In memory both are float32. */
krt_dtype krti_stored_dtype(const krt_variable *v);
/* Elements of a variable as they go into a file, `n` from `first` on. `precise` (or NULL): the float64
 * of the file it came from; those whose float32 is still the value go back as they were. */
void krti_stored_values(const void *data, krt_dtype data_dtype, const void *precise, size_t first,
                        size_t n, void *to, krt_dtype dtype);
/* Only what is the optimizer's. */
krt_status krti_save_list_add_optimizer_of(krti_save_list *l, krti_store *s);

/* Where an optimizer's random numbers go on, in files of ours. */
#define KRTI_SEED_ATTRIBUTE "keratin_seed"
krt_status krti_store_seed(krti_store *s, uint64_t *seed, bool *found);

/* For both: an object, then its arrays. Texts are copied, data is not. */
krt_status krti_save_list_add_object(krti_save_list *l, const char *path, const char *name,
                                     krti_role role);
krt_status krti_save_list_add_array(krti_save_list *l, const krti_save_array *a);

#endif
