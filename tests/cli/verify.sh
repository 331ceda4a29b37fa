try keratin verify data/digits/digits_cnn.keras
try keratin verify fixtures/containers/keras2_mlp.h5
try keratin verify fixtures/containers/keras3_trained_sharded.weights.json --json
# A byte of an array, changed in the archive: the member's checksum notices.
cp data/digits/digits_cnn.keras flipped.keras
printf '\377' | dd of=flipped.keras bs=1 seek=30000 conv=notrunc 2>/dev/null
try keratin verify flipped.keras
# The same in a file without checksums: only digests kept aside can tell.
cp fixtures/containers/keras3_trained.weights.h5 flipped.weights.h5
try keratin verify flipped.weights.h5 --write-digests digests.json
offset=$(keratin weights --json flipped.weights.h5 | sed -n 's/.*"offset": \([0-9]*\),/\1/p' | head -1)
printf '\377' | dd of=flipped.weights.h5 bs=1 seek="$offset" conv=notrunc 2>/dev/null
try keratin verify flipped.weights.h5
try keratin verify flipped.weights.h5 --against digests.json
try keratin verify flipped.weights.h5 --against flipped.weights.h5
# What `weights --digest --json` prints is a list of digests too.
keratin weights --digest --json fixtures/containers/keras2_mlp.h5 >listed.json
try keratin verify fixtures/containers/keras2_mlp.h5 --against listed.json
show keratin verify fixtures/containers/keras3_two_outputs.h5 --against listed.json
# Weights and architecture that do not belong together.
try keratin verify fixtures/containers/keras3_two_outputs.weights.h5 --config fixtures/containers/keras3_two_outputs.json
try keratin verify fixtures/containers/keras3_two_outputs.weights.h5 --config fixtures/containers/keras3_siamese.json
# A save that a full disk stopped: HDF5 closes it properly, with the first layers only.
try keratin verify fixtures/saving/short.weights.h5 --config fixtures/saving/short.json
# A download that stopped.
head -c 9000 fixtures/containers/keras2_mlp.h5 >cut.h5
try keratin verify cut.h5
try keratin predict cut.h5 --x none.npy
head -c 23989 fixtures/containers/keras3_trained.weights.h5 >cut.weights.h5
try keratin verify cut.weights.h5
# A shard that is missing, and one of another model.
cp fixtures/containers/keras3_residual_sharded* .
rm keras3_residual_sharded_00001.weights.h5
try keratin verify keras3_residual_sharded.weights.json
cp fixtures/containers/keras3_two_outputs_sharded_00001.weights.h5 keras3_residual_sharded_00001.weights.h5
try keratin verify keras3_residual_sharded.weights.json
try keratin verify missing.keras
