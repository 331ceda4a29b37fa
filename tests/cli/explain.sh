try keratin explain fixtures/containers/keras3_trained.weights.h5 --into fixtures/containers/keras3_trained.json
try keratin explain fixtures/saving/short.weights.h5 --into fixtures/saving/short.json
try keratin explain fixtures/containers/keras3_two_outputs.weights.h5 --into fixtures/containers/keras3_siamese.keras --json
try keratin explain fixtures/containers/keras2_mlp_weights.h5 --into fixtures/containers/keras2_layer_zoo.json
try keratin explain fixtures/containers/keras2_mlp_weights.h5 --into fixtures/containers/keras2_mlp_weights.h5
try keratin explain fixtures/containers/keras2_mlp.json --into fixtures/containers/keras2_mlp.json
try keratin explain fixtures/containers/keras2_mlp_weights.h5
# Five classes in the file, ten in the model.
sed 's/"units": 5/"units": 10/' fixtures/containers/keras3_sequential_cnn.json >ten.json
grep -c '"units": 10' ten.json
try keratin explain fixtures/containers/keras3_sequential_cnn.weights.h5 --into ten.json
