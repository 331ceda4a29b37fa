show keratin config fixtures/containers/keras3_sequential_cnn.json
show keratin config --indent 2 data/digits/digits_cnn.keras
keratin config data/digits/digits_cnn.keras >a.json
keratin config a.json >b.json
try cmp a.json b.json
