try example functional
