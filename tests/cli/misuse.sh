try keratin
try keratin inof data/digits/digits_cnn.keras
try keratin xyzzy
try keratin convert a b
try keratin info
try keratin info a b
try keratin info --jsno a
try keratin info --json=yes a
try keratin weights --out
try keratin config --indent two data/digits/digits_cnn.keras
try keratin config --indent=-1 data/digits/digits_cnn.keras
try keratin summary --line_length 80 data/digits/digits_cnn.keras
try keratin predict data/digits/digits_cnn.keras
try keratin predict data/digits/digits_cnn.keras --x a.npy --out a.txt
try keratin predict data/digits/digits_cnn.keras --x a.npy --scale 0
try keratin predict data/digits/digits_cnn.keras --x a.npy --batch-size 0
try keratin predict data/digits/digits_cnn.keras --x a.npy --x b.npy
try keratin weights data/digits/digits_cnn.keras --out a.npy
try keratin help predct
try keratin -x
