/* Checkpoints and files of named arrays, written from a model. See save_named.h. */
#include "saving/save_named.h"

#include "base/digest.h"
#include "saving/named_list.h"
#include "saving/save_plan.h"
#include "saving/tf_checkpoint_write.h"

/* ------------------------------------------------------------------------------- arrays by name */

static const struct {
    const char *ending;
    krt_status (*write)(const krti_named_list *l, const char *filepath, bool sync);
} forms[] = {{".safetensors", krti_safetensors_write}, {".npz", krti_npz_write_list}};

static size_t find_form(const char *filepath)
{
    size_t i = 0;

    while (i < KRTI_COUNT(forms) && !krti_ends_with(filepath, forms[i].ending))
        i++;
    return i;
}

bool krti_save_is_exchange(const char *filepath)
{
    return find_form(filepath) < KRTI_COUNT(forms);
}

static krt_status write_exchange(krt_model *m, const char *filepath, bool sync)
{
    krti_named_list l;
    krt_status st = KRT_OK;

    krti_named_list_init(&l, m->base.owned.k);
    st = krti_named_list_add_model(&l, m);
    if (st == KRT_OK)
        st = forms[find_form(filepath)].write(&l, filepath, sync);
    krti_named_list_free(&l);
    return st;
}

/* A form that is one file, and a whole one, without digests. */
static krt_status check_plain(krt_ctx *k, krt_save_weights_args *a, const char *what)
{
    if (a->incremental)
        return krti_fail(k, KRT_E_INVALID, NULL,
                         "incremental is for sharded weights (.weights.json), not %s", what);
    if (a->max_shard_size == 0)
        return krti_digest_choose(k, &a->digest, what);
    return krti_fail(k, KRT_E_INVALID, NULL,
                     "max_shard_size is %g, but %s is written as one shard; shards are for "
                     ".weights.json",
                     a->max_shard_size, what);
}

krt_status krti_save_exchange(krt_model *m, const char *filepath, const krt_save_weights_args *args)
{
    krt_ctx *k = m->base.owned.k;
    krt_save_weights_args a;
    bool go = false;
    krt_status st = KRT_OK;

    TRY(krti_args_import(k, &a, KRT_SAVE_WEIGHTS(), sizeof a, args));
    if (m->failed != KRT_OK)
        TRY(m->failed);
    TRY(check_plain(k, &a, krti_path_name(filepath)));
    if (krti_path_kind_of(filepath) == KRTI_PATH_DIR)
        TRY(krti_refuse_directory(k));
    TRY(krti_may_write(k, filepath, a.overwrite, a.ask, a.ask_user, &go));
    if (go)
        TRY(write_exchange(m, filepath, a.sync));

done:
    return st == KRT_OK ? st : krti_fail_in_file(k, st, filepath);
}

/* ------------------------------------------------------------------------------- checkpoints */

static krt_status write_checkpoint(krt_model *m, const char *prefix, const krt_save_weights_args *a)
{
    const krti_checkpoint_options options = {.sync = a->sync,
                                             .include_optimizer = a->include_optimizer};
    krti_named_list l;
    krt_status st = KRT_OK;

    krti_named_list_init(&l, m->base.owned.k);
    st = krti_named_list_add_checkpoint(&l, m, &options);
    if (st == KRT_OK)
        st = krti_tf_checkpoint_write(&l, prefix, &options);
    krti_named_list_free(&l);
    return st;
}

krt_status krt_save_checkpoint(krt_model *m, const char *prefix, const krt_save_weights_args *args)
{
    krt_ctx *k = m->base.owned.k;
    krti_str index = KRTI_STR_INIT(k);
    krt_save_weights_args a;
    bool go = false;
    krt_status st = krt_save_wait(k);

    TRY(st);
    TRY(krti_args_import(k, &a, KRT_SAVE_WEIGHTS(), sizeof a, args));
    if (m->failed != KRT_OK)
        TRY(m->failed);
    TRY(check_plain(k, &a, "a checkpoint"));
    if (krti_path_kind_of(prefix) == KRTI_PATH_DIR)
        TRY(krti_refuse_directory(k));
    TRY(krti_str_addf(&index, "%s.index", prefix));
    TRY(krti_may_write(k, index.ptr, a.overwrite, a.ask, a.ask_user, &go));
    if (go)
        TRY(write_checkpoint(m, prefix, &a));

done:
    krti_str_free(&index);
    return st == KRT_OK ? st : krti_fail_in_file(k, st, prefix);
}
