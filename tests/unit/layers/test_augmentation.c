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
        {KRT_ID("RandomErasing"),
         "RandomErasing acts in training, which this build does not run; take the layer out of the "
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
    krti_arena_free(&a);
}

int main(void)
{
    return RUN(UNIT(images_are_moved_and_coloured_as_keras_on_jax_does_with_the_same_seed),
               UNIT(arguments_that_keras_refuses_are_refused_when_images_are_to_be_changed),
               UNIT(every_image_of_a_batch_has_a_draw_of_its_own),
               UNIT(what_keras_has_a_default_for_is_written_for_it_to_read));
}
