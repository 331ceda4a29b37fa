try keratin diff fixtures/containers/keras3_trained.keras fixtures/containers/keras3_trained_sharded.weights.json
try keratin diff fixtures/containers/keras3_trained.keras fixtures/containers/keras3_trained.h5 --json
try keratin diff fixtures/containers/keras2_nested.h5 fixtures/containers/keras2_nested.keras
try keratin diff fixtures/containers/keras2_mlp_weights.h5 fixtures/containers/keras2_mlp.weights.h5
try keratin diff fixtures/containers/keras3_0_5_cnn.keras fixtures/containers/keras3_10_0_cnn.keras
try keratin diff fixtures/containers/keras3_mixed_float16.keras fixtures/containers/keras3_half_weights.keras
# One value of one array.
cp fixtures/containers/keras3_trained.weights.h5 changed.weights.h5
offset=$(keratin weights --json changed.weights.h5 | sed -n 's/.*"offset": \([0-9]*\),/\1/p' | head -1)
printf '\000\000\200\077' | dd of=changed.weights.h5 bs=1 seek="$offset" conv=notrunc 2>/dev/null
try keratin diff fixtures/containers/keras3_trained.weights.h5 changed.weights.h5
try keratin diff fixtures/containers/keras3_trained.weights.h5 changed.weights.h5 --json
try keratin diff fixtures/containers/keras3_trained.weights.h5 changed.weights.h5 --atol 2
try keratin diff fixtures/containers/keras3_trained.weights.h5 changed.weights.h5 --atol -1
try keratin diff fixtures/containers/keras3_trained.weights.h5 missing.keras
try keratin diff fixtures/saving/dense_plain.weights.h5 fixtures/saving/dense_float16.weights.h5
