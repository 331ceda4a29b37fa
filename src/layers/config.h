/* What config.c, config_read.c and config_write.c share: one field of an args struct, read from a
 * config value and written back. Everyone else sees layer.h only. */
#ifndef KRTI_LAYERS_CONFIG_H
#define KRTI_LAYERS_CONFIG_H

#include "base/str.h"
#include "layers/layer.h"

typedef struct krti_field_reader {
    krt_ctx *k;
    krti_arena *arena;
    krt_layer *layer;       /* the layer being read, or the owner of the object being read */
    const char *class_name; /* whose argument it is, for messages */
} krti_field_reader;

/* Reads one value into its member. Fails: E_INVALID, the key, the class, what was expected and
 * what was found in the message; E_NOMEM; what making an inner layer fails with. */
krt_status krti_field_read(const krti_field_reader *r, const krt_field *f, const krti_conf *value,
                           void *member);

/* The member as get_config() would give it; `l` knows the inner layers. NULL: out of memory. */
krti_conf *krti_field_write(krti_arena *a, const krt_layer *l, const krt_field *f,
                            const void *member);

/* An initializer, regularizer or constraint in any generation's spelling, as Keras 3 writes it. The
 * key tells which of them is meant: "kernel_regularizer". */
krti_conf *krti_given_to_conf(krti_arena *a, const krt_layer *l, const char *key,
                              const krt_spec *spec);
/* Every field of an args struct that the dict does not hold yet. */
krt_status krti_fields_to_conf(krti_arena *a, krti_conf *dict, const krt_layer *l,
                               const krt_layer_class *cls, const void *args);

/* For config hooks (layer.h): a number under the key becomes a list of one. */
krt_status krti_conf_enlist(krti_arena *a, krti_conf *dict, const char *key);
/* A config hook: Keras's classes that can be quantized say that they are not. */
krt_status krti_config_quantizes(krti_arena *a, krti_conf *dict, const krt_layer *l);

/* Bytes of a member of this kind; 0 for KRT_FIELD_IGNORED. */
size_t krti_field_size(krt_field_kind kind);

/* Python's repr() of the value, cut after some hundred characters: for messages. */
void krti_conf_repr(krti_str *s, const krti_conf *c);

/* Marks a layer that was read but cannot run; the first reason counts. */
krt_status krti_layer_unsupported(krt_layer *l, const char *format, ...) KRTI_PRINTF(2, 3);

#endif
