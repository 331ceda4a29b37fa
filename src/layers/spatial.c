/* Arguments, checks and layouts of the layers that move windows. See spatial.h. */
#include "layers/spatial.h"

#include <ctype.h>

/* No tuple entry may be larger, so that size * dilation and the like stay far from overflow. */
#define MAX_ENTRY ((int64_t)INT32_MAX)

/* ------------------------------------------------------------------------------- arguments */

static const krt_field *find_field(const krt_layer_class *cls, const char *key)
{
    for (size_t i = 0; i < cls->num_fields; i++)
        if (cls->fields[i].kind != KRT_FIELD_IGNORED && strcmp(cls->fields[i].key, key) == 0)
            return &cls->fields[i];
    return NULL;
}

void *krti_args_member(const krt_layer_class *cls, void *args, const char *key)
{
    const krt_field *f = find_field(cls, key);

    return f != NULL ? (char *)args + f->offset : NULL;
}

int krti_args_rank(const krt_layer_class *cls, const char *key)
{
    const krt_field *f = find_field(cls, key);

    if (f == NULL || f->kind < KRT_FIELD_INT1 || f->kind > KRT_FIELD_INT3)
        return 0;
    return (int)f->kind - (int)KRT_FIELD_INT1 + 1;
}

/* "(3, 3)" as Python prints a tuple. */
static const char *print_tuple(const int64_t *value, int n, char *buffer, size_t size)
{
    krt_shape s = {.rank = n};

    memcpy(s.dim, value, (size_t)n * sizeof *value);
    return krt_shape_print(s, buffer, size);
}

krt_status krti_spatial_tuple(const krt_layer *l, const char *key, const int64_t *value, int n,
                              bool allow_zero)
{
    char text[160];

    for (int i = 0; i < n; i++) {
        if (value[i] >= (allow_zero ? 0 : 1) && value[i] <= MAX_ENTRY)
            continue;
        if (value[i] > MAX_ENTRY)
            return krti_layer_fail(l, KRT_E_INVALID, "`%s` is more than %lld. Received %s=%lld",
                                   key, (long long)MAX_ENTRY, key, (long long)value[i]);
        return krti_layer_fail(l, KRT_E_INVALID,
                               "The `%s` argument must be a tuple of %d integers. Received "
                               "%s=%s, including values {%lld} that do not satisfy `value %s 0`",
                               key, n, key, print_tuple(value, n, text, sizeof text),
                               (long long)value[i], allow_zero ? ">=" : ">");
    }
    return KRT_OK;
}

static krt_status lower_case(krt_layer *l, const char **word)
{
    char *copy = krti_arena_strdup(&l->arena, *word);

    if (copy == NULL)
        return KRT_E_NOMEM;
    for (char *p = copy; *p != '\0'; p++)
        *p = (char)tolower((unsigned char)*p);
    *word = copy;
    return KRT_OK;
}

krt_status krti_spatial_padding(krt_layer *l, const char **padding, bool allow_causal)
{
    if (*padding == NULL)
        *padding = "valid";
    const krt_status st = lower_case(l, padding);
    if (st != KRT_OK)
        return st;
    if (strcmp(*padding, "valid") == 0 || strcmp(*padding, "same") == 0 ||
        (allow_causal && strcmp(*padding, "causal") == 0))
        return KRT_OK;
    return krti_layer_fail(l, KRT_E_INVALID,
                           "The `padding` argument must be a list/tuple or one of "
                           "{'valid', 'same'%s}. Received: %s",
                           allow_causal ? ", 'causal'" : "", *padding);
}

krt_status krti_spatial_data_format(krt_layer *l, const char **data_format)
{
    if (*data_format == NULL)
        *data_format = "channels_last";
    const krt_status st = lower_case(l, data_format);
    if (st != KRT_OK)
        return st;
    if (strcmp(*data_format, "channels_last") == 0 || krti_is_channels_first(*data_format))
        return KRT_OK;
    return krti_layer_fail(l, KRT_E_INVALID,
                           "The `data_format` argument must be one of {'channels_first', "
                           "'channels_last'}. Received: data_format=%s",
                           *data_format);
}

bool krti_is_channels_first(const char *data_format)
{
    return data_format != NULL && strcmp(data_format, "channels_first") == 0;
}

/* ------------------------------------------------------------------------------- inputs */

krt_status krti_check_ndim(const krt_layer *l, krt_shape x, int ndim)
{
    char text[160];

    if (x.rank == ndim)
        return KRT_OK;
    return krti_layer_fail(l, KRT_E_INVALID,
                           "Input 0 of layer '%s' is incompatible with the layer: expected "
                           "ndim=%d, found ndim=%d. Full shape received: %s",
                           l->name, ndim, x.rank, krt_shape_print(x, text, sizeof text));
}

krt_status krti_check_min_ndim(const krt_layer *l, krt_shape x, int ndim)
{
    char text[160];

    if (x.rank >= ndim)
        return KRT_OK;
    return krti_layer_fail(l, KRT_E_INVALID,
                           "Input 0 of layer '%s' is incompatible with the layer: expected "
                           "min_ndim=%d, found ndim=%d. Full shape received: %s",
                           l->name, ndim, x.rank, krt_shape_print(x, text, sizeof text));
}

krt_status krti_check_axis(const krt_layer *l, krt_shape x, int axis, int64_t value)
{
    const int i = axis < 0 ? axis + x.rank : axis;
    char text[160];

    if (i >= 0 && i < x.rank && (x.dim[i] == value || x.dim[i] == KRT_NONE))
        return KRT_OK;
    return krti_layer_fail(l, KRT_E_INVALID,
                           "Input 0 of layer '%s' is incompatible with the layer: expected axis "
                           "%d of input shape to have value %lld, but received input with shape "
                           "%s",
                           l->name, axis, (long long)value, krt_shape_print(x, text, sizeof text));
}

/* ------------------------------------------------------------------------------- layouts */

krt_value *krti_to_channels_last(krti_graph *g, krt_value *x, const char *data_format)
{
    int perm[KRT_MAX_RANK] = {0};

    if (x == NULL || !krti_is_channels_first(data_format) || x->shape.rank < 3)
        return x;
    for (int i = 1; i + 1 < x->shape.rank; i++)
        perm[i] = i + 1;
    perm[x->shape.rank - 1] = 1;
    return krti_transpose(g, x, perm);
}

krt_value *krti_from_channels_last(krti_graph *g, krt_value *x, const char *data_format)
{
    int perm[KRT_MAX_RANK] = {0};

    if (x == NULL || !krti_is_channels_first(data_format) || x->shape.rank < 3)
        return x;
    perm[1] = x->shape.rank - 1;
    for (int i = 2; i < x->shape.rank; i++)
        perm[i] = i - 1;
    return krti_transpose(g, x, perm);
}
