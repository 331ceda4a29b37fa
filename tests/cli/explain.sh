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
# The same layers inside another model, and back: the command that is named works.
mlp=fixtures/containers/keras2_mlp
keratin load-weights $mlp.json ${mlp}_weights.h5 --save flat.keras >/dev/null
keratin convert flat.keras flat.weights.h5 >/dev/null
cat >nested.json <<'JSON'
{"class_name": "Sequential", "config": {"name": "outer", "layers": [
 {"class_name": "InputLayer", "config": {"batch_shape": [null, 4], "name": "in"}},
 {"class_name": "Sequential", "config": {"name": "inner", "layers": [
  {"class_name": "InputLayer", "config": {"batch_shape": [null, 4], "name": "in2"}},
  {"class_name": "Dense", "config": {"name": "dense", "units": 5}}]}},
 {"class_name": "Dense", "config": {"name": "dense_1", "units": 3}}]}}
JSON
# Runs the command that an explanation ends with.
follow() {
    try keratin explain "$1" --into "$2"
    command=$(keratin explain "$1" --into "$2" 2>/dev/null | sed -n 's/^note, command: //p' |
        sed -e "s/ OUT/ $3/" -e 's/, then: /; /')
    eval "try $command"
}
follow flat.weights.h5 nested.json nested.keras
follow nested.keras flat.keras again.keras
try keratin diff flat.keras again.keras
# Lists of layers cannot be told otherwise by rules: names of variables can.
sed -e 's/"units": 5}}\]}}/"units": 5}}/' -e 's/"units": 3}}\]}}/"units": 3}}]}}]}}/' nested.json >inside.json
follow $mlp.h5 inside.json inside.keras
# A layer too many, in a file that must have as many: by name.
sed 's/"units": 3.*$/"units": 3}}, {"class_name": "Dense", "config": {"name": "more", "units": 2}}]}}/' nested.json |
    grep -v inner | grep -v in2 | sed 's/"units": 5}}\]}}/"units": 5}}/' >more.json
follow $mlp.h5 more.json more.keras
