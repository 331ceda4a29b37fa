try keratin describe Conv2D
try keratin describe Dense --json
try keratin describe HeNormal
try keratin describe relu
try keratin describe Nonsense
show keratin describe
