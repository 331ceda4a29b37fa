/* The walk of Keras's _save_state and _load_state over a model: every object once, with its path.
 *
 * A layer's own variables are <path>/vars/0, 1, ...; an inner layer under the attribute `cell` has
 * the path <path>/cell; one in a list has <path>/<attribute>/<its class in snake case>, numbered
 * from the second of a class on. Names of layers play no part, so renaming breaks nothing and
 * reordering layers of a class does. The first path that reaches an object is its path. Page:
 * docs/formats/keras.md, section 4. */
#ifndef KRTI_SAVING_WALK_H
#define KRTI_SAVING_WALK_H

#include "models/model.h"

typedef struct krti_walk {
    /* Called with each object before what it holds; `vars` has its own variables that files know, `n`
     * of them, in the order of their indices: trainable ones, then the others. */
    krt_status (*each)(void *user, const char *path, krt_layer *l, krt_variable *const *vars,
                       size_t n);
    /* Whether a file has this group: an attribute that another Keras called private is then taken
     * under that name. NULL: as Keras 3 calls it. */
    bool (*has_group)(void *user, const char *path);
    void *user;
    /* Whether a layer met before still takes a number in its container, as it does since Keras 3;
     * Keras 2.13 to 2.15 numbered what was left. */
    bool counts_visited;
} krti_walk;

krt_status krti_walk_model(krt_model *m, const krti_walk *walk);

/* Whether a layer that makes variables has not made them: its input's shape is not known yet. */
bool krti_walk_is_unbuilt(const krt_layer *l);

/* Whether a model that cannot run has all its variables all the same: layers behind the one that cannot
 * have none where shapes are only known by running it, and what is saved would lack them. A class that
 * nobody knows is named by who writes. Fails: E_UNSUPPORTED. */
krt_status krti_walk_check_whole(const krt_model *m);

/* The group of a class in a container: snake case of Python's class name, which for one class is
 * not the name in configs. `is_functional`: Keras 2's Model is what Keras 3 calls Functional. */
krt_status krti_walk_group(krti_str *s, const char *class_name, bool is_functional);

#endif
