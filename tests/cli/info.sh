try keratin info data/digits/digits_cnn.keras
try keratin info --json data/digits/digits_cnn.keras
try keratin info fixtures/containers/keras3_trained.weights.h5
try keratin info fixtures/containers/keras2_mlp.h5
try keratin info fixtures/containers/keras2_mlp_weights.h5
try keratin info fixtures/containers/keras2_mlp.json
try keratin info fixtures/containers/keras3_residual_sharded.weights.json
try keratin info fixtures/containers/keras3_residual_directory
