"""Starts TensorBoard over FOLDER and prints, as JSON, what its pages would be given: of the plugins for hyper-parameters,
text, graphs and images. Waits until EXPECTED runs are loaded."""

import io
import json
import sys
import time
import urllib.parse
import urllib.request

from google.protobuf import text_format
from PIL import Image
from tensorboard import program
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto import graph_pb2

folder, expected = sys.argv[1], int(sys.argv[2])
board = program.TensorBoard()
board.configure(argv=["tensorboard", "--logdir", folder, "--host", "127.0.0.1", "--port", "0", "--load_fast", "false"])
url = board.launch().rstrip("/")


def ask(path, body=None, **query):
    address = f"{url}/data/{path}" + ("?" + urllib.parse.urlencode(query) if query else "")
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read()


def sessions():
    body = {"experimentName": "", "allowedStatuses": ["STATUS_SUCCESS", "STATUS_FAILURE"], "sliceSize": 100,
            "colParams": [], "startIndex": 0}
    return json.loads(ask("plugin/hparams/session_groups", body))


until = time.monotonic() + 60
while time.monotonic() < until:
    found = sessions()
    if len(found.get("sessionGroups", [])) >= expected and len(json.loads(ask("runs"))) >= expected:
        break
    time.sleep(0.2)

out = {"sessions": [], "runs": {}}
experiment = json.loads(ask("plugin/hparams/experiment", {"experimentName": ""}))
out["columns"] = [info["name"] for info in experiment["hparamInfos"]]
out["metrics"] = [info["name"]["tag"] for info in experiment["metricInfos"]]
for group in sessions()["sessionGroups"]:
    session = group["sessions"][0]
    values = {value["name"]["tag"]: value["value"] for value in session["metricValues"]}
    out["sessions"].append({"hparams": group["hparams"], "status": session["status"], "metrics": values})
for run in json.loads(ask("runs")):
    texts = json.loads(ask("plugin/text/tags")).get(run, [])
    texts = {tag: json.loads(ask("plugin/text/text", run=run, tag=tag)) for tag in texts}
    graphs = json.loads(ask("plugin/graphs/info")).get(run, {})
    nodes = []
    if graphs.get("run_graph"):
        graph = text_format.Parse(ask("plugin/graphs/graph", run=run).decode(), graph_pb2.GraphDef())
        for node in graph.node:
            shapes = [[size.size for size in shape.dim] for shape in node.attr["_output_shapes"].list.shape]
            nodes.append({"name": node.name, "op": node.op, "input": list(node.input), "shapes": shapes})
    pictures = []
    events = EventAccumulator(f"{folder}/{run}")
    events.Reload()
    for tag in json.loads(ask("plugin/images/tags")).get(run, {}):
        told = events.Images(tag)[0]
        for picture in json.loads(ask("plugin/images/images", run=run, tag=tag, sample=0)):
            image = Image.open(io.BytesIO(ask("plugin/images/individualImage?" + picture["query"])))
            image.load()
            pictures.append({"tag": tag, "format": image.format, "size": image.size,
                             "told": [told.width, told.height],
                             "colours": len(image.convert("RGB").getcolors(1 << 24))})
    out["runs"][run] = {"texts": texts, "nodes": nodes, "pictures": pictures}
print(json.dumps(out))
