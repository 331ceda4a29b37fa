/* The compile settings of a model, from a file or from compile(), and the optimizer made of them.
 * See optimizer.h. Keras: trainers/trainer.py compile_from_config(), get_compile_config(). */
#include "training/training.h"

static void forget(struct krti_training *t)
{
    krti_programs_free(t);
    krti_forget_outputs(t);
    krti_optimizer_free(t->optimizer);
    t->optimizer = NULL;
    krti_arena_free(&t->arena);
    t->m->compile_config = NULL;
    t->undecayed = (krt_names){0, NULL};
}

static void training_free(struct krti_training *t)
{
    forget(t);
    krti_logs_free(&t->logs);
    krti_logs_free(&t->evaluated);
    krti_free(t->k, t);
}

krt_status krti_training_of(krt_model *m, struct krti_training **out)
{
    krt_ctx *k = m->base.owned.k;

    if (m->training == NULL) {
        struct krti_training *t = krti_alloc(k, sizeof *t);

        if (t == NULL)
            return KRT_E_NOMEM;
        t->k = k;
        t->m = m;
        t->backend = "tensorflow";
        t->arena = t->built = (krti_arena)KRTI_ARENA_INIT(k);
        t->logs = t->evaluated = (krti_logs)KRTI_LOGS_INIT(k);
        m->free_training = training_free;
        m->weights_moved = krti_programs_free;
        m->training = t;
    }
    *out = m->training;
    return KRT_OK;
}

const krti_conf *krti_compile_config(const krt_model *m)
{
    return krti_conf_num(m->compile_config) > 0 ? m->compile_config : NULL;
}

krt_status krti_compile_config_now(const krt_model *m, krti_arena *a, krti_conf **out)
{
    const krti_conf *config = krti_compile_config(m);
    const krti_optimizer *o = krti_model_optimizer_now(m);
    krti_conf *optimizer = NULL;
    krt_status st = KRT_OK;

    *out = krti_conf_copy(a, config);
    if (*out == NULL)
        return KRT_E_NOMEM;
    if (config != NULL && o != NULL) {
        st = krti_optimizer_to_conf(o, a, &optimizer);
        if (st == KRT_OK)
            st = krti_conf_set(a, *out, "optimizer", optimizer);
    }
    return st;
}

krt_status krti_set_compile_config(krt_model *m, const krti_conf *config)
{
    struct krti_training *t = NULL;
    krti_arena arena = KRTI_ARENA_INIT(m->base.owned.k);
    krti_conf *copy = config != NULL ? krti_conf_copy(&arena, config) : NULL;
    krt_status st = config == NULL || copy != NULL ? KRT_OK : KRT_E_NOMEM;

    if (st == KRT_OK)
        st = krti_training_of(m, &t);
    if (st != KRT_OK) {
        krti_arena_free(&arena);
        return st;
    }
    forget(t);
    if (m->saved != NULL) /* of the optimizer before */
        m->free_saved(m->saved);
    m->saved = NULL;
    krti_free(t->k, m->trained.items);
    m->trained = (struct krti_trained){.is_known = false};
    t->arena = arena;
    m->compile_config = copy;
    return KRT_OK;
}

krt_status krti_model_optimizer(krt_model *m, krti_optimizer **out)
{
    const krti_conf *config = krti_compile_config(m);
    struct krti_training *t = NULL;
    krt_status st = KRT_OK;

    *out = NULL;
    if (krti_conf_is_null(krti_conf_get(config, "optimizer")))
        return KRT_OK;
    TRY(krti_training_of(m, &t));
    if (t->optimizer == NULL) {
        TRY(krti_optimizer_from_conf(m, &t->optimizer, krti_conf_get(config, "optimizer")));
        if (m->saved != NULL)
            TRY(m->restore_optimizer(m, t->optimizer));
    }
    *out = t->optimizer;

done:
    return st;
}

krti_optimizer *krti_model_optimizer_now(const krt_model *m)
{
    return m->training != NULL ? m->training->optimizer : NULL;
}
