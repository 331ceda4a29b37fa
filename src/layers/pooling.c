/* Pooling layers: a window that moves, a reduction over everything, windows for a given size.
 *
 * As in convolutional.c one function serves every rank and the arguments are read through the field
 * table. Everything is described channels last, so that the transposes of channels-first layers in
 * a row cancel. Keras: layers/pooling/base_pooling.py, base_global_pooling.py,
 * base_adaptive_pooling.py, global_average_pooling1d.py. */
#include "layers/describe.h"
#include "layers/spatial.h"
#include <keratin/layers/pooling.h>

static bool is_average(const krt_layer *l)
{
    return strstr(l->cls->name, "Average") != NULL;
}

static const char **data_format_of(const krt_layer *l)
{
    return krti_args_member(l->cls, l->args, "data_format");
}

/* The digit before the final D of the class's name. */
static int rank_of(const krt_layer *l)
{
    return l->cls->name[strlen(l->cls->name) - 2] - '0';
}

/* The input, channels last. */
static krt_status enter(const krt_layer *l, krt_call *c, krt_value **x)
{
    krt_value *const in = krti_cast_input(c, 0);

    if (in == NULL)
        return c->g->status;
    *x = krti_to_channels_last(c->g, in, *data_format_of(l));
    return krti_check_ndim(l, in->shape, rank_of(l) + 2);
}

static krt_status leave(const krt_layer *l, krt_call *c, krt_value *y)
{
    return krt_call_output(c, 0, krti_from_channels_last(c->g, y, *data_format_of(l)));
}

/* ------------------------------------------------------------------------------- windows */

typedef struct pool {
    int rank;
    int64_t *size, *stride;
    const char **padding;
} pool;

static pool read_pool(const krt_layer *l)
{
    return (pool){
        .rank = krti_args_rank(l->cls, "pool_size"),
        .size = krti_args_member(l->cls, l->args, "pool_size"),
        .stride = krti_args_member(l->cls, l->args, "strides"),
        .padding = krti_args_member(l->cls, l->args, "padding"),
    };
}

static krt_status pool_init(krt_layer *l, void *args)
{
    krt_status st = KRT_OK;
    const pool p = read_pool(l);

    (void)args;
    TRY(krti_spatial_tuple(l, "pool_size", p.size, p.rank, false));
    if (p.stride[0] == KRT_NONE)
        memcpy(p.stride, p.size, (size_t)p.rank * sizeof *p.size);
    TRY(krti_spatial_tuple(l, "strides", p.stride, p.rank, false));
    TRY(krti_spatial_padding(l, p.padding, false));
    TRY(krti_spatial_data_format(l, data_format_of(l)));

done:
    return st;
}

/* Whether a window fits where nothing is padded: what compute_pooling_output_shape checks. */
static krt_status check_output_size(const krt_layer *l, const pool *p, krt_shape x)
{
    char text[160];

    if (strcmp(*p->padding, "valid") != 0)
        return KRT_OK;
    for (int i = 0; i < p->rank; i++)
        if (x.dim[i + 1] != KRT_NONE && x.dim[i + 1] < p->size[i])
            return krti_layer_fail(l, KRT_E_INVALID,
                                   "Computed output size would be zero or negative. Received: "
                                   "inputs of shape %s (channels last), a window of %lld along "
                                   "axis %d and `padding=valid`",
                                   krt_shape_print(x, text, sizeof text), (long long)p->size[i],
                                   i + 1);
    return KRT_OK;
}

static krt_status pool_call(const krt_layer *l, const void *args, krt_call *c)
{
    static const int64_t ones[3] = {1, 1, 1};
    krt_status st = KRT_OK;
    const pool p = read_pool(l);
    krt_value *x = NULL;
    krti_window w;

    (void)args;
    TRY(enter(l, c, &x));
    if (x == NULL)
        return c->g->status;
    TRY(check_output_size(l, &p, x->shape));
    TRY(krti_window_make(c->g, &w, x, p.rank, p.size, p.stride, ones, *p.padding));
    if (is_average(l))
        return leave(l, c, krti_avg_pool(c->g, krti_as_float32(c->g, x), &w));
    /* Windows are compared as floats; what came as integers goes as integers. */
    krt_value *const max = krti_max_pool(c->g, krti_as_float32(c->g, x), &w);
    st = leave(l, c, krti_cast(c->g, max, x->dtype));

done:
    return st;
}

/* ------------------------------------------------------------------------------- global */

static krt_status global_init(krt_layer *l, void *args)
{
    (void)args;
    return krti_spatial_data_format(l, data_format_of(l));
}

/* The mean over the steps the mask keeps. */
static krt_value *masked_mean(krti_graph *g, krt_value *x, krt_value *mask, bool keepdims)
{
    const int steps = 1;

    if (x == NULL || mask == NULL)
        return NULL;
    mask = krti_expand_dims(g, mask, -1);
    x = krti_where(g, mask, x, krti_scalar_like(g, x, 0));
    if (x == NULL)
        return NULL;
    krt_value *const count = krti_reduce_sum(g, krti_cast(g, mask, x->dtype), &steps, 1, keepdims);
    return krti_divide(g, krti_reduce_sum(g, x, &steps, 1, keepdims), count);
}

static krt_status global_call(const krt_layer *l, const void *args, krt_call *c)
{
    static const int axes[3] = {1, 2, 3};
    const krt_global_pooling_args *a = args;
    const int rank = rank_of(l);
    krt_value *const mask = krti_call_mask(c, 1);
    krt_value *x = NULL, *y;
    const krt_status st = enter(l, c, &x);

    if (st != KRT_OK)
        return st;
    krti_call_set_mask(c, 0, NULL);
    if (!is_average(l))
        y = krti_reduce_max(c->g, x, axes, rank, a->keepdims);
    else if (rank == 1 && mask != NULL)
        y = masked_mean(c->g, x, mask, a->keepdims);
    else
        y = krti_reduce_mean(c->g, x, axes, rank, a->keepdims);
    return a->keepdims ? leave(l, c, y) : krt_call_output(c, 0, y);
}

/* ------------------------------------------------------------------------------- adaptive */

static krt_status adaptive_init(krt_layer *l, void *args)
{
    krt_status st = KRT_OK;
    int64_t *const size = krti_args_member(l->cls, l->args, "output_size");

    (void)args;
    TRY(krti_spatial_tuple(l, "output_size", size, rank_of(l), false));
    TRY(krti_spatial_data_format(l, data_format_of(l)));

done:
    return st;
}

static krt_status adaptive_call(const krt_layer *l, const void *args, krt_call *c)
{
    const int64_t *const size = krti_args_member(l->cls, l->args, "output_size");
    krt_value *x = NULL;
    const krt_status st = enter(l, c, &x);

    (void)args;
    if (st != KRT_OK)
        return st;
    x = krti_as_float32(c->g, x);
    return leave(l, c,
                 is_average(l) ? krti_adaptive_avg_pool(c->g, x, rank_of(l), size)
                               : krti_adaptive_max_pool(c->g, x, rank_of(l), size));
}

/* ------------------------------------------------------------------------------- classes */

/* Fields stand in the order of get_config(), which is the order of the keys in files. */
#define POOL_FIELDS(T, N)                                                                          \
    KRT_FIELD(T, INT##N, pool_size), KRT_FIELD(T, STRING, padding), KRT_FIELD(T, INT##N, strides), \
        KRT_FIELD(T, STRING, data_format), KRT_BASE_FIELDS(T)
#define ADAPTIVE_FIELDS(T, N) \
    KRT_FIELD(T, INT##N, output_size), KRT_FIELD(T, STRING, data_format), KRT_BASE_FIELDS(T)

static const krt_field pool_fields1[] = {POOL_FIELDS(krt_pooling1d_args, 1)};
static const krt_field pool_fields2[] = {POOL_FIELDS(krt_pooling2d_args, 2)};
static const krt_field pool_fields3[] = {POOL_FIELDS(krt_pooling3d_args, 3)};
static const krt_field adaptive_fields1[] = {ADAPTIVE_FIELDS(krt_adaptive_pooling1d_args, 1)};
static const krt_field adaptive_fields2[] = {ADAPTIVE_FIELDS(krt_adaptive_pooling2d_args, 2)};
static const krt_field adaptive_fields3[] = {ADAPTIVE_FIELDS(krt_adaptive_pooling3d_args, 3)};
static const krt_field global_fields1[] = {
    KRT_FIELD(krt_global_pooling_args, STRING, data_format),
    KRT_FIELD(krt_global_pooling_args, BOOL, keepdims),
    KRT_BASE_FIELDS(krt_global_pooling_args),
};
#define global_fields2 global_fields1
#define global_fields3 global_fields1

/* X(identifier, class, defaults, family, rank) */
#define CLASSES(X)                                                                           \
    X(max1d, "MaxPooling1D", KRT_MAX_POOLING1D(), pool, 1)                                   \
    X(max2d, "MaxPooling2D", KRT_MAX_POOLING2D(), pool, 2)                                   \
    X(max3d, "MaxPooling3D", KRT_MAX_POOLING3D(), pool, 3)                                   \
    X(average1d, "AveragePooling1D", KRT_AVERAGE_POOLING1D(), pool, 1)                       \
    X(average2d, "AveragePooling2D", KRT_AVERAGE_POOLING2D(), pool, 2)                       \
    X(average3d, "AveragePooling3D", KRT_AVERAGE_POOLING3D(), pool, 3)                       \
    X(global_max1d, "GlobalMaxPooling1D", KRT_GLOBAL_MAX_POOLING1D(), global, 1)             \
    X(global_max2d, "GlobalMaxPooling2D", KRT_GLOBAL_MAX_POOLING2D(), global, 2)             \
    X(global_max3d, "GlobalMaxPooling3D", KRT_GLOBAL_MAX_POOLING3D(), global, 3)             \
    X(global_average1d, "GlobalAveragePooling1D", KRT_GLOBAL_AVERAGE_POOLING1D(), global, 1) \
    X(global_average2d, "GlobalAveragePooling2D", KRT_GLOBAL_AVERAGE_POOLING2D(), global, 2) \
    X(global_average3d, "GlobalAveragePooling3D", KRT_GLOBAL_AVERAGE_POOLING3D(), global, 3) \
    X(adaptive_max1d, "AdaptiveMaxPooling1D", KRT_ADAPTIVE_MAX_POOLING1D({0}), adaptive, 1)  \
    X(adaptive_max2d, "AdaptiveMaxPooling2D", KRT_ADAPTIVE_MAX_POOLING2D({0}), adaptive, 2)  \
    X(adaptive_max3d, "AdaptiveMaxPooling3D", KRT_ADAPTIVE_MAX_POOLING3D({0}), adaptive, 3)  \
    X(adaptive_average1d, "AdaptiveAveragePooling1D", KRT_ADAPTIVE_AVERAGE_POOLING1D({0}),   \
      adaptive, 1)                                                                           \
    X(adaptive_average2d, "AdaptiveAveragePooling2D", KRT_ADAPTIVE_AVERAGE_POOLING2D({0}),   \
      adaptive, 2)                                                                           \
    X(adaptive_average3d, "AdaptiveAveragePooling3D", KRT_ADAPTIVE_AVERAGE_POOLING3D({0}),   \
      adaptive, 3)

enum {
    pool_flags = KRTI_LAYER_BORN_BUILT,
    global_flags = KRTI_LAYER_BORN_BUILT,
    adaptive_flags = 0
};

#define DEFINE(id, class_name, default_args, family, rank) \
    static const krt_layer_class id##_class = {            \
        .struct_size = sizeof(krt_layer_class),            \
        .name = class_name,                                \
        .defaults = default_args,                          \
        .fields = family##_fields##rank,                   \
        .num_fields = KRTI_COUNT(family##_fields##rank),   \
        .call = family##_call,                             \
        .init = family##_init,                             \
        .flags = family##_flags,                           \
    };
CLASSES(DEFINE)

#define LIST(id, class_name, default_args, family, rank) &id##_class,
const krt_layer_class *const krti_classes_pooling[] = {CLASSES(LIST) NULL};
