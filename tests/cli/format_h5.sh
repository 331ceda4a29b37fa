try keratin info fixtures/containers/keras2_mlp.h5
try keratin weights fixtures/containers/keras2_mlp.h5
try keratin summary fixtures/containers/keras2_mlp.h5
roughly keratin predict fixtures/containers/keras2_mlp.h5 --x fixtures/containers/keras2_mlp.npz
