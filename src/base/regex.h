/* Python's re.search(), for the few settings of Keras that hold regular expressions: an optimizer's
 * exclude_layers and exclude_from_weight_decay.
 *
 * Literals, ".", "[...]", "\d" and its like, groups, "|", "*", "+", "?", "{m,n}" and the anchors; lazy
 * repeats, which find the same. Lookarounds, backreferences and flags are refused. All ways are
 * followed at once, so that no pattern takes more than its length times the text's. */
#ifndef KRTI_BASE_REGEX_H
#define KRTI_BASE_REGEX_H

#include "base/ctx.h"

/* `found` may be NULL: is the pattern one? Without a context nothing is recorded. Fails: E_INVALID,
 * E_UNSUPPORTED, the place named. */
krt_status krti_regex_search(krt_ctx *k, const char *pattern, const char *text, bool *found);
/* Each of the patterns, as above. */
krt_status krti_regex_check(krt_ctx *k, krt_names patterns);
/* Whether any of the patterns, which have been checked, is found. */
bool krti_regex_finds(krt_names patterns, const char *text);

#endif
