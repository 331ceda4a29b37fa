mkdir out
try example checkpoints data/digits out
try example checkpoints
