/* The order in which a file's arrays are shown. */
#ifndef KRTI_SAVING_FILE_ORDER_H
#define KRTI_SAVING_FILE_ORDER_H

#include "saving/store.h"

/* The indices of the store's arrays in the model's order, n of them in `indices`. `config` is the
 * architecture of the same file, NULL when it has none. */
krt_status krti_file_order(const krti_store *s, const krti_conf *config, size_t *indices);

/* Layers in a config, those of nested models included, as len(model.layers) counts them. */
int64_t krti_config_num_layers(const krti_conf *config);

#endif
