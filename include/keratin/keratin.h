/**
 * @file keratin.h
 * Everything: contexts, tensors, layers, models, loading and predicting.
 */
#ifndef KERATIN_KERATIN_H
#define KERATIN_KERATIN_H

#include "base.h"
#include "layers.h"
#include "models.h"
#include "saving.h"
#include "tensor.h"
#include "train.h"

#endif
