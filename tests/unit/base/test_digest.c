/* Tests of src/base/digest.c and sha256.c: published vectors, pieces, and that the processor's
 * instructions and the plain loop agree. */
#include "base/digest.h"
#include "testing.h"

#include "base/sha256.c"

static const char *digest_of(testing *t, krt_digest kind, const void *data, size_t size,
                             size_t piece)
{
    static char text[KRTI_DIGEST_TEXT];
    krti_hasher *h = NULL;

    ASSERT_OK(krti_hasher_new(t->k, &h, kind));
    for (size_t i = 0; i < size; i += piece)
        krti_hasher_update(h, (const char *)data + i, size - i < piece ? size - i : piece);
    krti_hasher_end(h, text);
    krti_hasher_free(h);
    return text;
}

TEST(sha256_gives_the_published_digests)
{
    static const char two_blocks[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";

    ASSERT_STR_EQ("sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                  digest_of(t, KRT_DIGEST_SHA256, "", 0, 1));
    ASSERT_STR_EQ("sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
                  digest_of(t, KRT_DIGEST_SHA256, "abc", 3, 3));
    ASSERT_STR_EQ("sha256:248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
                  digest_of(t, KRT_DIGEST_SHA256, two_blocks, 56, 5));
}

TEST(xxh3_gives_the_published_digests)
{
    ASSERT_STR_EQ("xxh3-128:99aa06d3014798d86001c324468d497f",
                  digest_of(t, KRT_DIGEST_XXH3_128, "", 0, 1));
    ASSERT_STR_EQ("xxh3-128:06b05ab6733a618578af5f94892f3950",
                  digest_of(t, KRT_DIGEST_XXH3_128, "abc", 3, 1));
}

TEST(pieces_make_the_same_digest)
{
    unsigned char data[700];
    char whole[KRTI_DIGEST_TEXT];

    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)(i * 37 + i / 251);
    for (krt_digest kind = KRT_DIGEST_XXH3_128; kind <= KRT_DIGEST_SHA256; kind++)
        for (size_t size = 0; size <= sizeof data; size += 7) {
            snprintf(whole, sizeof whole, "%s", digest_of(t, kind, data, size, sizeof data));
            for (size_t piece = 1; piece < 200; piece += 13)
                ASSERT_STR_EQ(whole, digest_of(t, kind, data, size, piece));
        }
}

/* A hasher takes the processor's widest instructions, krti_hash128() those that all have. */
TEST(wide_and_plain_xxh3_agree)
{
    static unsigned char data[100003];
    char plain[KRTI_DIGEST_TEXT];
    uint64_t half[2];

    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)(i * 53 + i / 127);
    for (size_t size = 200; size <= sizeof data; size += size / 3) {
        krti_hash128(half, data, size);
        snprintf(plain, sizeof plain, "xxh3-128:%016llx%016llx", (unsigned long long)half[1],
                 (unsigned long long)half[0]);
        ASSERT_STR_EQ(plain, digest_of(t, KRT_DIGEST_XXH3_128, data, size, size));
        ASSERT_STR_EQ(plain, digest_of(t, KRT_DIGEST_XXH3_128, data, size, 4099));
    }
}

TEST(instructions_and_loop_agree)
{
    unsigned char data[640];
    uint32_t plain[8] = {1, 2, 3, 4, 5, 6, 7, 8}, fast[8] = {1, 2, 3, 4, 5, 6, 7, 8};

    if (!has_instructions())
        skip();
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)(i * 91 + 3);
    add_blocks(plain, data, sizeof data / 64);
    add_blocks_by_instructions(fast, data, sizeof data / 64);
    assert_memory_equal(plain, fast, sizeof plain);
}

TEST(a_hasher_starts_again_after_its_end)
{
    char first[KRTI_DIGEST_TEXT], second[KRTI_DIGEST_TEXT];
    krti_hasher *h = NULL;

    ASSERT_OK(krti_hasher_new(t->k, &h, KRT_DIGEST_SHA256));
    krti_hasher_update(h, "one", 3);
    krti_hasher_end(h, first);
    krti_hasher_update(h, "one", 3);
    krti_hasher_end(h, second);
    krti_hasher_free(h);
    ASSERT_STR_EQ(first, second);
}

TEST(only_whole_digests_have_a_kind)
{
    ASSERT_INT_EQ(KRT_DIGEST_XXH3_128,
                  krti_digest_kind_of("xxh3-128:99aa06d3014798d86001c324468d497f"));
    ASSERT_INT_EQ(KRT_DIGEST_NONE, krti_digest_kind_of("xxh3-128:99aa06d3014798d86001c32446"));
    ASSERT_INT_EQ(KRT_DIGEST_NONE,
                  krti_digest_kind_of("xxh3-128:99AA06d3014798d86001c324468d497f"));
    ASSERT_INT_EQ(KRT_DIGEST_NONE, krti_digest_kind_of("xxh3:99aa06d3014798d86001c324468d497f"));
    ASSERT_INT_EQ(KRT_DIGEST_NONE, krti_digest_kind_of("md5:d41d8cd98f00b204e9800998ecf8427e"));
    ASSERT_INT_EQ(KRT_DIGEST_NONE, krti_digest_kind_of(""));
}

int main(void)
{
    return RUN(UNIT(sha256_gives_the_published_digests), UNIT(xxh3_gives_the_published_digests),
               UNIT(pieces_make_the_same_digest), UNIT(wide_and_plain_xxh3_agree),
               UNIT(instructions_and_loop_agree), UNIT(a_hasher_starts_again_after_its_end),
               UNIT(only_whole_digests_have_a_kind));
}
