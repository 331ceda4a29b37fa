/** @file reshaping.h Keras: keras.layers, the reshaping package. See ../layers.h. */
#ifndef KERATIN_LAYERS_RESHAPING_H
#define KERATIN_LAYERS_RESHAPING_H

#include "../sys/layer_class.h"

#endif
