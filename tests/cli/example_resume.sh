mkdir out
try example resume data/digits out
try example resume
