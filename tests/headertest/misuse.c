/* What a caller may get wrong and the compiler must say. headertest/run.sh compiles this file once
 * without any case, which must pass, and once with each CASE_ alone, which must fail under -Wall
 * -Wextra -Werror. Keras finds most of these while running, as a TypeError. */
#include <keratin/keratin.h>

int good(krt_ctx *k, krt_model *m);

int good(krt_ctx *k, krt_model *m)
{
    krt_model *other = NULL;

    (void)krt_load(k, &other, "a.keras", KRT_LOAD());
    (void)krt_load(k, &other, "a.keras", KRT_LOAD(.config = "a.json"));
    (void)krt_ctx_set_threads(k, 2);
    (void)krt_add(m, KRT_CONV2D(32, {3, 3}, .activation = "relu", .use_bias = false));
    (void)krt_add(m, KRT_BATCH_NORMALIZATION(.momentum = 0.9));
    (void)krt_add(m, KRT_FLATTEN());
    (void)krt_add(m, KRT_DENSE(10, .kernel_initializer = KRT_HE_NORMAL(.seed = 1)));
    return krt_add_input(m, KRT_SHAPE(28, 28, 1), KRT_INPUT(.name = "image")) == KRT_OK;
}

#ifdef CASE_misspelled_option
int bad(krt_ctx *k, krt_model **m);
int bad(krt_ctx *k, krt_model **m)
{
    return krt_load(k, m, "a.keras", KRT_LOAD(.configuration = "a.json")) == KRT_OK;
}
#endif

#ifdef CASE_args_of_another_function
int bad(krt_ctx *k, krt_model **m);
int bad(krt_ctx *k, krt_model **m)
{
    return krt_load(k, m, "a.keras", KRT_PREDICT(.batch_size = 1)) == KRT_OK;
}
#endif

#ifdef CASE_position_in_load
int bad(krt_ctx *k, krt_model **m);
int bad(krt_ctx *k, krt_model **m)
{
    return krt_load(k, m, "a.keras", KRT_LOAD("a.json")) == KRT_OK;
}
#endif

#ifdef CASE_position_in_predict
int bad(krt_model *m, krt_tensor **y, const krt_tensor *x);
int bad(krt_model *m, krt_tensor **y, const krt_tensor *x)
{
    return krt_predict(m, y, x, KRT_PREDICT(32, 1)) == KRT_OK;
}
#endif

#ifdef CASE_misspelled_layer_argument
int bad(krt_model *m);
int bad(krt_model *m)
{
    return krt_add(m, KRT_CONV2D(32, {3, 3}, .filter = 3)) == KRT_OK;
}
#endif

#ifdef CASE_required_argument_left_out
int bad(krt_model *m);
int bad(krt_model *m)
{
    return krt_add(m, KRT_CONV2D()) == KRT_OK;
}
#endif

#ifdef CASE_text_for_a_number
int bad(krt_model *m);
int bad(krt_model *m)
{
    return krt_add(m, KRT_DENSE("32")) == KRT_OK;
}
#endif

#ifdef CASE_position_in_flatten
int bad(krt_model *m);
int bad(krt_model *m)
{
    return krt_add(m, KRT_FLATTEN("channels_last")) == KRT_OK;
}
#endif

#ifdef CASE_position_in_batch_normalization
int bad(krt_model *m);
int bad(krt_model *m)
{
    return krt_add(m, KRT_BATCH_NORMALIZATION(0.9)) == KRT_OK;
}
#endif

#ifdef CASE_tensor_for_a_model
int bad(krt_model *m, krt_tensor *y, const krt_tensor *x);
int bad(krt_model *m, krt_tensor *y, const krt_tensor *x)
{
    return krt_predict(m, y, x, NULL) == KRT_OK;
}
#endif
