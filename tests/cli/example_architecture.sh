mkdir out
try example architecture data/digits out
try example architecture
