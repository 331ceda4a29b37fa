try keratin summary data/digits/digits_cnn.keras
try keratin summary --line-length 100 --show-trainable data/digits/digits_cnn.keras
try keratin summary --expand-nested fixtures/containers/keras3_functional_in_functional_in_sequential.keras
try keratin summary --json fixtures/containers/keras3_functional_in_functional_in_sequential.keras
try keratin summary fixtures/containers/keras2_mlp_weights.h5 --config fixtures/containers/keras2_mlp.json
