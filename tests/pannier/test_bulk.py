import gc

import pytest

from pannier.bulk import few_collections


def test_python_looks_for_garbage_seldom_and_then_as_before() -> None:
    before = gc.get_threshold()
    with few_collections():
        assert gc.get_threshold()[0] > 10 * before[0]
        with few_collections():
            pass
        assert gc.get_threshold()[0] > 10 * before[0]
    assert gc.get_threshold() == before
    with pytest.raises(ZeroDivisionError), few_collections():
        raise ZeroDivisionError
    assert gc.get_threshold() == before


def test_who_looks_more_seldom_yet_is_left_alone() -> None:
    before = gc.get_threshold()
    gc.set_threshold(10**6, 5, 5)
    try:
        with few_collections():
            assert gc.get_threshold() == (10**6, 5, 5)
    finally:
        gc.set_threshold(*before)
