/* Keras 3's weights: pairing a model's variables with the paths of a file. Keras: saving_lib.py. */
#ifndef KRTI_SAVING_SAVING_LIB_H
#define KRTI_SAVING_SAVING_LIB_H

#include "saving/match.h"

/* Walks the model as Keras walks it and pairs variable by variable. `counts_visited`: whether a
 * layer met before still takes a number in its container, as it does since Keras 3; Keras 2.13 to
 * 2.15 numbered what was left. */
krt_status krti_saving_lib_match(krti_match *m, bool counts_visited);

/* The group of a class in a container: snake case of Python's class name, which for one class is
 * not the name in configs. `is_functional`: Keras 2's Model is what Keras 3 calls Functional. */
krt_status krti_saving_lib_group(krti_str *s, const char *class_name, bool is_functional);

#endif
