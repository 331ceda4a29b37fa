/* Chunked data. */
#include "formats/h5_internal.h"

krt_status krti_h5_filters_parse(krti_h5 *f, krti_h5_cursor body, krti_h5_filters *out)
{
    (void)body;
    (void)out;
    return krti_h5_fail(f, KRT_E_UNSUPPORTED, "HDF5: filters are not supported yet");
}

krt_status krti_h5_chunks_stored(krti_h5 *f, const krti_h5_plan *plan, uint64_t *out)
{
    (void)plan;
    (void)out;
    return krti_h5_fail(f, KRT_E_UNSUPPORTED, "HDF5: chunked data is not supported yet");
}

krt_status krti_h5_chunks_read(krti_h5 *f, const krti_h5_plan *plan, unsigned char *out)
{
    (void)plan;
    (void)out;
    return krti_h5_fail(f, KRT_E_UNSUPPORTED, "HDF5: chunked data is not supported yet");
}
