/* Where Keras says another shape than comes out: a summary prints what Keras says, and what follows
 * such a layer is traced with it, as in Keras.
 *
 * EinsumDense repeats the output_shape it was given, and turns round the axes an ellipsis in front
 * stands for (layers/core/einsum_dense.py); a layer with the activation "glu" does not know that it
 * halves the last axis; keras.ops.slice repeats its shape (ops/core.py). RandomCrop says the size it
 * crops to, also at inference, and what follows is even built for it (random_crop.py). */
#include "base/str.h"
#include "models/model.h"
#include <keratin/layers.h>

static bool is_einsum_dense(const krt_layer *l)
{
    return l->cls != NULL && l->cls->package == NULL && strcmp(l->cls->name, "EinsumDense") == 0;
}

static bool has_glu(const krt_layer *l)
{
    const char *const args = l->args;

    for (size_t i = 0; l->cls != NULL && args != NULL && i < l->cls->num_fields; i++) {
        const krt_field *const f = &l->cls->fields[i];

        if (f->kind != KRT_FIELD_ACTIVATION || strcmp(f->key, "activation") != 0)
            continue;
        const char *const name = *(const char *const *)(const void *)(args + f->offset);
        return name != NULL && strcmp(name, "glu") == 0;
    }
    return false;
}

static bool is_slice(const krt_layer *l)
{
    return l->cls != NULL && (l->cls->flags & KRT_LAYER_OPERATION) != 0 &&
           strcmp(l->class_name, "Slice") == 0;
}

bool krti_claims_to_build(const krt_layer *l)
{
    return l->cls != NULL && l->cls->package == NULL && strcmp(l->cls->name, "RandomCrop") == 0;
}

bool krti_claims_shape(const krt_layer *l)
{
    return is_einsum_dense(l) || has_glu(l) || is_slice(l) || krti_claims_to_build(l);
}

static void insert(krt_shape *s, int at, int64_t dim)
{
    for (int i = s->rank++; i > at; i--)
        s->dim[i] = s->dim[i - 1];
    s->dim[at] = dim;
}

/* The batch axis, what was given, and the axes of the ellipsis, inserted one by one. */
static krt_shape claim_einsum(const krt_einsum_dense_args *a, krt_shape in, krt_shape out)
{
    const bool left = krti_starts_with(a->equation, "...");
    const int elided = in.rank - (int)strcspn(a->equation + (left ? 3 : 0), ".,");
    krt_shape s = a->output_shape;

    if (s.rank < 0 || s.rank >= out.rank)
        return out;
    insert(&s, 0, in.dim[0]);
    for (int i = 1; left && i < elided && s.rank < out.rank; i++)
        insert(&s, 1, in.dim[i]);
    for (int i = in.rank - elided; !left && i < in.rank && s.rank < out.rank; i++)
        insert(&s, s.rank, in.dim[i]);
    return s.rank == out.rank ? s : out;
}

static krt_shape claim_crop(const krt_augmentation_args *a, krt_shape out)
{
    const int height = out.rank - (strcmp(a->data_format, "channels_first") == 0 ? 2 : 3);

    if (out.rank >= 3) {
        out.dim[height] = a->height;
        out.dim[height + 1] = a->width;
    }
    return out;
}

krt_shape krti_claimed_shape(const krt_layer *l, krt_shape in, krt_shape out)
{
    int64_t *const last = &out.dim[out.rank > 0 ? out.rank - 1 : 0];

    if (krti_claims_to_build(l))
        return claim_crop(l->args, out);
    if (is_einsum_dense(l))
        return claim_einsum(l->args, in, out);
    if (is_slice(l)) {
        const krt_shape given = krti_shape_from_conf(krti_conf_get(l->config, "shape"));

        return given.rank == out.rank ? given : out;
    }
    if (out.rank > 0 && *last != KRT_NONE && *last <= INT32_MAX)
        *last *= 2;
    return out;
}
