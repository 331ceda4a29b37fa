/* JSON text to a config tree and back. Parsing is json-c's; limits, the NaN and Infinity tokens,
 * a byte-order mark and Python's float spelling are ours. Page: docs/formats/json.md. */
#ifndef KRTI_FORMATS_JSON_H
#define KRTI_FORMATS_JSON_H

#include "base/conf.h"
#include "base/str.h"

enum { KRTI_JSON_MAX_DEPTH = 512 };

/* Parses `size` bytes (no terminator needed) into a tree in `arena`. Accepts what Python's json
 * accepts: bare NaN, Infinity, -Infinity; integers beyond int64 become floats; of duplicate keys
 * the last counts. Fails: E_FORMAT with the byte offset ("not JSON: ... at byte 17"), E_FORMAT
 * "nested more than 512 deep", E_NOMEM. */
krt_status krti_json_parse(krti_arena *arena, const krti_conf **out, const void *text, size_t size);

/* Appends the tree as Python's json.dumps writes it: ", " and ": ", ASCII only, floats as repr().
 * indent < 0: one line; else that many blanks a level, as json.dumps(indent=N). */
krt_status krti_json_write(krti_str *s, const krti_conf *c, int indent);

/* The shortest text that reads back as the same double, as Python's repr: 1e-07, 0.001, 100.0. */
void krti_json_float(char *buffer, size_t size, double value);

#endif
