/* Plays a file of JPEG pictures into a v4l2loopback device, like a webcam.
 *
 *     feed DEVICE FILE WIDTH HEIGHT RATE [cut]
 *
 * With "cut", every picture lacks its second half. It runs until it is killed. */

#include <fcntl.h>
#include <linux/videodev2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

static int fail(const char *what)
{
	perror(what);
	return 1;
}

int main(int argc, char **argv)
{
	static unsigned char data[32 << 20];
	if (argc < 6) {
		fprintf(stderr, "feed DEVICE FILE WIDTH HEIGHT RATE [cut]\n");
		return 2;
	}
	int cut = argc > 6, rate = atoi(argv[5]), device = open(argv[1], O_RDWR);
	FILE *file = fopen(argv[2], "rb");
	if (device < 0 || !file)
		return fail("open");
	size_t length = fread(data, 1, sizeof data, file);

	struct v4l2_format format = { .type = V4L2_BUF_TYPE_VIDEO_OUTPUT };
	format.fmt.pix.width = atoi(argv[3]);
	format.fmt.pix.height = atoi(argv[4]);
	format.fmt.pix.pixelformat = V4L2_PIX_FMT_MJPEG;
	format.fmt.pix.field = V4L2_FIELD_NONE;
	format.fmt.pix.sizeimage = format.fmt.pix.width * format.fmt.pix.height * 2;
	if (ioctl(device, VIDIOC_S_FMT, &format) < 0)
		return fail("VIDIOC_S_FMT");

	struct timespec due;
	clock_gettime(CLOCK_MONOTONIC, &due);
	for (size_t start = 0;;) {
		/* A picture ends where the next one begins. */
		size_t end = start + 2;
		while (end < length && memcmp(data + end - 2, "\xff\xd9\xff\xd8", end + 2 <= length ? 4 : 2))
			end++;
		size_t bytes = cut ? (end - start) / 2 : end - start;
		if (write(device, data + start, bytes) < 0)
			return fail("write");
		start = end < length ? end : 0;
		due.tv_nsec += 1000000000 / rate;
		due.tv_sec += due.tv_nsec / 1000000000;
		due.tv_nsec %= 1000000000;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
	}
}
