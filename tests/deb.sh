#!/bin/sh
# Installs the package from `make deb` in a bare Debian 12 (target/debian12) and annotates the demo clip there.
# Needs root, debootstrap and Debian's archive. Takes a few minutes.
set -eu
cd "$(dirname "$0")/.."
root=$PWD/target/debian12
[ "$(id -u)" = 0 ] || { echo "debootstrap and chroot need root" >&2; exit 1; }

rm -rf "$root"
# The mirror this machine is configured to use; without one, debootstrap uses its default.
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep '/debian/*$' | head -1)
# shellcheck disable=SC2086
debootstrap --variant=minbase bookworm "$root" $mirror
cp target/debian/facemark_*.deb "$root/facemark.deb"
cp media/talker.mp4 "$root"

chroot "$root" env -i LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin sh -eu <<'END'
cd /
apt-get update
apt-get install -y --no-install-recommends ./facemark.deb
if ls /usr/bin | grep -x -e cargo -e cc -e clang || dpkg-query -W -f '${Package}\n' | grep -e '-dev$'; then
	echo "this system has developer packages, so the test proves nothing" >&2
	exit 1
fi
facemark annotate talker.mp4 -o annotated.mp4 --jsonl landmarks.jsonl
facemark annotate annotated.mp4 --jsonl again.jsonl
for file in landmarks.jsonl again.jsonl; do
	test "$(grep -c '"faces":\[{' $file)" = 120 || { echo "faces are missing in $file" >&2; exit 1; }
done
for file in man/man1/facemark.1.gz man/man1/facemark-annotate.1.gz bash-completion/completions/facemark \
	fish/vendor_completions.d/facemark.fish zsh/vendor-completions/_facemark doc/facemark/copyright; do
	test -s /usr/share/$file || { echo "$file is missing" >&2; exit 1; }
done
END
echo "The package works in a bare Debian 12"
