#!/bin/sh
# Installs the wheel from `make wheel` in bare Debians (target/bookworm, target/trixie), which have Python and nothing else of ours,
# and finds a face there. Needs root, debootstrap, Debian's archive and PyPI. Takes a few minutes.
set -eu
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] || { echo "debootstrap and chroot need root" >&2; exit 1; }
wheel=$(ls -t target/wheels/*.whl | head -1)
# The mirror this machine is configured to use; without one, debootstrap uses its default.
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep '/debian/*$' | head -1)

for suite in bookworm trixie; do
	root=$PWD/target/$suite
	# A system that is there already is used again.
	if ! chroot "$root" python3 -c 'import venv' 2>/dev/null; then
		rm -rf "$root"
		# shellcheck disable=SC2086
		debootstrap --variant=minbase --include=python3-venv $suite "$root" $mirror >"target/$suite.log" ||
			{ tail "target/$suite.log" >&2; exit 1; }
	fi
	rm -rf "$root/wheels" "$root/venv"
	version=$(chroot "$root" python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
	target/venv/wheel/bin/pip download --quiet --dest "$root/wheels" --only-binary :all: --python-version "$version" numpy
	cp "$wheel" "$root/wheels"
	ffmpeg -v error -y -i media/astronaut.jpg -pix_fmt rgb24 -f rawvideo "$root/photo.rgb"
	chroot "$root" env -i LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin sh -eu <<'END'
cd /
python3 -m venv venv
venv/bin/pip install --quiet --no-index --find-links wheels wheels/facemark-*.whl numpy
if ls /usr/bin | grep -x -e cargo -e cc -e ffmpeg; then
	echo "this system has more than Python, so the test proves nothing" >&2
	exit 1
fi
venv/bin/python -c 'import facemark' # writes the byte code
venv/bin/python - <<'PYTHON'
import time
start = time.perf_counter()
import facemark
imported = time.perf_counter()
import numpy
photo = numpy.fromfile("photo.rgb", numpy.uint8).reshape(-1, 512, 3)
begun = time.perf_counter()
(face,) = facemark.Tracker().track(photo, 0.0)
done = time.perf_counter()
print(face, f"import {imported - start:.3f} s, first frame {done - begun:.3f} s")
PYTHON
END
	echo "The wheel works in a bare Debian $suite with Python $version"
done
