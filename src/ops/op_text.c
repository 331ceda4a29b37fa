/* What takes strings: lookup, vectorize, hash and cross. See text.h; kernels: reference/text.c. */
#include "ops/op_infer.h"
#include "ops/reference/reference.h"
#include "ops/text.h"

static bool is_token(krt_dtype dtype)
{
    return dtype == KRT_STRING || (!krti_dtype_is_float(dtype) && dtype != KRT_BOOL);
}

/* ------------------------------------------------------------------------------- lookup */

static krt_status infer_lookup(krti_graph *g, krti_node *n)
{
    const krti_lookup *const how = n->attrs.lookup;
    const krt_dtype takes = how->invert ? KRT_INT64 : how->dtype;

    if (n->in[0]->dtype != takes)
        return INFER_FAIL(g, "the layer looks up %s, found %s", krt_dtype_name(takes),
                          krt_dtype_name(n->in[0]->dtype));
    return krti_infer_set(n, how->invert ? how->dtype : KRT_INT64, n->in[0]->shape);
}

static krt_status check_vocabulary(krt_ctx *k, const krti_lookup *how)
{
    if (how->vocabulary != NULL)
        return KRT_OK;
    return krti_fail(k, KRT_E_STATE, NULL,
                     "the layer has no vocabulary: its file holds none, and none was given or "
                     "learned by adapt()");
}

/* Keras's words, with the first one of those that it lists. */
static krt_status check_lookup(krt_ctx *k, const krti_node *n, const krti_view *in,
                               const krti_view *out)
{
    const krti_lookup *const how = n->attrs.lookup;
    const int64_t size = how->num_oov == 0 && !how->invert ? krt_shape_size(in->shape) : 0;
    const krt_string *const text = in->data;
    const int64_t *const number = in->data, *const found = out->data;
    krt_status st = check_vocabulary(k, how);

    for (int64_t i = 0; st == KRT_OK && i < size; i++) {
        char token[64];

        if (found[i] >= 0)
            continue;
        if (how->dtype == KRT_STRING)
            snprintf(token, sizeof token, "\"%.*s\"", text[i].size < 40 ? (int)text[i].size : 40,
                     text[i].size > 0 ? text[i].data : "");
        else
            snprintf(token, sizeof token, "%lld", (long long)number[i]);
        st = krti_fail(k, KRT_E_INVALID, NULL,
                       "When `num_oov_indices=0` all inputs should be in vocabulary, found OOV "
                       "values [%s], consider setting `num_oov_indices=1`",
                       token);
    }
    return st;
}

const krti_op krti_op_lookup = {.name = "lookup",
                                .min_in = 1,
                                .max_in = 1,
                                .flags = KRTI_OP_TEXTS,
                                .infer = infer_lookup,
                                .reference = krti_ref_lookup,
                                .check = check_lookup};

krt_value *krti_lookup_of(krti_graph *g, krt_value *x, const krti_lookup *lookup)
{
    const krt_dtype takes = lookup->invert ? KRT_INT64 : lookup->dtype;

    if (x != NULL && takes == KRT_INT64 && x->dtype != KRT_STRING)
        x = krti_cast(g, x, KRT_INT64);
    return krti_graph_add1(g, &krti_op_lookup, &x, 1, &(krti_attrs){.lookup = lookup});
}

/* ------------------------------------------------------------------------------- vectorize */

static krt_status infer_vectorize(krti_graph *g, krti_node *n)
{
    const krt_shape in = n->in[0]->shape;

    if (n->in[0]->dtype != KRT_STRING)
        return INFER_FAIL(g, "the layer takes strings, found %s", krt_dtype_name(n->in[0]->dtype));
    if (n->attrs.vectorize.how->split != KRTI_SPLIT_NONE &&
        (in.rank > 2 || (in.rank == 2 && !krti_dim_match(in.dim[1], 1))))
        return INFER_FAIL(g,
                          "When using `TextVectorization` to tokenize strings, the input rank must "
                          "be 1 or the last shape dimension must be 1. Received: inputs.shape=%s "
                          "with rank=%d",
                          krti_shape_text(in).s, in.rank);
    if (in.rank < 1 || in.rank > 2)
        return INFER_FAIL(g, "texts of shape %s, expected (batch,) or (batch, texts)",
                          krti_shape_text(in).s);
    return krti_infer_set(n, KRT_INT64, (krt_shape){2, {in.dim[0], n->attrs.vectorize.size}});
}

static krt_status check_vectorize(krt_ctx *k, const krti_node *n, const krti_view *in,
                                  const krti_view *out)
{
    (void)in;
    (void)out;
    return check_vocabulary(k, n->attrs.vectorize.how->lookup);
}

const krti_op krti_op_vectorize = {.name = "vectorize",
                                   .min_in = 1,
                                   .max_in = 1,
                                   .flags = KRTI_OP_TEXTS,
                                   .infer = infer_vectorize,
                                   .reference = krti_ref_vectorize,
                                   .check = check_vectorize};

krt_value *krti_vectorize(krti_graph *g, krt_value *x, const krti_vectorizer *v, int64_t size,
                          krti_bag bag)
{
    const krti_attrs attrs = {.vectorize = {.how = v, .size = size, .bag = (int)bag}};

    return krti_graph_add1(g, &krti_op_vectorize, &x, 1, &attrs);
}

int64_t krti_text_width(krti_graph *g, const krt_value *x, const krti_vectorizer *v)
{
    size_t input = 0;

    while (x != NULL && krti_is(x, &krti_op_reshape))
        x = x->node->in[0];
    while (input < g->num_inputs && g->inputs[input] != x)
        input++;
    if (x == NULL || input == g->num_inputs || g->num_texts == KRTI_MAX_TEXTS) {
        krti_graph_fail(g, KRT_E_UNSUPPORTED,
                        "without output_sequence_length texts must be an input of the model, of at "
                        "most %d",
                        KRTI_MAX_TEXTS);
        return KRT_NONE;
    }
    g->texts[g->num_texts++] = (krti_text_use){input, v};
    return g->text_widths != NULL ? g->text_widths[g->num_texts - 1] : KRT_NONE;
}

/* ------------------------------------------------------------------------------- hash, cross */

static krt_status infer_hash(krti_graph *g, krti_node *n)
{
    if (!is_token(n->in[0]->dtype))
        return INFER_FAIL(g, "strings and integers are hashed, found %s",
                          krt_dtype_name(n->in[0]->dtype));
    return krti_infer_set(n, KRT_INT64, n->in[0]->shape);
}

const krti_op krti_op_hash = {.name = "hash",
                              .min_in = 1,
                              .max_in = 1,
                              .flags = KRTI_OP_TEXTS,
                              .infer = infer_hash,
                              .reference = krti_ref_hash};

krt_value *krti_hash_of(krti_graph *g, krt_value *x, const krti_hasher *h)
{
    if (x != NULL && x->dtype != KRT_STRING)
        x = krti_cast(g, x, KRT_INT64);
    return krti_graph_add1(g, &krti_op_hash, &x, 1, &(krti_attrs){.hasher = h});
}

static krt_status infer_cross(krti_graph *g, krti_node *n)
{
    for (int i = 0; i < n->num_in; i++) {
        if (!is_token(n->in[i]->dtype))
            return INFER_FAIL(g,
                              "All `HashedCrossing` inputs should have an integer or string dtype. "
                              "Received: %s",
                              krt_dtype_name(n->in[i]->dtype));
        if (!krt_shape_equal(n->in[i]->shape, n->in[0]->shape))
            return INFER_FAIL(
                g, "All `HashedCrossing` inputs should have equal shape. Received: %s and %s",
                krti_shape_text(n->in[0]->shape).s, krti_shape_text(n->in[i]->shape).s);
    }
    return krti_infer_set(n, KRT_INT64, n->in[0]->shape);
}

const krti_op krti_op_cross = {.name = "cross",
                               .min_in = 1,
                               .max_in = -1,
                               .flags = KRTI_OP_TEXTS,
                               .infer = infer_cross,
                               .reference = krti_ref_cross};

enum { MAX_CROSSED = 64 };

krt_value *krti_cross(krti_graph *g, krt_value *const *x, size_t n, int64_t num_bins)
{
    krt_value *in[MAX_CROSSED];

    if (n > MAX_CROSSED)
        return krti_graph_fail(g, KRT_E_UNSUPPORTED, "%zu inputs are crossed, at most %d can be", n,
                               MAX_CROSSED);
    for (size_t i = 0; i < n; i++)
        in[i] = x[i] == NULL || x[i]->dtype == KRT_STRING ? x[i] : krti_cast(g, x[i], KRT_INT64);
    return krti_graph_add1(g, &krti_op_cross, in, (int)n,
                           &(krti_attrs){.cross = {.num_bins = num_bins}});
}
