/* Loads a model and saves it again, for scripts that compare with Keras and for those that kill it.
 *
 *     save_driver MODEL OUT [OPTION]...      OUT: NAME.keras, NAME.weights.h5, NAME.weights.json,
 *                                            NAME.safetensors, NAME.npz, PREFIX.ckpt, or any
 *                                            other name for a directory
 *         --shard GB      --no-optimizer     --no-sync      --no-digest      --sha256
 *         --weights FILE  loads these weights first
 *         --and MODEL     saves this one over it
 *         --times N       saves N times, both in turn
 *         --incremental   of a sharded set only what changed, and then collects its shards
 *         --among-others  goes on when another process is writing it */
#include <keratin/keratin.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct options {
    const char *model, *out, *weights, *other;
    double shard;
    bool optimizer, sync, incremental, among_others;
    krt_digest digest;
    int times;
} options;

static bool parse(options *o, int argc, char **argv)
{
    *o = (options){.optimizer = true, .sync = true, .digest = KRT_DIGEST_XXH3_128, .times = 1};
    for (int i = 1; i < argc; i++) {
        const char *next = i + 1 < argc ? argv[i + 1] : "";

        if (strcmp(argv[i], "--shard") == 0)
            o->shard = strtod(next, NULL), i++;
        else if (strcmp(argv[i], "--weights") == 0)
            o->weights = next, i++;
        else if (strcmp(argv[i], "--and") == 0)
            o->other = next, i++;
        else if (strcmp(argv[i], "--times") == 0)
            o->times = (int)strtol(next, NULL, 10), i++;
        else if (strcmp(argv[i], "--no-optimizer") == 0)
            o->optimizer = false;
        else if (strcmp(argv[i], "--no-sync") == 0)
            o->sync = false;
        else if (strcmp(argv[i], "--no-digest") == 0)
            o->digest = KRT_DIGEST_NONE;
        else if (strcmp(argv[i], "--incremental") == 0)
            o->incremental = true;
        else if (strcmp(argv[i], "--among-others") == 0)
            o->among_others = true;
        else if (strcmp(argv[i], "--sha256") == 0)
            o->digest = KRT_DIGEST_SHA256;
        else if (o->model == NULL)
            o->model = argv[i];
        else
            o->out = argv[i];
    }
    return o->out != NULL;
}

static bool ends_with(const char *text, const char *tail)
{
    const size_t n = strlen(text), m = strlen(tail);

    return n >= m && strcmp(text + n - m, tail) == 0;
}

static krt_status save_once(krt_model *m, const options *o)
{
    const krt_save_weights_args *checkpoint =
        KRT_SAVE_WEIGHTS(.include_optimizer = o->optimizer, .sync = o->sync);

    if (ends_with(o->out, ".ckpt"))
        return krt_save_checkpoint(m, o->out, checkpoint);
    if (ends_with(o->out, ".safetensors") || ends_with(o->out, ".npz"))
        return krt_save_weights(m, o->out, checkpoint);
    if (ends_with(o->out, ".weights.h5") || ends_with(o->out, ".weights.json"))
        return krt_save_weights(m, o->out,
                                KRT_SAVE_WEIGHTS(.max_shard_size = o->shard,
                                                 .incremental = o->incremental,
                                                 .include_optimizer = o->optimizer, .sync = o->sync,
                                                 .digest = o->digest));
    return krt_save(m, o->out,
                    KRT_SAVE(.zipped = ends_with(o->out, ".keras") || ends_with(o->out, ".h5"),
                             .include_optimizer = o->optimizer, .sync = o->sync,
                             .digest = o->digest));
}

static krt_status save(krt_ctx *k, krt_model *m, const options *o)
{
    krt_status st = save_once(m, o);

    if (st == KRT_OK && o->incremental)
        st = krt_collect_shards(k, o->out, NULL, NULL);
    if (st == KRT_E_IO && o->among_others && krt_ctx_error(k)->sys_errno == EWOULDBLOCK &&
        strstr(krt_ctx_error(k)->message, "is being written by ") != NULL)
        st = KRT_OK;
    return st;
}

static void log_line(void *user, int level, const char *text)
{
    (void)user;
    (void)level;
    fprintf(stderr, "%s\n", text);
}

int main(int argc, char **argv)
{
    krt_ctx *k = NULL;
    krt_model *m = NULL, *other = NULL;
    options o;
    krt_status st = KRT_E_NOMEM;

    if (!parse(&o, argc, argv))
        return 2;
    if (krt_ctx_new(&k, KRT_CTX(.log = log_line)) == KRT_OK)
        st = krt_load(k, &m, o.model, NULL);
    if (st == KRT_OK && o.weights != NULL)
        st = krt_load_weights(m, o.weights, NULL);
    if (st == KRT_OK && o.other != NULL)
        st = krt_load(k, &other, o.other, NULL);
    puts("ready");
    fflush(stdout);
    for (int i = 0; i < o.times && st == KRT_OK; i++) {
        st = save(k, m, &o);
        if (st == KRT_OK && other != NULL)
            st = save(k, other, &o);
    }
    if (st != KRT_OK)
        fprintf(stderr, "%s: %s\n", krt_ctx_error(k)->filepath, krt_ctx_error(k)->message);
    krt_ctx_free(k);
    return st == KRT_OK ? 0 : 1;
}
