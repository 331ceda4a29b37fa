/* krt_summary() against what real Keras printed (fixtures/summary, see fixtures/README.md), and what
 * Keras does not print: models that cannot run, bad lengths, short memory. */
#include "failing.h"
#include "models/summary.h"
#include <keratin/keratin.h>

#include <dirent.h>

/* ------------------------------------------------------------------------------- real Keras */

static const struct variant {
    const char *suffix;
    bool own_width; /* line_length is the width of the table in the file */
    krt_summary_args args;
} variants[] = {
    {".txt", false, {.line_length = 0}},
    {".wide.txt", true, {.line_length = 0}},
    {".100.txt", false, {.line_length = 100}},
    {".nested.txt", true, {.expand_nested = true}},
    {".trainable.txt", true, {.show_trainable = true}},
    {".both.txt", false, {.line_length = 120, .expand_nested = true, .show_trainable = true}},
};

static char *read_text(const char *path)
{
    FILE *const f = fopen(path, "rb");
    char *text = NULL;
    size_t n = 0;

    if (f == NULL)
        return NULL;
    text = calloc(1, 1 << 20);
    assert_non_null(text);
    n = fread(text, 1, (1 << 20) - 1, f);
    fclose(f);
    assert_true(n > 0 && n < (1 << 20) - 1);
    return text;
}

/* Characters of the second line. */
static int table_width(const char *text)
{
    int n = 0;

    for (const char *p = strchr(text, '\n') + 1; *p != '\n' && *p != '\0'; p++)
        n += ((unsigned char)*p & 0xc0) != 0x80;
    return n;
}

static void check_variants(testing *t, krt_model *m, const char *stem)
{
    size_t checked = 0;

    for (size_t i = 0; i < KRTI_COUNT(variants); i++) {
        char path[600], *found = NULL;
        krt_summary_args args = variants[i].args;

        snprintf(path, sizeof path, "%s%s", stem, variants[i].suffix);
        char *const expected = read_text(path);
        if (expected == NULL) /* the two large models have some variants only */
            continue;
        args.struct_size = sizeof args;
        if (variants[i].own_width)
            args.line_length = table_width(expected);
        ASSERT_OK(krt_summary(m, &found, &args));
        if (strcmp(expected, found) != 0)
            print_error("%s: expected\n%s\nfound\n%s\n", path, expected, found);
        ASSERT_STR_EQ(expected, found);
        krt_free(t->k, found);
        free(expected);
        checked++;
    }
    assert_true(checked >= 2);
}

TEST(summaries_are_those_of_keras_character_for_character)
{
    DIR *const folder = opendir(KERATIN_FIXTURES "/summary");
    size_t checked = 0;

    assert_non_null(folder);
    for (struct dirent *e = readdir(folder); e != NULL; e = readdir(folder)) {
        char path[600];
        krt_model *m = NULL;
        char *const dot = strrchr(e->d_name, '.');

        if (dot == NULL ||
            (strcmp(dot, ".keras") != 0 && strcmp(dot, ".h5") != 0 && strcmp(dot, ".json") != 0))
            continue;
        snprintf(path, sizeof path, "%s/summary/%s", KERATIN_FIXTURES, e->d_name);
        *dot = '\0';
        ASSERT_OK(krt_load(t->k, &m, path, KRT_LOAD(.config_only = true)));
        *strrchr(path, '.') = '\0';
        check_variants(t, m, path);
        krt_model_free(m);
        checked++;
    }
    closedir(folder);
    assert_true(checked >= 32);
}

static char *last_line(testing *t, krt_model *m, char line[80])
{
    char *text = NULL, *end = NULL;

    ASSERT_OK(krt_summary(m, &text, NULL));
    end = strrchr(text, '\n');
    assert_non_null(end);
    *end = '\0';
    snprintf(line, 80, "%s", strrchr(text, '\n') + 1);
    krt_free(t->k, text);
    return line;
}

/* Keras counts an optimizer from its first step on, and by what it was built for. */
TEST(an_optimizer_is_counted_once_it_is_built)
{
    krt_model *m = krt_sequential(t->k, NULL);
    krt_tensor *x = NULL, *y = NULL;
    char line[80];

    ASSERT_OK(krt_tensor_new(t->k, &x, KRT_FLOAT32, KRT_SHAPE(2, 4)));
    ASSERT_OK(krt_tensor_new(t->k, &y, KRT_FLOAT32, KRT_SHAPE(2, 2)));
    ASSERT_OK(krt_add_input(m, KRT_SHAPE(4), NULL));
    ASSERT_OK(krt_add(m, KRT_DENSE(3)));
    ASSERT_OK(krt_add(m, KRT_DENSE(2)));
    ASSERT_OK(krt_compile(m, KRT_COMPILE(.optimizer = KRT_ADAM(), .loss = KRT_ID("mse"))));
    ASSERT_STR_EQ(" Non-trainable params: 0 (0.00 B)", last_line(t, m, line));
    ASSERT_OK(krt_fit(m, x, y, NULL));
    ASSERT_STR_EQ(" Optimizer params: 48 (196.00 B)", last_line(t, m, line));
    krt_layer_set_trainable(krt_model_layer(m, 0), false);
    ASSERT_STR_EQ(" Optimizer params: 48 (196.00 B)", last_line(t, m, line));
    ASSERT_OK(krt_compile(m, KRT_COMPILE(.optimizer = KRT_SGD(), .loss = KRT_ID("mse"))));
    ASSERT_STR_EQ(" Non-trainable params: 15 (60.00 B)", last_line(t, m, line));
    krt_tensor_free(x);
    krt_tensor_free(y);
}

/* ------------------------------------------------------------------------------- models made here */

static krt_model *from_json(testing *t, const char *json)
{
    krt_model *m = NULL;

    ASSERT_OK(krt_from_json(t->k, &m, json, NULL));
    return m;
}

static void assert_summary(testing *t, krt_model *m, const char *expected,
                           const krt_summary_args *args)
{
    char *found = NULL;

    ASSERT_OK(krt_summary(m, &found, args));
    ASSERT_STR_EQ(expected, found);
    krt_free(t->k, found);
}

static void assert_says(testing *t, krt_model *m, const char *text, const krt_summary_args *args)
{
    char *found = NULL;

    ASSERT_OK(krt_summary(m, &found, args));
    if (strstr(found, text) == NULL)
        print_error("expected \"%s\" in\n%s\n", text, found);
    ASSERT_TRUE(strstr(found, text) != NULL);
    krt_free(t->k, found);
}

#define DENSE(name, units)                                                                     \
    "{\"module\": \"keras.layers\", \"class_name\": \"Dense\", \"config\": {\"name\": \"" name \
    "\", \"units\": " #units "}}"
#define RELU \
    "{\"module\": \"keras.layers\", \"class_name\": \"ReLU\", \"config\": {\"name\": \"re_lu\"}}"
#define INPUT(shape)                                                               \
    "{\"module\": \"keras.layers\", \"class_name\": \"InputLayer\", \"config\": {" \
    "\"batch_shape\": " shape ", \"dtype\": \"float32\", \"name\": \"x\"}}"
#define SEQUENTIAL(layers)                                                                   \
    "{\"module\": \"keras\", \"class_name\": \"Sequential\", \"config\": {\"name\": \"m\", " \
    "\"layers\": [" layers "]}}"

TEST(a_model_without_an_input_has_no_shapes_and_no_weights)
{
    krt_model *m = from_json(t, SEQUENTIAL(DENSE("dense", 3) "," RELU));

    assert_summary(t, m,
                   "Model: \"m\"\n"
                   "┏━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━┳━━━━━━━━┓\n"
                   "┃                  ┃              ┃  Param ┃\n"
                   "┃ Layer (type)     ┃ Output Shape ┃      # ┃\n"
                   "┡━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━╇━━━━━━━━┩\n"
                   "│ dense (Dense)    │ ?            │      0 │\n"
                   "│                  │              │ (unbu… │\n"
                   "├──────────────────┼──────────────┼────────┤\n"
                   "│ re_lu (ReLU)     │ ?            │      0 │\n"
                   "└──────────────────┴──────────────┴────────┘\n"
                   " Total params: 0 (0.00 B)\n"
                   " Trainable params: 0 (0.00 B)\n"
                   " Non-trainable params: 0 (0.00 B)\n",
                   KRT_SUMMARY(.line_length = 44));
}

TEST(a_custom_layer_has_no_shape_and_hides_what_the_file_does_not_say)
{
    krt_model *m = from_json(
        t, "{\"module\": \"keras\", \"class_name\": \"Sequential\", \"config\": {\"name\": \"m\", "
           "\"layers\": [" INPUT("[null, 4]") "," DENSE(
               "first", 3) ","
                           "{\"module\": null, \"class_name\": \"Mine\", \"registered_name\": "
                           "\"my>Mine\", \"config\": "
                           "{\"name\": \"mine\"}},"
                           "{\"module\": \"keras.layers\", \"class_name\": \"Dense\", \"config\": "
                           "{\"name\": \"then\", "
                           "\"units\": 2}, \"build_config\": {\"input_shape\": [null, 7]}}," DENSE(
                               "last", 2) "]}, "
                                          "\"compile_config\": {\"optimizer\": \"adam\"}}");

    assert_summary(t, m,
                   "Model: \"m\"\n"
                   "┏━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━┳━━━━━━━━━━┓\n"
                   "┃ Layer (type)          ┃ Output Shape    ┃  Param # ┃\n"
                   "┡━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━╇━━━━━━━━━━┩\n"
                   "│ first (Dense)         │ (None, 3)       │       15 │\n"
                   "├───────────────────────┼─────────────────┼──────────┤\n"
                   "│ mine (Mine)           │ ?               │        0 │\n"
                   "│                       │                 │ (unbuil… │\n"
                   "├───────────────────────┼─────────────────┼──────────┤\n"
                   "│ then (Dense)          │ ?               │       16 │\n"
                   "├───────────────────────┼─────────────────┼──────────┤\n"
                   "│ last (Dense)          │ ?               │        0 │\n"
                   "│                       │                 │ (unbuil… │\n"
                   "└───────────────────────┴─────────────────┴──────────┘\n"
                   " Total params: 31 (124.00 B)\n"
                   " Trainable params: 31 (124.00 B)\n"
                   " Non-trainable params: 0 (0.00 B)\n",
                   KRT_SUMMARY(.line_length = 54));
}

TEST(a_model_that_is_python_code_has_no_rows)
{
    krt_model *m = from_json(t, "{\"module\": \"mine\", \"class_name\": \"Mine\", \"config\": "
                                "{\"name\": \"mine\"}, \"registered_name\": \"Mine\"}");

    assert_summary(t, m,
                   "Model: \"mine\"\n"
                   "┏━━━━━━━━━━━━━┳━━━━━━━━━┳━━━━━━┓\n"
                   "┃ Layer       ┃ Output  ┃ Par… ┃\n"
                   "┃ (type)      ┃ Shape   ┃    # ┃\n"
                   "┡━━━━━━━━━━━━━╇━━━━━━━━━╇━━━━━━┩\n"
                   "└─────────────┴─────────┴──────┘\n"
                   " Total params: 0 (0.00 B)\n"
                   " Trainable params: 0 (0.00 B)\n"
                   " Non-trainable params: 0 (0.00 B)\n",
                   KRT_SUMMARY(.line_length = 32));
}

TEST(calls_are_numbered_by_layer_whichever_model_they_are_for)
{
    krt_ktensor *a = krt_input(t->k, KRT_SHAPE(4), KRT_INPUT(.name = "a"));
    krt_ktensor *b = krt_input(t->k, KRT_SHAPE(4), KRT_INPUT(.name = "b"));
    krt_layer *dense = krt_layer_new(t->k, KRT_DENSE(2, .name = "shared"));
    krt_ktensor *of_a = krt_call_layer(dense, a), *of_b = krt_call_layer(dense, b);
    krt_ktensor *again = krt_call_layer(dense, a);
    krt_ktensor *sum = krt_apply_n(KRT_KTENSORS(of_b, again), KRT_ADD(.name = "sum"));
    krt_model *first = krt_functional(t->k, KRT_KTENSORS(a), KRT_KTENSORS(of_a), NULL);
    krt_model *m = krt_functional(t->k, KRT_KTENSORS(a, b), KRT_KTENSORS(sum), NULL);

    assert_non_null(first);
    assert_non_null(m);
    assert_says(t, m, "│ b[0][0], a[0][0]", NULL);
    assert_says(t, m,
                "│ shared[1][0],     │\n│                     │                   │            "
                "│ shared[2][0]      │\n",
                NULL);
    assert_says(t, first,
                "│ shared (Dense)                  │ (None, 2)              │            10 │",
                NULL);
}

TEST(shapes_are_those_that_keras_claims)
{
    krt_ktensor *x = krt_input(t->k, KRT_SHAPE(2, 3, 5), KRT_INPUT(.name = "x"));
    krt_ktensor *unknown =
        krt_apply(x, KRT_EINSUM_DENSE("abcd,de->abce", .output_shape = KRT_SHAPE(KRT_NONE, 3, 4),
                                      .name = "unknown"));
    krt_ktensor *behind = krt_apply(unknown, KRT_DENSE(6, .name = "behind"));
    krt_ktensor *turned = krt_apply(
        x, KRT_EINSUM_DENSE("...x,xy->...y", .output_shape = KRT_SHAPE(4), .name = "turned"));
    krt_ktensor *glu = krt_apply(x, KRT_DENSE(8, .activation = "glu", .name = "glu"));
    krt_model *m = krt_functional(t->k, KRT_KTENSORS(x), KRT_KTENSORS(behind, turned, glu), NULL);

    assert_non_null(m);
    assert_says(t, m, "│ unknown             │ (None, None, 3,   │", NULL);
    assert_says(t, m, "│ behind (Dense)      │ (None, None, 3,   │", NULL);
    assert_says(t, m, "│ turned              │ (None, 3, 2, 4)   │", NULL);
    assert_says(t, m, "│ glu (Dense)         │ (None, 2, 3, 8)   │", NULL);
    ASSERT_INT_EQ(4, krt_model_output_shape(m, 2).dim[3]); /* what comes out */
}

/* At inference the images stay, as in Keras; then a layer that is built for the crop cannot be called. */
TEST(what_stands_behind_a_random_crop_is_built_for_its_size)
{
    static const float images[2 * 6 * 8];
    krt_tensor *x = NULL, *y = NULL;
    krt_model *m = krt_sequential(t->k, NULL);

    krt_add_input(m, KRT_SHAPE(6, 8, 1), NULL);
    krt_add(m, KRT_AUGMENTATION("RandomCrop", .height = 3, .width = 4, .seed = 1));
    krt_add(m, KRT_FLATTEN());
    ASSERT_OK(krt_add(m, KRT_DENSE(2)));
    assert_says(t, m, "│ random_crop (RandomCrop)        │ (None, 3, 4, 1)        │", NULL);
    assert_says(
        t, m, "│ dense (Dense)                   │ (None, 2)              │            26 │", NULL);
    ASSERT_INT_EQ(6, krt_model_input_shape(m, 0).dim[1]);
    ASSERT_OK(krt_tensor_wrap(t->k, &x, KRT_FLOAT32, KRT_SHAPE(2, 6, 8, 1), images));
    ASSERT_TRUE(krt_predict(m, &y, x, NULL) != KRT_OK);
    ASSERT_OK(krt_compile(m, KRT_COMPILE(.loss = KRT_ID("mse"))));
    ASSERT_OK(krt_tensor_new(t->k, &y, KRT_FLOAT32, KRT_SHAPE(2, 2)));
    ASSERT_OK(krt_fit(m, x, y, KRT_FIT(.epochs = 1, .batch_size = 2)));

    krt_ktensor *in = krt_input(t->k, KRT_SHAPE(1, 6, 8), NULL);
    krt_ktensor *crop = krt_apply(in, KRT_AUGMENTATION("RandomCrop", .height = 3, .width = 4,
                                                       .data_format = "channels_first"));
    krt_model *f =
        krt_functional(t->k, KRT_KTENSORS(in), KRT_KTENSORS(krt_apply(crop, KRT_FLATTEN())), NULL);

    ASSERT_TRUE(f != NULL);
    ASSERT_INT_EQ(12, krt_model_output_shape(f, 0).dim[1]);
    ASSERT_INT_EQ(8, krt_model_input_shape(f, 0).dim[3]);
}

TEST(a_compiled_model_counts_what_its_optimizer_keeps)
{
    static const struct {
        const char *optimizer, *line;
    } cases[] = {
        {"\"adam\"", " Optimizer params: 32 (132.00 B)\n"},
        {"{\"class_name\": \"Adam\", \"config\": {\"amsgrad\": true}}",
         " Optimizer params: 47 (192.00 B)\n"},
        {"{\"class_name\": \"SGD\", \"config\": {\"momentum\": 0.0}}",
         " Optimizer params: 2 (12.00 B)\n"},
        {"{\"class_name\": \"SGD\", \"config\": {\"momentum\": 0.9, \"use_ema\": true}}",
         " Optimizer params: 32 (132.00 B)\n"},
        {"{\"class_name\": \"Adafactor\", \"config\": {}}", " Optimizer params: 26 (108.00 B)\n"},
        {"{\"class_name\": \"Muon\", \"config\": {}}", " Optimizer params: 20 (84.00 B)\n"},
        {"{\"class_name\": \"RMSprop\", \"config\": {\"learning_rate\": {\"class_name\": "
         "\"CosineDecay\", \"config\": {}}, \"centered\": true}}",
         " Optimizer params: 31 (128.00 B)\n"},
        {"{\"class_name\": \"LossScaleOptimizer\", \"config\": {\"inner_optimizer\": "
         "{\"class_name\": \"Nadam\", \"config\": {}}}}",
         " Optimizer params: 37 (160.00 B)\n"},
        {"{\"class_name\": \"MyOwn\", \"config\": {}}", NULL},
    };

    for (size_t i = 0; i < KRTI_COUNT(cases); i++) {
        char json[2000], *text = NULL;

        snprintf(json, sizeof json,
                 "{\"module\": \"keras\", \"class_name\": \"Sequential\", \"config\": {\"name\": "
                 "\"m\", \"layers\": [%s, %s]}, \"compile_config\": {\"optimizer\": %s}}",
                 INPUT("[null, 4]"), DENSE("dense", 3), cases[i].optimizer);
        krt_model *m = from_json(t, json);
        ASSERT_OK(krt_summary(m, &text, NULL));
        const char *const line = strstr(text, " Optimizer params");
        if (cases[i].line == NULL)
            assert_null(line);
        else
            ASSERT_STR_EQ(cases[i].line, line != NULL ? line : "no such line");
        krt_free(t->k, text);
        krt_model_free(m);
    }
}

TEST(a_line_too_short_or_too_long_is_refused)
{
    krt_model *m = from_json(t, SEQUENTIAL(INPUT("[null, 4]") "," DENSE("dense", 3)));
    char *text = NULL;

    for (int length = -1; length <= 15; length += 8) {
        ASSERT_STATUS(KRT_E_INVALID, krt_summary(m, &text, KRT_SUMMARY(.line_length = length)));
        ASSERT_SAYS("Insufficient console width to print summary");
        assert_null(text);
    }
    ASSERT_STATUS(KRT_E_INVALID, krt_summary(m, &text, KRT_SUMMARY(.line_length = 1000000)));
    ASSERT_SAYS("line_length is 1000000, at most 65536 is possible");
    ASSERT_OK(krt_summary(m, &text, KRT_SUMMARY(.line_length = 65536)));
    ASSERT_INT_EQ(65536, table_width(text));
    krt_free(t->k, text);
}

static krt_status summarize(krt_ctx *k, void *argument)
{
    krt_model *m = NULL;
    char *text = NULL;
    krt_status st = krt_load(k, &m, argument, KRT_LOAD(.config_only = true));

    if (st == KRT_OK)
        st = krt_summary(m, &text, KRT_SUMMARY(.expand_nested = true, .show_trainable = true));
    krt_free(k, text);
    krt_model_free(m);
    return st;
}

TEST(short_memory_is_an_error_and_leaves_nothing_behind)
{
    const size_t n =
        FAILING_SWEEP(summarize, (void *)KERATIN_FIXTURES "/summary/two_outputs.keras");

    assert_true(n > 100);
}

/* ------------------------------------------------------------------------------- texts */

static void assert_wrapped(testing *t, const char *markup, size_t width, krti_justify justify,
                           const char *expected)
{
    krti_str s = KRTI_STR_INIT(t->k);
    size_t lines = 0, found = 0;

    ASSERT_OK(krti_markup_wrap(&s, markup, width, justify, &lines));
    ASSERT_STR_EQ(expected, krti_str_text(&s));
    for (const char *p = expected; *p != '\0'; p++)
        found += *p == '\n';
    ASSERT_INT_EQ(found, lines);
    krti_str_free(&s);
}

TEST(texts_break_at_spaces_and_end_in_an_ellipsis)
{
    assert_wrapped(t, "one two three", 8, KRTI_JUSTIFY_LEFT, "one two \nthree   \n");
    assert_wrapped(t, "one two three", 8, KRTI_JUSTIFY_RIGHT, " one two\n   three\n");
    assert_wrapped(t, "one two three", 8, KRTI_JUSTIFY_CENTER, "one two \n three  \n");
    assert_wrapped(t, "a verylongword b", 6, KRTI_JUSTIFY_LEFT, "a     \nveryl…\nb     \n");
    assert_wrapped(t, "verylongword", 1, KRTI_JUSTIFY_LEFT, "…\n");
    assert_wrapped(t, "a verylongword b", 6, KRTI_JUSTIFY_NONE, "a \nverylo\nngword\n b\n");
    assert_wrapped(t, "", 3, KRTI_JUSTIFY_LEFT, "   \n");
    assert_wrapped(t, "ab", 0, KRTI_JUSTIFY_LEFT, "");
    assert_wrapped(t, "a\n\nb\n", 2, KRTI_JUSTIFY_LEFT, "a \n  \nb \n  \n");
    assert_wrapped(t, "ab\tc\a", 10, KRTI_JUSTIFY_LEFT, "ab      c \n");
}

TEST(tags_go_and_what_is_escaped_stays)
{
    static const char *const names[] = {"[bold]", "\\[red]", "a [x]b", "x\\\\", "[[a]", "[/]"};

    assert_wrapped(t, "[bold]a[/][[color(34)]0[/]]", 20, KRTI_JUSTIFY_NONE, "a[0]\n");
    assert_wrapped(t, "dense[bold]", 20, KRTI_JUSTIFY_NONE, "dense\n");
    assert_wrapped(t, "[Bold] [1] [ [] \\[ \\\\[b]", 30, KRTI_JUSTIFY_NONE,
                   "[Bold] [1] [ [] [ \\\n");
    for (size_t i = 0; i < KRTI_COUNT(names); i++) {
        krti_str escaped = KRTI_STR_INIT(t->k);
        char expected[32];

        snprintf(expected, sizeof expected, "%s\n", names[i]);
        ASSERT_OK(krti_markup_escape(&escaped, names[i]));
        assert_wrapped(t, krti_str_text(&escaped), 30, KRTI_JUSTIFY_NONE, expected);
        krti_str_free(&escaped);
    }
}

TEST(wide_characters_take_two_columns_and_combining_ones_none)
{
    assert_wrapped(t, "層層", 6, KRTI_JUSTIFY_RIGHT, "  層層\n");
    assert_wrapped(t, "層層層層", 4, KRTI_JUSTIFY_LEFT, "層 …\n");
    assert_wrapped(t, "層層層", 5, KRTI_JUSTIFY_NONE, "層層\n層\n");
    assert_wrapped(t, "e\xcc\x81", 3, KRTI_JUSTIFY_LEFT, "e\xcc\x81  \n");
    assert_wrapped(t, "\xe2\x9d\xa4\xef\xb8\x8f", 3, KRTI_JUSTIFY_LEFT,
                   "\xe2\x9d\xa4\xef\xb8\x8f \n");                         /* a heart, widened */
    assert_wrapped(t, "a\xff", 4, KRTI_JUSTIFY_LEFT, "a\xef\xbf\xbd  \n"); /* not UTF-8 */
}

int main(void)
{
    return RUN(UNIT(summaries_are_those_of_keras_character_for_character),
               UNIT(an_optimizer_is_counted_once_it_is_built),
               UNIT(a_model_without_an_input_has_no_shapes_and_no_weights),
               UNIT(a_custom_layer_has_no_shape_and_hides_what_the_file_does_not_say),
               UNIT(a_model_that_is_python_code_has_no_rows),
               UNIT(calls_are_numbered_by_layer_whichever_model_they_are_for),
               UNIT(shapes_are_those_that_keras_claims),
               UNIT(what_stands_behind_a_random_crop_is_built_for_its_size),
               UNIT(a_compiled_model_counts_what_its_optimizer_keeps),
               UNIT(a_line_too_short_or_too_long_is_refused),
               UNIT(short_memory_is_an_error_and_leaves_nothing_behind),
               UNIT(texts_break_at_spaces_and_end_in_an_ellipsis),
               UNIT(tags_go_and_what_is_escaped_stays),
               UNIT(wide_characters_take_two_columns_and_combining_ones_none));
}
