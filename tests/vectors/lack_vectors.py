"""Vectors of what a node says that it lacks of bundles that came in part (docs/format.md 5.8)."""

import cbor2

Case = dict[str, object]

ONE, OTHER = bytes([1]) * 8, bytes([2]) * 8
_MOST = 255 * 8192


def _good(comment: str, *bundles: object) -> Case:
    return {"comment": comment, "expect": "success", "body": cbor2.dumps(list(bundles)).hex()}


def _bad(comment: str, *bundles: object) -> Case:
    return {**_good(comment, *bundles), "expect": "malformed"}


def cases() -> dict[str, Case]:
    return {
        "one": _good("one symbol of one bundle", [ONE, [0, 1]]),
        "runs": _good(
            "two runs of one, and another that lacks its end",
            [ONE, [0, 3, 5, 2]],
            [OTHER, [_MOST - 1, 1]],
        ),
        "nothing": _good("no bundle came in part"),
        "runs_256": _good(
            "as many runs as may be", [ONE, [n for at in range(256) for n in (2 * at, 1)]]
        ),
        "runs_257": _bad("a run too many", [ONE, [n for at in range(257) for n in (2 * at, 1)]]),
        "bundles_257": _bad(
            "a bundle too many",
            *([bytes([7]) * 7 + bytes([n % 256]) if n < 256 else ONE, [0, 1]] for n in range(257)),
        ),
        "twice": _bad("a bundle twice", [ONE, [0, 1]], [ONE, [5, 1]]),
        "no_run": _bad("a bundle that lacks nothing", [ONE, []]),
        "odd": _bad("a run without its length", [ONE, [0, 1, 5]]),
        "empty_run": _bad("a run of no symbol", [ONE, [0, 0]]),
        "backwards": _bad("runs that do not ascend", [ONE, [5, 1, 0, 1]]),
        "adjacent": _bad("two runs that are one", [ONE, [0, 2, 2, 1]]),
        "too_far": _bad("a symbol that no bundle has", [ONE, [_MOST + 1, 1]]),
        "id_of_7": _bad("a bundle id of 7 bytes", [ONE[:7], [0, 1]]),
        "three_items": _bad("a bundle of three items", [ONE, [0, 1], 0]),
    }
