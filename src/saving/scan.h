/* The two parts of a scan: what a config asks for, and what a container holds. */
#ifndef KRTI_SAVING_SCAN_H
#define KRTI_SAVING_SCAN_H

#include "base/conf.h"
#include "saving/findings.h"

/* Looks at a config of any generation, an architecture or compile settings. `where` names it
 * ("config", "training_config"). */
krt_status krti_scan_config(krt_findings *out, const krti_conf *c, const char *where);

#endif
