from pannier.rooms import Rooms


def test_what_was_given_back_is_used_again() -> None:
    rooms = Rooms(10)
    one, two = rooms.take(), rooms.take()
    assert len(one) == len(two) == 10
    assert one.obj is not two.obj
    rooms.give_back(two[3:5])
    three = rooms.take()
    assert three.obj is two.obj
    assert len(three) == 10
    four = rooms.take()
    assert four.obj is not one.obj
    assert four.obj is not two.obj


def test_what_is_none_of_them_is_not_kept() -> None:
    rooms = Rooms(10)
    for other in (bytearray(11), bytes(10)):
        rooms.give_back(memoryview(other))
        assert rooms.take().obj is not other
