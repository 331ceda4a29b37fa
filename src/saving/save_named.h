/* Saving weights under names: krt_save_checkpoint(), and the endings of krt_save_weights() that Keras does
 * not have. */
#ifndef KRTI_SAVING_SAVE_NAMED_H
#define KRTI_SAVING_SAVE_NAMED_H

#include "models/model.h"
#include <keratin/saving.h>

/* Whether a name ends in .safetensors or .npz. */
bool krti_save_is_exchange(const char *filepath);
/* Writes the model's weights there. */
krt_status krti_save_exchange(krt_model *m, const char *filepath,
                              const krt_save_weights_args *args);

#endif
