try keratin convert fixtures/containers/keras3_trained.keras trained.weights.h5
try keratin diff fixtures/containers/keras3_trained.keras trained.weights.h5
try keratin verify trained.weights.h5
try keratin convert fixtures/containers/keras3_trained.keras set.weights.json --max-shard-size 1e-7
try keratin diff trained.weights.h5 set.weights.json
try keratin verify set.weights.json
try keratin convert set.weights.json again.keras --config fixtures/containers/keras3_trained.json
try keratin diff fixtures/containers/keras3_trained.keras again.keras
# From Keras 2 to Keras 3, and a directory.
try keratin convert fixtures/containers/keras2_cnn_trained.h5 cnn.keras
try keratin diff fixtures/containers/keras2_cnn_trained.h5 cnn.keras
try keratin convert cnn.keras cnn --to keras-dir
try keratin diff cnn.keras cnn
try keratin convert fixtures/containers/keras2_mlp.h5 mlp.json
try keratin diff fixtures/containers/keras2_mlp.json mlp.json
# The optimizer goes along, also when the architecture comes from a file without one.
try keratin convert fixtures/legacy/optimizer_old_adam.h5 adam.keras
try keratin convert adam.keras adam.h5
try keratin convert fixtures/legacy/optimizer_old_adam.h5 adam.json --no-optimizer --json
try keratin convert fixtures/legacy/optimizer_keras3_adam.h5 again_adam.keras --config adam.json --json
try keratin convert adam.keras bare_adam.h5 --no-optimizer
try keratin verify adam.h5
# Classes that nobody knows: from file to file, without a model.
try keratin convert fixtures/saving/custom.keras custom.keras
try keratin diff fixtures/saving/custom.keras custom.keras
# A Lambda is never run: what only running it would tell is said, and no weight is left behind.
try keratin convert fixtures/legacy/keras2_lambda.h5 lambda.keras
try keratin convert fixtures/legacy/keras2_lambda.h5 lambda.h5 --for keras2
try keratin convert fixtures/legacy/keras2_lambda.h5 lambda.ckpt
try keratin convert fixtures/legacy/keras2_lambda.h5 lambda.npz
try keratin weights lambda.npz
try keratin load-weights fixtures/legacy/keras2_lambda.h5 lambda.npz --save lambda_again.h5
try keratin convert fixtures/legacy/keras2_lambda_last.h5 last.keras
try keratin convert fixtures/legacy/keras2_lambda_last.h5 last.h5
try keratin convert fixtures/legacy/keras2_lambda_last.h5 last.h5 --for keras2
try keratin diff fixtures/legacy/keras2_lambda_last.h5 last.h5
try keratin convert fixtures/legacy/keras2_lambda_last.h5 last.json --for keras2
# What an option would change is not written, or what it needs is in another file.
try keratin convert fixtures/containers/keras3_trained.keras one.keras --max-shard-size 1
try keratin convert fixtures/containers/keras3_trained.keras one.npz --max-shard-size 1
try keratin convert fixtures/containers/keras3_trained.json one.keras
try keratin convert trained.weights.h5 one.keras --config trained.weights.h5
# TensorFlow, both ways.
try keratin convert cnn.keras cnn.ckpt --no-optimizer
try keratin convert cnn.ckpt back.weights.h5 --config cnn.keras
try keratin convert cnn.keras bare.weights.h5 --no-optimizer
try keratin diff bare.weights.h5 back.weights.h5
# Keras 2's HDF5, and arrays by name.
try keratin convert cnn.keras cnn.h5
try keratin diff cnn.keras cnn.h5
try keratin convert cnn.keras cnn_weights.h5 --no-optimizer
try keratin diff cnn.keras cnn_weights.h5
for form in safetensors npz; do
    try keratin convert cnn.keras "cnn.$form"
    try keratin diff cnn.keras "cnn.$form"
    try keratin convert "cnn.$form" "from_$form.keras" --config cnn.keras
    try keratin diff bare.weights.h5 "from_$form.keras"
done
# Only what changed.
try keratin convert bare.weights.h5 grow.weights.json --max-shard-size 1 --incremental
try keratin convert bare.weights.h5 grow.weights.json --max-shard-size 1 --incremental
try keratin convert bare.weights.h5 grow.weights.h5 --incremental
# A byte of an array altered, a shard of another save.
offset=$(keratin weights --json trained.weights.h5 | sed -n 's/.*"offset": \([0-9]*\),/\1/p' | head -1)
printf '\377' | dd of=trained.weights.h5 bs=1 seek="$offset" conv=notrunc 2>/dev/null
try keratin verify trained.weights.h5
for i in 0 1 2 3; do cp "set_0000$i.weights.h5" "mixed_0000$i.weights.h5"; done
sed 's/set_/mixed_/' set.weights.json >mixed.weights.json
cp mixed_00002.weights.h5 mixed_00001.weights.h5
try keratin verify mixed.weights.json
try keratin gc set.weights.json
cp set_00001.weights.h5 set_00009.weights.h5
try keratin gc set.weights.json --json
try keratin gc trained.weights.h5
# Refusals.
try keratin convert cnn.keras again.keras </dev/null
try keratin convert cnn.keras cnn.foo
try keratin convert cnn.keras cnn.x --to onnx
try keratin convert back.weights.h5 none.keras
try keratin convert back.weights.h5 none.keras --config fixtures/containers/keras2_mlp.json
try keratin convert cnn.keras missing/cnn.keras
try keratin convert missing.keras x.keras
try keratin convert cnn.keras x.keras --for keras4
try keratin convert cnn.keras x.keras --for keras2
try keratin convert cnn.keras x.ckpt --digest xxh3-128
try keratin convert cnn.keras x.ckpt --digest md5
ls
try keratin convert fixtures/containers/keras3_trained.keras for_keras2.json --for keras2
show tail -c 64 for_keras2.json
try keratin convert for_keras2.json back_to_keras3.json
try keratin summary back_to_keras3.json
