/* See images.h. */
#include "layers/images.h"

#include <ctype.h>

static const struct {
    const char *name;
    krti_interpolation method;
} methods[] = {
    {"nearest", KRTI_NEAREST},   {"bilinear", KRTI_BILINEAR}, {"bicubic", KRTI_BICUBIC},
    {"lanczos3", KRTI_LANCZOS3}, {"lanczos5", KRTI_LANCZOS5}, {"area", KRTI_AREA},
};

static bool same_but_case(const char *given, const char *name)
{
    for (; *given != '\0' && tolower((unsigned char)*given) == *name; given++, name++)
        ;
    return *given == '\0' && *name == '\0';
}

krt_status krti_interpolation_named(const krt_layer *l, const char *name,
                                    krti_interpolation *method)
{
    for (size_t i = 0; name != NULL && i < KRTI_COUNT(methods); i++) {
        if (same_but_case(name, methods[i].name)) {
            *method = methods[i].method;
            return KRT_OK;
        }
    }
    return krti_layer_fail(l, KRT_E_INVALID,
                           "Invalid `interpolation` argument. Expected one of {'nearest', "
                           "'bilinear', 'bicubic', 'lanczos3', 'lanczos5', 'area'}. Received: "
                           "interpolation=%s",
                           name != NULL ? name : "None");
}
