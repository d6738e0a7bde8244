"""Landscapes to choose the rules of the search on."""

from landscape import Landscape, complete
from made_up import made_up


def test_a_made_up_task_is_whole_and_has_a_best():
    for number in range(8):
        data = made_up(number)
        assert complete(data)
        land = Landscape("made_up/x", data)
        assert land.best > land.reach(frozenset()) > 0
        assert 0.01 < land.noise < 0.04
        assert all(land.bottlenecks(edit) is not None for edit in land.edits)


def test_equal_numbers_give_equal_landscapes():
    assert made_up(3) == made_up(3) != made_up(4)
