#!/bin/sh
# Runs the real program on virtual V4L2 cameras in a small virtual machine: vivid (raw pictures) and v4l2loopback with a
# feeder (JPEG pictures of a face). No camera, no KVM and no root are needed, only Debian 12 with its archive: kernel,
# modules and qemu are fetched from there into target/camera, unpacked, and not installed. About two minutes.
set -eu
cd "$(dirname "$0")/../.."
here=$PWD/tests/camera
work=$PWD/target/camera
root=$work/root
program=${FACEMARK:-$PWD/target/release/facemark}
mkdir -p "$work/debs" "$root"

# Dependencies of the Debian packages that may be missing here are named as well.
kernel=$(apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: linux-image-//p' | head -1)
version=${kernel%-amd64}
kbuild=$(echo "$version" | cut -d. -f1-2)
packages="linux-image-$kernel linux-headers-$kernel linux-headers-$version-common linux-kbuild-$kbuild v4l2loopback-dkms
	busybox-static seabios qemu-system-x86 qemu-system-data qemu-system-common libcapstone4 libfdt1 libpmem1 libslirp0
	libvdeplug2 libndctl6 libdaxctl1 libaio1 libbpf1 libfuse3-3 libibverbs1 libnuma1 librdmacm1 liburing2 libpixman-1-0
	libexecs0"
if [ ! -e "$work/fetched-$kernel" ]; then
	echo "fetching the kernel $kernel, its headers and qemu"
	rm -rf "$work"
	mkdir -p "$work/debs" "$root"
	# shellcheck disable=SC2086
	(cd "$work/debs" && apt-get -q download $packages)
	for deb in "$work"/debs/*.deb; do dpkg -x "$deb" "$root"; done
	touch "$work/fetched-$kernel"
fi

modules=$(find "$root" -type d -path "*/modules/$kernel/kernel" | head -1)
if [ ! -e "$work/v4l2loopback/v4l2loopback.ko" ]; then
	echo "building v4l2loopback"
	headers=$root/usr/src/linux-headers-$kernel
	sed -i "s#include /usr/src#include $root/usr/src#" "$headers/Makefile"
	cp -r "$root"/usr/src/v4l2loopback-* "$work/v4l2loopback"
	make -C "$headers" M="$work/v4l2loopback" modules >"$work/v4l2loopback.log" 2>&1 \
		|| { tail "$work/v4l2loopback.log"; exit 1; }
fi

echo "making the machine's file system"
guest=$work/guest
rm -rf "$guest"
mkdir -p "$guest/bin" "$guest/modules" "$guest/etc"
cp "$(find "$root" -path "*bin/busybox" -type f | head -1)" "$guest/bin/busybox"
cp "$here/guest.sh" "$guest/init"
chmod +x "$guest/init"
echo 'nobody:x:65534:65534::/tmp:/bin/sh' >"$guest/etc/passwd"
cp "$program" "$guest/bin/facemark"
cc -O2 -static -Wall -o "$guest/bin/feed" "$here/feed.c"

# In dependency order.
order="mc videodev videobuf2-common videobuf2-memops videobuf2-v4l2 videobuf2-vmalloc videobuf2-dma-contig rc-core cec
	v4l2-dv-timings v4l2-tpg"
for module in $order vivid; do
	cp "$(find "$modules" -name "$module.ko" | head -1)" "$guest/modules/"
done
echo "$order" >"$guest/modules/order"
cp "$work/v4l2loopback/v4l2loopback.ko" "$guest/modules/"

ldd "$program" | grep -o '/[^ ]*' | while read -r library; do
	mkdir -p "$guest$(dirname "$library")"
	cp -L "$library" "$guest$library"
done
ffmpeg -v error -y -i media/talker.mp4 -c:v mjpeg -q:v 4 -pix_fmt yuvj422p -f mjpeg "$guest/faces.mjpeg"
ffmpeg -v error -y -i media/talker.mp4 -vf scale=240:240 -c:v mjpeg -q:v 4 -f mjpeg "$guest/small.mjpeg"
(cd "$guest" && find . | bin/busybox cpio -o -H newc 2>/dev/null) >"$work/initrd"

export LD_LIBRARY_PATH="$root/usr/lib/x86_64-linux-gnu:$root/lib/x86_64-linux-gnu"
qemu=$root/usr/bin/qemu-system-x86_64
if ldd "$qemu" | grep "not found"; then
	echo "qemu lacks these libraries; install them" >&2
	exit 1
fi

echo "starting it"
timeout 900 "$qemu" -accel tcg -cpu max -smp 2 -m 2048 -nodefaults -nographic -no-reboot -serial stdio \
	-L "$root/usr/share/qemu" -L "$root/usr/share/seabios" -kernel "$root/boot/vmlinuz-$kernel" -initrd "$work/initrd" \
	-append "console=ttyS0 quiet panic=-1 no_timer_check rdinit=/init" </dev/null | tee "$work/log"
grep -q '^RESULT all' "$work/log"
