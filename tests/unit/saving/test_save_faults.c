/* What a save leaves behind when something stops it: every system call made to fail in turn, and kill -9
 * at random moments. Afterwards the old file is there, whole, or the new one; and one more save
 * leaves nothing else in the folder.
 *
 * In the environment, KERATIN_KILLS: how many writers of each form are killed (20); KERATIN_READS: how often each
 * form is read while it is written (100); KERATIN_FORM: only this one, by the end of its name. */
#include "faulty.h"

#include "models/model.h"

#include <keratin/keratin.h>

#include <dirent.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define OLD    KERATIN_FIXTURES "/containers/keras3_trained.keras"
#define NEW    KERATIN_FIXTURES "/containers/keras3_sequential_cnn.keras"
#define DRIVER KERATIN_SAVE_DRIVER

typedef struct form {
    const char *name;
    bool by_values; /* arrays have other paths than in the model's own file */
} form;
static const form forms[] = {
    {"a.keras", false}, {"a_dir", false}, {"a.weights.h5", false}, {"a.weights.json", false},
    {"a.h5", true},     {"a.ckpt", true}, {"a.safetensors", true}, {"a.npz", true},
};

enum { NUM_FORMS = sizeof forms / sizeof forms[0] };

static bool is_asked_for(const char *name)
{
    const char *wish = getenv("KERATIN_FORM");

    return wish == NULL || krti_ends_with(name, wish);
}

static krt_status save_as(krt_model *m, const char *path)
{
    if (strstr(path, ".ckpt") != NULL)
        return krt_save_checkpoint(m, path, NULL);
    if (strstr(path, ".weights.") == NULL && strstr(path, ".safe") == NULL &&
        strstr(path, ".npz") == NULL)
        return krt_save(m, path, KRT_SAVE(.zipped = strstr(path, "_dir") == NULL));
    return krt_save_weights(
        m, path, KRT_SAVE_WEIGHTS(.max_shard_size = strstr(path, ".json") != NULL ? 2e-6 : 0));
}

static size_t find_array(const krt_file *f, const char *path)
{
    for (size_t i = 0; i < krt_file_num_arrays(f); i++)
        if (strcmp(krt_file_array_at(f, i)->path, path) == 0)
            return i;
    return SIZE_MAX;
}

static bool same_array(krt_file *a, size_t i, krt_file *b, size_t j)
{
    krt_tensor *u = NULL, *v = NULL;
    bool is_same = krt_file_read_array(a, i, &u) == KRT_OK;

    is_same = is_same && krt_file_read_array(b, j, &v) == KRT_OK;
    is_same = is_same && krt_tensor_dtype(u) == krt_tensor_dtype(v) &&
              krt_shape_equal(krt_tensor_shape(u), krt_tensor_shape(v)) &&
              memcmp(krt_tensor_data(u), krt_tensor_data(v),
                     (size_t)krt_shape_size(krt_tensor_shape(u)) *
                         krt_dtype_size(krt_tensor_dtype(u))) == 0;
    krt_tensor_free(u);
    krt_tensor_free(v);
    return is_same;
}

static bool verifies(testing *t, const char *path)
{
    krt_findings *f = NULL;
    const bool is = krt_verify(t->k, &f, path, NULL) == KRT_OK && krt_findings_num_problems(f) == 0;

    krt_findings_free(f);
    return is;
}

/* Whether a file fills a model with the values that it was saved with. */
static bool has_values(testing *t, const char *path, const char *model)
{
    krt_model *m = NULL, *filled = NULL;

    ASSERT_OK(krt_load(t->k, &m, model, NULL));
    ASSERT_OK(krt_load(t->k, &filled, model, KRT_LOAD(.config_only = true)));
    bool is = krt_load_weights(filled, path, NULL) == KRT_OK;

    for (size_t i = 0; is && i < krt_layer_num_weights((krt_layer *)m); i++) {
        const krt_variable *a = krt_layer_weight((krt_layer *)m, i);
        const krt_variable *b = krt_layer_weight((krt_layer *)filled, i);

        is = memcmp(krt_variable_data(a), krt_variable_data(b), a->tensor->size_bytes) == 0;
    }
    krt_model_free(m);
    krt_model_free(filled);
    return is && verifies(t, path);
}

/* Whether a saved file opens, verifies and holds exactly the arrays of a model. */
static bool is_whole(testing *t, const form *f, const char *path, const char *model)
{
    if (f->by_values)
        return has_values(t, path, model);

    krt_file *a = NULL, *b = NULL;
    bool is = krt_file_open(t->k, &a, model) == KRT_OK && krt_file_open(t->k, &b, path) == KRT_OK &&
              krt_file_num_arrays(a) == krt_file_num_arrays(b);

    for (size_t i = 0; is && i < krt_file_num_arrays(a); i++) {
        const size_t j = find_array(b, krt_file_array_at(a, i)->path);

        is = j != SIZE_MAX && same_array(a, i, b, j);
    }
    krt_file_close(a);
    krt_file_close(b);
    return is && verifies(t, path);
}

static krt_model *load(testing *t, const char *path)
{
    krt_model *m = NULL;

    ASSERT_OK(krt_load(t->k, &m, path, NULL));
    return m;
}

/* ------------------------------------------------------------------------------- failing calls */

/* Names in a folder but those of locks, which nobody has to hold for them to stay. */
static int num_files(const char *path)
{
    DIR *d = opendir(path);
    int n = 0;

    for (const struct dirent *e; (e = readdir(d)) != NULL;)
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
             strstr(e->d_name, ".krt-lock") == NULL;
    closedir(d);
    return n;
}

static void sweep(testing *t, const form *f, int error, bool stays)
{
    krt_model *old = load(t, OLD), *new = load(t, NEW);
    char path[600];
    bool done = false;

    snprintf(path, sizeof path, "%s", in_folder(t, f->name));
    ASSERT_OK(save_as(old, path));
    const int names = num_names(t->folder);
    for (size_t n = 0; !done; n++) {
        t->k->sys = &krti_sys_posix;
        faulty.stays = false;
        ASSERT_OK(save_as(old, path));
        if (num_names(t->folder) != names)
            fail_msg("%s: %d names after the save that follows call %zu", f->name,
                     num_names(t->folder), n);
        faulty_install(t->k, n, error);
        faulty.stays = stays;
        const krt_status st = save_as(new, path);
        done = faulty_calls() <= n;
        t->k->sys = &krti_sys_posix;
        if (st != KRT_OK && st != KRT_E_IO && st != KRT_E_NOT_FOUND)
            fail_msg("%s: call %zu: status %s", f->name, n, krt_status_name(st));
        const bool is_new = is_whole(t, f, path, NEW);
        if (!is_new && (st == KRT_OK || !is_whole(t, f, path, OLD)))
            fail_msg("%s: call %zu failed with errno %d, the save with %s, and the file is neither "
                     "the old nor the new: %s",
                     f->name, n, error, krt_status_name(st), krt_ctx_error(t->k)->message);
        if (!is_new && !stays && error == ENOSPC && num_files(t->folder) != names)
            fail_msg("%s: call %zu failed, and %d files are there, not %d", f->name, n,
                     num_files(t->folder), names);
    }
    faulty.stays = false;
    krt_model_free(old);
    krt_model_free(new);
}

TEST(a_full_disk_at_any_call_leaves_the_old_or_the_new)
{
    for (size_t i = 0; i < NUM_FORMS; i++)
        sweep(t, &forms[i], ENOSPC, false);
}

TEST(a_disk_that_breaks_at_any_call_leaves_the_old_or_the_new)
{
    for (size_t i = 0; i < NUM_FORMS; i++)
        sweep(t, &forms[i], EIO, true);
}

TEST(calls_a_file_system_does_not_know_leave_the_old_or_the_new)
{
    for (size_t i = 0; i < NUM_FORMS; i++)
        sweep(t, &forms[i], ENOTSUP, false);
}

/* Puts names with the numbers that a save takes in the next seconds among those that a set has left behind. */
static void add_stale_numbers(testing *t, const char *path)
{
    static const char note[] = "\"keratin\": {";
    static char text[1 << 16], out[1 << 17];
    FILE *f = fopen(path, "r");

    assert_non_null(f);
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    char *at = strstr(text, note);
    assert_non_null(at);
    at += strlen(note);
    int n = snprintf(out, sizeof out, "%.*s\"stale\": [", (int)(at - text), text);
    for (uint32_t s = 0; s < 100; s++)
        for (uint32_t i = 0; i < 2; i++)
            n += snprintf(out + n, sizeof out - (size_t)n, "%s\"a-%08x_0000%u.weights.h5\"",
                          s + i > 0 ? ", " : "", ((uint32_t)time(NULL) + s) * 0x9E3779B9u, i);
    n += snprintf(out + n, sizeof out - (size_t)n, "], %s", at);
    (void)put_file(t, "a.weights.json", out, (size_t)n);
}

TEST(a_set_is_whole_also_when_its_number_was_used_before)
{
    static const form set = {"a.weights.json", false};
    krt_model *old = load(t, OLD), *new = load(t, NEW);
    char path[600];
    bool done = false;

    snprintf(path, sizeof path, "%s", in_folder(t, set.name));
    for (size_t n = 0; !done; n++) {
        t->k->sys = &krti_sys_posix;
        faulty.stays = false;
        ASSERT_OK(save_as(old, path));
        add_stale_numbers(t, path);
        ASSERT_TRUE(is_whole(t, &set, path, OLD));
        faulty_install(t->k, n, EIO);
        faulty.stays = true;
        (void)save_as(new, path);
        done = faulty_calls() <= n;
        t->k->sys = &krti_sys_posix;
        if (!is_whole(t, &set, path, NEW) && !is_whole(t, &set, path, OLD))
            fail_msg("call %zu failed, and the set is neither the old nor the new: %s", n,
                     krt_ctx_error(t->k)->message);
    }
    faulty.stays = false;
    krt_model_free(old);
    krt_model_free(new);
}

/* ------------------------------------------------------------------------------- killing */

static void empty_folder(testing *t)
{
    char command[700];

    snprintf(command, sizeof command, "rm -rf '%s'/*", t->folder);
    ASSERT_INT_EQ(0, system(command));
}

/* Starts a process that saves the two models in turn, and waits until it begins. */
static pid_t start_driver(const char *one, const char *two, const char *path, const char *option)
{
    const char *shard = strstr(path, ".json") != NULL ? "2e-6" : "0";
    int ends[2];
    char ready;

    ASSERT_INT_EQ(0, pipe(ends));
    const pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        (void)alarm(600); /* should the test end before it */
        execl(DRIVER, DRIVER, one, path, "--and", two, "--shard", shard, "--times", "100000",
              "--no-sync", "--among-others", option, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    ASSERT_INT_EQ(1, read(ends[0], &ready, 1));
    close(ends[0]);
    return child;
}

static void sleep_up_to(unsigned *random, long ns)
{
    *random = *random * 1664525u + 1013904223u;
    const struct timespec pause = {0, (long)((double)(*random >> 8) / (1 << 24) * (double)ns)};
    nanosleep(&pause, NULL);
}

/* Kills a writer after up to 20 ms. What is synced and what not makes no difference to a process that
 * dies. */
static void kill_one(const char *path, unsigned *random)
{
    const bool is_incremental = strstr(path, "/i.") != NULL;
    const pid_t child =
        start_driver(OLD, NEW, path, is_incremental ? "--incremental" : "--no-sync");
    int status = 0;

    sleep_up_to(random, 20000000);
    kill(child, SIGKILL);
    ASSERT_INT_EQ(child, waitpid(child, &status, 0));
    if (!WIFSIGNALED(status))
        fail_msg("the writer ended by itself, status %d", status);
}

static int number_in_environment(const char *name, int otherwise)
{
    const char *wish = getenv(name);

    return wish != NULL ? (int)strtol(wish, NULL, 10) : otherwise;
}

static int num_kills(void)
{
    return number_in_environment("KERATIN_KILLS", 20);
}

static void kill_writers_of(testing *t, const form *f)
{
    if (!is_asked_for(f->name))
        return;
    krt_model *old = load(t, OLD);
    unsigned random = (unsigned)time(NULL);
    char path[600];
    int num_new = 0;

    snprintf(path, sizeof path, "%s", in_folder(t, f->name));
    ASSERT_OK(save_as(old, path));
    const int names = num_names(t->folder);
    for (int n = 0; n < num_kills(); n++) {
        kill_one(path, &random);
        const bool is_new = is_whole(t, f, path, NEW);
        if (!is_new && !is_whole(t, f, path, OLD))
            fail_msg("%s: after kill %d (%u) the file is neither the old nor the new: %s", f->name,
                     n, random, krt_ctx_error(t->k)->message);
        num_new += is_new;
    }
    ASSERT_OK(save_as(old, path));
    ASSERT_INT_EQ(names, num_names(t->folder));
    print_message("%s: %d kills, the last save but the old one's was there %d times\n", f->name,
                  num_kills(), num_new);
    krt_model_free(old);
    empty_folder(t);
}

TEST(a_writer_killed_at_any_moment_leaves_the_old_or_the_new)
{
    need(DRIVER);
    for (size_t i = 0; i < NUM_FORMS; i++)
        kill_writers_of(t, &forms[i]);
}

/* Incremental saves and the collecting of shards take turns; what is killed leaves shards that the map
 * does not name, which the next collection takes. */
TEST(an_incremental_save_or_a_collection_killed_leaves_a_set_that_is_whole)
{
    static const form set = {"i.weights.json", false};
    krt_model *old = load(t, OLD);
    unsigned random = (unsigned)time(NULL);
    size_t left = 0;
    char path[600];

    need(DRIVER);
    if (!is_asked_for(set.name))
        return;
    snprintf(path, sizeof path, "%s", in_folder(t, set.name));
    ASSERT_OK(save_as(old, path));
    for (int n = 0; n < num_kills(); n++) {
        size_t num = 0;

        kill_one(path, &random);
        if (!is_whole(t, &set, path, NEW) && !is_whole(t, &set, path, OLD))
            fail_msg("after kill %d (%u) the set is neither the old nor the new: %s", n, random,
                     krt_ctx_error(t->k)->message);
        ASSERT_OK(krt_collect_shards(t->k, path, &num, NULL));
        left += num;
        ASSERT_OK(krt_collect_shards(t->k, path, &num, NULL));
        ASSERT_INT_EQ(0, num);
        ASSERT_TRUE(is_whole(t, &set, path, NEW) || is_whole(t, &set, path, OLD));
    }
    ASSERT_OK(save_as(old, path)); /* whole again: as many names as a save into an empty folder */
    const int names = num_names(t->folder);
    empty_folder(t);
    ASSERT_OK(save_as(old, path));
    ASSERT_INT_EQ(num_names(t->folder), names);
    print_message("incremental: %d kills left %zu shards to collect\n", num_kills(), left);
    krt_model_free(old);
}

/* ------------------------------------------------------------------------------- killing the tool */

static pid_t start_tool(const char *const *arguments)
{
    const pid_t child = fork();

    if (child != 0)
        return child;
    (void)alarm(60);
    if (freopen("/dev/null", "w", stdout) != NULL && freopen("/dev/null", "w", stderr) != NULL)
        execv(KERATIN_TOOL, (char *const *)(uintptr_t)arguments);
    _exit(127);
}

static int end_of(pid_t child)
{
    int status = 0;

    ASSERT_INT_EQ(child, waitpid(child, &status, 0));
    return status;
}

static void kill_conversions_to(testing *t, const form *f)
{
    static const char *const names[NUM_FORMS] = {"keras",        "keras-dir", "weights.h5",
                                                 "weights.json", "h5",        "tf-checkpoint",
                                                 "safetensors",  "npz"};

    if (!is_asked_for(f->name))
        return;
    krt_model *old = load(t, OLD);
    unsigned random = (unsigned)time(NULL);
    char path[600];
    int num_new = 0;

    snprintf(path, sizeof path, "%s", in_folder(t, f->name));
    const char *const arguments[] = {
        KERATIN_TOOL,  "convert",          NEW,    path, "--to", names[f - forms],
        "--overwrite", "--max-shard-size", "2e-6", NULL};
    const char *const plain[] = {KERATIN_TOOL, "convert",        NEW,           path,
                                 "--to",       names[f - forms], "--overwrite", NULL};
    for (int n = 0; n < num_kills(); n++) {
        ASSERT_OK(save_as(old, path));
        const pid_t child = start_tool(strstr(path, ".json") != NULL ? arguments : plain);
        sleep_up_to(&random, 40000000);
        kill(child, SIGKILL);
        const int status = end_of(child);
        if (!WIFSIGNALED(status) && WEXITSTATUS(status) != 0)
            fail_msg("%s: a conversion ended with %d", f->name, WEXITSTATUS(status));
        const bool is_new = is_whole(t, f, path, NEW);
        if (!is_new && !is_whole(t, f, path, OLD))
            fail_msg("%s: after kill %d (%u) the file is neither the old nor the new: %s", f->name,
                     n, random, krt_ctx_error(t->k)->message);
        num_new += is_new;
    }
    print_message("%s: %d conversions killed, %d were done\n", f->name, num_kills(), num_new);
    krt_model_free(old);
    empty_folder(t);
}

TEST(a_conversion_killed_at_any_moment_leaves_the_old_or_the_new)
{
    need(KERATIN_TOOL);
    for (size_t i = 0; i < NUM_FORMS; i++)
        kill_conversions_to(t, &forms[i]);
}

/* ------------------------------------------------------------------------------- reading */

static krt_model *constant(testing *t, float value)
{
    krt_model *m = krt_sequential(t->k, NULL);
    char name[24];

    krt_add_input(m, KRT_SHAPE(16), NULL);
    for (int i = 0; i < 6; i++) {
        snprintf(name, sizeof name, "dense_%d", i);
        krt_add(m, KRT_DENSE(16, .name = name, .kernel_initializer = KRT_CONSTANT(value),
                             .bias_initializer = KRT_CONSTANT(value)));
    }
    ASSERT_OK(krti_layer_initialize((krt_layer *)m));
    return m;
}

/* The one number that all weights have. */
static float number_in(krt_model *m)
{
    float first = 0;

    for (size_t i = 0; i < krt_layer_num_weights((krt_layer *)m); i++) {
        const krt_variable *v = krt_layer_weight((krt_layer *)m, i);
        const float *x = krt_variable_data(v);

        first = i == 0 ? x[0] : first;
        for (size_t j = 0; j < v->tensor->size_bytes / sizeof *x; j++)
            if (x[j] != first)
                fail_msg("weight %zu is of the save of %g, the first of that of %g", i,
                         (double)x[j], (double)first);
    }
    return first;
}

/* Checkpoints of a training in the background, one over the other: whenever it is killed, the last one that
 * was whole is there. */
static void kill_fits_into(testing *t, const char *name, const char *more)
{
    if (!is_asked_for(name))
        return;
    krt_tensor *x = NULL;
    unsigned random = (unsigned)time(NULL);
    char path[600], model[600], data[600];
    krt_model *m = constant(t, 1);

    ASSERT_OK(krt_compile(m, KRT_COMPILE(.loss = KRT_ID("mse"))));
    snprintf(model, sizeof model, "%s", in_folder(t, "model.keras"));
    ASSERT_OK(krt_save(m, model, NULL));
    ASSERT_OK(krt_tensor_new(t->k, &x, KRT_FLOAT32, KRT_SHAPE(64, 16)));
    snprintf(data, sizeof data, "%s", in_folder(t, "x.npy"));
    ASSERT_OK(krt_tensor_write(x, data));
    krt_tensor_free(x);
    snprintf(path, sizeof path, "%s", in_folder(t, name));
    const char *const arguments[] = {
        KERATIN_TOOL, "fit",     model,          "--x", data,           "--y", data,
        "--epochs",   "1000000", "--checkpoint", path,  "--background", more,  NULL};
    for (int n = 0; n < num_kills(); n++) {
        const pid_t child = start_tool(arguments);
        do
            sleep_up_to(&random, 200000000);
        while (n == 0 && access(path, F_OK) != 0 && kill(child, 0) == 0);
        kill(child, SIGKILL);
        ASSERT_TRUE(WIFSIGNALED(end_of(child)));
        ASSERT_OK(krt_load_weights(m, path, NULL));
        ASSERT_TRUE(verifies(t, path));
    }
    krt_model_free(m);
    empty_folder(t);
}

TEST(a_training_killed_at_any_moment_leaves_a_checkpoint_that_is_whole)
{
    need(KERATIN_TOOL);
    kill_fits_into(t, "cp.keras", NULL);
    kill_fits_into(t, "cp.h5", NULL);
    kill_fits_into(t, "cp.weights.h5", "--save-weights-only");
    kill_fits_into(t, "cp.safetensors", "--save-weights-only");
    kill_fits_into(t, "cp.npz", "--save-weights-only");
}

/* Reads again and again while two writers replace the file, each by two others of the same shapes. */
static void read_while_written(testing *t, const char *name, const char *option)
{
    if (!is_asked_for(name))
        return;
    const int reads = number_in_environment("KERATIN_READS", 100);
    char path[600], one[600], two[600];
    krt_model *m = constant(t, 1);
    pid_t writers[2];
    int counts[3] = {0};

    snprintf(path, sizeof path, "%s", in_folder(t, name));
    snprintf(one, sizeof one, "%s", in_folder(t, "one.keras"));
    snprintf(two, sizeof two, "%s", in_folder(t, "two.keras"));
    ASSERT_OK(krt_save(m, one, NULL));
    ASSERT_OK(save_as(m, path));
    krt_model_free(m);
    m = constant(t, 2);
    ASSERT_OK(krt_save(m, two, NULL));
    for (int i = 0; i < 2; i++)
        writers[i] = start_driver(i == 0 ? one : two, i == 0 ? two : one, path, option);
    for (int i = 0; i < reads; i++) {
        krt_model *whole = NULL;

        if (strstr(name, "_dir") != NULL) {
            ASSERT_OK(krt_load(t->k, &whole, path, NULL));
            counts[(int)number_in(whole)]++;
            krt_model_free(whole);
            continue;
        }
        ASSERT_OK(krt_load_weights(m, path, NULL));
        counts[(int)number_in(m)]++;
    }
    for (int i = 0; i < 2; i++) {
        kill(writers[i], SIGKILL);
        if (!WIFSIGNALED(end_of(writers[i])))
            fail_msg("%s %s: a writer ended by itself", name, option);
    }
    print_message("%s %s: %d times the one, %d times the other\n", name, option, counts[1],
                  counts[2]);
    krt_model_free(m);
    empty_folder(t);
}

TEST(a_reader_sees_the_old_or_the_new_and_never_both)
{
    need(DRIVER);
    read_while_written(t, "r.weights.json", "--sha256");
    read_while_written(t, "r.weights.json", "--no-digest");
    read_while_written(t, "r.weights.json", "--incremental");
    for (size_t i = 0; i < NUM_FORMS; i++)
        read_while_written(t, forms[i].name, "--no-sync");
}

/* The lock is another's: the save ends before it has made anything. */
static void save_among_others(testing *t, krt_model *old, krt_model *new, const form *f)
{
    static const char holder[] = "process 7 on elsewhere\n";
    char path[600], lock[40];
    struct timespec begin, end;

    snprintf(path, sizeof path, "%s", in_folder(t, f->name));
    snprintf(lock, sizeof lock, ".%s%s.krt-lock", f->name, strstr(path, ".ckpt") ? ".index" : "");
    ASSERT_OK(save_as(old, path));
    const int fd = open(put_file(t, lock, holder, sizeof holder - 1), O_RDWR);
    ASSERT_INT_EQ(0, flock(fd, LOCK_EX | LOCK_NB));
    const int names = num_names(t->folder);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    ASSERT_STATUS(KRT_E_IO, save_as(new, path));
    clock_gettime(CLOCK_MONOTONIC, &end);
    ASSERT_SAYS("is being written by process 7 on elsewhere; wait for it to finish");
    ASSERT_INT_EQ(EWOULDBLOCK, krt_ctx_error(t->k)->sys_errno);
    ASSERT_TRUE(end.tv_sec - begin.tv_sec < 5);
    ASSERT_INT_EQ(names, num_names(t->folder));
    ASSERT_TRUE(is_whole(t, f, path, OLD));
    close(fd);
    ASSERT_OK(save_as(new, path));
    ASSERT_TRUE(is_whole(t, f, path, NEW));
    empty_folder(t);
}

TEST(a_second_writer_fails_at_once_and_is_told_who_is_at_work)
{
    krt_model *old = load(t, OLD), *new = load(t, NEW);

    for (size_t i = 0; i < NUM_FORMS; i++)
        save_among_others(t, old, new, &forms[i]);
    krt_model_free(old);
    krt_model_free(new);
}

int main(void)
{
    return RUN(UNIT(a_full_disk_at_any_call_leaves_the_old_or_the_new),
               UNIT(a_disk_that_breaks_at_any_call_leaves_the_old_or_the_new),
               UNIT(calls_a_file_system_does_not_know_leave_the_old_or_the_new),
               UNIT(a_set_is_whole_also_when_its_number_was_used_before),
               UNIT(a_writer_killed_at_any_moment_leaves_the_old_or_the_new),
               UNIT(an_incremental_save_or_a_collection_killed_leaves_a_set_that_is_whole),
               UNIT(a_conversion_killed_at_any_moment_leaves_the_old_or_the_new),
               UNIT(a_training_killed_at_any_moment_leaves_a_checkpoint_that_is_whole),
               UNIT(a_second_writer_fails_at_once_and_is_told_who_is_at_work),
               UNIT(a_reader_sees_the_old_or_the_new_and_never_both));
}
