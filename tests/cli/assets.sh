# What a layer keeps beside its weights goes along with the architecture, whichever file that comes from.
words=assets/layers/text_vectorization/vocabulary.txt
try keratin convert fixtures/containers/keras3_sequential_cnn.keras m --to keras-dir
mkdir -p m/${words%/*}
printf 'some\nwords\n' >m/$words
try keratin convert m m.keras
try keratin convert m.keras w.weights.h5
try keratin convert w.weights.h5 a --to keras-dir --config m.keras
cat a/$words
try keratin convert m.keras b.keras --config m/config.json
try keratin convert b.keras b --to keras-dir
cat b/$words
