/* Interpolations by name, and images in any data_format as channels last. See images.h. */
#include "layers/images.h"

#include "layers/spatial.h"

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

krt_value *krti_open_images(krt_call *c, krt_value *x, const char *data_format)
{
    if (x == NULL)
        return NULL;
    if (x->shape.rank != 3 && x->shape.rank != 4)
        return krti_graph_fail(c->g, KRT_E_INVALID,
                               "Invalid images rank: expected rank 3 (single image) or rank 4 "
                               "(batch of images). Received input with rank %d",
                               x->shape.rank);
    if (x->shape.rank == 3)
        x = krti_expand_dims(c->g, x, 0);
    return krti_to_channels_last(c->g, x, data_format);
}

krt_status krti_close_images(krt_call *c, krt_value *y, const char *data_format)
{
    y = krti_from_channels_last(c->g, y, data_format);
    if (y != NULL && c->in[0]->shape.rank == 3)
        y = krti_squeeze(c->g, y, &(int){0}, 1);
    return krt_call_output(c, 0, y);
}
