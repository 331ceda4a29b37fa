/* A load of files that are open already, and its two halves, for those who compare a file with a model and
 * fill nothing. */
#ifndef KRTI_SAVING_LOAD_H
#define KRTI_SAVING_LOAD_H

#include "saving/match.h"
#include "saving/source.h"

/* krt_load() of `file`, with the architecture of `config` where there is one (or NULL). Both stay the
 * caller's. */
krt_status krti_load_open(krt_ctx *k, krt_model **out, krti_source *file, krti_source *config);

/* The model of the file's architecture, without weights. Fails: E_UNSUPPORTED, E_FORMAT, and what
 * krti_model_from_conf() fails with. */
krt_status krti_load_build(krt_ctx *k, krt_model **out, const krti_source *f);

/* Pairs the arrays of a file, which are listed, with the model's variables. On E_MISMATCH m->report
 * and the sentence say what does not fit. krti_match_fini(m) in any case. */
krt_status krti_load_match(krti_match *m, krt_model *model, const krti_source *f);

/* The same with what krt_load_weights() lets a caller leave out. */
krt_status krti_load_match_by(krti_match *m, krt_model *model, const krti_source *f,
                              const krti_match_rules *rules);

/* Reads everything in a file and holds it against the checksums and digests that it has. Fails:
 * E_CORRUPT, naming the first array or member that is not as it was saved; what listing the weights
 * fails with (verify.c). */
krt_status krti_source_verify(krti_source *f);

#endif
