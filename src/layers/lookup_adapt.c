/* What lookups learn from data: the tokens that come most often, and how many documents hold each.
 * Keras: adapt(), update_state() and finalize_state() of layers/preprocessing/index_lookup.py and
 * text_vectorization.py.
 *
 * Tokens are sorted by how often they came, and of those that came as often the one that is last in
 * the order of bytes (or of numbers) is first: NumPy's lexsort, turned round. */
#include "layers/lookup.h"

#include <stdlib.h>

typedef struct token {
    krt_string text;
    int64_t count, documents, last_document;
} token;

typedef struct learning {
    krt_ctx *k;
    krti_vocabulary *seen;
    token *tokens; /* in the order of `seen` */
    size_t capacity;
    int64_t document; /* the one that is read; how many there were */
    krti_str text;
} learning;

static krt_status add_token(void *user, krt_string text)
{
    learning *const w = user;
    const size_t before = w->seen->n;
    size_t at = 0;
    krt_status st = krti_vocabulary_add(w->seen, text, &at);

    if (st == KRT_OK && w->seen->n > before) {
        st = krti_grow(w->k, &w->tokens, &w->capacity, before + 1, sizeof *w->tokens);
        if (st == KRT_OK)
            w->tokens[at] = (token){.text = w->seen->tokens[at], .last_document = -1};
    }
    if (st != KRT_OK)
        return st;
    w->tokens[at].count++;
    w->tokens[at].documents += w->tokens[at].last_document != w->document;
    w->tokens[at].last_document = w->document;
    return KRT_OK;
}

/* ------------------------------------------------------------------------------- reading */

/* Texts that are taken apart: each row is a document. */
static krt_status read_texts(krt_layer *l, learning *w, const krt_tensor *x)
{
    const krti_vectorizer *const v = l->index->vectorizer;
    const krt_shape s = x->shape;
    const bool one_document = s.rank == 1 && v->split == KRTI_SPLIT_NONE;
    const int64_t rows = one_document ? 1 : s.dim[0];
    const int64_t k = one_document ? s.dim[0] : s.rank == 2 ? s.dim[1] : 1;
    char shape[160];
    krt_status st = KRT_OK;

    if (s.rank > 2 || (v->split != KRTI_SPLIT_NONE && k != 1))
        return krti_layer_fail(l, KRT_E_INVALID,
                               "When using `TextVectorization` to tokenize strings, the input rank "
                               "must be 1 or the last shape dimension must be 1. Received: "
                               "inputs.shape=%s with rank=%d",
                               krt_shape_print(s, shape, sizeof shape), s.rank);
    for (int64_t i = 0; st == KRT_OK && i < rows; i++, w->document++)
        st =
            krti_vectorizer_each(v, (const krt_string *)x->data + i * k, k, &w->text, add_token, w);
    return st;
}

static krt_status read_tokens(learning *w, const krt_tensor *x)
{
    const int64_t rows = x->shape.rank > 1 ? x->shape.dim[0] : 1;
    const int64_t size = krt_shape_size(x->shape), k = rows > 0 ? size / rows : 0;
    krt_status st = KRT_OK;

    for (int64_t i = 0; st == KRT_OK && i < size; i++) {
        st = add_token(w, x->dtype == KRT_STRING ? ((const krt_string *)x->data)[i]
                                                 : (krt_string){(const char *)x->data + i * 8, 8});
        w->document += (i + 1) % k == 0;
    }
    return st;
}

/* An array given as one of rank 1 has a document an element; a batch of rank 1 is a document. */
static krt_status read_batch(krt_layer *l, learning *w, const krt_tensor *x, bool is_whole)
{
    const krt_dtype wanted = l->index->lookup.dtype;
    krt_tensor *cast = NULL, *column = NULL;
    krt_status st = KRT_OK;

    if ((x->dtype == KRT_STRING) != (wanted == KRT_STRING))
        TRY(krti_layer_fail(l, KRT_E_INVALID, "adapt() was given %s, the layer looks up %s",
                            krt_dtype_name(x->dtype), krt_dtype_name(wanted)));
    if (x->dtype != wanted) {
        TRY(krt_tensor_cast(x, &cast, wanted));
        x = cast;
    }
    if (is_whole && x->shape.rank == 1) {
        TRY(krt_tensor_reshape(x, &column, KRT_SHAPE(x->shape.dim[0], 1)));
        x = column;
    }
    TRY(l->index->vectorizer != NULL ? read_texts(l, w, x) : read_tokens(w, x));

done:
    krt_tensor_free(column);
    krt_tensor_free(cast);
    return st;
}

/* ------------------------------------------------------------------------------- choosing */

static int by_text(const token *a, const token *b)
{
    const size_t n = a->text.size < b->text.size ? a->text.size : b->text.size;
    const int order = n > 0 ? memcmp(a->text.data, b->text.data, n) : 0;

    return order != 0 ? order : (a->text.size > b->text.size) - (a->text.size < b->text.size);
}

static int text_before(const void *left, const void *right)
{
    const token *const a = left, *const b = right;

    return a->count != b->count ? (a->count < b->count) - (a->count > b->count) : by_text(b, a);
}

static int64_t number_of(const token *t)
{
    int64_t number = 0;

    memcpy(&number, t->text.data, sizeof number);
    return number;
}

static int number_before(const void *left, const void *right)
{
    const token *const a = left, *const b = right;
    const int64_t x = number_of(a), y = number_of(b);

    return a->count != b->count ? (a->count < b->count) - (a->count > b->count) : (x < y) - (x > y);
}

static bool is_special(const krti_lookup *l, krt_string text)
{
    const krt_string *const specials[] = {l->mask, l->oov};

    for (size_t i = 0; i < KRTI_COUNT(specials); i++)
        if (specials[i] != NULL && specials[i]->size == text.size &&
            (text.size == 0 || memcmp(specials[i]->data, text.data, text.size) == 0))
            return true;
    return false;
}

/* Sorts the tokens and leaves those that the vocabulary gets. */
static size_t choose(const krt_layer *l, learning *w)
{
    const krti_lookup *const lookup = &l->index->lookup;
    const int64_t max_tokens = ((const krt_string_lookup_args *)l->args)->max_tokens;
    size_t n = 0;

    for (size_t i = 0; i < w->seen->n; i++)
        if (!is_special(lookup, w->tokens[i].text))
            w->tokens[n++] = w->tokens[i];
    if (n > 0)
        qsort(w->tokens, n, sizeof *w->tokens,
              lookup->dtype == KRT_STRING ? text_before : number_before);
    if (max_tokens == KRT_NONE)
        return n;
    const int64_t room = max_tokens - lookup->oov_start - lookup->num_oov;
    if (room >= (int64_t)n)
        return n;
    return room >= 0 ? (size_t)room : (int64_t)n + room > 0 ? (size_t)((int64_t)n + room) : 0;
}

/* log(1 + documents / (1 + documents with the token)); mask and unknown get the mean. */
static krt_status keep_idf(krt_layer *l, const learning *w, size_t n)
{
    const size_t front = (size_t)(l->index->lookup.oov_start + l->index->lookup.num_oov);
    krt_variable *v = NULL;
    krt_status st = krti_lookup_add_idf(l, &v);
    double sum = 0;

    if (st != KRT_OK || v == NULL)
        return st;
    st = krti_tensor_is_private(v->tensor) ? KRT_OK : krti_tensor_align(v->tensor);
    if (st != KRT_OK)
        return st;
    float *const to = v->tensor->data;
    const size_t size = (size_t)krt_shape_size(v->tensor->shape);
    memset(to, 0, size * sizeof *to);
    for (size_t i = 0; i < n && front + i < size; i++) {
        to[front + i] = (float)log(1 + (double)w->document / (double)(1 + w->tokens[i].documents));
        sum += (double)to[front + i];
    }
    for (size_t i = 0; i < front && i < size; i++)
        to[i] = (float)(sum / (double)n);
    return KRT_OK;
}

static krt_status learn(krt_layer *l, krti_adapt_data *data, learning *w)
{
    const krt_tensor *x = NULL;
    krt_status st = KRT_OK;

    if (l->index->is_given)
        return krti_layer_fail(l, KRT_E_STATE,
                               "Cannot adapt layer '%s' after setting a static vocabulary via "
                               "`vocabulary` argument or `set_vocabulary()` method",
                               l->name);
    TRY(krti_vocabulary_new(w->k, &w->seen));
    for (st = data->next(data, &x); st == KRT_OK && x != NULL; st = data->next(data, &x))
        TRY(read_batch(l, w, x, data->is_whole));

done:
    return st;
}

krt_status krti_lookup_adapt(krt_layer *l, krti_adapt_data *data)
{
    learning w = {.k = l->owned.k, .text = KRTI_STR_INIT(l->owned.k)};
    krt_layer *const lookup = krti_lookup_layer(l);
    krti_vocabulary *v = NULL;
    size_t at = 0;
    krt_status st = KRT_OK;

    TRY(learn(lookup, data, &w));
    if (w.seen->n == 0) /* nothing was seen, so what was known stays, as in Keras */
        goto done;
    const size_t n = choose(lookup, &w);
    if (n == 0)
        TRY(krti_layer_fail(lookup, KRT_E_INVALID,
                            "adapt() was given no tokens but those for mask and unknown"));
    TRY(krti_vocabulary_new(w.k, &v));
    for (size_t i = 0; i < n; i++)
        TRY(krti_vocabulary_add(v, w.tokens[i].text, &at));
    TRY(krti_lookup_take(lookup, &v, KRT_E_STATE));
    TRY(keep_idf(lookup, &w, n));
    lookup->is_adapted = l->is_adapted = true;
    krt_variable *const idf = krti_layer_variable(lookup, "idf_weights");
    if (l != lookup && idf != NULL && krti_layer_variable(l, "idf_weights") == NULL)
        TRY(krti_layer_add_shared(l, idf));

done:
    krti_vocabulary_free(v);
    krti_vocabulary_free(w.seen);
    krti_free(w.k, w.tokens);
    krti_str_free(&w.text);
    return st;
}

/* ------------------------------------------------------------------------------- public */

krt_status krt_get_vocabulary(krt_layer *l, krt_tensor **out)
{
    const krt_layer *const lookup = krti_lookup_layer(l);
    krt_status st = KRT_OK;

    *out = NULL;
    if (lookup == NULL)
        return krti_layer_fail(l, KRT_E_UNSUPPORTED, "a %s has no vocabulary", l->class_name);
    const krti_index *const x = lookup->index;
    const int64_t size = krti_lookup_size(lookup),
                  first = size - (int64_t)(x->vocabulary != NULL ? x->vocabulary->n : 0);
    TRY(krt_tensor_new(l->owned.k, out, x->lookup.dtype, KRT_SHAPE(size)));
    for (int64_t i = 0; i < size; i++) {
        const krt_string *const from = i < x->lookup.oov_start ? x->lookup.mask
                                       : i < first             ? x->lookup.oov
                                                               : &x->vocabulary->tokens[i - first];

        if (from != NULL && x->lookup.dtype == KRT_STRING)
            ((krt_string *)(*out)->data)[i] = *from;
        else if (from != NULL)
            memcpy((int64_t *)(*out)->data + i, from->data, sizeof(int64_t));
    }
    TRY(krti_tensor_keep_texts(*out));

done:
    return st;
}
