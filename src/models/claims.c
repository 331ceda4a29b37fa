/* Where Keras says another shape than comes out: a summary prints what Keras says, and what follows
 * such a layer is traced with it, as in Keras.
 *
 * Classes that do have a hook for it: EinsumDense repeats its output_shape (layers/core/einsum_dense.py),
 * RandomCrop says the size it crops to at inference, too (random_crop.py). Here are those that are
 * no class: keras.ops.slice repeats its shape (ops/core.py), and any layer with the activation "glu"
 * does not know that it halves the last axis. */
#include "layers/operations.h"
#include "models/model.h"

static bool has_glu(const krt_layer *l)
{
    const char *const *const name = krti_layer_arg(l, "activation", KRT_FIELD_ACTIVATION);

    return name != NULL && *name != NULL && strcmp(*name, "glu") == 0;
}

bool krti_claims_to_build(const krt_layer *l)
{
    return l->cls != NULL && (l->cls->flags & KRTI_LAYER_BUILDS_CLAIM) != 0;
}

bool krti_claims_shape(const krt_layer *l)
{
    return krti_class_hooks(l->cls)->claim != NULL || krti_operation_is_slice(l) || has_glu(l);
}

krt_shape krti_claimed_shape(const krt_layer *l, krt_shape in, krt_shape out)
{
    const krti_class *const hooks = krti_class_hooks(l->cls);
    int64_t *const last = &out.dim[out.rank > 0 ? out.rank - 1 : 0];

    if (hooks->claim != NULL)
        return hooks->claim(l, in, out);
    if (krti_operation_is_slice(l)) {
        const krt_shape given = krti_shape_from_conf(krti_conf_get(l->config, "shape"));

        return given.rank == out.rank ? given : out;
    }
    if (out.rank > 0 && *last != KRT_NONE && *last <= INT32_MAX)
        *last *= 2;
    return out;
}
