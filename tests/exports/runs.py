"""Prints the runs of EXPERIMENT on the MLflow server at URL as JSON, as MLflow's own client finds them."""

import json
import os
import sys
import tempfile

import mlflow

url, name = sys.argv[1:3]
mlflow.set_tracking_uri(url)
client = mlflow.MlflowClient()
experiment = client.get_experiment_by_name(name)
runs = []
for run in client.search_runs([experiment.experiment_id]):
    key = run.info.run_id
    metrics = {}
    for metric in run.data.metrics:
        history = client.get_metric_history(key, metric)
        metrics[metric] = sorted([point.step, repr(point.value), point.timestamp] for point in history)
    files = {}
    with tempfile.TemporaryDirectory() as folder:
        for file in client.list_artifacts(key):
            path = mlflow.artifacts.download_artifacts(run_id=key, artifact_path=file.path, dst_path=folder)
            with open(path, encoding="utf-8", newline="") as opened:
                files[os.path.basename(path)] = opened.read()
    runs.append(
        {
            "id": key,
            "name": run.info.run_name,
            "status": run.info.status,
            "start": run.info.start_time,
            "end": run.info.end_time,
            "params": run.data.params,
            "tags": run.data.tags,
            "metrics": metrics,
            "files": files,
        }
    )
print(json.dumps(runs))
