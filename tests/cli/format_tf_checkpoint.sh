# A TensorFlow checkpoint by its prefix, a SavedModel, and one that is damaged.
try keratin info fixtures/checkpoints/cnn
try keratin weights fixtures/checkpoints/cnn_names
try keratin weights fixtures/checkpoints/example.data-00000-of-00001
roughly keratin predict fixtures/checkpoints/cnn.json --weights fixtures/checkpoints/cnn_pieces --x fixtures/checkpoints/cnn.x.npy
try keratin info fixtures/checkpoints/cnn_saved
roughly keratin predict fixtures/checkpoints/cnn_saved --x fixtures/checkpoints/cnn.x.npy
try keratin verify fixtures/checkpoints/cnn_legacy
roughly keratin predict fixtures/checkpoints/cnn --x fixtures/checkpoints/cnn.x.npy
roughly keratin predict fixtures/checkpoints/cnn.json --weights fixtures/checkpoints/example --x fixtures/checkpoints/cnn.x.npy
