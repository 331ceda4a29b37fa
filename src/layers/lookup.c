/* StringLookup and IntegerLookup. Keras: layers/preprocessing/index_lookup.py, string_lookup.py,
 * integer_lookup.py.
 *
 * The vocabulary is an argument, which the config keeps, or belongs to the model's files: then it is
 * a line a token beside the weights. How wide the result is stands in the config either way, so a
 * model has its shapes before it has its vocabulary. */
#include "base/number.h"
#include "base/utf8.h"
#include "layers/describe.h"
#include "layers/lookup.h"
#include "layers/text.h"

/* Both classes' arguments begin alike. */
_Static_assert(offsetof(krt_string_lookup_args, vocabulary_size) ==
                   offsetof(krt_integer_lookup_args, vocabulary_size),
               "what follows reads one as the other");

static krt_string_lookup_args *args_of(const krt_layer *l)
{
    return l->args;
}

static bool gives_numbers(const krt_layer *l)
{
    return strcmp(args_of(l)->output_mode, "int") == 0;
}

void krti_index_free(krti_index *index)
{
    if (index != NULL)
        krti_vocabulary_free(index->vocabulary);
}

krt_layer *krti_lookup_layer(krt_layer *l)
{
    krt_layer *const inner = krti_layer_inner(l, "_lookup_layer");

    return l->index != NULL ? l : inner != NULL && inner->index != NULL ? inner : NULL;
}

/* ------------------------------------------------------------------------------- vocabularies */

static int64_t token_start(const krti_index *x)
{
    return x->lookup.oov_start + x->lookup.num_oov;
}

static bool is_token(krt_string a, const krt_string *b)
{
    return b != NULL && a.size == b->size && (a.size == 0 || memcmp(a.data, b->data, a.size) == 0);
}

/* Whether the list begins with mask and unknown, as get_vocabulary() gives it. */
static bool has_special_tokens(const krti_index *x, const krt_string *tokens, size_t n)
{
    for (int64_t i = 0; i < token_start(x); i++)
        if ((size_t)i >= n ||
            !is_token(tokens[i], i < x->lookup.oov_start ? x->lookup.mask : x->lookup.oov))
            return false;
    return true;
}

/* A token in a sentence. */
static const char *print_token(const krti_index *x, krt_string token, char buffer[80])
{
    int64_t number = 0;

    if (x->lookup.dtype == KRT_STRING)
        snprintf(buffer, 80, "'%.*s'", token.size < 60 ? (int)token.size : 60, token.data);
    else {
        memcpy(&number, token.data, sizeof number);
        snprintf(buffer, 80, "%lld", (long long)number);
    }
    return buffer;
}

static krt_status add_tokens(krt_layer *l, krti_vocabulary *v, const krt_string *tokens, size_t n,
                             size_t first, krt_status status)
{
    const krti_lookup *const lookup = &l->index->lookup;
    char text[80];
    size_t at = 0;
    krt_status st = KRT_OK;

    for (size_t i = first; i < n; i++) {
        const size_t before = v->n;

        TRY(krti_vocabulary_add(v, tokens[i], &at));
        if (v->n == before)
            TRY(krti_layer_fail(l, status,
                                "The passed vocabulary has at least one repeated term. Please "
                                "uniquify your dataset. The repeated terms are: [%s]",
                                print_token(l->index, tokens[i], text)));
        if (is_token(tokens[i], lookup->mask) ||
            (lookup->invert && is_token(tokens[i], lookup->oov)))
            TRY(krti_layer_fail(l, status,
                                "Found reserved %s token at unexpected location in `vocabulary`. "
                                "Received: %s at vocabulary index %zu",
                                is_token(tokens[i], lookup->mask) ? "mask" : "OOV",
                                print_token(l->index, tokens[i], text), i));
    }

done:
    return st;
}

static krt_status check_size(const krt_layer *l, int64_t size, krt_status status)
{
    const krt_string_lookup_args *a = args_of(l);

    if (gives_numbers(l) || a->pad_to_max_tokens || a->vocabulary_size == KRT_NONE ||
        a->vocabulary_size == size)
        return KRT_OK;
    return krti_layer_fail(l, status,
                           "When using `output_mode=%s` and `pad_to_max_tokens=False`, the "
                           "vocabulary size cannot be changed after the layer is called. Old vocab "
                           "size is %lld, new vocab size is %lld",
                           a->output_mode, (long long)a->vocabulary_size, (long long)size);
}

krt_status krti_lookup_take(krt_layer *l, krti_vocabulary **vocabulary, krt_status status)
{
    krti_index *const x = l->index;
    const int64_t size = token_start(x) + (int64_t)(*vocabulary)->n;
    const krt_status st = check_size(l, size, status);

    if (st != KRT_OK)
        return st;
    krti_vocabulary_free(x->vocabulary);
    x->vocabulary = *vocabulary;
    x->lookup.vocabulary = *vocabulary;
    args_of(l)->vocabulary_size = size;
    *vocabulary = NULL;
    return KRT_OK;
}

krt_status krti_lookup_set(krt_layer *l, const krt_string *tokens, size_t n, krt_status status)
{
    krti_index *const x = l->index;
    krti_vocabulary *v = NULL;
    krt_status st = KRT_OK;

    if (n == 0)
        return krti_layer_fail(l, status, "Cannot set an empty vocabulary");
    const size_t first = has_special_tokens(x, tokens, n) ? (size_t)token_start(x) : 0;
    TRY(krti_vocabulary_new(l->owned.k, &v));
    TRY(add_tokens(l, v, tokens, n, first, status));
    const int64_t size = token_start(x) + (int64_t)v->n, max_tokens = args_of(l)->max_tokens;
    if (max_tokens != KRT_NONE && size > max_tokens)
        TRY(krti_layer_fail(l, status,
                            "Attempted to set a vocabulary larger than the maximum vocab size. "
                            "Received vocabulary size is %lld; `max_tokens` is %lld",
                            (long long)size, (long long)max_tokens));
    TRY(krti_lookup_take(l, &v, status));

done:
    krti_vocabulary_free(v);
    return st;
}

int64_t krti_lookup_size(const krt_layer *l)
{
    const krti_index *const x = l->index;

    return token_start(x) + (x->vocabulary != NULL ? (int64_t)x->vocabulary->n : 0);
}

int64_t krti_lookup_depth(const krt_layer *l)
{
    const krt_string_lookup_args *a = args_of(l);

    return a->pad_to_max_tokens ? a->max_tokens : a->vocabulary_size;
}

/* ------------------------------------------------------------------------------- assets */

/* Where Python's str.splitlines() ends a line: how many bytes that takes, 0 where none ends. */
static size_t line_end(const unsigned char *p, size_t left)
{
    if (*p == '\r')
        return left > 1 && p[1] == '\n' ? 2 : 1;
    if ((*p >= '\n' && *p <= '\f') || (*p >= 0x1C && *p <= 0x1E))
        return 1;
    if (left > 1 && p[0] == 0xC2 && p[1] == 0x85)
        return 2;
    return left > 2 && p[0] == 0xE2 && p[1] == 0x80 && (p[2] == 0xA8 || p[2] == 0xA9) ? 3 : 0;
}

static krt_status line_token(const krt_layer *l, krti_arena *a, krt_string line, krt_string *out)
{
    int64_t *number = NULL;

    *out = line;
    for (const char *p = line.data, *end = p + line.size; p < end;)
        if (krti_utf8_next(&p, end) == UINT32_MAX)
            return krti_layer_fail(l, KRT_E_CORRUPT,
                                   "vocabulary.txt holds bytes that are no UTF-8");
    if (l->index->lookup.dtype == KRT_STRING)
        return KRT_OK;
    number = krti_arena_alloc(a, sizeof *number);
    if (number == NULL)
        return KRT_E_NOMEM;
    if (!krti_number_parse_int(line.data, line.size, number))
        return krti_layer_fail(l, KRT_E_CORRUPT,
                               "vocabulary.txt: '%.*s' is no integer, which every line must be",
                               line.size < 60 ? (int)line.size : 60, line.data);
    *out = (krt_string){(const char *)number, sizeof *number};
    return KRT_OK;
}

krt_status krti_lookup_read(krt_layer *l, const char *text, size_t size)
{
    krt_ctx *const k = l->owned.k;
    krti_arena arena = KRTI_ARENA_INIT(k);
    krt_string *tokens = NULL;
    size_t n = 0, capacity = 0, start = 0, kept = 0;
    krt_status st = KRT_OK;

    if (l->index->is_given)
        return KRT_OK;
    for (size_t i = 0; i < size;) {
        const size_t end = line_end((const unsigned char *)text + i, size - i);

        i += end > 0 ? end : 1;
        if (end == 0 && i < size)
            continue;
        TRY(krti_grow(k, &tokens, &capacity, n + 1, sizeof *tokens));
        tokens[n] = (krt_string){text + start, i - end - start};
        kept = tokens[n++].size > 0 ? n : kept; /* empty lines at the end are none */
        start = i;
    }
    for (size_t i = 0; i < kept; i++)
        TRY(line_token(l, &arena, tokens[i], &tokens[i]));
    TRY(krti_lookup_set(l, tokens, kept, KRT_E_MISMATCH));

done:
    krti_free(k, tokens);
    krti_arena_free(&arena);
    return st;
}

static void add_line(krti_str *s, const krti_index *x, krt_string token, bool is_first)
{
    int64_t number = 0;

    if (!is_first)
        krti_str_add(s, "\n");
    if (x->lookup.dtype == KRT_STRING) {
        krti_str_add_n(s, token.size > 0 ? token.data : "", token.size);
        return;
    }
    memcpy(&number, token.data, sizeof number);
    krti_str_addf(s, "%lld", (long long)number);
}

krt_status krti_lookup_write(const krt_layer *l, krti_str *out, bool *has)
{
    static const krt_string none = {"None", 4};
    const krti_index *const x = l->index;

    *has = !x->is_given;
    if (!*has)
        return KRT_OK;
    for (int64_t i = 0; i < token_start(x); i++) {
        const krt_string *token = i < x->lookup.oov_start ? x->lookup.mask : x->lookup.oov;

        add_line(out, x, token != NULL ? *token : none, i == 0);
    }
    for (size_t i = 0; x->vocabulary != NULL && i < x->vocabulary->n; i++)
        add_line(out, x, x->vocabulary->tokens[i], i == 0 && token_start(x) == 0);
    return out->status;
}

/* ------------------------------------------------------------------------------- arguments */

static krt_status check_mode(krt_layer *l)
{
    static const char *const modes[] = {"int", "one_hot", "multi_hot", "count", "tf_idf"};
    krt_string_lookup_args *a = args_of(l);

    if (a->output_mode != NULL && strcmp(a->output_mode, "binary") == 0)
        a->output_mode = "multi_hot"; /* as they were called */
    if (a->output_mode != NULL && strcmp(a->output_mode, "tf-idf") == 0)
        a->output_mode = "tf_idf";
    for (size_t i = 0; a->output_mode != NULL && i < KRTI_COUNT(modes); i++)
        if (strcmp(a->output_mode, modes[i]) == 0)
            return KRT_OK;
    return krti_layer_fail(l, KRT_E_INVALID,
                           "Invalid value for argument `output_mode`. Expected one of ('int', "
                           "'one_hot', 'multi_hot', 'count', 'tf_idf'). Received: output_mode=%s",
                           a->output_mode != NULL ? a->output_mode : "None");
}

/* Keras's conditions, in its order. */
static krt_status check_arguments(krt_layer *l)
{
    const krt_string_lookup_args *a = args_of(l);
    const bool is_integer = strcmp(l->cls->name, "IntegerLookup") == 0;
    krt_status st = KRT_OK;

    if (a->max_tokens != KRT_NONE && a->max_tokens <= 1)
        TRY(krti_layer_fail(
            l, KRT_E_INVALID,
            "If set, `max_tokens` must be greater than 1. Received: max_tokens=%lld",
            (long long)a->max_tokens));
    if (a->pad_to_max_tokens && a->max_tokens == KRT_NONE)
        TRY(krti_layer_fail(l, KRT_E_INVALID,
                            "If pad_to_max_tokens is True, must set `max_tokens`. Received: "
                            "max_tokens=None"));
    if (a->num_oov_indices < 0 || a->num_oov_indices > INT32_MAX)
        TRY(krti_layer_fail(l, KRT_E_INVALID,
                            "`num_oov_indices` must be greater than or equal to 0. Received: "
                            "num_oov_indices=%lld",
                            (long long)a->num_oov_indices));
    if (a->oov_method == NULL ||
        (strcmp(a->oov_method, "floormod") != 0 && strcmp(a->oov_method, "farmhash") != 0))
        TRY(krti_layer_fail(l, KRT_E_INVALID, "oov_method is %s, expected 'floormod' or 'farmhash'",
                            a->oov_method != NULL ? a->oov_method : "None"));
    if (a->salt[0] != KRT_NONE && is_integer && strcmp(a->oov_method, "farmhash") != 0)
        TRY(krti_layer_fail(l, KRT_E_INVALID,
                            "`salt` can only be used when `oov_method='farmhash'`. Received: "
                            "oov_method=%s",
                            a->oov_method));
    TRY(check_mode(l));
    if (a->invert && !gives_numbers(l))
        TRY(krti_layer_fail(l, KRT_E_INVALID,
                            "`output_mode` must be `'int'` when `invert` is true. Received: "
                            "output_mode=%s",
                            a->output_mode));
    if (a->idf_weights.n > 0 && strcmp(a->output_mode, "tf_idf") != 0)
        TRY(krti_layer_fail(l, KRT_E_INVALID,
                            "`idf_weights` should only be set if `output_mode` is `'tf_idf'`. "
                            "Received: output_mode=%s",
                            a->output_mode));
    if (a->sparse)
        TRY(krti_layer_unsupported(
            l, "layer \"%s\" gives a sparse tensor, which this build cannot run", l->name));

done:
    return st;
}

/* set_vocabulary()'s weights: one a token; those of mask and unknown, where not among them, are the
 * mean of the others, and what is left up to max_tokens is 0. */
static krt_status fill_idf(krt_layer *l, size_t num_tokens)
{
    const krt_numbers *given = &args_of(l)->idf_weights;
    krt_tensor *const t = krti_layer_variable(l, "idf_weights")->tensor;
    const size_t size = (size_t)krt_shape_size(t->shape);
    const size_t front = num_tokens == l->index->vocabulary->n ? (size_t)token_start(l->index) : 0;
    float *const to = t->data;
    double sum = 0;

    if (given->n != num_tokens)
        return krti_layer_fail(l, KRT_E_INVALID,
                               "`idf_weights` must be the same length as vocabulary. "
                               "len(idf_weights) is %zu; len(vocabulary) is %zu",
                               given->n, num_tokens);
    for (size_t i = 0; i < given->n; i++)
        sum += given->items[i];
    for (size_t i = 0; i < size; i++)
        to[i] = i < front              ? (float)(sum / (double)given->n)
                : i - front < given->n ? (float)given->items[i - front]
                                       : 0;
    return KRT_OK;
}

/* A table that files hold, as wide as the result. */
krt_status krti_lookup_add_idf(krt_layer *l, krt_variable **out)
{
    const int64_t depth = krti_lookup_depth(l);
    krt_status st = KRT_OK;

    *out = krti_layer_variable(l, "idf_weights");
    if (*out != NULL || strcmp(args_of(l)->output_mode, "tf_idf") != 0 || depth == KRT_NONE)
        return KRT_OK;
    if (depth < 0 || depth > INT32_MAX)
        return krti_layer_fail(l, KRT_E_INVALID, "a vocabulary of %lld tokens", (long long)depth);
    TRY(krt_layer_add_weight(l, "idf_weights", KRT_SHAPE(depth), KRT_ZEROS(), false));
    *out = krti_layer_variable(l, "idf_weights");
    (*out)->is_table = true;
    TRY(krti_initialize(*out));

done:
    return st;
}

static krt_status make_index(krt_layer *l, krt_dtype dtype)
{
    const krt_string_lookup_args *a = args_of(l);
    krti_index *const x = krti_arena_alloc(&l->arena, sizeof *x);
    const bool is_salted = a->salt[0] != KRT_NONE;

    if (x == NULL)
        return KRT_E_NOMEM;
    x->lookup = (krti_lookup){.dtype = dtype, .invert = a->invert, .num_oov = a->num_oov_indices};
    x->lookup.buckets = is_salted ? KRTI_SIPHASH
                        : dtype == KRT_STRING || strcmp(a->oov_method, "farmhash") == 0
                            ? KRTI_FARMHASH
                            : KRTI_FLOORMOD;
    for (int i = 0; is_salted && i < 2; i++)
        x->lookup.key[i] = (uint64_t)a->salt[i];
    x->lookup.mask_number = gives_numbers(l) ? 0 : INT64_MAX;
    l->index = x;
    return KRT_OK;
}

/* After mask and unknown are in place. */
static krt_status take_vocabulary(krt_layer *l, const krt_string *tokens, size_t n)
{
    krti_index *const x = l->index;
    krt_variable *idf = NULL;
    krt_status st = KRT_OK;

    x->lookup.oov_start = x->lookup.mask != NULL && gives_numbers(l);
    x->is_given = n > 0;
    if (n > 0)
        TRY(krti_lookup_set(l, tokens, n, KRT_E_INVALID));
    TRY(krti_lookup_add_idf(l, &idf));
    if (n > 0 && idf != NULL)
        TRY(args_of(l)->idf_weights.n > 0
                ? fill_idf(l, n)
                : krti_layer_fail(l, KRT_E_INVALID,
                                  "When specifying the `vocabulary` argument, in TF-IDF output "
                                  "mode, the `idf_weights` argument must also be provided"));

done:
    return st;
}

static krt_string bytes_of(const char *text)
{
    return (krt_string){text, strlen(text)};
}

static krt_status string_lookup_init(krt_layer *l, void *args)
{
    const krt_string_lookup_args *a = args;
    krt_string *tokens = krti_array(l->owned.k, a->vocabulary.n + 1, sizeof *tokens);
    krt_status st = tokens != NULL ? KRT_OK : KRT_E_NOMEM;

    TRY(st);
    TRY(check_arguments(l));
    TRY(make_index(l, KRT_STRING));
    if (a->mask_token != NULL) {
        l->index->mask = bytes_of(a->mask_token);
        l->index->lookup.mask = &l->index->mask;
    }
    if (a->oov_token != NULL) {
        l->index->oov = bytes_of(a->oov_token);
        l->index->lookup.oov = &l->index->oov;
    }
    for (size_t i = 0; i < a->vocabulary.n; i++)
        tokens[i] = bytes_of(a->vocabulary.items[i]);
    TRY(take_vocabulary(l, tokens, a->vocabulary.n));

done:
    krti_free(l->owned.k, tokens);
    return st;
}

static krt_status integer_lookup_init(krt_layer *l, void *args)
{
    const krt_integer_lookup_args *a = args;
    krt_string *tokens = krti_array(l->owned.k, a->vocabulary.n + 1, sizeof *tokens);
    krt_status st = tokens != NULL ? KRT_OK : KRT_E_NOMEM;

    TRY(st);
    TRY(check_arguments(l));
    TRY(make_index(l, KRT_INT64));
    krti_index *const x = l->index;
    x->mask_number = a->mask_token;
    x->oov_number = a->oov_token;
    x->mask = (krt_string){(const char *)&x->mask_number, sizeof x->mask_number};
    x->oov = (krt_string){(const char *)&x->oov_number, sizeof x->oov_number};
    x->lookup.mask = a->mask_token != KRT_NONE ? &x->mask : NULL;
    x->lookup.oov = a->oov_token != KRT_NONE ? &x->oov : NULL;
    for (size_t i = 0; i < a->vocabulary.n; i++)
        tokens[i] = (krt_string){(const char *)&a->vocabulary.items[i], sizeof(int64_t)};
    TRY(take_vocabulary(l, tokens, a->vocabulary.n));

done:
    krti_free(l->owned.k, tokens);
    return st;
}

/* ------------------------------------------------------------------------------- calls */

krt_value *krti_lookup_encode(const krt_layer *l, krt_call *c, krt_value *numbers, bool is_bag)
{
    const char *mode = args_of(l)->output_mode;
    const bool weighs = strcmp(mode, "tf_idf") == 0;
    const int64_t depth = krti_lookup_depth(l);

    if (gives_numbers(l) || numbers == NULL)
        return numbers;
    if (depth == KRT_NONE)
        return krti_graph_fail(c->g, KRT_E_STATE,
                               "When using `output_mode=%s` and `pad_to_max_tokens=False`, you "
                               "must set the layer's vocabulary before calling it. Either pass a "
                               "`vocabulary` argument to the layer, or call `adapt` with some "
                               "sample data",
                               mode);
    if (!is_bag)
        numbers = krti_encode(c->g, numbers, weighs ? "count" : mode, depth, NULL, KRT_INT64);
    const krt_variable *const idf = weighs ? krti_layer_variable(l, "idf_weights") : NULL;
    if (idf == NULL)
        return numbers;
    return krti_multiply(c->g, krti_cast(c->g, numbers, KRT_FLOAT32),
                         krti_variable(c->g, idf->tensor));
}

static krt_status lookup_call(const krt_layer *l, const void *args, krt_call *c)
{
    (void)args;
    krt_value *const numbers = krti_lookup_of(c->g, krt_call_input(c, 0), &l->index->lookup);

    return krt_call_output(c, 0, krti_lookup_encode(l, c, numbers, false));
}

/* ------------------------------------------------------------------------------- classes */

/* get_build_config() of a layer that builds nothing. */
static krti_conf *empty_build_config(krti_arena *a, const krt_layer *l)
{
    (void)l;
    return krti_conf_dict(a);
}

static krt_status string_lookup_config(krti_arena *a, krti_conf *dict, const krt_layer *l)
{
    return l->index->is_given ? KRT_OK : krti_conf_set(a, dict, "vocabulary", krti_conf_null(a));
}

#define T krt_string_lookup_args
static const krt_field string_lookup_fields[] = {KRT_FIELD(T, BOOL, invert),
                                                 KRT_FIELD(T, INT, max_tokens),
                                                 KRT_FIELD(T, INT, num_oov_indices),
                                                 KRT_FIELD(T, STRING, oov_token),
                                                 KRT_FIELD(T, STRING, mask_token),
                                                 KRT_FIELD(T, STRING, output_mode),
                                                 KRT_FIELD(T, BOOL, sparse),
                                                 KRT_FIELD(T, BOOL, pad_to_max_tokens),
                                                 KRT_FIELD(T, NUMBERS, idf_weights),
                                                 KRT_FIELD(T, NAMES, vocabulary),
                                                 KRT_FIELD(T, INT, vocabulary_size),
                                                 KRT_FIELD(T, STRING, oov_method),
                                                 KRT_FIELD(T, INT2, salt),
                                                 KRT_FIELD(T, STRING, encoding),
                                                 {"has_input_vocabulary", KRT_FIELD_IGNORED, 0},
                                                 {"vocabulary_dtype", KRT_FIELD_IGNORED, 0},
                                                 KRT_BASE_FIELDS(T)};
#undef T
#define T krt_integer_lookup_args
static const krt_field integer_lookup_fields[] = {KRT_FIELD(T, BOOL, invert),
                                                  KRT_FIELD(T, INT, max_tokens),
                                                  KRT_FIELD(T, INT, num_oov_indices),
                                                  KRT_FIELD(T, INT, oov_token),
                                                  KRT_FIELD(T, INT, mask_token),
                                                  KRT_FIELD(T, STRING, output_mode),
                                                  KRT_FIELD(T, BOOL, sparse),
                                                  KRT_FIELD(T, BOOL, pad_to_max_tokens),
                                                  {"vocabulary_dtype", KRT_FIELD_IGNORED, 0},
                                                  KRT_FIELD(T, NUMBERS, idf_weights),
                                                  KRT_FIELD(T, INTS, vocabulary),
                                                  KRT_FIELD(T, INT, vocabulary_size),
                                                  KRT_FIELD(T, STRING, oov_method),
                                                  KRT_FIELD(T, INT2, salt),
                                                  {"has_input_vocabulary", KRT_FIELD_IGNORED, 0},
                                                  KRT_BASE_FIELDS(T)};
#undef T

static krt_status integer_lookup_config(krti_arena *a, krti_conf *dict, const krt_layer *l)
{
    (void)l;
    return krti_conf_set(a, dict, "vocabulary_dtype", krti_conf_string(a, "int64"));
}

static const krti_class string_lookup = {
    .base = {.struct_size = sizeof(krt_layer_class),
             .name = "StringLookup",
             .defaults = KRT_STRING_LOOKUP(.trainable = true),
             .fields = string_lookup_fields,
             .num_fields = KRTI_COUNT(string_lookup_fields),
             .call = lookup_call,
             .init = string_lookup_init,
             .flags = KRTI_LAYER_HOOKS},
    .takes = KRT_STRING,
    .config = string_lookup_config,
    .build_config = empty_build_config,
    .adapt = krti_lookup_adapt,
};

static const krti_class integer_lookup = {
    .base = {.struct_size = sizeof(krt_layer_class),
             .name = "IntegerLookup",
             .defaults = KRT_INTEGER_LOOKUP(.trainable = true),
             .fields = integer_lookup_fields,
             .num_fields = KRTI_COUNT(integer_lookup_fields),
             .call = lookup_call,
             .init = integer_lookup_init,
             .flags = KRTI_LAYER_HOOKS},
    .takes = KRT_INT64,
    .config = integer_lookup_config,
    .build_config = empty_build_config,
    .adapt = krti_lookup_adapt,
};

const krt_layer_class *const krti_classes_text[] = {
    &string_lookup.base,      &integer_lookup.base,        &krti_class_text_vectorization.base,
    &krti_class_hashing.base, &krti_class_hashed_crossing, NULL};
