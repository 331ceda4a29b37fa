/* keratin summary FILE: Keras's own table. Weights stay unread. */
#include "cli.h"

typedef struct options {
    const char *config;
    long long line_length;
    bool expand_nested, show_trainable;
} options;

static long long count_params(const krt_layer *l)
{
    long long n = 0;

    for (size_t i = 0; i < krt_layer_num_weights(l); i++) {
        const int64_t size = krt_shape_size(krt_variable_shape(krt_layer_weight(l, i)));

        n += size != KRT_NONE ? size : 0;
    }
    return n;
}

static void json_layers(json *j, const krt_model *m, int depth)
{
    json_key(j, "layers");
    json_open(j, '[');
    for (size_t i = 0; i < krt_model_num_layers(m); i++) {
        krt_layer *const l = krt_model_layer(m, i);
        const krt_model *const inner = krt_layer_as_model(l);

        json_open(j, '{');
        json_key(j, "name");
        json_text(j, krt_layer_name(l));
        json_key(j, "class_name");
        json_text(j, krt_layer_class_name(l));
        json_key(j, "parameters");
        json_int(j, count_params(l));
        json_key(j, "trainable");
        json_bool(j, krt_layer_trainable(l));
        if (inner != NULL && 2 * depth + 6 < JSON_DEPTH) /* each level takes two brackets */
            json_layers(j, inner, depth + 1);
        json_close(j, '}');
    }
    json_close(j, ']');
}

static void json_shapes(json *j, const char *key, const krt_model *m, size_t n,
                        krt_shape (*shape_at)(const krt_model *, size_t))
{
    json_key(j, key);
    json_open(j, '[');
    for (size_t i = 0; i < n; i++)
        json_shape(j, shape_at(m, i));
    json_close(j, ']');
}

static void print_json(const krt_model *m)
{
    json j;

    json_begin(&j, stdout);
    json_open(&j, '{');
    json_key(&j, "name");
    json_text(&j, krt_model_name(m));
    json_key(&j, "class_name");
    json_text(&j, krt_model_class_name(m));
    json_shapes(&j, "inputs", m, krt_model_num_inputs(m), krt_model_input_shape);
    json_shapes(&j, "outputs", m, krt_model_num_outputs(m), krt_model_output_shape);
    json_key(&j, "parameters");
    json_int(&j, krt_model_count_params(m));
    json_layers(&j, m, 0);
    json_close(&j, '}');
    json_end(&j);
}

static int run(cli *c, const void *p)
{
    const options *o = p;
    const char *const file = c->arguments[0];
    krt_model *m = NULL;
    char *text = NULL;
    krt_status st = krt_load(c->k, &m, file, KRT_LOAD(.config = o->config, .config_only = true));

    if (st == KRT_OK && c->json) {
        print_json(m);
    } else if (st == KRT_OK) {
        st = krt_summary(m, &text,
                         KRT_SUMMARY(.line_length = (int)o->line_length,
                                     .expand_nested = o->expand_nested,
                                     .show_trainable = o->show_trainable));
        if (st == KRT_OK)
            print_safe(stdout, text, "\n");
    }
    krt_free(c->k, text);
    krt_model_free(m);
    return st == KRT_OK ? CLI_DONE : fail(c, file);
}

static const options defaults = {.line_length = 0};

static const opt table[] = {
    OPT("line-length", OPT_INT, line_length, "N", "width of the table", 0),
    OPT("expand-nested", OPT_FLAG, expand_nested, NULL, "list the layers of nested models", 0),
    OPT("show-trainable", OPT_FLAG, show_trainable, NULL, "say which layers are trainable", 0),
    OPT("config", OPT_TEXT, config, "ARCH.json",
        "the architecture, for a file that holds weights only", 0),
};

const cli_command cmd_summary = {
    .name = "summary",
    .arguments = "FILE",
    .summary = "Prints Keras's summary table of a model",
    .least = 1,
    .most = 1,
    CLI_OPTIONS,
    .run = run,
};
