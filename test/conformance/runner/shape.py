"""What a value in a scenario may look like. A shape is a function of the value that returns it as the runner wants it, or
raises ValueError with what is wrong; Record and ListOf know the line of each part."""

import difflib
import re

from runner.located import List, Mapping, Problem

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0}


def text(value):
    if not isinstance(value, str):
        raise ValueError(f"should be a text, not {value!r}")
    return value


def content(value):
    """A text (as UTF-8), or `!!binary` for any bytes."""
    return value if isinstance(value, bytes) else text(value).encode()


def integer(value):
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"should be a whole number, not {value!r}")
    return value


def boolean(value):
    if not isinstance(value, bool):
        raise ValueError(f"should be true or false, not {value!r}")
    return value


def duration(value):
    """In seconds."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m)", str(value))
    if not match:
        raise ValueError(f"should be a duration such as 300ms or 2s, not {value!r}")
    return float(match[1]) * _UNITS[match[2]]


def anything(value):
    return value


def one_of(*words):
    def check(value):
        if value not in words:
            raise ValueError(f"should be one of {', '.join(words)}, not {value!r}")
        return value

    return check


def pattern(value):
    """Of the fields of an event: see match()."""
    return {} if value is None else value


def version(value):
    """`"2.11"`: a tuple of its numbers."""
    if not isinstance(value, str) or not re.fullmatch(r"\d+(\.\d+)*", value):
        raise ValueError(f'should be a version such as "2.11", not {value!r}')
    return tuple(map(int, value.split(".")))


def sequences(value):
    """`3`, `2..5`, or a list of such: a set of numbers."""
    found = set()
    for one in value if isinstance(value, list) else [value]:
        match = re.fullmatch(r"(\d+)(?:\.\.(\d+))?", str(one))
        if not match:
            raise ValueError(f"should be numbers such as 3 or 2..5, not {one!r}")
        found |= set(range(int(match[1]), int(match[2] or match[1]) + 1))
    return found


def header_list(value):
    if not isinstance(value, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in value):
        raise ValueError("should be a list of [name, value]")
    return [(content(name), content(header)) for name, header in value]


class Record:
    """A mapping with these keys. `bare`: the key that a value without a mapping stands for."""

    def __init__(self, bare=None, **keys):
        self.bare = bare
        self.keys = keys

    def __call__(self, value, file="", line=0):
        if value is None:
            value = Mapping(line=line)
        if not isinstance(value, dict):
            if self.bare is None:
                raise Problem(file, line, f"should be a mapping of {', '.join(self.keys)}")
            value = Mapping({self.bare: value}, line)
        result = {}
        for key, one in value.items():
            at = getattr(value, "lines", {}).get(key, line)
            if key not in self.keys:
                raise Problem(file, at, unknown("key", key, self.keys))
            result[key] = apply(self.keys[key], one, file, at, key)
        return result


class ListOf:
    def __init__(self, shape):
        self.shape = shape

    def __call__(self, value, file="", line=0):
        if not isinstance(value, list):
            value = List([value], line, [line])
        return [apply(self.shape, one, file, at, "") for one, at in zip(value, getattr(value, "lines", ()))]


def apply(shape, value, file, line, key):
    if isinstance(shape, (Record, ListOf)):
        return shape(value, file, line)
    try:
        return shape(value)
    except ValueError as error:
        raise Problem(file, line, f"'{key}' {error}" if key else str(error)) from None


def unknown(what, word, known):
    near = difflib.get_close_matches(str(word), list(known), 1)
    return f"unknown {what} '{word}', " + (f"did you mean '{near[0]}'?" if near else f"known are {', '.join(known)}")


def match(wanted, value):
    """Whether a value is as wanted: `3`, `">=3"`, `"<=3"`, `"2..5"`, `"~a part of the text"`, or a mapping of such."""
    if isinstance(wanted, dict):
        return isinstance(value, dict) and all(match(one, value.get(key)) for key, one in wanted.items())
    if isinstance(wanted, str):
        number = re.fullmatch(r"(>=|<=)\s*(\d+)", wanted)
        span = re.fullmatch(r"(\d+)\.\.(\d+)", wanted)
        if number or span:
            if not isinstance(value, int) or isinstance(value, bool):
                return False
            if span:
                return int(span[1]) <= value <= int(span[2])
            return value >= int(number[2]) if number[1] == ">=" else value <= int(number[2])
        if wanted.startswith("~"):
            return isinstance(value, str) and wanted[1:] in value
    return type(wanted) is type(value) and wanted == value
