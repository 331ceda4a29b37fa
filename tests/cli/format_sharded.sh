try keratin info fixtures/containers/keras3_residual_sharded.weights.json
try keratin weights fixtures/containers/keras3_residual_sharded.weights.json
roughly keratin predict fixtures/containers/keras3_residual_sharded.weights.json --config fixtures/containers/keras3_residual.json --x fixtures/containers/keras3_residual.npz
