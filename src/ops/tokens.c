/* See tokens.h. TensorFlow's strings.lower (of ASCII), regex_replace of Keras's punctuation, split
 * and unicode_split, ngrams, one behind the other, over the bytes of the text itself. */
#include "ops/tokens.h"

#include <ctype.h>

static bool is_space(unsigned char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_dropped(const krti_vectorizer *v, unsigned char c)
{
    return v->strip && c < 0x80 && ispunct(c) != 0;
}

static unsigned char standard(const krti_vectorizer *v, unsigned char c)
{
    return v->lower && c >= 'A' && c <= 'Z' ? (unsigned char)(c + 'a' - 'A') : c;
}

static const unsigned char *start_of(const krti_tokens *t)
{
    const char *const data = t->row[t->text].data;

    return (const unsigned char *)(data != NULL ? data : "");
}

static const unsigned char *end_of(const krti_tokens *t)
{
    return start_of(t) + t->row[t->text].size;
}

/* To the next byte that stays; false at the end of the text. */
static bool to_kept(krti_tokens *t)
{
    const unsigned char *const end = end_of(t);

    while (t->at < end && is_dropped(t->v, *t->at))
        t->at++;
    return t->at < end;
}

void krti_tokens_init(krti_tokens *t, const krti_vectorizer *v, const krt_string *row, int64_t k)
{
    *t = (krti_tokens){.v = v, .row = row, .k = k};
    if (k > 0)
        t->at = start_of(t);
}

/* What may follow a first byte of UTF-8, so that what is no character ends where Unicode says
 * ("maximal subpart"): each such piece is one replacement character. */
typedef struct sequence {
    int more; /* bytes that follow; -1: no first byte */
    unsigned char low, high;
} sequence;

static sequence sequence_of(unsigned char c)
{
    if (c < 0x80)
        return (sequence){0, 0, 0};
    if (c < 0xC2 || c > 0xF4)
        return (sequence){-1, 0, 0};
    if (c < 0xE0)
        return (sequence){1, 0x80, 0xBF};
    if (c < 0xF0)
        return (sequence){2, c == 0xE0 ? 0xA0 : 0x80, c == 0xED ? 0x9F : 0xBF};
    return (sequence){3, c == 0xF0 ? 0x90 : 0x80, c == 0xF4 ? 0x8F : 0xBF};
}

/* Past one character; false when it was none. At least one byte that stays is there. */
static bool skip_character(krti_tokens *t)
{
    sequence s = sequence_of(*t->at++);

    for (int i = 0; i < s.more; i++) {
        if (!to_kept(t) || *t->at < s.low || *t->at > s.high)
            return false;
        t->at++;
        s.low = 0x80;
        s.high = 0xBF;
    }
    return s.more >= 0;
}

/* To where the next token begins. */
static bool to_token(krti_tokens *t)
{
    if (t->v->split == KRTI_SPLIT_NONE)
        return t->text < t->k;
    if (t->k == 0)
        return false;
    while (to_kept(t) && t->v->split == KRTI_SPLIT_WHITESPACE && is_space(*t->at))
        t->at++;
    return t->at < end_of(t);
}

bool krti_tokens_skip(krti_tokens *t)
{
    if (!to_token(t))
        return false;
    if (t->v->split == KRTI_SPLIT_NONE) {
        if (++t->text < t->k)
            t->at = start_of(t);
    } else if (t->v->split == KRTI_SPLIT_CHARACTER) {
        skip_character(t);
    } else {
        while (to_kept(t) && !is_space(*t->at))
            t->at++;
    }
    return true;
}

/* ------------------------------------------------------------------------------- bytes */

typedef bool (*byte_fn)(void *user, unsigned char c);

/* The bytes of the token at `t`, as long as fn wants them. */
static bool each_byte(krti_tokens t, byte_fn fn, void *user)
{
    static const unsigned char replacement[] = {0xEF, 0xBF, 0xBD};
    krti_tokens next = t;
    bool goes_on = true;

    if (t.v->split == KRTI_SPLIT_CHARACTER && !skip_character(&next)) {
        for (size_t i = 0; goes_on && i < sizeof replacement; i++)
            goes_on = fn(user, replacement[i]);
        return goes_on;
    }
    if (t.v->split == KRTI_SPLIT_NONE)
        next.at = end_of(&t);
    else if (t.v->split == KRTI_SPLIT_WHITESPACE)
        krti_tokens_skip(&next);
    for (; goes_on && t.at < next.at; t.at++)
        if (!is_dropped(t.v, *t.at))
            goes_on = fn(user, standard(t.v, *t.at));
    return goes_on;
}

static bool each_byte_of_gram(const krti_gram *gram, byte_fn fn, void *user)
{
    krti_tokens t = gram->from;
    bool goes_on = true;

    for (int64_t i = 0; goes_on && i < gram->num && to_token(&t); i++) {
        if (i > 0)
            goes_on = fn(user, ' ');
        goes_on = goes_on && each_byte(t, fn, user);
        krti_tokens_skip(&t);
    }
    return goes_on;
}

static bool add_to_hash(void *user, unsigned char c)
{
    uint64_t *const hash = user;

    *hash = krti_token_hash(*hash, c);
    return true;
}

static bool compare_next(void *user, unsigned char c)
{
    krt_string *const rest = user;

    if (rest->size == 0 || (unsigned char)rest->data[0] != c)
        return false;
    rest->data++;
    rest->size--;
    return true;
}

bool krti_gram_equal(const void *gram, krt_string token)
{
    return each_byte_of_gram(gram, compare_next, &token) && token.size == 0;
}

int64_t krti_gram_find(const krti_gram *gram, const krti_vocabulary *v)
{
    uint64_t hash = krti_token_hash_start(v);

    each_byte_of_gram(gram, add_to_hash, &hash);
    return krti_vocabulary_find_hash(v, hash, krti_gram_equal, gram);
}

static bool add_to_text(void *user, unsigned char c)
{
    const char byte = (char)c;

    return krti_str_add_n(user, &byte, 1) == KRT_OK;
}

krt_status krti_gram_text(const krti_gram *gram, krti_str *s)
{
    each_byte_of_gram(gram, add_to_text, s);
    return s->status;
}

/* ------------------------------------------------------------------------------- n-grams */

void krti_grams_init(krti_grams *g, const krti_vectorizer *v, const krt_string *row, int64_t k)
{
    krti_tokens t;

    *g = (krti_grams){.width = 0};
    krti_tokens_init(&g->start, v, row, k);
    t = g->start;
    g->at = t;
    if (v->split == KRTI_SPLIT_NONE)
        g->num_tokens = k;
    else
        while (krti_tokens_skip(&t))
            g->num_tokens++;
}

static int64_t num_of_width(const krti_grams *g, int width)
{
    const int64_t w = g->start.v->num_widths > 0 ? g->start.v->widths[width] : 1;

    return w <= g->num_tokens ? g->num_tokens - w + 1 : 0;
}

bool krti_grams_next(krti_grams *g, krti_gram *out)
{
    const krti_vectorizer *const v = g->start.v;
    const int num_widths = v->num_widths > 0 ? v->num_widths : 1;

    while (g->width < num_widths && g->index >= num_of_width(g, g->width)) {
        g->width++;
        g->index = 0;
        g->at = g->start;
    }
    if (g->width >= num_widths)
        return false;
    (void)to_token(&g->at);
    *out = (krti_gram){g->at, v->num_widths > 0 ? v->widths[g->width] : 1};
    krti_tokens_skip(&g->at);
    g->index++;
    return true;
}

int64_t krti_grams_count(const krti_grams *g)
{
    const int num_widths = g->start.v->num_widths > 0 ? g->start.v->num_widths : 1;
    int64_t count = 0;

    for (int i = 0; i < num_widths; i++)
        count += num_of_width(g, i);
    return count;
}

int64_t krti_vectorizer_count(const krti_vectorizer *v, const krt_string *row, int64_t k)
{
    krti_grams g;

    krti_grams_init(&g, v, row, k);
    return krti_grams_count(&g);
}

krt_status krti_vectorizer_each(const krti_vectorizer *v, const krt_string *row, int64_t k,
                                krti_str *s, krti_token_fn fn, void *user)
{
    krti_grams g;
    krti_gram gram;
    krt_status st = KRT_OK;

    krti_grams_init(&g, v, row, k);
    while (st == KRT_OK && krti_grams_next(&g, &gram)) {
        krti_str_clear(s);
        st = krti_gram_text(&gram, s);
        if (st == KRT_OK)
            st = fn(user, (krt_string){krti_str_text(s), s->length});
    }
    return st;
}
