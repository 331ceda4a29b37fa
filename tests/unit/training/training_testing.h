/* What the tests of this floor share: fixtures of real Keras as config trees. See
 * tools/make_training_fixtures.py. */
#ifndef KERATIN_TESTS_TRAINING_TESTING_H
#define KERATIN_TESTS_TRAINING_TESTING_H

#include "formats/json.h"
#include "base/fs.h"
#include "testing.h"

/* A committed fixture; its nodes live as long as the arena. */
static inline const krti_conf *read_fixture(testing *t, krti_arena *a, const char *name)
{
    char path[600];
    krti_bytes *bytes = NULL;
    const krti_conf *c = NULL;

    snprintf(path, sizeof path, "%s/training/%s", KERATIN_FIXTURES, name);
    ASSERT_OK(krti_bytes_map(t->k, &bytes, path));
    ASSERT_OK(krti_json_parse(a, &c, bytes->data, bytes->size));
    krti_bytes_drop(bytes);
    return c;
}

static inline double number(const krti_conf *c)
{
    double value = NAN;

    assert_true(krti_conf_as_float(c, &value));
    return value;
}

#endif
