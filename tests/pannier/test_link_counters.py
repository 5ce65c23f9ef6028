from pathlib import Path

from pannier.link_counters import (
    ever_worked,
    is_running,
    link_text,
    read_counters,
    stem_of,
    write_counters,
)


def test_each_link_has_a_file_of_its_own_whatever_it_is_called(tmp_path: Path) -> None:
    names = ["wire", "../../etc/passwd", "x" * 5000, "tcp [::1]:4", "serial /dev/\udcff"]
    for number, name in enumerate(names):
        write_counters(tmp_path, name, {"bytes_in": number})
        write_counters(tmp_path, name, {"bytes_in": number + 10})
    assert {one["name"]: one["bytes_in"] for one in read_counters(tmp_path)} == {
        name: number + 10 for number, name in enumerate(names)
    }
    assert len(list((tmp_path / "links").iterdir())) == len(names)
    assert all(len(stem_of(name)) == 16 for name in names)


def test_a_home_without_links_has_none(tmp_path: Path) -> None:
    assert read_counters(tmp_path) == []
    assert not list(tmp_path.iterdir())


def test_is_told_in_a_line() -> None:
    now_us = 1_800_000_000_000_000
    counters: dict[str, object] = {
        "name": "wire",
        "peer": "home",
        "is_established": True,
        "since_us": now_us - 3_600_000_000,
        "seen_us": now_us,
        "updated_us": now_us,
        "payload_in": 1234,
        "payload_out": 5_000_000,
        "resent": 200,
    }
    assert link_text(counters, now_us + 2_000_000) == (
        "wire: home is there since 2027-01-15 07:00:00, 1,234 bytes in, 5,000,000 bytes out,"
        " 200 of them again"
    )
    # Whoever wrote that was killed.
    later = link_text(counters, now_us + 60_000_000)
    assert later.startswith("wire: home was there last 2027-01-15 08:00:00, 1,234 bytes in")
    never = {"name": "wire", "peer": "home", "is_established": False}
    assert link_text(never, now_us) == "wire: home never came, 0 bytes in, 0 bytes out"


def test_of_links_without_a_way_back_what_went_or_was_heard() -> None:
    now_us = 1_800_000_000_000_000
    sending: dict[str, object] = {
        "name": "diode", "peer": "home, ranch", "oneway": "sends", "updated_us": now_us,
        "bundles": 3, "rounds_least": 2, "rounds_most": 5, "bytes_out": 12_345,
    }  # fmt: skip
    assert link_text(sending, now_us) == (
        "diode, one way: sends to home, ranch, 3 bundles, 2 to 5 rounds each, 12,345 bytes out"
    )
    later = link_text({**sending, "bundles": 0, "rounds_least": 5}, now_us + 60_000_000)
    assert later == (
        "diode, one way: sent until 2027-01-15 08:00:00 to home, ranch, nothing waits,"
        " 12,345 bytes out"
    )
    hearing: dict[str, object] = {"name": "ear", "peer": "", "oneway": "listens"}
    assert link_text(hearing, now_us) == "ear, one way: heard nothing yet, 0 frames kept"
    hearing |= {"seen_us": now_us, "kept": 1234, "forged": 5}
    assert link_text(hearing, now_us) == (
        "ear, one way: heard last 2027-01-15 08:00:00, 1,234 frames kept, 5 thrown away"
    )


def test_what_was_tried_in_vain_is_told_from_what_worked_once() -> None:
    assert not ever_worked({"name": "wire", "updated_us": 5, "seen_us": 0})
    assert ever_worked({"name": "wire", "seen_us": 7})
    assert ever_worked({"name": "diode", "bundles": 1})
    assert is_running({"name": "wire", "updated_us": 5}, 10_000_000)
    assert not is_running({"name": "wire", "updated_us": 5}, 20_000_000)
