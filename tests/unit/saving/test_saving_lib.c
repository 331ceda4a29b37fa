/* saving/saving_lib.c and saving/h5_store.c: paths of objects, and what does not fit them, word for
 * word. */
#include "unit/saving/answers.h"

#include "models/model.h"

#include <keratin/keratin.h>

typedef struct misfit {
    const char *file;
    krt_status status;
    const char *object, *says;
} misfit;

#define COUNTS "Layer 'dense' expected 2 variables, but received "
#define NAMES  " variables during loading. Expected: ['kernel', 'bias']"

/* saving/bad_NAME.weights.h5 into one Dense(3) over 4 inputs. */
static const misfit misfits[] = {
    {"soft_link", KRT_E_UNSAFE, "layers/dense/vars/0", "Not allowed: H5 file with SoftLink"},
    {"external_link", KRT_E_UNSAFE, "layers/dense/vars/0",
     "Not allowed: H5 file with ExternalLink"},
    {"group_link", KRT_E_UNSAFE, "layers/dense", "Not allowed: H5 file with SoftLink"},
    {"external_storage", KRT_E_UNSAFE, "/layers/dense/vars/0",
     "Not allowed: H5 file with external Dataset"},
    {"virtual", KRT_E_UNSAFE, "/layers/dense/vars/0", "Not allowed: H5 file with virtual Dataset"},
    {"bomb", KRT_E_UNSAFE, "/layers/dense/vars/0",
     "Not allowed: H5 dataset declares 24.00 GB but only 0.00 B are stored on disk; refusing to "
     "load a potential decompression/shape bomb"},
    {"circle", KRT_E_UNSAFE, "layers/dense/again",
     "Not allowed: H5 file with a group that is linked twice"},
    {"twice", KRT_E_UNSAFE, "layers/dense_1",
     "Not allowed: H5 file with a group that is linked twice"},
    {"extra_array", KRT_E_MISMATCH, "layers/dense", COUNTS "3" NAMES},
    {"extra_group", KRT_E_MISMATCH, "layers/dense", COUNTS "3" NAMES},
    {"missing_array", KRT_E_MISMATCH, "layers/dense", COUNTS "1" NAMES},
    {"missing_layer", KRT_E_MISMATCH, "layers/dense", COUNTS "0" NAMES},
    {"misnamed", KRT_E_MISMATCH, "layers/dense",
     "bias is variable 1 of the layer, the file has no vars/1"},
    {"shape", KRT_E_MISMATCH, "layers/dense",
     "kernel has shape (4, 2) in the file, (4, 3) in the model"},
    {"rank_9", KRT_E_MISMATCH, "layers/dense", "kernel has no shape of at most 8 axes in the file"},
    {"extra_layer", KRT_E_MISMATCH, NULL,
     "the file holds an array that the model has no variable for: /layers/dense_1/vars/0 (3, 7)"},
    {"compound", KRT_E_UNSUPPORTED, "/layers/dense/vars/0",
     "elements of 8 bytes of type compound are none of Keras's numbers"},
    {"bfloat16_as_int", KRT_E_UNSUPPORTED, "/layers/dense/vars/0",
     "elements of 2 bytes of type integer are none of Keras's numbers"},
};

TEST(a_weights_file_that_does_not_fit_says_where)
{
    for (size_t i = 0; i < KRTI_COUNT(misfits); i++) {
        const misfit *f = &misfits[i];
        char name[128];
        krt_model *m = NULL;

        snprintf(name, sizeof name, "saving/bad_%s.weights.h5", f->file);
        ASSERT_STATUS(f->status, krt_load(t->k, &m, fixture("saving/dense.json"),
                                          KRT_LOAD(.weights = fixture(name))));
        ASSERT_STR_EQ(f->says, krt_ctx_error(t->k)->message);
        if (f->object == NULL)
            assert_null(krt_ctx_error(t->k)->object);
        else
            ASSERT_STR_EQ(f->object, krt_ctx_error(t->k)->object);
        assert_non_null(strstr(krt_ctx_error(t->k)->filepath, name));
    }
}

TEST(the_report_of_a_misfit_lists_both_sides)
{
    krt_report *r = NULL;
    krt_model *m = NULL;

    ASSERT_STATUS(KRT_E_MISMATCH,
                  krt_load(t->k, &m, fixture("saving/dense.json"),
                           KRT_LOAD(.weights = fixture("saving/bad_missing_layer.weights.h5"),
                                    .report = &r)));
    ASSERT_INT_EQ(2, krt_report_count(r, KRT_MISSING));
    ASSERT_STR_EQ("dense/bias", krt_report_at(r, 1)->path);
    assert_null(krt_report_at(r, 1)->entry);
    ASSERT_INT_EQ(-1, krt_report_at(r, 1)->found.rank);
    krt_report_free(r);
    ASSERT_STATUS(
        KRT_E_MISMATCH,
        krt_load(t->k, &m, fixture("saving/dense.json"),
                 KRT_LOAD(.weights = fixture("saving/bad_extra_layer.weights.h5"), .report = &r)));
    ASSERT_INT_EQ(2, krt_report_count(r, KRT_LOADED));
    ASSERT_INT_EQ(1, krt_report_count(r, KRT_UNEXPECTED));
    krt_report_free(r);
}

TEST(many_misfits_are_counted_in_one_sentence)
{
    krt_model *m = NULL;

    ASSERT_STATUS(KRT_E_MISMATCH,
                  krt_load(t->k, &m, fixture("containers/keras3_sequential_cnn.json"),
                           KRT_LOAD(.weights = fixture("containers/keras3_residual.weights.h5"))));
    ASSERT_SAYS(" more layers do not fit, ");
}

TEST(the_first_spelling_of_keras_2_13_is_read)
{
    krt_model *m = NULL;

    ASSERT_OK(krt_load(t->k, &m, fixture("saving/dense.json"),
                       KRT_LOAD(.weights = fixture("saving/old_names.weights.h5"))));
    assert_non_null(krt_variable_data(krt_layer_weight(&m->base, 1)));
}

/* Two models inside a third that share a layer, as only code can make them: configs hold two. */
static krt_model *shared_model(testing *t)
{
    krt_ctx *k = t->k;
    krt_layer *shared = krt_layer_new(k, KRT_DENSE(4, .activation = "tanh", .name = "shared"));
    krt_ktensor *a = krt_input(k, KRT_SHAPE(4), KRT_INPUT(.name = "a"));
    krt_ktensor *b = krt_input(k, KRT_SHAPE(4), KRT_INPUT(.name = "b"));
    krt_ktensor *c = krt_input(k, KRT_SHAPE(4), KRT_INPUT(.name = "c"));
    krt_ktensor *in_a = krt_apply(krt_call_layer(shared, a), KRT_DENSE(4, .name = "own_a"));
    krt_ktensor *in_b = krt_apply(krt_call_layer(shared, b), KRT_DENSE(4, .name = "own_b"));
    krt_model *first =
        krt_functional(k, KRT_KTENSORS(a), KRT_KTENSORS(in_a), KRT_MODEL(.name = "first"));
    krt_model *second =
        krt_functional(k, KRT_KTENSORS(b), KRT_KTENSORS(in_b), KRT_MODEL(.name = "second"));

    assert_non_null(first);
    assert_non_null(second);
    krt_ktensor *y = krt_call_layer(&second->base, krt_call_layer(&first->base, c));
    return krt_functional(k, KRT_KTENSORS(c), KRT_KTENSORS(y), KRT_MODEL(.name = "whole"));
}

/* Keras 3 counts the shared layer in both lists (own_b is dense_1 in the second), Keras 2 only where
 * it is saved (own_b is dense). */
TEST(a_layer_shared_by_nested_models_is_counted_as_its_writer_counted)
{
    static const char *const files[][2] = {
        {"saving/shared_keras3.weights.h5", "saving/shared_keras3.npz"},
        {"saving/shared_keras2.weights.h5", "saving/shared_keras2.npz"},
        {"saving/shared_keras2_weights.h5", "saving/shared_keras2.npz"},
    };
    krt_model *m = shared_model(t);

    assert_non_null(m);
    for (size_t i = 0; i < KRTI_COUNT(files); i++) {
        ASSERT_OK(krt_load_weights(m, fixture(files[i][0]), NULL));
        assert_answers(t, m, fixture(files[i][1]), files[i][0]);
    }
}

/* Its class would have two arrays. */
TEST(a_quantized_layer_is_taken_along_like_one_that_nobody_knows)
{
    static const char json[] =
        "{\"module\": \"keras\", \"class_name\": \"Sequential\", \"registered_name\": null, "
        "\"config\": {\"name\": \"m\", \"layers\": "
        "[{\"class_name\": "
        "\"InputLayer\", \"config\": {\"name\": \"x\", \"batch_shape\": [null, 4]}}, {\"module\": "
        "\"keras.layers\", \"class_name\": \"Dense\", \"config\": {\"name\": \"dense\", \"units\": "
        "3, "
        "\"dtype\": {\"class_name\": \"QuantizedDTypePolicy\", \"config\": {\"mode\": \"int8\", "
        "\"source_name\": \"float32\"}}}}]}}";
    const char *const weights = fixture("saving/bad_extra_array.weights.h5");
    char config[300];
    krt_model *m = NULL;
    krt_file *f = NULL;

    snprintf(config, sizeof config, "%s", put_file(t, "q.json", json, sizeof json - 1));
    ASSERT_OK(krt_load(t->k, &m, config, KRT_LOAD(.weights = weights)));
    ASSERT_STATUS(KRT_E_UNKNOWN_CLASS, krt_save(m, in_folder(t, "q.h5"), NULL));
    ASSERT_SAYS("Dense \"dense\" is quantized (int8), which this build does not run");
    ASSERT_OK(krt_convert(t->k, weights, in_folder(t, "q.keras"), KRT_CONVERT(.config = config)));
    ASSERT_OK(krt_file_open(t->k, &f, in_folder(t, "q.keras")));
    ASSERT_INT_EQ(3, krt_file_num_arrays(f));
    krt_file_close(f);
    krt_model_free(m);
}

int main(void)
{
    return RUN(UNIT(a_weights_file_that_does_not_fit_says_where),
               UNIT(a_quantized_layer_is_taken_along_like_one_that_nobody_knows),
               UNIT(the_report_of_a_misfit_lists_both_sides),
               UNIT(many_misfits_are_counted_in_one_sentence),
               UNIT(the_first_spelling_of_keras_2_13_is_read),
               UNIT(a_layer_shared_by_nested_models_is_counted_as_its_writer_counted));
}
