/* Saved models and weights: bit for bit what was loaded, in every form; names, refusals, sentences. */
#include "failing.h"
#include "faulty.h"

#include "saving/save_list.h"

#include <keratin/keratin.h>

#include <glob.h>
#include <sys/stat.h>
#include <unistd.h>

#define CNN KERATIN_FIXTURES "/containers/keras3_trained.keras"

static const char *const forms[] = {"a.keras", "a_dir", "a.weights.h5", "a.weights.json"};

static krt_status save_as(krt_model *m, const char *path, bool sync)
{
    if (strstr(path, ".weights.") == NULL)
        return krt_save(m, path, KRT_SAVE(.zipped = strstr(path, ".keras") != NULL, .sync = sync));
    return krt_save_weights(
        m, path,
        KRT_SAVE_WEIGHTS(.max_shard_size = strstr(path, ".json") != NULL ? 1e-7 : 0, .sync = sync));
}

/* --- comparing files --- */

static size_t find_array(const krt_file *f, const char *path)
{
    for (size_t i = 0; i < krt_file_num_arrays(f); i++)
        if (strcmp(krt_file_array_at(f, i)->path, path) == 0)
            return i;
    return SIZE_MAX;
}

/* Every array of the one file is in the other, with the same dtype, shape and bytes. */
static void assert_same_arrays(testing *t, const char *left, const char *right)
{
    krt_file *a = NULL, *b = NULL;

    ASSERT_OK(krt_file_open(t->k, &a, left));
    ASSERT_OK(krt_file_open(t->k, &b, right));
    for (size_t i = 0; i < krt_file_num_arrays(a); i++) {
        const krt_file_array *x = krt_file_array_at(a, i);
        const size_t j = find_array(b, x->path);
        krt_tensor *u = NULL, *v = NULL;
        size_t size = 0;

        if (j == SIZE_MAX)
            fail_msg("%s of %s is not in %s", x->path, left, right);
        ASSERT_OK(krt_file_read_array(a, i, &u));
        ASSERT_OK(krt_file_read_array(b, j, &v));
        if (krt_tensor_dtype(u) != krt_tensor_dtype(v))
            fail_msg("%s of %s: %s in the one, %s in the other", x->path, left,
                     krt_dtype_name(krt_tensor_dtype(u)), krt_dtype_name(krt_tensor_dtype(v)));
        assert_true(krt_shape_equal(krt_tensor_shape(u), krt_tensor_shape(v)));
        size = (size_t)krt_shape_size(krt_tensor_shape(u)) * krt_dtype_size(krt_tensor_dtype(u));
        if (memcmp(krt_tensor_data(u), krt_tensor_data(v), size) != 0)
            fail_msg("%s of %s differs in %s", x->path, left, right);
        krt_tensor_free(u);
        krt_tensor_free(v);
    }
    krt_file_close(a);
    krt_file_close(b);
}

static bool is_keras3(testing *t, const char *path)
{
    krt_file *f = NULL;
    bool is = false;

    if (krt_file_open(t->k, &f, path) == KRT_OK) {
        const krt_file_info *info = krt_file_get_info(f);

        is = info->keras_version != NULL && info->keras_version[0] == '3';
    }
    krt_file_close(f);
    return is;
}

/* Whether saving it must work: a class nobody knows is refused, with the sentence for it. */
static void round_trip(testing *t, const char *path, int *num)
{
    krt_model *m = NULL;

    if (!is_keras3(t, path) || krt_load(t->k, &m, path, NULL) != KRT_OK)
        return;
    for (size_t i = 0; i < KRTI_COUNT(forms); i++) {
        char out[600];
        krt_status st;

        snprintf(out, sizeof out, "%s", in_folder(t, forms[i]));
        st = save_as(m, out, false);
        if (st == KRT_E_UNKNOWN_CLASS) {
            ASSERT_SAYS("Convert its file instead");
            break;
        }
        testing_status(t->k, KRT_OK, st, path, __FILE__, __LINE__);
        assert_same_arrays(t, path, out);
        assert_same_arrays(t, out, path);
        ++*num;
    }
    krt_model_free(m);
}

static void round_trips(testing *t, const char *pattern, int at_least)
{
    glob_t found;
    int num = 0;

    ASSERT_INT_EQ(0, glob(pattern, 0, NULL, &found));
    for (size_t i = 0; i < found.gl_pathc; i++)
        round_trip(t, found.gl_pathv[i], &num);
    globfree(&found);
    if (num < at_least)
        fail_msg("only %d round trips", num);
}

TEST(models_come_back_bit_for_bit_in_every_form)
{
    round_trips(t, KERATIN_FIXTURES "/models/*.keras", 40);
    round_trips(t, KERATIN_FIXTURES "/containers/*.keras", 20);
}

TEST(layers_come_back_bit_for_bit_in_every_form)
{
    round_trips(t, KERATIN_FIXTURES "/layers/*/*.keras", 100);
}

TEST(real_files_come_back_bit_for_bit_in_every_form)
{
    need(KERATIN_REAL);
    round_trips(t, KERATIN_REAL "/*/*.keras", 4);
}

/* --- what a saved model is --- */

static krt_model *load(testing *t, const char *path)
{
    krt_model *m = NULL;

    ASSERT_OK(krt_load(t->k, &m, path, NULL));
    return m;
}

TEST(a_saved_model_has_the_config_it_was_loaded_with)
{
    krt_file *a = NULL, *b = NULL;
    char *left = NULL, *right = NULL;
    krt_model *m = load(t, CNN);

    ASSERT_OK(krt_save(m, in_folder(t, "a.keras"), NULL));
    ASSERT_OK(krt_file_open(t->k, &a, CNN));
    ASSERT_OK(krt_file_open(t->k, &b, in_folder(t, "a.keras")));
    ASSERT_OK(krt_file_config(a, &left, 1));
    ASSERT_OK(krt_file_config(b, &right, 1));
    ASSERT_STR_EQ(left, right);
    krt_free(t->k, left);
    krt_free(t->k, right);
    krt_file_close(a);
    krt_file_close(b);
}

TEST(without_the_optimizer_nothing_of_it_is_written)
{
    krt_file *f = NULL;
    krt_model *m = load(t, CNN);

    ASSERT_OK(krt_save(m, in_folder(t, "a.keras"), KRT_SAVE(.include_optimizer = false)));
    ASSERT_OK(krt_save_weights(m, in_folder(t, "a.weights.h5"),
                               KRT_SAVE_WEIGHTS(.include_optimizer = false)));
    ASSERT_OK(krt_file_open(t->k, &f, in_folder(t, "a.keras")));
    ASSERT_INT_EQ(0, krt_file_get_info(f)->optimizer_bytes);
    assert_false(krt_file_get_info(f)->is_compiled);
    krt_file_close(f);
    ASSERT_OK(krt_file_open(t->k, &f, in_folder(t, "a.weights.h5")));
    ASSERT_INT_EQ(0, krt_file_get_info(f)->optimizer_bytes);
    krt_file_close(f);
}

/* The file a model was loaded from, whose pages it still uses, may be saved over. */
TEST(a_model_is_saved_over_its_own_file)
{
    krt_model *m = load(t, CNN);
    char path[600];

    snprintf(path, sizeof path, "%s", in_folder(t, "a.keras"));
    ASSERT_OK(krt_save(m, path, NULL));
    krt_model *own = load(t, path);
    ASSERT_OK(krt_save(own, path, NULL));
    ASSERT_OK(krt_save(own, path, NULL));
    assert_same_arrays(t, CNN, path);
    krt_model_free(own);
}

TEST(a_model_made_in_c_is_saved_and_loads)
{
    krt_model *m = krt_sequential(t->k, NULL), *n = NULL;
    const float x[4] = {1, 2, 3, 4};
    krt_tensor *in = NULL, *y = NULL, *z = NULL;

    ASSERT_OK(krt_add_input(m, KRT_SHAPE(4), NULL));
    ASSERT_OK(krt_add(m, KRT_DENSE(3, .activation = "relu")));
    ASSERT_OK(krt_add(m, KRT_DENSE(2)));
    ASSERT_OK(krt_save(m, in_folder(t, "a.keras"), NULL));
    n = load(t, in_folder(t, "a.keras"));
    ASSERT_OK(krt_tensor_from(t->k, &in, KRT_FLOAT32, KRT_SHAPE(1, 4), x));
    ASSERT_OK(krt_predict(m, &y, in, NULL));
    ASSERT_OK(krt_predict(n, &z, in, NULL));
    assert_memory_equal(krt_tensor_data(y), krt_tensor_data(z), 2 * sizeof(float));
}

/* --- shards --- */

TEST(a_set_is_named_as_keras_names_it_and_changes_as_one)
{
    krt_model *m = load(t, CNN);

    ASSERT_OK(save_as(m, in_folder(t, "my.weights.x.weights.json"), true));
    const int first = num_names(t->folder);
    assert_true(first > 3);
    struct stat info;
    ASSERT_INT_EQ(0, stat(in_folder(t, "my.x_00000.weights.h5"), &info));
    ASSERT_OK(save_as(m, in_folder(t, "my.weights.x.weights.json"), true));
    ASSERT_INT_EQ(first, num_names(t->folder));
    /* larger shards: those of the old set that are too many go */
    ASSERT_OK(krt_save_weights(m, in_folder(t, "my.weights.x.weights.json"),
                               KRT_SAVE_WEIGHTS(.max_shard_size = 1)));
    ASSERT_INT_EQ(2, num_names(t->folder));
}

TEST(a_file_that_only_looks_like_a_shard_is_left_alone)
{
    krt_model *m = load(t, CNN);

    put_file(t, "a_00099.weights.h5", "mine", 4);
    ASSERT_OK(save_as(m, in_folder(t, "a.weights.json"), true));
    ASSERT_OK(save_as(m, in_folder(t, "a.weights.json"), true));
    struct stat info;
    ASSERT_INT_EQ(0, stat(in_folder(t, "a_00099.weights.h5"), &info));
    ASSERT_INT_EQ(4, info.st_size);
}

TEST(a_set_is_whole_where_there_are_no_hard_links)
{
    krt_model *m = load(t, CNN);
    krti_sys sys = krti_sys_posix;

    sys.link = faulty_link;
    faulty_install(t->k, 0, EPERM);
    faulty.stays = true;
    t->k->sys = &sys;
    ASSERT_OK(save_as(m, in_folder(t, "a.weights.json"), true));
    ASSERT_OK(save_as(m, in_folder(t, "a.weights.json"), true));
    faulty.stays = false;
    t->k->sys = &krti_sys_posix;
    struct stat info;
    ASSERT_INT_EQ(0, stat(in_folder(t, "a_00000.weights.h5"), &info)); /* Keras opens it first */
    ASSERT_OK(krt_load_weights(m, in_folder(t, "a.weights.json"), NULL));
    assert_same_arrays(t, CNN, in_folder(t, "a.weights.json"));
}

/* --- names and refusals --- */

static bool says_no(void *user, const char *filepath)
{
    ++*(int *)user;
    assert_non_null(strstr(filepath, "a.keras"));
    return false;
}

TEST(what_is_there_is_kept_unless_it_may_be_replaced)
{
    krt_model *m = load(t, CNN);
    int asked = 0;

    put_file(t, "a.keras", "mine", 4);
    ASSERT_STATUS(KRT_E_EXISTS, krt_save(m, in_folder(t, "a.keras"), KRT_SAVE(.overwrite = false)));
    ASSERT_SAYS("already exists and overwrite is off");
    ASSERT_OK(krt_save(m, in_folder(t, "a.keras"),
                       KRT_SAVE(.overwrite = false, .ask = says_no, .ask_user = &asked)));
    ASSERT_INT_EQ(1, asked);
    struct stat info;
    ASSERT_INT_EQ(0, stat(in_folder(t, "a.keras"), &info));
    ASSERT_INT_EQ(4, info.st_size);
}

TEST(names_that_keras_refuses_are_refused_in_its_words)
{
    krt_model *m = load(t, CNN);

    ASSERT_STATUS(KRT_E_INVALID, krt_save(m, in_folder(t, "a.onnx"), NULL));
    ASSERT_SAYS("Invalid filepath extension for saving. Please add either a `.keras` extension");
    ASSERT_STATUS(KRT_E_INVALID, krt_save(m, in_folder(t, "a.keras"), KRT_SAVE(.zipped = false)));
    ASSERT_SAYS("When using `zipped=False`, the `filepath` argument should not end in `.keras`");
    ASSERT_STATUS(KRT_E_INVALID, krt_save(m, in_folder(t, "a.keras"), KRT_SAVE(.for_keras = 2)));
    ASSERT_SAYS("for_keras is 2, which does not read this form; save as .h5 for it");
    ASSERT_STATUS(KRT_E_INVALID, krt_save_weights(m, in_folder(t, "a.h5"), NULL));
    ASSERT_SAYS("The filename must end in `.weights.h5`. Received: filepath=");
    ASSERT_STATUS(KRT_E_INVALID,
                  krt_save_weights(m, in_folder(t, "a.h5"), KRT_SAVE_WEIGHTS(.max_shard_size = 1)));
    ASSERT_SAYS("The filename must end in `.weights.json` when `max_shard_size` is specified");
    ASSERT_STATUS(KRT_E_INVALID, krt_save_weights(m, in_folder(t, "a.weights.json"),
                                                  KRT_SAVE_WEIGHTS(.max_shard_size = -1)));
    ASSERT_INT_EQ(0, num_names(t->folder));
    ASSERT_INT_EQ(0, mkdir(in_folder(t, "d.keras"), 0700));
    ASSERT_STATUS(KRT_E_IO, krt_save(m, in_folder(t, "d.keras"), NULL));
    ASSERT_SAYS("is a directory, expected a file");
    ASSERT_STATUS(KRT_E_NOT_FOUND, krt_save(m, in_folder(t, "no/a.keras"), NULL));
    ASSERT_SAYS("Create it with: mkdir -p");
}

TEST(the_name_of_a_set_ends_in_json_whatever_was_given)
{
    krt_model *m = load(t, CNN);
    struct stat info;

    ASSERT_OK(
        krt_save_weights(m, in_folder(t, "a.weights.h5"), KRT_SAVE_WEIGHTS(.max_shard_size = 1)));
    ASSERT_INT_EQ(0, stat(in_folder(t, "a.weights.json"), &info));
    ASSERT_INT_EQ(0, stat(in_folder(t, "a_00000.weights.h5"), &info));
    ASSERT_INT_EQ(2, num_names(t->folder));
}

TEST(weights_that_are_not_there_yet_are_not_saved)
{
    krt_model *m = krt_sequential(t->k, NULL);

    ASSERT_OK(krt_add(m, KRT_DENSE(3)));
    ASSERT_STATUS(KRT_E_STATE, krt_save_weights(m, in_folder(t, "a.weights.h5"), NULL));
    ASSERT_SAYS("You are saving a model that has not yet been built.");
}

TEST(a_disk_without_space_is_noticed_before_anything_is_touched)
{
    krt_model *m = load(t, CNN);

    for (size_t i = 0; i < KRTI_COUNT(forms); i++) {
        char path[600];

        snprintf(path, sizeof path, "%s", in_folder(t, forms[i]));
        faulty_install(t->k, SIZE_MAX, 0);
        faulty.space = 100;
        ASSERT_STATUS(KRT_E_IO, save_as(m, path, true));
        ASSERT_SAYS("No space left on device");
        ASSERT_INT_EQ(ENOSPC, krt_ctx_error(t->k)->sys_errno);
        faulty.space = UINT64_MAX;
        ASSERT_INT_EQ(0, num_names(t->folder));
    }
    t->k->sys = &krti_sys_posix;
}

/* --- memory --- */

typedef struct saving {
    testing *t;
    const char *form;
} saving;

static krt_status load_and_save(krt_ctx *k, void *user)
{
    saving *s = user;
    krt_model *m = NULL;
    krt_status st = krt_load(k, &m, CNN, NULL);

    return st == KRT_OK ? save_as(m, in_folder(s->t, s->form), false) : st;
}

TEST(a_save_survives_every_failing_allocation)
{
    for (size_t i = 0; i < KRTI_COUNT(forms); i++) {
        saving s = {t, forms[i]};

        assert_true(FAILING_SWEEP(load_and_save, &s) > 50);
        assert_same_arrays(t, CNN, in_folder(t, forms[i]));
    }
}

int main(void)
{
    return RUN(UNIT(models_come_back_bit_for_bit_in_every_form),
               UNIT(layers_come_back_bit_for_bit_in_every_form),
               UNIT(real_files_come_back_bit_for_bit_in_every_form),
               UNIT(a_saved_model_has_the_config_it_was_loaded_with),
               UNIT(without_the_optimizer_nothing_of_it_is_written),
               UNIT(a_model_is_saved_over_its_own_file), UNIT(a_model_made_in_c_is_saved_and_loads),
               UNIT(a_set_is_named_as_keras_names_it_and_changes_as_one),
               UNIT(a_file_that_only_looks_like_a_shard_is_left_alone),
               UNIT(a_set_is_whole_where_there_are_no_hard_links),
               UNIT(what_is_there_is_kept_unless_it_may_be_replaced),
               UNIT(names_that_keras_refuses_are_refused_in_its_words),
               UNIT(the_name_of_a_set_ends_in_json_whatever_was_given),
               UNIT(weights_that_are_not_there_yet_are_not_saved),
               UNIT(a_disk_without_space_is_noticed_before_anything_is_touched),
               UNIT(a_save_survives_every_failing_allocation));
}
