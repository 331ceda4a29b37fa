/* keratin gc SET: removes shards that the map of a set no longer names. */
#include "cli.h"

static int run(cli *c, const void *options)
{
    const char *file = c->arguments[0];
    char commas[2][32];
    size_t num = 0;
    int64_t bytes = 0;
    json j;

    (void)options;
    if (krt_collect_shards(c->k, file, &num, &bytes) != KRT_OK)
        return fail(c, file);
    if (!c->json) {
        printf("%s shards removed, %s bytes\n", with_commas((long long)num, commas[0]),
               with_commas(bytes, commas[1]));
        return CLI_DONE;
    }
    json_begin(&j, stdout);
    json_open(&j, '{');
    json_key(&j, "shards");
    json_int(&j, (long long)num);
    json_key(&j, "bytes");
    json_int(&j, bytes);
    json_close(&j, '}');
    json_end(&j);
    return CLI_DONE;
}

const cli_command cmd_gc = {
    .name = "gc",
    .arguments = "SET",
    .summary = "Removes shards that the map of a sharded set no longer names",
    .details =
        "Incremental saves leave the shards of earlier ones behind. SET is NAME.weights.json.\n"
        "NAME_00000.weights.h5 is emptied and stays, because Keras opens it first.",
    .least = 1,
    .most = 1,
    .run = run,
};
