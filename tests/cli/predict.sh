x=data/digits/digits-images-idx3-ubyte
model=data/digits/digits_cnn.keras
both=fixtures/containers/keras2_shared_two_inputs
roughly keratin predict $model --x $x
try keratin predict $model --x $x --out y.npy
try wc -c y.npy
roughly keratin predict $model --x digit=$x --batch-size 7
roughly keratin predict $model --x $x --layer dense --batch-size 500
try keratin predict $model --x $x --layer flatten --batch-size 100 --out flat.npy
try wc -c flat.npy
roughly keratin predict $model --x $x --scale 2 --threads 1
roughly keratin predict $both.keras --x $both.npz
roughly keratin predict $both.keras --x $both.npz --json
try keratin predict $both.keras --x $both.npz --out y.npy
try keratin predict $both.keras --x $both.npz --out y.npz
try keratin predict $model --x $x --layer dens
try keratin predict $model --x wrong=$x
try keratin predict $model --x fixtures/containers/keras2_mlp.npz
try keratin predict $both.keras --x $x
printf '1,2,3,4\n5,6,7,8\n' >table.csv
try keratin predict fixtures/saving/quantized.keras --x table.csv
roughly keratin predict fixtures/containers/keras2_mlp.keras --x table.csv
printf '1,2,3\n' >narrow.csv
try keratin predict fixtures/containers/keras2_mlp.keras --x narrow.csv
