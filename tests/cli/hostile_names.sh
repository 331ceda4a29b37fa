# A file that tries to steer the terminal: escape sequences, a line break and a C1 control.
cat >names.json <<'JSON'
{"class_name": "Sequential", "config": {"name": "\u001b]0;owned\u0007", "layers": [
 {"class_name": "InputLayer", "config": {"batch_shape": [null, 4], "name": "x\u009b31m"}},
 {"class_name": "Evil\u001b[31m", "config": {"name": "\u001b[2J\nkeratin: all is well"}}]}}
JSON
try keratin info names.json
try keratin info names.json --json
try keratin summary names.json
show keratin config names.json
try keratin predict names.json --x names.json
