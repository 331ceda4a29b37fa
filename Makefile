# A thin front for those whose fingers type make; ./dev does the work.
PREFIX ?= /usr/local

build quickstart check parity bench fuzz format help:
	@./dev $@

install: build
	cmake --install build --prefix $(PREFIX)

clean:
	rm -rf build

.DEFAULT_GOAL := build
.PHONY: build quickstart check parity bench fuzz format help install clean
