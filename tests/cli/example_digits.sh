# What is trained differs in the last bits from machine to machine, so only what must hold is shown.
mkdir out
example digits data/digits out >printed
grep -c '^Epoch [0-9]*/40$' printed
grep -E '^  (digits|shards)' printed | sed -e 's/[0-9]*\.[0-9] %/N %/g' -e 's/  */ /g'
awk '/read correctly/ { print ($1 / $3 >= 0.97 ? "97 % or better" : "below 97 %: " $1) }' printed
ls out | sed 's/_[0-9]*\./_N./' | sort -u
ls out/logs
try example digits
try example digits nowhere out
