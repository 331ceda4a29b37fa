# What is asked of a save or of weights and cannot be: each one sentence, nothing lost, nothing left.
model=fixtures/containers/keras3_residual.keras
cp fixtures/containers/keras3_residual.json arch.json
try keratin convert $model nowhere/x.keras
mkdir folder.keras x.npz
try keratin convert $model folder.keras --overwrite
try keratin convert $model x.npz --overwrite
mkdir folder.weights.json folder.ckpt folder.json set_00000.weights.h5
for name in folder.weights.json folder.ckpt folder.json set.weights.json; do
    try keratin convert $model $name --overwrite
done
rmdir set_00000.weights.h5
ls -A | grep -v found
try keratin convert $model x.txt
# A file that may not grow that large.
large=$( (ulimit -f 8 && keratin convert $model large.h5) 2>&1) || echo "$large (status $?)"
ls -A | grep large
: >page
try keratin convert $model page/x.keras
# Another writer.
keratin convert $model w.keras >/dev/null 2>&1
{
    flock 9
    echo "process 4711 on elsewhere" >&9
    try keratin convert $model w.keras --overwrite
} 9>.w.keras.krt-lock
rm .w.keras.krt-lock
try keratin verify w.keras
# A set by its old name.
try keratin convert $model set.weights.h5 --max-shard-size 1e-6
# A name that says another format than the content.
try keratin convert $model odd.npz --to keras --overwrite
mv w.keras odd.safetensors
try keratin verify odd.safetensors
# A byte of an array altered, in every form.
flip() {
    offset=$(keratin weights --json "$1" | sed -n 's/.*"offset": \([0-9]*\),/\1/p' | head -1)
    printf '\377' | dd of="${2:-$1}" bs=1 seek="$offset" conv=notrunc 2>/dev/null
}
for form in keras weights.h5 h5 npz; do
    keratin convert $model "flip.$form" >/dev/null 2>&1
    flip "flip.$form"
    try keratin verify "flip.$form"
done
keratin convert $model flip_dir --to keras-dir >/dev/null 2>&1
flip flip_dir flip_dir/model.weights.h5
try keratin verify flip_dir
flip set.weights.json set_00000.weights.h5
try keratin verify set.weights.json
keratin convert $model cp.ckpt >/dev/null 2>&1
try keratin verify cp.ckpt.index
flip cp.ckpt cp.ckpt.data-00000-of-00001
try keratin verify cp.ckpt.data-00000-of-00001
# The same forms cut short.
for form in keras h5 safetensors npz; do
    keratin convert $model "cut.$form" >/dev/null 2>&1
    size=$(wc -c <"cut.$form")
    head -c $((size - 400)) "cut.$form" >part
    mv part "cut.$form"
    try keratin verify "cut.$form"
done
head -c 9000 set_00001.weights.h5 >part
mv part set_00001.weights.h5
try keratin verify set.weights.json
rm set_00001.weights.h5
try keratin predict arch.json --weights set.weights.json --x none.npy
head -c 900 cp.ckpt.data-00000-of-00001 >part
mv part cp.ckpt.data-00000-of-00001
try keratin verify cp.ckpt
printf '\377' | dd of=cp.ckpt.index bs=1 seek=40 conv=notrunc 2>/dev/null
try keratin verify cp.ckpt
rm cp.ckpt.index
try keratin verify cp.ckpt.data-00000-of-00001
# A class of somebody's own: where its weights are, and that it cannot run.
mlp=fixtures/containers/keras2_mlp
echo 1,2,3,4 >row.csv
sed 's/"module": "keras.layers", "class_name": "Dense", "config": {"name": "dense_1"/"module": "mine", "class_name": "Dense", "config": {"name": "dense_1"/' $mlp.json >custom.json
for w in $mlp.weights.h5 ${mlp}_weights.h5; do
    try keratin predict custom.json --weights $w --x row.csv
done
# Weights for another model, and of another shape.
try keratin predict fixtures/containers/keras3_siamese.json --weights fixtures/containers/keras3_trained.weights.h5 --x none.npy
sed 's/"units": 3/"units": 7/' fixtures/containers/keras2_mlp.json >other.json
try keratin predict other.json --weights fixtures/containers/keras2_mlp_weights.h5 --x none.npy
ls -A | grep -v found
