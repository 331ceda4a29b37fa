show keratin config fixtures/containers/keras2_mlp.json
show keratin config fixtures/containers/keras2_mlp.h5
keratin config --indent 2 data/digits/digits_cnn.keras >a.json
show head -n 12 a.json
keratin config --indent=2 a.json >b.json
try cmp a.json b.json
