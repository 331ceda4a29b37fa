/* Listing a sharded set of 50 GB reads names and headers and nothing else.
 *
 * The shards are sparse: a sink writes the metadata where it belongs and leaves the data a hole. */
#include "formats/h5_write.h"
#include "testing.h"

#include <fcntl.h>
#include <keratin/saving.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SHARDS = 10, ARRAYS = 50, MEGABYTE = 1 << 20 };

static const size_t ARRAY_BYTES = (size_t)100 * MEGABYTE; /* 10 x 50 x 100 MB */

typedef struct sparse {
    int fd;
    const char *zeros; /* the data, ARRAY_BYTES of it */
} sparse;

/* Leaves the data out: a hole reads as zeros too. */
static krt_status write_sparse(void *user, uint64_t offset, const void *data, size_t size)
{
    const sparse *s = user;
    const char *p = data;

    if (p >= s->zeros && p < s->zeros + ARRAY_BYTES)
        return KRT_OK;
    return pwrite(s->fd, data, size, (off_t)offset) == (ssize_t)size ? KRT_OK : KRT_E_IO;
}

static void add_layer(testing *t, krti_h5_writer *w, int number, const void *zeros)
{
    char path[64];
    krti_h5_node *vars = NULL;
    krti_h5_type type = krti_h5_type_float(4);
    const krti_h5_source source = {.data = zeros};

    snprintf(path, sizeof path, "layers/dense_%d/vars", number);
    type.rank = 2;
    type.dim[0] = ARRAY_BYTES / 4 / 1024;
    type.dim[1] = 1024;
    ASSERT_OK(krti_h5_add_group(w, krti_h5_writer_root(w), path, &vars));
    ASSERT_OK(krti_h5_add_dataset(w, vars, "0", &type, &source, NULL));
}

static void write_shard(testing *t, int shard, const void *zeros)
{
    char name[64];
    krti_h5_writer *w = NULL;
    uint64_t size = 0;
    sparse s = {.zeros = zeros};
    const krti_sink sink = {write_sparse, &s};

    snprintf(name, sizeof name, "big_%05d.weights.h5", shard);
    s.fd = open(in_folder(t, name), O_RDWR | O_CREAT, 0600);
    ASSERT_TRUE(s.fd >= 0);
    ASSERT_OK(krti_h5_writer_new(t->k, &w));
    for (int i = 0; i < ARRAYS; i++)
        add_layer(t, w, shard * ARRAYS + i, zeros);
    ASSERT_OK(krti_h5_plan(w, &size));
    if (ftruncate(s.fd, (off_t)size) != 0)
        skip(); /* a file system without large or sparse files */
    ASSERT_OK(krti_h5_write(w, &sink));
    krti_h5_writer_free(w);
    close(s.fd);
}

static const char *write_map(testing *t)
{
    krti_str s = {.k = t->k};
    const char *path;

    krti_str_addf(&s, "{\"metadata\": {\"total_size\": %.1f}, \"weight_map\": {",
                  (double)ARRAY_BYTES * SHARDS * ARRAYS);
    for (int i = 0; i < SHARDS * ARRAYS; i++)
        krti_str_addf(&s, "%s\"/layers/dense_%d/vars\": \"big_%05d.weights.h5\"", i > 0 ? ", " : "",
                      i, i / ARRAYS);
    ASSERT_OK(krti_str_add(&s, "}}"));
    path = put_file(t, "big.weights.json", s.ptr, s.length);
    krti_str_free(&s);
    return path;
}

static long num_faults(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt + usage.ru_majflt;
}

TEST(listing_fifty_gigabytes_touches_a_few_pages)
{
    void *zeros =
        mmap(NULL, ARRAY_BYTES, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    krt_file *f = NULL;

    ASSERT_TRUE(zeros != MAP_FAILED);
    for (int shard = 0; shard < SHARDS; shard++)
        write_shard(t, shard, zeros);
    const char *path = write_map(t);
    const long before = num_faults();
    ASSERT_OK(krt_file_open(t->k, &f, path));
    const long faults = num_faults() - before;
    ASSERT_INT_EQ(SHARDS * ARRAYS, krt_file_num_arrays(f));
    ASSERT_TRUE(krt_file_get_info(f)->weights_bytes >= INT64_C(50) * 1000 * MEGABYTE);
    ASSERT_INT_EQ(ARRAY_BYTES, krt_file_array_at(f, SHARDS * ARRAYS - 1)->size_bytes);
    print_message("%ld pages\n", faults);
    ASSERT_TRUE(faults < 2000); /* 8 MB of 50 GB, the list itself included */
    krt_file_close(f);
    munmap(zeros, ARRAY_BYTES);
}

int main(void)
{
    return RUN(UNIT(listing_fifty_gigabytes_touches_a_few_pages));
}
