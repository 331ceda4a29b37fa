/** @file activation.h Keras: keras.layers, the activation package. See ../layers.h. */
#ifndef KERATIN_LAYERS_ACTIVATION_H
#define KERATIN_LAYERS_ACTIVATION_H

#include "../sys/layer_class.h"

#endif
