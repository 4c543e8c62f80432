"""Batches are read ahead, and are those that were asked for."""

import threading

import pytest

from brep_mae.datasets.batch import Batch
from brep_mae.datasets.lazy.ahead import Ahead


def test_the_next_batch_is_read_before_it_is_asked_for_and_no_other():
    numbers, there = [], threading.Event()

    def read(number: int) -> Batch:
        numbers.append(number)
        there.set()
        return Batch((str(number),))

    batches = Ahead(read, 3)
    assert batches[0].uid == ("0",)
    there.clear()
    if numbers == [0]:
        assert there.wait(10)
    assert numbers == [0, 1]
    assert batches[1].uid == ("1",) and batches[2].uid == ("2",)
    assert batches[0].uid == ("0",)
    assert numbers[:4] == [0, 1, 2, 0], "each is read once, and none after the last"


def test_any_batch_can_be_asked_for_at_any_time():
    batches = Ahead(lambda number: Batch((str(number),)), 10)
    assert [batches[i].uid[0] for i in (5, 5, 6, 2, 9, 3)] == list("556293")


def test_what_goes_wrong_is_told_where_the_batch_is_asked_for():
    def read(number: int) -> Batch:
        if number == 1:
            raise OSError("no such shard")
        return Batch((str(number),))

    batches = Ahead(read, 3)
    assert batches[0].uid == ("0",)
    with pytest.raises(OSError, match="no such shard"):
        batches[1]
    assert batches[2].uid == ("2",)
