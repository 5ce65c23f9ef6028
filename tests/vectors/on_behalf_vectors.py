"""Vectors of what is said on behalf of devices (docs/format.md section 3.9)."""

Case = dict[str, object]

GOOD: dict[str, tuple[str, str, str, str]] = {
    "number": ("a number", "sensor-7", "0.5", "a2036873656e736f722d3704f93800"),
    "map": ("a map", "a", '{"t": 1}', "a203616104a1617401"),
    "null": ("nothing", "a", "null", "a203616104f6"),
    "name_64": ("the longest name", "n" * 64, "1", "a2037840" + "6e" * 64 + "0401"),
    "depth_16": ("15 arrays in the map", "a", "[" * 15 + "]" * 15, "a203616104" + "81" * 14 + "80"),
}

BAD: dict[str, tuple[str, str]] = {
    "name_empty": ("no name", "a2036004f6"),
    "name_65": ("a name of 65 characters", "a2037841" + "6e" * 65 + "0401"),
    "name_line": ("a name of two lines", "a20363610a620401"),
    "name_bytes": ("a name that is bytes", "a203416104f6"),
    "one_key": ("no data", "a1036161"),
    "three_keys": ("a key more", "a3036161040105f6"),
    "other_keys": ("other keys", "a201616104f6"),
    "text_keys": ("keys that are texts", "a26133616161340a"),
    "array": ("an array", "826161f6"),
}


def cases() -> dict[str, Case]:
    good: dict[str, Case] = {
        stem: {
            "comment": comment,
            "expect": "success",
            "device": device,
            "json": json,
            "payload": payload,
        }
        for stem, (comment, device, json, payload) in GOOD.items()
    }
    bad: dict[str, Case] = {
        f"malformed_{stem}": {"comment": comment, "expect": "malformed", "payload": payload}
        for stem, (comment, payload) in BAD.items()
    }
    return good | bad
