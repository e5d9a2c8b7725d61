from __future__ import annotations

import math
import re
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optguide.errors import OptionError
from optguide.format import age, directed, duration, estimate, interval, parse_duration, parse_share, quantity

TIMES = "\N{MULTIPLICATION SIGN}"
UNITS = ("ms", "us", "s", "inferences/s", "ratio", "share", "points", "bytes", "count", "MB")
SIZES = {
    "s": 1.0,
    "ms": 1e-3,
    "µs": 1e-6,
    "ns": 1e-9,
    "B": 1.0,
    "kB": 1e3,
    "MB": 1e6,
    "GB": 1e9,
    "TB": 1e12,
    "inferences/s": 1.0,
    TIMES: 1.0,
    "%": 1e-2,
    "point": 1.0,
    "points": 1.0,
    "": 1.0,
}
BASE = {"ms": 1e-3, "us": 1e-6, "MB": 1e6}

magnitudes = st.floats(min_value=1e-3, max_value=1e6)


def read(number: str, symbol: str) -> float:
    return float(number.replace(",", "")) * SIZES[symbol.strip()]


def about(value: float, low: float, high: float, unit: str = "ms") -> SimpleNamespace:
    return SimpleNamespace(value=value, low=low, high=high, unit=unit)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (39.812, "ms", "39.8 ms"),
        (0.0501, "ms", "50.1 µs"),
        (2346.0, "ms", "2.35 s"),
        (999.7, "us", "1.00 ms"),
        (0, "ms", "0 ms"),
        (-0.0, "ms", "0 ms"),
        (1240.4, "inferences/s", "1,240 inferences/s"),
        (0.9978, "", "0.998"),
        (1.834, "ratio", f"1.83{TIMES}"),
        (0.12, "share", "12 %"),
        (0.9868, "share", "98.7 %"),
        (17_812_345, "bytes", "17.8 MB"),
        (512, "bytes", "512 B"),
        (0.25, "MB", "250 kB"),
        (1.2, "points", "1.2 points"),
        (-0.3, "points", "-0.3 points"),
        (1, "points", "1 point"),
        (-1.0, "points", "-1 point"),
        (12.345, "points", "12.3 points"),
        (0, "points", "0 points"),
        (-0.0, "points", "0 points"),
        (1797, "count", "1,797"),
        (2.5, "count", "2.50"),
        (4.2, "W", "4.20 W"),
        (math.nan, "share", "unknown"),
    ],
)
def test_quantity_reads_well(value, unit, text):
    assert quantity(value, unit) == text


@given(magnitudes, st.sampled_from(UNITS))
def test_quantity_is_the_value_to_three_digits(value, unit):
    number, symbol = re.fullmatch(r"([\d.,]+)(.*)", quantity(value, unit)).groups()
    assert read(number, symbol) == pytest.approx(value * BASE.get(unit, 1.0), rel=0.0051)


@pytest.mark.parametrize(
    ("e", "text"),
    [
        (about(39.82, 39.4, 40.3), "39.8 ms (39.4 to 40.3)"),
        (about(1.834, 1.812, 1.857, "ratio"), f"1.834{TIMES} (1.812 to 1.857)"),
        (about(0.99, 0.95, 1.05), "990 µs (950 to 1,050)"),
        (about(1243, 940, 1540, "inferences/s"), "1,240 inferences/s (940 to 1,540)"),
        (about(0.9978, 0.9961, 0.9984, ""), "0.9978 (0.9961 to 0.9984)"),
        (about(40, -260, 340), "40 ms (-260 to 340)"),
        (about(0, -1, 1), "0.0 ms (-1.0 to 1.0)"),
        (about(1.0, 0.41, 1.57, "points"), "1.0 points (0.4 to 1.6)"),
        (about(-0.31, -0.92, 0.28, "points"), "-0.3 points (-1.0 to 0.3)"),
        (about(0.0, -0.214, 0.214, "points"), "0.00 points (-0.22 to 0.22)"),
        (about(-1.1e-16, -0.6, 0.6, "points"), "0.0 points (-0.6 to 0.6)"),
        (about(-0.04, -0.6, 0.6, "points"), "-0.04 points (-0.60 to 0.60)"),
        (about(-0.004, -0.6, 0.6, "points"), "0.0 points (-0.6 to 0.6)"),
        (about(1.92, 1.43, 12.6, "ratio"), f"1.9{TIMES} (1.4 to 12.6)"),
        (about(0.52, 0.08, 0.71, "ratio"), f"0.52{TIMES} (0.08 to 0.71)"),
        (about(1.09, 1.0019, 1.5, "ratio"), f"1.090{TIMES} (1.001 to 1.500)"),
        (about(1.92, 1.43, 80, "ratio"), f"1.9{TIMES} (1.4 to 80.0)"),
        (about(101.3, 2.9, 147.1), "101 ms (2 to 148)"),
        (about(0.2, -0.0001, 1.9, "points"), "0.20 points (-0.01 to 1.90)"),
        (about(1.2, 1.2, 3.4, "ratio"), f"1.20{TIMES} (1.20 to 3.40)"),
        (about(4096, 4096, 4096, "bytes"), "4.10 kB"),
        (about(40, math.nan, 41), "40.0 ms (interval unknown)"),
        (about(math.nan, 1, 2), "unknown"),
    ],
)
def test_estimate_shows_the_digits_its_interval_justifies(e, text):
    assert estimate(e) == text


@given(st.lists(magnitudes, min_size=3, max_size=3), st.sampled_from(UNITS))
def test_printed_interval_holds_the_measured_interval_and_the_printed_value(numbers, unit):
    low, value, high = sorted(numbers)
    match = re.fullmatch(
        r"([\d.,]+)(.*) \((-?[\d.,]+) to ([\d.,]+)\)", estimate(about(value, low, high, unit))
    )
    if match is None:
        assert low == pytest.approx(high, rel=1e-10)  # nothing but equal bounds may hide an interval
        return
    shown, symbol, printed_low, printed_high = match.groups()
    bottom, top = read(printed_low, symbol), read(printed_high, symbol)
    slack = 1 + 1e-9
    base = BASE.get(unit, 1.0)
    assert bottom <= low * base * slack
    assert high * base <= top * slack
    assert bottom <= read(shown, symbol) <= top
    width = (high - low) * base
    assert top - bottom <= width * 1.6 + 1e-9 * top, "rounding outwards must not invent uncertainty"


def test_interval_takes_the_scale_of_its_value():
    assert interval(0.95, 1.05, "ms") == "0.95 to 1.05 ms"
    assert interval(0.95, 1.05, "ms", value=0.99) == "950 to 1,050 µs"
    assert interval(0.118, 0.1254, "share") == "11.8 to 12.6 %"
    assert interval(3, 3, "count") == "3"
    assert interval(0.41, 1.57, "points") == "0.4 to 1.6 points"
    assert interval(-0.6, 0.2, "points") == "-0.6 to 0.2 points"
    assert interval(-math.inf, 1, "ms") == "unknown"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.85, "850 ms"),
        (0.99996, "1.0 s"),
        (3.24, "3.2 s"),
        (9.97, "10 s"),
        (59.6, "1 min"),
        (125, "2 min 5 s"),
        (3599.7, "1 h"),
        (3900, "1 h 5 min"),
        (math.nan, "unknown"),
    ],
)
def test_duration(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "less than a second"),
        (1.9, "1 second"),
        (59.9, "59 seconds"),
        (60, "1 minute"),
        (200, "3 minutes"),
        (86399, "23 hours"),
        (2 * 86400, "2 days"),
    ],
)
def test_age(seconds, text):
    assert age(seconds) == text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("12s", 12), ("10m", 600), ("500ms", 0.5), (" 1.5 h ", 5400), ("7", 7), ("1h30min", 5400), ("0s", 0)],
)
def test_parse_duration(text, seconds):
    assert parse_duration(text) == seconds


@given(st.integers(1, 10**8))
def test_duration_that_was_printed_can_be_given_back(seconds):
    printed = duration(seconds).replace(",", "")
    assert parse_duration(printed) == pytest.approx(seconds, abs=30 if seconds >= 3600 else 0.5)


@given(st.integers(0, 10**6), st.sampled_from(["ms", "s", "m", "h"]))
def test_parse_duration_scales_by_its_unit(number, unit):
    assert (
        parse_duration(f"{number}{unit}")
        == number * {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}[unit] / 1000
    )


@pytest.mark.parametrize("text", ["", "s", "-1s", "1e3s", "12 parsecs", "nan", "1m2", "1,5s", "12345678901s"])
def test_parse_duration_refuses(text):
    with pytest.raises(OptionError, match="is not a duration") as caught:
        parse_duration(text)
    assert "10m" in caught.value.remedy


@given(st.integers(0, 10_000))
def test_parse_share_reads_both_notations_alike(hundredths):
    share = hundredths / 10_000
    assert parse_share(f"{hundredths / 100:.2f}%") == share
    assert parse_share(f"{share:.4f}") == share


@pytest.mark.parametrize("text", ["2", "101%", "-1%", "", "%", "nan", "0.02 percent"])
def test_parse_share_refuses(text):
    with pytest.raises(OptionError, match="is not a share"):
        parse_share(text)


@pytest.mark.parametrize(
    ("ratio", "above", "text"),
    [
        ((1.22, 1.19, 1.26), "faster", f"1.220{TIMES} faster (1.190 to 1.260)"),
        ((0.8, 0.78, 0.82), "faster", f"1.250{TIMES} slower (1.219 to 1.283)"),
        ((0.5, 0.5, 0.5), "smaller", f"2.00{TIMES} larger"),
        ((1, 1, 1), "longer", "no difference"),
        ((1.0, 0.9, 1.1), "longer", f"no clear difference (1.12{TIMES} shorter to 1.10{TIMES} longer)"),
        ((1.1, 1.0, 1.2), "more", f"no clear difference (1.00{TIMES} more to 1.20{TIMES} more)"),
        ((2.0, 0.03, 28.2), "faster", f"no clear difference (34{TIMES} slower to 29{TIMES} faster)"),
    ],
)
def test_a_ratio_in_words_says_which_way_it_goes(ratio, above, text):
    assert directed(about(*ratio, "ratio"), above) == text
