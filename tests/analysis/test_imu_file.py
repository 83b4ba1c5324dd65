"""What the recording loader takes and what it refuses, with file, column, line, value and what is allowed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from controller.analysis import imu_file
from controller.analysis.imu_file import load_sensor_file
from controller.errors import InputError

HEADER = ["time_s", "acc_x_g", "acc_y_g", "acc_z_g", "gyr_x_dps", "gyr_y_dps", "gyr_z_dps"]
ROWS = [[0.00, 1.0, 0.0, 0.5, 0.0, 180.0, 1.0], [0.01, 1.0, 0.0, 0.5, 0.0, -90.0, 2.0]]


def write_csv(path: Path, header: list[str], rows: list[list[object]]) -> Path:
    path.write_text("\n".join(",".join(str(cell) for cell in row) for row in [header, *rows]) + "\n")
    return path


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        load_sensor_file(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_units_come_from_the_column_names(tmp_path: Path) -> None:
    loaded = load_sensor_file(write_csv(tmp_path / "a.csv", HEADER, ROWS))
    assert loaded.time_s.tolist() == [0.0, 0.01]
    assert loaded.acc_mps2[0].tolist() == pytest.approx([9.80665, 0.0, 4.903325])
    assert loaded.gyr_rps[:, 1].tolist() == pytest.approx([np.pi, -np.pi / 2])
    si = [name.replace("_g", "_mps2").replace("_dps", "_rps") for name in HEADER]
    loaded = load_sensor_file(write_csv(tmp_path / "b.csv", si, [[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]]))
    assert loaded.acc_mps2.tolist() == [[1.0, 2.0, 3.0]]
    assert loaded.gyr_rps.tolist() == [[4.0, 5.0, 6.0]]


def test_parquet_gives_the_same_as_csv(tmp_path: Path) -> None:
    table = pyarrow.table({name: [row[i] for row in ROWS] for i, name in enumerate(HEADER)})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    from_parquet = load_sensor_file(tmp_path / "a.parquet")
    from_csv = load_sensor_file(write_csv(tmp_path / "a.csv", HEADER, ROWS))
    assert np.array_equal(from_parquet.acc_mps2, from_csv.acc_mps2)
    assert np.array_equal(from_parquet.gyr_rps, from_csv.gyr_rps)


def test_other_columns_and_their_order_do_not_matter(tmp_path: Path) -> None:
    header = ["note", *reversed(HEADER)]
    rows = [["x", *reversed(row)] for row in ROWS]
    loaded = load_sensor_file(write_csv(tmp_path / "a.csv", header, rows))
    assert loaded.gyr_rps[1, 2] == pytest.approx(np.radians(2.0))


def still(times: list[float]) -> list[list[object]]:
    """A sensor at rest, upright, at these times."""
    return [[time, 1.0, 0.0, 0.1, 1.0, 2.0, 3.0] for time in times]


@pytest.mark.parametrize("lines", [2, 60, 61])
def test_times_that_stand_twice_are_refused_with_their_number_however_many_there_are(
    tmp_path: Path, lines: int
) -> None:
    times = [0.0156 * (line // 2) for line in range(lines)]
    message = refusal(write_csv(tmp_path / "a.csv", HEADER, still(times)))
    assert f"{lines // 2} of {lines} lines with the time of the line above" in message
    assert "first in line 3" in message


@pytest.mark.parametrize(("step_s", "taken"), [(0.1, True), (0.11, False), (0.0005, True), (0.0004, False)])
def test_the_bounds_of_the_sampling_rate_are_allowed_themselves(
    tmp_path: Path, step_s: float, *, taken: bool
) -> None:
    path = write_csv(tmp_path / "a.csv", HEADER, still([round(step_s * k, 6) for k in range(60)]))
    if taken:
        assert load_sensor_file(path).time_s.size == 60
    else:
        assert "a median step" in refusal(path)


@pytest.mark.parametrize("first", [1.7e12, -1.7e12, 9.3e9])
@pytest.mark.parametrize("lines", [3, 60])
def test_a_time_beyond_64_bits_of_nanoseconds_is_refused_in_its_line(
    tmp_path: Path, first: float, lines: int
) -> None:
    message = refusal(write_csv(tmp_path / "a.csv", HEADER, still([first + 8 * k for k in range(lines)])))
    assert "time_s, line 2" in message
    assert "in seconds" in message


def test_a_wall_clock_in_seconds_is_taken(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", HEADER, still([1.7e9 + 0.01 * k for k in range(60)]))
    assert load_sensor_file(path).time_s[0] == 1.7e9


def test_acceleration_without_gravity_is_refused_however_lively(tmp_path: Path) -> None:
    """As telephones give it: a walking shank's acceleration swings, its mean is gone."""
    times = [0.01 * k for k in range(1000)]

    def walking(gravity_g: float) -> list[list[object]]:
        return [
            [
                t,
                gravity_g + 0.8 * np.sin(6.0 * t),
                0.8 * np.cos(6.0 * t),
                0.0,
                0.0,
                50.0 * np.sin(6.0 * t),
                0.0,
            ]
            for t in times
        ]

    message = refusal(write_csv(tmp_path / "a.csv", HEADER, walking(0.0)))
    assert "gravity" in message
    assert "taken out" in message
    assert load_sensor_file(write_csv(tmp_path / "b.csv", HEADER, walking(1.0))).time_s.size == 1000


@pytest.mark.parametrize("cell", ["1_0", "0x10", "1__0", "_1", "\u0661", "1 0", "1e", "--1"])
def test_a_cell_that_only_python_reads_as_a_number_is_refused(tmp_path: Path, cell: str) -> None:
    rows = [*ROWS, [0.02, cell, *ROWS[0][2:]]]
    message = refusal(write_csv(tmp_path / "a.csv", HEADER, rows))
    assert "acc_x_g, line 4" in message


@pytest.mark.parametrize(
    ("cell", "value"), [("10", 10.0), (" 1.5", 1.5), ("+2.", 2.0), ("-.5e1", -5.0), ("1E1", 10.0)]
)
def test_every_usual_way_to_write_a_number_is_read(tmp_path: Path, cell: str, value: float) -> None:
    rows = [*ROWS, [0.02, *ROWS[0][1:6], cell]]
    loaded = load_sensor_file(write_csv(tmp_path / "a.csv", HEADER, rows))
    assert loaded.gyr_rps[2, 2] == pytest.approx(np.radians(value))


def test_an_unclosed_quote_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(",".join(HEADER) + '\n0.0,1,0,0.1,1,2,"3\n0.01,1,0,0.1,1,2,3\n')
    assert "comma-separated values" in refusal(path)


def test_more_rows_than_any_session_has_are_refused_before_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imu_file, "SAMPLES_MAX", 1)
    table = pyarrow.table({name: [row[i] for row in ROWS] for i, name in enumerate(HEADER)})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    assert "rows: found 2, allowed: at most 1 samples" in refusal(tmp_path / "a.parquet")
    assert "a shorter recording" in refusal(write_csv(tmp_path / "b.csv", HEADER, ROWS))


def test_missing_column_is_named_with_the_nearest(tmp_path: Path) -> None:
    message = refusal(write_csv(tmp_path / "a.csv", ["time", *HEADER[1:]], ROWS))
    assert "column time" in message
    assert "time_s" in message
    header = [*HEADER[:3], "accel_z_g", *HEADER[4:]]
    message = refusal(write_csv(tmp_path / "b.csv", header, ROWS))
    assert "acc_z" in message
    assert "accel_z_g" in message


def test_unknown_unit_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    header = [*HEADER[:4], "gyr_x_degs", *HEADER[5:]]
    message = refusal(write_csv(tmp_path / "a.csv", header, ROWS))
    assert "gyr_x_degs" in message
    assert "gyr_x_dps or gyr_x_rps" in message


def test_two_units_for_one_axis_are_refused(tmp_path: Path) -> None:
    rows = [[*row, 1.0] for row in ROWS]
    assert "exactly one of" in refusal(write_csv(tmp_path / "a.csv", [*HEADER, "acc_x_mps2"], rows))


@pytest.mark.parametrize("cell", ["nan", "inf", "-inf", "", "abc", "1,5"])
def test_a_cell_that_is_no_finite_number_is_refused_with_column_and_line(tmp_path: Path, cell: str) -> None:
    rows = [ROWS[0], [0.01, 1.0, f'"{cell}"', 0.5, 0.0, 0.0, 0.0]]
    message = refusal(write_csv(tmp_path / "a.csv", HEADER, rows))
    assert "acc_y_g, line 3" in message
    assert repr(cell) in message


def test_nan_in_parquet_is_refused_with_its_row(tmp_path: Path) -> None:
    table = {name: [row[i] for row in ROWS] for i, name in enumerate(HEADER)}
    table["gyr_y_dps"][1] = float("nan")
    pyarrow.parquet.write_table(pyarrow.table(table), tmp_path / "a.parquet")
    assert "gyr_y_dps, row 2" in refusal(tmp_path / "a.parquet")


def test_time_running_backwards_is_refused_with_its_line(tmp_path: Path) -> None:
    rows = [*ROWS, [0.005, *ROWS[0][1:]]]
    message = refusal(write_csv(tmp_path / "a.csv", HEADER, rows))
    assert "time_s, line 4" in message
    assert "0.005" in message
    assert "0.01" in message


def test_values_beyond_any_sensor_are_refused(tmp_path: Path) -> None:
    rows = [ROWS[0], [0.01, 500.0, 0.0, 0.0, 0.0, 0.0, 0.0]]
    assert "acc_x, line 3" in refusal(write_csv(tmp_path / "a.csv", HEADER, rows))
    rows = [ROWS[0], [0.01, 1.0, 0.0, 0.0, 0.0, 0.0, -4001.0]]
    assert "gyr_z, line 3" in refusal(write_csv(tmp_path / "b.csv", HEADER, rows))


def test_a_unit_that_hides_gravity_is_refused(tmp_path: Path) -> None:
    header = [name.replace("_g", "_mps2") for name in HEADER]
    rows: list[list[object]] = [[0.01 * i, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0] for i in range(60)]
    assert "gravity" in refusal(write_csv(tmp_path / "a.csv", header, rows))


def test_time_in_milliseconds_is_refused(tmp_path: Path) -> None:
    rows: list[list[object]] = [[10.0 * i, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0] for i in range(60)]
    assert "in seconds" in refusal(write_csv(tmp_path / "a.csv", HEADER, rows))


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("", "a header line and samples"),
        ("\n", "a header line and samples"),
        (",".join(HEADER) + "\n", "at least one sample"),
    ],
)
def test_an_empty_file_is_refused(tmp_path: Path, text: str, allowed: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text)
    assert refusal(path).endswith(f"allowed: {allowed}")


def test_a_short_line_is_refused(tmp_path: Path) -> None:
    assert "line 3" in refusal(write_csv(tmp_path / "a.csv", HEADER, [ROWS[0], ROWS[1][:5]]))


def test_files_that_are_something_else_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"no parquet")
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe\x00time")
    (tmp_path / "c.xlsx").write_bytes(b"")
    for name, allowed in (
        ("a.parquet", "a Parquet file"),
        ("b.csv", "UTF-8 text"),
        ("c.xlsx", "a name ending in .csv or .parquet"),
        ("absent.csv", "an existing file"),
    ):
        assert refusal(tmp_path / name).endswith(f"allowed: {allowed}")
