/* Tests of src/layers/augmentation.c: what the layers do in training, beside what real Keras on JAX does with
 * the same seeds (fixtures/training/augmentation.json). */
#include "base/fs.h"
#include "tracing.h"

enum { MOST_VALUES = 512 };

static krt_shape read_shape(const krti_conf *c)
{
    krt_shape s = {.rank = (int)krti_conf_num(c)};

    for (int i = 0; i < s.rank; i++)
        assert_true(krti_conf_as_int(krti_conf_at(c, (size_t)i), &s.dim[i]));
    return s;
}

static size_t read_values(const krti_conf *c, float *out)
{
    const size_t n = krti_conf_num(c);

    assert_true(n <= MOST_VALUES);
    for (size_t i = 0; i < n; i++) {
        double v = 0;

        assert_true(krti_conf_as_float(krti_conf_at(c, i), &v));
        out[i] = (float)v;
    }
    return n;
}

typedef struct running {
    krti_graph *g;
    krti_plan *plan;
    krti_exec *exec;
    krt_value *in[1];
    krt_call c;
} running;

/* The layer in training on one batch. */
static krt_status start(krt_layer *l, running *r, krt_shape shape)
{
    krt_ctx *const k = l->owned.k;
    krt_status st = krti_graph_new(k, &r->g);

    assert_int_equal(st, KRT_OK);
    r->g->variables_change = true;
    r->in[0] = krti_input(r->g, KRT_FLOAT32, shape);
    r->c = (krt_call){.training = true, .num_in = 1, .in = r->in};
    st = krti_layer_trace(l, r->g, &r->c);
    if (st != KRT_OK) {
        krti_graph_free(r->g);
        return st;
    }
    assert_int_equal(krti_graph_add_output(r->g, r->c.out[0]), KRT_OK);
    assert_int_equal(
        krti_compile(k, &r->plan, r->g, NULL, &(const krti_compile_args){.threads = 1}), KRT_OK);
    assert_int_equal(krti_exec_new(k, &r->exec, r->plan), KRT_OK);
    return KRT_OK;
}

/* The seed of a layer is in its config, but where Keras leaves it out. */
static krt_status set_seed(void *user, krt_layer *l, krt_tensor *state)
{
    (void)l;
    ((uint32_t *)krt_tensor_data_mut(state))[0] = *(const uint32_t *)user;
    return KRT_OK;
}

static void run_row(testing *t, const krti_conf *row)
{
    const krt_shape shape = read_shape(krti_conf_get(row, "shape"));
    const krti_conf *const calls = krti_conf_get(row, "calls");
    krt_layer *l = NULL;
    running r = {.g = NULL};
    float x[MOST_VALUES], expected[MOST_VALUES];
    int64_t seed = 0;

    for (int64_t i = 0; i < krt_shape_size(shape); i++)
        x[i] = (float)((i * 37 + 11) % 101) * 2.5f;
    assert_true(krti_conf_as_int(krti_conf_get(row, "seed"), &seed));
    ASSERT_OK(krti_layer_from_conf(t->k, &l, krti_conf_get(row, "object"), 0));
    ASSERT_OK(krti_layer_each_seed(l, set_seed, &(uint32_t){(uint32_t)seed}));
    ASSERT_OK(start(l, &r, shape));
    for (size_t i = 0; i < krti_conf_num(calls); i++) {
        const size_t n = read_values(krti_conf_at(calls, i), expected);

        krti_exec_run(r.exec, (const void *[]){x});
        ASSERT_INT_EQ(krt_shape_size(r.c.out[0]->shape), n);
        for (size_t v = 0; v < n; v++)
            if (fabsf(((const float *)krti_exec_output(r.exec, 0))[v] - expected[v]) > 2e-3f)
                fail_msg("%s, call %zu: [%zu] is %.7g, Keras has %.7g", l->class_name, i, v,
                         (double)((const float *)krti_exec_output(r.exec, 0))[v],
                         (double)expected[v]);
    }
    krti_exec_free(r.exec);
    krti_plan_free(r.plan);
}

TEST(images_are_moved_and_coloured_as_keras_on_jax_does_with_the_same_seed)
{
    krti_arena a = KRTI_ARENA_INIT(t->k);
    const krti_conf *rows = read_conf(t, &a, KERATIN_FIXTURES "/training/augmentation.json");

    ASSERT_TRUE(krti_conf_num(rows) > 20);
    for (size_t i = 0; i < krti_conf_num(rows); i++)
        run_row(t, krti_conf_at(rows, i));
    krti_arena_free(&a);
}

TEST(arguments_that_keras_refuses_are_refused_when_images_are_to_be_changed)
{
    const struct {
        const krt_spec *spec;
        const char *says;
    } wrong[] = {
        {KRT_AUGMENTATION("RandomRotation", .factor = KRT_NUMBER(1.5)),
         "The `factor` argument should be a number (or a list of two numbers) in the range [-1, "
         "1]. "
         "Received: factor=1.5"},
        {KRT_AUGMENTATION("RandomZoom", .factor = KRT_NUMBER(1)),
         "The `height_factor` argument should be a number (or a list of two numbers) in the range "
         "[-1, 1]. Received: height_factor=None"},
        {KRT_AUGMENTATION("RandomTranslation", .height_factor = KRT_NUMBER(0.1),
                          .width_factor = KRT_NUMBERS(0.1, 0.2, 0.3)),
         "The `width_factor` argument should be a number (or a list of two numbers) in the range "
         "[-1, 1]. Received: width_factor=(0.1, 0.2, ...)"},
        {KRT_AUGMENTATION("RandomRotation", .factor = KRT_NUMBER(0.1), .fill_mode = "mirror"),
         "Unknown `fill_mode` mirror. Expected of one ('reflect', 'wrap', 'constant', 'nearest')"},
        {KRT_AUGMENTATION("RandomRotation", .factor = KRT_NUMBER(0.1), .interpolation = "cubic"),
         "Unknown `interpolation` cubic. Expected of one ('nearest', 'bilinear')"},
        {KRT_AUGMENTATION("RandomFlip", .mode = "diagonal"),
         "mode is \"diagonal\", expected \"horizontal\", \"vertical\" or "
         "\"horizontal_and_vertical\""},
        {KRT_AUGMENTATION("RandomBrightness", .factor = KRT_NUMBER(0.1),
                          .value_range = KRT_NUMBERS(1)),
         "The `value_range` argument should be a list of two numbers. Received 1"},
        {KRT_AUGMENTATION("RandomCrop", .height = 2), "height and width must be positive"},
        {KRT_AUGMENTATION("RandomPosterization", .factor = KRT_NUMBER(9)),
         "The `factor` argument should be a number (or a list of two numbers) in the range [1, 8]. "
         "Received: factor=9"},
        {KRT_AUGMENTATION("RandomGaussianBlur", .kernel_size = KRT_NUMBER(4)),
         "kernel_size must be an odd number, or two"},
        {KRT_AUGMENTATION("RandomErasing", .fill_values = KRT_NUMBERS(1, 2)),
         "The `fill_value` argument should be a number (or a list of three numbers)"},
        {KRT_AUGMENTATION("Equalization", .bins = 0), "bins must be positive"},
        {KRT_AUGMENTATION("AugMix", .num_chains = 0), "num_chains must be positive"},
        {KRT_ID("RandomHeight"),
         "RandomHeight acts in training, which this build does not run; take the layer out of the "
         "model, or augment the data before it comes here"},
    };

    for (size_t i = 0; i < KRTI_COUNT(wrong); i++) {
        running r = {.g = NULL};

        ASSERT_TRUE(start(layer_from(t->k, wrong[i].spec), &r, SHAPE(2, 4, 4, 3)) != KRT_OK);
        ASSERT_SAYS(wrong[i].says);
    }
}

TEST(every_image_of_a_batch_has_a_draw_of_its_own)
{
    krt_layer *l =
        layer_from(t->k, KRT_AUGMENTATION("RandomFlip", .mode = "horizontal", .seed = 1));
    enum { IMAGES = 64 };
    float x[IMAGES * 2];
    running r = {.g = NULL};
    int flipped = 0;

    for (int i = 0; i < IMAGES; i++) {
        x[2 * i] = 0;
        x[2 * i + 1] = 1;
    }
    ASSERT_OK(start(l, &r, SHAPE(IMAGES, 1, 2, 1)));
    krti_exec_run(r.exec, (const void *[]){x});
    for (int i = 0; i < IMAGES; i++)
        flipped += ((const float *)krti_exec_output(r.exec, 0))[2 * i] == 1;
    ASSERT_TRUE(flipped > IMAGES / 4 && flipped < IMAGES * 3 / 4);
    krti_exec_free(r.exec);
    krti_plan_free(r.plan);
}

/* What the layer makes of these images in `calls` steps of training, one after the other in y. */
static void act(testing *t, const krt_spec *spec, krt_shape shape, const float *x, float *y,
                int calls)
{
    const size_t n = (size_t)krt_shape_size(shape);
    running r = {.g = NULL};

    ASSERT_OK(start(layer_from(t->k, spec), &r, shape));
    ASSERT_INT_EQ(n, krt_shape_size(r.c.out[0]->shape));
    for (int i = 0; i < calls; i++, y += n) {
        krti_exec_run(r.exec, (const void *[]){x});
        memcpy(y, krti_exec_output(r.exec, 0), n * sizeof *y);
    }
    krti_exec_free(r.exec);
    krti_plan_free(r.plan);
}

/* Image i holds i and i * i, so that what two of them are mixed to tells which and how much. */
TEST(mix_up_takes_another_image_of_the_batch_and_a_share_from_a_beta_distribution)
{
    enum { IMAGES = 40, CALLS = 100 };
    static float x[IMAGES * 2], y[CALLS * IMAGES * 2];
    double sum = 0, squares = 0;
    int own = 0, num = 0, first_takes[IMAGES] = {0};

    for (int i = 0; i < IMAGES; i++) {
        x[2 * i] = (float)i;
        x[2 * i + 1] = (float)(i * i);
    }
    act(t, KRT_AUGMENTATION("MixUp", .alpha = 0.5, .seed = 3), SHAPE(IMAGES, 1, 1, 2), x, y, CALLS);
    for (int c = 0; c < CALLS; c++) {
        for (int i = 0; i < IMAGES; i++) {
            const double a = (double)y[(c * IMAGES + i) * 2] - i;
            const double b = (double)y[(c * IMAGES + i) * 2 + 1] - i * i;
            const double j = fabs(a) > 0.05 ? b / a - i : i;
            const double share = 1 - a / (j - i);

            own += fabs(a) <= 0.05;
            if (fabs(a) <= 0.05)
                continue;
            assert_true(fabs(j - round(j)) < 0.05 && share > -0.01 && share < 1.01);
            if (i == 0)
                first_takes[(int)round(j)]++;
            sum += share;
            squares += (share - 0.5) * (share - 0.5);
            num++;
        }
    }
    assert_true(own > 0 && own < CALLS * IMAGES / 5);
    assert_true(fabs(sum / num - 0.5) < 0.04);
    /* of Beta(1/2, 1/2) 1/8, less what is left out above with shares close to 1 */
    assert_true(fabs(squares / num - 0.125) < 0.015);
    for (int j = 1; j < IMAGES; j++)
        assert_true(first_takes[j] < 20); /* 2.5 of 100 each */
}

TEST(cut_mix_cuts_a_box_out_of_another_image)
{
    enum { IMAGES = 16, SIDE = 20, CALLS = 40, PIXELS = SIDE * SIDE };
    static float x[IMAGES * PIXELS], y[CALLS * IMAGES * PIXELS];
    double share = 0;
    int others = 0;

    for (int i = 0; i < IMAGES * PIXELS; i++)
        x[i] = (float)(i / PIXELS);
    act(t, KRT_AUGMENTATION("CutMix", .seed = 5), SHAPE(IMAGES, SIDE, SIDE, 1), x, y, CALLS);
    for (int n = 0; n < CALLS * IMAGES; n++) {
        const float *image = y + n * PIXELS;
        int top = SIDE, bottom = -1, left = SIDE, right = -1, cut = 0;

        for (int i = 0; i < PIXELS; i++) {
            if (image[i] == (float)(n % IMAGES))
                continue;
            top = i / SIDE < top ? i / SIDE : top;
            left = i % SIDE < left ? i % SIDE : left;
            bottom = i / SIDE > bottom ? i / SIDE : bottom;
            right = i % SIDE > right ? i % SIDE : right;
            cut++;
        }
        assert_int_equal(cut, cut == 0 ? 0 : (bottom - top + 1) * (right - left + 1));
        for (int i = 0; cut > 0 && i < PIXELS; i++)
            assert_true(image[i] == (float)(n % IMAGES) || image[i] == image[top * SIDE + left]);
        others += cut > 0;
        share += (double)cut / PIXELS;
    }
    /* a sixteenth meets itself, and of half of the others more than half is cut out */
    assert_true(others > CALLS * IMAGES / 2);
    assert_true(fabs(share / (CALLS * IMAGES) - 0.5 * 15 / 16) < 0.06);
}

TEST(posterization_keeps_a_drawn_number_of_bits)
{
    enum { IMAGES = 200 };
    static float x[IMAGES * 3], y[IMAGES * 3];
    int of_bits[9] = {0};

    for (int i = 0; i < IMAGES * 3; i++)
        x[i] = (float[3]){255, 127.9f, 3}[i % 3];
    act(t, KRT_AUGMENTATION("RandomPosterization", .factor = KRT_NUMBERS(2, 6), .seed = 1),
        SHAPE(IMAGES, 1, 1, 3), x, y, 1);
    for (int i = 0; i < IMAGES; i++) {
        const int bits = 8 - (int)log2(256 - (double)y[3 * i]), step = 1 << (8 - bits);

        assert_true(bits >= 2 && bits < 6);
        assert_true(y[3 * i + 1] == (float)(127 / step * step));
        assert_true(y[3 * i + 2] == (float)(3 / step * step));
        of_bits[bits]++;
    }
    for (int bits = 2; bits < 6; bits++)
        assert_true(of_bits[bits] > IMAGES / 8);
}

/* With a single layer's worth of change at most, an image is what it was or what one layer makes of it;
 * over many steps most of eleven layers have come up. */
TEST(rand_augment_changes_the_batch_by_another_layer_in_every_step)
{
    enum { SIDE = 6, CALLS = 60, N = SIDE * SIDE * 3 };
    static float x[N], y[CALLS * N];
    int different = 0;

    for (int i = 0; i < N; i++)
        x[i] = (float)((i * 37 + 11) % 101) * 2.5f;
    act(t, KRT_AUGMENTATION("RandAugment", .num_ops = 1, .seed = 2), SHAPE(1, SIDE, SIDE, 3), x, y,
        CALLS);
    for (int c = 0; c < CALLS; c++) {
        for (int i = 0; i < N; i++)
            assert_true(isfinite(y[c * N + i]));
        different += memcmp(x, y + c * N, sizeof x) != 0;
    }
    assert_true(different > CALLS / 2);
    act(t, KRT_AUGMENTATION("RandAugment", .num_ops = 0, .seed = 2), SHAPE(1, SIDE, SIDE, 3), x, y,
        1);
    assert_memory_equal(x, y, sizeof x);
}

/* Chains that do nothing leave the image; the weights of chains sum to 1. */
TEST(aug_mix_mixes_chains_by_weights_that_sum_to_one)
{
    enum { N = 5 * 5 * 3 };
    static float x[N], y[4 * N];
    int different = 0;

    for (int i = 0; i < N; i++)
        x[i] = (float)((i * 37 + 11) % 101) * 2.5f;
    act(t, KRT_AUGMENTATION("AugMix", .chain_depth = 0, .seed = 2), SHAPE(1, 5, 5, 3), x, y, 4);
    ASSERT_NEAR(x, y + 3 * N, N, 1e-5, 1e-4);
    act(t, KRT_AUGMENTATION("AugMix", .seed = 2), SHAPE(1, 5, 5, 3), x, y, 4);
    for (int i = 0; i < 4 * N; i++) {
        assert_true(y[i] >= 0 && y[i] <= 255);
        different += fabsf(y[i] - x[i % N]) > 1;
    }
    assert_true(different > N);
    assert_memory_not_equal(y, y + N, sizeof x);
}

TEST(what_keras_has_a_default_for_is_written_for_it_to_read)
{
    krti_arena a = KRTI_ARENA_INIT(t->k);
    const char *json = json_of(
        &a, krti_layer_to_conf(&a, layer_from(t->k, KRT_AUGMENTATION("Solarization", .seed = 1))));

    ASSERT_TRUE(strstr(json, "\"value_range\": [0.0, 255.0]") != NULL &&
                strstr(json, "\"addition_factor\": 0.0") != NULL);
    json = json_of(
        &a, krti_layer_to_conf(&a, layer_from(t->k, KRT_AUGMENTATION("RandomInvert", .seed = 1))));
    ASSERT_TRUE(strstr(json, "\"factor\": 1.0") != NULL);
    json = json_of(
        &a, krti_layer_to_conf(&a, layer_from(t->k, KRT_AUGMENTATION("RandomErasing", .seed = 1))));
    ASSERT_TRUE(strstr(json, "\"scale\": [0.02, 0.33]") != NULL &&
                strstr(json, "\"fill_value\": null") != NULL);
    krti_arena_free(&a);
}

int main(void)
{
    return RUN(UNIT(images_are_moved_and_coloured_as_keras_on_jax_does_with_the_same_seed),
               UNIT(arguments_that_keras_refuses_are_refused_when_images_are_to_be_changed),
               UNIT(every_image_of_a_batch_has_a_draw_of_its_own),
               UNIT(mix_up_takes_another_image_of_the_batch_and_a_share_from_a_beta_distribution),
               UNIT(cut_mix_cuts_a_box_out_of_another_image),
               UNIT(posterization_keeps_a_drawn_number_of_bits),
               UNIT(rand_augment_changes_the_batch_by_another_layer_in_every_step),
               UNIT(aug_mix_mixes_chains_by_weights_that_sum_to_one),
               UNIT(what_keras_has_a_default_for_is_written_for_it_to_read));
}
