/* Sharded sets that are saved again and again: only what changed is written.
 *
 * The map of a set says in which file each `vars` group lies, and Keras believes it: a group may lie
 * in a newer file, while the old shard keeps a copy that nobody looks at. The unit is a whole group,
 * since Keras counts the arrays of a group over all files the map names for it. All files lie in one
 * directory, and NAME_00000.weights.h5 stays, because Keras opens it first. */
#ifndef KRTI_SAVING_INCREMENTAL_H
#define KRTI_SAVING_INCREMENTAL_H

#include "saving/weights_writer.h"

/* Like krti_write_sharded(), but groups whose arrays are as they were stay where they are. A set that
 * is not there yet is written whole. `*written` (or NULL): arrays that were. */
krt_status krti_write_incremental(krti_save_list *l, const char *filepath, double max_shard_bytes,
                                  const krti_write_options *options, size_t *written);

#endif
