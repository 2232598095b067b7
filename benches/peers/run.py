#!/usr/bin/env python3
"""Times the training of children beside PyTorch and Keras, for docs/performance.md.

    python3 benches/peers/run.py --both-cores

Needs cargo, Python 3.10 or later on Linux, and PyPI for the first run: PyTorch (whose wheel brings
some GB of CUDA libraries and does not load without them, even to use the CPU) and Keras each get a
virtual environment in the target folder.
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import venv
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
FOLDER = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "peers"

CHILDREN = ["original", *(f"mixed-{n}" for n in range(10)), "odd", "mobilenet", "nasnet"]
# What is timed on these alone: Keras takes half a minute to start, Burn's own operations are slow.
WITH_KERAS = {"original", "mobilenet", "nasnet"}
WITH_BURN = {"original"}

OURS, BURN, KERAS = "ours", "Burn's operations", "Keras"
TORCH = {"PyTorch NCHW": [], "PyTorch channels_last": ["--channels-last"]}


@dataclass
class Bench:
    """Where everything is, how long a measurement takes, and all measurements so far."""

    binary: Path
    torch: Path
    keras: Path
    seconds: float
    batch: int
    samples: list[dict] = field(default_factory=list)

    def common(self) -> list[str]:
        return ["--seconds", str(self.seconds), "--batch", str(self.batch)]

    def network(self, child: str) -> Path:
        """The file of the child's network, written by our side."""
        path = FOLDER / f"{child}.json"
        path.write_bytes(subprocess.check_output([self.binary, child, "--network"]))
        return path

    def ours(self, child: str, *options: str) -> list:
        return [self.binary, child, *self.common(), *options]

    def peer(self, name: str, child: str, *options: str) -> list:
        python, script = (self.keras, "keras") if name == KERAS else (self.torch, "torch")
        program = [python, HERE / f"{script}_child.py", FOLDER / f"{child}.json"]
        return [*program, *self.common(), *TORCH.get(name, ()), *options]

    def measure(
        self, child: str, name: str, commands: list[list], cores: list[set[int]]
    ) -> None:
        """Runs `commands` at a time, each on its set of cores, and keeps what they do together."""
        lines = together(commands, cores)
        wall = sum(line["images_per_second"] for line in lines)
        cpu = statistics.fmean(line["images_per_cpu_second"] for line in lines)
        rates = {"images_per_second": wall, "images_per_cpu_second": cpu}
        self.samples.append(lines[0] | {"child": child, "name": name} | rates)
        print(f"  {child}, {name}: {wall:.1f} images/s, {cpu:.1f} a CPU-second", file=sys.stderr)

    def median(self, child: str, name: str, rate: str) -> float | None:
        found = [s[rate] for s in self.samples if (s["child"], s["name"]) == (child, name)]
        return statistics.median(found) if found else None


def together(commands: list[list], cores: list[set[int]]) -> list[dict]:
    """Runs all commands at a time, each on its cores, and returns the lines that they print.

    The peers say when they are warm and then wait for a line; ours prints its one line only.
    """
    running = [start(command, allowed) for command, allowed in zip(commands, cores)]
    first = [process.stdout.readline() for process in running]
    for process in running:
        with contextlib.suppress(BrokenPipeError):
            print(file=process.stdin, flush=True)
    lines = []
    for process, line in zip(running, first):
        output, errors = process.communicate()
        if process.returncode != 0:
            raise SystemExit(f"{' '.join(map(str, process.args))} failed:\n{errors}")
        lines.append(json.loads((line + output).splitlines()[-1]))
    return lines


def start(command: list, cores: set[int]) -> subprocess.Popen:
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": str(len(cores))},
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )


def by_child(bench: Bench, children: list[str], rounds: int) -> None:
    """Everything on one core, one after the other, round after round."""
    core = {max(os.sched_getaffinity(0))}
    for number in range(rounds):
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
        for child in children:
            commands = {OURS: bench.ours(child)}
            commands |= {name: bench.peer(name, child) for name in TORCH}
            if child in WITH_KERAS:
                commands[KERAS] = bench.peer(KERAS, child)
            if child in WITH_BURN:
                commands[BURN] = bench.ours(child, "--burn")
            for name, command in commands.items():
                bench.measure(child, name, [command], [core])


def both_cores(bench: Bench, rounds: int) -> None:
    """One and two of the original's children on two cores."""
    child = "original"
    two = set(sorted(os.sched_getaffinity(0))[-2:])
    apart = [{core} for core in sorted(two)]
    for number in range(rounds):
        print(f"both cores, round {number + 1} of {rounds}", file=sys.stderr)
        one_child = [bench.ours(child)]
        bench.measure(child, "ours, 1 child on 1 core", one_child, apart[:1])
        two_children = [bench.ours(child, "--workers", "2")]
        bench.measure(child, "ours, 2 children on 2 cores", two_children, [two])
        for name in TORCH:
            alone = [bench.peer(name, child)] * 2
            bench.measure(child, f"{name}, 2 processes × 1 thread", alone, apart)
            threads = [bench.peer(name, child, "--threads", "2")]
            bench.measure(child, f"{name}, 1 process × 2 threads", threads, [two])


def shown(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def ratio(a: float | None, b: float | None) -> str:
    return f"{a / b:.2f}" if a and b else ""


def table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def table_by_child(bench: Bench, children: list[str]) -> str:
    names = [OURS, *TORCH, KERAS, BURN]
    rows = []
    for child in children:
        medians = {name: bench.median(child, name, "images_per_cpu_second") for name in names}
        ours, torch = medians[OURS], max(medians[name] for name in TORCH)
        ratios = [ratio(ours, torch), ratio(ours, medians[KERAS]), ratio(ours, medians[BURN])]
        rows.append([child, *(shown(medians[name]) for name in names), *ratios])
    return table(["child", *names, "÷ best PyTorch", "÷ Keras", "÷ Burn"], rows)


def table_of_both_cores(bench: Bench) -> str:
    names = dict.fromkeys(s["name"] for s in bench.samples if "," in s["name"])
    medians = {name: bench.median("original", name, "images_per_second") for name in names}
    _, two, *peers = medians.values()
    rows = [[name, shown(median), ratio(two, median)] for name, median in medians.items()]
    rows.append(["the best of PyTorch", shown(max(peers)), ratio(two, max(peers))])
    return table(["the original's child", "images/s", "2 children of ours ÷ it"], rows)


def build() -> Path:
    """Builds our side in the bench profile and returns the program."""
    command = ["cargo", "bench", "--no-run", "--bench", "children", "--message-format", "json"]
    output = subprocess.check_output(command, cwd=ROOT, text=True)
    for message in map(json.loads, output.splitlines()):
        if message.get("executable") and message["target"]["name"] == "children":
            return Path(message["executable"])
    raise SystemExit("cargo built no bench called 'children'")


def python(name: str, *packages: str) -> Path:
    """A Python with `packages` from PyPI, made once."""
    folder = FOLDER / name
    path, ready = folder / "bin" / "python", folder / "ready"
    if not ready.exists():
        print(f"installing {', '.join(packages)}", file=sys.stderr)
        venv.create(folder, with_pip=True, clear=True)
        subprocess.check_call([path, "-m", "pip", "install", "--quiet", *packages])
        ready.touch()
    return path


def machine() -> dict:
    info = Path("/proc/cpuinfo").read_text()
    model = next(line.split(":")[1].strip() for line in info.splitlines() if "model name" in line)
    rustc = subprocess.check_output(["rustc", "--version"], text=True).strip()
    return {"cpu": model, "rustc": rustc}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--children", nargs="*", default=CHILDREN, metavar="CHILD")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4, help="of a measurement, at least")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--both-cores", action="store_true", help="also time two cores")
    parser.add_argument("--json", type=Path, help="the file of all measurements")
    parser.add_argument("--binary", type=Path, help="our side, built already")
    parser.add_argument("--torch-python", type=Path, help="a Python that has PyTorch")
    parser.add_argument("--keras-python", type=Path, help="a Python that has Keras and TensorFlow")
    arguments = parser.parse_args()

    FOLDER.mkdir(parents=True, exist_ok=True)
    bench = Bench(
        binary=(arguments.binary or build()).resolve(),
        torch=arguments.torch_python or python("torch", "torch", "numpy"),
        keras=arguments.keras_python or python("keras", "keras", "tensorflow-cpu"),
        seconds=arguments.seconds,
        batch=arguments.batch,
    )
    needed = arguments.children + ["original"] * arguments.both_cores
    for child in needed:
        bench.network(child)
    tables = []
    if arguments.children:
        by_child(bench, arguments.children, arguments.rounds)
        tables.append(table_by_child(bench, arguments.children))
    if arguments.both_cores:
        both_cores(bench, arguments.rounds)
        tables.append(table_of_both_cores(bench))
    path = arguments.json or FOLDER / "results.json"
    path.write_text(json.dumps({"machine": machine(), "samples": bench.samples}, indent=1) + "\n")
    versions = dict.fromkeys(s["version"] for s in bench.samples if "version" in s)
    about = [machine()["cpu"], *versions, f"medians of {arguments.rounds} rounds"]
    print("; ".join(about) + "\n")
    print("\n\n".join(tables))


if __name__ == "__main__":
    main()
