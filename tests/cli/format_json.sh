try keratin info fixtures/containers/keras2_mlp.json
try keratin weights fixtures/containers/keras2_mlp.json
try keratin summary fixtures/containers/keras2_mlp.json
roughly keratin predict fixtures/containers/keras2_mlp.json --x fixtures/containers/keras2_mlp.npz
roughly keratin predict fixtures/containers/keras2_mlp.json --weights fixtures/containers/keras2_mlp_weights.h5 --x fixtures/containers/keras2_mlp.npz
