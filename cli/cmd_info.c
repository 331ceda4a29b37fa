/* keratin info FILE: what a file is, from its directory and its config; tensor data stays unread,
 * so it is instant on any size. */
#include "cli.h"

static const struct {
    krt_file_kind kind;
    const char *name;
} kinds[] = {
    {KRT_FILE_KERAS_ARCHIVE, "keras"},
    {KRT_FILE_KERAS_DIRECTORY, "keras-dir"},
    {KRT_FILE_WEIGHTS_H5, "weights.h5"},
    {KRT_FILE_WEIGHTS_JSON, "weights.json"},
    {KRT_FILE_LEGACY_H5, "h5"},
    {KRT_FILE_LEGACY_WEIGHTS_H5, "legacy-weights.h5"},
    {KRT_FILE_CONFIG_JSON, "json"},
    {KRT_FILE_TF_CHECKPOINT, "tf-checkpoint"},
    {KRT_FILE_SAVED_MODEL, "saved-model"},
    {KRT_FILE_SAFETENSORS, "safetensors"},
    {KRT_FILE_NPZ, "npz"},
};

/* What is neither weights nor optimizer nor config: headers, directories, padding. */
static long long slack_of(const krt_file_info *info)
{
    const long long rest = (long long)info->size_bytes - info->weights_bytes -
                           info->optimizer_bytes - info->config_bytes;

    return rest > 0 ? rest : 0; /* compressed members are smaller than what they hold */
}

static void print_json(const char *file, const krt_file_info *info)
{
    const char *kind = NULL;
    json j;

    for (size_t i = 0; i < COUNT(kinds); i++)
        if (kinds[i].kind == info->kind)
            kind = kinds[i].name;

    const struct {
        const char *key, *text;
    } texts[] = {
        {"file", file},
        {"format", kind},
        {"description", info->format},
        {"keras_version", info->keras_version},
        {"backend", info->backend},
        {"date_saved", info->date_saved},
        {"class_name", info->class_name},
        {"name", info->name},
    };
    const struct {
        const char *key;
        long long value;
    } numbers[] = {
        {"layers", info->num_layers},
        {"parameters", info->num_params},
        {"arrays", (long long)info->num_arrays},
        {"size_bytes", info->size_bytes},
        {"weights_bytes", info->weights_bytes},
        {"optimizer_bytes", info->optimizer_bytes},
        {"config_bytes", info->config_bytes},
        {"slack_bytes", slack_of(info)},
    };

    json_begin(&j, stdout);
    json_open(&j, '{');
    for (size_t i = 0; i < COUNT(texts); i++) {
        json_key(&j, texts[i].key);
        json_text(&j, texts[i].text);
    }
    json_key(&j, "has_config");
    json_bool(&j, info->has_config);
    json_key(&j, "is_compiled");
    json_bool(&j, info->is_compiled);
    for (size_t i = 0; i < COUNT(numbers); i++) {
        json_key(&j, numbers[i].key);
        json_int(&j, numbers[i].value);
    }
    json_close(&j, '}');
    json_end(&j);
}

static void print_text(const char *label, const char *text)
{
    if (text == NULL)
        return;
    printf("%-13s", label);
    print_safe(stdout, text, "");
    putchar('\n');
}

static void print_count(const char *label, long long value, const char *unit)
{
    char buffer[32];

    if (value != KRT_NONE)
        printf("%-13s%s%s\n", label, with_commas(value, buffer), unit);
}

static void print_writer(const krt_file_info *info)
{
    const struct {
        const char *before, *text;
    } parts[] = {
        {"Keras ", info->keras_version}, {" on ", info->backend}, {", ", info->date_saved}};
    bool started = false;

    for (size_t i = 0; i < COUNT(parts); i++) {
        if (parts[i].text == NULL)
            continue;
        if (!started)
            printf("%-13s", "written by");
        fputs(started || i == 0 ? parts[i].before : "", stdout);
        print_safe(stdout, parts[i].text, "");
        started = true;
    }
    if (started)
        putchar('\n');
}

static void print_info(const char *file, const krt_file_info *info)
{
    print_text("file", file);
    print_text("format", info->format);
    print_writer(info);
    if (info->class_name != NULL) {
        printf("%-13s", "model");
        print_safe(stdout, info->class_name, "");
        if (info->name != NULL) {
            fputs(" \"", stdout);
            print_safe(stdout, info->name, "");
            putchar('"');
        }
        putchar('\n');
    }
    if (info->has_config)
        print_text("compiled", info->is_compiled ? "yes" : "no");
    else
        print_text("config", "none: weights only, the architecture comes with --config ARCH.json");
    print_count("layers", info->num_layers, "");
    print_count("parameters", info->num_params, "");
    print_count("arrays", (long long)info->num_arrays, "");
    print_count("size", info->size_bytes, " bytes");
    print_count("  weights", info->weights_bytes, "");
    print_count("  optimizer", info->optimizer_bytes, "");
    print_count("  config", info->config_bytes, "");
    print_count("  slack", slack_of(info), "");
}

static int run(cli *c, const void *options)
{
    const char *const file = c->arguments[0];
    krt_file *f = NULL;

    (void)options;
    if (krt_file_open(c->k, &f, file) != KRT_OK)
        return fail(c, file);
    if (c->json)
        print_json(file, krt_file_get_info(f));
    else
        print_info(file, krt_file_get_info(f));
    krt_file_close(f);
    return CLI_DONE;
}

const cli_command cmd_info = {
    .name = "info",
    .arguments = "FILE",
    .summary = "Says what a file is: format, writer, layers, parameters, bytes by part",
    .details = "Reads no tensor data, so it is instant on any size.\n",
    .least = 1,
    .most = 1,
    .run = run,
};
