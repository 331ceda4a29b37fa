/* What a class is and takes, as data and as text. */
#ifndef KRTI_LAYERS_MANUAL_H
#define KRTI_LAYERS_MANUAL_H

#include "base/str.h"
#include "layers/layer.h"

/* {"name", "kind", "arguments": [{"name", "type", "required", "default"}]} for a layer (registered
 * ones too), initializer, regularizer, constraint, activation or operation. Fails: E_UNKNOWN_CLASS,
 * E_NOMEM. */
krt_status krti_describe_class(krti_arena *a, const char *name, krti_conf **out);
/* The same for a class that is at hand; `kind` is said of it. */
krt_status krti_describe_known(krti_arena *a, const krt_layer_class *cls, const char *kind,
                               krti_conf **out);
/* Such a dict as lines of text. */
krt_status krti_describe_text(krti_str *s, const krti_conf *dict);
/* {"layers": [...], "activations": [...], "initializers": [...], "regularizers and constraints": [...],
 * "operations": [...]}. */
krt_status krti_describe_all(krti_arena *a, krti_conf **out);

#endif
