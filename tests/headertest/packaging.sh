#!/bin/sh
# Installs into a folder of its own, then builds and links an example against what was installed:
# by plain flags, by pkg-config where there is one, and by find_package(keratin), shared and static.
#
#     packaging.sh CMAKE GENERATOR BUILD-FOLDER C-COMPILER EXAMPLE.c
set -eu
cmake=$1
generator=$2
build=$3
cc=$4
example=$5
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$cmake" --install "$build" --prefix "$work/usr" >"$work/log" || {
    cat "$work/log"
    exit 1
}
library=$(dirname "$(find "$work/usr" -name libkeratin.so)")
[ -x "$work/usr/bin/keratin" ] && [ -f "$work/usr/share/man/man1/keratin.1" ]
LD_LIBRARY_PATH=$library
export LD_LIBRARY_PATH

# Without arguments an example says how it is used and ends with 2.
runs() {
    code=0
    "$1" >/dev/null 2>&1 || code=$?
    [ "$code" -eq 2 ] || {
        echo "$1: status $code"
        exit 1
    }
}

if command -v pkg-config >/dev/null 2>&1; then
    PKG_CONFIG_PATH=$library/pkgconfig
    export PKG_CONFIG_PATH
    flags=$(pkg-config --cflags --libs keratin)
    # shellcheck disable=SC2086 # flags are words
    "$cc" -std=c17 "$example" $flags -o "$work/by_pkg_config"
    runs "$work/by_pkg_config"
fi

mkdir "$work/project"
cat >"$work/project/CMakeLists.txt" <<CMAKE
cmake_minimum_required(VERSION 3.18)
project(user LANGUAGES C)
find_package(keratin 0.1 REQUIRED)
add_executable(by_shared $example)
target_link_libraries(by_shared keratin::keratin)
add_executable(by_static $example)
target_link_libraries(by_static keratin::static)
CMAKE
{
    "$cmake" -S "$work/project" -B "$work/project/build" -G "$generator" \
        -DCMAKE_PREFIX_PATH="$work/usr" -DCMAKE_C_COMPILER="$cc" && "$cmake" --build "$work/project/build"
} >"$work/log" 2>&1 || {
    cat "$work/log"
    exit 1
}
runs "$work/project/build/by_shared"
runs "$work/project/build/by_static"
