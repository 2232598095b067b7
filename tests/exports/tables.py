"""Reads FOLDER/trials.{csv,parquet,jsonl} by pandas and prints what it finds as JSON."""

import json
import sys

import pandas

folder = sys.argv[1]
csv = pandas.read_csv(f"{folder}/trials.csv", keep_default_na=False, na_values=[""])
parquet = pandas.read_parquet(f"{folder}/trials.parquet", engine="pyarrow")
lines = pandas.read_json(f"{folder}/trials.jsonl", lines=True, dtype=False, precise_float=True)


def kind(series):
    """The kind of a column's values; an object column has that of its values."""
    if series.dtype == object:
        kinds = {type(value).__name__ for value in series if not missing(value)}
        return "object:" + ",".join(sorted(kinds))
    return str(series.dtype)


def missing(value):
    return not isinstance(value, (list, str)) and bool(pandas.isna(value))


def differing(other):
    """Cells that are not those of the Parquet file. What is not there at all is equal in all forms."""
    wrong = []
    for name in parquet.columns:
        theirs = other[name] if name in other.columns else [None] * len(parquet)
        for row, (one, two) in enumerate(zip(parquet[name], theirs)):
            same = missing(one) and missing(two)
            same = same or (not missing(one) and not missing(two) and (one == two or str(one) == str(two)))
            if not same:
                wrong.append([name[:40], row, str(one)[:80], str(two)[:80]])
    return wrong


print(
    json.dumps(
        {
            "columns": list(parquet.columns),
            "same_columns": list(csv.columns) == list(parquet.columns),
            "more_columns": sorted(set(lines.columns) - set(parquet.columns)),
            "parquet": {name: kind(parquet[name]) for name in parquet.columns},
            "csv": {name: kind(csv[name]) for name in csv.columns},
            "csv_differs": differing(csv),
            "lines_differ": differing(lines),
            "rows": json.loads(parquet.to_json(orient="records", double_precision=15)),
        }
    )
)
