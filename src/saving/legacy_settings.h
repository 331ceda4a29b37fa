/* Compile settings of whole .h5 files, of every generation, and of tf.keras's .keras. */
#ifndef KRTI_SAVING_LEGACY_SETTINGS_H
#define KRTI_SAVING_LEGACY_SETTINGS_H

#include "base/conf.h"

/* The training_config of a file, {"optimizer_config", "loss", "metrics", ...}, or the compile_config
 * of tf.keras, as Keras 3's compile_config. `outputs` are the names of the layers of a model's
 * outputs. What is no class of Keras's stays as it is. Fails: E_NOMEM. */
krt_status krti_legacy_settings(krti_arena *a, const krti_conf *training, int generation,
                                const char *const *outputs, size_t num_outputs, krti_conf **out);

/* A loss function's name as every Keras reads it from an .h5 file: neither short, which Keras 3 does
 * not read back from there, nor gone. */
const char *krti_long_loss_name(const char *name);

#endif
