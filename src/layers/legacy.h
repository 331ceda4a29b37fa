/* What the two files about older configs share. */
#ifndef KRTI_LAYERS_LEGACY_H
#define KRTI_LAYERS_LEGACY_H

#include "layers/layer.h"

/* Which classes a rule is about: a whole name, or with a star at the end its beginning; NULL: all.
 */
bool krti_legacy_about(const char *pattern, const char *class_name);
/* Changes a copy of a layer's config from Keras 1's keys to those of Keras 2. */
krt_status krti_legacy_keras1(krti_arena *a, const char *class_name, krti_conf *config);

#endif
