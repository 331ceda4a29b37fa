# A run that was ended and goes on is the run that was not, whatever the checkpoints' names tell.
mkdir out
example resume data/digits out >/dev/null
mv out/half.keras m.keras # trained already: its optimizer has steps
data="--x data/digits/digits-images-idx3-ubyte --y data/digits/digits-labels-idx1-ubyte --batch-size 100"
fit() {
    keratin fit m.keras $data "$@" >/dev/null
}
fit --epochs 3 --save whole.keras
goes_on() {
    echo "$ $*"
    mkdir run
    fit --epochs 1 --checkpoint "run/$@"
    fit --epochs 3 --checkpoint "run/$@" --resume --save on.keras 2>&1
    keratin diff on.keras whole.keras | tail -1
    rm -r run
}
goes_on '{epoch}.keras'
goes_on 'last.keras'
goes_on 'last.weights.h5' --save-weights-only
goes_on '{epoch}-{batch}.keras' --save-freq 7
goes_on '{epoch}.keras' --save-freq 7
goes_on 'last.keras' --save-freq 7
# Names that say something else than the optimizer does.
mkdir run
fit --epochs 2 --checkpoint 'run/{epoch}.keras' --save-freq 7
rm run/2.keras
mv run/1.keras run/2.keras
fit --epochs 3 --checkpoint 'run/{epoch}.keras' --save-freq 7 --resume 2>&1
