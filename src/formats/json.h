/* JSON text to a config tree and back, in the dialect of Python's json module, which wrote every
 * text we meet. Page: docs/formats/json.md.
 *
 * The parser is ours: json-c takes 85 times the text in memory and 15 ms for EfficientNetV2L's
 * config, outside the host's allocator, and reads a dialect that is not Python's in either mode. */
#ifndef KRTI_FORMATS_JSON_H
#define KRTI_FORMATS_JSON_H

#include "base/conf.h"
#include "base/str.h"

enum { KRTI_JSON_MAX_DEPTH = 512 };

/* Parses `size` bytes (no terminator needed) into a tree in `arena`. Accepts what Python's json
 * accepts: bare NaN, Infinity, -Infinity; a byte-order mark; integers beyond int64 become floats;
 * of duplicate keys the last counts. Text must be UTF-8; half a surrogate pair and a NUL in a key
 * are refused. Fails: E_FORMAT with the byte offset ("not JSON: ... at byte 17"), E_FORMAT
 * "nested more than 512 deep", E_NOMEM. Memory: at most 50 bytes for a byte of text (a
 * list of digits), 5 in configs; text beyond 64 MiB is E_UNSUPPORTED. */
krt_status krti_json_parse(krti_arena *arena, const krti_conf **out, const void *text, size_t size);

/* Appends the tree as Python's json.dumps writes it: ", " and ": ", ASCII only, floats as repr().
 * indent < 0: one line; else that many blanks a level, as json.dumps(indent=N). */
krt_status krti_json_write(krti_str *s, const krti_conf *c, int indent);

/* The shortest text that reads back as the same double, as Python's repr: 1e-07, 0.001, 100.0,
 * and NaN, Infinity, -Infinity as Python's json spells them. */
void krti_json_float(char *buffer, size_t size, double value);

#endif
