/* Strings to numbers: the only kernels there are for it. TensorFlow: LookupTableFindV2,
 * StringToHashBucketFast and Strong, SparseCrossHashed, RaggedTensorToTensor. */
#include "base/hash64.h"
#include "ops/reference/reference.h"
#include "ops/tokens.h"

/* The i-th token: its bytes as strings have them, or those of its number. */
static krt_string token_at(const krti_view *x, int64_t i)
{
    if (x->dtype == KRT_STRING)
        return ((const krt_string *)x->data)[i];
    return (krt_string){(const char *)x->data + i * 8, 8};
}

static bool is_equal(krt_string a, krt_string b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static int64_t number_of(krt_string token)
{
    int64_t number = 0;

    memcpy(&number, token.data, sizeof number);
    return number;
}

/* TensorFlow hashes an integer as it is written. */
static uint64_t hash_token(krt_string token, bool is_number, krti_buckets how,
                           const uint64_t key[2])
{
    char text[24];

    if (is_number) {
        const int size = snprintf(text, sizeof text, "%lld", (long long)number_of(token));

        token = (krt_string){text, (size_t)size};
    }
    return how == KRTI_SIPHASH ? krti_siphash(key, token.data, token.size)
                               : krti_fingerprint64(token.data, token.size);
}

/* ------------------------------------------------------------------------------- lookup */

static int64_t bucket_of(const krti_lookup *l, krt_string token)
{
    if (l->num_oov < 2)
        return l->num_oov - 1 + (l->num_oov == 1 ? l->oov_start : 0);
    if (l->buckets == KRTI_FLOORMOD) {
        const int64_t rest = number_of(token) % l->num_oov;

        return l->oov_start + (rest < 0 ? rest + l->num_oov : rest);
    }
    const uint64_t hash = hash_token(token, l->dtype != KRT_STRING, l->buckets, l->key);
    return l->oov_start + (int64_t)(hash % (uint64_t)l->num_oov);
}

static int64_t number_in(const krti_lookup *l, krt_string token)
{
    if (l->mask != NULL && is_equal(token, *l->mask))
        return l->mask_number;
    const int64_t found = l->vocabulary != NULL ? krti_vocabulary_find(l->vocabulary, token) : -1;
    return found >= 0 ? l->oov_start + l->num_oov + found : bucket_of(l, token);
}

static krt_string token_of(const krti_lookup *l, int64_t number)
{
    static const krt_string nothing = {NULL, 0};
    const int64_t first = l->oov_start + l->num_oov;

    if (l->mask != NULL && number == 0)
        return *l->mask;
    if (l->vocabulary != NULL && number >= first && (size_t)(number - first) < l->vocabulary->n)
        return l->vocabulary->tokens[number - first];
    return l->oov != NULL ? *l->oov : nothing;
}

void krti_ref_lookup(const krti_node *n, const krti_view *in, krti_view *out)
{
    const krti_lookup *const l = n->attrs.lookup;
    const int64_t size = krt_shape_size(in->shape);

    for (int64_t i = 0; i < size; i++) {
        if (!l->invert) {
            ((int64_t *)out->data)[i] = number_in(l, token_at(in, i));
            continue;
        }
        const krt_string token = token_of(l, ((const int64_t *)in->data)[i]);
        if (out->dtype == KRT_STRING)
            ((krt_string *)out->data)[i] = token;
        else
            ((int64_t *)out->data)[i] = token.size == 8 ? number_of(token) : -1;
    }
}

/* ------------------------------------------------------------------------------- vectorize */

static int64_t number_of_gram(const krti_lookup *l, const krti_gram *gram)
{
    if (l->mask != NULL && krti_gram_equal(gram, *l->mask))
        return l->mask_number;
    const int64_t found = l->vocabulary != NULL ? krti_gram_find(gram, l->vocabulary) : -1;
    return found >= 0 ? l->oov_start + l->num_oov + found : l->oov_start;
}

static void vectorize_row(const krti_node *n, const krt_string *row, int64_t k, int64_t *y)
{
    const int64_t size = n->attrs.vectorize.size;
    const krti_bag bag = (krti_bag)n->attrs.vectorize.bag;
    const krti_vectorizer *const v = n->attrs.vectorize.how;
    krti_grams grams;
    krti_gram gram;

    krti_grams_init(&grams, v, row, k);
    for (int64_t i = 0; (bag != KRTI_BAG_NONE || i < size) && krti_grams_next(&grams, &gram); i++) {
        const int64_t number = number_of_gram(v->lookup, &gram);

        if (bag == KRTI_BAG_NONE)
            y[i] = number;
        else if (number >= 0 && number < size)
            y[number] = bag == KRTI_BAG_COUNT ? y[number] + 1 : 1;
    }
}

void krti_ref_vectorize(const krti_node *n, const krti_view *in, krti_view *out)
{
    const int64_t rows = in->shape.dim[0], k = in->shape.rank == 2 ? in->shape.dim[1] : 1;
    int64_t *const y = out->data;

    memset(y, 0, (size_t)krt_shape_size(out->shape) * sizeof *y);
    for (int64_t i = 0; i < rows; i++)
        vectorize_row(n, (const krt_string *)in->data + i * k, k, y + i * n->attrs.vectorize.size);
}

/* ------------------------------------------------------------------------------- hash, cross */

void krti_ref_hash(const krti_node *n, const krti_view *in, krti_view *out)
{
    const krti_hasher *const h = n->attrs.hasher;
    const bool masks = h->mask != NULL && h->num_bins > 1;
    const uint64_t bins = (uint64_t)h->num_bins - masks;
    const int64_t size = krt_shape_size(in->shape);

    for (int64_t i = 0; i < size; i++) {
        const krt_string token = token_at(in, i);
        const uint64_t hash = hash_token(token, in->dtype != KRT_STRING, h->buckets, h->key);

        ((int64_t *)out->data)[i] =
            masks && is_equal(token, *h->mask) ? 0 : (int64_t)(hash % bins) + masks;
    }
}

void krti_ref_cross(const krti_node *n, const krti_view *in, krti_view *out)
{
    const int64_t size = krt_shape_size(out->shape);

    for (int64_t i = 0; i < size; i++) {
        uint64_t hash = UINT64_C(0xDECAFCAFFE); /* tf.sparse's own key */

        for (int j = 0; j < n->num_in; j++) {
            const krt_string token = token_at(&in[j], i);

            hash = krti_fingerprint64_cat(hash, in[j].dtype == KRT_STRING
                                                    ? krti_fingerprint64(token.data, token.size)
                                                    : (uint64_t)number_of(token));
        }
        ((int64_t *)out->data)[i] = (int64_t)(hash % (uint64_t)n->attrs.cross.num_bins);
    }
}
