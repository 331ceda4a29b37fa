/* The saving floor with every allocation failing in turn: out of memory is an answer, nothing is
 * left behind, and what was reported is still consistent. */
#include "failing.h"
#include "unit/saving/answers.h"

typedef struct files {
    const char *file, *weights;
} files;

static krt_status load(krt_ctx *k, void *argument)
{
    const files *f = argument;
    krt_model *m = NULL;
    krt_report *r = NULL;
    const krt_status st = krt_load(k, &m, f->file, KRT_LOAD(.weights = f->weights, .report = &r));

    if (st != KRT_OK && m != NULL)
        return KRT_E_USER; /* a model came out of a load that failed */
    krt_report_free(r);
    krt_model_free(m);
    return st;
}

TEST(loading_survives_every_failing_allocation)
{
    files cases[] = {
        {fixture("saving/custom.keras"), NULL},
        {fixture("saving/dense.json"), fixture("saving/dense.weights.json")},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_true(FAILING_SWEEP(load, &cases[i]) > 50);
}

TEST(loading_nested_weights_survives_every_failing_allocation)
{
    files nested = {fixture("saving/nested_keras2_thawed.json"),
                    fixture("saving/nested_keras2_frozen_weights.h5")};
    files filtered = {fixture("saving/dense.json"), fixture("saving/dense_filtered.weights.h5")};

    assert_true(FAILING_SWEEP(load, &nested) > 100);
    assert_true(FAILING_SWEEP(load, &filtered) > 50);
}

static krt_status look(krt_ctx *k, void *argument)
{
    krt_file *f = NULL;
    krt_tensor *x = NULL;
    char *text = NULL;
    krt_status st = krt_file_open(k, &f, argument);

    if (st == KRT_OK)
        st = krt_file_read_array(f, 0, &x);
    if (st == KRT_OK)
        st = krt_file_config(f, &text, 1);
    krt_free(k, text);
    krt_tensor_free(x);
    krt_file_close(f);
    return st;
}

TEST(looking_into_a_file_survives_every_failing_allocation)
{
    char path[512];

    snprintf(path, sizeof path, "%s", fixture("saving/custom.keras"));
    assert_true(FAILING_SWEEP(look, path) > 50);
    snprintf(path, sizeof path, "%s", fixture("containers/keras2_mlp.h5"));
    assert_true(FAILING_SWEEP(look, path) > 50);
}

/* A mismatch must stay one, or become a lack of memory: nothing else, and never a success. */
static krt_status mismatch(krt_ctx *k, void *argument)
{
    const files *f = argument;
    krt_model *m = NULL;
    krt_report *r = NULL;
    const krt_status st = krt_load(k, &m, f->file, KRT_LOAD(.weights = f->weights, .report = &r));

    krt_report_free(r);
    krt_model_free(m);
    return st == KRT_E_MISMATCH ? KRT_OK : st == KRT_OK ? KRT_E_USER : st;
}

TEST(a_mismatch_survives_every_failing_allocation)
{
    files cases[] = {
        {fixture("saving/dense.json"), fixture("saving/bad_extra_layer.weights.h5")},
        {fixture("saving/dense.json"), fixture("saving/bad_legacy_count_weights.h5")},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_true(FAILING_SWEEP(mismatch, &cases[i]) > 50);
}

int main(void)
{
    return RUN(UNIT(loading_survives_every_failing_allocation),
               UNIT(loading_nested_weights_survives_every_failing_allocation),
               UNIT(looking_into_a_file_survives_every_failing_allocation),
               UNIT(a_mismatch_survives_every_failing_allocation));
}
