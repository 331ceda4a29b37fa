#!/bin/sh
# Fails when a file under src/ includes a header of a floor it may not use (src/floors.txt), or
# when the tool or an example includes anything of ours but the public headers.
cd "$(dirname "$0")/.." || exit 2
status=0
grep -rn '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' src --include='*.[ch]' |
awk -F: -v rules=src/floors.txt '
BEGIN { while ((getline line < rules) > 0) { if (line ~ /^#/ || line == "") continue
          n = split(line, w, " "); may[w[1], w[1]] = 1; known[w[1]] = 1
          for (i = 2; i <= n; i++) may[w[1], w[i]] = 1 } }
{ split($1, p, "/"); from = p[2]; match($0, /"[^"]*"/); inc = substr($0, RSTART + 1, RLENGTH - 2)
  if (split(inc, q, "/") < 2) { print $1 ":" $2 ": \"" inc "\" does not name its floor"; bad = 1; next }
  to = q[1]
  if (!(from in known)) { print $1 ":" $2 ": floor \"" from "\" is not in src/floors.txt"; bad = 1 }
  else if (!((from, to) in may)) { print $1 ":" $2 ": floor \"" from "\" may not include \"" inc "\""; bad = 1 } }
END { exit bad }' || status=1
if grep -n '^[[:space:]]*#[[:space:]]*include[[:space:]]*"\(base\|formats\|tensor\|ops\|layers\|models\|saving\)/' \
        cli/*.[ch] examples/*.c 2>/dev/null; then
    echo "the tool and the examples include the public headers only"
    status=1
fi
if grep -rn 'oneapi/dnnl' src --include='*.[ch]' | grep -v '^src/ops/onednn/'; then
    echo "only src/ops/onednn may include oneDNN"
    status=1
fi
exit $status
