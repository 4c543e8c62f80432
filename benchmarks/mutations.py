"""Ways to break a STEP file, each a function of its bytes and a random source, so that a seed names every mutant."""

import random
import re
from collections.abc import Callable

Mutator = Callable[[bytes, random.Random], bytes]

ENTITY = re.compile(rb"^#(\d+)\s*=\s*([A-Z_0-9]*).*?;[ \r]*\n", re.MULTILINE | re.DOTALL)
REFERENCE = re.compile(rb"#\d+\b(?!\s*=)")
REAL = re.compile(rb"-?\d+\.\d*(?:E[+-]?\d+)?")
INTEGERS = re.compile(rb"\((?:\d+,)*\d+\)")
LIST = re.compile(rb"\((?:#\d+,)+#\d+\)")
HUGE = (b"1.E308", b"-1.E308", b"1.E999", b"-1.E300", b"1.E-320", b"123456789012345678901234567890.", b"0.", b"1.E30")
NOT_NUMBERS = (b"NAN", b"-INF", b"1.#IND", b"1.E", b".", b"1..2", b"--1.", b"$", b"*", b"''", b"0x7FF00000", b"1,5")
COUNTS = (b"(2147483647)", b"(0,0)", b"(-1,-1)", b"(4,4,4,4,4,4)", b"(1)", b"(99999999999999999999)", b"()")


def _some(pattern: re.Pattern[bytes], data: bytes, rng: random.Random, most: int) -> list[re.Match[bytes]]:
    """Between one and `most` places of the pattern, from the last to the first, so that each can be replaced."""
    found = list(pattern.finditer(data))
    chosen = rng.sample(found, min(len(found), rng.randint(1, most)))
    return sorted(chosen, key=lambda match: -match.start())


def _replaced(pattern: re.Pattern[bytes], data: bytes, rng: random.Random, by: tuple[bytes, ...], most: int) -> bytes:
    for match in _some(pattern, data, rng, most):
        data = data[: match.start()] + rng.choice(by) + data[match.end() :]
    return data


def truncated(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(1, len(data))]


def flipped_bytes(data: bytes, rng: random.Random) -> bytes:
    broken = bytearray(data)
    for _ in range(rng.choice((1, 4, 32, 256))):
        broken[rng.randrange(len(broken))] ^= 1 << rng.randrange(8)
    return bytes(broken)


def deleted_bytes(data: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(data))
    return data[:start] + data[start + rng.choice((1, 16, 256, 4096)) :]


def deleted_entities(data: bytes, rng: random.Random) -> bytes:
    return _replaced(ENTITY, data, rng, (b"",), 12)


def swapped_ids(data: bytes, rng: random.Random) -> bytes:
    """References to one entity point at another one, often of another type, and the other way round."""
    ids = [match[1] for match in ENTITY.finditer(data)]
    for _ in range(rng.randint(1, 4) if len(ids) > 1 else 0):
        one, other = rng.sample(ids, 2)
        swap = {b"#" + one: b"#" + other, b"#" + other: b"#" + one}
        data = REFERENCE.sub(lambda match, swap=swap: swap.get(match[0], match[0]), data)  # type: ignore[misc]
    return data


def swapped_types(data: bytes, rng: random.Random) -> bytes:
    """An entity gets the type of another one and keeps its own arguments."""
    types = sorted({match[2] for match in ENTITY.finditer(data) if match[2]})
    for match in _some(ENTITY, data, rng, 6):
        data = data[: match.start(2)] + rng.choice(types) + data[match.end(2) :]
    return data


def doubled_entities(data: bytes, rng: random.Random) -> bytes:
    """The same number is given twice, or the whole file comes twice."""
    if rng.random() < 0.2:
        return data + data
    for match in _some(ENTITY, data, rng, 8):
        data = data[: match.end()] + match[0] + data[match.end() :]
    return data


def huge_numbers(data: bytes, rng: random.Random) -> bytes:
    return _replaced(REAL, data, rng, HUGE, rng.choice((1, 8, 200)))


def no_numbers(data: bytes, rng: random.Random) -> bytes:
    return _replaced(REAL, data, rng, NOT_NUMBERS, rng.choice((1, 8, 200)))


def cyclic_references(data: bytes, rng: random.Random) -> bytes:
    """An entity refers to itself, or to one that refers to it."""
    entities = list(ENTITY.finditer(data))
    for match in _some(ENTITY, data, rng, 6):
        inside = list(REFERENCE.finditer(match[0]))
        if not inside:
            continue  # a leaf refers to nothing
        own = b"#" + match[1]
        users = [b"#" + other[1] for other in entities if re.search(own + rb"\b(?!\s*=)", other[0])]
        place = rng.choice(inside)
        start, end = match.start() + place.start(), match.start() + place.end()
        data = data[:start] + rng.choice([own, *users]) + data[end:]
    return data


def missing_references(data: bytes, rng: random.Random) -> bytes:
    return _replaced(REFERENCE, data, rng, (b"#999999999", b"#0", b"$", b"*", b"#18446744073709551616"), 12)


def wrong_counts(data: bytes, rng: random.Random) -> bytes:
    """Lists lose or gain members; knot multiplicities, degrees and other integers no longer fit."""
    for match in _some(LIST, data, rng, 6):
        members = match[0][1:-1].split(b",")
        members = members[: rng.randrange(len(members))] if rng.random() < 0.5 else members * rng.choice((2, 50))
        data = data[: match.start()] + b"(" + b",".join(members) + b")" + data[match.end() :]
    return _replaced(INTEGERS, data, rng, COUNTS, 4)


def deep_nesting(data: bytes, rng: random.Random) -> bytes:
    depth = rng.choice((100, 10_000, 300_000))
    for match in _some(REAL if rng.random() < 0.5 else LIST, data, rng, 1):
        closing = depth if rng.random() < 0.5 else depth // 2
        data = data[: match.start()] + b"(" * depth + match[0] + b")" * closing + data[match.end() :]
    return data


def long_chain(data: bytes, rng: random.Random) -> bytes:
    """Entities that each refer to the next, longer than any stack."""
    length, first = rng.choice((1000, 50_000)), 500_000_000
    link = b"#%d=PLACED;" if rng.random() < 0.3 else b"#%d=REPRESENTATION_MAP(#%d,#%d);"
    count = link.count(b"%d")
    chain = b"\n".join(link % ((first + i, first + i + 1, first + i + 1)[:count]) for i in range(length))
    at = data.rfind(b"ENDSEC")
    return data[:at] + chain + b"\n" + data[at:]


def encodings(data: bytes, rng: random.Random) -> bytes:
    """Line ends, byte order marks, zero bytes, UTF-16, unknown letters and escapes in names."""
    kind = rng.randrange(7)
    if kind == 0:
        return data.replace(b"\n", b"\r\n")
    if kind == 1:
        return b"\xef\xbb\xbf" + data
    if kind == 2:
        return data.decode("latin-1").encode("utf-16")
    if kind == 3:
        return data.replace(b"\n", b"\r")
    if kind == 4:
        at = rng.randrange(len(data))
        return data[:at] + b"\0" * rng.choice((1, 1000)) + data[at:]
    junk = (b"'\xff\xfe\x80", b"'\\X2\\D83D", b"'\\X\\", b"'\\S\\", b"'" + b"A" * 1_000_000, b"'\n\n", b"'''")
    return _replaced(re.compile(rb"'"), data, rng, junk, 4)


def without_head(data: bytes, rng: random.Random) -> bytes:
    """The header, its end or one of the words that open and close the sections is missing."""
    word = rng.choice((b"ISO-10303-21;", b"HEADER;", b"ENDSEC;", b"DATA;", b"END-ISO-10303-21;", b"FILE_SCHEMA"))
    return data.replace(word, b"", 1) if rng.random() < 0.8 else data[data.find(b"DATA;") :]


def empty(data: bytes, rng: random.Random) -> bytes:
    return rng.choice((b"", b"\n", b" " * 100, b"\0", b"ISO-10303-21;", b"ISO-10303-21;\nEND-ISO-10303-21;\n"))


def random_binary(data: bytes, rng: random.Random) -> bytes:
    head = rng.choice((b"", b"ISO-10303-21;\nHEADER;\n", data[: data.find(b"DATA;") + 6]))
    return head + rng.randbytes(rng.choice((1, 100, 100_000)))


MUTATORS: dict[str, Mutator] = {
    mutator.__name__: mutator
    for mutator in (
        *(truncated, flipped_bytes, deleted_bytes, deleted_entities, swapped_ids, swapped_types, doubled_entities),
        *(huge_numbers, no_numbers, cyclic_references, missing_references, wrong_counts, deep_nesting, long_chain),
        *(encodings, without_head, empty, random_binary),
    )
}
