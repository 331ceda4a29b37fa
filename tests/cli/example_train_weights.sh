mkdir out
try example train_weights data/digits out
try example train_weights
