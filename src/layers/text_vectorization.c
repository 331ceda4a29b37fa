/* TextVectorization: texts to the numbers of their words. Keras:
 * layers/preprocessing/text_vectorization.py.
 *
 * One operation standardizes, splits and looks up, so that no string stands between them. The
 * vocabulary is that of an inner StringLookup, as in Keras, whose files hold it twice. */
#include "layers/describe.h"
#include "layers/lookup.h"
#include "layers/text.h"

#include <keratin/layers/preprocessing.h>

/* How texts are taken apart, from the arguments; it lives with the layer. */
static krt_status make_vectorizer(krt_layer *l, const krt_text_vectorization_args *a,
                                  krti_vectorizer **out)
{
    static const char *const standards[] = {"lower_and_strip_punctuation", "lower",
                                            "strip_punctuation"};
    static const char *const splits[] = {
        [KRTI_SPLIT_WHITESPACE] = "whitespace", [KRTI_SPLIT_CHARACTER] = "character"};
    krti_vectorizer *v = krti_arena_alloc(&l->arena, sizeof *v);
    size_t standard = 0, split = KRTI_SPLIT_WHITESPACE;

    *out = v;
    if (v == NULL)
        return KRT_E_NOMEM;
    while (a->standardize != NULL && standard < KRTI_COUNT(standards) &&
           strcmp(standards[standard], a->standardize) != 0)
        standard++;
    if (standard == KRTI_COUNT(standards))
        return krti_layer_fail(l, KRT_E_INVALID,
                               "Invalid value for argument `standardize`. Expected one of None, "
                               "'lower_and_strip_punctuation', 'lower', 'strip_punctuation'. "
                               "Received: standardize=%s",
                               a->standardize);
    while (a->split != NULL && split < KRTI_COUNT(splits) && strcmp(splits[split], a->split) != 0)
        split++;
    if (split == KRTI_COUNT(splits))
        return krti_layer_fail(l, KRT_E_INVALID,
                               "Invalid value for argument `split`. Expected one of None, "
                               "'whitespace', 'character'. Received: split=%s",
                               a->split);
    v->lower = a->standardize != NULL && standard < 2;
    v->strip = a->standardize != NULL && standard != 1;
    v->split = a->split != NULL ? (krti_text_split)split : KRTI_SPLIT_NONE;
    return KRT_OK;
}

/* Keras's integer n are the widths 1 to n; its tuple are these widths. */
static krt_status take_ngrams(krt_layer *l, krt_text_vectorization_args *a, krti_vectorizer *v)
{
    const bool is_range = krti_conf_is(krti_conf_get(l->config, "ngrams"), KRTI_CONF_INT);
    const int64_t up_to = is_range ? a->ngrams.items[0] : 0;
    const size_t n = is_range ? (up_to > 0 ? (size_t)up_to : 0) : a->ngrams.n;

    if (n > KRT_MAX_RANK)
        return krti_layer_unsupported(l,
                                      "layer \"%s\" joins tokens in %zu ways, at most %d can run",
                                      l->name, n, KRT_MAX_RANK);
    v->num_widths = (int)n;
    for (size_t i = 0; i < n; i++) {
        v->widths[i] = is_range ? (int64_t)i + 1 : a->ngrams.items[i];
        if (v->widths[i] < 1)
            return krti_layer_fail(l, KRT_E_INVALID,
                                   "`ngrams` must be None, an integer, or a tuple of integers, all "
                                   "above 0. Received: %lld",
                                   (long long)v->widths[i]);
    }
    return KRT_OK;
}

static krt_status add_lookup(krt_layer *l, const krt_text_vectorization_args *a)
{
    krt_layer *lookup = NULL;
    const krt_status st = krti_layer_from_spec(
        l->owned.k, &lookup,
        KRT_STRING_LOOKUP(.max_tokens = a->max_tokens, .mask_token = "",
                          .output_mode = a->output_mode, .pad_to_max_tokens = a->pad_to_max_tokens,
                          .vocabulary = a->vocabulary, .idf_weights = a->idf_weights,
                          .vocabulary_size = a->vocabulary_size, .encoding = a->encoding));

    return st == KRT_OK ? krti_layer_add_inner(l, "_lookup_layer", false, lookup) : st;
}

static krt_status check_arguments(krt_layer *l, const krt_text_vectorization_args *a)
{
    const bool is_int = a->output_mode != NULL && strcmp(a->output_mode, "int") == 0;

    if (!is_int && a->output_sequence_length != KRT_NONE)
        return krti_layer_fail(l, KRT_E_INVALID,
                               "`output_sequence_length` must not be set if `output_mode` is not "
                               "'int'. Received output_sequence_length=%lld",
                               (long long)a->output_sequence_length);
    if (a->output_sequence_length != KRT_NONE && a->output_sequence_length < 1)
        return krti_layer_fail(l, KRT_E_INVALID,
                               "output_sequence_length is %lld, expected 1 or more",
                               (long long)a->output_sequence_length);
    if (a->ragged || a->sparse)
        return krti_layer_unsupported(l,
                                      "layer \"%s\" gives a %s tensor, which this build cannot run",
                                      l->name, a->ragged ? "ragged" : "sparse");
    return KRT_OK;
}

static krt_status text_vectorization_init(krt_layer *l, void *args)
{
    krt_text_vectorization_args *a = args;
    krti_vectorizer *v = NULL;
    krt_status st = KRT_OK;

    TRY(check_arguments(l, a));
    TRY(make_vectorizer(l, a, &v));
    TRY(take_ngrams(l, a, v));
    TRY(add_lookup(l, a));
    krt_layer *const lookup = krti_layer_inner(l, "_lookup_layer");
    v->lookup = &lookup->index->lookup;
    lookup->index->vectorizer = v;
    krt_variable *const idf = krti_layer_variable(lookup, "idf_weights");
    if (idf != NULL)
        TRY(krti_layer_add_shared(l, idf));

done:
    return st;
}

/* ------------------------------------------------------------------------------- calls */

/* How many tokens each row of `k` texts has that are not split. */
static int64_t num_unsplit(const krti_vectorizer *v, int64_t k)
{
    int64_t n = 0;

    if (v->num_widths == 0 || k == KRT_NONE)
        return k;
    for (int i = 0; i < v->num_widths; i++)
        n += v->widths[i] <= k ? k - v->widths[i] + 1 : 0;
    return n;
}

static krt_value *numbers_of(krti_graph *g, krt_value *x, const krti_vectorizer *v, int64_t length)
{
    const bool is_split = v->split != KRTI_SPLIT_NONE;
    const krt_shape shape = x->shape;

    if (length == KRT_NONE && is_split)
        length = krti_text_width(g, x, v);
    if (length == KRT_NONE && !is_split && shape.rank == 2)
        length = num_unsplit(v, shape.dim[1]);
    if (shape.rank != 1 || is_split)
        return krti_vectorize(g, x, v, length, KRTI_BAG_NONE);
    if (length != KRT_NONE || v->num_widths > 0)
        return krti_graph_fail(g, KRT_E_UNSUPPORTED,
                               "texts of shape (batch,) that are not split can be neither joined "
                               "nor cut; give them as (batch, 1)");
    x = krti_vectorize(g, x, v, 1, KRTI_BAG_NONE);
    return krti_reshape(g, x, shape);
}

static krt_status text_vectorization_call(const krt_layer *l, const void *args, krt_call *c)
{
    const krt_text_vectorization_args *a = args;
    const krt_layer *const lookup = krti_layer_inner(l, "_lookup_layer");
    const krti_vectorizer *const v = lookup->index->vectorizer;
    const bool is_int = strcmp(a->output_mode, "int") == 0;
    const bool is_one_hot = strcmp(a->output_mode, "one_hot") == 0;
    krt_value *x = krt_call_input(c, 0);

    if (x == NULL)
        return c->g->status;
    if (is_int || (is_one_hot && v->split == KRTI_SPLIT_NONE)) {
        x = numbers_of(c->g, x, v, a->output_sequence_length);
        return krt_call_output(c, 0, krti_lookup_encode(lookup, c, x, false));
    }
    if (is_one_hot || (v->split == KRTI_SPLIT_NONE && x->shape.rank < 2))
        return krti_layer_fail(l, KRT_E_UNSUPPORTED,
                               "output_mode \"%s\" of %s is not computed; give texts of shape "
                               "(batch, 1) and a mode such as \"multi_hot\"",
                               a->output_mode,
                               is_one_hot ? "split texts" : "texts that are not split");
    const bool counts = strcmp(a->output_mode, "multi_hot") != 0;
    const int64_t depth = krti_lookup_depth(lookup);
    if (depth != KRT_NONE)
        x = krti_vectorize(c->g, x, v, depth, counts ? KRTI_BAG_COUNT : KRTI_BAG_MULTI_HOT);
    return krt_call_output(c, 0, krti_lookup_encode(lookup, c, x, true));
}

/* Keras says that a bag of words keeps the axis of one that each text stood in. */
static krt_shape text_vectorization_claim(const krt_layer *l, krt_shape in, krt_shape out)
{
    const krt_text_vectorization_args *a = l->args;

    if (a->split == NULL || strcmp(a->output_mode, "int") == 0 || in.rank != 2 || out.rank != 2)
        return out;
    return (krt_shape){3, {in.dim[0], in.dim[1], out.dim[1]}};
}

/* ------------------------------------------------------------------------------- class */

/* The size is always a number; of a config alone it is that of the model it comes from. */
static krt_status text_vectorization_config(krti_arena *a, krti_conf *dict, const krt_layer *l)
{
    const krt_layer *const lookup = krti_layer_inner(l, "_lookup_layer");
    const krti_vectorizer *const v = lookup->index->vectorizer;
    const int64_t given = ((const krt_text_vectorization_args *)l->args)->vocabulary_size;
    const bool is_known = lookup->index->vocabulary == NULL && given != KRT_NONE;
    bool is_range = v->num_widths > 0;
    krt_status st = KRT_OK;

    for (int i = 0; i < v->num_widths; i++)
        is_range = is_range && v->widths[i] == i + 1;
    if (is_range)
        TRY(krti_conf_set(a, dict, "ngrams", krti_conf_int(a, v->num_widths)));

    if (!lookup->index->is_given)
        TRY(krti_conf_set(a, dict, "vocabulary", krti_conf_null(a)));
    TRY(krti_conf_set(a, dict, "vocabulary_size",
                      krti_conf_int(a, is_known ? given : krti_lookup_size(lookup))));

done:
    return st;
}

#define T krt_text_vectorization_args
static const krt_field fields[] = {KRT_FIELD(T, INT, max_tokens),
                                   KRT_FIELD(T, STRING, standardize),
                                   KRT_FIELD(T, STRING, split),
                                   KRT_FIELD(T, INTS, ngrams),
                                   KRT_FIELD(T, STRING, output_mode),
                                   KRT_FIELD(T, INT, output_sequence_length),
                                   KRT_FIELD(T, BOOL, pad_to_max_tokens),
                                   KRT_FIELD(T, BOOL, sparse),
                                   KRT_FIELD(T, BOOL, ragged),
                                   KRT_FIELD(T, NAMES, vocabulary),
                                   KRT_FIELD(T, NUMBERS, idf_weights),
                                   KRT_FIELD(T, STRING, encoding),
                                   KRT_FIELD(T, INT, vocabulary_size),
                                   {"has_input_vocabulary", KRT_FIELD_IGNORED, 0},
                                   KRT_BASE_FIELDS(T)};
#undef T

const krti_class krti_class_text_vectorization = {
    .base = {.struct_size = sizeof(krt_layer_class),
             .name = "TextVectorization",
             .defaults = KRT_TEXT_VECTORIZATION(.trainable = true),
             .fields = fields,
             .num_fields = KRTI_COUNT(fields),
             .call = text_vectorization_call,
             .init = text_vectorization_init,
             .flags = KRTI_LAYER_HOOKS},
    .takes = KRT_STRING,
    .config = text_vectorization_config,
    .claim = text_vectorization_claim,
    .adapt = krti_lookup_adapt,
};
