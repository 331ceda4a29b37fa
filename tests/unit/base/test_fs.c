/* Mapped files, views, writing, paths. */
#include "failing.h"

#include "base/fs.h"

#include <sys/stat.h>
#include <unistd.h>

TEST(a_file_is_mapped_whole)
{
    krti_bytes *b = NULL;
    const char *path = put_file(t, "a", "hello", 5);

    ASSERT_OK(krti_bytes_map(t->k, &b, path));
    ASSERT_INT_EQ(5, b->size);
    assert_memory_equal(b->data, "hello", 5);
    ASSERT_STR_EQ(path, b->filepath);
    krti_bytes_drop(b);
    krti_bytes_drop(NULL);
}

TEST(an_empty_file_maps_to_nothing)
{
    krti_bytes *b = NULL;

    ASSERT_OK(krti_bytes_map(t->k, &b, put_file(t, "empty", "", 0)));
    ASSERT_INT_EQ(0, b->size);
    krti_bytes_drop(b);
}

TEST(what_cannot_be_mapped_is_named)
{
    krti_bytes *b = NULL;

    ASSERT_STATUS(KRT_E_NOT_FOUND, krti_bytes_map(t->k, &b, in_folder(t, "absent")));
    ASSERT_STR_EQ(in_folder(t, "absent"), krt_ctx_error(t->k)->filepath);
    assert_null(b);
    ASSERT_STATUS(KRT_E_FORMAT, krti_bytes_map(t->k, &b, t->folder));
    ASSERT_SAYS("is a directory");
    ASSERT_INT_EQ(0, mkfifo(in_folder(t, "pipe"), 0600));
    ASSERT_STATUS(KRT_E_FORMAT, krti_bytes_map(t->k, &b, in_folder(t, "pipe")));
    ASSERT_SAYS("is not a regular file");
    ASSERT_STATUS(KRT_E_FORMAT, krti_bytes_map(t->k, &b, "/dev/null"));
}

TEST(a_view_outlives_what_it_was_cut_from)
{
    krti_bytes *whole = NULL, *middle = NULL, *inner = NULL;
    char text[20000];

    memset(text, 'x', sizeof text);
    memcpy(text + 10000, "needle", 6);
    ASSERT_OK(krti_bytes_map(t->k, &whole, put_file(t, "a", text, sizeof text)));
    ASSERT_OK(krti_bytes_view(t->k, &middle, whole, 9000, 2000));
    ASSERT_OK(krti_bytes_view(t->k, &inner, middle, 1000, 6));
    krti_bytes_drop(whole);
    krti_bytes_drop(middle);
    ASSERT_INT_EQ(6, inner->size);
    assert_memory_equal(inner->data, "needle", 6);
    krti_bytes_forget(inner, inner->data, inner->size);
    krti_bytes_forget(inner, inner->data - 10000, 20000); /* whole pages: they come back */
    assert_memory_equal(inner->data, "needle", 6);
    krti_bytes_drop(inner);
}

TEST(taken_memory_is_freed_with_its_last_use)
{
    krti_bytes *b = NULL, *view = NULL;
    char *data = krti_strdup(t->k, "inflated");

    ASSERT_OK(krti_bytes_take(t->k, &b, data, 8));
    krti_bytes_use(b);
    krti_bytes_drop(b);
    ASSERT_OK(krti_bytes_view(t->k, &view, b, 2, 6));
    krti_bytes_drop(b);
    krti_bytes_forget(view, view->data, 6); /* not mapped: nothing happens */
    assert_memory_equal(view->data, "flated", 6);
    krti_bytes_drop(view);
}

static void assert_content(const char *path, const char *expected)
{
    char found[64] = "";
    FILE *f = fopen(path, "rb");

    assert_non_null(f);
    const size_t n = fread(found, 1, sizeof found - 1, f);
    fclose(f);
    found[n] = '\0';
    assert_string_equal(found, expected);
}

TEST(a_written_file_replaces_the_old_one_whole)
{
    const krti_part parts[] = {{"he", 2}, {NULL, 0}, {"llo", 3}};

    put_file(t, "a", "something longer", 16);
    ASSERT_OK(krt_write_file(t->k, in_folder(t, "a"), "new", 3));
    assert_content(in_folder(t, "a"), "new");
    ASSERT_OK(krti_write_parts(t->k, in_folder(t, "b"), parts, KRTI_COUNT(parts)));
    assert_content(in_folder(t, "b"), "hello");
}

TEST(a_failed_write_leaves_the_old_file_and_no_other)
{
    put_file(t, "a", "old", 3);
    ASSERT_STATUS(KRT_E_NOT_FOUND, krt_write_file(t->k, in_folder(t, "absent/a"), "new", 3));
    ASSERT_SAYS("cannot save here: there is no directory");
    ASSERT_STATUS(KRT_E_IO, krt_write_file(t->k, t->folder, "new", 3));
    ASSERT_SAYS("is a directory");
    assert_content(in_folder(t, "a"), "old");
}

TEST(what_is_no_file_is_written_to_as_it_is)
{
    struct stat info;

    ASSERT_OK(krt_write_file(t->k, "/dev/null", "gone", 4));
    ASSERT_INT_EQ(0, stat("/dev/null", &info));
    ASSERT_TRUE(S_ISCHR(info.st_mode));
}

TEST(paths_come_apart_and_together)
{
    krti_str s = KRTI_STR_INIT(t->k);

    ASSERT_OK(krti_path_join(&s, "a/b", "c"));
    ASSERT_STR_EQ("a/b/c", krti_str_text(&s));
    ASSERT_OK(krti_path_join(&s, "a/", "c"));
    ASSERT_STR_EQ("a/c", krti_str_text(&s));
    ASSERT_OK(krti_path_dir(&s, "a/b/c"));
    ASSERT_STR_EQ("a/b", krti_str_text(&s));
    ASSERT_OK(krti_path_dir(&s, "c"));
    ASSERT_STR_EQ(".", krti_str_text(&s));
    ASSERT_OK(krti_path_dir(&s, "/c"));
    ASSERT_STR_EQ("/", krti_str_text(&s));
    ASSERT_STR_EQ("c", krti_path_name("a/b/c"));
    ASSERT_STR_EQ("c", krti_path_name("c"));
    krti_str_free(&s);
}

TEST(only_a_plain_name_is_a_plain_name)
{
    static const char *const bad[] = {"", ".", "..", "a/b", "/a", "a\\b", "../a"};

    for (size_t i = 0; i < KRTI_COUNT(bad); i++)
        if (krti_path_is_plain_name(bad[i]))
            fail_msg("\"%s\" passed for a plain name", bad[i]);
    ASSERT_TRUE(krti_path_is_plain_name("a.weights.h5"));
    ASSERT_TRUE(krti_path_is_plain_name("..a"));
}

TEST(kinds_and_sizes_of_paths_are_told)
{
    put_file(t, "a", "hello", 5);
    ASSERT_INT_EQ(KRTI_PATH_FILE, krti_path_kind_of(in_folder(t, "a")));
    ASSERT_INT_EQ(KRTI_PATH_DIR, krti_path_kind_of(t->folder));
    ASSERT_INT_EQ(KRTI_PATH_NONE, krti_path_kind_of(in_folder(t, "absent")));
    ASSERT_INT_EQ(5, krti_path_size(in_folder(t, "a")));
    ASSERT_INT_EQ(-1, krti_path_size(in_folder(t, "absent")));
    ASSERT_TRUE(krti_num_processors() >= 1);
}

static krt_status map_and_write(krt_ctx *k, void *path)
{
    krti_bytes *b = NULL, *view = NULL;
    krt_status st = krti_bytes_map(k, &b, path);

    if (st == KRT_OK)
        st = krti_bytes_view(k, &view, b, 1, 2);
    if (st == KRT_OK)
        st = krt_write_file(k, path, "hello", 5);
    krti_bytes_drop(view);
    krti_bytes_drop(b);
    return st;
}

TEST(files_survive_every_failing_allocation)
{
    char path[600];

    snprintf(path, sizeof path, "%s", put_file(t, "a", "hello", 5));
    ASSERT_TRUE(FAILING_SWEEP(map_and_write, path) >= 4);
    assert_content(path, "hello");
}

int main(void)
{
    return RUN(UNIT(a_file_is_mapped_whole), UNIT(an_empty_file_maps_to_nothing),
               UNIT(what_cannot_be_mapped_is_named), UNIT(a_view_outlives_what_it_was_cut_from),
               UNIT(taken_memory_is_freed_with_its_last_use),
               UNIT(a_written_file_replaces_the_old_one_whole),
               UNIT(a_failed_write_leaves_the_old_file_and_no_other),
               UNIT(what_is_no_file_is_written_to_as_it_is), UNIT(paths_come_apart_and_together),
               UNIT(only_a_plain_name_is_a_plain_name), UNIT(kinds_and_sizes_of_paths_are_told),
               UNIT(files_survive_every_failing_allocation));
}
