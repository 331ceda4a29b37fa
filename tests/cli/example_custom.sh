mkdir out
try example custom data/digits out
try example custom
