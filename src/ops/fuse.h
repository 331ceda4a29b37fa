/* Rules of the rewriter that stand in files of their own. See plan.h. */
#ifndef KRTI_OPS_FUSE_H
#define KRTI_OPS_FUSE_H

#include "ops/plan.h"

/* fuse_training.c: each replaces the results of n, where it applies. */
krt_status krti_split_batch_norm(krti_graph *g, krti_node *n);
krt_status krti_split_batch_norm_grad(krti_graph *g, krti_node *n);
krt_status krti_swap_pool_and_relu(krti_graph *g, krti_node *n);

#endif
