/* json.h, reading: a recursive descent over the bytes, straight into the arena. Python: json/decoder.py.
 *
 * The members of a container wait in one growing list until its end is seen, then move to arrays of
 * their size. Duplicate keys are found there: by comparing each with each in the small dicts of configs,
 * through a map in large ones, such as weight maps. */
#include "formats/json.h"

#include "base/map.h"
#include "base/number.h"
#include "base/utf8.h"

/* Text beyond this is no config: its tree would take up to 50 times the memory. */
enum { LARGEST_TEXT = 64 << 20, SMALL_DICT = 40 };
/* A config says the same few hundred words a thousand times. */
enum { WORDS = 512, LONGEST_WORD = 48 };

typedef struct pair {
    const char *key;
    size_t length; /* of the key */
    krti_conf *value;
} pair;

typedef struct parser {
    krti_arena *arena;
    krt_ctx *k;
    const char *text, *p, *end;
    int depth;
    pair *pairs; /* of all open containers, innermost last */
    size_t n, capacity;
    krti_str string; /* the last string with escapes, decoded */
    krti_conf *null, *yes, *no;
    struct {
        const char *text;
        size_t length;
    } words[WORDS]; /* the last of each hash */
} parser;

static krt_status parse_value(parser *ps, krti_conf **out);

static krt_status fail_at(parser *ps, const char *where, const char *what)
{
    return krti_fail(ps->k, KRT_E_FORMAT, NULL, "not JSON: %s at byte %zu", what,
                     (size_t)(where - ps->text));
}

/* What stands in the way, named by what was expected there. */
static krt_status fail_expected(parser *ps, const char *what)
{
    const size_t at = (size_t)(ps->p - ps->text);
    const unsigned char c = ps->p < ps->end ? (unsigned char)*ps->p : 0;

    if (ps->p == ps->end)
        return krti_fail(ps->k, KRT_E_FORMAT, NULL,
                         "not JSON: %s expected, found the end at byte %zu", what, at);
    if (c > 0x20 && c < 0x7F)
        return krti_fail(ps->k, KRT_E_FORMAT, NULL, "not JSON: %s expected, found '%c' at byte %zu",
                         what, c, at);
    return krti_fail(ps->k, KRT_E_FORMAT, NULL, "not JSON: %s expected, found 0x%02X at byte %zu",
                     what, c, at);
}

static void skip_blanks(parser *ps)
{
    while (ps->p < ps->end && (*ps->p == ' ' || *ps->p == '\n' || *ps->p == '\t' || *ps->p == '\r'))
        ps->p++;
}

/* ------------------------------------------------------------------------------- strings */

/* The four hexadecimal digits at p, UINT32_MAX when they are not. */
static uint32_t hex4(const parser *ps, const char *p)
{
    uint32_t value = 0;

    if (ps->end - p < 4)
        return UINT32_MAX;
    for (int i = 0; i < 4; i++) {
        const char c = p[i];
        const int digit = c >= '0' && c <= '9'   ? c - '0'
                          : c >= 'a' && c <= 'f' ? c - 'a' + 10
                          : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                 : -1;

        if (digit < 0)
            return UINT32_MAX;
        value = value * 16 + (uint32_t)digit;
    }
    return value;
}

/* After "\u". */
static krt_status parse_unicode(parser *ps)
{
    const char *start = ps->p - 2;
    uint32_t c = hex4(ps, ps->p), low = 0;

    if (c == UINT32_MAX)
        return fail_at(ps, start, "\\u without four hexadecimal digits");
    ps->p += 4;
    if (c >= 0xD800 && c < 0xDC00 && ps->end - ps->p >= 6 && ps->p[0] == '\\' && ps->p[1] == 'u') {
        low = hex4(ps, ps->p + 2);
        if (low >= 0xDC00 && low < 0xE000) {
            c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
            ps->p += 6;
        }
    }
    if (c >= 0xD800 && c < 0xE000)
        return fail_at(ps, start, "half of a surrogate pair");
    char text[4];
    return krti_str_add_n(&ps->string, text, krti_utf8_put(text, c));
}

/* After the backslash. */
static krt_status parse_escape(parser *ps)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    const char *found = ps->p < ps->end && *ps->p != '\0' ? strchr(names, *ps->p) : NULL;

    if (ps->p == ps->end)
        return fail_at(ps, ps->p, "text ends inside a string");
    if (*ps->p == 'u') {
        ps->p++;
        return parse_unicode(ps);
    }
    if (found == NULL)
        return fail_at(ps, ps->p - 1, "unknown escape in a string");
    ps->p++;
    return krti_str_add_n(&ps->string, &values[found - names], 1);
}

/* ASCII that stands for itself in a string. */
static bool is_plain(char c)
{
    return (unsigned char)c >= 0x20 && (unsigned char)c < 0x80 && c != '"' && c != '\\';
}

/* The same of eight characters at once. */
static bool are_plain(const char *p)
{
    const uint64_t ones = 0x0101010101010101u, highs = ones << 7;
    uint64_t word = 0;

    memcpy(&word, p, sizeof word);
    const uint64_t quotes = word ^ (ones * '"'), slashes = word ^ (ones * '\\');
    return ((word | (word - ones * 0x20) | (quotes - ones) | (slashes - ones)) & highs) == 0;
}

/* Steps over characters that stand for themselves. */
static krt_status skip_plain(parser *ps)
{
    for (;;) {
        while (ps->end - ps->p >= 8 && are_plain(ps->p))
            ps->p += 8;
        while (ps->p < ps->end && is_plain(*ps->p))
            ps->p++;
        if (ps->p == ps->end)
            return fail_at(ps, ps->p, "text ends inside a string");
        if (*ps->p == '"' || *ps->p == '\\')
            return KRT_OK;
        if ((unsigned char)*ps->p < 0x20)
            return fail_at(ps, ps->p, "control character in a string");
        const size_t n = krti_utf8_length(ps->p, ps->end);
        if (n == 0)
            return fail_at(ps, ps->p, "text is not UTF-8");
        ps->p += n;
    }
}

/* At the opening quote. *text stays valid until the next string. */
static krt_status parse_string(parser *ps, const char **text, size_t *length)
{
    const char *start = ++ps->p;
    krt_status st = skip_plain(ps);

    if (st != KRT_OK)
        return st;
    if (*ps->p == '"') { /* no escapes, which is nearly always */
        *text = start;
        *length = (size_t)(ps->p++ - start);
        return KRT_OK;
    }
    krti_str_clear(&ps->string);
    while (st == KRT_OK && *ps->p == '\\') {
        krti_str_add_n(&ps->string, start, (size_t)(ps->p - start));
        ps->p++;
        st = parse_escape(ps);
        start = ps->p;
        if (st == KRT_OK)
            st = skip_plain(ps);
    }
    if (st != KRT_OK)
        return st;
    st = krti_str_add_n(&ps->string, start, (size_t)(ps->p++ - start));
    *text = krti_str_text(&ps->string);
    *length = ps->string.length;
    return st;
}

/* The text for good: as it was kept before where it is a word met lately. */
static const char *keep_text(parser *ps, const char *text, size_t length)
{
    if (length == 0 || length > LONGEST_WORD)
        return krti_arena_strndup(ps->arena, text, length);
    const unsigned char first = (unsigned char)text[0], last = (unsigned char)text[length - 1];
    const uint32_t shape = (uint32_t)length << 24 | (uint32_t)first << 16 |
                           (uint32_t)(unsigned char)text[length / 2] << 8 | last;
    const size_t i = shape * 2654435761u >> 23;
    if (ps->words[i].length == length && memcmp(ps->words[i].text, text, length) == 0)
        return ps->words[i].text;
    const char *kept = krti_arena_strndup(ps->arena, text, length);
    if (kept != NULL) {
        ps->words[i].text = kept;
        ps->words[i].length = length;
    }
    return kept;
}

/* ------------------------------------------------------------------------------- scalars */

static bool is_digit_at(const parser *ps)
{
    return ps->p < ps->end && *ps->p >= '0' && *ps->p <= '9';
}

static void skip_digits(parser *ps)
{
    while (is_digit_at(ps))
        ps->p++;
}

/* -?(0|[1-9][0-9]*)(.[0-9]+)?([eE][+-]?[0-9]+)? as far as it goes, as Python does: what is left
 * over is the caller's to refuse. */
static krt_status parse_number(parser *ps, krti_conf **out)
{
    const char *start = ps->p, *back = NULL;
    bool is_real = false;
    int64_t integer = 0;
    double real = 0;

    ps->p += *ps->p == '-';
    if (!is_digit_at(ps))
        return fail_expected(ps, "a digit");
    if (*ps->p == '0')
        ps->p++;
    else
        skip_digits(ps);
    back = ps->p;
    if (ps->p < ps->end && *ps->p == '.') {
        ps->p++;
        is_real = is_digit_at(ps);
        skip_digits(ps);
        ps->p = is_real ? ps->p : back;
        back = ps->p;
    }
    if (ps->p < ps->end && (*ps->p == 'e' || *ps->p == 'E')) {
        ps->p++;
        ps->p += ps->p < ps->end && (*ps->p == '-' || *ps->p == '+');
        is_real = is_real || is_digit_at(ps);
        ps->p = is_digit_at(ps) ? ps->p : back;
        skip_digits(ps);
    }
    const size_t length = (size_t)(ps->p - start);
    if (!is_real && krti_number_parse_int(start, length, &integer)) {
        *out = krti_conf_int(ps->arena, integer);
    } else {
        if (!krti_number_parse(start, length, &real))
            return fail_at(ps, start, "a number expected");
        *out = krti_conf_float(ps->arena, real);
    }
    return *out != NULL ? KRT_OK : KRT_E_NOMEM;
}

/* One node of each for all of a text: nothing is ever written into a scalar that was read. */
static krti_conf *make_word(parser *ps, size_t which)
{
    krti_arena *a = ps->arena;

    switch (which) {
    case 0:
        return ps->null != NULL ? ps->null : (ps->null = krti_conf_null(a));
    case 1:
        return ps->yes != NULL ? ps->yes : (ps->yes = krti_conf_bool(a, true));
    case 2:
        return ps->no != NULL ? ps->no : (ps->no = krti_conf_bool(a, false));
    default:
        return krti_conf_float(a, which == 3 ? (double)NAN : which == 4 ? HUGE_VAL : -HUGE_VAL);
    }
}

static krti_conf *make_string(parser *ps, const char *text, size_t length)
{
    krti_conf *c = krti_arena_alloc(ps->arena, sizeof *c);

    if (c == NULL)
        return NULL;
    c->kind = KRTI_CONF_STRING;
    c->as.string.text = keep_text(ps, text, length);
    c->as.string.length = length;
    return c->as.string.text != NULL ? c : NULL;
}

/* A bare word; `*is_word` false when none stands here. */
static krt_status parse_word(parser *ps, krti_conf **out, bool *is_word)
{
    static const char *const words[] = {"null", "true", "false", "NaN", "Infinity", "-Infinity"};
    const size_t left = (size_t)(ps->end - ps->p);

    *is_word = false;
    for (size_t i = 0; i < KRTI_COUNT(words); i++) {
        const size_t n = strlen(words[i]);

        if (left < n || memcmp(ps->p, words[i], n) != 0)
            continue;
        ps->p += n;
        *is_word = true;
        *out = make_word(ps, i);
        return *out != NULL ? KRT_OK : KRT_E_NOMEM;
    }
    return KRT_OK;
}

/* ------------------------------------------------------------------------------- containers */

static krt_status push(parser *ps, pair member)
{
    const krt_status st = krti_grow(ps->k, &ps->pairs, &ps->capacity, ps->n + 1, sizeof *ps->pairs);

    if (st == KRT_OK)
        ps->pairs[ps->n++] = member;
    return st;
}

/* Of keys that occur twice the last value moves to the first place, as in a Python dict. */
static size_t unite_small(pair *pairs, size_t n)
{
    size_t kept = 0;

    for (size_t i = 0; i < n; i++) {
        size_t j = 0;

        while (j < kept && (pairs[j].length != pairs[i].length ||
                            memcmp(pairs[j].key, pairs[i].key, pairs[i].length) != 0))
            j++;
        if (j == kept)
            pairs[kept++] = pairs[i];
        else
            pairs[j].value = pairs[i].value;
    }
    return kept;
}

static krt_status unite_large(krt_ctx *k, pair *pairs, size_t *n)
{
    krti_map *map = krti_map_new(k);
    krt_status st = map != NULL ? KRT_OK : KRT_E_NOMEM;
    size_t kept = 0;

    for (size_t i = 0; i < *n && st == KRT_OK; i++) {
        pair *first = krti_map_get(map, pairs[i].key);

        if (first != NULL) {
            first->value = pairs[i].value;
            continue;
        }
        pairs[kept] = pairs[i];
        st = krti_map_set(map, pairs[kept].key, &pairs[kept]);
        kept++;
    }
    *n = kept;
    krti_map_free(map);
    return st;
}

/* Moves the pairs from `first` on into the container. */
static krt_status close_container(parser *ps, krti_conf *c, size_t first)
{
    size_t n = ps->n - first;
    krt_status st = KRT_OK;

    ps->n = first;
    if (n == 0)
        return KRT_OK;
    if (n > UINT32_MAX)
        return krti_fail(ps->k, KRT_E_UNSUPPORTED, NULL, "a list of %zu items", n);
    pair *pairs = ps->pairs + first;
    if (c->kind == KRTI_CONF_DICT && n <= SMALL_DICT)
        n = unite_small(pairs, n);
    else if (c->kind == KRTI_CONF_DICT)
        st = unite_large(ps->k, pairs, &n);
    if (st != KRT_OK)
        return st;
    c->as.list.items = krti_arena_array(ps->arena, n, sizeof *c->as.list.items);
    if (c->kind == KRTI_CONF_DICT)
        c->as.list.keys = krti_arena_array(ps->arena, n, sizeof *c->as.list.keys);
    if (c->as.list.items == NULL || (c->kind == KRTI_CONF_DICT && c->as.list.keys == NULL))
        return KRT_E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        c->as.list.items[i] = pairs[i].value;
        if (c->kind == KRTI_CONF_DICT)
            c->as.list.keys[i] = pairs[i].key;
    }
    c->as.list.n = (uint32_t)n;
    c->as.list.capacity = (uint32_t)n;
    return KRT_OK;
}

/* "key": */
static krt_status parse_key(parser *ps, pair *member)
{
    const char *start = ps->p, *text = NULL;
    krt_status st = KRT_OK;

    if (ps->p == ps->end || *ps->p != '"')
        return fail_expected(ps, "a key in double quotes");
    st = parse_string(ps, &text, &member->length);
    if (st != KRT_OK)
        return st;
    if (memchr(text, '\0', member->length) != NULL)
        return fail_at(ps, start, "a NUL in a key");
    member->key = keep_text(ps, text, member->length);
    if (member->key == NULL)
        return KRT_E_NOMEM;
    skip_blanks(ps);
    if (ps->p == ps->end || *ps->p != ':')
        return fail_expected(ps, "':'");
    ps->p++;
    skip_blanks(ps);
    return KRT_OK;
}

/* Cut off at the NUL it would be another name. */
static bool is_split_name(const char *key, const krti_conf *value)
{
    static const char *const names[] = {"name", "class_name", "registered_name", "module"};

    if (!krti_conf_is(value, KRTI_CONF_STRING) ||
        memchr(value->as.string.text, '\0', value->as.string.length) == NULL)
        return false;
    return krti_is_one_of(key, names, KRTI_COUNT(names));
}

/* At the opening bracket. */
static krt_status parse_container(parser *ps, krti_conf **out)
{
    const bool is_dict = *ps->p == '{';
    const char closing = is_dict ? '}' : ']';
    const size_t first = ps->n;
    krt_status st = KRT_OK;

    *out = is_dict ? krti_conf_dict(ps->arena) : krti_conf_list(ps->arena);
    if (*out == NULL)
        return KRT_E_NOMEM;
    if (++ps->depth > KRTI_JSON_MAX_DEPTH)
        return krti_fail(ps->k, KRT_E_FORMAT, NULL, "nested more than %d deep at byte %zu",
                         KRTI_JSON_MAX_DEPTH, (size_t)(ps->p - ps->text));
    ps->p++;
    skip_blanks(ps);
    bool is_more = ps->p == ps->end || *ps->p != closing;
    while (st == KRT_OK && is_more) {
        pair member = {0};

        if (is_dict && (st = parse_key(ps, &member)) != KRT_OK)
            return st;
        if ((st = parse_value(ps, &member.value)) != KRT_OK || (st = push(ps, member)) != KRT_OK)
            return st;
        if (is_dict && is_split_name(member.key, member.value))
            return fail_at(ps, ps->p, "a NUL in a name that ends");
        skip_blanks(ps);
        is_more = ps->p < ps->end && *ps->p == ',';
        if (is_more) {
            ps->p++;
            skip_blanks(ps);
        }
    }
    if (ps->p == ps->end || *ps->p != closing)
        return fail_expected(ps, is_dict ? "',' or '}'" : "',' or ']'");
    ps->p++;
    ps->depth--;
    return close_container(ps, *out, first);
}

static krt_status parse_value(parser *ps, krti_conf **out)
{
    const char c = ps->p < ps->end ? *ps->p : '\0';
    const char *text = NULL;
    size_t length = 0;
    bool is_word = false;
    krt_status st = KRT_OK;

    if (c == '{' || c == '[')
        return parse_container(ps, out);
    if (c == '"') {
        st = parse_string(ps, &text, &length);
        if (st == KRT_OK && (*out = make_string(ps, text, length)) == NULL)
            st = KRT_E_NOMEM;
        return st;
    }
    if (c >= '0' && c <= '9')
        return parse_number(ps, out);
    st = parse_word(ps, out, &is_word);
    if (st != KRT_OK || is_word)
        return st;
    return c == '-' ? parse_number(ps, out) : fail_expected(ps, "a value");
}

static krt_status parse_all(parser *ps, krti_conf **out)
{
    krt_status st = KRT_OK;

    if (ps->end - ps->p >= 3 && memcmp(ps->p, "\xEF\xBB\xBF", 3) == 0)
        ps->p += 3;
    skip_blanks(ps);
    st = parse_value(ps, out);
    if (st != KRT_OK)
        return st;
    skip_blanks(ps);
    return ps->p == ps->end ? KRT_OK : fail_expected(ps, "the end");
}

krt_status krti_json_parse(krti_arena *arena, const krti_conf **out, const void *text, size_t size)
{
    parser ps = {.arena = arena,
                 .k = arena->k,
                 .text = text != NULL ? text : "",
                 .string = KRTI_STR_INIT(arena->k)};
    krti_conf *root = NULL;
    krt_status st = KRT_OK;

    *out = NULL;
    if (size > LARGEST_TEXT)
        return krti_fail(arena->k, KRT_E_UNSUPPORTED, NULL,
                         "JSON text of %zu bytes, at most %d are read", size, LARGEST_TEXT);
    ps.p = ps.text;
    ps.end = ps.text + size;
    st = parse_all(&ps, &root);
    if (st == KRT_OK)
        *out = root;
    krti_free(ps.k, ps.pairs);
    krti_str_free(&ps.string);
    return st;
}
