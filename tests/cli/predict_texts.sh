# Texts as inputs: lines of a file, and NumPy's arrays of strings.
m=fixtures/layers/text
printf 'The quick brown fox\njumped  over the LAZY dog!\n\n' >x.txt
try keratin predict $m/text_vectorization_ngrams_2_whitespace.keras --x x.txt
roughly keratin predict $m/text_vectorization_longest_embedding.keras --x x.txt
try keratin predict $m/string_lookup_mask_empty_oov_1.keras --x $m/string_lookup_mask_empty_oov_1.npz
try keratin predict $m/string_lookup_invert_none.keras --x $m/string_lookup_invert_none.npz
try keratin predict $m/string_lookup_invert_none.keras --x $m/string_lookup_invert_none.npz --json
try keratin predict $m/string_lookup_invert_none.keras --x $m/string_lookup_invert_none.npz --out y.npy
try wc -c y.npy
try keratin predict $m/string_lookup_mask_empty_oov_0.keras --x $m/string_lookup_mask_empty_oov_1.npz
try keratin predict $m/string_lookup_mask_empty_oov_0.keras --x data/digits/digits-labels-idx1-ubyte
