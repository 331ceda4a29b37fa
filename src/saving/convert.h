/* The forms a conversion can write, and how one is chosen. Public face: krt_convert() in
 * <keratin/saving.h>. */
#ifndef KRTI_SAVING_CONVERT_H
#define KRTI_SAVING_CONVERT_H

#include "saving/source.h"
#include "saving/weights_writer.h"

/* Everything one conversion has in its hands. */
typedef struct krti_conversion {
    krt_ctx *k;
    const krt_convert_args *args;
    krti_write_options options;
    const char *in, *out;
    krti_source *f;      /* the weights, and the architecture unless there is another */
    krti_source *config; /* the file args->config names, or NULL */
    krt_model *m;        /* once it was needed */
} krti_conversion;

/* The architecture of the conversion, NULL when there is none. */
const krti_conf *krti_conversion_config(const krti_conversion *c);
/* The model with its weights, built at most once. Fails: as krt_load(). */
krt_status krti_conversion_model(krti_conversion *c, krt_model **out);

#endif
