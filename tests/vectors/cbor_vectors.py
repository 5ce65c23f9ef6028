"""Vectors of CBOR, written byte by byte: what docs/format.md section 1 allows and what not."""

Case = dict[str, object]

# stem: (comment, data in hex)
ACCEPTED: dict[str, tuple[str, str]] = {
    "zero": ("the integer 0", "00"),
    "largest_uint": ("2^64-1", "1bffffffffffffffff"),
    "smallest_negative": ("-2^64", "3bffffffffffffffff"),
    "shortest_lengths": ("23, 24, 255, 256, 65535, 65536, 2^32", "87"
        "17" "1818" "18ff" "190100" "19ffff" "1a00010000" "1b0000000100000000"),
    "null_and_booleans": ("[null, false, true]", "83f6f4f5"),
    "half_float": ("1.5 fits half precision", "f93e00"),
    "single_float": ("100000.0 needs single precision", "fa47c35000"),
    "double_float": ("1.1 needs double precision", "fb3ff199999999999a"),
    "largest_double": ("the largest double", "fb7fefffffffffffff"),
    "smallest_half": ("the smallest subnormal half", "f90001"),
    "negative_zero": ("-0.0 is not 0.0", "f98000"),
    "text_map": ('{"b": 1, "aa": 2}: the shorter key first', "a2616201626161" "02"),
    "number_map": ("{0: 1, 24: 2}", "a20001181802"),
    "empty_text_key": ('{"": 0}', "a16000"),
    "unicode": ('"€𐍈"', "67e282acf0908d88"),
    "byte_string": ("24 bytes take a length byte", "5818" + "c2" * 24),
    "marks_in_a_string": ("a string that looks like tags and NaN", "45c2c3f97e00"),
    "depth_16_arrays": ("16 arrays around an integer", "81" * 16 + "00"),
    "depth_16_map": ("15 arrays around an empty map", "81" * 15 + "a0"),
}  # fmt: skip

REFUSED: dict[str, tuple[str, str]] = {
    "empty": ("no bytes", ""),
    "trailing_byte": ("an item, and a byte more", "0000"),
    "trailing_break": ("an item, and a break", "00ff"),
    # Not in the shortest form.
    "uint_0_in_2": ("0 in two bytes", "1800"),
    "uint_23_in_2": ("23 in two bytes", "1817"),
    "uint_255_in_3": ("255 in three bytes", "1900ff"),
    "uint_65535_in_5": ("65535 in five bytes", "1a0000ffff"),
    "uint_32_bits_in_9": ("2^32-1 in nine bytes", "1b00000000ffffffff"),
    "negative_in_2": ("-1 in two bytes", "3800"),
    "bytes_length_in_2": ("a byte string's length in two bytes", "580100"),
    "text_length_in_2": ("a text's length in two bytes", "780161"),
    "array_length_in_2": ("an array's length in two bytes", "980100"),
    "map_length_in_2": ("a map's length in two bytes", "b8010000"),
    "key_not_shortest": ("a key in two bytes", "a1180000"),
    "zero_in_single": ("0.0 in single precision", "fa00000000"),
    "zero_in_double": ("0.0 in double precision", "fb0000000000000000"),
    "half_in_double": ("1.5 in double precision", "fb3ff8000000000000"),
    "single_in_double": ("100000.0 in double precision", "fb40f86a0000000000"),
    # Indefinite lengths.
    "indefinite_bytes": ("a byte string of indefinite length", "5f4100ff"),
    "indefinite_text": ("a text of indefinite length", "7f6161ff"),
    "indefinite_array": ("an array of indefinite length", "9f00ff"),
    "indefinite_map": ("a map of indefinite length", "bf0000ff"),
    "lone_break": ("a break outside", "ff"),
    "break_in_array": ("a break in an array of one item", "81ff"),
    # Maps.
    "duplicate_text_keys": ("the same text key twice", "a2616100616101"),
    "duplicate_number_keys": ("the same number key twice", "a200000001"),
    "duplicate_empty_keys": ("the empty key twice", "a260006001"),
    "unsorted_text_keys": ("b before a", "a2616200616100"),
    "unsorted_long_key_first": ("a long key before a short one", "a262616100616200"),
    "unsorted_number_keys": ("1 before 0", "a201000000"),
    "unsorted_inner_map": ("an unsorted map within a sorted one", "a16161a2616200616100"),
    "mixed_keys": ("a number and a text as keys", "a20000616100"),
    "negative_key": ("-1 as a key", "a12000"),
    "bytes_key": ("a byte string as a key", "a1410000"),
    "float_key": ("1.5 as a key", "a1f93e0000"),
    "whole_float_key": ("1.0 as a key, which equals 1", "a1f93c0000"),
    "true_key": ("true as a key, which equals 1", "a1f500"),
    "null_key": ("null as a key", "a1f600"),
    "array_key": ("an array as a key", "a18000"),
    "map_key": ("a map as a key", "a1a000"),
    "nan_keys": ("NaN twice as a key: unequal to itself", "a2f97e0000f97e0000"),
    "key_without_value": ("a key without a value", "a16161"),
    # Tags: none is allowed here.
    "tag_datetime": ("tag 0", "c074323032302d30312d30315430303a30303a30305a"),
    "tag_epoch": ("tag 1", "c100"),
    "tag_bignum": ("tag 2, a bignum", "c249010000000000000000"),
    "tag_negative_bignum": ("tag 3, a negative bignum", "c349010000000000000000"),
    "tag_small_bignum": ("tag 2 around what fits 64 bits", "c24101"),
    "tag_decimal": ("tag 4 with a huge exponent", "c4821b7fffffffffffffff01"),
    "tag_bigfloat": ("tag 5 with a huge exponent", "c5821b7fffffffffffffff01"),
    "tag_cose_sign1": ("tag 18 where no signature is expected", "d28443a10127a0f640"),
    "tag_string_reference": ("tag 25", "d81900"),
    "tag_shareable": ("tag 28", "d81c80"),
    "tag_cycle": ("tags 28 and 29: an array that holds itself", "d81c81d81d00"),
    "tag_rational": ("tag 30, one over zero", "d81e820100"),
    "tag_regex": ("tag 35, a regular expression", "d8236728612b292b2b24"),
    "tag_mime": ("tag 36, an e-mail", "d8246161"),
    "tag_uuid": ("tag 37", "d82550" + "00" * 16),
    "tag_ip": ("tag 54", "d83650" + "00" * 16),
    "tag_set": ("tag 258, a set", "d901028100"),
    "tag_self_described": ("tag 55799", "d9d9f700"),
    "tag_unknown": ("tag 2^64-1", "dbffffffffffffffff00"),
    "tag_in_array": ("a tag inside", "81c100"),
    "tag_on_key": ("a tag on a key", "a1c10000"),
    # Simple values and floats.
    "undefined": ("undefined", "f7"),
    "simple_0": ("simple value 0", "e0"),
    "simple_32": ("simple value 32", "f820"),
    "simple_255": ("simple value 255", "f8ff"),
    "simple_20_in_2": ("false in two bytes", "f814"),
    "simple_in_array": ("undefined in an array", "81f7"),
    "nan": ("NaN", "f97e00"),
    "nan_single": ("NaN in single precision", "fa7fc00000"),
    "nan_double": ("NaN in double precision", "fb7ff8000000000000"),
    "nan_payload": ("NaN with a payload", "f97e01"),
    "nan_in_map": ("NaN in a map", "a16161f97e00"),
    "infinity": ("infinity", "f97c00"),
    "minus_infinity": ("minus infinity", "f9fc00"),
    "infinity_in_array": ("infinity in an array", "8200f97c00"),
    # Depth.
    "depth_17_arrays": ("17 arrays around an integer", "81" * 17 + "00"),
    "depth_17_empty_array": ("an empty array in 16", "81" * 16 + "80"),
    "depth_17_empty_map": ("an empty map in 16 arrays", "81" * 16 + "a0"),
    "depth_17_maps": ("17 maps", "a100" * 17 + "00"),
    # Lengths that are not there.
    "bytes_of_2_63": ("a byte string of 2^63 bytes", "5b8000000000000000"),
    "text_of_2_63": ("a text of 2^63 bytes", "7b8000000000000000"),
    "array_of_2_63": ("an array of 2^63 items", "9b8000000000000000"),
    "map_of_2_63": ("a map of 2^63 pairs", "bb8000000000000000"),
    "bytes_of_2_64": ("a byte string of 2^64-1 bytes", "5bffffffffffffffff"),
    "array_of_2_31": ("an array of 2^31 items", "9a80000000"),
    "nested_huge_arrays": ("arrays of 2^24 items in each other", "9a01000000" * 15),
    # Cut short.
    "cut_uint": ("an integer without its last byte", "1900"),
    "cut_bytes": ("a byte string without its last byte", "4200"),
    "cut_text": ("a text without its last byte", "6261"),
    "cut_array": ("an array without its last item", "8200"),
    "cut_float": ("a float without its last byte", "fb3ff19999999999"),
    "cut_length": ("a length without its last byte", "5900"),
    "cut_tag": ("a tag around nothing", "c1"),
    "reserved_28": ("length 28 is reserved", "1c"),
    "reserved_30_array": ("length 30 is reserved", "9e"),
    # Text that is not UTF-8.
    "utf8_invalid": ("a continuation byte missing", "62c328"),
    "utf8_overlong": ("an overlong zero", "62c080"),
    "utf8_surrogate": ("a surrogate", "63eda080"),
    "utf8_beyond": ("beyond U+10FFFF", "64f4908080"),
    "utf8_cut": ("a character cut in two", "61c3"),
    "utf8_in_key": ("a key that is not UTF-8", "a161ff00"),
}
REPEATED: dict[str, tuple[str, str, int]] = {
    "depth_100000_arrays": ("100,000 arrays in each other", "81", 100_000),
    "depth_100000_maps": ("100,000 maps in each other", "a100", 100_000),
    "depth_100000_tags": ("100,000 tags in each other", "c6", 100_000),
    "depth_100000_indefinite": ("100,000 arrays of indefinite length", "9f", 100_000),
}


def cases() -> dict[str, Case]:
    return (
        {stem: _case(comment, "success", data) for stem, (comment, data) in ACCEPTED.items()}
        | {stem: _case(comment, "malformed", data) for stem, (comment, data) in REFUSED.items()}
        | {
            stem: {**_case(comment, "malformed", data), "repeat": times}
            for stem, (comment, data, times) in REPEATED.items()
        }
    )


def _case(comment: str, expect: str, data: str) -> Case:
    return {"comment": comment, "expect": expect, "data": data}
