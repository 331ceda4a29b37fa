try keratin info fixtures/containers/keras3_residual.weights.h5
try keratin weights fixtures/containers/keras3_residual.weights.h5
try keratin summary fixtures/containers/keras3_residual.weights.h5
roughly keratin predict fixtures/containers/keras3_residual.weights.h5 --config fixtures/containers/keras3_residual.json --x fixtures/containers/keras3_residual.npz
