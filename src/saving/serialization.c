/* A model's architecture and settings, as a tree and as JSON text. Keras: Model.to_json(). */
#include "saving/serialization.h"

#include "formats/json.h"
#include "layers/operations.h"
#include "saving/keras2_spelling.h"
#include "training/optimizer.h"
#include <keratin/saving.h>

krt_status krti_serialize_any(krti_arena *a, const krt_model *m, krti_conf **out)
{
    krti_conf *settings = NULL;
    krt_status st = KRT_OK;

    TRY(krti_model_to_conf(a, m, out));
    TRY(krti_compile_config_now(m, a, &settings));
    if (krti_conf_is_null(settings) && (settings = krti_conf_dict(a)) == NULL)
        TRY(KRT_E_NOMEM);
    /* Keras before 3.9 left the key out of a model that was not compiled. */
    if (krti_conf_num(settings) > 0 || krti_conf_get(*out, "compile_config") != NULL)
        TRY(krti_conf_set(a, *out, "compile_config", settings));

done:
    return st;
}

static krt_status check(krti_arena *a, const krti_conf *c, const char *name)
{
    const char *class_name = krti_conf_get_text(c, "class_name");
    const krti_conf *config = krti_conf_get(c, "config");
    const char *own = krti_conf_get_text(class_name != NULL ? config : c, "name");
    krt_status st = KRT_OK;

    name = own != NULL ? own : name;
    if (krti_conf_text(c) != NULL && strcmp(krti_conf_text(c), "hard_sigmoid_v2") == 0)
        return krti_fail(a->k, KRT_E_UNSUPPORTED, name,
                         "it uses the hard_sigmoid of Keras 1 and 2, 0.2 x + 0.5 between 0 and 1, "
                         "which is another function in Keras 3; write an .h5 for Keras 2");
    if (krti_is_tf_operation(class_name))
        return krti_fail(a->k, KRT_E_UNSUPPORTED, name,
                         "it is an operation of tf.keras (%s), for which Keras 3 has no class; "
                         "write an .h5 for Keras 2",
                         class_name);
    if (class_name != NULL && strcmp(class_name, "Lambda") == 0 &&
        krti_conf_get(config, "function_type") != NULL)
        return krti_fail(a->k, KRT_E_UNSUPPORTED, NULL,
                         "Lambda \"%s\" holds a Python function in the form of Keras 2, which "
                         "Keras 3 does not read; write an .h5 for Keras 2",
                         name);
    for (size_t i = 0; st == KRT_OK && i < krti_conf_num(c); i++)
        st = check(a, krti_conf_at(c, i), name);
    return st;
}

krt_status krti_serialize_model(krti_arena *a, const krt_model *m, krti_conf **out)
{
    const krt_status st = krti_serialize_any(a, m, out);

    /* What Keras 3 wrote itself needs no look. */
    return st == KRT_OK && !krti_layer_is_keras3(&m->base) ? check(a, *out, NULL) : st;
}

krt_status krti_serialize_keras2(krti_arena *a, const krt_model *m, krti_conf **out)
{
    krti_conf *object = NULL;
    krt_status st = KRT_OK;

    TRY(krti_serialize_any(a, m, &object));
    TRY(krti_keras2_model(a, object, false, out));
    TRY(krti_conf_set(a, *out, "keras_version", krti_conf_string(a, KRTI_KERAS2_VERSION)));
    TRY(krti_conf_set(a, *out, "backend", krti_conf_string(a, "tensorflow")));

done:
    return st;
}

krt_status krt_to_json(const krt_model *m, char **out, const krt_to_json_args *args)
{
    krt_ctx *k = m->base.owned.k;
    krti_arena arena = KRTI_ARENA_INIT(k);
    krti_str text = KRTI_STR_INIT(k);
    krt_to_json_args a;
    krti_conf *object = NULL;
    krt_status st = m->failed;

    *out = NULL;
    if (st != KRT_OK)
        return st;
    TRY(krti_args_import(k, &a, KRT_TO_JSON(), sizeof a, args));
    if (a.for_keras != 2 && a.for_keras != 3)
        TRY(krti_fail(k, KRT_E_INVALID, NULL, "for_keras is %d, expected 2 or 3", a.for_keras));
    TRY((a.for_keras == 2 ? krti_serialize_keras2 : krti_serialize_model)(&arena, m, &object));
    TRY(krti_json_write(&text, object, a.indent));
    *out = krti_str_take(&text);
    if (*out == NULL)
        st = KRT_E_NOMEM;

done:
    krti_str_free(&text);
    krti_arena_free(&arena);
    return st;
}
