"""Compares ONNX models with the logits that Burn computes.

    check.py FOLDER

FOLDER/cases.json lists cases: {"name", "images": [b, c, h, w], "logits": [b, classes], "arrays": [names],
"nodes": [names]}. Each has FOLDER/NAME.onnx, and NAME.images and NAME.logits as little-endian f32.

Prints a line for each thing that is wrong, then how many cases were checked and the largest
difference. Exits with 1 if anything was wrong.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

TOLERANCE = 1e-4


def read(path, shape):
    return np.fromfile(path, dtype="<f4").reshape(shape)


def sides(value):
    dims = value.type.tensor_type.shape.dim
    return [dim.dim_param or dim.dim_value for dim in dims]


def frame(model, case):
    """What is wrong with the model around its operators."""
    graph = model.graph
    found = [(value.name, sides(value)) for value in [*graph.input, *graph.output]]
    expected = [
        ("images", ["batch", *case["images"][1:]]),
        ("logits", ["batch", *case["logits"][1:]]),
    ]
    if found != expected:
        yield f"expected {expected}, found {found}"
    if model.producer_name != "nas-script" or not model.producer_version:
        yield f"producer {model.producer_name!r} {model.producer_version!r}"
    constants = {tensor.name for tensor in graph.initializer}
    yield from (f"no array {name}" for name in case["arrays"] if name not in constants)
    nodes = [node.name for node in graph.node]
    yield from (f"no node {name}" for name in case["nodes"] if name not in nodes)
    if len(set(nodes)) != len(nodes):
        yield "two nodes of one name"


def check(folder, case):
    """What is wrong with a case, and its largest difference."""
    path = folder / f"{case['name']}.onnx"
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    wrong = list(frame(model, case))
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    images = read(folder / f"{case['name']}.images", case["images"])
    expected = read(folder / f"{case['name']}.logits", case["logits"])
    [found] = session.run(["logits"], {"images": images})
    [first] = session.run(["logits"], {"images": images[:1]})
    worst = 0.0
    for what, f, e in [("batch", found, expected), ("one image", first, expected[:1])]:
        if f.shape != e.shape:
            wrong.append(f"{what}: expected shape {e.shape}, found {f.shape}")
            continue
        difference = float(np.abs(f - e).max())
        worst = max(worst, difference)
        # Not the other way about: NaN is no match.
        if not difference <= TOLERANCE:
            wrong.append(f"{what}: logits up to {np.abs(e).max():.3g} differ by {difference:.3g}")
    return wrong, worst


def main():
    folder = Path(sys.argv[1])
    cases = json.loads((folder / "cases.json").read_text())
    worst, failed = 0.0, False
    # ONNX Runtime warns on the file descriptor itself; a model should give it no cause to.
    with tempfile.TemporaryFile() as warnings:
        terminal = os.dup(2)
        os.dup2(warnings.fileno(), 2)
        try:
            for case in cases:
                try:
                    wrong, difference = check(folder, case)
                except Exception as error:
                    wrong, difference = [f"{type(error).__name__}: {error}"], 0.0
                warnings.seek(0)
                wrong += warnings.read().decode().splitlines()
                warnings.seek(0)
                warnings.truncate()
                worst = max(worst, difference)
                failed = failed or bool(wrong)
                for line in wrong:
                    print(f"{case['name']}: {line}")
        finally:
            os.dup2(terminal, 2)
    print(f"checked {len(cases)}")
    print(f"largest difference {worst:.3g}")
    sys.exit(failed)


main()
