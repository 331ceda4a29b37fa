/* Files, sets and directories that change as one, whatever call fails on the way. */
#include "failing.h"
#include "faulty.h"

#include "base/transaction.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void assert_content(const char *path, const char *expected)
{
    char found[64] = "";
    FILE *f = fopen(path, "rb");

    assert_non_null(f);
    found[fread(found, 1, sizeof found - 1, f)] = '\0';
    fclose(f);
    ASSERT_STR_EQ(expected, found);
}

static bool is_ours(const char *name)
{
    return strcmp(name, "a") == 0 || strcmp(name, "b") == 0;
}

static krt_status write_text(krti_txn *x, const char *name, const char *text)
{
    krti_txn_file *f = NULL;
    krt_status st = krti_txn_create(x, &f, name);

    return st == KRT_OK ? krti_txn_write(f, 0, text, strlen(text)) : st;
}

static krt_status save_file(krt_ctx *k, const char *path, const char *text)
{
    return krt_write_file(k, path, text, strlen(text));
}

static krt_status save_directory(krt_ctx *k, const char *path, const char *text)
{
    krti_txn *x = NULL;
    krt_status st = KRT_OK;

    TRY(krti_txn_begin(k, &x, path, true));
    TRY(krti_txn_as_directory(x, is_ours));
    TRY(write_text(x, "a", text));
    TRY(write_text(x, "b/c/d", text));
    TRY(krti_txn_commit(x));

done:
    krti_txn_end(x);
    return st;
}

TEST(a_file_takes_its_place_and_leaves_no_other)
{
    ASSERT_OK(save_file(t->k, in_folder(t, "a"), "old"));
    ASSERT_INT_EQ(0, chmod(in_folder(t, "a"), 0640));
    ASSERT_OK(save_file(t->k, in_folder(t, "a"), "new"));
    assert_content(in_folder(t, "a"), "new");
    ASSERT_INT_EQ(1, num_names(t->folder));
    struct stat info;
    ASSERT_INT_EQ(0, stat(in_folder(t, "a"), &info));
    ASSERT_INT_EQ(0640, info.st_mode & 07777);
}

TEST(what_is_written_out_of_order_lies_in_order)
{
    krti_txn *x = NULL;
    krti_txn_file *f = NULL;
    unsigned char *big = krti_alloc(t->k, 300000);

    memset(big, 'x', 300000);
    ASSERT_OK(krti_txn_begin(t->k, &x, in_folder(t, "a"), false));
    ASSERT_OK(krti_txn_create_target(x, &f));
    ASSERT_OK(krti_txn_write(f, 5, "56", 2));
    ASSERT_OK(krti_txn_write(f, 7, "7", 1));
    ASSERT_OK(krti_txn_write(f, 10, big, 300000));
    ASSERT_OK(krti_txn_write(f, 0, "01234", 5));
    ASSERT_OK(krti_txn_commit(x));
    krti_txn_end(x);
    FILE *file = fopen(in_folder(t, "a"), "rb");
    ASSERT_INT_EQ(300000, fread(big, 1, 300000, file));
    assert_memory_equal(big, "01234567\0\0xxx", 13);
    fclose(file);
    krti_free(t->k, big);
}

TEST(what_is_not_committed_never_was)
{
    krti_txn *x = NULL;

    ASSERT_OK(save_file(t->k, in_folder(t, "a"), "old"));
    ASSERT_OK(krti_txn_begin(t->k, &x, in_folder(t, "a"), true));
    ASSERT_OK(write_text(x, "a", "new"));
    ASSERT_OK(write_text(x, "b", "new"));
    ASSERT_INT_EQ(4, num_names(t->folder));
    krti_txn_end(x);
    assert_content(in_folder(t, "a"), "old");
    ASSERT_INT_EQ(1, num_names(t->folder));
}

TEST(a_second_writer_is_told_who_the_first_is)
{
    krti_txn *x = NULL, *y = NULL;
    char who[64];

    ASSERT_OK(krti_txn_begin(t->k, &x, in_folder(t, "a"), true));
    ASSERT_STATUS(KRT_E_IO, krti_txn_begin(t->k, &y, in_folder(t, "a"), true));
    snprintf(who, sizeof who, "is being written by process %ld on ", (long)getpid());
    ASSERT_SAYS(who);
    ASSERT_OK(krti_txn_begin(t->k, &y, in_folder(t, "b"), true));
    krti_txn_end(y);
    krti_txn_end(x);
    ASSERT_OK(krti_txn_begin(t->k, &y, in_folder(t, "a"), true));
    krti_txn_end(y);
    ASSERT_INT_EQ(0, num_names(t->folder));
}

TEST(a_killed_writer_blocks_nobody_and_its_leftovers_go)
{
    ASSERT_OK(save_file(t->k, in_folder(t, "a"), "old"));
    const pid_t child = fork();
    if (child == 0) {
        krti_txn *x = NULL;
        if (krti_txn_begin(t->k, &x, in_folder(t, "a"), true) == KRT_OK)
            (void)write_text(x, "a", "half");
        raise(SIGKILL);
    }
    ASSERT_INT_EQ(child, waitpid(child, NULL, 0));
    ASSERT_INT_EQ(3, num_names(t->folder)); /* the file, the lock, what was half written */
    assert_content(in_folder(t, "a"), "old");
    ASSERT_OK(save_file(t->k, in_folder(t, "a"), "new"));
    assert_content(in_folder(t, "a"), "new");
    ASSERT_INT_EQ(1, num_names(t->folder));
}

TEST(a_link_is_written_through)
{
    put_file(t, "real", "old", 3);
    ASSERT_INT_EQ(0, symlink("real", in_folder(t, "link")));
    ASSERT_OK(save_file(t->k, in_folder(t, "link"), "new"));
    assert_content(in_folder(t, "real"), "new");
    ASSERT_INT_EQ(0, symlink("nowhere", in_folder(t, "loose")));
    ASSERT_STATUS(KRT_E_IO, save_file(t->k, in_folder(t, "loose"), "new"));
    ASSERT_SAYS("is a symbolic link that leads nowhere");
}

TEST(where_nothing_can_be_written_the_sentence_says_what_to_do)
{
    ASSERT_STATUS(KRT_E_NOT_FOUND, save_file(t->k, in_folder(t, "no/a"), "x"));
    ASSERT_SAYS("Create it with: mkdir -p");
    if (geteuid() != 0) {
        ASSERT_INT_EQ(0, mkdir(in_folder(t, "closed"), 0500));
        ASSERT_STATUS(KRT_E_IO, save_file(t->k, in_folder(t, "closed/a"), "x"));
        ASSERT_SAYS("does not let this user create files; save elsewhere");
    }
    faulty_install(t->k, 0, EACCES);
    ASSERT_STATUS(KRT_E_IO, save_file(t->k, in_folder(t, "a"), "x"));
    ASSERT_SAYS("does not let this user create files; save elsewhere or change its permissions: "
                "Permission denied");
    t->k->sys = &krti_sys_posix;
}

TEST(a_full_disk_is_noticed_before_anything_is_written)
{
    krti_txn *x = NULL;

    ASSERT_OK(krti_txn_begin(t->k, &x, in_folder(t, "a"), true));
    ASSERT_OK(krti_txn_need(x, 1));
    ASSERT_STATUS(KRT_E_IO, krti_txn_need(x, UINT64_MAX));
    ASSERT_SAYS("No space left on device: ");
    ASSERT_INT_EQ(ENOSPC, krt_ctx_error(t->k)->sys_errno);
    krti_txn_end(x);
}

TEST(a_long_name_is_cut_in_names_of_ours)
{
    char name[256];

    memset(name, 'n', 255);
    name[255] = '\0';
    ASSERT_OK(save_file(t->k, in_folder(t, name), "x"));
    ASSERT_INT_EQ(1, num_names(t->folder));
}

TEST(a_directory_changes_in_one_step)
{
    const char *path = in_folder(t, "m");
    char copy[600];

    snprintf(copy, sizeof copy, "%s", path);
    ASSERT_OK(save_directory(t->k, copy, "old"));
    ASSERT_OK(save_directory(t->k, copy, "new"));
    assert_content(in_folder(t, "m/a"), "new");
    assert_content(in_folder(t, "m/b/c/d"), "new");
    ASSERT_INT_EQ(1, num_names(t->folder));
    put_file(t, "m/notes.txt", "mine", 4);
    ASSERT_STATUS(KRT_E_EXISTS, save_directory(t->k, copy, "newer"));
    ASSERT_SAYS("also holds notes.txt");
    assert_content(in_folder(t, "m/a"), "new");
    put_file(t, "file", "x", 1);
    snprintf(copy, sizeof copy, "%s", in_folder(t, "file"));
    ASSERT_STATUS(KRT_E_EXISTS, save_directory(t->k, copy, "newer"));
}

TEST(a_directory_that_waited_beside_comes_back)
{
    char copy[600];

    snprintf(copy, sizeof copy, "%s", in_folder(t, "m"));
    ASSERT_OK(save_directory(t->k, copy, "old"));
    ASSERT_INT_EQ(0, rename(copy, in_folder(t, ".m.krt-old-1-0")));
    krti_txn *x = NULL;
    ASSERT_OK(krti_txn_begin(t->k, &x, copy, true));
    krti_txn_end(x);
    assert_content(in_folder(t, "m/a"), "old");
}

/* Lets every call fail in turn. After each the old content is there or, when the save says it went
 * through or only its last sync failed, the new; and one save later nothing is left over. */
static void sweep(testing *t, krt_status (*save)(krt_ctx *, const char *, const char *),
                  const char *name, const char *content, int error, bool stays)
{
    char path[600];
    krt_status st = KRT_E_IO;

    snprintf(path, sizeof path, "%s", in_folder(t, name));
    for (size_t n = 0;; n++) {
        char found[8] = "";

        faulty.stays = false;
        faulty_install(t->k, SIZE_MAX, 0);
        ASSERT_OK(save(t->k, path, "old"));
        ASSERT_INT_EQ(1, num_names(t->folder));
        faulty.stays = stays;
        faulty_install(t->k, n, error);
        st = save(t->k, path, "new");
        const size_t calls = faulty_calls();
        FILE *f = fopen(in_folder(t, content), "rb");
        assert_non_null(f);
        found[fread(found, 1, 7, f)] = '\0';
        fclose(f);
        if (st == KRT_OK)
            ASSERT_STR_EQ("new", found);
        else
            assert_true(strcmp(found, "old") == 0 || strcmp(found, "new") == 0);
        if (st == KRT_OK && calls <= n)
            break;
    }
    faulty.stays = false;
    t->k->sys = &krti_sys_posix;
}

TEST(whatever_call_fails_a_file_is_the_old_or_the_new)
{
    sweep(t, save_file, "a", "a", ENOSPC, false);
    sweep(t, save_file, "a", "a", EIO, true);
}

TEST(whatever_call_fails_a_directory_is_the_old_or_the_new)
{
    sweep(t, save_directory, "m", "m/b/c/d", EIO, false);
    sweep(t, save_directory, "m", "m/a", EINVAL, false);
}

static krt_status save_both(krt_ctx *k, void *user)
{
    testing *t = user;
    krt_status st = save_file(k, in_folder(t, "a"), "x");

    return st == KRT_OK ? save_directory(k, in_folder(t, "m"), "x") : st;
}

TEST(a_save_survives_every_failing_allocation)
{
    assert_true(FAILING_SWEEP(save_both, t) > 10);
    ASSERT_INT_EQ(2, num_names(t->folder));
}

int main(void)
{
    return RUN(
        UNIT(a_file_takes_its_place_and_leaves_no_other),
        UNIT(what_is_written_out_of_order_lies_in_order), UNIT(what_is_not_committed_never_was),
        UNIT(a_second_writer_is_told_who_the_first_is),
        UNIT(a_killed_writer_blocks_nobody_and_its_leftovers_go), UNIT(a_link_is_written_through),
        UNIT(where_nothing_can_be_written_the_sentence_says_what_to_do),
        UNIT(a_full_disk_is_noticed_before_anything_is_written),
        UNIT(a_long_name_is_cut_in_names_of_ours), UNIT(a_directory_changes_in_one_step),
        UNIT(a_directory_that_waited_beside_comes_back),
        UNIT(whatever_call_fails_a_file_is_the_old_or_the_new),
        UNIT(whatever_call_fails_a_directory_is_the_old_or_the_new),
        UNIT(a_save_survives_every_failing_allocation));
}
