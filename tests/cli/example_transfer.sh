mkdir out
try example transfer data/digits out
try example transfer
