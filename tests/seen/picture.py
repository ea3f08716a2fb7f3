"""Pictures as they are seen: screenshots and what the program writes, compared without extra packages."""

import subprocess
from collections import Counter
from operator import sub

# The colours of the overlay.
LANDMARK, CONTOUR, REGION = (80, 255, 120), (255, 255, 255), (255, 190, 60)
OVERLAY = {"points": LANDMARK, "contours": CONTOUR, "region": REGION}
THUMBNAIL = (30, 18)


def ffmpeg(*args):
    return subprocess.run(["ffmpeg", "-v", "error", *args], check=True, stdout=subprocess.PIPE).stdout


def convert(data, *args):
    """ImageMagick, which starts sooner than ffmpeg."""
    return subprocess.run(["convert", "-", *args], input=data, check=True, stdout=subprocess.PIPE).stdout


class Picture:
    """Pixels, three bytes each."""

    def __init__(self, width, height, rgb):
        self.width, self.height, self.rgb = width, height, rgb

    @classmethod
    def read(cls, data):
        """Reads the bytes of a PPM or PNG."""
        if not data.startswith(b"P6"):
            data = convert(data, "-depth", "8", "ppm:-")
        _, size, highest, rgb = data.split(b"\n", 3)
        if highest != b"255":
            raise ValueError("a PPM with other than one byte a sample")
        return cls(*map(int, size.split()), rgb)

    @classmethod
    def first(cls, video):
        """The first frame of a video."""
        return cls.read(ffmpeg("-i", video, "-frames:v", "1", "-f", "image2pipe", "-c:v", "ppm", "-"))

    @property
    def size(self):
        return self.width, self.height

    def rows(self, top, bottom):
        """The rows from `top` up to, but not including, `bottom`."""
        pitch = 3 * self.width
        return Picture(self.width, bottom - top, self.rgb[top * pitch : bottom * pitch])

    def columns(self, left, right):
        """The columns from `left` up to, but not including, `right`."""
        starts = range(0, len(self.rgb), 3 * self.width)
        return Picture(right - left, self.height, b"".join(self.rgb[at + 3 * left : at + 3 * right] for at in starts))

    def is_black(self):
        return not any(self.rgb)

    def flipped(self):
        """Left and right swapped."""
        rgb, backwards = bytearray(len(self.rgb)), self.rgb[::-1]
        # Reversed, the picture is upside down and has its colours in the opposite order.
        for color in range(3):
            rgb[color::3] = backwards[2 - color :: 3]
        upside_down, pitch = bytes(rgb), 3 * self.width
        rows = [upside_down[at : at + pitch] for at in range(0, len(rgb), pitch)]
        return Picture(self.width, self.height, b"".join(reversed(rows)))

    def pixel(self, x, y):
        at = 3 * (y * self.width + x)
        return tuple(self.rgb[at : at + 3])

    def count(self, color, tolerance=12):
        """How many pixels have this colour."""
        near = [range(max(0, value - tolerance), value + tolerance + 1) for value in color]
        red, green, blue = (self.rgb[i::3] for i in range(3))
        return sum(r in near[0] and g in near[1] and b in near[2] for r, g, b in zip(red, green, blue))

    def distance(self, other):
        """Mean difference of two pictures of the same size, 0 to 255."""
        return distance(self.rgb, other.rgb) if self.size == other.size else 255.0

    def thumbnail(self):
        ppm = b"P6\n%d %d\n255\n" % self.size + self.rgb
        return convert(ppm, "-scale", "{}x{}!".format(*THUMBNAIL), "-depth", "8", "rgb:-")


def distance(one, other):
    return sum(map(abs, map(sub, one, other))) / len(one)


def thumbnails(video):
    """The thumbnails of its frames."""
    size = "{}:{}".format(*THUMBNAIL)
    small = ffmpeg("-i", video, "-vf", f"scale={size}:flags=area", "-pix_fmt", "rgb24", "-f", "rawvideo", "-")
    length = 3 * THUMBNAIL[0] * THUMBNAIL[1]
    return [small[at : at + length] for at in range(0, len(small), length)]


def drawn(before, after):
    """The overlay colours in which the second picture was drawn over the first: the number of pixels of each.
    Pixels that are not a blend of the first picture and one colour are "other"."""
    counts = Counter()
    for at in range(0, len(before.rgb), 3):
        old, new = before.rgb[at : at + 3], after.rgb[at : at + 3]
        if old != new and max(map(abs, map(sub, new, old))) > 40:
            residues = {name: residue(old, new, color) for name, color in OVERLAY.items()}
            best = min(residues, key=residues.get)
            counts[best if residues[best] < 12 else "other"] += 1
    return counts


def residue(old, new, color):
    """How far a pixel is from the nearest blend of its old value and a colour."""
    way, step = [c - o for c, o in zip(color, old)], [n - o for n, o in zip(new, old)]
    share = sum(map(lambda a, b: a * b, way, step)) / max(1, sum(a * a for a in way))
    share = min(1, max(0, share))
    return max(abs(s - share * w) for s, w in zip(step, way))


class Clip:
    """A five-minute clip with two faces, the left one larger, so that it is not its own mirror image."""

    SIZE = (600, 360)
    # Few, to go easy on busy machines.
    RATE = 12

    def __init__(self, source, folder):
        self.path, once = folder / "two faces.mp4", folder / "once.mp4"
        two = f"[0]fps={self.RATE},scale=360:360,split[a][b];[b]scale=240:240,pad=240:360:0:60[c];[a][c]hstack"
        ffmpeg("-y", "-i", source, "-an", "-filter_complex", two, "-crf", "18", "-preset", "veryfast", once)
        ffmpeg("-y", "-stream_loop", "59", "-i", once, "-c", "copy", self.path)
        self.frames = thumbnails(once)

    def likeness(self, picture):
        """Distance to the nearest frame, 0 to 255."""
        small = picture.thumbnail()
        return min(distance(small, frame) for frame in self.frames)

    def shows(self, picture):
        """Whether this is a frame of the clip, and not mirrored."""
        return self.likeness(picture) < 4 and self.likeness(picture.flipped()) > 20
