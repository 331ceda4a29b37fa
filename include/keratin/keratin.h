/**
 * @file keratin.h
 * Everything: contexts, tensors, layers, models, training, callbacks, saving and inspecting.
 */
#ifndef KERATIN_KERATIN_H
#define KERATIN_KERATIN_H

#include "base.h"
#include "callbacks.h"
#include "inspect.h"
#include "layers.h"
#include "models.h"
#include "saving.h"
#include "tensor.h"
#include "train.h"

#endif
