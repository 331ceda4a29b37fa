/* A list of what an inspection found. Public face: <keratin/inspect.h>. */
#ifndef KRTI_SAVING_FINDINGS_H
#define KRTI_SAVING_FINDINGS_H

#include "base/arena.h"
#include "base/str.h"
#include <keratin/inspect.h>

struct krt_findings {
    krti_owned owned;
    krti_arena arena; /* the texts */
    krt_finding *items;
    size_t n, capacity, num_problems;
    krti_str summary;
};

krt_status krti_findings_new(krt_ctx *k, krt_findings **out);
/* `code` must live for ever; file and object may be NULL; texts are copied. */
krt_status krti_findings_add(krt_findings *f, const char *code, const char *file,
                             const char *object, const char *format, ...) KRTI_PRINTF(5, 6);
/* The same for what is no problem. */
krt_status krti_findings_remark(krt_findings *f, const char *code, const char *file,
                                const char *object, const char *format, ...) KRTI_PRINTF(5, 6);
/* The name of the file that the last failure is about where that is not the inspected one; else
 * NULL. */
const char *krti_failed_file(const krt_ctx *k, const char *filepath);
/* Turns the failure `st`, which the context just recorded, into a finding. Hands back the statuses
 * that are about us and not about the file: E_NOMEM, E_IO, E_NOT_FOUND. */
krt_status krti_findings_add_failure(krt_findings *f, krt_status st, const char *file);

#endif
