/* krt_compile_json(): compile settings as Keras writes them into files, and as the tool takes them. */
#include "formats/json.h"
#include "training/training.h"
#include <keratin/saving.h>

static const char *const keys[] = {"optimizer", "loss", "loss_weights", "metrics",
                                   "weighted_metrics"};

/* The settings as they are, with those of `given` in their place; Keras's defaults where neither has
 * any. */
static krt_status merge(krt_model *m, krti_arena *a, const krti_conf *given, krti_conf **out)
{
    krt_ctx *k = m->base.owned.k;
    krt_status st = KRT_OK;

    TRY(krti_compile_config_now(m, a, out));
    if (krti_conf_is_null(*out))
        *out = krti_conf_dict(a);
    for (size_t i = 0; i < krti_conf_num(given); i++) {
        const char *key = krti_conf_key_at(given, i);

        if (!krti_is_one_of(key, keys, KRTI_COUNT(keys)))
            TRY(krti_fail(k, KRT_E_INVALID, NULL,
                          "compile has no argument \"%s\"; it has optimizer, loss, loss_weights, "
                          "metrics, weighted_metrics",
                          key));
        TRY(krti_conf_set(a, *out, key, krti_conf_copy(a, krti_conf_at(given, i))));
    }
    if (krti_conf_get(*out, "optimizer") == NULL)
        TRY(krti_conf_set(a, *out, "optimizer", krti_conf_string(a, "rmsprop")));

done:
    return st;
}

krt_status krt_compile_json(krt_model *m, const char *json)
{
    krt_ctx *k = m->base.owned.k;
    krti_arena arena = KRTI_ARENA_INIT(k);
    const krti_conf *given = NULL;
    krti_conf *config = NULL, *before = NULL;
    krti_optimizer *o = NULL;
    krt_status st = KRT_OK;

    TRY(krti_json_parse(&arena, &given, json, strlen(json)));
    if (!krti_conf_is(given, KRTI_CONF_DICT))
        TRY(krti_fail(k, KRT_E_INVALID, NULL, "compile settings are a JSON object"));
    TRY(krti_compile_config_now(m, &arena, &before));
    TRY(merge(m, &arena, given, &config));
    if (krti_conf_get(given, "optimizer") == NULL && krti_model_optimizer_now(m) != NULL)
        krti_warn(k, "the optimizer begins anew: what it had gathered is lost");
    TRY(krti_set_compile_config(m, config));
    st = krti_model_optimizer(m, &o); /* an unknown one fails now, and leaves things as they were */
    if (st != KRT_OK) {
        const krt_status again =
            krti_set_compile_config(m, krti_conf_is_null(before) ? NULL : before);
        st = again != KRT_OK ? again : st;
    }

done:
    krti_arena_free(&arena);
    return st;
}
