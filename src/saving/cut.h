/* Opening an HDF5 file so that one that was cut short is told with what is left of it. */
#ifndef KRTI_SAVING_CUT_H
#define KRTI_SAVING_CUT_H

#include "formats/h5_read.h"

/* krti_h5_open(); the sentence about a file that is cut short also counts its arrays: "file is cut
 * short: 98304 of 102853048 bytes; 3 of 174 arrays are whole". */
krt_status krti_h5_open_counted(krt_ctx *k, krti_h5 **out, krti_bytes *bytes);

#endif
