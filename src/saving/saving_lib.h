/* Keras 3's weights: pairing a model's variables with the paths of a file. Keras: saving_lib.py. */
#ifndef KRTI_SAVING_SAVING_LIB_H
#define KRTI_SAVING_SAVING_LIB_H

#include "saving/match.h"

/* Walks the model as Keras walks it and pairs variable by variable. `counts_visited`: whether a
 * layer met before still takes a number in its container, as it does since Keras 3; Keras 2.13 to
 * 2.15 numbered what was left. */
krt_status krti_saving_lib_match(krti_match *m, bool counts_visited);

#endif
