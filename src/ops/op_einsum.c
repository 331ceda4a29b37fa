/* Einstein sums over one or two inputs, composed of the ops that exist already.
 *
 * Mirrors keras/src/ops/numpy.py's einsum. Labels fall into four kinds: in both inputs and the
 * result (batch), in both inputs only (summed), in one input and the result (free), in one input
 * only (summed beforehand). With something to sum the result is one batched matmul, without it a
 * broadcast product. Batch axes stay apart, so that they broadcast where "..." lets them. */
#include "ops/op_infer.h"

/* A label is a letter, or one of the axes "..." stands for, counted from the right. */
enum { LETTERS = 52, DOTS = LETTERS, LABELS = LETTERS + KRT_MAX_RANK };

typedef struct term {
    int rank;
    int label[KRT_MAX_RANK];
} term;

typedef struct einsum {
    const char *equation;
    int num;
    krt_value *x[2];
    term in[2], out;
    int dots;            /* the most axes a "..." stands for */
    int64_t dim[LABELS]; /* KRT_NONE while or where unknown */
    int uses[LABELS];
} einsum;

static int find(const term *t, int label)
{
    for (int i = 0; i < t->rank; i++)
        if (t->label[i] == label)
            return i;
    return -1;
}

static bool fail(krti_graph *g, const einsum *e, const char *why)
{
    krti_graph_fail(g, KRT_E_INVALID, "einsum \"%s\": %s", e->equation, why);
    return false;
}

/* ------------------------------------------------------------------------------- parsing */

/* 'A'..'Z' then 'a'..'z', the order an implicit result takes; -1 for anything else. */
static int letter(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    return c >= 'a' && c <= 'z' ? 26 + c - 'a' : -1;
}

/* How many letters stand before the next "," or "-". */
static int letters_of(const char *p)
{
    int n = 0;

    for (; *p != '\0' && *p != ',' && *p != '-'; p++)
        n += letter(*p) >= 0;
    return n;
}

/* Reads one term. dots: how many axes its "..." stands for. */
static bool term_read(krti_graph *g, einsum *e, const char **p, int dots, term *t)
{
    bool seen_dots = false;

    for (; **p != '\0' && **p != ',' && **p != '-'; ++*p) {
        if (**p == ' ')
            continue;
        const bool is_dots = strncmp(*p, "...", 3) == 0 && !seen_dots;
        const int n = is_dots ? dots : 1;
        if (!is_dots && letter(**p) < 0)
            return fail(g, e, "only letters, \"...\", \",\" and \"->\" are understood");
        if (n > KRT_MAX_RANK - t->rank)
            return fail(g, e, "more axes than can be computed");
        for (int i = 0; i < n; i++) {
            const int label = is_dots ? LABELS - dots + i : letter(**p);

            if (find(t, label) >= 0)
                return fail(g, e, "an axis twice in one term (a diagonal) is not supported");
            t->label[t->rank++] = label;
        }
        seen_dots = seen_dots || is_dots;
        *p += is_dots ? 2 : 0;
    }
    return true;
}

/* One input's term, its rank and its dimensions. */
static bool input_read(krti_graph *g, einsum *e, const char **p, int index)
{
    const krt_shape s = e->x[index]->shape;
    const int dots = s.rank - letters_of(*p);
    term *t = &e->in[index];

    if (dots < 0 || !term_read(g, e, p, dots, t) || t->rank != s.rank)
        return fail(g, e, "an input's rank is not that of its term");
    if (find(t, LABELS - 1) >= 0 && dots > e->dots)
        e->dots = dots;
    for (int i = 0; i < t->rank; i++) {
        int64_t *dim = &e->dim[t->label[i]];
        const bool stretches = t->label[i] >= DOTS && (*dim == 1 || s.dim[i] == 1);

        if (e->uses[t->label[i]]++ == 0)
            *dim = s.dim[i];
        else if (!krti_dim_match(*dim, s.dim[i]) && !stretches)
            return fail(g, e, "the inputs disagree about the size of an axis");
        else if (*dim == KRT_NONE || *dim == 1)
            *dim = s.dim[i];
    }
    return true;
}

/* The result's term: as written, or every letter that occurs once, in order. */
static bool output_read(krti_graph *g, einsum *e, const char *p)
{
    if (*p == '\0') {
        for (int i = LABELS - e->dots; i < LABELS; i++)
            e->out.label[e->out.rank++] = i;
        for (int i = 0; i < LETTERS; i++)
            if (e->uses[i] == 1) {
                if (e->out.rank == KRT_MAX_RANK)
                    return fail(g, e, "more axes than can be computed");
                e->out.label[e->out.rank++] = i;
            }
        return true;
    }
    if (strncmp(p, "->", 2) != 0)
        return fail(g, e, "\"->\" is expected after the inputs");
    p += 2;
    if (!term_read(g, e, &p, e->dots, &e->out) || *p != '\0')
        return fail(g, e, "one result is expected after \"->\"");
    for (int i = 0; i < e->out.rank; i++)
        if (e->uses[e->out.label[i]] == 0)
            return fail(g, e, "the result has an axis that no input has");
    if (e->dots > 0 && find(&e->out, LABELS - 1) < 0)
        return fail(g, e, "the result lacks the inputs' \"...\"");
    return true;
}

static bool einsum_read(krti_graph *g, einsum *e)
{
    const char *p = e->equation;

    for (int i = 0; i < e->num; i++) {
        if (!input_read(g, e, &p, i))
            return false;
        if (i + 1 < e->num ? *p++ != ',' : *p == ',')
            return fail(g, e, "it has another number of inputs than were given");
    }
    return output_read(g, e, p);
}

/* ------------------------------------------------------------------------------- composing */

/* Sums away what only this input has. */
static void sum_alone(krti_graph *g, einsum *e, int index)
{
    term *t = &e->in[index], kept = {.rank = 0};
    int axes[KRT_MAX_RANK], n = 0;

    for (int i = 0; i < t->rank; i++)
        if (e->uses[t->label[i]] == 1 && find(&e->out, t->label[i]) < 0)
            axes[n++] = i;
        else
            kept.label[kept.rank++] = t->label[i];
    if (n > 0)
        e->x[index] = krti_reduce_sum(g, e->x[index], axes, n, false);
    *t = kept;
}

/* Brings x, whose axes are t, into the order of `to`, which has the same labels. */
static krt_value *reorder(krti_graph *g, krt_value *x, const term *t, const term *to)
{
    int perm[KRT_MAX_RANK] = {0};

    for (int i = 0; i < to->rank; i++)
        perm[i] = find(t, to->label[i]);
    return krti_transpose(g, x, perm);
}

static bool same_order(const term *a, const term *b)
{
    for (int i = 0; i < a->rank; i++)
        if (a->label[i] != b->label[i])
            return false;
    return true;
}

/* Labels of one input by kind, each in the order the first input (batch, summed) or this one
 * (free) has them. */
typedef struct kinds {
    term batch, summed, free[2];
} kinds;

static kinds kinds_of(const einsum *e)
{
    kinds k = {.batch = {.rank = 0}};

    for (int x = 0; x < 2; x++)
        for (int i = 0; i < e->in[x].rank; i++) {
            const int label = e->in[x].label[i];
            term *to = &k.free[x];

            if (e->uses[label] == 2)
                to = find(&e->out, label) >= 0 ? &k.batch : &k.summed;
            if (e->uses[label] != 2 || x == 0)
                to->label[to->rank++] = label;
        }
    return k;
}

static term joined(const term *a, const term *b, const term *c)
{
    const term *parts[] = {a, b, c};
    term t = {.rank = 0};

    for (int p = 0; p < 3; p++)
        for (int i = 0; parts[p] != NULL && i < parts[p]->rank && t.rank < KRT_MAX_RANK; i++)
            t.label[t.rank++] = parts[p]->label[i];
    return t;
}

static int64_t size_of(const einsum *e, const term *t)
{
    int64_t size = 1;

    for (int i = 0; i < t->rank; i++)
        size = krti_dim_mul(size, e->dim[t->label[i]]);
    return size;
}

/* Input x as (batch..., free, summed) or, with `turned`, (batch..., summed, free): whichever its
 * axes already are, else as asked for by turned. */
static krt_value *matrix(krti_graph *g, const einsum *e, const kinds *k, int x, bool *turned)
{
    const term plain = joined(&k->batch, &k->free[x], &k->summed);
    const term other = joined(&k->batch, &k->summed, &k->free[x]);
    const krt_shape in = e->x[x]->shape;
    krt_shape shape = {.rank = 0};

    if (same_order(&e->in[x], &plain))
        *turned = false;
    else if (same_order(&e->in[x], &other))
        *turned = true;
    for (int i = 0; i < k->batch.rank; i++)
        shape.dim[shape.rank++] = in.dim[find(&e->in[x], k->batch.label[i])];
    shape.dim[shape.rank++] = size_of(e, *turned ? &k->summed : &k->free[x]);
    shape.dim[shape.rank++] = size_of(e, *turned ? &k->free[x] : &k->summed);
    return krti_reshape(g, reorder(g, e->x[x], &e->in[x], *turned ? &other : &plain), shape);
}

static krt_value *by_matmul(krti_graph *g, const einsum *e, const kinds *k)
{
    const term whole = joined(&k->batch, &k->free[0], &k->free[1]);
    bool turned_a = false, turned_b = true;
    krt_shape shape = {.rank = whole.rank};

    if (k->batch.rank + 2 > KRT_MAX_RANK)
        return krti_graph_fail(g, KRT_E_UNSUPPORTED, "einsum \"%s\": too many axes in common",
                               e->equation);
    krt_value *a = matrix(g, e, k, 0, &turned_a);
    krt_value *b = matrix(g, e, k, 1, &turned_b);
    for (int i = 0; i < whole.rank; i++)
        shape.dim[i] = e->dim[whole.label[i]];
    krt_value *y = krti_matmul(g, a, b, turned_a, !turned_b, NULL);
    return reorder(g, krti_reshape(g, y, shape), &whole, &e->out);
}

/* Nothing to sum: every input is spread over the result's axes. */
static krt_value *by_product(krti_graph *g, const einsum *e)
{
    krt_value *spread[2];

    for (int x = 0; x < 2; x++) {
        krt_shape shape = {.rank = e->out.rank};
        term own = {.rank = 0};

        for (int i = 0; i < e->out.rank; i++) {
            const int at = find(&e->in[x], e->out.label[i]);

            shape.dim[i] = at < 0 ? 1 : e->x[x]->shape.dim[at];
            if (at >= 0)
                own.label[own.rank++] = e->out.label[i];
        }
        spread[x] = krti_reshape(g, reorder(g, e->x[x], &e->in[x], &own), shape);
    }
    return krti_multiply(g, spread[0], spread[1]);
}

krt_value *krti_einsum(krti_graph *g, const char *equation, krt_value *const *x, size_t n)
{
    einsum e = {.equation = equation, .num = (int)n};

    if (n < 1 || n > 2)
        return krti_graph_fail(g, KRT_E_UNSUPPORTED,
                               "einsum \"%s\" over %zu inputs; one or two are supported", equation,
                               n);
    for (size_t i = 0; i < n; i++)
        if ((e.x[i] = x[i]) == NULL)
            return NULL;
    for (int i = 0; i < LABELS; i++)
        e.dim[i] = KRT_NONE;
    if (!einsum_read(g, &e))
        return NULL;
    for (int i = 0; i < e.num; i++) {
        sum_alone(g, &e, i);
        if (e.x[i] == NULL)
            return NULL;
    }
    if (n == 1)
        return reorder(g, e.x[0], &e.in[0], &e.out);
    const kinds k = kinds_of(&e);
    return k.summed.rank > 0 ? by_matmul(g, &e, &k) : by_product(g, &e);
}
