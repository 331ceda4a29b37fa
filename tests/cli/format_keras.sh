try keratin info fixtures/containers/keras3_sequential_cnn.keras
try keratin weights fixtures/containers/keras3_sequential_cnn.keras
try keratin summary fixtures/containers/keras3_sequential_cnn.keras
roughly keratin predict fixtures/containers/keras3_sequential_cnn.keras --x fixtures/containers/keras3_sequential_cnn.npz
