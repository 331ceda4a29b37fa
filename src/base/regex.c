/* See regex.h. A pattern becomes a program of a few kinds of instruction (Thompson's construction), which
 * is run over the text with the set of all places it may be at. */
#include "base/regex.h"

#include <ctype.h>

enum { MOST = 400, MOST_GROUPS = 50 };

typedef enum code { ONE_OF, FORK, START, END, LAST, BORDER, NO_BORDER, FOUND } code;

/* FORK goes on at both; jumps count from the instruction they stand in. */
typedef struct instruction {
    code code;
    int first, second;
    unsigned char set[32]; /* of ONE_OF: a bit a byte */
} instruction;

typedef struct program {
    krt_ctx *k;
    const char *pattern, *at;
    int n, groups;
    krt_status status;
    instruction code[MOST];
} program;

static void refuse(program *p, krt_status status, const char *what)
{
    if (p->status == KRT_OK && p->k == NULL)
        p->status = status;
    else if (p->status == KRT_OK)
        p->status = krti_fail(p->k, status, NULL, "%s at position %d of the pattern \"%s\"", what,
                              (int)(p->at - p->pattern), p->pattern);
}

/* Room for `count` more at `where`; what stands there moves on. */
static instruction *insert(program *p, int where, int count)
{
    if (p->n + count > MOST) {
        refuse(p, KRT_E_INVALID, "too much to look for");
        return NULL;
    }
    instruction *const place = &p->code[where];
    memmove(place + count, place, (size_t)(p->n - where) * sizeof *place);
    memset(place, 0, (size_t)count * sizeof *place);
    p->n += count;
    return place;
}

static void fork_at(program *p, int where, int first, int second)
{
    instruction *const i = insert(p, where, 1);

    if (i != NULL)
        *i = (instruction){.code = FORK, .first = first, .second = second};
}

/* ------------------------------------------------------------------------------- sets */

static void add_byte(unsigned char *set, unsigned char c)
{
    set[c / 8] |= (unsigned char)(1U << c % 8);
}

static bool has(const unsigned char *set, unsigned char c)
{
    return (set[c / 8] >> c % 8 & 1) != 0;
}

static bool is_in_class(char name, int c)
{
    switch (tolower(name)) {
    case 'd':
        return c >= '0' && c <= '9';
    case 's':
        return c == ' ' || (c >= '\t' && c <= '\r');
    default:
        return c == '_' || (c < 128 && isalnum(c));
    }
}

/* What stands behind a backslash, as a set; -1 when it is no one character. */
static int add_escape(program *p, unsigned char *set)
{
    static const char names[] = "tnrfva", values[] = "\t\n\r\f\v\a";
    const char c = *p->at;
    const char *const known = c != '\0' ? strchr(names, c) : NULL;

    if (c != '\0' && strchr("dDsSwW", c) != NULL) {
        for (int i = 0; i < 256; i++)
            if (is_in_class(c, i) == (islower(c) != 0))
                add_byte(set, (unsigned char)i);
        p->at++;
        return -1;
    }
    if (c == '\0' || isdigit((unsigned char)c) || (known == NULL && isalpha((unsigned char)c))) {
        refuse(p, c == '\0' ? KRT_E_INVALID : KRT_E_UNSUPPORTED,
               c == '\0' ? "bad escape (end of pattern)" : "an escape that is not known");
        return -1;
    }
    p->at++;
    const unsigned char byte = (unsigned char)(known != NULL ? values[known - names] : c);
    add_byte(set, byte);
    return byte;
}

static int add_member(program *p, unsigned char *set)
{
    const unsigned char c = (unsigned char)*p->at++;

    if (c == '\\')
        return add_escape(p, set);
    add_byte(set, c);
    return c;
}

/* Behind "[". */
static void add_set(program *p, unsigned char *set)
{
    const bool excludes = *p->at == '^';
    bool is_first = true;

    p->at += excludes;
    for (; p->status == KRT_OK && (*p->at != ']' || is_first); is_first = false) {
        if (*p->at == '\0') {
            refuse(p, KRT_E_INVALID, "unterminated character set");
            return;
        }
        const int low = add_member(p, set);
        if (p->at[0] != '-' || p->at[1] == ']' || p->at[1] == '\0')
            continue;
        p->at++;
        const int high = add_member(p, set);
        if (low < 0 || high < low)
            refuse(p, KRT_E_INVALID, "bad character range");
        for (int c = low; p->status == KRT_OK && c <= high; c++)
            add_byte(set, (unsigned char)c);
    }
    p->at += p->status == KRT_OK;
    for (int i = 0; excludes && i < 32; i++)
        set[i] = (unsigned char)~set[i];
}

/* ------------------------------------------------------------------------------- parsing */

static void parse_choice(program *p);

/* Behind "(". */
static void parse_group(program *p)
{
    if (p->at[0] == '?' && p->at[1] == ':') {
        p->at += 2;
    } else if (p->at[0] == '?' && p->at[1] == 'P' && p->at[2] == '<') {
        p->at += strcspn(p->at, ">");
        p->at += *p->at == '>';
    } else if (p->at[0] == '?') {
        refuse(p, KRT_E_UNSUPPORTED, "lookarounds and flags are not understood");
    }
    if (++p->groups > MOST_GROUPS)
        refuse(p, KRT_E_INVALID, "too many groups");
    if (p->status == KRT_OK)
        parse_choice(p);
    if (*p->at != ')')
        refuse(p, KRT_E_INVALID, "missing ), unterminated subpattern");
    else
        p->at++;
    p->groups--;
}

static void parse_one(program *p)
{
    static const struct {
        const char *text;
        code code;
    } anchors[] = {{"^", START}, {"$", LAST},     {"\\A", START},
                   {"\\Z", END}, {"\\b", BORDER}, {"\\B", NO_BORDER}};
    instruction *made = NULL;

    if (*p->at == '(') {
        p->at++;
        parse_group(p);
        return;
    }
    if (strchr("*+?", *p->at) != NULL)
        refuse(p, KRT_E_INVALID, "nothing to repeat");
    made = p->status == KRT_OK ? insert(p, p->n, 1) : NULL;
    if (made == NULL)
        return;
    for (size_t i = 0; i < KRTI_COUNT(anchors); i++) {
        const size_t length = strlen(anchors[i].text);

        if (strncmp(p->at, anchors[i].text, length) == 0) {
            made->code = anchors[i].code;
            p->at += length;
            return;
        }
    }
    if (*p->at == '[') {
        p->at++;
        add_set(p, made->set);
    } else if (*p->at == '.') {
        p->at++;
        memset(made->set, 0xFF, sizeof made->set);
        made->set['\n' / 8] &= (unsigned char)~(1U << '\n' % 8);
    } else {
        (void)add_member(p, made->set);
    }
}

/* 0 where there is none; what is too large ends at the most there may be. */
static int read_number(const char **at)
{
    int n = 0;

    for (; isdigit((unsigned char)**at); ++*at)
        n = n > MOST ? n : 10 * n + (**at - '0');
    return n;
}

/* "{2,5}" of what p->at stands at: false when it is none and means itself. -1: without an end. */
static bool read_times(program *p, int *least, int *most)
{
    const char *at = p->at + 1;

    if (!isdigit((unsigned char)*at) && *at != ',')
        return false;
    *least = read_number(&at);
    *most = *least;
    if (*at == ',') {
        at++;
        *most = isdigit((unsigned char)*at) ? read_number(&at) : -1;
    }
    if (*at != '}')
        return false;
    p->at = at + 1;
    if (*least > MOST || *most > MOST || (*most >= 0 && *most < *least))
        refuse(p, KRT_E_INVALID, "a repeat that cannot be");
    return p->status == KRT_OK;
}

/* What was made from `from` on, once more for every time; then as often as one likes. */
static void repeat(program *p, int from, int least, int most)
{
    instruction what[MOST];
    const int n = p->n - from;

    memcpy(what, &p->code[from], (size_t)n * sizeof *what);
    p->n = from;
    for (int i = 0; p->status == KRT_OK && i < (most < 0 ? least + 1 : most); i++) {
        const int start = p->n;
        instruction *const copy = insert(p, start, n);

        if (copy == NULL)
            return;
        memcpy(copy, what, (size_t)n * sizeof *what);
        if (i < least)
            continue;
        fork_at(p, start, 1, n + 1 + (most < 0));
        if (most < 0)
            fork_at(p, p->n, -n - 1, -n - 1);
    }
}

static void parse_repeated(program *p)
{
    const int from = p->n;
    int least = 0, most = -1;

    parse_one(p);
    if (p->status != KRT_OK)
        return;
    if (*p->at == '{') {
        if (!read_times(p, &least, &most))
            return;
    } else if (*p->at != '\0' && strchr("*+?", *p->at) != NULL) {
        least = *p->at == '+';
        most = *p->at == '?' ? 1 : -1;
        p->at++;
    } else {
        return;
    }
    repeat(p, from, least, most);
    p->at += *p->at == '?'; /* lazy finds the same */
    if (*p->at != '\0' && strchr("*+", *p->at) != NULL)
        refuse(p, KRT_E_INVALID, "multiple repeat");
}

static void parse_choice(program *p)
{
    const int from = p->n;

    while (p->status == KRT_OK && *p->at != '\0' && *p->at != '|' && *p->at != ')')
        parse_repeated(p);
    if (*p->at != '|' || p->status != KRT_OK)
        return;
    p->at++;
    fork_at(p, from, 1, p->n - from + 2);
    const int jump = p->n;
    fork_at(p, jump, 0, 0);
    if (++p->groups > MOST_GROUPS) /* this, too, goes deeper */
        refuse(p, KRT_E_INVALID, "too many alternatives");
    if (p->status != KRT_OK)
        return;
    parse_choice(p);
    p->groups--;
    p->code[jump].first = p->code[jump].second = p->n - jump;
}

/* ------------------------------------------------------------------------------- running */

typedef struct places {
    bool is_at[MOST];
} places;

static bool is_word(const char *text, const char *at, int offset)
{
    if (offset < 0 && at == text)
        return false;
    return at[offset] != '\0' && is_in_class('w', (unsigned char)at[offset]);
}

static bool holds(code kind, const char *text, const char *at)
{
    switch (kind) {
    case START:
        return at == text;
    case END:
        return *at == '\0';
    case LAST:
        return *at == '\0' || (at[0] == '\n' && at[1] == '\0');
    default:
        return (is_word(text, at, -1) != is_word(text, at, 0)) == (kind == BORDER);
    }
}

/* Everything that can be reached without another byte. */
static void reach(const program *p, places *to, int i, const char *text, const char *at)
{
    int waiting[2 * MOST + 2], n = 0;

    waiting[n++] = i;
    while (n > 0) {
        i = waiting[--n];
        if (to->is_at[i])
            continue;
        to->is_at[i] = true;
        const instruction *const own = &p->code[i];
        if (own->code == FORK) {
            waiting[n++] = i + own->first;
            waiting[n++] = i + own->second;
        } else if (own->code != ONE_OF && own->code != FOUND && holds(own->code, text, at)) {
            waiting[n++] = i + 1;
        }
    }
}

static bool run(const program *p, const char *text)
{
    places now = {{false}};

    for (const char *at = text;; at++) {
        places next = {{false}};

        reach(p, &now, 0, text, at);
        if (now.is_at[p->n - 1])
            return true;
        if (*at == '\0')
            return false;
        for (int i = 0; i < p->n; i++)
            if (now.is_at[i] && p->code[i].code == ONE_OF &&
                has(p->code[i].set, (unsigned char)*at))
                reach(p, &next, i + 1, text, at + 1);
        now = next;
    }
}

krt_status krti_regex_search(krt_ctx *k, const char *pattern, const char *text, bool *found)
{
    program p = {.k = k, .pattern = pattern, .at = pattern};

    parse_choice(&p);
    if (p.status == KRT_OK && *p.at == ')')
        refuse(&p, KRT_E_INVALID, "unbalanced parenthesis");
    instruction *const last = p.status == KRT_OK ? insert(&p, p.n, 1) : NULL;
    if (last != NULL)
        last->code = FOUND;
    if (found != NULL)
        *found = p.status == KRT_OK && run(&p, text);
    return p.status;
}

krt_status krti_regex_check(krt_ctx *k, krt_names patterns)
{
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < patterns.n; i++)
        st = krti_regex_search(k, patterns.items[i], "", NULL);
    return st;
}

bool krti_regex_finds(krt_names patterns, const char *text)
{
    bool found = false;

    for (size_t i = 0; !found && i < patterns.n; i++)
        if (krti_regex_search(NULL, patterns.items[i], text, &found) != KRT_OK)
            return false;
    return found;
}
