/* How many numbers an optimizer keeps, for the last line of a summary: Keras builds the optimizer of
 * a compiled model when it reads the model back, and the summary counts its variables.
 * Keras: optimizers/<name>.py build(), optimizers/base_optimizer.py.
 *
 * Most optimizers keep some copies of every trainable variable ("slots") beside two numbers of their
 * own, the iteration and the learning rate. Integers have the 64 bits of the TensorFlow backend. */
#include "base/regex.h"
#include "models/summary.h"

enum { INT_BITS = 64, FLOAT_BITS = 32 };

typedef struct optimizer optimizer;
typedef struct counting {
    const optimizer *kind;
    const krti_conf *config;
    krt_variable *const *trainable;
    size_t n;
    krti_counts *counts;
} counting;

struct optimizer {
    const char *name;               /* in lower case */
    int slots;                      /* copies of each variable */
    const char *more[2];            /* config keys that, when not zero, ask for one copy more */
    void (*add)(const counting *c); /* what does not fit that; NULL: nothing */
};

/* ------------------------------------------------------------------------------- elements */

static int64_t bits_of_policy(const char *policy)
{
    const char *const from = strstr(policy, "_from_");
    const char *const name = from != NULL ? from + strlen("_from_") : policy;
    const krt_dtype dtype = krt_dtype_from_name(name);

    if (dtype == KRT_DTYPE_NONE) /* "mixed_float16" keeps its variables in float32 */
        return FLOAT_BITS;
    return 8 * (int64_t)krt_dtype_size(dtype);
}

int64_t krti_variable_bits(const krt_variable *v)
{
    /* The one weight that has a dtype of its own: how much Normalization has seen. */
    if (strcmp(v->layer->class_name, "Normalization") == 0 && strcmp(v->name, "count") == 0)
        return INT_BITS;
    return bits_of_policy(v->layer->dtype_policy);
}

/* Beyond any memory: a file may claim more weights than there are numbers. */
static int64_t sum(int64_t total, int64_t a, int64_t b)
{
    const int64_t most = INT64_C(1) << 58;
    int64_t product = 0;

    if (a < 0 || !krti_mul_i64(a, b, &product) || product > most - total)
        return most;
    return total + product;
}

static void add(krti_counts *counts, krt_shape shape, int64_t copies, int64_t bits)
{
    const int64_t n = krt_shape_size(shape);

    counts->params = sum(counts->params, n, copies);
    counts->bits = sum(counts->bits, n, copies * bits);
}

void krti_counts_add(krti_counts *counts, krt_shape shape, int64_t bits)
{
    add(counts, shape, 1, bits);
}

static void add_scalar(const counting *c, int64_t bits)
{
    add(c->counts, (krt_shape){.rank = 0}, 1, bits);
}

static void add_slots(const counting *c, int64_t slots)
{
    for (size_t i = 0; i < c->n; i++)
        add(c->counts, c->trainable[i]->tensor->shape, slots, krti_variable_bits(c->trainable[i]));
}

/* ------------------------------------------------------------------------------- the odd ones */

static void add_nadam(const counting *c)
{
    add_scalar(c, c->n > 0 ? krti_variable_bits(c->trainable[0]) : FLOAT_BITS);
}

/* Adafactor keeps sums over rows and over columns; an integer each where there are none. */
static void add_adafactor(const counting *c)
{
    for (size_t i = 0; i < c->n; i++) {
        const krt_variable *const v = c->trainable[i];
        krt_shape row = v->tensor->shape, column = row;

        if (row.rank < 2) {
            add_scalar(c, 32);
            add_scalar(c, 32);
            continue;
        }
        row.rank--;
        column.dim[column.rank - 2] = column.dim[column.rank - 1];
        column.rank--;
        krti_counts_add(c->counts, row, krti_variable_bits(v));
        krti_counts_add(c->counts, column, krti_variable_bits(v));
    }
}

static bool has_embedding(const krt_variable *v)
{
    static const char word[] = "embedding";
    size_t fits = 0;

    for (const char *p = krt_variable_path(v); *p != '\0' && word[fits] != '\0'; p++) {
        const char lower = *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p;

        fits = lower == word[fits] ? fits + 1 : lower == word[0] ? 1 : 0;
    }
    return word[fits] == '\0';
}

static bool is_excluded(const counting *c, const krt_variable *v)
{
    const krti_conf *const patterns = krti_conf_get(c->config, "exclude_layers");
    bool found = false;

    for (size_t i = 0; !found && i < krti_conf_num(patterns); i++) {
        const char *const pattern = krti_conf_text(krti_conf_at(patterns, i));

        if (pattern != NULL)
            (void)krti_regex_search(NULL, pattern, krt_variable_path(v), &found);
    }
    return found;
}

/* Muon hands what is no matrix to AdamW, which needs one slot more. */
static void add_muon(const counting *c)
{
    const bool spares = krti_conf_get_bool(c->config, "exclude_embeddings", true);

    for (size_t i = 0; i < c->n; i++) {
        const krt_variable *const v = c->trainable[i];

        if (v->tensor->shape.rank != 2 || (spares && has_embedding(v)) || is_excluded(c, v))
            krti_counts_add(c->counts, v->tensor->shape, krti_variable_bits(v));
    }
}

static const optimizer optimizers[] = {
    {.name = "adadelta", .slots = 2},
    {.name = "adafactor", .slots = 1, .add = add_adafactor},
    {.name = "adagrad", .slots = 1},
    {.name = "adam", .slots = 2, .more = {"amsgrad"}},
    {.name = "adamax", .slots = 2},
    {.name = "adamw", .slots = 2, .more = {"amsgrad"}},
    {.name = "ftrl", .slots = 2},
    {.name = "lamb", .slots = 2},
    {.name = "lion", .slots = 1},
    {.name = "muon", .slots = 1, .add = add_muon},
    {.name = "nadam", .slots = 2, .add = add_nadam},
    {.name = "rmsprop", .slots = 1, .more = {"momentum", "centered"}},
    {.name = "schedulefreeadamw", .slots = 2},
    {.name = "sgd", .slots = 0, .more = {"momentum"}},
};

/* ------------------------------------------------------------------------------- reading */

static bool is_name(const char *name, const char *lower)
{
    for (; *name != '\0' && *lower != '\0'; name++, lower++)
        if ((*name >= 'A' && *name <= 'Z' ? *name - 'A' + 'a' : *name) != *lower)
            return false;
    return *name == '\0' && *lower == '\0';
}

static const optimizer *find(const char *name)
{
    for (size_t i = 0; name != NULL && i < KRTI_COUNT(optimizers); i++)
        if (is_name(name, optimizers[i].name))
            return &optimizers[i];
    return NULL;
}

/* What Python takes as true: a number but zero, true. */
static bool is_set(const krti_conf *config, const char *key)
{
    double number = 0;

    if (key == NULL)
        return false;
    return krti_conf_get_bool(config, key, false) ||
           (krti_conf_as_float(krti_conf_get(config, key), &number) && number != 0);
}

/* The iteration, and the learning rate unless a schedule computes it. */
static void add_base(const counting *c)
{
    add_scalar(c, INT_BITS);
    if (!krti_conf_is(krti_conf_get(c->config, "learning_rate"), KRTI_CONF_DICT))
        add_scalar(c, FLOAT_BITS);
    add_slots(c, is_set(c->config, "use_ema") + is_set(c->config, "gradient_accumulation_steps"));
}

/* A name, or {"class_name", "config"}. */
static bool count_one(counting *c, const krti_conf *object)
{
    const char *name = krti_conf_text(object);

    c->config = krti_conf_get(object, "config");
    if (name == NULL)
        name = krti_conf_get_text(object, "class_name");
    c->kind = find(name);
    if (c->kind == NULL)
        return false;
    add_base(c);
    add_slots(c, c->kind->slots + is_set(c->config, c->kind->more[0]) +
                     is_set(c->config, c->kind->more[1]));
    if (c->kind->add != NULL)
        c->kind->add(c);
    return true;
}

bool krti_optimizer_count(const krti_conf *compile_config, krt_variable *const *trainable, size_t n,
                          krti_counts *counts)
{
    const krti_conf *object = krti_conf_get(compile_config, "optimizer");
    counting c = {.trainable = trainable, .n = n, .counts = counts};
    const char *const name = krti_conf_get_text(object, "class_name");

    *counts = (krti_counts){0};
    if (name != NULL && is_name(name, "lossscaleoptimizer")) {
        object = krti_conf_get(krti_conf_get(object, "config"), "inner_optimizer");
        add_base(&c);
        add_scalar(&c, INT_BITS);   /* step_counter */
        add_scalar(&c, FLOAT_BITS); /* dynamic_scale */
    }
    return count_one(&c, object);
}
