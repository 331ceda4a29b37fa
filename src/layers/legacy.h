/* What the two files about older configs share. */
#ifndef KRTI_LAYERS_LEGACY_H
#define KRTI_LAYERS_LEGACY_H

#include "layers/layer.h"

/* Which classes a rule is about: a whole name, or with a star at the end its beginning; NULL: all.
 */
bool krti_legacy_about(const char *pattern, const char *class_name);
/* Sets a value that two trees then share. */
krt_status krti_legacy_set(krti_arena *a, krti_conf *dict, const char *key, const krti_conf *value);
/* Gives keys their new names; a new name that is already there wins. */
typedef struct krti_legacy_rename {
    const char *classes, *old_key, *key; /* classes as for krti_legacy_about() */
} krti_legacy_rename;
krt_status krti_legacy_rename_keys(krti_arena *a, const krti_legacy_rename *renames, size_t n,
                                   const char *class_name, krti_conf *config);
/* Changes a copy of a layer's config from Keras 1's keys to those of Keras 2. */
krt_status krti_legacy_keras1(krti_arena *a, const char *class_name, krti_conf *config);

#endif
