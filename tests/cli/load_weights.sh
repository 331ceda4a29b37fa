# An architecture, weights of tf.keras, and what comes out of the three ways to be lenient.
try keratin load-weights fixtures/containers/keras2_mlp.json fixtures/containers/keras2_mlp_weights.h5 --save out.keras
try keratin weights out.keras
try keratin load-weights fixtures/containers/keras2_mlp.json fixtures/containers/keras2_mlp_weights.h5 --save out.keras
sed 's/"units": 3/"units": 7/' fixtures/containers/keras2_mlp.json >other.json
try keratin load-weights other.json fixtures/containers/keras2_mlp_weights.h5 --save other.keras
try keratin load-weights other.json fixtures/containers/keras2_mlp_weights.h5 --save other.keras --skip-mismatch
try keratin load-weights out.keras fixtures/containers/keras2_mlp_weights.h5 --save new.weights.h5 --by-name --objects-to-skip dense
sed 's/dense_1/head/g' fixtures/containers/keras2_mlp.json >head.json
try keratin load-weights head.json fixtures/containers/keras2_mlp_weights.h5 --save head.h5 --map 'dense_1=head' --json
try keratin load-weights head.json fixtures/containers/keras2_mlp_weights.h5 --save head.h5 --overwrite --map 'dense_1'
try keratin load-weights head.json fixtures/containers/keras2_mlp_weights.h5
# What is missing is asked for with an option that the command has.
try keratin load-weights fixtures/containers/keras2_mlp_weights.h5 fixtures/containers/keras2_mlp_weights.h5 --save base.keras
try keratin load-weights fixtures/containers/keras2_mlp_weights.h5 fixtures/containers/keras2_mlp_weights.h5 --config head.json --save base.keras
try keratin load-weights head.json head.json --save base2.keras
try keratin load-weights head.json fixtures/containers/keras2_mlp_weights.h5 --save base.npz --for keras2
# Weights alone, by name, and names of their own.
try keratin load-weights fixtures/containers/keras3_trained.keras fixtures/containers/keras3_trained.weights.h5 --save named.npz
try keratin load-weights fixtures/containers/keras3_trained.keras named.npz --save renamed.safetensors --map 'dense=d' --skip-mismatch
try keratin load-weights fixtures/containers/keras3_trained.keras named.npz --save again.safetensors --map 'none/*=dense/*'
try keratin diff named.npz again.safetensors
