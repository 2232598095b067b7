"""Times the training of one child in Keras on TensorFlow and prints one line of JSON.

`model.fit`, as users call it; the first epoch is a warm-up. As torch_child.py, it says "ready" when
it is warm and waits for a line.
"""

import argparse
import json
import os
import resource
import sys
import time

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from keras import layers  # noqa: E402

BATCHES = 4


def layer(op: str | dict, channels: int) -> keras.layers.Layer:
    """The layer of an operation, whose input has so many channels."""
    match op:
        case {"conv2d": a}:
            common = {
                "kernel_size": a["kernel"], "strides": a["stride"],
                "padding": a["padding"], "use_bias": a["bias"],
            }
            if 1 < a["groups"] == channels == a["filters"]:
                return layers.DepthwiseConv2D(**common)
            return layers.Conv2D(a["filters"], groups=a["groups"], **common)
        case {"batch_norm": a}:
            return layers.BatchNormalization(momentum=1 - a["momentum"], epsilon=a["epsilon"])
        case {"activation": name}:
            return layers.Activation(name)
        case {"max_pool2d": a}:
            return layers.MaxPooling2D(a["kernel"], a["stride"], padding=a["padding"])
        case {"avg_pool2d": a}:
            return layers.AveragePooling2D(a["kernel"], a["stride"], padding=a["padding"])
        case {"dense": a}:
            return layers.Dense(a["units"], use_bias=a["bias"])
        case "global_avg_pool":
            return layers.GlobalAveragePooling2D()
        case "add":
            return layers.Add()
        case "concat":
            return layers.Concatenate()
        case _:
            raise ValueError(f"no child so far has the operation {op}")


def build(nodes: list[dict]) -> keras.Model:
    """The network as a functional model, with a softmax at its end."""
    channels, height, width = nodes[0]["shape"]
    values = [keras.Input((height, width, channels))]
    for node in nodes[1:]:
        inputs = [values[index] for index in node["inputs"]]
        made = layer(node["op"], nodes[node["inputs"][0]]["shape"][0])
        values.append(made(inputs if len(inputs) > 1 else inputs[0]))
    return keras.Model(values[0], layers.Softmax()(values[-1]))


class Clock(keras.callbacks.Callback):
    """Times whole epochs after the first, until it has been long enough."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds, self.epochs = seconds, 0

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        if epoch == 0:
            print("ready", flush=True)
            sys.stdin.readline()
            self.start = time.perf_counter(), time.process_time()
            return
        self.epochs = epoch
        self.wall = time.perf_counter() - self.start[0]
        self.cpu = time.process_time() - self.start[1]
        self.model.stop_training = self.wall >= self.seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network", help="the JSON of the network")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--seconds", type=float, default=5)
    arguments = parser.parse_args()

    tf.config.threading.set_intra_op_parallelism_threads(arguments.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    keras.utils.set_random_seed(0)
    with open(arguments.network) as file:
        nodes = json.load(file)["nodes"]
    model = build(nodes)
    model.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
    count = BATCHES * arguments.batch
    rng = np.random.default_rng(0)
    images = rng.random((count, *model.input_shape[1:]), dtype="float32")
    labels = np.eye(10, dtype="float32")[np.arange(count) % 10]
    clock = Clock(arguments.seconds)
    model.fit(
        images, labels, batch_size=arguments.batch, epochs=1_000_000, verbose=0, callbacks=[clock]
    )
    line = {
        "images_per_second": clock.epochs * count / clock.wall,
        "images_per_cpu_second": clock.epochs * count / clock.cpu,
        "peak_memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "parameters": sum(int(np.prod(w.shape)) for w in model.trainable_weights),
        "version": f"{keras.__version__} on TensorFlow {tf.__version__}",
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
