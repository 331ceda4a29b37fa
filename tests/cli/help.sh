try keratin help
try keratin help predict
try keratin config --help
try keratin --version
try keratin help weights
