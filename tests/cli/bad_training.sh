# What a training refuses, word for word: data, labels, counts, settings.
mkdir out
example resume data/digits out >/dev/null
mv out/half.keras m.keras
# npy DTYPE SHAPE: an array from the bytes of stdin.
npy() {
    header="{'descr': '$1', 'fortran_order': False, 'shape': ($2), }"
    printf '\223NUMPY\001\000\166\000%-117s\n' "$header"
    cat
}
# bytes N...: one for each number; zeros N: so many of them.
bytes() {
    for n in "$@"; do printf "\\$(printf %03o "$n")"; done
}
zeros() {
    head -c "$1" /dev/zero
}
zeros 2560 | npy '<f4' '10, 8, 8' >x.npy
{ zeros 768; bytes 0 0 192 127; zeros 1788; } | npy '<f4' '10, 8, 8' >nan.npy
zeros 0 | npy '<f4' '0, 8, 8' >x0.npy
zeros 3240 | npy '<f4' '10, 9, 9' >x9.npy
zeros 256 | npy '<f4' '1, 8, 8' >x1.npy
bytes 0 1 2 3 4 5 6 7 8 9 | npy '|u1' '10,' >y.npy
bytes 0 1 2 3 4 5 6 10 8 9 | npy '|u1' '10,' >y10.npy
bytes 0 1 2 3 4 255 6 7 8 9 | npy '|i1' '10,' >yneg.npy
bytes 0 1 2 | npy '|u1' '3,' >y3.npy
zeros 0 | npy '|u1' '0,' >y0.npy
bytes 5 | npy '|u1' '1,' >y1.npy
zeros 100 | npy '|u1' '10, 10' >hot.npy
zeros 40 | npy '<f4' '10,' >w.npy
quietly() {
    try "$@" | sed -e 's/^[0-9]*\/[0-9]* - .*/(trains)/' -e 's/is [NaIifte]* in epoch [12]/is no number in epoch N/'
}
fit() {
    quietly keratin fit m.keras "$@"
}
fit --x nan.npy --y y.npy
fit --x x.npy --y y10.npy
fit --x x.npy --y yneg.npy --batch-size 2
fit --x x.npy --y hot.npy
fit --x x.npy --y y.npy --loss mse
fit --x x.npy --y y3.npy
fit --x x0.npy --y y0.npy
fit --x x9.npy --y y.npy
fit --x x.npy --y y.npy --batch-size 0
fit --x x.npy --y y.npy --batch-size 100
fit --x x.npy --y y.npy --validation-split 1
fit --x x1.npy --y y1.npy --validation-split 0.2
fit --x x.npy --y y.npy --validation-x x0.npy --validation-y y0.npy
fit --x x.npy --y y.npy --validation-x nan.npy --validation-y y.npy
fit --x x.npy --y y.npy --validation-x x.npy --validation-y y10.npy
fit --x x.npy --y y.npy --learning-rate 1e30 --epochs 2
fit --x x.npy --y y.npy --early-stopping 1 --monitor acc
fit --x x.npy --y y.npy --save nowhere/m.keras
fit --x x.npy --y y.npy --history nowhere/h.json
fit --x x.npy --y y.npy --class-weight 0:nan
fit --x x.npy --y y.npy --loss nothing
fit --x x.npy --y y.npy --metrics nothing
fit --x x.npy --y y.npy --optimizer '{"class_name": "Unheard", "config": {}}'
schedule() {
    fit --x x.npy --y y.npy --optimizer \
        "{\"class_name\": \"SGD\", \"config\": {\"learning_rate\": {\"class_name\": \"$1\", \"config\": {$2}}}}"
}
schedule PolynomialDecay '"decay_steps": 0'
schedule PiecewiseConstantDecay '"boundaries": [3, 2], "values": [1, 2, 3]'
schedule PiecewiseConstantDecay '"boundaries": [3], "values": [1]'
try keratin fit data/digits/digits_cnn.keras --x x.npy --y y.npy
try keratin evaluate m.keras --x x.npy --y y10.npy
try keratin evaluate m.keras --x x0.npy --y y0.npy
