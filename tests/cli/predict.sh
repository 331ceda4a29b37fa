x=data/digits/digits-images-idx3-ubyte
model=data/digits/digits_cnn.keras
try keratin predict $model --x $x
try keratin predict $model --x $x --out y.npy
try keratin predict $model --x $x --batch-size 7 --out y7.npy
try keratin predict $model --x $x --layer dense --batch-size 500
try keratin predict $model --x $x --layer dens
try keratin predict $model --x $x --scale 2 --threads 1
try keratin predict $model --x wrong=$x
try keratin predict $model --x fixtures/containers/keras2_mlp.npz
