#!/bin/sh
# Checks that the program, the trainer, the Python package and all tests request the same features of shared packages: else cargo builds
# them again for each, which costs minutes. Missing features belong in features/Cargo.toml.
set -eu
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# selection NAME ARGUMENTS...: writes each package that a build with these arguments uses, with its features.
selection() {
	name=$1
	shift
	cargo tree --prefix none --no-dedupe -f '{p}|{f}' "$@" | sed 's/ (.*)|/|/; s/ (\*)$//' | sort -u >"$work/$name"
}
selection program -p facemark-cli -e normal,build
selection trainer -p facemark-train -e normal,build
selection python -p facemark-python -e normal,build
selection tests --workspace -e normal,build,dev

# A package that is also built for the compiler can have two sets: a build is shared if no selection has a set
# that the tests lack. The library itself has the feature `opencv` only in the program.
status=0
for name in program trainer python; do
	if comm -23 "$work/$name" "$work/tests" | grep -v '^facemark v' >"$work/odd"; then
		echo "the $name alone is built with other features than the tests:" >&2
		cat "$work/odd" >&2
		status=1
	fi
done
[ "$status" = 0 ] && echo "one build serves all"
exit "$status"
