try example digits data/digits
try example digits
try example digits nowhere
