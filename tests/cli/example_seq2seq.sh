mkdir out
try example seq2seq out
try ls out
try keratin verify out/decoder.keras
try example seq2seq
