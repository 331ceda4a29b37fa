/* A map from text to pointers that remembers insertion order. Keys are copied. Open addressing,
 * keyed hash (a file must not be able to choose collisions cheaply), never shrinks. */
#ifndef KRTI_BASE_MAP_H
#define KRTI_BASE_MAP_H

#include "base/ctx.h"

typedef struct krti_map krti_map;

krti_map *krti_map_new(krt_ctx *k); /* NULL: E_NOMEM is recorded */
void krti_map_free(krti_map *m);    /* values are not touched; NULL allowed */
/* Adds or replaces. */
krt_status krti_map_set(krti_map *m, const char *key, void *value);
/* NULL when absent, or when m is NULL. */
void *krti_map_get(const krti_map *m, const char *key);
bool krti_map_has(const krti_map *m, const char *key);
size_t krti_map_num(const krti_map *m); /* 0 for NULL */
/* In insertion order. */
const char *krti_map_key_at(const krti_map *m, size_t i);
void *krti_map_value_at(const krti_map *m, size_t i);

#endif
