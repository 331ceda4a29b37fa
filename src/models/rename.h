/* Rules of names: "old/STAR=new/STAR", STAR being an asterisk that stands for any text. */
#ifndef KRTI_MODELS_RENAME_H
#define KRTI_MODELS_RENAME_H

#include "base/str.h"
#include <keratin/base.h>

/* Refuses what is no rule: E_INVALID, the rule and what it should look like. */
krt_status krti_rename_check(krt_ctx *k, const krt_names *rules);
/* The path by the first rule that fits, itself when none does; in the place of what `out` held. The
 * end of a rule's sides may stand for everything below: "old" alone is "old" and "old" with what
 * follows it. */
krt_status krti_rename(krti_str *out, const krt_names *rules, const char *path);

#endif
