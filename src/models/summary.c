/* model.summary(): the rows of the table and the counts below it. Keras: utils/summary_utils.py.
 *
 * Texts are made with the tags Keras puts into them and lose those in the table: a name of a file
 * may hold brackets, and what becomes of them depends on what stands beside them. */
#include "models/summary.h"

#include <stdlib.h>

enum { SCREEN = 80, MARGIN = 4 }; /* Keras without a terminal, and what it leaves free of it */

typedef struct summary {
    krt_model *m;
    krt_ctx *k;
    krt_summary_args args;
    krti_arena arena;
    krti_str out;
    krti_str fields[KRTI_TABLE_MAX_COLUMNS];
    krti_table table;
    krti_wiring wiring; /* of a Functional */
    bool is_chain;      /* needs no column of connections */
    krt_variable **variables;
    size_t num_variables, variables_capacity;
} summary;

/* ------------------------------------------------------------------------------- weights */

static krt_status collect_one(void *user, krt_variable *v)
{
    summary *const s = user;
    const krt_status st = krti_grow(s->k, &s->variables, &s->variables_capacity,
                                    s->num_variables + 1, sizeof(krt_variable *));

    if (st == KRT_OK)
        s->variables[s->num_variables++] = v;
    return st;
}

static int compare_variables(const void *a, const void *b)
{
    const uintptr_t x = (uintptr_t) * (krt_variable *const *)a;
    const uintptr_t y = (uintptr_t) * (krt_variable *const *)b;

    return (x > y) - (x < y);
}

/* A variable that two layers share counts once. */
static void drop_doubles(summary *s)
{
    size_t n = 0;

    if (s->num_variables == 0)
        return;
    qsort(s->variables, s->num_variables, sizeof *s->variables, compare_variables);
    for (size_t i = 0; i < s->num_variables; i++)
        if (n == 0 || s->variables[n - 1] != s->variables[i])
            s->variables[n++] = s->variables[i];
    s->num_variables = n;
}

/* Keras: layer.weights, in no order. */
static krt_status weights_of(summary *s, const krt_layer *l)
{
    krt_status st = KRT_OK;

    s->num_variables = 0;
    st = krti_layer_each_variable(l, collect_one, s);
    drop_doubles(s);
    return st;
}

/* What the outputs of a Functional do not need is in the file, and not in Keras's model. */
static krt_status weights_of_model(summary *s)
{
    krt_status st = KRT_OK;

    if (!s->m->is_functional)
        return weights_of(s, &s->m->base);
    s->num_variables = 0;
    for (size_t i = 0; st == KRT_OK && i < s->wiring.num_operations; i++)
        st = krti_layer_each_variable(s->wiring.operations[i], collect_one, s);
    drop_doubles(s);
    return st;
}

/* Keras: a variable of a frozen layer is frozen itself; a frozen model has no trainable ones. */
static bool is_trainable(const krt_model *m, const krt_variable *v)
{
    return m->base.trainable && krti_variable_trains(v);
}

/* ------------------------------------------------------------------------------- fields */

/* f"{count:,}" */
static krt_status add_count(krti_str *s, int64_t count)
{
    char digits[32];
    const int n = snprintf(digits, sizeof digits, "%lld", (long long)count);

    for (int i = 0; i < n; i++) {
        if (i > 0 && (n - i) % 3 == 0)
            krti_str_add(s, ",");
        krti_str_add_n(s, digits + i, 1);
    }
    return s->status;
}

static krt_status add_number(krti_str *s, int64_t number)
{
    krti_str_add(s, "[color(34)]");
    add_count(s, number);
    return krti_str_add(s, "[/]");
}

static krt_status add_shape(krti_str *s, krt_shape shape)
{
    krti_str_add(s, "(");
    for (int i = 0; i < shape.rank; i++) {
        if (i > 0)
            krti_str_add(s, ", ");
        if (shape.dim[i] == KRT_NONE)
            krti_str_add(s, "[color(45)]None[/]");
        else
            krti_str_addf(s, "[color(34)]%lld[/]", (long long)shape.dim[i]);
    }
    return krti_str_add(s, ")");
}

/* The last call's outputs. */
static krt_status add_output_shape(krti_str *s, const krti_calls *calls, const krt_layer *l)
{
    size_t n = 0;
    const size_t *const of_layer = krti_calls_of(calls, l, &n);
    const krti_model_node *const node = n > 0 ? &calls->m->nodes[of_layer[n - 1]] : NULL;
    const size_t num_out = node != NULL ? node->num_out : 0;

    if (num_out == 0 || node->out_shapes[0].rank < 0)
        return krti_str_add(s, "?");
    if (num_out > 1)
        krti_str_add(s, "[");
    for (size_t i = 0; i < num_out; i++) {
        if (i > 0)
            krti_str_add(s, ", ");
        add_shape(s, node->out_shapes[i]);
    }
    return krti_str_add(s, num_out > 1 ? "]" : "");
}

/* Built in Keras as soon as it is made. */
static bool is_always_built(const krt_layer *l)
{
    return l->cls != NULL && (l->cls->flags & (KRTI_LAYER_BORN_BUILT | KRT_LAYER_OPERATION)) != 0;
}

/* A model is built once its shapes are known; a layer of an unknown class by the weights it has. */
static bool is_built(const summary *s, const krt_layer *l)
{
    const krt_model *const inner = krti_model_of(l);

    if (inner != NULL)
        return inner->output_shapes != NULL;
    return l->is_built || s->num_variables > 0 || is_always_built(l);
}

static krt_status add_params(krti_str *text, const summary *s, const krt_layer *l)
{
    krti_counts counts = {0};

    for (size_t i = 0; i < s->num_variables; i++)
        krti_counts_add(&counts, s->variables[i]->tensor->shape, 0);
    add_number(text, counts.params);
    if (!is_built(s, l))
        krti_str_add(text, " (unbuilt)");
    return text->status;
}

static krt_status add_connections(krti_str *text, const summary *s, const krt_layer *l)
{
    size_t num_calls = 0;
    const size_t *const calls = krti_calls_of(&s->wiring.calls, l, &num_calls);
    const size_t before = text->length;

    for (size_t i = 0; i < num_calls; i++) {
        const size_t at = calls[i];

        for (size_t j = 0; s->wiring.is_relevant[at] && j < s->wiring.num_inputs[at]; j++) {
            const krti_ref ref = s->wiring.inputs[at][j];
            const krti_model_node *const from = &s->m->nodes[ref.node];

            krti_str_addf(text, "%s%s[[color(34)]%d[/]][[color(34)]%d[/]]",
                          text->length > before ? ", " : "", from->layer->name, from->call,
                          ref.tensor);
        }
    }
    return text->length > before ? text->status : krti_str_add(text, "-");
}

/* Keras's class: a "Model" of an older file is a Functional. */
static const char *class_of(const krt_layer *l)
{
    const krt_model *const inner = krti_model_of(l);

    if (inner != NULL && inner->is_functional && strcmp(l->class_name, "Model") == 0)
        return "Functional";
    return l->class_name;
}

static krt_status add_name(krti_str *text, const summary *s, const krt_layer *l, int level)
{
    krti_str name = KRTI_STR_INIT(s->k);
    krt_status st = KRT_OK;

    for (int i = 0; i < level; i++)
        krti_str_add(&name, "   ");
    krti_str_add(&name, level > 0 ? "└ " : "");
    TRY(krti_str_add(&name, l->name));
    krti_markup_escape(text, krti_str_text(&name));
    krti_str_add(text, " ([color(33)]");
    krti_markup_escape(text, class_of(l));
    TRY(krti_str_add(text, "[/])"));

done:
    krti_str_free(&name);
    return st;
}

/* ------------------------------------------------------------------------------- rows */

static krt_status add_row(summary *s, const krti_calls *calls, const krt_layer *l, int level)
{
    krti_str *field = s->fields;
    krt_status st = KRT_OK;

    for (size_t i = 0; i < s->table.num_columns; i++)
        krti_str_clear(&s->fields[i]);
    TRY(weights_of(s, l));
    TRY(add_name(field++, s, l, level));
    TRY(add_output_shape(field++, calls, l));
    TRY(add_params(field++, s, l));
    if (!s->is_chain)
        TRY(add_connections(field++, s, l));
    if (s->args.show_trainable)
        TRY(krti_str_add(field++, s->num_variables == 0 ? "[bold]-[/]"
                                  : l->trainable        ? "[bold][color(34)]Y[/][/]"
                                                        : "[bold][color(9)]N[/][/]"));
    TRY(krti_table_add(&s->table, s->fields));

done:
    return st;
}

/* `calls` are those of the model that holds the layer. */
static krt_status add_rows(summary *s, const krti_calls *calls, const krt_layer *l, int level)
{
    const krt_model *const inner = krti_model_of(l);
    krti_calls inner_calls;
    krt_status st = KRT_OK;

    TRY(add_row(s, calls, l, level));
    if (!s->args.expand_nested || inner == NULL)
        goto done;
    if (level >= KRTI_LAYER_MAX_DEPTH)
        TRY(krti_layer_fail(l, KRT_E_UNSUPPORTED, "models are nested more than %d deep",
                            KRTI_LAYER_MAX_DEPTH));
    TRY(krti_calls_init(&inner_calls, inner, &s->arena));
    for (size_t i = 0; i < inner->num_layers; i++)
        TRY(add_rows(s, &inner_calls, inner->layers[i], level + 1));

done:
    return st;
}

static krt_status add_all_rows(summary *s)
{
    krti_calls calls = s->wiring.calls;
    krt_status st = KRT_OK;

    if (s->m->is_functional) {
        for (size_t i = 0; i < s->wiring.num_operations; i++)
            TRY(add_rows(s, &calls, s->wiring.operations[i], 0));
        goto done;
    }
    TRY(krti_calls_init(&calls, s->m, &s->arena));
    for (size_t i = 0; i < s->m->num_layers; i++)
        TRY(add_rows(s, &calls, s->m->layers[i], 0));

done:
    return st;
}

/* ------------------------------------------------------------------------------- columns */

static void add_column(summary *s, const char *header, krti_justify justify, double position)
{
    s->table.columns[s->table.num_columns++] =
        (krti_column){.header = header, .justify = justify, .position = position};
}

static void choose_columns(summary *s)
{
    static const double chain[] = {0.45, 0.80, 1.0}, graph[] = {0.3, 0.56, 0.74, 1.0};
    const double *const position = s->is_chain ? chain : graph;
    const double part = s->args.show_trainable ? 0.90 : 1.0;

    add_column(s, "Layer (type)", KRTI_JUSTIFY_LEFT, position[0] * part);
    add_column(s, "Output Shape", KRTI_JUSTIFY_LEFT, position[1] * part);
    add_column(s, "Param #", KRTI_JUSTIFY_RIGHT, position[2] * part);
    if (!s->is_chain)
        add_column(s, "Connected to", KRTI_JUSTIFY_LEFT, position[3] * part);
    if (s->args.show_trainable)
        add_column(s, "Trainable", KRTI_JUSTIFY_CENTER, 1.0);
}

/* Keras takes what its columns want, and the screen less a margin when that is less: on 80 columns
 * it always is. */
static int line_length(const summary *s)
{
    return s->args.line_length != 0 ? s->args.line_length : SCREEN - MARGIN;
}

/* ------------------------------------------------------------------------------- below the table */

/* One line as wide as the screen, on which the table just fits. */
static krt_status print_line(summary *s, const krti_str *markup)
{
    const int needed = line_length(s) + MARGIN;
    size_t lines = 0;

    return krti_markup_wrap(&s->out, krti_str_text(markup),
                            (size_t)(needed > SCREEN ? needed : SCREEN), KRTI_JUSTIFY_NONE, &lines);
}

/* "{:.2f} {}" of bytes, KB, ..., ties to even; exact, whatever the locale. */
static krt_status add_size(krti_str *s, int64_t bits)
{
    static const char *const units[] = {"B", "KB", "MB", "GB", "TB", "PB"};
    size_t unit = 0;
    int64_t scale = 8;

    for (; unit + 1 < KRTI_COUNT(units) && bits / scale >= 1024; unit++)
        scale *= 1024;
    const int64_t part = bits % scale * 100;
    const int64_t whole = part / scale, twice = part % scale * 2;
    const bool up = twice > scale || (twice == scale && whole % 2 != 0);
    const int64_t hundredths = bits / scale * 100 + whole + (up ? 1 : 0);

    return krti_str_addf(s, "%lld.%02d %s", (long long)(hundredths / 100), (int)(hundredths % 100),
                         units[unit]);
}

static krt_status print_counts(summary *s, const char *title, krti_counts counts)
{
    krti_str *const line = &s->fields[0];

    krti_str_clear(line);
    krti_str_addf(line, "[bold] %s params: [/]", title);
    add_number(line, counts.params);
    krti_str_add(line, " (");
    add_size(line, counts.bits);
    const krt_status st = krti_str_add(line, ")");
    return st == KRT_OK ? print_line(s, line) : st;
}

static krt_status print_title(summary *s)
{
    krti_str *const line = &s->fields[0];

    krti_str_clear(line);
    krti_str_add(line, "[bold]Model: \"");
    krti_markup_escape(line, s->m->base.name);
    const krt_status st = krti_str_add(line, "\"[/]");
    return st == KRT_OK ? print_line(s, line) : st;
}

static void sum_weights(const summary *s, krti_counts *trainable, krti_counts *others)
{
    for (size_t i = 0; i < s->num_variables; i++) {
        const krt_variable *const v = s->variables[i];

        krti_counts_add(is_trainable(s->m, v) ? trainable : others, v->tensor->shape,
                        krti_variable_bits(v));
    }
}

static bool is_all_built(const krt_model *m, int level)
{
    for (size_t i = 0; i < m->num_layers && level <= KRTI_LAYER_MAX_DEPTH; i++) {
        const krt_model *const inner = krti_model_of(m->layers[i]);

        if (inner != NULL ? !is_all_built(inner, level + 1)
                          : !m->layers[i]->is_built && !is_always_built(m->layers[i]))
            return false;
    }
    return m->output_shapes != NULL;
}

bool krti_model_is_whole(const krt_model *m)
{
    return is_all_built(m, 0);
}

/* Keras counts an optimizer that is built. */
static bool count_optimizer(const krt_model *m, krti_counts *counts)
{
    const struct krti_trained *t = &m->trained;

    return t->is_known && t->in_keras != KRTI_UNBUILT && is_all_built(m, 0) &&
           krti_optimizer_count(m->compile_config, t->items, t->in_keras == KRTI_BUILT ? t->n : 0,
                                counts);
}

static krt_status print_totals(summary *s)
{
    krti_counts total, trainable = {0}, others = {0}, optimizer = {0};
    krt_status st = KRT_OK;

    TRY(weights_of_model(s));
    sum_weights(s, &trainable, &others);
    const bool has_optimizer = count_optimizer(s->m, &optimizer);
    total.params = trainable.params + others.params + (has_optimizer ? optimizer.params : 0);
    total.bits = trainable.bits + others.bits + (has_optimizer ? optimizer.bits : 0);
    TRY(print_counts(s, "Total", total));
    TRY(print_counts(s, "Trainable", trainable));
    TRY(print_counts(s, "Non-trainable", others));
    if (has_optimizer)
        TRY(print_counts(s, "Optimizer", optimizer));

done:
    return st;
}

/* ------------------------------------------------------------------------------- the whole */

static krt_status print(summary *s)
{
    krt_status st = KRT_OK;

    s->is_chain = true;
    if (s->m->is_functional) {
        TRY(krti_wiring_init(&s->wiring, s->m, &s->arena));
        s->is_chain = s->wiring.is_chain;
    }
    choose_columns(s);
    TRY(print_title(s));
    TRY(krti_table_begin(&s->table, &s->out, line_length(s)));
    TRY(add_all_rows(s));
    TRY(krti_table_end(&s->table));
    TRY(print_totals(s));

done:
    return st;
}

krt_status krt_summary(krt_model *m, char **out, const krt_summary_args *args)
{
    static const krt_summary_args defaults = {.struct_size = sizeof defaults};
    krt_ctx *const k = m->base.owned.k;
    summary s = {.m = m, .k = k, .arena = KRTI_ARENA_INIT(k), .out = KRTI_STR_INIT(k)};
    krt_status st = KRT_OK;

    *out = NULL;
    for (size_t i = 0; i < KRTI_COUNT(s.fields); i++)
        s.fields[i] = (krti_str)KRTI_STR_INIT(k);
    TRY(krti_args_import(k, &s.args, &defaults, sizeof s.args, args));
    TRY(print(&s));
    *out = krti_str_take(&s.out);
    if (*out == NULL)
        st = KRT_E_NOMEM;

done:
    krti_table_free(&s.table);
    for (size_t i = 0; i < KRTI_COUNT(s.fields); i++)
        krti_str_free(&s.fields[i]);
    krti_str_free(&s.out);
    krti_arena_free(&s.arena);
    krti_free(k, s.variables);
    return st;
}
