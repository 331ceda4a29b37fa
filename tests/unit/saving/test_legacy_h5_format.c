/* saving/legacy_h5_*.c: lists of names, orders of weights, and what does not fit, word for word. */
#include "unit/saving/answers.h"

#include "models/model.h"

static const char *nested(const char *generation, const char *state, const char *suffix)
{
    char name[128];

    snprintf(name, sizeof name, "saving/nested_%s_%s%s", generation, state, suffix);
    return fixture(name);
}

static const char *const states[] = {"thawed", "frozen", "partly"};

TEST(a_nested_model_is_read_in_the_order_it_was_trainable_in)
{
    static const char *const generations[] = {"keras2", "keras3"};

    for (size_t g = 0; g < 2; g++)
        for (size_t i = 0; i < 3; i++) {
            krt_model *m = NULL;
            const char *path = nested(generations[g], states[i], ".h5");

            ASSERT_OK(krt_load(t->k, &m, path, NULL));
            assert_answers(t, m, fixture("saving/nested.npz"), path);
        }
}

/* Weights alone do not say what was trainable. Keras takes the architecture's word, and loads moving
 * means into biases when the shapes allow it; names tell better. */
TEST(weights_saved_frozen_load_into_a_model_that_is_not)
{
    for (size_t i = 0; i < 3; i++)
        for (size_t j = 0; j < 3; j++) {
            krt_model *m = NULL;
            const char *path = nested("keras2", states[i], "_weights.h5");

            if (i == 2 && j != 2) /* nobody can know which layer was frozen */
                continue;
            ASSERT_OK(krt_load(t->k, &m, nested("keras2", states[j], ".json"),
                               KRT_LOAD(.weights = path)));
            assert_answers(t, m, fixture("saving/nested.npz"), path);
        }
}

TEST(kernels_written_on_theano_are_turned_round)
{
    krt_model *m = NULL;

    ASSERT_OK(krt_load(t->k, &m, fixture("saving/theano.json"),
                       KRT_LOAD(.weights = fixture("saving/theano_weights.h5"))));
    assert_answers(t, m, fixture("saving/theano.npz"), "theano");
}

typedef struct misfit {
    const char *file;
    krt_status status;
    const char *object, *says;
} misfit;

static const misfit misfits[] = {
    {"legacy_layer_absent", KRT_E_CORRUPT, "nothing",
     "layer_names lists it, but the file does not hold it"},
    {"legacy_layer_twice", KRT_E_UNSAFE, "dense",
     "Not allowed: H5 file with a group that is linked twice"},
    {"legacy_weight_absent", KRT_E_CORRUPT, "dense/dense/nothing:0",
     "weight_names lists it, but the file does not hold it"},
    {"legacy_soft_link", KRT_E_UNSAFE, "dense/linked:0", "Not allowed: H5 file with SoftLink"},
    {"legacy_count", KRT_E_MISMATCH, "dense",
     "Weight count mismatch for layer #0 (named dense in the current model, dense in the save "
     "file). Layer expects 2 weight(s). Received 1 saved weight(s)"},
};

TEST(a_legacy_file_that_does_not_fit_says_where)
{
    for (size_t i = 0; i < KRTI_COUNT(misfits); i++) {
        const misfit *f = &misfits[i];
        char name[128];
        krt_model *m = NULL;

        snprintf(name, sizeof name, "saving/bad_%s_weights.h5", f->file);
        ASSERT_STATUS(f->status, krt_load(t->k, &m, fixture("saving/dense.json"),
                                          KRT_LOAD(.weights = fixture(name))));
        ASSERT_STR_EQ(f->says, krt_ctx_error(t->k)->message);
        ASSERT_STR_EQ(f->object, krt_ctx_error(t->k)->object);
    }
}

/* A Sequential of Dense layers, from units; 0 ends it. Names: dense_0, dense_1, ... */
static krt_model *dense_chain(testing *t, int64_t in, const int64_t *units, int first)
{
    krt_model *m = krt_sequential(t->k, KRT_MODEL());

    ASSERT_OK(krt_add_input(m, KRT_SHAPE(in), NULL));
    for (int i = 0; units[i] > 0; i++) {
        char name[32];

        snprintf(name, sizeof name, first < 0 && i == 0 ? "dense" : "dense_%d", first + i);
        ASSERT_OK(krt_add(m, KRT_DENSE(units[i], .name = name)));
    }
    return m;
}

static void does_not_fit(testing *t, krt_model *m, const char *says)
{
    krt_report *r = NULL;

    ASSERT_STATUS(KRT_E_MISMATCH, krt_load_weights(m, fixture("saving/bad_legacy_good_weights.h5"),
                                                   KRT_LOAD_WEIGHTS(.report = &r)));
    ASSERT_STR_EQ(says, krt_ctx_error(t->k)->message);
    assert_non_null(r);
    krt_report_free(r);
}

TEST(a_model_with_more_layers_than_the_file_names_them)
{
    does_not_fit(
        t, dense_chain(t, 4, (const int64_t[]){3, 7, 2, 0}, -1),
        "You are trying to load a weight file containing 1 layers into a model with 3 layers. "
        "Layer count mismatch when loading weights from file. Model expected 3 layers, "
        "found 1 saved layers. 1 of 3 layers match by name and shape; missing in the file: "
        "dense_0 (3, 7), dense_1 (7, 2). This looks like the include_top=False variant");
}

TEST(a_model_whose_layers_have_other_names_names_both_sides)
{
    does_not_fit(
        t, dense_chain(t, 4, (const int64_t[]){3, 7, 0}, 5),
        "You are trying to load a weight file containing 1 layers into a model with 2 layers. "
        "Layer count mismatch when loading weights from file. Model expected 2 layers, "
        "found 1 saved layers. 0 of 2 layers match by name and shape; missing in the file: "
        "dense_5 (4, 3), dense_6 (3, 7); left over in the file: dense (4, 3)");
}

TEST(a_shape_that_differs_is_told_in_keras_words)
{
    does_not_fit(t, dense_chain(t, 5, (const int64_t[]){3, 0}, -1),
                 "Shape mismatch in layer #0 (named dense)for weight dense/kernel. Weight expects "
                 "shape (5, 3). Received saved weight with shape (4, 3)");
}

TEST(layers_of_other_names_pair_by_their_place)
{
    krt_model *m = dense_chain(t, 4, (const int64_t[]){3, 0}, 9);

    ASSERT_OK(krt_load_weights(m, fixture("saving/bad_legacy_good_weights.h5"), NULL));
    ASSERT_NEAR(((const float[]){1, 1, 1}), krt_variable_data(krt_layer_weight(&m->base, 1)), 3, 0,
                0);
}

int main(void)
{
    return RUN(UNIT(a_nested_model_is_read_in_the_order_it_was_trainable_in),
               UNIT(weights_saved_frozen_load_into_a_model_that_is_not),
               UNIT(kernels_written_on_theano_are_turned_round),
               UNIT(a_legacy_file_that_does_not_fit_says_where),
               UNIT(a_model_with_more_layers_than_the_file_names_them),
               UNIT(a_model_whose_layers_have_other_names_names_both_sides),
               UNIT(a_shape_that_differs_is_told_in_keras_words),
               UNIT(layers_of_other_names_pair_by_their_place));
}
