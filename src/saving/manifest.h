/* Digests of a file's arrays kept aside, as JSON:
 *
 *     {"keratin_digests": 1, "config": "sha256:...", "arrays": {"/layers/dense/vars/0": "sha256:..."}}
 *
 * What `keratin weights --digest --json` prints is taken for one too. */
#ifndef KRTI_SAVING_MANIFEST_H
#define KRTI_SAVING_MANIFEST_H

#include "base/digest.h"
#include "saving/findings.h"
#include "saving/source.h"

/* The digest of one array of the store. Reads it and lets it go. */
krt_status krti_array_digest(krti_store *s, size_t array, krt_digest kind,
                             char text[KRTI_DIGEST_TEXT]);

/* Compares the arrays (f->store, NULL when there are none) and the architecture of a file with the
 * digests in `filepath`. What differs is a finding; `*checked` counts arrays. Fails: E_FORMAT when
 * it is no list of digests. */
krt_status krti_manifest_check(krt_findings *out, krti_source *f, const char *filepath,
                               size_t *checked);

#endif
