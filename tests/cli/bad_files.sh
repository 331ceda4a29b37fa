try keratin info missing.keras
try keratin info .
: >empty.keras
try keratin info empty.keras
try keratin info ""
printf 'version https://git-lfs.github.com/spec/v1\noid sha256:%064d\nsize 88672376\n' 0 >pointer.h5
try keratin info pointer.h5
printf '<!DOCTYPE html><html><body>404</body></html>' >page.h5
try keratin summary page.h5
head -c 5000 data/digits/digits_cnn.keras >short.keras
try keratin summary short.keras
printf '{"class_name": "Sequential", ' >cut.json
try keratin summary cut.json
try keratin summary fixtures/containers/keras2_mlp_weights.h5
try keratin predict missing.keras --x missing.npy
try keratin predict data/digits/digits_cnn.keras --x missing.npy
try keratin predict data/digits/digits_cnn.keras --x empty.keras
