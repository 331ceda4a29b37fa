# Values differ in the last bits from machine to machine, and times anyway: N and T stand for them.
plain() {
    sed -e 's/[0-9.]*e-[0-9]*/N/g' -e 's/[0-9]\.[0-9]\{4\}/N/g' -e 's/- [0-9]*s - [0-9]*[mu]*s\/step/- T/'
}
mkdir out
example resume data/digits out >/dev/null
mv out/half.keras m.keras
data="--x data/digits/digits-images-idx3-ubyte --y data/digits/digits-labels-idx1-ubyte"
try keratin evaluate m.keras $data | sed 's/: [0-9.e-]*$/: N/'
try keratin fit m.keras $data --epochs 2 --validation-split 0.2 --checkpoint 'cp-{epoch:02d}.keras' \
    --csv-log log.csv --history h.json --tensorboard tb --save out.keras | plain
ls cp-* tb
sed 's/[0-9]*\.[0-9e-]*/N/g' log.csv
grep -c '"val_loss"' h.json
try keratin fit m.keras $data --epochs 3 --validation-split 0.2 --checkpoint 'cp-{epoch:02d}.keras' --resume | plain
try keratin fit m.keras $data --epochs 2 --no-shuffle --checkpoint 'bg-{epoch}.keras' --background --save out2.keras | plain
keratin verify bg-1.keras >/dev/null && keratin diff bg-2.keras out2.keras
try keratin fit m.keras $data --epochs 1 --checkpoint best.keras --save-best-only
try keratin fit m.keras $data --save out.keras --early-stopping 2 --monitor acc
try keratin fit m.keras $data --history h3.json | plain
grep -c '"loss"' h3.json
try keratin fit m.keras --save out.keras
try keratin fit m.keras $data --save out.npz
try keratin fit m.keras $data --save out.keras --class-weight 1
try keratin fit m.keras $data --save out.keras --optimizer adamm
try keratin fit m.keras $data --save out.keras --resume
# Interrupted: the checkpoint is whole, the history is written.
"$build/keratin" fit m.keras $data --epochs 100000 --checkpoint last.keras --history h2.json >/dev/null 2>&1 &
pid=$!
while [ ! -e last.keras ]; do sleep 0.05; done
kill -INT $pid
code=0
wait $pid || code=$?
echo "(status $code)"
keratin verify last.keras >/dev/null && echo whole
grep -c '"epoch"' h2.json
