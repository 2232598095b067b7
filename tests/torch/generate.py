"""Writes what PyTorch computes for every operation, value and gradient, as small safetensors files.

    python tests/torch/generate.py tests/torch/expected

Needs `torch`, `numpy` and `safetensors`. One file a subject; each holds several cases. A case is a
network (the JSON that nas-script stores), whose last node is flat, and around it the arrays

    <case>/input, <case>/output      images in, flat outputs out
    <case>/upstream                  the gradient of some loss by the output ...
    <case>/input.grad                ... and what follows for the input
    <case>/<array>, <case>/<array>.grad
                                     each weight under nas-script's name, and its gradient
    <case>/<array>.after             a running statistic after a training step

The metadata `cases` is a JSON list of {name, network, mode, seed, progress}; `mode` is "train" or
"inference". All is computed in float64 from float32 inputs and rounded once, so that the files hold
no rounding of PyTorch's own. All numbers come from Python's `random`, whose sequence Python promises
to keep, except for the masks of dropout: they come from nas-script's own streams, written down here
once more, because a mask is part of what a seed promises.
"""

import argparse
import hashlib
import json
import pathlib
import random
import struct

import numpy
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file

# ------------------------------------------------------------------ nas-script's random streams


class Stream:
    """ChaCha8 seeded from SHA-256(seed, name), as `Seed::stream`."""

    def __init__(self, seed, name):
        def derived(number):
            return hashlib.sha256(struct.pack("<Q", number) + name.encode()).digest()[:8]

        # rand_core's `seed_from_u64`: 32 bytes from PCG32.
        state, key = int.from_bytes(derived(seed), "little"), []
        for _ in range(8):
            state = (state * 6364136223846793005 + 11634580027462260723) % 2**64
            word, turn = ((state >> 18 ^ state) >> 27) % 2**32, state >> 59
            key.append((word >> turn | word << (32 - turn)) % 2**32 if turn else word)
        self.key, self.block, self.words = key, 0, []

    def unit(self):
        """The next number from 0 up to but not including 1."""
        if not self.words:
            self.words = self.refill()
        return (self.words.pop(0) >> 8) / 2**24

    def refill(self):
        constants = list(struct.unpack("<4I", b"expand 32-byte k"))
        start = constants + self.key + [self.block % 2**32, self.block >> 32, 0, 0]
        self.block += 1
        x = list(start)

        def turn(a, b, n):
            mixed = x[a] ^ x[b]
            x[a] = (mixed << n | mixed >> (32 - n)) % 2**32

        def quarter(a, b, c, d):
            for first, second, third, n in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
                x[first] = (x[first] + x[second]) % 2**32
                turn(third, first, n)

        for _ in range(4):
            for i in range(4):
                quarter(i, 4 + i, 8 + i, 12 + i)
            for i in range(4):
                quarter(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
        return [(a + b) % 2**32 for a, b in zip(x, start)]


# ------------------------------------------------------------------------ operations in PyTorch


def same_pad(x, a, dilation, value=0.0):
    """Pads as TensorFlow's "same": the odd pixel at the bottom and at the right."""
    if a["padding"] == "valid":
        return x
    pads = []
    for axis in (1, 0):  # F.pad begins with the last dimension.
        size, stride = x.shape[2 + axis], a["stride"][axis]
        extent = (a["kernel"][axis] - 1) * dilation[axis] + 1
        total = max((-(-size // stride) - 1) * stride + extent - size, 0)
        pads += [total // 2, total - total // 2]
    return F.pad(x, pads, value=value)


def conv2d(a, x, weight, bias):
    x = same_pad(x, a, a["dilation"])
    return F.conv2d(x, weight, bias, a["stride"], 0, a["dilation"], a["groups"])


def conv_transpose2d(a, x, weight, bias):
    """By its definition: the gradient of the convolution that leads back to the shape of `x`."""
    size = []
    for axis in (0, 1):
        n, stride = x.shape[2 + axis], a["stride"][axis]
        extent = (a["kernel"][axis] - 1) * a["dilation"][axis] + 1
        size.append(n * stride if a["padding"] == "same" else (n - 1) * stride + extent)
    image = torch.zeros(x.shape[0], a["filters"], *size, dtype=x.dtype, requires_grad=True)
    back = conv2d(a, image, weight, None)
    assert back.shape == x.shape
    (full,) = torch.autograd.grad(back, image, grad_outputs=x, create_graph=True)
    return full if bias is None else full + bias[None, :, None, None]


def max_pool2d(a, x):
    return F.max_pool2d(same_pad(x, a, (1, 1), -torch.inf), a["kernel"], a["stride"])


def avg_pool2d(a, x):
    """Padding does not count: the sum of a window over the number of its pixels."""
    sums = F.avg_pool2d(same_pad(x, a, (1, 1)), a["kernel"], a["stride"])
    return sums / F.avg_pool2d(same_pad(torch.ones_like(x), a, (1, 1)), a["kernel"], a["stride"])


ACTIVATIONS = {
    "relu": F.relu,
    "gelu": F.gelu,
    "silu": F.silu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "relu6": F.relu6,
    "hard_sigmoid": F.hardsigmoid,
    "hard_swish": F.hardswish,
}


def resize(a, x):
    if a["mode"] == "nearest":
        return F.interpolate(x, a["size"], mode="nearest")
    return F.interpolate(x, a["size"], mode="bilinear", align_corners=False)


def multiply(x, y):
    if x.dim() == y.dim():
        return x * y
    image, factor = (x, y) if x.dim() == 4 else (y, x)
    return image * factor[:, :, None, None]


def dropped(x, rate, shape, stream):
    kept = [stream.unit() >= rate for _ in range(numpy.prod(shape))]
    return x * torch.tensor(kept, dtype=x.dtype).reshape(shape) / (1 - rate)


class Run:
    """One pass through a network. Draws the weights that it meets; notes shapes and statistics."""

    def __init__(self, case, rng):
        self.case, self.rng, self.arrays, self.after = case, rng, {}, {}
        self.stream = Stream(case["seed"], "dropout")

    def array(self, name, shape, low=-1.0, high=1.0, grad=True):
        self.arrays[name] = draw(self.rng, shape, low, high).requires_grad_(grad)
        return self.arrays[name]

    def apply(self, index, op, inputs):
        kind, a = (op, None) if isinstance(op, str) else next(iter(op.items()))
        name = lambda part: f"{index}.{kind}.{part}"
        x = inputs[0]
        channels = x.shape[1]
        if kind in ("conv2d", "conv_transpose2d"):
            across = (a["filters"], channels)
            first, second = across if kind == "conv2d" else reversed(across)
            weight = self.array(name("weight"), [first, second // a["groups"], *a["kernel"]])
            bias = self.array(name("bias"), [a["filters"]]) if a["bias"] else None
            return (conv2d if kind == "conv2d" else conv_transpose2d)(a, x, weight, bias)
        if kind == "dense":
            weight = self.array(name("weight"), [channels, a["units"]])
            bias = self.array(name("bias"), [a["units"]]) if a["bias"] else None
            return F.linear(x, weight.T, bias)
        if kind in ("batch_norm", "layer_norm", "group_norm"):
            scale = self.array(name("weight"), [channels], 0.5, 2.0)
            shift = self.array(name("bias"), [channels])
            if kind == "layer_norm":
                last = x.movedim(1, -1)
                return F.layer_norm(last, [channels], scale, shift, a["epsilon"]).movedim(-1, 1)
            if kind == "group_norm":
                return F.group_norm(x, a["groups"], scale, shift, a["epsilon"])
            mean = self.array(name("running_mean"), [channels], grad=False)
            variance = self.array(name("running_var"), [channels], 0.5, 2.0, grad=False)
            if self.case["mode"] == "inference":
                return F.batch_norm(x, mean, variance, scale, shift, eps=a["epsilon"])
            # PyTorch would note the unbiased variance; Keras and nas-script note the biased one.
            over = [d for d in range(x.dim()) if d != 1]
            m, v = a["momentum"], x.detach().var(over, correction=0)
            self.after[name("running_mean")] = (1 - m) * mean + m * x.detach().mean(over)
            self.after[name("running_var")] = (1 - m) * variance + m * v
            return F.batch_norm(x, None, None, scale, shift, training=True, eps=a["epsilon"])
        if kind in ("dropout", "drop_path"):
            if self.case["mode"] == "inference":
                return x
            linear = kind == "drop_path" and a["schedule"] == "linear"
            rate = a["rate"] * (self.case["progress"] if linear else 1)
            whole = [x.shape[0]] + [1] * (x.dim() - 1)
            return dropped(x, rate, whole if kind == "drop_path" else list(x.shape), self.stream)
        sides = ("left", "right", "top", "bottom")
        return {
            "max_pool2d": lambda: max_pool2d(a, x),
            "avg_pool2d": lambda: avg_pool2d(a, x),
            "global_avg_pool": lambda: F.adaptive_avg_pool2d(x, 1).flatten(1),
            "flatten": lambda: torch.flatten(x, 1),
            "activation": lambda: ACTIVATIONS[a](x),
            "add": lambda: torch.stack(inputs).sum(0),
            "multiply": lambda: multiply(*inputs),
            "concat": lambda: torch.cat(inputs, 1),
            "zero_pad2d": lambda: F.pad(x, [a[side] for side in sides]),
            "crop2d": lambda: F.pad(x, [-a[side] for side in sides]),
            "resize": lambda: resize(a, x),
            "channel_shuffle": lambda: torch.nn.ChannelShuffle(a["groups"])(x),
        }[kind]()

    def __call__(self, x):
        values, nodes = [x], self.case["network"]["nodes"]
        for index, node in enumerate(nodes[1:], 1):
            values.append(self.apply(index, node["op"], [values[i] for i in node["inputs"]]))
            node["shape"] = list(values[-1].shape[1:])
        if values[-1].dim() == 4:
            nodes.append({"op": "flatten", "inputs": [len(nodes) - 1], "shape": [values[-1][0].numel()]})
        return values[-1].flatten(1)


# ---------------------------------------------------------------------------------------- cases


def draw(rng, shape, low, high):
    """Numbers that are exact in float32, and never at a kink such as 0, 3 or 6."""
    steps = [rng.randrange(2**16) for _ in range(numpy.prod(shape))]
    values = [low + (high - low) * (2 * step + 1) / 2**17 for step in steps]
    return torch.tensor(values, dtype=torch.float32).to(torch.float64).reshape(shape)


def case(name, shape, *ops, mode="train", batch=2, progress=0.0, span=1.0, seed=11):
    """A network of one input. An operation reads the one before, unless it is `(op, inputs)`."""
    nodes = [{"op": {"input": {"shape": shape}}, "inputs": [], "shape": shape}]
    for op in ops:
        op, inputs = op if isinstance(op, tuple) else (op, [len(nodes) - 1])
        nodes.append({"op": op, "inputs": inputs, "shape": None})
    network = {"nodes": nodes}
    run = {"mode": mode, "seed": seed, "progress": progress}
    return {"name": name, "network": network, **run, "batch": batch, "span": span}


def conv(filters, kernel, stride=(1, 1), padding="same", dilation=(1, 1), groups=1, bias=True,
         kind="conv2d"):
    pairs = {"stride": list(stride), "padding": padding, "dilation": list(dilation)}
    return {kind: {"filters": filters, "kernel": list(kernel), **pairs, "groups": groups, "bias": bias}}


def transposed(*args, **options):
    return conv(*args, **options, kind="conv_transpose2d")


def depthwise(channels, multiplier, kernel, **options):
    return conv(channels * multiplier, kernel, groups=channels, **options)


def pools(kind):
    for height, width in ((7, 6), (6, 9)):
        for padding in ("same", "valid"):
            for kernel, stride in (((2, 2), (2, 2)), ((3, 3), (1, 1)), ((3, 2), (2, 3)), ((1, 4), (2, 1))):
                name = f"{height}x{width}_{padding}_{kernel[0]}x{kernel[1]}_by_{stride[0]}x{stride[1]}"
                a = {"kernel": list(kernel), "stride": list(stride), "padding": padding}
                yield case(name, [2, height, width], {kind: a})


def sides(top=0, bottom=0, left=0, right=0):
    return {"top": top, "bottom": bottom, "left": left, "right": right}


# Parts of one image, so that an operation of several inputs has different ones.
TOP, BOTTOM = {"crop2d": sides(bottom=3)}, {"crop2d": sides(top=3)}
CORNER, PIXEL = {"crop2d": sides(1, 2, 2, 0)}, {"crop2d": sides(5, 0, 0, 3)}
PARTS = [(TOP, [0]), (BOTTOM, [0]), (CORNER, [0])]
IMAGE, FLAT = [4, 6, 4], [6, 1, 1]


def subjects():
    activations = [
        case(f"{name}_{shape}", *start, {"activation": name}, span=8.0)
        for name in ACTIVATIONS
        for shape, start in {"image": ([2, 5, 4],), "flat": (FLAT, "flatten")}.items()
    ]
    batch_norm = lambda momentum, epsilon: {"batch_norm": {"momentum": momentum, "epsilon": epsilon}}
    norm_cases = [
        case(f"{mode}_{name}", *start, batch_norm(momentum, epsilon), mode=mode, batch=5)
        for mode in ("train", "inference")
        for name, momentum, epsilon, start in (
            ("image", 0.1, 1e-5, ([3, 5, 4],)),
            ("image_large_epsilon", 0.3, 0.1, ([3, 4, 4],)),
            ("flat", 0.25, 1e-3, (FLAT, "flatten")),
        )
    ]
    resizes = [
        case(f"{mode}_{height}x{width}", [2, 5, 6], {"resize": {"size": [height, width], "mode": mode}})
        for mode in ("nearest", "bilinear")
        for height, width in ((10, 12), (7, 8), (3, 3), (2, 4), (13, 1), (5, 9))
    ]
    drops = {
        "dropout": {"dropout": {"rate": 0.3}},
        "drop_path": {"drop_path": {"rate": 0.4, "schedule": "constant"}},
        "drop_path_linear": {"drop_path": {"rate": 0.8, "schedule": "linear"}},
    }
    dropping = lambda name: [
        case(f"{name}_{mode}_{shape}", *start, drops[name], mode=mode, batch=12, progress=0.625)
        for mode in ("train", "inference")
        for shape, start in {"image": ([2, 3, 2],), "flat": (FLAT, "flatten")}.items()
    ]
    dense = lambda units, bias: {"dense": {"units": units, "bias": bias}}
    excite = lambda gate: case(
        f"{gate}_gate", [4, 5, 3], "global_avg_pool", dense(3, True), {"activation": "relu"},
        dense(4, True), {"activation": gate}, ("multiply", [0, 5]), span=3.0,
    )
    return {
        "conv2d": [
            case("same_3x3", [3, 7, 6], conv(4, (3, 3))),
            case("same_even_kernel", [3, 7, 6], conv(4, (4, 2))),
            case("same_strided_even_size", [3, 6, 8], conv(4, (3, 3), stride=(2, 2))),
            case("same_strided_odd_size", [2, 7, 5], conv(3, (3, 5), stride=(2, 3))),
            case("same_stride_beyond_kernel", [2, 7, 8], conv(3, (1, 2), stride=(2, 3))),
            case("same_kernel_beyond_image", [2, 3, 4], conv(3, (5, 7))),
            case("same_dilated", [2, 7, 6], conv(3, (3, 2), dilation=(2, 3))),
            case("same_dilated_strided", [2, 9, 8], conv(3, (3, 3), stride=(2, 1), dilation=(2, 2))),
            case("same_grouped", [4, 5, 6], conv(6, (3, 2), groups=2)),
            case("valid_rectangular", [3, 7, 6], conv(4, (2, 3), padding="valid")),
            case("valid_strided", [3, 8, 7], conv(4, (3, 2), stride=(3, 2), padding="valid")),
            case("valid_dilated", [2, 8, 9], conv(3, (2, 3), dilation=(3, 2), padding="valid")),
            case("valid_all_at_once", [4, 9, 8], conv(6, (2, 3), stride=(2, 1), dilation=(2, 3), groups=2, padding="valid")),
            case("pointwise_without_bias", [5, 4, 3], conv(3, (1, 1), bias=False)),
        ],
        "depthwise_conv2d": [
            case("multiplier_1", [3, 6, 5], depthwise(3, 1, (3, 3))),
            case("multiplier_2", [3, 7, 6], depthwise(3, 2, (5, 3))),
            case("multiplier_2_strided", [3, 7, 6], depthwise(3, 2, (3, 4), stride=(2, 2), bias=False)),
            case("multiplier_2_dilated_valid", [2, 8, 7], depthwise(2, 2, (3, 2), dilation=(2, 3), padding="valid")),
        ],
        "separable_conv2d": [
            case("same_strided", [3, 7, 6], depthwise(3, 1, (3, 3), stride=(2, 2), bias=False), conv(5, (1, 1))),
            case("multiplier_2_valid", [2, 6, 7], depthwise(2, 2, (3, 5), padding="valid", bias=False), conv(3, (1, 1), bias=False)),
            case("dilated", [2, 7, 7], depthwise(2, 2, (3, 3), dilation=(2, 2), bias=False), conv(3, (1, 1))),
        ],
        "conv_transpose2d": [
            case("same_3x3", [3, 4, 5], transposed(2, (3, 3))),
            case("same_twice_the_size", [3, 4, 3], transposed(2, (3, 3), stride=(2, 2))),
            case("same_even_kernel", [3, 3, 4], transposed(2, (4, 2), stride=(2, 2))),
            case("same_rectangular", [2, 3, 4], transposed(3, (2, 5), stride=(1, 3))),
            case("same_stride_beyond_kernel", [2, 3, 3], transposed(3, (1, 2), stride=(3, 4))),
            case("same_dilated", [2, 4, 3], transposed(3, (3, 2), stride=(2, 1), dilation=(2, 3))),
            case("same_stride_beyond_dilated_kernel", [2, 2, 3], transposed(2, (2, 2), stride=(5, 4), dilation=(3, 1))),
            case("same_grouped", [4, 4, 3], transposed(6, (3, 2), stride=(2, 2), groups=2)),
            case("valid_3x2", [3, 4, 5], transposed(2, (3, 2), padding="valid")),
            case("valid_strided", [2, 3, 4], transposed(3, (3, 4), stride=(2, 3), padding="valid", bias=False)),
            case("valid_stride_beyond_kernel", [2, 3, 3], transposed(3, (2, 1), stride=(3, 2), padding="valid")),
            case("valid_dilated", [2, 4, 3], transposed(3, (2, 3), dilation=(3, 2), padding="valid")),
            case("valid_all_at_once", [4, 3, 4], transposed(2, (3, 2), stride=(2, 3), dilation=(2, 3), groups=2, padding="valid")),
            case("depthwise", [3, 4, 3], transposed(6, (3, 3), stride=(2, 2), groups=3)),
        ],
        "max_pool2d": list(pools("max_pool2d")),
        "avg_pool2d": list(pools("avg_pool2d")),
        "global_avg_pool": [case("7x6", [5, 7, 6], "global_avg_pool"), case("1x3", [4, 1, 3], "global_avg_pool")],
        "flatten": [case("rows_first", [3, 4, 5])],
        "dense": [
            case("bias", FLAT, "flatten", dense(4, True), batch=3),
            case("no_bias", FLAT, "flatten", dense(5, False)),
            case("after_flatten", [3, 4, 2], "flatten", dense(3, True)),
        ],
        "batch_norm": norm_cases,
        "layer_norm": [
            case("image", [6, 4, 3], {"layer_norm": {"epsilon": 1e-6}}),
            case("image_large_epsilon", [3, 4, 5], {"layer_norm": {"epsilon": 0.1}}),
            case("flat", [9, 1, 1], "flatten", {"layer_norm": {"epsilon": 1e-5}}, batch=3),
        ],
        "group_norm": [
            case(f"{groups}_of_6", [6, 4, 3], {"group_norm": {"groups": groups, "epsilon": epsilon}})
            for groups, epsilon in ((1, 1e-5), (2, 1e-5), (3, 0.1), (6, 1e-3))
        ] + [case("flat", [8, 1, 1], "flatten", {"group_norm": {"groups": 2, "epsilon": 1e-5}}, batch=3)],
        "activation": activations,
        "add": [
            case("two", IMAGE, *PARTS[:2], ("add", [1, 2])),
            case("three", IMAGE, *PARTS[:2], {"activation": "tanh"}, ("add", [1, 2, 3])),
            case("itself_and_another", IMAGE, *PARTS[:2], ("add", [1, 1, 2])),
            case("flat", IMAGE, (TOP, [0]), "global_avg_pool", (BOTTOM, [0]), "global_avg_pool", ("add", [2, 4])),
        ],
        "multiply": [
            case("equal_shapes", IMAGE, *PARTS[:2], ("multiply", [1, 2])),
            case("itself", IMAGE, ("multiply", [0, 0])),
            case("flat", IMAGE, (TOP, [0]), "global_avg_pool", (BOTTOM, [0]), "global_avg_pool", ("multiply", [2, 4])),
            case("image_by_flat_factor", IMAGE, (CORNER, [0]), "global_avg_pool", ("multiply", [0, 2])),
            case("image_by_pixel_factor", IMAGE, (PIXEL, [0]), ("multiply", [0, 1])),
        ],
        "concat": [
            case("two_images", IMAGE, *PARTS[:2], ("concat", [2, 1])),
            case("three_of_different_depth", IMAGE, (conv(2, (1, 1)), [0]), (conv(3, (3, 3)), [0]), ("concat", [1, 0, 2])),
            case("flat", IMAGE, "global_avg_pool", ("flatten", [0]), ("concat", [1, 2, 1])),
        ],
        "zero_pad2d": [
            case("all_sides", [3, 4, 5], {"zero_pad2d": sides(1, 2, 3, 4)}),
            case("bottom_right", [2, 3, 4], {"zero_pad2d": sides(bottom=1, right=2)}),
            case("top_left", [2, 4, 3], {"zero_pad2d": sides(top=3, left=1)}),
        ],
        "crop2d": [
            case("all_sides", [3, 8, 9], {"crop2d": sides(1, 2, 3, 1)}),
            case("bottom_right", [2, 5, 4], {"crop2d": sides(bottom=3, right=2)}),
            case("top_left", [2, 4, 5], {"crop2d": sides(top=1, left=4)}),
        ],
        "resize": resizes,
        "channel_shuffle": [
            case("2_of_6", [6, 3, 2], {"channel_shuffle": {"groups": 2}}),
            case("3_of_6", [6, 2, 3], {"channel_shuffle": {"groups": 3}}),
            case("4_of_8", [8, 2, 2], {"channel_shuffle": {"groups": 4}}),
        ],
        "squeeze_excite": [excite("sigmoid"), excite("hard_sigmoid")],
        "dropout": dropping("dropout"),
        "drop_path": dropping("drop_path") + dropping("drop_path_linear"),
    }


def compute(subject, spec):
    """The arrays of one case."""
    rng = random.Random(f"{subject}/{spec['name']}")
    shape = spec["network"]["nodes"][0]["shape"]
    x = draw(rng, [spec["batch"], *shape], -spec["span"], spec["span"]).requires_grad_()
    run = Run(spec, rng)
    output = run(x)
    upstream = draw(rng, list(output.shape), -1.0, 1.0)
    output.backward(upstream)
    arrays = {"input": x, "input.grad": x.grad, "output": output, "upstream": upstream}
    for name, array in run.arrays.items():
        arrays[name] = array
        if array.requires_grad:
            arrays[f"{name}.grad"] = array.grad
    arrays |= {f"{name}.after": array for name, array in run.after.items()}
    as_f32 = lambda array: array.detach().to(torch.float32).contiguous().numpy()
    return {f"{spec['name']}/{name}": as_f32(array) for name, array in arrays.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("output", type=pathlib.Path, help="the folder for the files")
    output = parser.parse_args().output
    output.mkdir(parents=True, exist_ok=True)
    torch.use_deterministic_algorithms(True)
    for subject, specs in subjects().items():
        arrays = {}
        for spec in specs:
            arrays |= compute(subject, spec)
        kept = ("name", "network", "mode", "seed", "progress")
        cases = [{key: spec[key] for key in kept} for spec in specs]
        save_file(arrays, output / f"{subject}.safetensors", {"cases": json.dumps(cases)})


if __name__ == "__main__":
    main()
