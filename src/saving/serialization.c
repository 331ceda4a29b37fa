/* A model's architecture and settings, as a tree and as JSON text. Keras: Model.to_json(). */
#include "saving/serialization.h"

#include "formats/json.h"
#include "training/optimizer.h"
#include <keratin/saving.h>

krt_status krti_serialize_model(krti_arena *a, const krt_model *m, krti_conf **out)
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

krt_status krt_to_json(const krt_model *m, char **out, int indent)
{
    krt_ctx *k = m->base.owned.k;
    krti_arena arena = KRTI_ARENA_INIT(k);
    krti_str text = KRTI_STR_INIT(k);
    krti_conf *object = NULL;
    krt_status st = m->failed;

    *out = NULL;
    if (st != KRT_OK)
        return st;
    TRY(krti_serialize_model(&arena, m, &object));
    TRY(krti_json_write(&text, object, indent));
    *out = krti_str_take(&text);
    if (*out == NULL)
        st = KRT_E_NOMEM;

done:
    krti_str_free(&text);
    krti_arena_free(&arena);
    return st;
}
