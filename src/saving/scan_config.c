/* What a config would make Keras do: run bytecode, import a module, open a file, fill memory.
 *
 * Every object is looked at by itself, wherever it stands: as a layer, a layer's activation, a loss
 * in the compile settings. Keras's own guards are the model (serialization_lib.py, lambda_layer.py,
 * index_lookup.py, tfsm_layer.py, torch_utils.py), but safe mode can be switched off and older
 * Keras has none, so what safe mode would stop is still told. */
#include "saving/scan.h"

#include "formats/zip.h"

enum { MAX_DEPTH = 512, HUGE_NUMBER = INT32_MAX };

typedef struct scanning {
    krt_findings *out;
    const char *where;
    const char *layer; /* the nearest object around that has a name */
    const char *cls;   /* and its class */
} scanning;

static krt_status look(scanning *s, const krti_conf *c, const char *key, int depth);

static const char *place(const scanning *s)
{
    return s->layer != NULL ? s->layer : s->where;
}

/* ------------------------------------------------------------------------------- names */

/* What Keras 3 refuses to be told by a file although it is called keras.something. */
static const char *const refused[] = {
    "clear_session",
    "enable_unsafe_deserialization",
    "load_model",
    "save_model",
    "model_from_json",
    "load_weights",
    "save_weights",
    "register_keras_serializable",
    "serialize_keras_object",
    "deserialize_keras_object",
    "get_file",
    "load_img",
    "save_img",
    "audio_dataset_from_directory",
    "image_dataset_from_directory",
    "text_dataset_from_directory",
    "timeseries_dataset_from_directory",
};

/* TensorFlow operations that reach out of the graph. */
static const char *const reaching[] = {
    "ReadFile",        "WriteFile",      "MatchingFiles",    "PyFunc",
    "PyFuncStateless", "EagerPyFunc",    "io.read_file",     "io.write_file",
    "py_function",     "numpy_function", "io.gfile.GFile",   "io.matching_files",
    "LoadLibrary",     "TFRecordReader", "raw_ops.ReadFile", "raw_ops.WriteFile",
    "RestoreV2",       "SaveV2",         "raw_ops.PyFunc",   "raw_ops.EagerPyFunc",
};

/* tf-keras registers its own optimizers, and a layer of Inception-ResNet, under "Custom>". */
static bool is_tf_keras_own(const char *name)
{
    static const char *const own[] = {
        "Custom>Adam",     "Custom>SGD",   "Custom>RMSprop",   "Custom>Adagrad",
        "Custom>Adadelta", "Custom>AdamW", "Custom>Adamax",    "Custom>Nadam",
        "Custom>Ftrl",     "Custom>Lion",  "Custom>Adafactor", "Custom>CustomScaleLayer"};

    return krti_is_one_of(name, own, KRTI_COUNT(own));
}

/* Whether a module is Keras's own, of any generation. */
static bool is_ours(const char *module)
{
    static const char *const packages[] = {"keras",     "tf_keras", "keras_hub",  "keras_cv",
                                           "keras_nlp", "builtins", "tensorflow", "keras_core"};
    const size_t n = strcspn(module, ".");

    for (size_t i = 0; i < KRTI_COUNT(packages); i++)
        if (strlen(packages[i]) == n && strncmp(module, packages[i], n) == 0)
            return n != strlen("tensorflow") || module[0] != 't' || strstr(module, "keras") != NULL;
    return false;
}

/* ------------------------------------------------------------------------------- one object */

static krt_status check_names(scanning *s, const krti_conf *c, const char *cls)
{
    const char *module = krti_conf_get_text(c, "module");
    const char *registered = krti_conf_get_text(c, "registered_name");
    const char *function = krti_conf_text(krti_conf_get(c, "config"));
    const bool is_function = strcmp(cls, "function") == 0;
    const char *name = is_function && function != NULL ? function : cls;

    if (krti_is_one_of(name, refused, KRTI_COUNT(refused)))
        return krti_findings_add(s->out, "function", NULL, place(s),
                                 "the config names %s%s%s, which acts outside the model",
                                 module != NULL ? module : "", module != NULL ? "." : "", name);
    if (module != NULL && !is_ours(module))
        return krti_findings_add(
            s->out, "module", NULL, place(s),
            "the class %s comes from the Python module %s, which loading would "
            "import",
            cls, module);
    if (is_function && module != NULL && function != NULL)
        return krti_findings_add(s->out, "custom", NULL, place(s),
                                 "the config names the Python function \"%s\", whose code is not "
                                 "in the file",
                                 function);
    if (is_tf_keras_own(cls) || (registered != NULL && is_tf_keras_own(registered)))
        return KRT_OK;
    if (strchr(cls, '>') != NULL ||
        (registered != NULL &&
         (strchr(registered, '>') != NULL || (module != NULL && strcmp(registered, cls) != 0))))
        return krti_findings_add(s->out, "custom", NULL, place(s),
                                 "the class is registered as %s, its code is not in the file",
                                 strchr(cls, '>') != NULL ? cls : registered);
    if (registered != NULL && krti_conf_is_null(krti_conf_get(c, "module")))
        return krti_findings_add(s->out, "custom", NULL, place(s),
                                 "the class %s is nobody's module, its code is not in the file",
                                 cls);
    return KRT_OK;
}

/* [bytecode, defaults, closure]: a lambda of any Keras, marshal bytes in base64. */
static bool is_bytecode(const krti_conf *c)
{
    enum { LEAST = 40 };
    const krti_conf *code = krti_conf_is(c, KRTI_CONF_LIST) ? krti_conf_at(c, 0) : NULL;
    const char *text = krti_conf_text(code);

    return text != NULL && krti_conf_num(c) == 3 && code->as.string.length >= LEAST &&
           strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=\n") ==
               code->as.string.length;
}

static krt_status found_bytecode(scanning *s)
{
    return krti_findings_add(s->out, "bytecode", NULL, place(s),
                             "%s \"%s\" holds Python bytecode, which is never executed here and "
                             "which Keras runs with safe_mode=False",
                             s->cls != NULL ? s->cls : "the config", place(s));
}

static krt_status check_lambda(scanning *s, const krti_conf *config)
{
    const char *function = krti_conf_get_text(config, "function");
    const char *type = krti_conf_get_text(config, "function_type");
    const char *module = krti_conf_get_text(config, "module");

    if (function == NULL || (type != NULL && strcmp(type, "lambda") == 0))
        return KRT_OK; /* its function is an object or bytecode, which is told where it stands */
    return krti_findings_add(s->out, "custom", NULL, place(s),
                             "Lambda \"%s\" calls the Python function %s of module %s, whose code "
                             "is not in the file",
                             place(s), function, module != NULL ? module : "(none)");
}

static krt_status check_vocabulary(scanning *s, const krti_conf *config)
{
    const char *path = krti_conf_get_text(config, "vocabulary");

    if (path == NULL)
        return KRT_OK;
    return krti_findings_add(s->out, "external", NULL, place(s),
                             "%s \"%s\" would read its vocabulary from %s, outside the model",
                             s->cls, place(s), path);
}

static krt_status check_tfsm(scanning *s, const krti_conf *config)
{
    const char *path = krti_conf_get_text(config, "filepath");

    return krti_findings_add(s->out, "external", NULL, place(s),
                             "TFSMLayer \"%s\" would load and run the SavedModel at %s", place(s),
                             path != NULL ? path : "(nowhere)");
}

static krt_status check_torch(scanning *s, const krti_conf *config)
{
    (void)config;
    return krti_findings_add(s->out, "pickle", NULL, place(s),
                             "TorchModuleWrapper \"%s\" holds a pickle, which runs code when it is "
                             "loaded",
                             place(s));
}

/* The operation's name stands in "function" or, for a frozen graph's node, in node_def's text. */
static krt_status check_op(scanning *s, const krti_conf *config)
{
    const char *name = krti_conf_get_text(config, "function");
    const char *node = krti_conf_get_text(config, "node_def");

    for (size_t i = 0; i < KRTI_COUNT(reaching); i++) {
        char quoted[64];

        snprintf(quoted, sizeof quoted, "op: \"%s\"", reaching[i]);
        if ((name != NULL && strcmp(name, reaching[i]) == 0) ||
            (node != NULL && (strstr(node, quoted) != NULL || strstr(node, reaching[i]) != NULL)))
            return krti_findings_add(s->out, "function", NULL, place(s),
                                     "the operation %s reaches outside the model", reaching[i]);
    }
    return KRT_OK;
}

/* Names become parts of paths in what other tools make of a model. */
static krt_status check_path(scanning *s, const char *name)
{
    const char *why = name[0] != '\0' ? krti_zip_name_problem(name, strlen(name)) : NULL;

    if (why == NULL)
        return KRT_OK;
    return krti_findings_add(s->out, "path", NULL, place(s), "%s \"%s\" %s", s->cls, name, why);
}

static const struct {
    const char *cls;
    krt_status (*check)(scanning *s, const krti_conf *config);
} special[] = {
    {"Lambda", check_lambda},
    {"StringLookup", check_vocabulary},
    {"IntegerLookup", check_vocabulary},
    {"TextVectorization", check_vocabulary},
    {"IndexLookup", check_vocabulary},
    {"TFSMLayer", check_tfsm},
    {"TorchModuleWrapper", check_torch},
    {"TensorFlowOpLayer", check_op},
    {"TFOpLambda", check_op},
};

static krt_status look_at_object(scanning *s, const krti_conf *c, const char *cls, int depth)
{
    const krti_conf *config = krti_conf_get(c, "config");
    const scanning before = *s;
    const char *bare = strrchr(cls, '>') != NULL ? strrchr(cls, '>') + 1 : cls;
    krt_status st = KRT_OK;

    if (krti_conf_get_text(config, "name") != NULL) {
        s->layer = krti_conf_get_text(config, "name");
        s->cls = cls;
        TRY(check_path(s, s->layer));
    }
    if (strcmp(cls, "__lambda__") == 0)
        TRY(found_bytecode(s));
    else if (cls[0] != '_' || cls[1] != '_')
        TRY(check_names(s, c, cls));
    for (size_t i = 0; st == KRT_OK && i < KRTI_COUNT(special); i++)
        if (strcmp(special[i].cls, bare) == 0)
            TRY(special[i].check(s, config));
    for (size_t i = 0; strcmp(cls, "__lambda__") != 0 && i < krti_conf_num(c); i++)
        TRY(look(s, krti_conf_at(c, i), krti_conf_key_at(c, i), depth + 1));

done:
    s->layer = before.layer;
    s->cls = before.cls;
    return st;
}

/* ------------------------------------------------------------------------------- any value */

static krt_status look_at_text(scanning *s, const char *text, const char *key)
{
    const char *scheme = strstr(text, "://");

    if (scheme == NULL || scheme == text || scheme - text > 10)
        return KRT_OK;
    return krti_findings_remark(s->out, "url", NULL, place(s), "%s is the address %s",
                                key != NULL ? key : "a value", text);
}

static krt_status look_at_number(scanning *s, int64_t value, const char *key)
{
    static const char *const harmless[] = {"seed", "shared_object_id", "salt"};

    if ((value <= HUGE_NUMBER && value >= -HUGE_NUMBER) ||
        krti_is_one_of(key, harmless, KRTI_COUNT(harmless)))
        return KRT_OK;
    return krti_findings_add(s->out, "huge", NULL, place(s),
                             "%s is %lld: building the layer would ask for more memory than there "
                             "is",
                             key != NULL ? key : "a value", (long long)value);
}

static krt_status look(scanning *s, const krti_conf *c, const char *key, int depth)
{
    const char *cls = krti_conf_get_text(c, "class_name");
    krt_status st = KRT_OK;

    if (depth > MAX_DEPTH)
        return krti_findings_add(s->out, "depth", NULL, place(s), "nested more than %d deep",
                                 MAX_DEPTH);
    if (is_bytecode(c))
        return found_bytecode(s);
    if (cls != NULL)
        return look_at_object(s, c, cls, depth);
    if (krti_conf_text(c) != NULL)
        return look_at_text(s, krti_conf_text(c), key);
    if (krti_conf_is(c, KRTI_CONF_INT))
        return look_at_number(s, c->as.integer, key);
    for (size_t i = 0; st == KRT_OK && i < krti_conf_num(c); i++)
        st = look(s, krti_conf_at(c, i),
                  krti_conf_is(c, KRTI_CONF_DICT) ? krti_conf_key_at(c, i) : key, depth + 1);
    return st;
}

krt_status krti_scan_config(krt_findings *out, const krti_conf *c, const char *where)
{
    scanning s = {.out = out, .where = where};

    return c != NULL ? look(&s, c, NULL, 0) : KRT_OK;
}
