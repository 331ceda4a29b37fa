# Weights by name: .safetensors and .npz.
try keratin info fixtures/checkpoints/three.safetensors
try keratin weights fixtures/checkpoints/three.safetensors
roughly keratin predict fixtures/checkpoints/three.json --weights fixtures/checkpoints/three.safetensors --x fixtures/checkpoints/three.x.npy
roughly keratin predict fixtures/checkpoints/three.json --weights fixtures/checkpoints/three_weights.npz --x fixtures/checkpoints/three.x.npy
roughly keratin predict fixtures/checkpoints/cnn.json --weights fixtures/arrays/packed.npz --x fixtures/checkpoints/cnn.x.npy
