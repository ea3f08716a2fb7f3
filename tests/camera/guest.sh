#!/bin/busybox sh
# The first process of the virtual machine of run.sh: connects cameras, takes them away again, and looks at what the
# real program prints and does meanwhile. The last line on the console is the result.

/bin/busybox mkdir -p /proc /sys /dev /tmp
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t tmpfs tmp /tmp
/bin/busybox --install -s /bin
export PATH=/bin HOME=/tmp
cd /tmp
for module in $(cat /modules/order); do insmod "/modules/$module.ko" || echo "cannot load $module"; done

failed=0
passed=0

# check WHAT COMMAND...: the command must succeed.
check() {
	what=$1
	shift
	if "$@"; then
		passed=$((passed + 1))
		echo "ok      $what"
	else
		failed=$((failed + 1))
		echo "FAILED  $what: $*"
		for file in out err; do [ -s $file ] && head -c 2000 $file | sed "s/^/        $file: /"; done
	fi
}

# live ARGUMENTS: starts a run, whose output goes to out and err.
live() {
	: >out
	: >err
	facemark live --no-window --model nose --jsonl - "$@" >out 2>err &
	pid=$!
}

# stop [SIGNAL]: waits for the run to end, at most a minute; sets code, and seconds to how long it took.
stop() {
	[ -n "$1" ] && kill "-$1" $pid
	began=$(date +%s)
	(sleep 60 && kill -9 $pid) 2>/dev/null &
	watchdog=$!
	wait $pid
	code=$?
	kill $watchdog 2>/dev/null
	seconds=$(($(date +%s) - began))
}

# frames N: waits until the run has written N lines, at most 40 s.
frames() {
	for _ in $(seq 400); do
		[ "$(wc -l <out)" -ge "$1" ] && return 0
		kill -0 $pid 2>/dev/null || return 1
		usleep 100000
	done
	return 1
}

# spoken N: waits until the run has printed N messages, at most 40 s.
spoken() {
	for _ in $(seq 400); do
		[ "$(wc -l <err)" -ge "$1" ] && return 0
		usleep 100000
	done
	return 1
}

says() { grep -q "$1" err; }
one_line() { [ "$(wc -l <err)" = "$1" ]; }
code() { [ "$code" = "$1" ]; }
soon() { [ "$seconds" -le "$1" ]; }
with_faces() { [ "$(grep -c '"id":' out)" -ge "$1" ]; }
whole_lines() { ! grep -qv '^{.*}$' out; }

# cpu: the CPU time that the run has used, in hundredths of a second.
cpu() { awk '{ print $14 + $15 }' /proc/$pid/stat; }

# idle: within a minute the run drops below 20 % of a core over 3 s. When a camera is lost, the net is still at
# work on one picture, and another one is waiting: on a slow host that takes many seconds. The core is emulated:
# checking for a frame 66 times a second costs 10 % here and less than 1 % on a real one.
idle() {
	for _ in $(seq 20); do
		kill -0 $pid || return 1
		before=$(cpu)
		sleep 3
		used=$(($(cpu) - before))
		echo "        $used ticks of 300"
		[ $used -lt 60 ] && return 0
	done
	return 1
}

# paced: sets pace to the seconds, rounded up, that the run needs for a frame here.
paced() {
	began=$(date +%s)
	frames $(($(wc -l <out) + 3)) || return 1
	pace=$((($(date +%s) - began) / 3 + 1))
}

# raw FORMAT: the first picture that the camera sends in this format, as planes, in a file of that name.
raw() {
	facemark live --no-window --model nose --camera-format "$1" --size 640x480 -o - --format yuv4mpeg 2>err \
		| { read -r _ && read -r _ && head -c 460800 >"$1"; }
}

# same A B: two pictures differ only in the running numbers that vivid writes into them.
same() {
	[ "$(wc -c <"$1")" = 460800 ] || return 1
	different=$(cmp -l "$1" "$2" | wc -l)
	echo "        $different of 460800 bytes differ"
	[ "$different" -lt 9216 ]
}

unplug() { echo vivid.0 >/sys/bus/platform/drivers/vivid/unbind; }
plug() { echo vivid.0 >/sys/bus/platform/drivers/vivid/bind; }

echo "--- no camera"
facemark devices --json >out 2>err
check "devices lists none" [ "$(cat out)" = "[]" ]
live
stop
check "live ends with 4" code 4
check "and one line" one_line 1
check "that helps" says "there is no camera"
live --reconnect
check "--reconnect waits" spoken 1
check "costing next to nothing" idle
check "and says so once" one_line 1
stop INT
check "Ctrl-C ends it" code 130
check "at once" soon 1

echo "--- vivid: YUYV"
insmod /modules/vivid.ko n_devs=1 node_types=0x1 num_inputs=1 input_types=0
sleep 1
facemark devices >out 2>err
cat out | head -12
check "devices lists it" grep -q "vivid" out
check "with its sizes" grep -q "yuyv *640x" out
facemark devices --json >out 2>err
check "and in JSON" grep -q '"encoding": "yuyv"' out
live --camera vivid --size 640x480 --camera-format yuyv
check "pictures come" frames 5
facemark live --no-window --jsonl other 2>other.err
code=$?
check "a second program is told that it is in use" grep -q "in use by another program" other.err
check "with 4" code 4
stop INT
check "Ctrl-C ends it with 130" code 130
check "all lines are whole" whole_lines
cat err
live --camera-format nv12 --size 640x480
check "NV12 pictures come" frames 3
check "as NV12" says "640x480, .* nv12"
stop INT
check "Ctrl-C ends it with 130" code 130
raw yuyv
raw nv12
check "of the same test picture" same yuyv nv12
chmod 600 /dev/video0
su -s /bin/sh nobody -c "PATH=/bin facemark live --no-window --jsonl -" >out 2>err
code=$?
check "no permission: 4" code 4
check "no permission: what to do" says "usermod -aG video"
live --camera 7
stop
check "a camera that is not there: 4" code 4

echo "--- vivid unplugged"
live --size 640x480
check "pictures come" paced
unplug
stop
check "unplugged: 4" code 4
check "within 3 s and the two pictures that were on their way" soon $((3 + 2 * pace))
check "camera lost" says "camera lost: vivid"
cat err
plug
sleep 1
live --size 640x480 --reconnect
check "pictures come" frames 3
unplug
check "--reconnect waits" spoken 2
check "says so" says "waiting for it"
check "costing next to nothing" idle
plug
before=$(wc -l <out)
check "and goes on" frames $((before + 3))
check "says so" says "the camera is there"
stop INT
check "130" code 130
unplug

echo "--- v4l2loopback: MJPEG with a face"
insmod /modules/v4l2loopback.ko video_nr=9 card_label='"Face camera"'  exclusive_caps=1
sleep 1
feed /dev/video9 /faces.mjpeg 480 480 30 &
feeder=$!
sleep 1
facemark devices >out 2>err
cat out
check "devices lists it" grep -q "mjpeg *480x480" out
live --camera face
check "pictures come" frames 20
check "with faces" with_faces 10
check "and go on" paced
kill $feeder
stop
check "the feeder is gone: 4" code 4
check "within 3 s and the two pictures that were on their way" soon $((3 + 2 * pace))
check "camera lost" says "camera lost: Face camera"
cat err

feed /dev/video9 /faces.mjpeg 480 480 30 &
feeder=$!
sleep 1
live --camera face --reconnect --trace trace.json
check "pictures come" frames 5
kill $feeder
check "--reconnect waits" spoken 2
check "says so" says "waiting for it"
check "costing next to nothing" idle
before=$(wc -l <out)
feed /dev/video9 /faces.mjpeg 480 480 30 &
feeder=$!
check "and goes on" frames $((before + 5))
stop INT
check "130" code 130
cat err
check "the trace is whole" [ -s trace.json ]
kill $feeder

feed /dev/video9 /faces.mjpeg 480 480 30 cut &
feeder=$!
sleep 1
live --camera face
stop
check "broken pictures only: 4" code 4
cat err
kill $feeder

feed /dev/video9 /faces.mjpeg 480 480 30 &
feeder=$!
sleep 1
live --camera face
check "pictures come" frames 3
kill $feeder
feed /dev/video9 /small.mjpeg 480 480 30 &
feeder=$!
stop
check "pictures of another size: 4" code 4
check "are said" says "changed from 480×480 to 240×240"
kill $feeder

echo "--- hanging driver"
live --camera face --reconnect
check "it is waited for" spoken 1
stop INT
check "Ctrl-C while no picture comes ends it" soon 1

[ $failed = 0 ] && echo "RESULT all $passed passed" || echo "RESULT $failed of $((passed + failed)) failed"
poweroff -f
