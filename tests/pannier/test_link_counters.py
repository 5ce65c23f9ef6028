from pathlib import Path

from pannier.link_counters import link_text, read_counters, stem_of, write_counters


def test_each_link_has_a_file_of_its_own_whatever_it_is_called(tmp_path: Path) -> None:
    names = ["wire", "../../etc/passwd", "x" * 5000, "tcp [::1]:4"]
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
