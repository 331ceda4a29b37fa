try keratin scan data/digits/digits_cnn.keras
try keratin scan fixtures/containers/keras2_layer_zoo.h5 --json
try keratin scan fixtures/saving/bad_external_link.weights.h5
try keratin scan fixtures/saving/bad_soft_link.weights.h5
try keratin scan fixtures/saving/bad_external_storage.weights.h5
try keratin scan fixtures/saving/bad_virtual.weights.h5
try keratin scan fixtures/saving/bad_bomb.weights.h5
try keratin scan fixtures/saving/bad_circle.weights.h5
try keratin scan fixtures/saving/custom.keras
cat >hostile.json <<'JSON'
{"module": "keras", "class_name": "Sequential", "registered_name": null, "config": {"name": "s", "layers": [
 {"module": "keras.layers", "class_name": "InputLayer", "config": {"batch_shape": [null, 4], "name": "in"}},
 {"module": "keras.layers", "class_name": "Lambda", "registered_name": null, "config": {"name": "evil", "function":
   {"class_name": "__lambda__", "config": {"code": "4wEAAAAA", "defaults": null, "closure": null}}}},
 {"class_name": "Lambda", "config": {"name": "old", "function_type": "lambda", "function":
   ["4wEAAAAAAAAAAAAAAAIAAABTAAAAcwQAAAB8AFMAKQFO\nqQCpAdoBeHICAAAA\n", null, null]}},
 {"class_name": "Lambda", "config": {"name": "named", "function_type": "function", "function": "f", "module": "os"}},
 {"module": "os", "class_name": "system", "config": "rm", "registered_name": null},
 {"module": "keras.utils", "class_name": "get_file", "config": {"origin": "https://example.org/x"}},
 {"module": "keras.layers", "class_name": "Dense", "registered_name": null, "config": {"name": "d", "units": 99999999999,
  "activation": {"module": "builtins", "class_name": "function", "config": "mine", "registered_name": "function"}}},
 {"module": "keras.layers", "class_name": "StringLookup", "config": {"name": "words", "vocabulary": "/etc/passwd"}},
 {"module": "keras.layers", "class_name": "TFSMLayer", "config": {"name": "tf", "filepath": "/tmp/model"}},
 {"module": "keras.layers", "class_name": "TorchModuleWrapper", "config": {"name": "torch", "module": "gAJ9"}},
 {"class_name": "TFOpLambda", "config": {"name": "tf.io.read_file", "function": "io.read_file"}}
]}}
JSON
try keratin scan hostile.json
printf '{"weight_map": {"/layers/dense/vars": "../other.weights.h5"}}' >leaves.weights.json
try keratin scan leaves.weights.json
try keratin scan missing.keras
try keratin scan fixtures/checkpoints/three_exported
cp -rL fixtures/checkpoints/three_exported exported
printf '\022\006PyFunc' >>exported/saved_model.pb
try keratin scan exported
try keratin scan exported/saved_model.pb
