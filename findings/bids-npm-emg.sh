#!/bin/sh
# npm bids-validator 1.15.0: refuses the EMG files of BIDS 1.11, which the validator by the schema takes.
#
# One would expect the newest bids-validator that npm has to know the present specification. It ends before BIDS 1.11:
# of a data set with electromyography it says NOT_INCLUDED (an error) for the signal, its sidecar and its channels. The
# validator by the schema (PyPI bids-validator-deno 3.0.2, the same project's successor) finds no error in the same
# files. Who validates with `npx bids-validator` takes a good data set for a broken one, and a .bidsignore that
# silences it hides the EMG from the other validator too. Seen on 2026-11-30. The install takes some 700 MB.
#
# Prints what each says of one small data set; ends with 0 where they still differ.
set -eu
PYTHON="${PYTHON:-python3}"
DIR=$(mktemp -d)
trap 'rm -rf "$DIR"' EXIT
"$PYTHON" -m venv "$DIR/venv"
"$DIR/venv/bin/pip" install --quiet --disable-pip-version-check bids-validator-deno==3.0.2 edfio==0.4.18
npm install --silent --no-audit --no-fund --no-save --prefix "$DIR/npm" bids-validator@1.15.0 >/dev/null
"$DIR/venv/bin/python" - "$DIR/set" <<'PY'
import json
import sys
from pathlib import Path

import numpy as np
from edfio import Edf, EdfSignal

root = Path(sys.argv[1])
emg = root / "sub-01" / "emg"
emg.mkdir(parents=True)
stem = "sub-01_task-walk"
description = {"Name": "one", "BIDSVersion": "1.11.0", "DatasetType": "raw", "Authors": ["A", "B"]}
(root / "dataset_description.json").write_text(json.dumps(description))
(root / "README").write_text("A data set of one recording of electromyography, as BIDS 1.11 has it. " * 5)
(root / "participants.tsv").write_text("participant_id\nsub-01\n")
sidecar = {
    "TaskName": "walk", "SamplingFrequency": 200, "EMGPlacementScheme": "Other", "EMGReference": "n/a",
    "EMGPlacementSchemeDescription": "by eye", "PowerLineFrequency": 50, "RecordingType": "continuous",
    "SoftwareFilters": "n/a",
}
(emg / f"{stem}_emg.json").write_text(json.dumps(sidecar))
(emg / f"{stem}_channels.tsv").write_text("name\ttype\tunits\nEMG 1\tEMG\tuV\n")
(emg / f"{stem}_events.tsv").write_text("onset\tduration\n1.0\t0.0\n")
signal = EdfSignal(np.random.default_rng(1).normal(size=400), 200, label="EMG 1", physical_dimension="uV")
Edf([signal]).write(emg / f"{stem}_emg.edf")
PY
"$DIR/venv/bin/bids-validator-deno" "$DIR/set" --format json >"$DIR/schema.json" 2>/dev/null || true
"$DIR/npm/node_modules/.bin/bids-validator" "$DIR/set" --json >"$DIR/npm.json" 2>/dev/null || true
"$PYTHON" - "$DIR" <<'PY'
import json
import sys
from pathlib import Path

folder = Path(sys.argv[1])
schema = [e["code"] for e in json.loads((folder / "schema.json").read_text())["issues"]["issues"] if e["severity"] == "error"]
npm = json.loads((folder / "npm.json").read_text())["issues"]["errors"]
files = [f"{e['key']} {f['file']['relativePath']}" for e in npm for f in e["files"] if f and f.get("file")]
print(f"by the schema: {len(schema)} errors {schema}")
print(f"npm: {len(files)} errors", *files, sep="\n  ")
sys.exit(0 if not schema and all("NOT_INCLUDED" in each for each in files) and files else 1)
PY
