/* Layers on strings whose code is a file of its own; lookup.c has the list of them all. */
#ifndef KRTI_LAYERS_TEXT_H
#define KRTI_LAYERS_TEXT_H

#include "layers/layer.h"

extern const krti_class krti_class_text_vectorization, krti_class_hashing;
extern const krt_layer_class krti_class_hashed_crossing;

#endif
