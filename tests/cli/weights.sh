try keratin weights data/digits/digits_cnn.keras
try keratin weights --digest fixtures/containers/keras2_mlp.h5
try keratin weights --json fixtures/containers/keras2_mlp_weights.h5
try keratin weights fixtures/containers/keras3_residual_sharded.weights.json
try keratin weights fixtures/containers/keras2_mlp.h5 nothing/here
try keratin weights fixtures/containers/keras2_mlp.h5 dense_1/dense_1/bias:0
try keratin weights fixtures/containers/keras2_mlp.h5 /dense/dense/bias:0 --json
try keratin weights fixtures/containers/keras2_mlp.h5 dense/dense/bias:1
try keratin weights data/digits/digits_cnn.keras layers/dense/vars/1 --out bias.npy
try wc -c bias.npy
