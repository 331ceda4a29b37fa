/* Hashing and HashedCrossing: strings and integers into bins, without a vocabulary. Keras:
 * layers/preprocessing/hashing.py, hashed_crossing.py. */
#include "layers/describe.h"
#include "layers/lookup.h"
#include "layers/text.h"

static krt_status check_mode(const krt_layer *l, const char *mode, const char *const *modes)
{
    while (mode != NULL && *modes != NULL && strcmp(*modes, mode) != 0)
        modes++;
    if (mode != NULL && *modes != NULL)
        return KRT_OK;
    return krti_layer_fail(l, KRT_E_INVALID,
                           "Invalid value for argument `output_mode`. Received: output_mode=%s",
                           mode != NULL ? mode : "None");
}

/* Integers unless something else is made of them, as Keras has it where no dtype is given. */
static void take_dtype(krt_layer *l, const char *mode)
{
    if (l->object == NULL && strcmp(mode, "int") == 0)
        l->dtype_policy = "int64";
}

static krt_dtype result_dtype(const krt_layer *l, const char *mode)
{
    const krt_dtype dtype = krt_dtype_from_name(l->dtype_policy);

    if (strcmp(mode, "int") != 0)
        return KRT_FLOAT32;
    return dtype == KRT_INT32 ? KRT_INT32 : KRT_INT64;
}

static krt_value *encode(krti_graph *g, krt_value *bins, const krt_layer *l, const char *mode,
                         int64_t num_bins)
{
    const krt_dtype dtype = result_dtype(l, mode);

    return strcmp(mode, "int") == 0 ? krti_cast(g, bins, dtype)
                                    : krti_encode(g, bins, mode, num_bins, NULL, dtype);
}

static krt_status check_bins(const krt_layer *l, int64_t num_bins)
{
    if (num_bins != KRT_NONE && num_bins > 0)
        return KRT_OK;
    return krti_layer_fail(l, KRT_E_INVALID,
                           "The `num_bins` for `%s` cannot be `None` or non-positive values. "
                           "Received: num_bins=%lld",
                           l->class_name, (long long)(num_bins == KRT_NONE ? 0 : num_bins));
}

/* ------------------------------------------------------------------------------- Hashing */

/* The arguments that both classes have. */
static krt_status check_common(krt_layer *l, int64_t num_bins, const char *output_mode,
                               const char *const *modes, bool sparse)
{
    krt_status st = KRT_OK;

    TRY(check_bins(l, num_bins));
    TRY(check_mode(l, output_mode, modes));
    take_dtype(l, output_mode);
    if (sparse)
        TRY(krti_layer_unsupported(
            l, "layer \"%s\" gives a sparse tensor, which this build cannot run", l->name));

done:
    return st;
}

static krt_status hashing_init(krt_layer *l, void *args)
{
    static const char *const modes[] = {"int", "one_hot", "multi_hot", "count", NULL};
    krt_hashing_args *a = args;

    (void)krti_conf_as_int(krti_conf_get(l->config, "mask_value"), &a->mask_integer);
    return check_common(l, a->num_bins, a->output_mode, modes, a->sparse);
}

/* What the inputs are decides what the mask is, so it is made with the graph. */
static krti_hasher *make_hasher(krti_graph *g, const krt_hashing_args *a, krt_dtype dtype)
{
    krti_hasher *h = krti_arena_alloc(&g->arena, sizeof *h);
    krt_string *mask = krti_arena_alloc(&g->arena, sizeof *mask);
    int64_t *number = krti_arena_alloc(&g->arena, sizeof *number);

    if (h == NULL || mask == NULL || number == NULL)
        return NULL;
    *number = a->mask_integer;
    *h = (krti_hasher){.num_bins = a->num_bins};
    h->buckets = a->salt[0] != KRT_NONE ? KRTI_SIPHASH : KRTI_FARMHASH;
    h->key[0] = (uint64_t)a->salt[0];
    h->key[1] = (uint64_t)a->salt[1];
    if (dtype == KRT_STRING && a->mask_value != NULL)
        *mask = (krt_string){a->mask_value, strlen(a->mask_value)};
    if (dtype != KRT_STRING && a->mask_integer != KRT_NONE)
        *mask = (krt_string){(const char *)number, sizeof *number};
    h->mask = mask->data != NULL ? mask : NULL;
    return h;
}

static krt_status hashing_call(const krt_layer *l, const void *args, krt_call *c)
{
    const krt_hashing_args *a = args;
    krt_value *x = krt_call_input(c, 0);

    if (x == NULL)
        return c->g->status;
    if (x->dtype == KRT_BOOL)
        return krti_layer_fail(l, KRT_E_UNSUPPORTED, "booleans are not hashed; cast them first");
    if ((a->mask_value != NULL || a->mask_integer != KRT_NONE) &&
        (x->dtype == KRT_STRING) != (a->mask_value != NULL))
        return krti_layer_fail(l, KRT_E_INVALID, "mask_value is %s, the input is %s",
                               a->mask_value != NULL ? "a string" : "an integer",
                               krt_dtype_name(x->dtype));
    krti_hasher *h = make_hasher(c->g, a, x->dtype);
    if (h == NULL)
        return KRT_E_NOMEM;
    return krt_call_output(c, 0,
                           encode(c->g, krti_hash_of(c->g, x, h), l, a->output_mode, a->num_bins));
}

static krt_status hashing_config(krti_arena *a, krti_conf *dict, const krt_layer *l)
{
    const krt_hashing_args *args = l->args;

    krti_conf_remove(dict, "mask_integer");
    return args->mask_integer == KRT_NONE
               ? KRT_OK
               : krti_conf_set(a, dict, "mask_value", krti_conf_int(a, args->mask_integer));
}

/* ------------------------------------------------------------------------------- HashedCrossing */

static krt_status crossing_init(krt_layer *l, void *args)
{
    static const char *const modes[] = {"int", "one_hot", NULL};
    const krt_hashed_crossing_args *a = args;

    return check_common(l, a->num_bins, a->output_mode, modes, a->sparse);
}

static krt_status crossing_call(const krt_layer *l, const void *args, krt_call *c)
{
    const krt_hashed_crossing_args *a = args;

    if (c->num_in < 2)
        return krti_layer_fail(l, KRT_E_INVALID,
                               "`HashedCrossing` should be called on at least two inputs. "
                               "Received: %zu",
                               c->num_in);
    for (size_t i = 0; i < c->num_in; i++) {
        const krt_value *x = krt_call_input(c, i);

        if (x != NULL && (x->shape.rank > 2 || (x->shape.rank == 2 && x->shape.dim[1] != 1)))
            return krti_layer_fail(l, KRT_E_INVALID,
                                   "All `HashedCrossing` inputs should have shape `()`, "
                                   "`(batch_size)` or `(batch_size, 1)`. Input %zu has not",
                                   i);
    }
    return krt_call_output(c, 0,
                           encode(c->g, krti_cross(c->g, c->in, c->num_in, a->num_bins), l,
                                  a->output_mode, a->num_bins));
}

/* ------------------------------------------------------------------------------- classes */

#define T krt_hashing_args
static const krt_field hashing_fields[] = {KRT_FIELD(T, INT, num_bins),
                                           KRT_FIELD(T, INT2, salt),
                                           KRT_FIELD(T, STRING, mask_value),
                                           KRT_FIELD(T, STRING, output_mode),
                                           KRT_FIELD(T, BOOL, sparse),
                                           KRT_FIELD(T, INT, mask_integer),
                                           KRT_BASE_FIELDS(T)};
#undef T
#define T krt_hashed_crossing_args
static const krt_field crossing_fields[] = {KRT_FIELD(T, INT, num_bins),
                                            KRT_FIELD(T, STRING, output_mode),
                                            KRT_FIELD(T, BOOL, sparse), KRT_BASE_FIELDS(T)};
#undef T

const krti_class krti_class_hashing = {
    .base = {.struct_size = sizeof(krt_layer_class),
             .name = "Hashing",
             .defaults = KRT_HASHING(KRT_NONE),
             .fields = hashing_fields,
             .num_fields = KRTI_COUNT(hashing_fields),
             .call = hashing_call,
             .init = hashing_init,
             .flags = KRTI_LAYER_HOOKS},
    .config = hashing_config,
};

const krt_layer_class krti_class_hashed_crossing = {
    .struct_size = sizeof(krt_layer_class),
    .name = "HashedCrossing",
    .defaults = KRT_HASHED_CROSSING(KRT_NONE),
    .fields = crossing_fields,
    .num_fields = KRTI_COUNT(crossing_fields),
    .call = crossing_call,
    .init = crossing_init,
    .flags = KRT_LAYER_TAKES_LIST | KRTI_LAYER_BARE_CONFIG,
};
