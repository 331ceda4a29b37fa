/* What attention layers and the operation of the same name share: masks over scores. */
#ifndef KRTI_LAYERS_ATTENTION_H
#define KRTI_LAYERS_ATTENTION_H

#include "layers/layer.h"

/* Softmax of scores (..., rows, columns) over the columns. `mask` is bool, broadcasts over the scores
 * and says which columns count; NULL: all. `is_causal`: none behind the row's own. A row without any
 * column keeps equal weights, as in Keras. */
krt_value *krti_attention_weights(krti_graph *g, krt_value *scores, krt_value *mask,
                                  bool is_causal);

#endif
