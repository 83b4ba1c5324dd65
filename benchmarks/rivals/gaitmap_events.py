"""Events of gaitmap's offline detectors for feet: ``gaitmap_events.py IN.npz OUT.json``, in an environment of
its own.

Expects acceleration (m/s^2) and angular rate (deg/s) of both feet, x forward, y left, z up; writes event
times in seconds and the cost per sample. Refuses nothing; gaitmap does.
"""

import json
import sys
import time

import numpy as np
import pandas as pd
from gaitmap.stride_segmentation import BarthDtw
from gaitmap.utils.coordinate_conversion import convert_to_fbf
from gaitmap_mad.event_detection import FilteredRamppEventDetection, RamppEventDetection

DETECTORS = {"gaitmap Rampp": RamppEventDetection, "gaitmap filtered Rampp": FilteredRamppEventDetection}
COLUMNS = ["acc_x", "acc_y", "acc_z", "gyr_x", "gyr_y", "gyr_z"]


def main(source: str, target: str) -> None:
    """Segment strides by dynamic time warping, then detect, each foot at a time."""
    data = np.load(source)
    rate_hz = float(data["fs"])
    sensors = {
        f"{side}_sensor": pd.DataFrame(np.hstack([data[f"{side}_acc"], data[f"{side}_gyr"]]), columns=COLUMNS)
        for side in ("left", "right")
    }
    body = convert_to_fbf(sensors, left_like="left", right_like="right")
    found = []
    BarthDtw().segment(body["left_sensor"], sampling_rate_hz=rate_hz)  # compiled before the clock runs
    for side in ("left", "right"):
        foot = body[f"{side}_sensor"]
        start = time.process_time()
        strides = BarthDtw().segment(foot, sampling_rate_hz=rate_hz).stride_list_
        segmented_s = time.process_time() - start
        for name, detector in DETECTORS.items():
            start = time.process_time()
            events = detector().detect(foot, strides, sampling_rate_hz=rate_hz)
            cost_us = (segmented_s + time.process_time() - start) / len(foot) * 1e6
            # every segmented stride holds one contact; the list of pairs drops those without a successor
            listed = events.segmented_event_list_
            times = {kind: (listed[kind].dropna() / rate_hz).tolist() for kind in ("ic", "tc")}
            found.append({"side": side, "detector": name, "cost_us": cost_us, **times})
    with open(target, "w") as file:
        json.dump(found, file)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
