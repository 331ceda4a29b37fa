/* Tests of src/layers/wrappers.c. */
#include "tracing.h"

TEST(time_distributed_calls_its_layer_on_every_step)
{
    krt_layer *l = layer_from(t->k, KRT_TIME_DISTRIBUTED(KRT_DENSE(4)));

    expect_shape(l, SHAPE(NONE, NONE, 5), "(None, None, 4)");
    ASSERT_INT_EQ(2, krt_layer_num_weights(l));
    ASSERT_STR_EQ("layer", l->inner[0].attribute);
    ASSERT_STR_EQ("time_distributed/dense/kernel", krt_variable_path(krt_layer_weight(l, 0)));
    expect_shape(layer_from(t->k, KRT_TIME_DISTRIBUTED(KRT_FLATTEN())), SHAPE(NONE, 3, 4, 5),
                 "(None, 3, 20)");
    expect_shape(layer_from(t->k, KRT_TIME_DISTRIBUTED(KRT_TIME_DISTRIBUTED(KRT_DENSE(2)))),
                 SHAPE(NONE, 3, NONE, 5), "(None, 3, None, 2)");
    expect_failure(layer_from(t->k, KRT_TIME_DISTRIBUTED(KRT_DENSE(4))), SHAPE(NONE, 5),
                   "expected min_ndim=3, found ndim=2");
}

TEST(time_distributed_numbers_are_the_layer_s_own)
{
    const float x[6] = {-1, 2, -3, 4, -5, 6};
    float y[6];

    run_layer(layer_from(t->k, KRT_TIME_DISTRIBUTED(KRT_ACTIVATION("relu"))), SHAPE(1, 3, 2), x, y,
              6);
    ASSERT_NEAR(((const float[6]){0, 2, 0, 4, 0, 6}), y, 6, 0, 0);
}

TEST(a_mask_must_fit_batch_and_time)
{
    const krt_shape in = SHAPE(2, 3, 5), fits = SHAPE(2, 3), wrong = SHAPE(2, 4), flat = SHAPE(2);
    traced tr;

    trace(&tr, layer_from(t->k, KRT_TIME_DISTRIBUTED(KRT_DENSE(4))), 1, &in, &fits);
    ASSERT_OK(tr.status);
    assert_ptr_equal(tr.c.out_mask[0], tr.mask[0]);
    untrace(&tr);
    trace(&tr, layer_from(t->k, KRT_TIME_DISTRIBUTED(KRT_DENSE(4))), 1, &in, &wrong);
    ASSERT_STATUS(KRT_E_INVALID, tr.status);
    ASSERT_SAYS("The `mask` passed to the `TimeDistributed` layer has a shape (2, 4) that is "
                "incompatible with the input shape (2, 3, 5)");
    untrace(&tr);
    trace(&tr, layer_from(t->k, KRT_TIME_DISTRIBUTED(KRT_DENSE(4))), 1, &in, &flat);
    ASSERT_STATUS(KRT_E_INVALID, tr.status);
    untrace(&tr);
}

TEST(a_wrapped_layer_that_is_missing_or_unknown_is_named)
{
    krti_arena a = KRTI_ARENA_INIT(t->k);
    krt_layer *l = NULL;

    ASSERT_STATUS(KRT_E_INVALID, krti_layer_from_spec(t->k, &l, KRT_TIME_DISTRIBUTED(NULL)));
    ASSERT_SAYS("TimeDistributed needs a layer to wrap");
    expect_failure(layer_of(&a, "{'class_name': 'TimeDistributed', 'config': {'layer': {'module': "
                                "'m', 'class_name': 'Mine', 'config': {'name': 'mine'}}}}"),
                   SHAPE(NONE, 3, 5), "layer \"mine\" has the custom class Mine");
    krti_arena_free(&a);
}

TEST(the_base_class_wrapper_opens_and_does_not_run)
{
    krti_arena a = KRTI_ARENA_INIT(t->k);
    krt_layer *l = layer_of(&a, "{'class_name': 'Wrapper', 'config': {'name': 'w', 'layer': "
                                "{'class_name': 'Dense', 'config': {'units': 2}}}}");

    ASSERT_INT_EQ(1, l->num_inner);
    expect_failure(l, SHAPE(NONE, 3), "Wrapper \"w\" is Keras's base class");
    krti_arena_free(&a);
}

int main(void)
{
    return RUN(UNIT(time_distributed_calls_its_layer_on_every_step),
               UNIT(time_distributed_numbers_are_the_layer_s_own),
               UNIT(a_mask_must_fit_batch_and_time),
               UNIT(a_wrapped_layer_that_is_missing_or_unknown_is_named),
               UNIT(the_base_class_wrapper_opens_and_does_not_run));
}
