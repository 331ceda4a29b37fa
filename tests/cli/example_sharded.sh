mkdir out
try example sharded fixtures/models/efficientnet_v2.keras out
try keratin verify out/model.weights.json
try example sharded
