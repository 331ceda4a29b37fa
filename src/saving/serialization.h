/* A model as the object that files hold: its architecture and its compile settings. */
#ifndef KRTI_SAVING_SERIALIZATION_H
#define KRTI_SAVING_SERIALIZATION_H

#include "models/model.h"

/* krti_model_to_conf() with the compile settings as they are now, {} when there are none. Fails:
 * E_UNSUPPORTED for what Keras 3 has no word for: operations of tf.keras, Keras 2's hard_sigmoid. */
krt_status krti_serialize_model(krti_arena *a, const krt_model *m, krti_conf **out);
/* The same, with these in it. */
krt_status krti_serialize_any(krti_arena *a, const krt_model *m, krti_conf **out);
/* The architecture alone as tf.keras's to_json() writes it. Fails: E_UNSUPPORTED, naming what Keras 2 has
 * no word for. */
krt_status krti_serialize_keras2(krti_arena *a, const krt_model *m, krti_conf **out);
/* krti_serialize_model() for the .keras of a model that Keras 3 did not write, in the spelling that
 * every release from 3.0 on reads (portable.c); one that it did write stays as it was. */
krt_status krti_serialize_portable(krti_arena *a, const krt_model *m, krti_conf **out);
/* Makes of any model's object a copy in that spelling. */
krt_status krti_spell_portably(krti_arena *a, krti_conf **c);

#endif
