from spool.file_system import Space
from spool.room import Room, Victim, enough, lacking, needed

BLOCK = 4096
DISK = Space(10 * BLOCK, BLOCK, 10)
ONE, TWO = Victim("carry/a/one", 1), Victim("carry/b/two", 5000)


def test_folders_that_must_be_made_need_room_too() -> None:
    assert needed([0, 1, BLOCK, BLOCK + 1], ["carry/a", "carry"], DISK) == Room(7 * BLOCK, 6)


def test_what_lacks_is_what_there_is_not() -> None:
    need = Room(4 * BLOCK, 4)
    assert lacking(need, Space(BLOCK, BLOCK, 10)) == Room(3 * BLOCK, -6)
    assert lacking(need, Space(9 * BLOCK, BLOCK, 3)) == Room(-5 * BLOCK, 1)
    assert lacking(need, Space(BLOCK, BLOCK)) == Room(3 * BLOCK, 0)


def test_if_by_that_nothing_lacks_all_does() -> None:
    """It may be a user's share of the disk, or files where the disk does not count them."""
    assert lacking(Room(4 * BLOCK, 4), DISK) == Room(4 * BLOCK, 4)
    assert lacking(Room(4 * BLOCK, 4), Space(9 * BLOCK, BLOCK)) == Room(4 * BLOCK, 4)


def test_as_much_gives_way_as_lacks_and_nothing_if_that_is_too_little() -> None:
    assert enough([ONE, TWO], Room(BLOCK, 0), {}, DISK) == [ONE.path]
    assert enough([ONE, TWO], Room(BLOCK, 2), {}, DISK) == [ONE.path, TWO.path]
    assert enough([ONE, TWO], Room(3 * BLOCK, 2), {}, DISK) == [ONE.path, TWO.path]
    assert enough([ONE, TWO], Room(BLOCK, 3), {}, DISK) == []
    assert enough([ONE, TWO], Room(4 * BLOCK, 0), {}, DISK) == []


def test_a_folder_gets_free_with_the_last_that_is_in_it() -> None:
    both = [ONE, Victim("carry/a/other", 1)]
    assert enough(both, Room(0, 3), {"carry/a": 2}, DISK) == [each.path for each in both]
    assert enough(both, Room(0, 3), {"carry/a": 3}, DISK) == []
    assert enough([ONE], Room(2 * BLOCK, 2), {"carry/a": 1}, DISK) == [ONE.path]
