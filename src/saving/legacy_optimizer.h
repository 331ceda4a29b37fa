/* Optimizer state of whole .h5 files. */
#ifndef KRTI_SAVING_LEGACY_OPTIMIZER_H
#define KRTI_SAVING_LEGACY_OPTIMIZER_H

#include "models/model.h"
#include "saving/report.h"
#include "saving/store.h"

/* Fills the model's optimizer from the arrays under optimizer_weights, as far as they are told
 * apart: which slot of which variable each one is. What was restored has a path in the report; what
 * was not is said by one warning. A model that is not compiled, or whose optimizer this build does
 * not know, is left alone. Fails: E_CORRUPT, E_NOMEM. */
krt_status krti_legacy_optimizer_fill(krt_model *m, krti_store *s, krt_report *report);

#endif
