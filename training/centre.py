#!/usr/bin/env python3
"""Takes out of a mesh's file what rounding its weights to 8 bits moves all its answers by.

    python3 -m pip install numpy onnx onnxruntime pillow
    facemark-train export runs/mesh -o f32.onnx --weights f32
    facemark-train export runs/mesh -o int8.onnx
    python3 training/centre.py f32.onnx int8.onnx open/ models/mesh.onnx

Each answer is a sum of some hundred products, and where the values are nearly the same for all faces, so is the sum of the
rounding errors. The script lets both files answer to 600 crops of faces and takes the mean difference out of the biases of the
last layers. The crops are only about those of the tracker, which does not matter to the mean.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper
from PIL import Image

N_FACES, SIDE = 600, 112


def crops(data):
    folders = [file.parent for file in sorted(Path(data).rglob("mesh478.npy"))]
    faces = []
    for folder in folders:
        meshes = np.load(folder / "mesh478.npy", mmap_mode="r")
        names = (folder / "names.txt").read_text().split()
        faces += [(folder / "photos" / name, mesh) for name, mesh in zip(names, meshes)]
    chosen = np.random.default_rng(1).choice(len(faces), min(N_FACES, len(faces)), replace=False)
    return [crop(*faces[i]) for i in chosen]


def crop(photo, mesh):
    points = mesh[:, :2] / 32
    low, high = points.min(0), points.max(0)
    # The region leaves out the forehead.
    size = 0.92 * (high - low).max()
    left, top = (low + high) / 2 - 0.6 * size
    scale = 1.2 * size / SIDE
    picture = Image.open(photo).convert("L")
    picture = picture.transform((SIDE, SIDE), Image.AFFINE, (scale, 0, left, 0, scale, top), Image.BILINEAR)
    pixels = np.asarray(picture, np.float32)
    return ((pixels - pixels.mean()) / max(pixels.std(), 1e-3))[None, None]


def answers(file, inputs):
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return np.array([session.run(None, {name: x})[0].ravel() for x in inputs])


def main(plain, rounded, data, output):
    inputs = crops(data)
    difference = answers(rounded, inputs) - answers(plain, inputs)
    shift = difference.mean(0)
    print(f"moved by {np.abs(difference).mean():.5f}, without the mean by {np.abs(difference - shift).mean():.5f}")
    model = onnx.load(rounded)
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    # The last node puts the answers into their order.
    before = np.zeros_like(shift)
    before[numpy_helper.to_array(tensors[model.graph.node[-1].input[1]])] = shift
    corrected, derived, _, blendshapes = [node for node in model.graph.node if node.op_type == "Gemm"][-4:]
    start = 0
    for node in (corrected, derived, blendshapes):
        bias = tensors[node.input[2]]
        values = numpy_helper.to_array(bias)
        bias.raw_data = (values - before[start : start + len(values)]).astype("<f4").tobytes()
        # Between the corrected points and what is derived from them is the presence.
        start += len(values) + (node is corrected)
    onnx.save(model, output)


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    main(*sys.argv[1:])
