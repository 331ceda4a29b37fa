/* Layers that move elements without computing. Keras: layers/reshaping.
 *
 * Cropping, padding and upsampling are one function each for all ranks: the class's field table
 * says where the pairs lie and how many there are. None of them passes a mask on, as in Keras. */
#include "layers/describe.h"
#include "layers/images.h"
#include "layers/spatial.h"

/* ------------------------------------------------------------------------------- Flatten */

static krt_status init_data_format(krt_layer *l, void *args)
{
    const char **data_format = krti_args_member(l->cls, args, "data_format");

    return data_format != NULL ? krti_spatial_data_format(l, data_format) : KRT_OK;
}

static krt_status flatten_call(const krt_layer *l, const void *args, krt_call *c)
{
    const krt_flatten_args *a = args;
    krt_value *x = krti_cast_input(c, 0);

    if (x == NULL)
        return c->g->status;
    krt_status st = krti_check_min_ndim(l, x->shape, 1);
    if (st != KRT_OK)
        return st;
    x = krti_to_channels_last(c->g, x, a->data_format);
    if (x == NULL)
        return c->g->status;
    krt_shape flat = {2, {x->shape.dim[0], 1}};
    for (int i = 1; i < x->shape.rank; i++)
        flat.dim[1] = krti_dim_mul(flat.dim[1], x->shape.dim[i]);
    return krt_call_output(c, 0, krti_reshape(c->g, x, flat));
}

/* ------------------------------------------------------------------------------- Reshape, Permute */

static krt_status reshape_init(krt_layer *l, void *args)
{
    const krt_shape target = ((const krt_reshape_args *)args)->target_shape;
    char text[160];
    int inferred = 0;

    if (target.rank < 0 || target.rank >= KRT_MAX_RANK)
        return krti_layer_fail(l, KRT_E_INVALID,
                               "target_shape of Reshape must have at most %d axes",
                               KRT_MAX_RANK - 1);
    for (int i = 0; i < target.rank; i++) {
        const bool is_inferred = target.dim[i] == -1 || target.dim[i] == KRT_NONE;

        inferred += is_inferred;
        if (target.dim[i] < 0 && !is_inferred)
            inferred = 2;
    }
    if (inferred <= 1)
        return KRT_OK;
    return krti_layer_fail(l, KRT_E_INVALID,
                           "There must be at most one unknown dimension (-1) in target_shape. "
                           "Received: target_shape=%s",
                           krt_shape_print(target, text, sizeof text));
}

static krt_status reshape_call(const krt_layer *l, const void *args, krt_call *c)
{
    const krt_reshape_args *a = args;
    krt_value *x = krti_cast_input(c, 0);

    if (x == NULL)
        return c->g->status;
    const krt_status st = krti_check_min_ndim(l, x->shape, 1);
    if (st != KRT_OK)
        return st;
    krt_shape target = {.rank = a->target_shape.rank + 1, .dim = {x->shape.dim[0]}};
    for (int i = 0; i < a->target_shape.rank; i++)
        target.dim[i + 1] = a->target_shape.dim[i] == KRT_NONE ? -1 : a->target_shape.dim[i];
    return krt_call_output(c, 0, krti_reshape(c->g, x, target));
}

static krt_status permute_init(krt_layer *l, void *args)
{
    const krt_permute_args *a = args;
    bool seen[KRT_MAX_RANK + 1] = {false};
    bool fits = a->dims.n < KRT_MAX_RANK;

    for (int i = 0; fits && i < a->dims.n; i++) {
        const int64_t dim = a->dims.axis[i];

        fits = dim >= 1 && dim <= a->dims.n && !seen[dim];
        if (fits)
            seen[dim] = true;
    }
    if (fits && a->dims.n > 0)
        return KRT_OK;
    return krti_layer_fail(l, KRT_E_INVALID,
                           "Invalid permutation argument `dims` for Permute Layer. The set of "
                           "indices in `dims` must be consecutive and start from 1");
}

static krt_status permute_call(const krt_layer *l, const void *args, krt_call *c)
{
    const krt_permute_args *a = args;
    krt_value *x = krti_cast_input(c, 0);
    int perm[KRT_MAX_RANK] = {0};

    if (x == NULL)
        return c->g->status;
    const krt_status st = krti_check_ndim(l, x->shape, a->dims.n + 1);
    if (st != KRT_OK)
        return st;
    for (int i = 0; i < a->dims.n; i++)
        perm[i + 1] = (int)a->dims.axis[i];
    return krt_call_output(c, 0, krti_transpose(c->g, x, perm));
}

/* ------------------------------------------------------------------------------- RepeatVector */

static krt_status repeat_vector_init(krt_layer *l, void *args)
{
    const krt_repeat_vector_args *a = args;

    if (a->n > 0)
        return KRT_OK;
    return krti_layer_fail(l, KRT_E_INVALID,
                           "Argument `n` should be a positive integer. Received: n=%lld",
                           (long long)a->n);
}

static krt_status repeat_vector_call(const krt_layer *l, const void *args, krt_call *c)
{
    const krt_repeat_vector_args *a = args;
    krt_value *x = krti_cast_input(c, 0);

    if (x == NULL)
        return c->g->status;
    const krt_status st = krti_check_ndim(l, x->shape, 2);
    if (st != KRT_OK)
        return st;
    return krt_call_output(c, 0, krti_repeat(c->g, krti_expand_dims(c->g, x, 1), a->n, 1));
}

/* ------------------------------------------------------------------------------- windows */

/* The layer's spatial rank, and where its spatial axes begin in an input. */
static int pairs_rank(const krt_layer_class *cls, const char *key)
{
    for (size_t i = 0; i < cls->num_fields; i++)
        if (strcmp(cls->fields[i].key, key) == 0)
            return (int)cls->fields[i].kind - (int)KRT_FIELD_PAIR1 + 1;
    return 0;
}

static const void *member(const krt_layer *l, const void *args, const char *key)
{
    return krti_args_member(l->cls, (void *)(uintptr_t)args, key);
}

static int first_axis(const krt_layer *l, const void *args)
{
    const char *const *data_format = member(l, args, "data_format");

    return data_format != NULL && krti_is_channels_first(*data_format) ? 2 : 1;
}

static krt_status init_pairs(krt_layer *l, void *args, const char *key)
{
    const int64_t *pairs = member(l, args, key);
    const int rank = pairs_rank(l->cls, key);

    for (int i = 0; i < rank; i++)
        for (int side = 0; side < 2; side++)
            if (pairs[2 * i + side] < 0)
                return krti_layer_fail(l, KRT_E_INVALID,
                                       "`%s` cannot be negative. Received: %s=%lld", key, key,
                                       (long long)pairs[2 * i + side]);
            else if (pairs[2 * i + side] > INT32_MAX)
                return krti_layer_fail(l, KRT_E_INVALID, "`%s` is more than %d. Received: %s=%lld",
                                       key, INT32_MAX, key, (long long)pairs[2 * i + side]);
    return init_data_format(l, args);
}

static krt_status crop_init(krt_layer *l, void *args)
{
    return init_pairs(l, args, "cropping");
}

static krt_status crop_call(const krt_layer *l, const void *args, krt_call *c)
{
    const int64_t *cropping = member(l, args, "cropping");
    const int rank = pairs_rank(l->cls, "cropping"), first = first_axis(l, args);
    krt_value *x = krti_cast_input(c, 0);
    char text[160];

    if (x == NULL)
        return c->g->status;
    const krt_status st = krti_check_ndim(l, x->shape, rank + 2);
    if (st != KRT_OK)
        return st;
    for (int i = 0; i < rank; i++) {
        const int64_t dim = x->shape.dim[first + i], cut = cropping[2 * i] + cropping[2 * i + 1];

        if (dim != KRT_NONE && cut >= dim)
            return krti_layer_fail(l, KRT_E_INVALID,
                                   "Values in `cropping` argument should be smaller than the "
                                   "corresponding spatial dimension of the input. Received: "
                                   "input_shape=%s, cropping=(%lld, %lld)",
                                   krt_shape_print(x->shape, text, sizeof text),
                                   (long long)cropping[2 * i], (long long)cropping[2 * i + 1]);
    }
    for (int i = 0; x != NULL && i < rank; i++) {
        const int64_t dim = x->shape.dim[first + i];
        const int64_t stop = dim == KRT_NONE ? KRT_NONE : dim - cropping[2 * i + 1];

        x = krti_slice_axis(c->g, x, first + i, cropping[2 * i], stop, 1);
    }
    return krt_call_output(c, 0, x);
}

static krt_status pad_init(krt_layer *l, void *args)
{
    return init_pairs(l, args, "padding");
}

static krt_status pad_call(const krt_layer *l, const void *args, krt_call *c)
{
    const int64_t *padding = member(l, args, "padding");
    const int rank = pairs_rank(l->cls, "padding"), first = first_axis(l, args);
    int64_t before[KRT_MAX_RANK] = {0}, after[KRT_MAX_RANK] = {0};
    krt_value *x = krti_cast_input(c, 0);

    if (x == NULL)
        return c->g->status;
    const krt_status st = krti_check_ndim(l, x->shape, rank + 2);
    if (st != KRT_OK)
        return st;
    for (int i = 0; i < rank; i++) {
        before[first + i] = padding[2 * i];
        after[first + i] = padding[2 * i + 1];
    }
    return krt_call_output(c, 0, krti_pad(c->g, x, before, after, KRTI_PAD_CONSTANT, 0));
}

/* ------------------------------------------------------------------------------- upsampling */

static krt_status upsample_init(krt_layer *l, void *args)
{
    const int64_t *size = member(l, args, "size");
    const char *const *interpolation = member(l, args, "interpolation");
    krti_interpolation method = KRTI_NEAREST;
    krt_status st = KRT_OK;

    TRY(krti_spatial_tuple(l, "size", size, krti_args_rank(l->cls, "size"), false));
    if (interpolation != NULL)
        TRY(krti_interpolation_named(l, *interpolation, &method));
    st = init_data_format(l, args);

done:
    return st;
}

/* With unknown sizes only the shape counts, and repeating has the same. */
static krt_value *resize_by(krti_graph *g, krt_value *x, const int64_t size[2],
                            krti_interpolation method)
{
    const int64_t height = x->shape.dim[1], width = x->shape.dim[2];

    if (method == KRTI_NEAREST || height == KRT_NONE || width == KRT_NONE)
        return krti_repeat(g, krti_repeat(g, x, size[0], 1), size[1], 2);
    return krti_resize_image(g, x, krti_dim_mul(height, size[0]), krti_dim_mul(width, size[1]),
                             method, false);
}

static krt_status upsample_call(const krt_layer *l, const void *args, krt_call *c)
{
    const int64_t *size = member(l, args, "size");
    const char *const *interpolation = member(l, args, "interpolation");
    const char *const *data_format = member(l, args, "data_format");
    const int rank = krti_args_rank(l->cls, "size"), first = first_axis(l, args);
    krti_interpolation method = KRTI_NEAREST;
    krt_value *x = krti_cast_input(c, 0);
    krt_status st = KRT_OK;

    if (x == NULL)
        return c->g->status;
    TRY(krti_check_ndim(l, x->shape, rank + 2));
    if (interpolation != NULL)
        TRY(krti_interpolation_named(l, *interpolation, &method));
    if (method != KRTI_NEAREST) {
        x = krti_to_channels_last(c->g, x, *data_format);
        x = x != NULL ? resize_by(c->g, x, size, method) : NULL;
        x = krti_from_channels_last(c->g, x, *data_format);
    } else {
        for (int i = 0; i < rank; i++)
            x = krti_repeat(c->g, x, size[i], first + i);
    }
    st = krt_call_output(c, 0, x);

done:
    return st;
}

/* Keras keeps one number here, where its kin keep lists. */
static krt_status upsampling1d_config(krti_arena *a, krti_conf *dict, const krt_layer *l)
{
    (void)l;
    return krti_conf_set(a, dict, "size",
                         krti_conf_copy(a, krti_conf_at(krti_conf_get(dict, "size"), 0)));
}

/* ------------------------------------------------------------------------------- tables */

#define FORMAT(type) KRT_FIELD(type, STRING, data_format)
#define CLASS(id, title, type, fallback, init_fn, call_fn, ...) \
    HOOKED(id, title, type, fallback, init_fn, call_fn, 0, NULL, __VA_ARGS__)
#define HOOKED(id, title, type, fallback, init_fn, call_fn, more, hook, ...)     \
    static const krt_field id##_fields[] = {__VA_ARGS__, KRT_BASE_FIELDS(type)}; \
    static const krti_class id = {                                               \
        .base = {.struct_size = sizeof(krt_layer_class),                         \
                 .name = title,                                                  \
                 .defaults = fallback,                                           \
                 .fields = id##_fields,                                          \
                 .num_fields = KRTI_COUNT(id##_fields),                          \
                 .call = call_fn,                                                \
                 .init = init_fn,                                                \
                 .flags = (more) | KRTI_LAYER_HOOKS},                            \
        .config = hook,                                                          \
    };

CLASS(flatten, "Flatten", krt_flatten_args, KRT_FLATTEN(.trainable = true), init_data_format,
      flatten_call, FORMAT(krt_flatten_args))
HOOKED(reshape, "Reshape", krt_reshape_args, KRT_RESHAPE({.rank = -1}), reshape_init, reshape_call,
       KRTI_LAYER_BORN_BUILT, NULL, KRT_FIELD(krt_reshape_args, SHAPE, target_shape))
CLASS(permute, "Permute", krt_permute_args, KRT_PERMUTE({.n = 0}), permute_init, permute_call,
      KRT_FIELD(krt_permute_args, AXES, dims))
CLASS(repeat_vector, "RepeatVector", krt_repeat_vector_args, KRT_REPEAT_VECTOR(0),
      repeat_vector_init, repeat_vector_call, KRT_FIELD(krt_repeat_vector_args, INT, n))
CLASS(cropping1d, "Cropping1D", krt_cropping1d_args, KRT_CROPPING1D(.trainable = true), crop_init,
      crop_call, KRT_FIELD(krt_cropping1d_args, PAIR1, cropping))
CLASS(cropping2d, "Cropping2D", krt_cropping2d_args, KRT_CROPPING2D(.trainable = true), crop_init,
      crop_call, KRT_FIELD(krt_cropping2d_args, PAIR2, cropping), FORMAT(krt_cropping2d_args))
CLASS(cropping3d, "Cropping3D", krt_cropping3d_args, KRT_CROPPING3D(.trainable = true), crop_init,
      crop_call, KRT_FIELD(krt_cropping3d_args, PAIR3, cropping), FORMAT(krt_cropping3d_args))
CLASS(zero_padding1d, "ZeroPadding1D", krt_zero_padding1d_args,
      KRT_ZERO_PADDING1D(.trainable = true), pad_init, pad_call,
      KRT_FIELD(krt_zero_padding1d_args, PAIR1, padding), FORMAT(krt_zero_padding1d_args))
CLASS(zero_padding2d, "ZeroPadding2D", krt_zero_padding2d_args,
      KRT_ZERO_PADDING2D(.trainable = true), pad_init, pad_call,
      KRT_FIELD(krt_zero_padding2d_args, PAIR2, padding), FORMAT(krt_zero_padding2d_args))
CLASS(zero_padding3d, "ZeroPadding3D", krt_zero_padding3d_args,
      KRT_ZERO_PADDING3D(.trainable = true), pad_init, pad_call,
      KRT_FIELD(krt_zero_padding3d_args, PAIR3, padding), FORMAT(krt_zero_padding3d_args))
HOOKED(up_sampling1d, "UpSampling1D", krt_up_sampling1d_args, KRT_UP_SAMPLING1D(.trainable = true),
       upsample_init, upsample_call, 0, upsampling1d_config,
       KRT_FIELD(krt_up_sampling1d_args, INT1, size))
CLASS(up_sampling2d, "UpSampling2D", krt_up_sampling2d_args, KRT_UP_SAMPLING2D(.trainable = true),
      upsample_init, upsample_call, KRT_FIELD(krt_up_sampling2d_args, INT2, size),
      FORMAT(krt_up_sampling2d_args), KRT_FIELD(krt_up_sampling2d_args, STRING, interpolation))
CLASS(up_sampling3d, "UpSampling3D", krt_up_sampling3d_args, KRT_UP_SAMPLING3D(.trainable = true),
      upsample_init, upsample_call, KRT_FIELD(krt_up_sampling3d_args, INT3, size),
      FORMAT(krt_up_sampling3d_args))

const krt_layer_class *const krti_classes_reshaping[] = {&flatten.base,        &reshape.base,
                                                         &permute.base,        &repeat_vector.base,
                                                         &cropping1d.base,     &cropping2d.base,
                                                         &cropping3d.base,     &zero_padding1d.base,
                                                         &zero_padding2d.base, &zero_padding3d.base,
                                                         &up_sampling1d.base,  &up_sampling2d.base,
                                                         &up_sampling3d.base,  NULL};
