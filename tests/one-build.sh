#!/bin/sh
# Checks that the program, the trainer and all tests ask for the same features of what they share: else cargo builds it
# anew for each, which costs minutes. What is missing belongs into features/Cargo.toml.
set -eu
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# selection NAME ARGUMENTS...: writes each package that a build with these arguments takes, with its features.
selection() {
	name=$1
	shift
	cargo tree --prefix none --no-dedupe -f '{p}|{f}' "$@" | sed 's/ (.*)|/|/; s/ (\*)$//' | sort -u >"$work/$name"
}
selection program -p facemark-cli -e normal,build
selection trainer -p facemark-train -e normal,build
selection tests --workspace -e normal,build,dev

# Of a package that is built for the compiler as well there may be two sets: a build is shared if no selection has a set
# that the tests lack. The library itself has the feature `opencv` in the program alone.
status=0
for name in program trainer; do
	if comm -23 "$work/$name" "$work/tests" | grep -v '^facemark v' >"$work/odd"; then
		echo "the $name alone is built with other features than the tests:" >&2
		cat "$work/odd" >&2
		status=1
	fi
done
[ "$status" = 0 ] && echo "one build serves all"
exit "$status"
