/* Files larger than the memory there is: the tool converts, shards, merges, compares and verifies
 * them under a limit that one fourth of the file would break.
 *
 * The limit is on what a process may write to (RLIMIT_DATA). What is mapped costs address space and
 * pages that the system may take back at any time; how many of them were there at once is measured
 * too. A limit on address space (RLIMIT_AS) below the size of a file stops it from being opened,
 * and says so. */
#include "testing.h"

#include "formats/h5_write.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ARRAYS = 16, EACH = 8 << 20, LIMIT = 30 << 20, RESIDENT_KB = 48 << 10 };

#if defined(__SANITIZE_ADDRESS__)
enum { IS_SANITIZED = true };
#else
enum { IS_SANITIZED = false };
#endif

static krt_status count_up(void *user, uint64_t offset, void *to, size_t size)
{
    float *p = to;

    for (size_t i = 0; i < size / sizeof *p; i++)
        p[i] = (float)((offset / sizeof *p + i) % 1000) + (float)*(const int *)user;
    return KRT_OK;
}

/* 128 MB in arrays of 8. */
static void write_large(testing *t, const char *path)
{
    int numbers[ARRAYS];
    krti_h5_type type = krti_h5_type_float(4);
    krti_h5_writer *w = NULL;
    krti_h5_node *group = NULL;
    krti_txn *x = NULL;
    krti_txn_file *f = NULL;
    uint64_t size = 0;

    type.rank = 1;
    type.dim[0] = EACH / 4;
    ASSERT_OK(krti_h5_writer_new(t->k, &w));
    for (int i = 0; i < ARRAYS; i++) {
        const krti_h5_source source = {.read = count_up, .user = &numbers[i]};
        char name[64];

        numbers[i] = i;
        snprintf(name, sizeof name, "layers/dense_%d/vars", i);
        ASSERT_OK(krti_h5_add_group(w, krti_h5_writer_root(w), name, &group));
        ASSERT_OK(krti_h5_add_dataset(w, group, "0", &type, &source, NULL));
    }
    ASSERT_OK(krti_h5_plan(w, &size));
    ASSERT_OK(krti_txn_begin(t->k, &x, path, false));
    ASSERT_OK(krti_txn_create_target(x, &f));
    const krti_sink sink = krti_txn_sink(f);
    ASSERT_OK(krti_h5_write(w, &sink));
    ASSERT_OK(krti_txn_commit(x));
    krti_txn_end(x);
    krti_h5_writer_free(w);
}

/* The tool in the test's folder under a limit; its largest resident size in KB. */
static int run(testing *t, int resource, rlim_t limit, const char *const *arguments, long *peak_kb)
{
    const pid_t child = fork();
    struct rusage used = {0};
    int status = 0;

    if (child == 0) {
        const struct rlimit l = {limit, limit};
        const int nowhere = open("/dev/null", O_RDWR);

        if (chdir(t->folder) != 0 || dup2(nowhere, STDOUT_FILENO) < 0 ||
            dup2(open("says", O_WRONLY | O_CREAT | O_TRUNC, 0666), STDERR_FILENO) < 0 ||
            (limit > 0 && setrlimit((unsigned)resource, &l) != 0))
            _exit(126);
        execv(KERATIN_TOOL, (char *const *)(uintptr_t)arguments);
        _exit(127);
    }
    assert_true(child > 0);
    assert_true(wait4(child, &status, 0, &used) == child);
    *peak_kb = used.ru_maxrss;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

/* What the last command said of its failure. */
static const char *said(testing *t)
{
    static char text[512];
    FILE *f = fopen(in_folder(t, "says"), "rb");

    assert_non_null(f);
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    return text;
}

TEST(the_tool_needs_the_memory_of_one_array)
{
    static const char *const commands[][7] = {
        {"keratin", "convert", "a.weights.h5", "b.weights.json", "--max-shard-size", "0.02"},
        {"keratin", "verify", "b.weights.json"},
        {"keratin", "convert", "b.weights.json", "c.weights.h5"},
        {"keratin", "verify", "c.weights.h5"},
        {"keratin", "diff", "a.weights.h5", "b.weights.json"},
        {"keratin", "diff", "a.weights.h5", "c.weights.h5"},
        {"keratin", "convert", "a.weights.h5", "d.safetensors"},
        {"keratin", "convert", "b.weights.json", "e.npz"},
        {"keratin", "verify", "d.safetensors"},
        {"keratin", "verify", "e.npz"},
    };

    write_large(t, in_folder(t, "a.weights.h5"));
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        const rlim_t limit = IS_SANITIZED ? 0 : LIMIT;
        long peak_kb = 0;

        if (run(t, RLIMIT_DATA, limit, commands[i], &peak_kb) != 0)
            fail_msg("%s %s: %s", commands[i][1], commands[i][2], said(t));
        if (!IS_SANITIZED && peak_kb > RESIDENT_KB)
            fail_msg("%s %s held %ld KB", commands[i][1], commands[i][2], peak_kb);
    }
}

TEST(address_space_for_less_than_the_file_is_a_clear_failure)
{
    static const char *const command[] = {"keratin", "verify", "a.weights.h5", NULL};
    long peak_kb = 0;

    if (IS_SANITIZED)
        skip();
    write_large(t, in_folder(t, "a.weights.h5"));
    ASSERT_INT_EQ(1, run(t, RLIMIT_AS, ARRAYS / 2 * (rlim_t)EACH, command, &peak_kb));
    if (strstr(said(t), "a.weights.h5") == NULL || strstr(said(t), "cannot map 134") == NULL)
        fail_msg("says: %s", said(t));
}

int main(void)
{
    return RUN(UNIT(the_tool_needs_the_memory_of_one_array),
               UNIT(address_space_for_less_than_the_file_is_a_clear_failure));
}
