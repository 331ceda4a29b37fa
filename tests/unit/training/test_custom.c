/* Losses and metrics that a host registers. Their numbers in training are tests/parity/test_training.c's. */
#include "custom_scores.h"
#include "training/training.h"
#include "training_testing.h"

static krt_tensor *filled(testing *t, krt_shape shape)
{
    krt_tensor *x = NULL;

    ASSERT_OK(krt_tensor_new(t->k, &x, KRT_FLOAT32, shape));
    float *v = krt_tensor_data_mut(x);
    for (int64_t i = 0; i < shape.dim[0] * shape.dim[1]; i++)
        v[i] = (float)((i * 37 + 11) % 101) / 101.0f - 0.5f;
    return x;
}

static krt_model *line(testing *t)
{
    krt_model *m = krt_sequential(t->k, NULL);

    ASSERT_OK(krt_add_input(m, KRT_SHAPE(4), NULL));
    ASSERT_OK(krt_add(m, KRT_DENSE(2, .kernel_initializer = KRT_GLOROT_UNIFORM(.seed = 3))));
    return m;
}

TEST(a_file_of_keras_trains_with_registered_losses_and_is_written_as_it_was)
{
    krt_model *m = NULL, *again = NULL;
    const krt_logs *logs = NULL;
    double before = 0, after = 0;

    const krt_tensor *const x[] = {filled(t, KRT_SHAPE(12, 4)), filled(t, KRT_SHAPE(12, 3))};
    const krt_tensor *const y[] = {filled(t, KRT_SHAPE(12, 3)), filled(t, KRT_SHAPE(12, 2))};
    const krt_data *d = KRT_DATA(.num_x = 2, .x = x, .num_y = 2, .y = y);
    ASSERT_OK(register_scores(t->k));
    ASSERT_OK(krt_load(t->k, &m, KERATIN_FIXTURES "/training/custom_scores.keras", NULL));
    ASSERT_OK(krt_fit_data(m, d, KRT_FIT(.epochs = 2)));
    ASSERT_OK(krt_evaluate_data(m, &logs, d, NULL));
    ASSERT_TRUE(krt_logs_get(logs, "loss", &before) && krt_logs_get(logs, "far_largest", NULL) &&
                krt_logs_get(logs, "near_share_within", NULL) &&
                krt_logs_get(logs, "near_worst", NULL));
    ASSERT_OK(krt_save(m, in_folder(t, "again.keras"), NULL));
    ASSERT_OK(krt_load(t->k, &again, in_folder(t, "again.keras"), NULL));
    ASSERT_OK(krt_evaluate_data(again, &logs, d, NULL));
    ASSERT_TRUE(krt_logs_get(logs, "loss", &after));
    ASSERT_TRUE(before == after);
}

TEST(without_the_class_a_file_opens_and_says_what_training_needs)
{
    const krt_tensor *const x[] = {filled(t, KRT_SHAPE(12, 4)), filled(t, KRT_SHAPE(12, 3))};
    const krt_tensor *const y[] = {filled(t, KRT_SHAPE(12, 3)), filled(t, KRT_SHAPE(12, 2))};
    const krt_data *d = KRT_DATA(.num_x = 2, .x = x, .num_y = 2, .y = y);
    krt_model *m = NULL;

    ASSERT_OK(krt_load(t->k, &m, KERATIN_FIXTURES "/training/custom_scores.keras", NULL));
    ASSERT_STATUS(KRT_E_UNKNOWN_CLASS, krt_fit_data(m, d, NULL));
    ASSERT_SAYS(
        "Could not interpret loss identifier: tests>Quartic; compile the model with one that "
        "is known here, or add it with krt_register_loss()");
    ASSERT_OK(krt_register_loss(t->k, &quartic));
    ASSERT_OK(krt_register_loss(t->k, &tilted));
    ASSERT_STATUS(KRT_E_UNKNOWN_CLASS, krt_fit_data(m, d, NULL));
    ASSERT_SAYS("Could not interpret metric identifier: tests>Largest; compile the model with one "
                "that is known here, or add it with krt_register_metric()");
}

TEST(names_structs_and_callbacks_know_what_is_registered)
{
    const krt_tensor *x = filled(t, KRT_SHAPE(12, 4)), *y = filled(t, KRT_SHAPE(12, 2));
    const krt_logs *logs = NULL;
    krt_model *m = line(t);
    double fourth = 0, second = 0;

    ASSERT_OK(register_scores(t->k));
    ASSERT_OK(
        krt_compile(m, KRT_COMPILE(.loss = QUARTIC(.power = 2),
                                   .metrics = KRT_SPECS(KRT_ID("mse"), KRT_ID("tests>Largest")))));
    ASSERT_OK(krt_evaluate(m, &logs, x, y, NULL));
    ASSERT_TRUE(krt_logs_get(logs, "loss", &second) && krt_logs_get(logs, "mse", &fourth));
    ASSERT_TRUE(fabs(second - fourth) < 1e-7);
    const krti_conf *loss = krti_conf_get(krti_compile_config(m), "loss");
    ASSERT_STR_EQ("tests>Quartic", krti_conf_get_text(loss, "registered_name"));
    ASSERT_STR_EQ("Quartic", krti_conf_get_text(loss, "class_name"));
    ASSERT_TRUE(krti_conf_is_null(krti_conf_get(loss, "module")));
    ASSERT_TRUE(krt_logs_get(logs, "Largest", NULL));
    ASSERT_OK(krt_compile(
        m, KRT_COMPILE(.loss = KRT_ID("tests>tilted"),
                       .metrics = KRT_SPECS(KRT_METRIC("tests>Largest", .name = "worst")))));
    ASSERT_OK(
        krt_fit(m, x, y, KRT_FIT(.callbacks = KRT_SPECS(KRT_EARLY_STOPPING(.monitor = "worst")))));
    ASSERT_OK(krt_compile(m, KRT_COMPILE(.loss = KRT_ID("tests>tilted"),
                                         .metrics = KRT_SPECS(KRT_ID("tests>share_within")))));
    ASSERT_STATUS(
        KRT_E_INVALID,
        krt_fit(m, x, y,
                KRT_FIT(.callbacks = KRT_SPECS(KRT_EARLY_STOPPING(.monitor = "share_within")))));
    ASSERT_SAYS("EarlyStopping callback received monitor=share_within, but Keras isn't able to "
                "automatically determine whether that metric should be maximized or minimized. "
                "Pass `mode='max'` in order to monitor based on the highest metric value, or pass "
                "`mode='min'` in order to use the lowest value.");
}

static krt_status call_nothing(const krt_layer *l, const void *args, krt_call *c)
{
    (void)l;
    (void)args;
    (void)c;
    return KRT_OK;
}

static krt_status call_weight(const krt_layer *l, const void *args, krt_call *c)
{
    (void)l;
    (void)args;
    return krt_call_output(c, 0, krt_call_weight(c, "kernel"));
}

TEST(classes_that_cannot_be_used_are_refused)
{
    const krt_tensor *x = filled(t, KRT_SHAPE(12, 4)), *y = filled(t, KRT_SHAPE(12, 2));
    krt_layer_class loss = tilted;
    krt_metric_class metric = largest;
    krt_model *m = line(t);

    loss.call = NULL;
    ASSERT_STATUS(KRT_E_INVALID, krt_register_loss(t->k, &loss));
    ASSERT_SAYS("a loss class needs a call");
    loss.call = call_nothing;
    loss.struct_size = 8;
    ASSERT_STATUS(KRT_E_INVALID, krt_register_loss(t->k, &loss));
    ASSERT_SAYS("a loss class must begin with its struct_size");
    loss.struct_size = sizeof loss;
    loss.defaults = &(const krt_spec){sizeof(krt_spec), NULL};
    loss.num_fields = 0;
    ASSERT_STATUS(KRT_E_INVALID, krt_register_loss(t->k, &loss));
    ASSERT_SAYS("the arguments of a loss begin with KRT_LOSS_MEMBERS");
    metric.base.call = call_nothing;
    ASSERT_STATUS(KRT_E_INVALID, krt_register_metric(t->k, &metric));
    ASSERT_SAYS("a metric class needs either a call, or num_states, update and result");
    ASSERT_STATUS(KRT_E_INVALID, krt_register_metric(t->k, NULL));
    ASSERT_SAYS("a metric class must begin with its struct_size");
    loss = tilted;
    loss.call = call_nothing;
    ASSERT_OK(krt_register_loss(t->k, &loss));
    ASSERT_STATUS(KRT_E_EXISTS, krt_register_loss(t->k, &loss));
    ASSERT_SAYS("class tests>tilted is already registered");
    ASSERT_OK(krt_compile(m, KRT_COMPILE(.loss = KRT_ID("tests>tilted"))));
    ASSERT_STATUS(KRT_E_USER, krt_fit(m, x, y, NULL));
    ASSERT_SAYS("its call set no output");
    loss.call = call_weight;
    ASSERT_STATUS(KRT_E_INVALID, krt_fit(m, x, y, NULL));
    ASSERT_SAYS("there is no weight \"kernel\"");
}

int main(void)
{
    return RUN(UNIT(a_file_of_keras_trains_with_registered_losses_and_is_written_as_it_was),
               UNIT(without_the_class_a_file_opens_and_says_what_training_needs),
               UNIT(names_structs_and_callbacks_know_what_is_registered),
               UNIT(classes_that_cannot_be_used_are_refused));
}
