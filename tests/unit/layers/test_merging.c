/* Tests of src/layers/merging.c. */
#include "tracing.h"

/* The output shape of a merge of two inputs; masks may be NULL. */
static void expect_merge(const krt_spec *spec, krt_ctx *k, krt_shape a, krt_shape b,
                         const char *out)
{
    traced t;

    trace(&t, layer_from(k, spec), 2, (krt_shape[2]){a, b}, NULL);
    testing_status(k, KRT_OK, t.status, spec->class_name, __FILE__, __LINE__);
    assert_string_equal(t.text, out);
    assert_null(t.c.out_mask[0]);
    untrace(&t);
}

static void expect_no_merge(const krt_spec *spec, krt_ctx *k, size_t n, const krt_shape *in,
                            const char *says)
{
    traced t;

    trace(&t, layer_from(k, spec), n, in, NULL);
    assert_true(t.status != KRT_OK);
    testing_says(k, says, __FILE__, __LINE__);
    untrace(&t);
}

TEST(inputs_broadcast_and_unknown_sizes_stay_unknown)
{
    const krt_spec *const specs[] = {KRT_ADD(),     KRT_SUBTRACT(), KRT_MULTIPLY(),
                                     KRT_AVERAGE(), KRT_MAXIMUM(),  KRT_MINIMUM()};

    for (size_t i = 0; i < KRTI_COUNT(specs); i++) {
        expect_merge(specs[i], t->k, SHAPE(NONE, 3, 4), SHAPE(NONE, 3, 4), "(None, 3, 4)");
        expect_merge(specs[i], t->k, SHAPE(NONE, 1, 4), SHAPE(NONE, 3, 1), "(None, 3, 4)");
        expect_merge(specs[i], t->k, SHAPE(NONE, NONE, 4), SHAPE(NONE, NONE, 4), "(None, None, 4)");
        expect_merge(specs[i], t->k, SHAPE(NONE, 4), SHAPE(NONE, 3, 4), "(None, 3, 4)");
    }
}

TEST(inputs_that_do_not_fit_are_refused)
{
    const krt_shape batches[2] = {SHAPE(2, 3), SHAPE(4, 3)};
    const krt_shape sizes[2] = {SHAPE(NONE, 3), SHAPE(NONE, 4)};
    const krt_shape three[3] = {SHAPE(NONE, 3), SHAPE(NONE, 3), SHAPE(NONE, 3)};

    expect_no_merge(KRT_ADD(), t->k, 2, batches,
                    "Cannot merge tensors with different batch sizes. Received tensors with shapes "
                    "(2, 3) and (4, 3)");
    expect_no_merge(KRT_ADD(), t->k, 2, sizes, "(None, 3)");
    expect_no_merge(KRT_SUBTRACT(), t->k, 3, three,
                    "A `Subtract` layer should be called on exactly 2 inputs. Received 3 inputs");
    expect_no_merge(KRT_CONCATENATE(.axis = 3), t->k, 2, three,
                    "axis 3 of Concatenate is outside rank 2");
    expect_no_merge(KRT_CONCATENATE(.axis = 0), t->k, 2, sizes,
                    "A `Concatenate` layer requires inputs with matching shapes except for the "
                    "concatenation axis. Received: (None, 3) and (None, 4)");
    expect_no_merge(KRT_DOT({1, {1}}), t->k, 3, three,
                    "A `Dot` layer should be called on a list of 2 inputs. Received 3");
    expect_no_merge(KRT_DOT({1, {0}}), t->k, 2, three, "axis 0 of Dot must be one of 2 axes");
    expect_no_merge(KRT_DOT({1, {1}}), t->k, 2, sizes,
                    "Incompatible input shapes: axis values 3 (at axis 1) != 4 (at axis 1). Full "
                    "input shapes: (None, 3), (None, 4)");
}

TEST(concatenate_adds_up_one_axis)
{
    expect_merge(KRT_CONCATENATE(), t->k, SHAPE(NONE, 3, 4), SHAPE(NONE, 3, 5), "(None, 3, 9)");
    expect_merge(KRT_CONCATENATE(.axis = 1), t->k, SHAPE(NONE, 3, 4), SHAPE(NONE, NONE, 4),
                 "(None, None, 4)");
}

TEST(dot_sums_over_one_axis_of_each)
{
    expect_merge(KRT_DOT({1, {1}}), t->k, SHAPE(NONE, 3), SHAPE(NONE, 3), "(None, 1)");
    expect_merge(KRT_DOT({1, {-1}}), t->k, SHAPE(NONE, 2, 3), SHAPE(NONE, 4, 3), "(None, 2, 4)");
    expect_merge(KRT_DOT({2, {1, 2}}), t->k, SHAPE(NONE, 3, 5), SHAPE(NONE, 10, 3),
                 "(None, 5, 10)");
    expect_merge(KRT_DOT({2, {2, 1}}, .normalize = true), t->k, SHAPE(NONE, 6, 3), SHAPE(NONE, 3),
                 "(None, 6)");
}

/* ------------------------------------------------------------------------------- masks */

TEST(a_mask_comes_out_where_every_input_has_one)
{
    const krt_spec *const specs[] = {KRT_ADD(),     KRT_SUBTRACT(), KRT_MULTIPLY(),
                                     KRT_AVERAGE(), KRT_MAXIMUM(),  KRT_MINIMUM()};
    const krt_shape in[2] = {SHAPE(NONE, 5, 4), SHAPE(NONE, 5, 4)};
    const krt_shape both[2] = {SHAPE(NONE, 5), SHAPE(NONE, 5)};
    const krt_shape one[2] = {SHAPE(NONE, 5), {.rank = 0}};
    char text[160];

    for (size_t i = 0; i < KRTI_COUNT(specs); i++) {
        traced tr;

        trace(&tr, layer_from(t->k, specs[i]), 2, in, both);
        ASSERT_OK(tr.status);
        ASSERT_STR_EQ("(None, 5)", krt_shape_print(tr.c.out_mask[0]->shape, text, sizeof text));
        ASSERT_INT_EQ(KRT_BOOL, tr.c.out_mask[0]->dtype);
        untrace(&tr);
        trace(&tr, layer_from(t->k, specs[i]), 2, in, one);
        ASSERT_OK(tr.status);
        assert_null(tr.c.out_mask[0]);
        untrace(&tr);
    }
}

TEST(concatenate_counts_an_input_without_mask_as_unmasked)
{
    const krt_shape in[2] = {SHAPE(NONE, 5, 4), SHAPE(NONE, 6, 4)};
    const krt_shape one[2] = {SHAPE(NONE, 5), {.rank = 0}};
    traced tr;
    char text[160];

    trace(&tr, layer_from(t->k, KRT_CONCATENATE(.axis = 1)), 2, in, one);
    ASSERT_OK(tr.status);
    ASSERT_STR_EQ("(None, 11, 4)", tr.text);
    ASSERT_STR_EQ("(None, 11)", krt_shape_print(tr.c.out_mask[0]->shape, text, sizeof text));
    untrace(&tr);
}

TEST(dot_drops_masks)
{
    const krt_shape in[2] = {SHAPE(NONE, 5, 4), SHAPE(NONE, 5, 4)};
    const krt_shape both[2] = {SHAPE(NONE, 5), SHAPE(NONE, 5)};
    traced tr;

    trace(&tr, layer_from(t->k, KRT_DOT({1, {-1}})), 2, in, both);
    ASSERT_OK(tr.status);
    assert_null(tr.c.out_mask[0]);
    untrace(&tr);
}

int main(void)
{
    return RUN(UNIT(inputs_broadcast_and_unknown_sizes_stay_unknown),
               UNIT(inputs_that_do_not_fit_are_refused), UNIT(concatenate_adds_up_one_axis),
               UNIT(dot_sums_over_one_axis_of_each),
               UNIT(a_mask_comes_out_where_every_input_has_one),
               UNIT(concatenate_counts_an_input_without_mask_as_unmasked), UNIT(dot_drops_masks));
}
