/* Models written as configs: what real Keras wrote must come out again, from the copy and from the
 * arguments. Every .keras file among the fixtures is one case. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* nftw */
#endif
#include "testing.h"

#include "formats/json.h"
#include "saving/serialization.h"
#include <keratin/saving.h>

#include <ftw.h>

/* ------------------------------------------------------------------------------- comparing */

/* Where two trees differ, as text; false: they do not. */
typedef struct comparing {
    krti_str path;
    char found[200];
    bool from_arguments;
} comparing;

static bool differ(comparing *c, const krti_conf *expected, const krti_conf *found);

/* What Keras writes by accident or by the way it was called. */
static bool is_incidental(const comparing *c, const char *key, const krti_conf *value)
{
    static const char *const ids[] = {"shared_object_id"};
    static const char *const calls[] = {"training", "mask"};

    for (size_t i = 0; i < KRTI_COUNT(ids); i++)
        if (strcmp(key, ids[i]) == 0)
            return true;
    for (size_t i = 0; c->from_arguments && i < KRTI_COUNT(calls); i++)
        if (strcmp(key, calls[i]) == 0 && !krti_conf_is(value, KRTI_CONF_DICT))
            return true;
    return false;
}

static bool differ_in_dict(comparing *c, const krti_conf *expected, const krti_conf *found)
{
    const size_t length = c->path.length;

    for (size_t i = 0; i < krti_conf_num(expected); i++) {
        const char *key = krti_conf_key_at(expected, i);
        const krti_conf *value = krti_conf_get(found, key);

        if (is_incidental(c, key, krti_conf_at(expected, i)))
            continue;
        krti_str_addf(&c->path, ".%s", key);
        if (value == NULL)
            snprintf(c->found, sizeof c->found, "is missing");
        if (value == NULL || differ(c, krti_conf_at(expected, i), value))
            return true;
        c->path.length = length;
        c->path.ptr[length] = '\0';
    }
    for (size_t i = 0; i < krti_conf_num(found); i++) {
        const char *key = krti_conf_key_at(found, i);

        if (krti_conf_get(expected, key) != NULL || is_incidental(c, key, krti_conf_at(found, i)))
            continue;
        snprintf(c->found, sizeof c->found, "has %s, which Keras does not write", key);
        return true;
    }
    return false;
}

static bool differ_in_list(comparing *c, const krti_conf *expected, const krti_conf *found)
{
    const size_t length = c->path.length;

    if (krti_conf_num(expected) != krti_conf_num(found)) {
        snprintf(c->found, sizeof c->found, "has %zu items, expected %zu", krti_conf_num(found),
                 krti_conf_num(expected));
        return true;
    }
    for (size_t i = 0; i < krti_conf_num(expected); i++) {
        krti_str_addf(&c->path, "[%zu]", i);
        if (differ(c, krti_conf_at(expected, i), krti_conf_at(found, i)))
            return true;
        c->path.length = length;
        c->path.ptr[length] = '\0';
    }
    return false;
}

static bool differ(comparing *c, const krti_conf *expected, const krti_conf *found)
{
    krti_str a = KRTI_STR_INIT(c->path.k), b = KRTI_STR_INIT(c->path.k);

    if (krti_conf_is(expected, KRTI_CONF_DICT) && krti_conf_is(found, KRTI_CONF_DICT))
        return differ_in_dict(c, expected, found);
    if (krti_conf_is(expected, KRTI_CONF_LIST) && krti_conf_is(found, KRTI_CONF_LIST))
        return differ_in_list(c, expected, found);
    if (krti_conf_equal(expected, found))
        return false;
    krti_json_write(&a, expected, -1);
    krti_json_write(&b, found, -1);
    snprintf(c->found, sizeof c->found, "is %.80s, expected %.80s", b.ptr, a.ptr);
    krti_str_free(&a);
    krti_str_free(&b);
    return true;
}

/* ------------------------------------------------------------------------------- one file */

/* Makes every layer look as if an older Keras had written it, so that it is written from its
 * arguments. */
static void forget_generation(krt_layer *l)
{
    krt_model *m = krti_model_of(l);

    if (l->cls != NULL && l->package == NULL && (l->cls->flags & KRT_LAYER_OPERATION) == 0)
        l->generation = 2;
    for (size_t i = 0; i < l->num_inner; i++)
        forget_generation(l->inner[i].layer);
    for (size_t i = 0; m != NULL && i < m->num_kept; i++)
        if (m->kept[i]->generation != 2)
            forget_generation(m->kept[i]);
}

static bool same_config(krt_ctx *k, krt_model *m, const char *path, bool from_arguments)
{
    krti_arena arena = KRTI_ARENA_INIT(k);
    comparing c = {.path = KRTI_STR_INIT(k), .from_arguments = from_arguments};
    krti_conf *written = NULL;
    bool same = krti_serialize_model(&arena, m, &written) == KRT_OK;

    if (same) {
        krti_str_add(&c.path, "");
        same = !differ(&c, m->config, written);
    } else {
        snprintf(c.found, sizeof c.found, "%s", krt_ctx_error(k)->message);
    }
    if (!same)
        print_error("%s%s: %s %s\n", path, from_arguments ? ", from the arguments" : "",
                    krti_str_text(&c.path), c.found);
    krti_str_free(&c.path);
    krti_arena_free(&arena);
    return same;
}

/* Only today's Keras has today's keys, and some models are written in a way that our arguments do
 * not keep: an odd value that means nothing, shapes of a first call, a list around one tensor. */
static bool can_come_from_arguments(krt_ctx *k, const char *path)
{
    static const char *const others[] = {"renorm.keras",
                                         "act_object_prelu_layer.keras",
                                         "normalization_adapted_both.keras",
                                         "normalization_adapted_first.keras",
                                         "normalization_adapted_invert.keras",
                                         "normalization_adapted_last.keras",
                                         "normalization_adapted_none.keras",
                                         "one_input_in_a_list.keras"};
    krt_file *f = NULL;
    bool is_today = krt_file_open(k, &f, path) == KRT_OK &&
                    strcmp(krt_file_get_info(f)->keras_version, "3.15.1") == 0;

    krt_file_close(f);
    for (size_t i = 0; i < KRTI_COUNT(others); i++)
        is_today = is_today && !krti_ends_with(path, others[i]);
    return is_today;
}

static struct {
    krt_ctx *k;
    int files, differing;
} walk;

static int visit(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    krt_model *m = NULL;
    bool same = true;

    (void)status;
    (void)ftw;
    if (type != FTW_F || !krti_ends_with(path, ".keras"))
        return 0;
    if (krt_load(walk.k, &m, path, KRT_LOAD(.config_only = true)) != KRT_OK)
        return 0; /* not every fixture is meant to open */
    if (m->base.generation >= 3) {
        same = same_config(walk.k, m, path, false);
        forget_generation(&m->base);
        if (m->cannot_run == NULL && can_come_from_arguments(walk.k, path))
            same = same_config(walk.k, m, path, true) && same;
        walk.files++;
        walk.differing += !same;
    }
    krt_model_free(m);
    return 0;
}

TEST(every_model_of_keras_3_comes_out_as_keras_wrote_it)
{
    walk.k = t->k;
    walk.files = walk.differing = 0;
    assert_int_equal(nftw(KERATIN_FIXTURES, visit, 16, FTW_PHYS), 0);
    print_message("%d files, %d differ\n", walk.files, walk.differing);
    assert_true(walk.files > 1000);
    assert_int_equal(walk.differing, 0);
}

int main(void)
{
    return RUN(UNIT(every_model_of_keras_3_comes_out_as_keras_wrote_it));
}
