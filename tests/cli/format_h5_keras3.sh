try keratin info fixtures/containers/keras3_residual.h5
try keratin weights fixtures/containers/keras3_residual.h5
roughly keratin predict fixtures/containers/keras3_residual.h5 --x fixtures/containers/keras3_residual.npz
