"""Times the training of one child in PyTorch, in plain eager mode, and prints one line of JSON.

Batches are made before the clock starts. The program says "ready" when it is warm and waits for a
line, so that several can be timed from the same moment on.
"""

import argparse
import json
import resource
import sys
import time

import torch
from torch import fx, nn
from torch.nn import functional as F

WARM_UP = 3
BATCHES = 4


class Mean(nn.Module):
    """The average of each channel."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((2, 3))


def layer(op: str | dict, channels: int, inplace: bool) -> nn.Module:
    """The module of an operation with a single input of so many channels."""
    match op:
        case {"conv2d": a}:
            return nn.Conv2d(
                channels, a["filters"], a["kernel"], a["stride"],
                padding=[side // 2 for side in a["kernel"]], groups=a["groups"], bias=a["bias"],
            )
        case {"batch_norm": a}:
            return nn.BatchNorm2d(channels, eps=a["epsilon"], momentum=a["momentum"])
        case {"activation": "relu"}:
            return nn.ReLU(inplace)
        case {"activation": "relu6"}:
            return nn.ReLU6(inplace)
        case {"max_pool2d": a}:
            return nn.MaxPool2d(a["kernel"], a["stride"], padding=[k // 2 for k in a["kernel"]])
        case {"avg_pool2d": a}:
            padding = [k // 2 for k in a["kernel"]]
            return nn.AvgPool2d(a["kernel"], a["stride"], padding, count_include_pad=False)
        case {"dense": a}:
            return nn.Linear(channels, a["units"], a["bias"])
        case "global_avg_pool":
            return Mean()
        case _:
            raise ValueError(f"no child so far has the operation {op}")


def build(nodes: list[dict]) -> fx.GraphModule:
    """The network as a module whose `forward` is code, as if it were written by hand."""
    root, graph = nn.Module(), fx.Graph()
    readers = [sum(index in node["inputs"] for node in nodes) for index in range(len(nodes))]
    values: list[fx.Node] = []
    for index, node in enumerate(nodes):
        inputs = [values[i] for i in node["inputs"]]
        match node["op"]:
            case {"input": _}:
                value = graph.placeholder("images")
            case "add":
                value = inputs[0]
                for other in inputs[1:]:
                    value = graph.call_function(torch.add, (value, other))
            case "concat":
                value = graph.call_function(torch.cat, (inputs, 1))
            case op:
                source = node["inputs"][0]
                channels = nodes[source]["shape"][0]
                root.add_module(f"layer{index}", layer(op, channels, readers[source] == 1))
                value = graph.call_module(f"layer{index}", tuple(inputs))
        values.append(value)
    graph.output(values[-1])
    return fx.GraphModule(root, graph)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network", help="the JSON of the network")
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--compile", action="store_true", help="with torch.compile")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--seconds", type=float, default=5)
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    with open(arguments.network) as file:
        nodes = json.load(file)["nodes"]
    layout = torch.channels_last if arguments.channels_last else torch.contiguous_format
    model = build(nodes).to(memory_format=layout)
    step_model = torch.compile(model) if arguments.compile else model
    # On the CPU, the fused update is the fastest of Adam's three: it counts where layers are many.
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    batches = [
        (
            torch.rand(arguments.batch, *nodes[0]["shape"]).to(memory_format=layout),
            torch.randint(10, (arguments.batch,)),
        )
        for _ in range(BATCHES)
    ]

    def step(number: int) -> torch.Tensor:
        images, labels = batches[number % BATCHES]
        optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(step_model(images), labels)
        loss.backward()
        optimizer.step()
        return loss

    for number in range(WARM_UP):
        step(number)
    print("ready", flush=True)
    sys.stdin.readline()

    wall, cpu, steps = time.perf_counter(), time.process_time(), 0
    while steps < BATCHES or time.perf_counter() - wall < arguments.seconds:
        loss = step(steps)
        steps += 1
    images = steps * arguments.batch
    line = {
        "images_per_second": images / (time.perf_counter() - wall),
        "images_per_cpu_second": images / (time.process_time() - cpu),
        "peak_memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "parameters": sum(p.numel() for p in model.parameters()),
        "loss": loss.item(),
        "version": f"PyTorch {torch.__version__}",
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
