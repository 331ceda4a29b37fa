/* Configs in the words of Keras 2 and tf.keras. */
#ifndef KRTI_SAVING_KERAS2_SPELLING_H
#define KRTI_SAVING_KERAS2_SPELLING_H

#include "base/conf.h"

/* The release whose form that is. */
#define KRTI_KERAS2_VERSION "2.15.0"

/* The object of a model as Keras 3 writes it (krti_serialize_model()), as {"class_name", "config"} of
 * tf.keras. `both`: only what Keras 3 reads as well, which a model in a model is not. Fails:
 * E_UNSUPPORTED, naming what Keras 2 has no word for; E_NOMEM. */
krt_status krti_keras2_model(krti_arena *a, const krti_conf *object, bool both, krti_conf **out);
/* A compile_config as training_config, in the form that Keras 3 reads as well. `legacy` comes out
 * whether its optimizer is one that tf.keras had before 2.11, under its plain name; others are
 * `Custom>Name` when only Keras 2 is to read them. */
krt_status krti_keras2_settings(krti_arena *a, const krti_conf *settings, bool is_keras2,
                                bool *legacy, krti_conf **out);

#endif
