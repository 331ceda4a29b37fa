# Arrays for several inputs and outputs, by the keys of the model's dicts or by the names of its layers.
inputs=fixtures/models/dict_inputs_other_keys outputs=fixtures/models/dict_outputs
printf '1,2,3\n4,5,6\n' >three.csv
printf '1,2\n3,4\n' >two.csv
printf '1\n2\n' >one.csv
printf '1,2,3,4,5\n5,4,3,2,1\n' >five.csv
roughly keratin predict $inputs.keras --x $inputs.npz
roughly keratin predict $inputs.keras --x a_key=three.csv --x b_key=two.csv
roughly keratin predict $inputs.keras --x first=two.csv --x second=three.csv
try keratin predict $inputs.keras --x a_key=three.csv --x c_key=two.csv
try keratin predict $inputs.keras --x a_key=three.csv --x second=three.csv
try keratin predict $inputs.keras --x a_key=three.csv
try keratin predict $inputs.keras --x three.csv --x two.csv
evaluate="keratin evaluate $outputs.keras --x five.csv --loss mse"
roughly $evaluate --y value=one.csv --y kind=three.csv
roughly $evaluate --y three.csv --y one.csv
try $evaluate --y v=one.csv --y kind=three.csv
try $evaluate --y $outputs.npz
# Infinite input makes NaN of the loss, which has no sign.
printf 'inf,2,3,4,5\n5,4,3,2,1\n' >infinite.csv
try keratin evaluate $outputs.keras --x infinite.csv --loss mse --y three.csv --y one.csv
