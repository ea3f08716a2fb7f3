#!/bin/sh
# Links like cc, but against the glibc of manylinux2014, with Zig and maturin's know-how about it.
exec maturin zig cc -- -target "$(uname -m)-linux-gnu.2.17" "$@"
