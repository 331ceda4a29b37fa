/* Writing behind: every byte at its place, whoever writes it, and the first failure told. */
#include "faulty.h"

#include "base/behind.h"

#include <unistd.h>

enum { SIZE = (5 << 20) + 123, START = 4000 };

static unsigned char byte_at(size_t i)
{
    return (unsigned char)(i * i >> 9);
}

static unsigned char *some_bytes(void)
{
    unsigned char *p = malloc(SIZE);

    for (size_t i = 0; i < SIZE; i++)
        p[i] = byte_at(i);
    return p;
}

/* From START on, in parts that are a little longer each time; then the bytes before it, which the file has
 * in front. 0, or what krti_behind said. */
static int write_all(krti_behind *b, const unsigned char *data)
{
    int error = 0;

    for (size_t at = START, n = 1; error == 0 && at < SIZE; at += n, n = n * 3 / 2 + 7) {
        n = SIZE - at < n ? SIZE - at : n;
        error = krti_behind_write(b, at, data + at, n);
    }
    if (error == 0)
        error = krti_behind_write(b, 0, data, START);
    return error == 0 ? krti_behind_flush(b) : error;
}

static int open_file(testing *t)
{
    return open(in_folder(t, "f"), O_RDWR | O_CREAT | O_TRUNC, 0666);
}

static void assert_all_there(testing *t, const unsigned char *data)
{
    unsigned char *found = malloc(SIZE + 1);
    FILE *f = fopen(in_folder(t, "f"), "rb");

    assert_non_null(f);
    ASSERT_INT_EQ(SIZE, fread(found, 1, SIZE + 1, f));
    assert_memory_equal(data, found, SIZE);
    fclose(f);
    free(found);
}

TEST(every_byte_comes_to_its_place_with_one_thread_and_with_two)
{
    unsigned char *data = some_bytes();

    for (int threads = 1; threads <= 2; threads++) {
        const int fd = open_file(t);

        ASSERT_OK(krt_ctx_set_threads(t->k, threads));
        krti_behind *b = krti_behind_new(t->k, fd);
        assert_non_null(b);
        ASSERT_INT_EQ(0, write_all(b, data));
        ASSERT_INT_EQ(0, krti_behind_flush(b));
        krti_behind_free(b);
        close(fd);
        assert_all_there(t, data);
    }
    free(data);
}

/* Headers that are known late, before, across and behind the beginning of the piece that is being filled. */
TEST(a_place_may_be_written_again)
{
    enum { APART = 300000, LONG = 4096 };
    unsigned char *data = some_bytes();
    static const unsigned char zeros[LONG];

    for (int threads = 1; threads <= 2; threads++) {
        const int fd = open_file(t);

        ASSERT_OK(krt_ctx_set_threads(t->k, threads));
        krti_behind *b = krti_behind_new(t->k, fd);
        for (size_t at = 0; at < SIZE; at += APART) {
            const size_t n = SIZE - at < APART ? SIZE - at : APART, head = n < LONG ? n : LONG;

            ASSERT_INT_EQ(0, krti_behind_write(b, at, zeros, head));
            ASSERT_INT_EQ(0, krti_behind_write(b, at + head, data + at + head, n - head));
            ASSERT_INT_EQ(0, krti_behind_write(b, at, data + at, head));
        }
        ASSERT_INT_EQ(0, krti_behind_flush(b));
        for (size_t at = 1 << 20; at < SIZE; at += 1 << 20) /* pieces begin here */
            ASSERT_INT_EQ(0, krti_behind_write(b, at - 100, data + at - 100, 200));
        ASSERT_INT_EQ(0, krti_behind_flush(b));
        krti_behind_free(b);
        close(fd);
        assert_all_there(t, data);
    }
    free(data);
}

TEST(the_first_write_that_fails_is_told_and_a_short_one_goes_on)
{
    unsigned char *data = some_bytes();
    size_t calls = 0;

    for (int threads = 1; threads <= 2; threads++) {
        ASSERT_OK(krt_ctx_set_threads(t->k, threads));
        for (size_t n = 0; n == 0 || n <= calls; n++) {
            const int fd = open_file(t);

            faulty_install(t->k, n, ENOSPC);
            krti_behind *b = krti_behind_new(t->k, fd);
            const int error = write_all(b, data);
            krti_behind_free(b);
            close(fd);
            calls = faulty_calls();
            ASSERT_INT_EQ(n < calls ? ENOSPC : 0, error);
            if (error == 0)
                assert_all_there(t, data);
        }
        ASSERT_TRUE(calls > 5);
    }
    faulty_install(t->k, SIZE_MAX, 0);
    free(data);
}

TEST(what_was_not_flushed_may_be_dropped)
{
    unsigned char *data = some_bytes();
    const int fd = open_file(t);

    ASSERT_OK(krt_ctx_set_threads(t->k, 2));
    krti_behind *b = krti_behind_new(t->k, fd);
    ASSERT_INT_EQ(0, krti_behind_write(b, 0, data, SIZE));
    krti_behind_free(b);
    krti_behind_free(NULL);
    close(fd);
    free(data);
}

int main(void)
{
    return RUN(UNIT(every_byte_comes_to_its_place_with_one_thread_and_with_two),
               UNIT(a_place_may_be_written_again),
               UNIT(the_first_write_that_fails_is_told_and_a_short_one_goes_on),
               UNIT(what_was_not_flushed_may_be_dropped));
}
