/* What a save leaves behind when something stops it: every system call made to fail in turn, and kill -9
 * at random moments. Afterwards the old file is there, whole, or the new one; and one more save
 * leaves nothing else in the folder.
 *
 * KERATIN_KILLS in the environment: how many writers of each form are killed (20). */
#include "faulty.h"

#include <keratin/keratin.h>

#include <dirent.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define OLD    KERATIN_FIXTURES "/containers/keras3_trained.keras"
#define NEW    KERATIN_FIXTURES "/containers/keras3_sequential_cnn.keras"
#define DRIVER KERATIN_SAVE_DRIVER

typedef struct form {
    const char *name;
    int num_names; /* left in the folder by a save of the larger model; 0: it depends */
} form;
static const form forms[] = {
    {"a.keras", 1}, {"a_dir", 1}, {"a.weights.h5", 1}, {"a.weights.json", 0}};

enum { NUM_FORMS = sizeof forms / sizeof forms[0] };

static krt_status save_as(krt_model *m, const char *path)
{
    if (strstr(path, ".weights.") == NULL)
        return krt_save(m, path, KRT_SAVE(.zipped = strstr(path, ".keras") != NULL));
    return krt_save_weights(
        m, path, KRT_SAVE_WEIGHTS(.max_shard_size = strstr(path, ".json") != NULL ? 2e-6 : 0));
}

static int num_names(const char *path)
{
    DIR *dir = opendir(path);
    int n = 0;

    assert_non_null(dir);
    for (struct dirent *e = NULL; (e = readdir(dir)) != NULL;)
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(dir);
    return n;
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

/* Whether a saved file opens, verifies and holds exactly the arrays of a model. */
static bool is_whole(testing *t, const char *path, const char *model)
{
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
        const bool is_new = is_whole(t, path, NEW);
        if (!is_new && (st == KRT_OK || !is_whole(t, path, OLD)))
            fail_msg("%s: call %zu failed with errno %d, the save with %s, and the file is neither "
                     "the old nor the new: %s",
                     f->name, n, error, krt_status_name(st), krt_ctx_error(t->k)->message);
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

/* ------------------------------------------------------------------------------- killing */

/* Starts a process that saves the two models in turn, and waits until it begins. */
static pid_t start_writer(const char *path)
{
    const char *shard = strstr(path, ".json") != NULL ? "2e-6" : "0";
    int ends[2];
    char ready;

    ASSERT_INT_EQ(0, pipe(ends));
    const pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        execl(DRIVER, DRIVER, OLD, path, "--and", NEW, "--shard", shard, "--times", "100000",
              "--no-sync", (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    ASSERT_INT_EQ(1, read(ends[0], &ready, 1));
    close(ends[0]);
    return child;
}

/* Kills a writer after up to 20 ms. What is synced and what not makes no difference to a process that
 * dies. */
static void kill_one(const char *path, unsigned *random)
{
    const pid_t child = start_writer(path);
    int status = 0;

    *random = *random * 1664525u + 1013904223u;
    const struct timespec pause = {0, (long)(*random >> 8) % 20000000};
    nanosleep(&pause, NULL);
    kill(child, SIGKILL);
    ASSERT_INT_EQ(child, waitpid(child, &status, 0));
    if (!WIFSIGNALED(status))
        fail_msg("the writer ended by itself, status %d", status);
}

TEST(a_writer_killed_at_any_moment_leaves_the_old_or_the_new)
{
    const char *wish = getenv("KERATIN_KILLS");
    const int kills = wish != NULL ? (int)strtol(wish, NULL, 10) : 20;
    unsigned random = (unsigned)time(NULL);

    need(DRIVER);
    for (size_t i = 0; i < NUM_FORMS; i++) {
        krt_model *old = load(t, OLD);
        char path[600];
        int num_new = 0;

        snprintf(path, sizeof path, "%s", in_folder(t, forms[i].name));
        ASSERT_OK(save_as(old, path));
        const int names = num_names(t->folder);
        for (int n = 0; n < kills; n++) {
            kill_one(path, &random);
            const bool is_new = is_whole(t, path, NEW);
            if (!is_new && !is_whole(t, path, OLD))
                fail_msg("%s: after kill %d (%u) the file is neither the old nor the new: %s",
                         forms[i].name, n, random, krt_ctx_error(t->k)->message);
            num_new += is_new;
        }
        ASSERT_OK(save_as(old, path));
        ASSERT_INT_EQ(names, num_names(t->folder));
        print_message("%s: %d kills, the last save but the old one's was there %d times\n",
                      forms[i].name, kills, num_new);
        char command[700];
        snprintf(command, sizeof command, "rm -rf '%s'/*", t->folder);
        ASSERT_INT_EQ(0, system(command));
        krt_model_free(old);
    }
}

int main(void)
{
    return RUN(UNIT(a_full_disk_at_any_call_leaves_the_old_or_the_new),
               UNIT(a_disk_that_breaks_at_any_call_leaves_the_old_or_the_new),
               UNIT(calls_a_file_system_does_not_know_leave_the_old_or_the_new),
               UNIT(a_writer_killed_at_any_moment_leaves_the_old_or_the_new));
}
