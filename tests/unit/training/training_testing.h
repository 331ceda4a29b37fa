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

    snprintf(path, sizeof path, "%s/training/%s", KERATIN_FIXTURES, name);
    return read_conf(t, a, path);
}

static inline double number(const krti_conf *c)
{
    double value = NAN;

    assert_true(krti_conf_as_float(c, &value));
    return value;
}

#endif
