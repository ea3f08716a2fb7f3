#!/usr/bin/env python3
"""Prints the mean 3-D shape of src/pose/shape.rs, found in annotated photos alone.

    python3 -m pip install numpy
    python3 training/mean_shape.py 300w/ media/talker.csv

Structure from motion with one rigid shape (Tomasi and Kanade, IJCV 1992): every photo is taken for a scaled orthographic
view of the same head. In turns, each photo's pose is fitted to the shape by Gauss-Newton and the shape to all poses by
least squares, until neither changes. Mirrored photos are added, so that the shape is symmetrical. All 68 points of the
.pts files below the folder are fitted (testset folders are left out), and points 17 to 67 printed: jaw points slide along the contour as a head
turns.

What photos cannot tell is which pitch is none. The table's second argument decides: its mean pitch is 0.
"""

import csv
import sys
from pathlib import Path

import numpy as np

MIRROR = np.array(
    [16 - i for i in range(17)] + [26 - i for i in range(10)] + [27, 28, 29, 30, 35, 34, 33, 32, 31]
    + [45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40, 54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55]
    + [64, 63, 62, 61, 60, 67, 66, 65]
)
FLIP = np.array([-1, 1, 1])
INNER = slice(17, 68)
ROUNDS = 300


def read_pts(path):
    text = path.read_text()
    return np.array(text[text.index("{") + 1 : text.index("}")].split(), float).reshape(68, 2)


def photos(folder):
    points = np.array([read_pts(p) for p in sorted(Path(folder).rglob("*.pts")) if "testset" not in p.parts])
    return np.concatenate([points, points[:, MIRROR] * FLIP[:2]])


def clip(path):
    with open(path, newline="") as file:
        return np.array(list(csv.reader(file))[1:], float)[:, 1:].reshape(-1, 68, 2)


def level(points):
    """Centred, and of the same size for all photos, so that large ones do not count more."""
    points = points - points.mean(1, keepdims=True)
    return points / np.sqrt((points**2).mean((1, 2), keepdims=True))


def turn(v):
    """Rotation matrices of rotation vectors [n, 3] (Rodrigues)."""
    angle = np.linalg.norm(v, axis=1)[:, None, None]
    x, y, z = (v / np.maximum(angle[:, 0], 1e-12)).T
    o = np.zeros_like(x)
    k = np.stack([o, -z, y, z, o, -x, -y, x, o], 1).reshape(-1, 3, 3)
    return np.eye(3) + np.sin(angle) * k + (1 - np.cos(angle)) * (k @ k)


def fit_poses(views, shape, steps):
    """Rotation [n, 3, 3] and scale [n] that lay the shape over each view; both are centred."""
    affine = np.einsum("fnc,nd->fcd", views, shape) @ np.linalg.inv(shape.T @ shape)
    u, s, v = np.linalg.svd(affine, full_matrices=False)
    rows, scale = u @ v, s.mean(1)
    rotation = np.concatenate([rows, np.cross(rows[:, 0], rows[:, 1])[:, None]], 1)
    for _ in range(steps):
        x, y, z = np.moveaxis(np.einsum("fcd,nd->fnc", rotation, shape), 2, 0)
        rest = views - scale[:, None, None] * np.stack([x, y], 2)
        k, o = scale[:, None], np.zeros_like(x)
        slope = np.stack([np.stack([o, k * z, -k * y, x], 2), np.stack([-k * z, o, k * x, y], 2)], 2)
        step = np.linalg.solve(
            np.einsum("fnci,fncj->fij", slope, slope), np.einsum("fnci,fnc->fi", slope, rest)[..., None]
        )[..., 0]
        rotation, scale = turn(step[:, :3]) @ rotation, scale + step[:, 3]
    return rotation, scale


def fit_shape(views, rotation, scale):
    rows = scale[:, None, None] * rotation[:, :2]
    shape = np.linalg.solve(np.einsum("fci,fcj->ij", rows, rows), np.einsum("fci,fnc->in", rows, views)).T
    shape = (shape + shape[MIRROR] * FLIP) / 2
    return shape / np.sqrt((shape[:, :2] ** 2).mean())


def main(folder, table):
    views = level(photos(folder))
    flat = views.mean(0)
    # To begin with: a bent sheet with a nose. How much it is bent does not matter to the result.
    bend = (flat[:, :1] / flat[:, 0].max()) ** 2
    bend[27:36] -= 0.4
    shape = np.concatenate([flat, bend - bend.mean()], 1)
    for _ in range(ROUNDS):
        shape = fit_shape(views, *fit_poses(views, shape, 3))
    inner = shape[INNER] - shape[INNER].mean(0)
    known = level(clip(table)[:, INNER])
    rotation, _ = fit_poses(known, inner, 20)
    pitch = np.arctan2(-rotation[:, 1, 2], rotation[:, 2, 2]).mean()
    inner = inner @ turn(np.array([[pitch, 0, 0]]))[0].T / (inner[45 - 17, 0] - inner[36 - 17, 0])
    for x, y, z in inner:
        print(f"    [{x + 0.0:.3f}, {y:.3f}, {z:.3f}],")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
