"""What is known of a processor without measuring anything."""

from pathlib import Path

import pytest

from kernelwright.harness import peaks


def test_sizes_of_the_data_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    known = [("1", "Data", "48K"), ("1", "Instruction", "32K"), ("2", "Unified", "1024K"),
             ("3", "Unified", "32M"), ("4", "Unified", "many")]  # fmt: skip
    for number, values in enumerate(known):
        folder = tmp_path / f"index{number}"
        folder.mkdir()
        for name, value in zip(("level", "type", "size"), values, strict=True):
            (folder / name).write_text(f"{value}\n")
    (tmp_path / "index9").mkdir()
    monkeypatch.setattr(peaks, "_CACHES", tmp_path)
    assert peaks._caches() == {1: 48 << 10, 2: 1 << 20, 3: 32 << 20}
    monkeypatch.setattr(peaks, "_CACHES", tmp_path / "nowhere")
    assert peaks._caches() == {}
