try keratin weights data/digits/digits_cnn.keras
try keratin weights --digest fixtures/containers/keras2_mlp.h5
try keratin weights --json fixtures/containers/keras2_mlp_weights.h5
try keratin weights fixtures/containers/keras3_residual_sharded.weights.json
try keratin weights fixtures/containers/keras2_mlp.h5 nothing/here
