roughly example predict data/digits/digits_cnn.keras data/digits/digits-images-idx3-ubyte
try example predict data/digits/digits_cnn.keras missing.npy
try example predict
