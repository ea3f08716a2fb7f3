#!/bin/sh
# Builds everything and runs all tests on Debian 13, which has FFmpeg 7.1 and OpenCV 4.10, in a folder: target/debian13.
# Needs root, debootstrap and Debian's archive. Rust and the crates are this machine's own. The first run takes as long as a
# first build; later ones reuse it.
set -eu
cd "$(dirname "$0")/.."
root=$PWD/target/debian13
[ "$(id -u)" = 0 ] || { echo "debootstrap and chroot need root" >&2; exit 1; }

cargo fetch --locked
if [ ! -e "$root/ready" ]; then
	rm -rf "$root"
	# The mirror this machine is configured to use; without one, debootstrap uses its default.
	mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep '/debian/*$' | head -1)
	# shellcheck disable=SC2086
	debootstrap --variant=minbase --include=gcc,libc6-dev,make trixie "$root" $mirror
	touch "$root/ready"
fi
mkdir -p "$root/rust" "$root/cargo/registry" "$root/facemark"

# In a mount namespace of its own, so the mounts disappear with it.
exec unshare --mount sh -eu -c '
	root=$1
	mount --bind "$2" "$root/rust"
	mount --bind "$3" "$root/cargo/registry"
	mount --bind . "$root/facemark"
	mount --rbind /dev "$root/dev"
	mount -t proc proc "$root/proc"
	chroot "$root" env -i HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive PATH=/rust/bin:/usr/sbin:/usr/bin:/sbin:/bin \
		CARGO_HOME=/cargo CARGO_NET_OFFLINE=true CARGO_TARGET_DIR=/target make -C /facemark test
' sh "$root" "$(rustc --print sysroot)" "${CARGO_HOME:-$HOME/.cargo}/registry"
