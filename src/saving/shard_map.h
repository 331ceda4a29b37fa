/* NAME.weights.json, as both writers of sharded sets make it: the whole set anew
 * (sharded_writer.c) and what changed of it (incremental.c). Keras: ShardedH5IOStore of
 * saving_lib.py. Page: docs/formats/sharded_weights.md. */
#ifndef KRTI_SAVING_SHARD_MAP_H
#define KRTI_SAVING_SHARD_MAP_H

#include "base/transaction.h"
#include "saving/save_list.h"

#define KRTI_SHARD_TAIL ".weights.h5"
enum { KRTI_SHARD_DIGITS = 5 };

/* What the shards' names begin with: "model" for model.weights.json, "my.x" for
 * my.weights.x.weights.json: the stem, every ".weights" in it left out. NULL: E_NOMEM. */
const char *krti_shard_base(krti_arena *a, const char *map_name);
/* An array's bytes as Keras counts them against max_shard_size: a bool is a bit. */
double krti_shard_counted_size(const krti_save_array *a);
/* Appends the key of an object's group, "/layers/dense/vars". */
krt_status krti_shard_map_key(krti_str *key, const krti_save_object *o);
/* Enters that arrays of this object lie in `shard`. Keras's value: a name for an object of one
 * array, else a list of names. An object of several shards comes in a row. */
krt_status krti_shard_map_add(krti_arena *a, krti_conf *map, const krti_save_object *o,
                              const char *shard);
/* Makes the file the transaction's target and commits. NULL: `note` may be, there is none then. */
krt_status krti_shard_map_write(krti_arena *a, krti_txn *txn, krti_conf *total_size, krti_conf *map,
                                krti_conf *note);

#endif
