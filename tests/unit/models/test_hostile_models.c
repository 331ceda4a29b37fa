/* Configs written to hurt: models that multiply, wires that circle, references that point nowhere,
 * nesting without end. Each is refused with a sentence, quickly. */
#include "testing.h"

#include <keratin/saving.h>

#include "base/str.h"

static krt_status load(testing *t, const char *json)
{
    krt_model *m = NULL;

    return krt_from_json(t->k, &m, json, NULL);
}

/* One Dense called `calls` times in a row, as the layers of a Functional called `name`. */
static void add_chain(krti_str *s, const char *layer, const char *name, int calls)
{
    krti_str_addf(s,
                  "{\"class_name\": \"Functional\", \"config\": {\"name\": \"%s\", \"layers\": ["
                  "{\"class_name\": \"InputLayer\", \"name\": \"x\", \"config\": {\"batch_shape\": "
                  "[null, 2], \"name\": \"x\"}, \"inbound_nodes\": []}, ",
                  name);
    krti_str_add_n(s, layer, strlen(layer) - 1);
    krti_str_add(s, ", \"name\": \"f\", \"inbound_nodes\": [");
    for (int i = 0; i < calls; i++)
        krti_str_addf(s,
                      "%s{\"args\": [{\"class_name\": \"__keras_tensor__\", \"config\": "
                      "{\"keras_history\": [\"%s\", %d, 0]}}], \"kwargs\": {}}",
                      i > 0 ? ", " : "", i > 0 ? "f" : "x", i > 0 ? i - 1 : 0);
    krti_str_addf(s, "]}], \"input_layers\": [\"x\", 0, 0], \"output_layers\": [\"f\", %d, 0]}}",
                  calls - 1);
}

TEST(models_that_multiply_are_refused)
{
    krti_str inner = KRTI_STR_INIT(t->k), outer = KRTI_STR_INIT(t->k);

    krti_str_add(&inner, "{\"class_name\": \"Activation\", \"config\": {\"activation\": \"relu\", "
                         "\"name\": \"f\"}}");
    for (int depth = 0; depth < 6; depth++) {
        krti_str_clear(&outer);
        add_chain(&outer, inner.ptr, "f", 100);
        krti_str_clear(&inner);
        krti_str_add(&inner, outer.ptr);
    }
    ASSERT_STATUS(KRT_E_INVALID, load(t, inner.ptr));
    ASSERT_SAYS("the model comes to more than 65536 operations");
    krti_str_free(&inner);
    krti_str_free(&outer);
}

TEST(models_nested_without_end_are_refused)
{
    krti_str s = KRTI_STR_INIT(t->k);

    for (int i = 0; i < 100; i++)
        krti_str_add(&s, "{\"class_name\": \"Sequential\", \"config\": {\"name\": \"s\", "
                         "\"layers\": [");
    for (int i = 0; i < 100; i++)
        krti_str_add(&s, "]}}");
    assert_int_not_equal(load(t, s.ptr), KRT_OK);
    ASSERT_SAYS("nested");
    krti_str_free(&s);
}

static const char circle[] =
    "{\"class_name\": \"Functional\", \"config\": {\"name\": \"m\", \"layers\": ["
    "{\"class_name\": \"InputLayer\", \"name\": \"x\", \"config\": {\"batch_shape\": [null, 2], "
    "\"name\": \"x\"}, \"inbound_nodes\": []},"
    "{\"class_name\": \"Add\", \"name\": \"a\", \"config\": {\"name\": \"a\"}, \"inbound_nodes\": "
    "[[[\"x\", 0, 0, {}], [\"b\", 0, 0, {}]]]},"
    "{\"class_name\": \"Activation\", \"name\": \"b\", \"config\": {\"name\": \"b\", "
    "\"activation\": \"relu\"}, \"inbound_nodes\": [[[\"a\", 0, 0, {}]]]}],"
    "\"input_layers\": [[\"x\", 0, 0]], \"output_layers\": [[\"b\", 0, 0]]}}";

TEST(a_circle_of_layers_is_refused)
{
    ASSERT_STATUS(KRT_E_FORMAT, load(t, circle));
    ASSERT_SAYS("has loops or disconnected nodes");
}

TEST(a_reference_to_nothing_is_refused)
{
    ASSERT_STATUS(KRT_E_FORMAT,
                  load(t, "{\"class_name\": \"Functional\", \"config\": {\"name\": \"m\", "
                          "\"layers\": [{\"class_name\": \"InputLayer\", \"name\": \"x\", "
                          "\"config\": {\"batch_shape\": [null, 2], \"name\": \"x\"}, "
                          "\"inbound_nodes\": []}], \"input_layers\": [\"x\", 0, 0], "
                          "\"output_layers\": [\"gone\", 0, 0]}}"));
    ASSERT_SAYS("Missing node: gone");
    ASSERT_STATUS(KRT_E_FORMAT,
                  load(t, "{\"class_name\": \"Functional\", \"config\": {\"name\": \"m\", "
                          "\"layers\": [{\"class_name\": \"InputLayer\", \"name\": \"x\", "
                          "\"config\": {\"batch_shape\": [null, 2], \"name\": \"x\"}, "
                          "\"inbound_nodes\": []}], \"input_layers\": [\"x\", 0, 0], "
                          "\"output_layers\": [\"x\", 0, 7]}}"));
}

TEST(a_config_that_is_none_is_refused)
{
    static const char *const bad[] = {
        "[]",
        "7",
        "{}",
        "{\"class_name\": \"Sequential\"}",
        "{\"class_name\": \"Sequential\", \"config\": 3}",
        "{\"class_name\": \"Sequential\", \"config\": {\"name\": \"s\", \"layers\": [1, 2]}}",
        "{\"class_name\": \"Functional\", \"config\": {\"layers\": [3], \"input_layers\": [], "
        "\"output_layers\": []}}",
        "{\"class_name\": \"Functional\", \"config\": {\"layers\": [], \"input_layers\": 5, "
        "\"output_layers\": {}}}",
    };

    for (size_t i = 0; i < KRTI_COUNT(bad); i++)
        assert_int_not_equal(load(t, bad[i]), KRT_OK);
}

int main(void)
{
    return RUN(UNIT(models_that_multiply_are_refused), UNIT(models_nested_without_end_are_refused),
               UNIT(a_circle_of_layers_is_refused), UNIT(a_reference_to_nothing_is_refused),
               UNIT(a_config_that_is_none_is_refused));
}
