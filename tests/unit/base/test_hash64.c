/* Tests of src/base/hash64.c: what TensorFlow's to_hash_bucket_fast, to_hash_bucket_strong and
 * sparse.cross_hashed give for bytes of every length that takes another way. */
#include "base/hash64.h"
#include "testing.h"

static const unsigned char *bytes(void)
{
    static unsigned char b[400];

    for (size_t i = 0; i < sizeof b; i++)
        b[i] = (unsigned char)(i * 37 + 11);
    return b;
}

/* Modulo 2**63 - 1, the most buckets there can be. */
static long long bucket(uint64_t hash)
{
    return (long long)(hash % INT64_MAX);
}

TEST(fingerprints_are_tensorflows)
{
    static const struct {
        size_t size;
        long long bucket;
    } cases[] = {
        {0, 1936946117179621456LL},   {1, 4787810249829893994LL},   {3, 3979540680440595841LL},
        {4, 5484952793052507498LL},   {7, 1587581522672208246LL},   {8, 9029840561075318013LL},
        {15, 238444545388239200LL},   {16, 6356347102450775255LL},  {17, 6692022265393568454LL},
        {31, 5954998855510709538LL},  {32, 2320199202392403368LL},  {33, 257079882033485463LL},
        {48, 7606463386070888915LL},  {63, 9004466194475038334LL},  {64, 4226431515964725LL},
        {65, 8878297253747756471LL},  {100, 669828348884226933LL},  {127, 6273009123180563717LL},
        {128, 3742283891066476345LL}, {129, 4830816169928877278LL}, {192, 7095375778486082852LL},
        {193, 7186806115308376035LL}, {299, 7995097438959271144LL}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ASSERT_INT_EQ(cases[i].bucket, bucket(krti_fingerprint64(bytes(), cases[i].size)));
}

TEST(siphashes_are_tensorflows)
{
    static const uint64_t key[2] = {133, 137};
    static const struct {
        size_t size;
        long long bucket;
    } cases[] = {
        {0, 4928313950774450900LL},  {1, 1997506353430628033LL}, {7, 3557740260218828792LL},
        {8, 7412617030723750143LL},  {9, 1691738843716843421LL}, {15, 551468079025874049LL},
        {16, 4981518370531665231LL}, {23, 492778808549313295LL}, {39, 234004253387734157LL}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ASSERT_INT_EQ(cases[i].bucket, bucket(krti_siphash(key, bytes(), cases[i].size)));
}

int main(void)
{
    return RUN(UNIT(fingerprints_are_tensorflows), UNIT(siphashes_are_tensorflows));
}
