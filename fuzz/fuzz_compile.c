/* Fuzzes compile settings, as a compile_config and as the training_config of Keras 1 and 2: what can be
 * read makes an optimizer, losses and metrics, and does one step. Seeds: fuzz/corpus/compile. */
#include "fuzz.h"

#include "formats/json.h"
#include "saving/legacy_settings.h"
#include "training/optimizer.h"

#include <keratin/keratin.h>

enum { LIMIT = 64 << 20 };

static krt_model *make_model(krt_ctx *k)
{
    krt_model *m = krt_sequential(k, NULL);

    krt_add_input(m, KRT_SHAPE(2), NULL);
    krt_add(m, KRT_DENSE(2, .name = "out", .activation = "softmax"));
    return m;
}

static void train(krt_ctx *k, krt_model *m)
{
    krt_tensor *x = NULL, *y = NULL;
    const krt_logs *logs = NULL;

    if (krt_tensor_new(k, &x, KRT_FLOAT32, KRT_SHAPE(3, 2)) != KRT_OK ||
        krt_tensor_new(k, &y, KRT_FLOAT32, KRT_SHAPE(3, 2)) != KRT_OK)
        abort();
    const krt_tensor *const xs[] = {x}, *const ys[] = {y};
    (void)krt_train_on_batch(m, &logs, KRT_DATA(.num_x = 1, .x = xs, .num_y = 1, .y = ys));
    krt_tensor_free(x);
    krt_tensor_free(y);
}

static void compile(const krti_conf *given, int generation)
{
    static const char *const outputs[] = {"out"};
    fuzz_memory memory;
    krt_ctx *k = fuzz_ctx(&memory, LIMIT);
    krti_arena a = KRTI_ARENA_INIT(k);
    krti_conf *settings = krti_conf_copy(&a, given);
    krti_optimizer *o = NULL;
    krt_model *m = make_model(k);

    (void)krt_ctx_set_threads(k, 1);
    if (settings == NULL || (generation < 3 && krti_legacy_settings(&a, given, generation, outputs,
                                                                    1, &settings) != KRT_OK))
        abort();
    if (krti_set_compile_config(m, settings) == KRT_OK && krti_model_optimizer(m, &o) == KRT_OK)
        train(k, m);
    krt_model_free(m);
    krti_arena_free(&a);
    fuzz_done(k, &memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_memory memory;
    krt_ctx *k = fuzz_ctx(&memory, 300 * size + 65536);
    krti_arena a = KRTI_ARENA_INIT(k);
    const krti_conf *c = NULL;

    if (krti_json_parse(&a, &c, data, size) == KRT_OK && krti_conf_is(c, KRTI_CONF_DICT))
        for (int generation = 1; generation <= 3; generation++)
            compile(c, generation);
    krti_arena_free(&a);
    fuzz_done(k, &memory);
    return 0;
}
