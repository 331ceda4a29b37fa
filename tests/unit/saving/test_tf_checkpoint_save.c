/* Writing TensorFlow checkpoints: the bytes TensorFlow writes, and a whole checkpoint at every moment. */
#include "faulty.h"
#include "testing.h"

#include "base/fs.h"
#include "formats/json.h"
#include "saving/source.h"
#include "saving/tf_checkpoint.h"
#include "saving/tf_checkpoint_write.h"

#include <dirent.h>
#include <keratin/keratin.h>

#define FOLDER KERATIN_FIXTURES "/checkpoints/"

static const krti_checkpoint_options options = {.sync = true, .include_optimizer = true};

static krt_status save(testing *t, krt_model *m, const char *prefix)
{
    krti_named_list l;
    krt_status st = KRT_OK;

    krti_named_list_init(&l, t->k);
    st = krti_named_list_add_checkpoint(&l, m, &options);
    if (st == KRT_OK)
        st = krti_tf_checkpoint_write(&l, prefix, &options);
    krti_named_list_free(&l);
    return st;
}

static void expect_same_file(testing *t, const char *expected, const char *found)
{
    krti_bytes *a = NULL, *b = NULL;

    ASSERT_OK(krti_bytes_map(t->k, &a, expected));
    ASSERT_OK(krti_bytes_map(t->k, &b, found));
    ASSERT_INT_EQ(a->size, b->size);
    assert_memory_equal(a->data, b->data, a->size);
    krti_bytes_drop(a);
    krti_bytes_drop(b);
}

/* How many files the folder holds, hidden ones included. */
static int count_files(testing *t)
{
    DIR *dir = opendir(t->folder);
    int n = 0;

    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir)) != NULL;)
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(dir);
    return n;
}

TEST(a_model_is_written_byte_for_byte_as_tensorflow_writes_it)
{
    krt_model *m = NULL;

    ASSERT_OK(krt_load(t->k, &m, FOLDER "cnn.json", KRT_LOAD(.weights = FOLDER "cnn_plain")));
    for (int i = 0; i < 3; i++) { /* new, and twice over the old one */
        ASSERT_OK(save(t, m, in_folder(t, "cnn_plain")));
        expect_same_file(t, FOLDER "cnn_plain.index", in_folder(t, "cnn_plain.index"));
        expect_same_file(t, FOLDER "cnn_plain.data-00000-of-00001",
                         in_folder(t, "cnn_plain.data-00000-of-00001"));
        ASSERT_INT_EQ(3, count_files(t));
    }
    krt_model_free(m);
}

TEST(a_checkpoint_of_several_shards_is_replaced_by_one_of_one)
{
    static const char *const files[] = {
        "cnn_pieces.index", "cnn_pieces.data-00000-of-00004", "cnn_pieces.data-00001-of-00004",
        "cnn_pieces.data-00002-of-00004", "cnn_pieces.data-00003-of-00004"};
    krt_model *m = NULL;

    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        krti_bytes *b = NULL;
        char path[512];

        snprintf(path, sizeof path, FOLDER "%s", files[i]);
        ASSERT_OK(krti_bytes_map(t->k, &b, path));
        put_file(t, files[i], b->data, b->size);
        krti_bytes_drop(b);
    }
    ASSERT_OK(krt_load(t->k, &m, FOLDER "cnn.json",
                       KRT_LOAD(.weights = in_folder(t, "cnn_pieces.index"))));
    ASSERT_OK(save(t, m, in_folder(t, "cnn_pieces")));
    ASSERT_INT_EQ(3, count_files(t));
    expect_same_file(t, FOLDER "cnn_plain.index", in_folder(t, "cnn_pieces.index"));
    krt_model_free(m);
}

TEST(the_state_file_names_the_newest)
{
    krt_model *m = NULL;
    krti_bytes *b = NULL;
    static const char expected[] = "model_checkpoint_path: \"a \\\"b\\\" \\303\\244\"\n"
                                   "all_model_checkpoint_paths: \"a \\\"b\\\" \\303\\244\"\n";

    ASSERT_OK(krt_load(t->k, &m, FOLDER "cnn.json", KRT_LOAD(.weights = FOLDER "cnn_plain")));
    ASSERT_OK(save(t, m, in_folder(t, "first")));
    ASSERT_OK(save(t, m, in_folder(t, "a \"b\" \xC3\xA4")));
    ASSERT_OK(krti_bytes_map(t->k, &b, in_folder(t, "checkpoint")));
    ASSERT_INT_EQ(sizeof expected - 1, b->size);
    assert_memory_equal(expected, b->data, b->size);
    krti_bytes_drop(b);
    ASSERT_OK(krt_load_weights(m, t->folder, NULL));
    krt_model_free(m);
}

TEST(a_checkpoint_is_copied_with_its_graph_and_others_by_name)
{
    static const char *const names[] = {"cnn", "cnn_legacy", "cnn_pieces", "cnn_names", "three"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        krt_file *before = NULL, *after = NULL;
        krti_source *f = NULL;
        krti_named_list l;
        char path[512];

        snprintf(path, sizeof path, FOLDER "%s", names[i]);
        ASSERT_OK(krti_source_open(t->k, &f, path));
        ASSERT_OK(krti_source_list(f, true));
        krti_named_list_init(&l, t->k);
        ASSERT_OK(krti_named_list_add_store(&l, f->store, true));
        ASSERT_OK(krti_tf_checkpoint_write(&l, in_folder(t, "copy"), &options));
        krti_named_list_free(&l);
        krti_source_close(f);
        ASSERT_OK(krt_file_open(t->k, &before, path));
        ASSERT_OK(krt_file_open(t->k, &after, in_folder(t, "copy")));
        ASSERT_INT_EQ(krt_file_num_arrays(before), krt_file_num_arrays(after));
        for (size_t j = 0; j < krt_file_num_arrays(before); j++) {
            krt_tensor *x = NULL, *y = NULL;

            ASSERT_STR_EQ(krt_file_array_at(before, j)->path, krt_file_array_at(after, j)->path);
            ASSERT_OK(krt_file_read_array(before, j, &x));
            ASSERT_OK(krt_file_read_array(after, j, &y));
            ASSERT_INT_EQ(x->size_bytes, y->size_bytes);
            assert_memory_equal(x->data, y->data, x->size_bytes);
            krt_tensor_free(x);
            krt_tensor_free(y);
        }
        krt_file_close(before);
        krt_file_close(after);
    }
}

/* --- faults --- */

static krt_model *dense(testing *t, float value)
{
    krt_model *m = krt_sequential(t->k, NULL);

    krt_add_input(m, KRT_SHAPE(300), NULL);
    krt_add(m, KRT_DENSE(7, .kernel_initializer = KRT_CONSTANT(value),
                         .bias_initializer = KRT_CONSTANT(value)));
    ASSERT_OK(krti_layer_initialize((krt_layer *)m));
    return m;
}

/* What the checkpoint holds: one number everywhere. */
static float loaded(testing *t, krt_model *into)
{
    krti_bytes *index = NULL;
    float first = 0;

    ASSERT_OK(krti_bytes_map(t->k, &index, in_folder(t, "cp.index")));
    krti_bytes_drop(index);
    ASSERT_OK(krt_load_weights(into, in_folder(t, "cp"), NULL));
    for (size_t i = 0; i < 2; i++) {
        const krt_variable *v = krt_layer_weight((krt_layer *)into, i);
        const float *x = krt_variable_data(v);

        first = i == 0 ? x[0] : first;
        for (size_t j = 0; j < v->tensor->size_bytes / 4; j++)
            ASSERT_TRUE(x[j] == first);
    }
    return first;
}

/* Every system call fails in turn, alone and with all that follow, as when the process is killed: then
 * the old checkpoint opens, or the new one does, and the next save leaves nothing behind. */
static void fail_each_call(testing *t, bool stays)
{
    krt_model *one = dense(t, 1), *two = dense(t, 2), *into = dense(t, 0);
    size_t calls = 1;

    for (size_t n = 0; n < calls; n++) {
        float found = 0;

        t->k->sys = &krti_sys_posix;
        ASSERT_OK(save(t, one, in_folder(t, "cp")));
        ASSERT_INT_EQ(3, count_files(t));
        faulty_install(t->k, n, EIO);
        faulty.stays = stays;
        const krt_status st = save(t, two, in_folder(t, "cp"));
        calls = faulty_calls() > n ? n + 2 : 0; /* until a save made fewer calls */
        t->k->sys = &krti_sys_posix;
        found = loaded(t, into);
        ASSERT_TRUE(found == 2 || (found == 1 && st != KRT_OK));
    }
    faulty.stays = false;
    krt_model_free(one);
    krt_model_free(two);
    krt_model_free(into);
}

TEST(a_save_that_fails_at_any_call_leaves_the_old_checkpoint_or_the_new_one)
{
    fail_each_call(t, false);
}

TEST(a_save_that_is_killed_at_any_call_leaves_the_old_checkpoint_or_the_new_one)
{
    fail_each_call(t, true);
}

TEST(what_cannot_be_written_is_refused)
{
    krt_model *m = dense(t, 1);

    ASSERT_STATUS(KRT_E_INVALID, save(t, m, in_folder(t, "")));
    ASSERT_SAYS("a checkpoint's prefix ends in a name");
    ASSERT_STATUS(KRT_E_NOT_FOUND, save(t, m, in_folder(t, "missing/cp")));
    krt_model_free(m);
    m = krt_sequential(t->k, NULL);
    krt_add(m, KRT_DENSE(1));
    ASSERT_STATUS(KRT_E_STATE, save(t, m, in_folder(t, "cp")));
    ASSERT_SAYS("have not yet been created");
    krt_model_free(m);
}

/* --- the optimizer --- */

/* A compiled model of two layers, and a step of training. */
static krt_model *compiled(testing *t, const char *optimizer)
{
    char json[512];
    krt_model *m = dense(t, 0.01f);
    krti_arena a = KRTI_ARENA_INIT(t->k);
    const krti_conf *c = NULL;

    snprintf(json, sizeof json,
             "{\"optimizer\": {\"module\": \"keras.optimizers\", \"class_name\": \"%s\", "
             "\"config\": {\"learning_rate\": 0.125%s}}, \"loss\": \"mean_squared_error\"}",
             optimizer, strcmp(optimizer, "SGD") == 0 ? ", \"momentum\": 0.5" : "");
    ASSERT_OK(krti_json_parse(&a, &c, json, strlen(json)));
    ASSERT_OK(krti_set_compile_config(m, c));
    krti_arena_free(&a);
    return m;
}

static krti_optimizer *optimizer_of(testing *t, krt_model *m)
{
    krti_optimizer *o = NULL;

    ASSERT_OK(krti_model_optimizer(m, &o));
    assert_non_null(o);
    ASSERT_OK(krti_optimizer_build(o, m));
    return o;
}

TEST(the_state_of_every_optimizer_comes_back)
{
    static const char *const names[] = {"SGD",     "Adam",    "AdamW",    "Adamax", "Nadam",
                                        "RMSprop", "Adagrad", "Adadelta", "Ftrl",   "Lion"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        krt_model *m = compiled(t, names[i]), *other = compiled(t, names[i]);
        krti_optimizer *o = optimizer_of(t, m), *restored = NULL;

        for (size_t j = 0; j < o->num_variables; j++) {
            krt_tensor *x = o->variables[j].tensor;

            for (size_t n = 0; n < x->size_bytes / krt_dtype_size(x->dtype); n++)
                if (x->dtype == KRT_INT64)
                    ((int64_t *)x->data)[n] = 7;
                else
                    ((float *)x->data)[n] = (float)(j + 1) + (float)n / 4096;
        }
        ASSERT_OK(krt_save_checkpoint(m, in_folder(t, "cp"), NULL));
        ASSERT_OK(krt_load_checkpoint(other, in_folder(t, "cp"), NULL));
        restored = optimizer_of(t, other);
        ASSERT_INT_EQ(o->num_variables, restored->num_variables);
        for (size_t j = 0; j < o->num_variables; j++) {
            ASSERT_INT_EQ(o->variables[j].tensor->size_bytes,
                          restored->variables[j].tensor->size_bytes);
            assert_memory_equal(o->variables[j].tensor->data, restored->variables[j].tensor->data,
                                o->variables[j].tensor->size_bytes);
        }
        krt_model_free(m);
        krt_model_free(other);
    }
}

/* Adam that sums gradients up and averages, on a layer of any name; its slots are 1, 2, 3, ... */
static krt_model *summing(testing *t, const char *layer, bool numbered)
{
    krt_model *m = krt_sequential(t->k, NULL);

    krt_add_input(m, KRT_SHAPE(3), NULL);
    krt_add(m, KRT_DENSE(2, .name = layer));
    krt_add(m, KRT_DENSE(2, .name = "last"));
    ASSERT_OK(krt_compile(
        m, KRT_COMPILE(.loss = KRT_ID("mse"),
                       .optimizer = KRT_ADAM(.gradient_accumulation_steps = 4, .use_ema = true))));
    krti_optimizer *o = optimizer_of(t, m);
    for (size_t i = o->first_slot; numbered && i < o->num_variables; i++)
        for (size_t j = 0; j < o->variables[i].tensor->size_bytes / sizeof(float); j++)
            ((float *)o->variables[i].tensor->data)[j] = (float)i;
    return m;
}

TEST(the_state_of_an_optimizer_that_sums_up_comes_back_to_layers_that_were_renamed)
{
    krt_model *m = summing(t, "first", true), *other = summing(t, "renamed", false);

    ASSERT_OK(krt_save_checkpoint(m, in_folder(t, "cp"), NULL));
    ASSERT_OK(krt_load_checkpoint(other, in_folder(t, "cp"), NULL));
    const krti_optimizer *o = optimizer_of(t, other);
    ASSERT_INT_EQ(2 + 4 * 4, o->num_variables);
    for (size_t i = o->first_slot; i < o->num_variables; i++)
        if (*(const float *)o->variables[i].tensor->data != (float)i)
            fail_msg("%s is %g, expected %zu", o->variables[i].path,
                     (double)*(const float *)o->variables[i].tensor->data, i);
    krt_model_free(m);
    krt_model_free(other);
}

TEST(a_saved_model_brings_its_optimizer_and_its_state)
{
    static const char *const files[] = {"cnn_saved", "cnn_legacy"};
    krt_tensor **expected = NULL;
    char **names = NULL;
    size_t n = 0;
    krt_model *m = NULL;

    ASSERT_OK(krt_load(t->k, &m, FOLDER "cnn_saved", NULL));
    ASSERT_OK(krt_tensors_read(t->k, &n, &expected, &names, FOLDER "cnn_optimizer.npz"));
    krti_optimizer *o = optimizer_of(t, m);
    ASSERT_STR_EQ("Adam", o->class_name);
    ASSERT_INT_EQ(2, *(int64_t *)o->iteration->data);
    ASSERT_TRUE(*(float *)o->learning_rate->data == 0.01f);
    ASSERT_INT_EQ(n + 1, o->num_variables); /* tf.keras keeps the rate apart */
    for (size_t i = 1; i < n; i++) {
        ASSERT_INT_EQ(expected[i]->size_bytes, o->variables[i + 1].tensor->size_bytes);
        assert_memory_equal(expected[i]->data, o->variables[i + 1].tensor->data,
                            expected[i]->size_bytes);
    }
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) { /* and once more, over the old */
        char path[512];

        memset(o->variables[5].tensor->data, 0, o->variables[5].tensor->size_bytes);
        snprintf(path, sizeof path, FOLDER "%s", files[i]);
        ASSERT_OK(krt_load_weights(m, path, NULL));
        ASSERT_TRUE(*(float *)o->variables[5].tensor->data != 0);
    }
    for (size_t i = 0; i < n; i++)
        krt_tensor_free(expected[i]);
    krt_free(t->k, expected);
    krt_free(t->k, names);
    krt_model_free(m);
}

/* --- the public face --- */

TEST(a_checkpoint_that_is_there_is_not_overwritten_unless_allowed)
{
    krt_model *m = dense(t, 1);

    ASSERT_OK(krt_save_checkpoint(m, in_folder(t, "cp"), NULL));
    ASSERT_STATUS(KRT_E_EXISTS,
                  krt_save_checkpoint(m, in_folder(t, "cp"), KRT_SAVE_WEIGHTS(.overwrite = false)));
    ASSERT_STATUS(KRT_E_INVALID, krt_save_checkpoint(m, in_folder(t, "cp"),
                                                     KRT_SAVE_WEIGHTS(.max_shard_size = 1)));
    ASSERT_SAYS("a checkpoint is written as one shard");
    ASSERT_OK(krt_save_weights(m, in_folder(t, "w.safetensors"), NULL));
    ASSERT_OK(krt_load_weights(m, in_folder(t, "w.safetensors"), NULL));
    ASSERT_OK(krt_save_weights(m, in_folder(t, "w.npz"), NULL));
    ASSERT_OK(krt_load_weights(m, in_folder(t, "w.npz"), NULL));
    ASSERT_STATUS(KRT_E_FORMAT, krt_load_checkpoint(m, in_folder(t, "w.npz"), NULL));
    ASSERT_SAYS("w.npz is no TensorFlow checkpoint");
    krt_model_free(m);
}

/* Models compute in float32; files have the dtype of the policy. */
TEST(a_float16_model_is_written_as_float16)
{
    static const char json[] =
        "{\"class_name\":\"Sequential\",\"config\":{\"name\":\"half\",\"layers\":["
        "{\"class_name\":\"InputLayer\",\"config\":{\"name\":\"x\",\"batch_shape\":[null,2]}},"
        "{\"class_name\":\"Dense\",\"config\":{\"name\":\"d\",\"units\":3,\"dtype\":\"float16\"}}]}"
        "}";
    krt_model *m = NULL;
    krt_file *f = NULL;

    ASSERT_OK(krt_from_json(t->k, &m, json, NULL));
    ASSERT_OK(krt_save_checkpoint(m, in_folder(t, "cp"), NULL));
    ASSERT_OK(krt_file_open(t->k, &f, in_folder(t, "cp")));
    ASSERT_INT_EQ(KRT_FLOAT16, krt_file_array_at(f, 0)->dtype);
    krt_file_close(f);
    ASSERT_OK(krt_load_checkpoint(m, in_folder(t, "cp"), NULL));
    ASSERT_OK(krt_save_weights(m, in_folder(t, "w.safetensors"), NULL));
    ASSERT_OK(krt_file_open(t->k, &f, in_folder(t, "w.safetensors")));
    ASSERT_INT_EQ(KRT_FLOAT16, krt_file_array_at(f, 1)->dtype);
    krt_file_close(f);
    krt_model_free(m);
}

int main(void)
{
    return RUN(UNIT(a_model_is_written_byte_for_byte_as_tensorflow_writes_it),
               UNIT(a_checkpoint_of_several_shards_is_replaced_by_one_of_one),
               UNIT(the_state_file_names_the_newest),
               UNIT(a_checkpoint_is_copied_with_its_graph_and_others_by_name),
               UNIT(a_save_that_fails_at_any_call_leaves_the_old_checkpoint_or_the_new_one),
               UNIT(a_save_that_is_killed_at_any_call_leaves_the_old_checkpoint_or_the_new_one),
               UNIT(what_cannot_be_written_is_refused),
               UNIT(the_state_of_every_optimizer_comes_back),
               UNIT(the_state_of_an_optimizer_that_sums_up_comes_back_to_layers_that_were_renamed),
               UNIT(a_saved_model_brings_its_optimizer_and_its_state),
               UNIT(a_checkpoint_that_is_there_is_not_overwritten_unless_allowed),
               UNIT(a_float16_model_is_written_as_float16));
}
