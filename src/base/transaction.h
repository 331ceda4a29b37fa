/* Writing that happened or did not: one file, a set of files, or a directory.
 *
 * What is written goes beside its target under a name of ours (".NAME.krt-tmp-PID-N"), is synced and
 * only then renamed, so whoever opens the target sees the old or the new, whole, and needs no lock.
 * A killed writer leaves such names behind; the next one removes them. One writer per target: a
 * lock file beside it (".NAME.krt-lock", held by flock, so a dead writer's does not count) is
 * refused at once, naming who holds it. All calls that change the disk go through krt_ctx.sys.
 * Page: docs/design/saving.md. */
#ifndef KRTI_BASE_TRANSACTION_H
#define KRTI_BASE_TRANSACTION_H

#include "base/fs.h"
#include "base/sink.h"

typedef struct krti_txn krti_txn;
typedef struct krti_txn_file krti_txn_file;

/* Locks the target (a symbolic link stands for what it points to) and removes what killed writers
 * left. `sync` false leaves the writing out to the system: faster, whole after a crash of the
 * process and not after one of the machine. Nothing is made yet but the lock.
 * Fails: E_NOT_FOUND (the directory is missing), E_IO (held by another writer, not writable). */
krt_status krti_txn_begin(krt_ctx *k, krti_txn **out, const char *target, bool sync);
/* Gives up what was not committed and lets the lock go. NULL allowed. */
void krti_txn_end(krti_txn *t);

/* Makes the target a directory: the files created from now on lie in it, by paths relative to it
 * ("assets/layers/x/vocabulary.txt"), and it takes the old one's place in one step. Fails: E_EXISTS
 * when an old directory holds a name for which `is_ours` is false, because it would be lost. */
krt_status krti_txn_as_directory(krti_txn *t, bool (*is_ours)(const char *name));

/* Fails with E_IO when the disk has not this much space: before anything was written. */
krt_status krti_txn_need(krti_txn *t, uint64_t bytes);

/* Starts a file that will be called `name`, in the target's directory or in the target that is one.
 * Owns: the transaction. krti_txn_create_target() is for the target itself. */
krt_status krti_txn_create(krti_txn *t, krti_txn_file **out, const char *name);
krt_status krti_txn_create_target(krti_txn *t, krti_txn_file **out);
/* Writes at a position; small neighbours are gathered. What is never written reads as zeros. */
krt_status krti_txn_write(krti_txn_file *f, uint64_t offset, const void *data, size_t size);

/* The file is complete: synced and closed, so that a set of thousands needs one descriptor. Optional;
 * a commit does it for those that are not. */
krt_status krti_txn_finish(krti_txn_file *f);

/* Syncs all files created since the last commit, then renames them in the order of their creation:
 * what decides about a set (its map) is created last. May be called again for further files. */
krt_status krti_txn_commit(krti_txn *t);

/* For sets, after a commit; names in the target's directory. */
/* Makes `to` a second name of `from`, in place of what had that name. Fails: E_IO, E_UNSUPPORTED
 * where the file system has no hard links. */
krt_status krti_txn_link(krti_txn *t, const char *from, const char *to);
/* Removes a name; nothing when there is none. */
krt_status krti_txn_remove(krti_txn *t, const char *name);
/* The same behind a failure, which stays the one that is told. */
void krti_txn_discard(krti_txn *t, const char *name);
/* The directory of the target, and the target's name in it. */
const char *krti_txn_dir(const krti_txn *t);
const char *krti_txn_name(const krti_txn *t);

/* For container writers. */
krti_sink krti_txn_sink(krti_txn_file *f);

#endif
