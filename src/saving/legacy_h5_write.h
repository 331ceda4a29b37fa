/* Writing HDF5 as Keras 2 does: whole models and weights alone. */
#ifndef KRTI_SAVING_LEGACY_H5_WRITE_H
#define KRTI_SAVING_LEGACY_H5_WRITE_H

#include "models/model.h"

typedef struct krti_legacy_h5_options {
    int for_keras;     /* 2, 3, or 0: for both where one file can serve both, else for Keras 3 */
    bool weights_only; /* no architecture, no settings: save_weights() of Keras 1 and 2 */
    bool include_optimizer;
    bool sync;
    krt_digest digest; /* of each array, kept where no Keras looks; saving/digests.h */
} krti_legacy_h5_options;

/* Fails: E_UNSUPPORTED (what that Keras has no word for, named), E_UNKNOWN_CLASS (a layer whose
 * weights the model does not hold), E_STATE (not built), what a transaction fails with. */
krt_status krti_write_legacy_h5(krt_model *m, const char *filepath,
                                const krti_legacy_h5_options *options);

#endif
