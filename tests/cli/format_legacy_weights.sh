try keratin info fixtures/containers/keras2_mlp_weights.h5
try keratin weights fixtures/containers/keras2_mlp_weights.h5
try keratin summary fixtures/containers/keras2_mlp_weights.h5
roughly keratin predict fixtures/containers/keras2_mlp_weights.h5 --config fixtures/containers/keras2_mlp.json --x fixtures/containers/keras2_mlp.npz
