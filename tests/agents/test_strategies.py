"""The strategy catalogue: every file is in its format, and a reader of one language sees that one only."""

import re

import pytest

from kernelwright.agents import strategies
from kernelwright.agents.strategies import BOTTLENECKS, BadStrategy, catalogue, named

LANGUAGES = ("cpp", "cuda", "triton")
ALL = catalogue()


def test_there_are_enough_and_each_has_a_name_of_its_own():
    assert len(ALL) >= 18
    assert len({s.name for s in ALL}) == len(ALL)
    for needed in ("fuse", "vectorise", "cache_block", "software_pipeline", "lane_reduce", "split_k",
                   "matrix_units", "online", "layout", "precision", "persistent", "algebra",
                   "occupancy", "launch_count"):  # fmt: skip
        assert named(needed), needed


@pytest.mark.parametrize("strategy", ALL, ids=lambda s: s.name)
def test_a_file_is_short_and_says_when_it_pays_how_and_what_goes_wrong(strategy):
    lines = strategy.text.splitlines()
    assert 15 <= len(lines) <= 40
    assert max(map(len, lines)) <= 115
    assert strategy.bottlenecks
    assert re.search(r"^Pays ", strategy.text, re.M)
    assert "## Pitfalls" in strategy.text
    sections = set(re.findall(r"^## (\w+)$", strategy.text, re.M)) - {"Pitfalls"}
    assert sections <= set(LANGUAGES)
    assert not sections or sections == set(strategy.languages), "front matter and sections differ"


@pytest.mark.parametrize("language", LANGUAGES)
def test_one_language_is_shown_its_own_section(language):
    shown = catalogue(language)
    assert len(shown) >= 18
    for strategy in shown:
        assert not re.search(r"^#", strategy.text, re.M), "headings would break up a turn"
        assert "Pitfalls:" in strategy.text
        assert "$" not in strategy.text
    fuse = named("fuse", language)
    assert fuse
    assert ("tl.load" in fuse.text) == (language == "triton")


def test_what_cannot_be_written_in_a_language_is_not_offered():
    assert named("occupancy", "cuda")
    assert named("occupancy", "cpp") is None
    assert named("thread_grain", "triton") is None
    assert named("no such thing") is None


@pytest.mark.parametrize("bottleneck", BOTTLENECKS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_bottleneck_has_several_answers(bottleneck, language):
    assert sum(bottleneck in s.bottlenecks for s in catalogue(language)) >= 4


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("Just text.", "front matter"),
        ("---\nbottleneck: memory\n---\nText.", "'bottleneck: memory'"),
        ("---\nbottlenecks: speed\n---\nText.", "no bottleneck is called speed"),
    ],
)
def test_a_file_out_of_format_is_named(text, fault, tmp_path, monkeypatch):
    (tmp_path / "mine.md").write_text(text)
    monkeypatch.setattr(strategies, "FOLDER", tmp_path)
    with pytest.raises(BadStrategy, match=rf"mine\.md.*{fault}"):
        catalogue()


def test_a_new_file_is_a_new_strategy(tmp_path, monkeypatch):
    (tmp_path / "wait.md").write_text("---\nlanguages: cpp\nbottlenecks:\n---\nDo nothing.\n")
    monkeypatch.setattr(strategies, "FOLDER", tmp_path)
    (found,) = catalogue("cpp")
    assert (found.name, found.text, found.bottlenecks) == ("wait", "Do nothing.", ())
    assert catalogue("cuda") == ()
