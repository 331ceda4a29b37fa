try keratin info fixtures/containers/keras3_residual_directory
try keratin weights fixtures/containers/keras3_residual_directory
try keratin summary fixtures/containers/keras3_residual_directory
try keratin predict fixtures/containers/keras3_residual_directory --x fixtures/containers/keras3_residual.npz
