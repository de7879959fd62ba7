"""The benchmark of reading runs, counts what it says, and fails when a target is missed."""

import json

from benchmarks import data_reading


def test_measures_the_sample_and_writes_numbers(sample_folder, tmp_path, monkeypatch, capsys):
    out = tmp_path / "numbers.json"
    arguments = ["data_reading", "--folder", str(sample_folder), "--repeats", "1", "--out", str(out)]
    monkeypatch.setattr("sys.argv", arguments)
    data_reading.main()
    result = json.loads(out.read_text())
    assert result["clips"] == 96
    assert all(len(values) == 1 and values[0] > 0 for values in result["found"].values())
    assert "read of a clip" in capsys.readouterr().out


def test_a_slow_reader_is_a_miss(sample_folder, monkeypatch):
    monkeypatch.setattr("sys.argv", ["data_reading", "--folder", str(sample_folder), "--repeats", "1"])
    monkeypatch.setattr(data_reading, "clips_a_second", lambda *_: [10.0])
    assert data_reading.main() == 1
