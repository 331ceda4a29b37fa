/* What a file is, told by its first bytes, for the sentence that says it is not what was wanted:
 * broken downloads and wrong arguments look like format errors otherwise. */
#ifndef KRTI_FORMATS_CONTENT_H
#define KRTI_FORMATS_CONTENT_H

#include "base/fs.h"

/* "a PNG image", "an HTML page", "a Git LFS pointer, not the file itself (run: git lfs pull)",
 * "text". Never NULL: "of no known kind" at the least; reads well after "is". */
const char *krti_content_name(const krti_bytes *bytes);

/* Whether it is text: UTF-8 or another ASCII superset without control characters, as far as 4096
 * bytes tell. An empty file is not. */
bool krti_content_is_text(const krti_bytes *bytes);

#endif
