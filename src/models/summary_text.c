/* rich's Text, as far as it decides about characters: rich/markup.py, text.py, _wrap.py, cells.py.
 *
 * A text is an array of code points. Where rich counts cells (columns of a terminal) and where it
 * counts characters differs from function to function; each follows its original. Colours are
 * nothing here, but tags are still cut out: names come from files, and a name that looks like a tag
 * vanishes where Keras forgets to escape it. */
#include "models/summary.h"

enum { JOINER = 0x200d, SELECTOR = 0xfe0f, ELLIPSIS = 0x2026, TAB_SIZE = 8 };

/* ------------------------------------------------------------------------------- markup */

/* The length of a tag that starts here, `\[[a-z#/@][^[]*?]`; 0: none does. */
static size_t tag_at(const char *s)
{
    if (s[0] != '[' || s[1] == '\0' || (strchr("#/@", s[1]) == NULL && (s[1] < 'a' || s[1] > 'z')))
        return 0;
    const size_t n = 1 + strcspn(s + 1, "[]");
    return s[n] == ']' ? n + 1 : 0;
}

krt_status krti_markup_escape(krti_str *out, const char *text)
{
    const size_t length = strlen(text);
    const char *p = text;

    while (*p != '\0') {
        const size_t slashes = strspn(p, "\\"), tag = tag_at(p + slashes);

        if (tag > 0) {
            krti_str_fill(out, '\\', 2 * slashes + 1);
            krti_str_add_n(out, p + slashes, tag);
        } else if (slashes > 0) {
            krti_str_add_n(out, p, slashes);
        } else {
            krti_str_add_n(out, p, 1);
        }
        p += tag > 0 || slashes > 0 ? slashes + tag : 1;
    }
    if (out->status == KRT_OK && length > 0 && text[length - 1] == '\\' &&
        !krti_ends_with(text, "\\\\"))
        krti_str_add(out, "\\");
    return out->status;
}

/* rich.markup.render: tags go, escaped ones stay, "\[" is a bracket, control codes go. */
static krt_status render(krti_str *out, const char *p)
{
    while (*p != '\0') {
        const size_t slashes = strspn(p, "\\"), tag = tag_at(p + slashes);

        if (tag > 0) {
            krti_str_fill(out, '\\', slashes / 2);
            if (slashes % 2 != 0)
                krti_str_add_n(out, p + slashes, tag);
            p += slashes + tag;
        } else if (slashes > 0) {
            krti_str_fill(out, '\\', p[slashes] == '[' ? slashes - 1 : slashes);
            p += slashes;
        } else {
            if (strchr("\a\b\v\f\r", *p) == NULL)
                krti_str_add_n(out, p, 1);
            p++;
        }
    }
    return out->status;
}

/* ------------------------------------------------------------------------------- characters */

typedef struct text {
    krt_ctx *k;
    uint32_t *at;
    size_t n, capacity;
} text;

static krt_status put(text *t, uint32_t c)
{
    const krt_status st = krti_grow(t->k, &t->at, &t->capacity, t->n + 1, sizeof *t->at);

    if (st == KRT_OK)
        t->at[t->n++] = c;
    return st;
}

/* How many bytes the character starting here has, and which it is. What is not UTF-8 counts byte by
 * byte as the replacement character. */
static size_t decode(const char *s, uint32_t *c)
{
    const unsigned char *u = (const unsigned char *)s;
    const size_t n = u[0] < 0x80             ? 1
                     : (u[0] & 0xe0) == 0xc0 ? 2
                     : (u[0] & 0xf0) == 0xe0 ? 3
                     : (u[0] & 0xf8) == 0xf0 ? 4
                                             : 0;

    *c = n == 1 ? u[0] : n > 0 ? u[0] & (0xffU >> (n + 1)) : 0xfffd;
    for (size_t i = 1; i < n; i++) {
        if ((u[i] & 0xc0) != 0x80) {
            *c = 0xfffd;
            return 1;
        }
        *c = *c << 6 | (u[i] & 0x3fU);
    }
    return n > 0 ? n : 1;
}

static krt_status encode(krti_str *out, uint32_t c)
{
    char bytes[4];
    size_t n = 1;

    if (c < 0x80) {
        bytes[0] = (char)c;
        return krti_str_add_n(out, bytes, 1);
    }
    n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    bytes[0] = (char)((0xf00U >> n & 0xf0U) | c >> (6 * (n - 1)));
    for (size_t i = 1; i < n; i++)
        bytes[i] = (char)(0x80U | (c >> (6 * (n - 1 - i)) & 0x3fU));
    return krti_str_add_n(out, bytes, n);
}

/* Python's str.isspace() and the \s of its regular expressions. */
static bool is_space(uint32_t c)
{
    return (c >= 9 && c <= 13) || (c >= 28 && c <= 32) || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
           c == 0x205f || c == 0x3000;
}

/* One character with what joins it; returns where the next begins. */
static size_t grapheme(const uint32_t *at, size_t n, size_t i, size_t *width)
{
    bool may_widen = false;

    *width = at[i] == JOINER || at[i] == SELECTOR ? 0 : krti_cell_width(at[i]);
    may_widen = *width > 0 && krti_cell_is_widened(at[i]);
    for (i++; i < n; i++) {
        if (at[i] == JOINER) {
            i += i + 1 < n ? 1 : 0;
        } else if (at[i] == SELECTOR) {
            *width += may_widen ? 1 : 0;
            may_widen = false;
        } else if (krti_cell_width(at[i]) > 0) {
            break;
        }
    }
    return i < n ? i : n;
}

static size_t cells(const uint32_t *at, size_t n)
{
    size_t total = 0, width = 0;

    for (size_t i = 0; i < n; total += width)
        i = grapheme(at, n, i, &width);
    return total;
}

static size_t without_end_space(const uint32_t *at, size_t n)
{
    while (n > 0 && is_space(at[n - 1]))
        n--;
    return n;
}

/* ------------------------------------------------------------------------------- breaking */

/* Where one line is broken, ascending. */
typedef struct breaks {
    krt_ctx *k;
    size_t *at, n, capacity;
} breaks;

static krt_status put_break(breaks *b, size_t at)
{
    krt_status st = KRT_OK;

    if (at == 0)
        return KRT_OK;
    st = krti_grow(b->k, &b->at, &b->capacity, b->n + 1, sizeof *b->at);
    if (st == KRT_OK)
        b->at[b->n++] = at;
    return st;
}

/* Breaks inside a word that fits on no line; the cells of its last part. rich: chop_cells(). */
static krt_status fold(breaks *b, const uint32_t *at, size_t start, size_t end, size_t width,
                       size_t *last)
{
    size_t w = 0, used = 0;
    krt_status st = put_break(b, start);

    for (size_t i = start, next = start; st == KRT_OK && i < end; i = next) {
        next = i + grapheme(at + i, end - i, 0, &w);
        if (used + w > width) {
            st = put_break(b, i);
            used = 0;
        }
        used += w;
    }
    *last = used;
    return st;
}

/* rich: divide_line(). A word is what stands between spaces, with those behind it. */
static krt_status divide(breaks *b, const uint32_t *at, size_t n, size_t width, bool folds)
{
    size_t used = 0, end = 0;
    krt_status st = KRT_OK;

    b->n = 0;
    for (size_t start = 0; st == KRT_OK; start = end) {
        for (end = start; end < n && is_space(at[end]);)
            end++;
        if (end == n) /* spaces alone are no word */
            break;
        while (end < n && !is_space(at[end]))
            end++;
        const size_t length = cells(at + start, end - start);
        while (end < n && is_space(at[end]))
            end++;
        const size_t whole = cells(at + start, end - start);
        if (used <= width && width - used >= length) {
            used += whole;
        } else if (length > width && folds) {
            st = fold(b, at, start, end, width, &used);
        } else if (length > width || (used > 0 && start > 0)) {
            st = put_break(b, start);
            used = whole;
        }
    }
    return st;
}

/* ------------------------------------------------------------------------------- adjusting */

/* The first characters, in exactly `width` cells; half a wide one is a space. */
static krt_status crop(krti_str *out, const uint32_t *at, size_t n, size_t width)
{
    size_t used = 0, w = 0;

    for (size_t i = 0, next = 0; i < n; i = next) {
        next = grapheme(at, n, i, &w);
        if (used + w > width)
            break;
        used += w;
        for (; i < next; i++)
            encode(out, at[i]);
    }
    return krti_str_fill(out, ' ', width - used);
}

static krt_status truncate(krti_str *out, const uint32_t *at, size_t n, size_t width, bool folds)
{
    if (cells(at, n) > width && folds)
        return crop(out, at, n, width);
    if (cells(at, n) > width) {
        crop(out, at, n, width - 1);
        return encode(out, ELLIPSIS);
    }
    for (size_t i = 0; i < n; i++)
        encode(out, at[i]);
    return out->status;
}

/* One line of a wrapped text: rich's rstrip_end(), justify() and truncate(). */
static krt_status adjust(krti_str *out, const uint32_t *at, size_t n, size_t width,
                         krti_justify justify)
{
    const size_t bare = without_end_space(at, n);

    if (n > width) /* characters here, not cells */
        n = bare > width ? bare : width;
    if (justify == KRTI_JUSTIFY_CENTER || justify == KRTI_JUSTIFY_RIGHT)
        n = bare;
    const size_t have = cells(at, n);
    const size_t space = have < width ? width - have : 0;
    const size_t left = justify == KRTI_JUSTIFY_CENTER  ? space / 2
                        : justify == KRTI_JUSTIFY_RIGHT ? space
                                                        : 0;
    krti_str_fill(out, ' ', left);
    truncate(out, at, n, width, justify == KRTI_JUSTIFY_NONE);
    if (justify != KRTI_JUSTIFY_NONE)
        krti_str_fill(out, ' ', space - left);
    return krti_str_add(out, "\n");
}

/* ------------------------------------------------------------------------------- lines */

/* Tabs become the spaces to the next multiple of 8. */
static krt_status expand_tabs(text *out, const uint32_t *at, size_t n)
{
    size_t used = 0, first = 0;
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < n; i++) {
        if (at[i] != '\t') {
            st = put(out, at[i]);
            continue;
        }
        st = put(out, ' ');
        used += cells(out->at + first, out->n - first);
        for (; st == KRT_OK && used % TAB_SIZE != 0; used++)
            st = put(out, ' ');
        first = out->n;
    }
    return st;
}

static krt_status wrap_line(krti_str *out, const text *line, breaks *b, size_t width,
                            krti_justify justify, size_t *lines)
{
    krt_status st = divide(b, line->at, line->n, width, justify == KRTI_JUSTIFY_NONE);

    for (size_t i = 0, start = 0; st == KRT_OK && i <= b->n; i++) {
        const size_t end = i < b->n ? b->at[i] : line->n;

        st = adjust(out, line->at + start, end - start, width, justify);
        start = end;
        *lines += 1;
    }
    return st;
}

krt_status krti_markup_wrap(krti_str *out, const char *markup, size_t width, krti_justify justify,
                            size_t *lines)
{
    krti_str plain = KRTI_STR_INIT(out->k);
    text all = {.k = out->k}, line = {.k = out->k};
    breaks b = {.k = out->k};
    uint32_t c = 0;
    krt_status st = render(&plain, markup);

    *lines = 0;
    if (st != KRT_OK || width == 0)
        goto done;
    TRY(put(&line, 0)); /* so that it has a place even when it is empty */
    for (const char *p = krti_str_text(&plain); *p != '\0';) {
        p += decode(p, &c);
        TRY(put(&all, c));
    }
    for (size_t start = 0, end = 0; start <= all.n; start = end + 1) {
        for (end = start; end < all.n && all.at[end] != '\n';)
            end++;
        line.n = 0;
        if (end > start)
            TRY(expand_tabs(&line, all.at + start, end - start));
        TRY(wrap_line(out, &line, &b, width, justify, lines));
    }

done:
    krti_str_free(&plain);
    krti_free(out->k, all.at);
    krti_free(out->k, line.at);
    krti_free(out->k, b.at);
    return st;
}
