/* The HDF5 reader on every real Keras file at hand, on disk and within archives: each opens, and
 * every link, attribute and dataset in it reads without a complaint. */
#include "h5_testing.h"

#include "formats/zip.h"

typedef struct tally {
    size_t files, datasets, attributes;
} tally;

static void read_whole(testing *t, krti_bytes *bytes, const char *name, tally *sum)
{
    krti_h5 *f = NULL;

    ASSERT_OK(krti_h5_open(t->k, &f, bytes));
    const h5_totals s = h5_read_all(t->k, f, UINT64_MAX);
    if (s.refused != 0)
        fail_msg("%s: %s", name, krt_ctx_error(t->k)->message);
    krti_h5_close(f);
    sum->files++;
    sum->datasets += s.datasets;
    sum->attributes += s.attributes;
}

static void read_archive(testing *t, krti_bytes *bytes, tally *sum)
{
    krti_zip *z = NULL;

    ASSERT_OK(krti_zip_open(t->k, &z, bytes));
    for (size_t i = 0; i < krti_zip_num(z); i++) {
        const krti_zip_member *const m = krti_zip_at(z, i);
        krti_bytes *inside = NULL;

        ASSERT_OK(krti_zip_read(z, &inside, m, true));
        if (krti_h5_detect(inside))
            read_whole(t, inside, m->name, sum);
        krti_bytes_drop(inside);
    }
    krti_zip_close(z);
}

static void read_file(testing *t, const char *path, tally *sum)
{
    krti_bytes *bytes = NULL;

    if (krti_path_kind_of(path) != KRTI_PATH_FILE)
        return;
    ASSERT_OK(krti_bytes_map(t->k, &bytes, path));
    if (krti_h5_detect(bytes))
        read_whole(t, bytes, path, sum);
    else if (krti_zip_detect(bytes))
        read_archive(t, bytes, sum);
    krti_bytes_drop(bytes);
}

TEST(every_real_file_reads_completely)
{
    tally sum = {0, 0, 0};
    char line[4096], path[4608];

    need(KERATIN_REAL "/MANIFEST.tsv");
    FILE *const list = fopen(KERATIN_REAL "/MANIFEST.tsv", "r");
    assert_non_null(list);
    while (fgets(line, sizeof line, list) != NULL) {
        line[strcspn(line, "\t\n")] = '\0';
        snprintf(path, sizeof path, "%s/%s", KERATIN_REAL, line);
        read_file(t, path, &sum);
    }
    fclose(list);
    print_message("%zu files, %zu datasets, %zu attributes\n", sum.files, sum.datasets,
                  sum.attributes);
    ASSERT_TRUE(sum.files > 100);
    ASSERT_TRUE(sum.datasets > 1000);
}

int main(void)
{
    return RUN(UNIT(every_real_file_reads_completely));
}
