try keratin describe Conv2D
try keratin describe Dense --json
try keratin describe HeNormal
try keratin describe relu
try keratin describe SGD
try keratin describe Huber
try keratin describe CosineDecay --json
try keratin describe MaxNorm
try keratin describe ModelCheckpoint
try keratin describe BackupAndRestore
try keratin describe EarlyStopping
try keratin describe Nonsense
# The list of everything grows; its headings and the formats stand here.
keratin describe >all
show sed -n '/^[a-z].*(/s/ (.*//p' all
show sed -n '/^formats/,$p' all
show grep -c -w -e 'Conv2D,' -e 'relu,' -e 'HeNormal,' -e 'Matmul,' all
