/* Bidirectional: a recurrent layer over the steps forwards and one over them backwards. Keras:
 * layers/rnn/bidirectional.py.
 *
 * Both are made of the layer that was given, under names of their own, unless the second was given too. */
#include "base/str.h"
#include "layers/rnn.h"

#include "layers/spatial.h"

typedef krt_bidirectional_args args_type;

/* What lies in one is made twice, so few may lie in one another: each counts for so many levels. */
enum { LEVELS = 16 };

/* ------------------------------------------------------------------------------- the two layers */

/* "forward_lstm" of "lstm", and of itself. */
static const char *with_prefix(krt_layer *l, const char *prefix, const char *name)
{
    krti_str s = KRTI_STR_INIT(l->owned.k);
    const char *text = NULL;

    if (krti_str_addf(&s, "%s%s", prefix,
                      name + (krti_starts_with(name, prefix) ? strlen(prefix) : 0)) == KRT_OK)
        text = krti_arena_strdup(&l->arena, s.ptr);
    krti_str_free(&s);
    return text;
}

/* Of a file: the object again, under another name and turned round. */
static krt_status from_conf(krt_layer *l, krt_layer **out, const krti_conf *object,
                            const char *prefix, bool turn)
{
    krti_arena *const a = &l->arena;
    krti_conf *copy = krti_conf_copy(a, object);
    krti_conf *config = krti_conf_copy(a, krti_conf_get(object, "config"));
    const char *name = krti_conf_get_text(config, "name");
    krt_status st = KRT_OK;

    if (krti_conf_is(config, KRTI_CONF_DICT) && prefix != NULL && name != NULL)
        TRY(krti_conf_set(a, config, "name", krti_conf_string(a, with_prefix(l, prefix, name))));
    if (krti_conf_is(config, KRTI_CONF_DICT) && turn)
        TRY(krti_conf_set(a, config, "go_backwards", krti_conf_bool(a, true)));
    if (krti_conf_is(copy, KRTI_CONF_DICT) && config != NULL)
        TRY(krti_conf_set(a, copy, "config", config));
    TRY(copy != NULL ? krti_layer_from_conf(l->owned.k, out, copy, l->depth + LEVELS)
                     : KRT_E_NOMEM);

done:
    return st;
}

/* Of an args struct: the second from a copy that names it. */
static krt_status from_args(krt_layer *l, krt_layer **out, const krt_spec *spec, const char *name)
{
    const krt_layer_class *const cls = krti_class_find(l->owned.k, spec->class_name);
    krt_spec *const copy = krti_arena_alloc(&l->arena, spec->struct_size);

    if (copy == NULL)
        return KRT_E_NOMEM;
    memcpy(copy, spec, spec->struct_size);
    if (name != NULL && cls != NULL && spec->struct_size == cls->defaults->struct_size) {
        bool *const backwards = krti_args_member(cls, copy, "go_backwards");

        *(const char **)krti_args_member(cls, copy, "name") = name;
        if (backwards != NULL)
            *backwards = true;
    }
    return krti_layer_from_arg(l, out, copy);
}

static krt_status make_both(krt_layer *l, const args_type *a, krt_layer **forward,
                            krt_layer **backward)
{
    const krti_conf *conf = krti_spec_conf(a->layer);
    const krt_spec *const second = a->backward_layer;
    const char *given = NULL; /* the name the layer would have had */
    krt_status st = KRT_OK;

    if (conf != NULL) {
        TRY(from_conf(l, forward, conf, "forward_", false));
    } else {
        TRY(from_args(l, forward, a->layer, NULL));
        given = (*forward)->name;
        TRY(krti_layer_set_name(*forward, with_prefix(*forward, "forward_", given)));
    }
    if (second != NULL && krti_spec_conf(second) != NULL)
        TRY(from_conf(l, backward, krti_spec_conf(second), l->generation < 3 ? "backward_" : NULL,
                      false));
    else if (second != NULL)
        TRY(krti_layer_from_arg(l, backward, second));
    else if (conf != NULL)
        TRY(from_conf(l, backward, conf, "backward_", true));
    else
        TRY(from_args(l, backward, a->layer, with_prefix(l, "backward_", given)));

done:
    return st;
}

static krt_status check_both(krt_layer *l, const krt_layer *forward, const krt_layer *backward)
{
    static const char *const common[] = {"stateful", "return_sequences", "return_state"};
    const bool *a = krti_rnn_flag(forward, "go_backwards"),
               *b = krti_rnn_flag(backward, "go_backwards");

    if (a == NULL || b == NULL) /* a class that is not known, or none that goes over time */
        return krti_layer_unsupported(l,
                                      "Bidirectional \"%s\" around a %s cannot run in this build",
                                      l->name, (a == NULL ? forward : backward)->class_name);
    if (*a == *b)
        return krti_layer_fail(l, KRT_E_INVALID,
                               "Forward layer and backward layer should have different "
                               "`go_backwards` value. Received: forward_layer.go_backwards %s, "
                               "backward_layer.go_backwards=%s",
                               *a ? "True" : "False", *b ? "True" : "False");
    for (size_t i = 0; i < KRTI_COUNT(common); i++) {
        a = krti_rnn_flag(forward, common[i]);
        b = krti_rnn_flag(backward, common[i]);
        if (a != NULL && b != NULL && *a != *b)
            return krti_layer_fail(l, KRT_E_INVALID,
                                   "Forward layer and backward layer are expected to have the same "
                                   "value for attribute \"%s\", got \"%s\" for forward layer and "
                                   "\"%s\" for backward layer",
                                   common[i], *a ? "True" : "False", *b ? "True" : "False");
    }
    return KRT_OK;
}

static krt_status init(krt_layer *l, void *args)
{
    static const char *const modes[] = {"sum", "mul", "ave", "concat"};
    const args_type *a = args;
    krt_layer *forward = NULL, *backward = NULL;
    bool is_known = a->merge_mode == NULL;
    krt_status st = KRT_OK;

    for (size_t i = 0; !is_known && i < KRTI_COUNT(modes); i++)
        is_known = strcmp(a->merge_mode, modes[i]) == 0;
    if (!is_known)
        return krti_layer_fail(l, KRT_E_INVALID,
                               "Invalid merge mode. Received: %s. Merge mode should be one of "
                               "{\"sum\", \"mul\", \"ave\", \"concat\", None}",
                               a->merge_mode);
    if (a->layer == NULL)
        return krti_layer_fail(l, KRT_E_INVALID, "Bidirectional needs a layer to wrap");
    TRY(make_both(l, a, &forward, &backward));
    TRY(krti_layer_add_inner(l, "forward_layer", false, forward));
    TRY(krti_layer_add_inner(l, "backward_layer", false, backward));
    TRY(check_both(l, forward, backward));
    for (size_t i = 0; i < l->num_inner; i++) {
        bool *const zero = krti_rnn_flag(l->inner[i].layer, "zero_output_for_mask");

        if (zero != NULL)
            *zero = *krti_rnn_flag(l->inner[i].layer, "return_sequences");
    }

done:
    return st;
}

static krt_status build(krt_layer *l, const void *args, const krt_shape *inputs, size_t n)
{
    krt_status st = KRT_OK;

    (void)args;
    if (n < 1)
        return krti_fail_inputs(l, 1, n);
    for (size_t i = 0; st == KRT_OK && i < l->num_inner; i++)
        st = krti_layer_build(l->inner[i].layer, inputs, 1);
    return st;
}

/* ------------------------------------------------------------------------------- call */

/* One layer's call: on the sequence and its half of the states, the mask by name. */
typedef struct half {
    krt_call c;
    krt_value *in[KRTI_MAX_CALL_OUT];
} half;

static krt_status call_half(krt_layer *inner, krt_call *outer, half *h, krt_value *x,
                            krt_value *mask, krt_value *const *first, size_t n)
{
    krti_arena *const a = &outer->g->arena;
    krti_conf *const kwargs = krti_conf_dict(a), *const ref = krti_conf_dict(a);
    krt_status st = KRT_OK;

    h->in[0] = x;
    for (size_t i = 0; i < n; i++)
        h->in[1 + i] = first[i];
    h->in[1 + n] = mask;
    h->c = (krt_call){.training = outer->training,
                      .is_symbolic = outer->is_symbolic,
                      .num_in = 1 + n,
                      .num_values = 2 + n,
                      .in = h->in,
                      .kwargs = mask != NULL ? kwargs : NULL,
                      .user = outer->user};
    TRY(krti_conf_set(a, ref, "__value__", krti_conf_int(a, (int64_t)n + 1)));
    TRY(krti_conf_set(a, kwargs, "mask", ref));
    TRY(krti_layer_trace(inner, outer->g, &h->c));

done:
    return st;
}

static krt_value *merge(krti_graph *g, const char *mode, krt_value *a, krt_value *b)
{
    if (strcmp(mode, "concat") == 0)
        return krti_concat(g, (krt_value *const[]){a, b}, 2, -1);
    if (strcmp(mode, "mul") == 0)
        return krti_multiply(g, a, b);
    krt_value *const sum = krti_add(g, a, b);
    return strcmp(mode, "ave") == 0 ? krti_affine(g, sum, 0.5, 0, 0) : sum;
}

static krt_status give(krt_call *c, const char *mode, krt_value *a, krt_value *b, krt_value *mask)
{
    krt_status st = KRT_OK;

    krti_call_set_mask(c, 0, mask);
    if (mode != NULL)
        return krt_call_output(c, 0, merge(c->g, mode, a, b));
    TRY(krt_call_output(c, 0, a));
    TRY(krt_call_output(c, 1, b));
    krti_call_set_mask(c, 1, mask);

done:
    return st;
}

static krt_status call(const krt_layer *l, const void *args, krt_call *c)
{
    krt_layer *const forward = krti_layer_inner(l, "forward_layer");
    krt_layer *const backward = krti_layer_inner(l, "backward_layer");
    const bool sequences = *krti_rnn_flag(forward, "return_sequences");
    krt_value *const x = krti_float_input(c, 0), *passed = NULL, *mask = NULL;
    krti_states s = {0};
    half a, b;
    krt_status st = KRT_OK;

    if (x == NULL)
        return c->g->status;
    const size_t n = krti_rnn_num_states(forward);
    TRY(krti_rnn_find_states(l, c, n + krti_rnn_num_states(backward), &s));
    TRY(krti_rnn_keep_shapes(c, &s));
    mask = krti_rnn_find_mask(l, c, n * 2, s.n > 0, &passed);
    TRY(call_half(forward, c, &a, x, mask, s.items, s.n > 0 ? n : 0));
    TRY(call_half(backward, c, &b, x, mask, s.items + n, s.n > 0 ? s.n - n : 0));
    krt_value *const turned =
        sequences ? krti_slice_axis(c->g, b.c.out[0], 1, KRT_NONE, KRT_NONE, -1) : b.c.out[0];
    TRY(give(c, ((const args_type *)args)->merge_mode, a.c.out[0], turned,
             sequences ? passed : NULL));
    for (size_t i = 1; i < a.c.num_out; i++)
        TRY(krt_call_output(c, c->num_out, a.c.out[i]));
    for (size_t i = 1; i < b.c.num_out; i++)
        TRY(krt_call_output(c, c->num_out, b.c.out[i]));

done:
    return st;
}

static const krt_field fields[] = {
    KRT_FIELD(args_type, STRING, merge_mode),
    KRT_FIELD(args_type, LAYER, layer),
    KRT_FIELD(args_type, LAYER, backward_layer),
    KRT_BASE_FIELDS(args_type),
};

const krti_class krti_class_bidirectional = {
    .base = {.struct_size = sizeof(krt_layer_class),
             .name = "Bidirectional",
             .defaults = KRT_BIDIRECTIONAL(NULL),
             .fields = fields,
             .num_fields = KRTI_COUNT(fields),
             .build = build,
             .call = call,
             .init = init,
             .flags = KRTI_LAYER_HOOKS},
    .build_config = krti_recurrent_build_config,
};
