/* Weights that are known by name: of .safetensors, .npz, and checkpoints without a graph. Names are those
 * of variables, "dense/kernel", or paths of Keras 3's tree, "layers/dense/vars/0". */
#ifndef KRTI_SAVING_NAMED_ARRAYS_H
#define KRTI_SAVING_NAMED_ARRAYS_H

#include "saving/match.h"

/* Pairs every variable of the model with the array of its name. */
krt_status krti_named_match(krti_match *m);

/* --- for those who find names elsewhere ------------------------------------------------------- */

/* Arrays by the names of variables. */
typedef struct krti_names {
    krt_ctx *k;
    krti_map *whole; /* "lstm/lstm_cell/kernel" -> array + 1 */
    krti_map *ends;  /* its first and its last part; of two alike neither is meant */
} krti_names;

krt_status krti_names_init(krti_names *n, krt_ctx *k);
void krti_names_free(krti_names *n);
/* Adds a name, with or without TensorFlow's ":0". */
krt_status krti_names_add(krti_names *n, const char *name, size_t array);
/* The array of a variable: by its whole path, else by its layer and its own name. SIZE_MAX: none. */
size_t krti_names_find(const krti_names *n, const krt_variable *v);

/* Pairs each variable of the model with the array that `array_of` gives, SIZE_MAX for none, and records
 * the misfits layer by layer. */
typedef size_t (*krti_array_of_fn)(void *user, const krt_variable *v);
krt_status krti_names_pair(krti_match *m, krti_array_of_fn array_of, void *user);

#endif
