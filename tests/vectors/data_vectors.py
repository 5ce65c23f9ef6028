"""Vectors of JSON as payloads; most encodings are those of RFC 8949 appendix A."""

Case = dict[str, object]

GOOD: dict[str, tuple[str, str, str]] = {
    "zero": ("zero", "0", "00"),
    "23": ("the last integer of one byte", "23", "17"),
    "24": ("the first of two", "24", "1818"),
    "1000000": ("an integer of four bytes", "1000000", "1a000f4240"),
    "uint64": ("the greatest integer", "18446744073709551615", "1bffffffffffffffff"),
    "minus_1": ("a negative integer", "-1", "20"),
    "minus_1000": ("a negative integer of two bytes", "-1000", "3903e7"),
    "int64": ("the least integer", "-9223372036854775808", "3b7fffffffffffffff"),
    "minus_0": ("an integer has no sign of zero", "-0", "00"),
    "half": ("a float of two bytes", "1.5", "f93e00"),
    "float_integer": ("a fraction makes a float of it", "1.0", "f93c00"),
    "exponent": ("an exponent makes a float of it", "1e2", "f95640"),
    "minus_0_float": ("a float has a sign of zero", "-0.0", "f98000"),
    "single": ("a float of four bytes", "100000.0", "fa47c35000"),
    "double": ("a float of eight bytes", "1.1", "fb3ff199999999999a"),
    "large_double": ("a large float", "1.0e+300", "fb7e37e43c8800759c"),
    "false": ("false", "false", "f4"),
    "true": ("true", "true", "f5"),
    "null": ("null", "null", "f6"),
    "text_empty": ("no text", '""', "60"),
    "text": ("text", '"IETF"', "6449455446"),
    "text_escaped": ("escapes", '"\\"\\\\\\u00fc"', "64225cc3bc"),
    "text_pair": ("a pair of surrogates is one character", '"\\ud800\\udd51"', "64f0908591"),
    "text_nul": ("U+0000", '"\\u0000"', "6100"),
    "array": ("arrays", "[1, [2, 3], [4, 5]]", "8301820203820405"),
    "array_empty": ("an empty array", " [ ] ", "80"),
    "map": ("an object", '{"a": 1, "b": [2, 3]}', "a26161016162820203"),
    "map_order": ("keys in the order of their encoding", '{"aa":1,"b":2}', "a261620262616101"),
    "map_empty": ("an empty object", "{}", "a0"),
    "depth_16": ("16 levels", "[" * 16 + "]" * 16, "81" * 15 + "80"),
}

BAD: dict[str, tuple[str, str]] = {
    "surrogate_high": ("a lone surrogate", '"\\ud800"'),
    "surrogate_low": ("a lone surrogate", '"\\udc00"'),
    "surrogate_swapped": ("a pair the wrong way round", '"\\udd51\\ud800"'),
    "surrogate_key": ("a lone surrogate in a key", '{"\\udfff": 1}'),
    "nan": ("NaN", "NaN"),
    "infinity": ("Infinity", "Infinity"),
    "minus_infinity": ("-Infinity", "[-Infinity]"),
    "overflow": ("a float too great for 64 bits", "1e400"),
    "minus_overflow": ("the same below zero", '{"a": -1e400}'),
    "uint64_plus_1": ("2^64", "18446744073709551616"),
    "int64_minus_1": ("-2^63 - 1", "-9223372036854775809"),
    "int64_minus_1_deep": ("the same inside", '{"a": [1, {"b": -9223372036854775809}]}'),
    "minus_2_64": ("-2^64, which CBOR could hold", "-18446744073709551616"),
    "digits_5000": ("an integer of 5,000 digits", "1" * 5000),
    "key_twice": ("a key twice", '{"a": 1, "b": 2, "a": 1}'),
    "key_twice_escaped": ("a key twice, once escaped", '{"a": 1, "\\u0061": 2}'),
    "key_twice_deep": ("a key twice, inside", '[{"x": {"a": 1, "a": 1}}]'),
    "depth_17": ("17 levels", "[" * 17 + "]" * 17),
    "depth_17_map": ("17 levels of objects", '{"a":' * 17 + "1" + "}" * 17),
    "depth_10000": ("10,000 levels", "[" * 10_000 + "]" * 10_000),
    "two_values": ("two values", "1 2"),
    "nothing": ("no value", " "),
    "trailing_comma": ("a comma too many", "[1,]"),
    "single_quotes": ("not JSON", "{'a': 1}"),
    "leading_zero": ("not JSON", "01"),
    "raw_line_feed": ("a control character in a string", '"a\nb"'),
    "bom": ("a byte order mark", "\ufeff1"),
}


def cases() -> dict[str, Case]:
    good: dict[str, Case] = {
        f"json_{stem}": {
            "comment": comment,
            "expect": "success",
            "json": json,
            "payload": payload,
        }
        for stem, (comment, json, payload) in GOOD.items()
    }
    bad: dict[str, Case] = {
        f"malformed_{stem}": {"comment": comment, "expect": "malformed", "json": json}
        for stem, (comment, json) in BAD.items()
    }
    return good | bad
