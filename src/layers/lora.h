/* LoRA: a kernel that stays as it is, and the product of two small matrices that is trained and added
 * to it. Keras: enable_lora() of Dense, EinsumDense, Embedding and the convolutions.
 *
 * To its own layer such a kernel is the sum (krt_call_weight() gives it), and so it is to files of Keras
 * 3's tree, which know nothing of the factors: what is read from them has factors of zero. Keras's .h5
 * files hold all three. */
#ifndef KRTI_LAYERS_LORA_H
#define KRTI_LAYERS_LORA_H

#include "layers/layer.h"

/* For a layer's build, behind its kernel: the factors, where its config or arguments ask for them.
 * Fails: E_INVALID in Keras's words. */
krt_status krti_lora_build(krt_layer *l);
/* For a layer that is built. Fails: E_UNSUPPORTED for a class that has no LoRA, E_STATE, E_INVALID. */
krt_status krti_lora_enable(krt_layer *l, int64_t rank, const krt_lora_args *args);
bool krti_is_lora_kernel(const krt_variable *v);
bool krti_is_lora_factor(const krt_variable *v);
/* The sum, where `v` is such a kernel and `kernel` its value; else `kernel` itself. */
krt_value *krti_lora_sum(krti_graph *g, const krt_variable *v, krt_value *kernel);
/* The same in numbers, for savers: the variable's own array where nothing is added to it, else one in
 * the arena. The variables have values. NULL: out of memory. */
const void *krti_lora_merged(krti_arena *a, const krt_variable *v);
/* Of a layer that has it: the kernel, the left (0) and the right (1) factor. */
krt_variable *krti_lora_kernel(const krt_layer *l);
krt_variable *krti_lora_factor(const krt_layer *l, int i);
/* Memory of its own for a factor, of zeros unless `only_room`. Fails: E_NOMEM, and where there is such
 * memory never. */
krt_status krti_lora_clear(krt_variable *factor, bool only_room);
/* What the config says of it: nothing without it, else the rank and alpha that count. */
krt_status krti_lora_to_conf(krti_arena *a, krti_conf *dict, const krt_layer *l);

#endif
