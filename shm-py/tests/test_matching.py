"""Pattern matching, on the Pythons that have it."""

import sys

CODE = '''
def kind(value):
    match value:
        case {"type": "point", "at": [x, y]}:
            return ("point", x, y)
        case {"type": other, **rest}:
            return (other, rest)
        case [first, *others]:
            return ("list", first, others)
        case {}:
            return "mapping"
'''


def test_lists_and_dicts_match_patterns(seg):
    if sys.version_info < (3, 10):
        return
    space = {}
    exec(CODE, space)
    kind = space["kind"]
    assert kind(seg.dict(type="point", at=[1, 2])) == ("point", 1, 2)
    assert kind(seg.dict(type="circle", r=3)) == ("circle", {"r": 3})
    assert kind(seg.list([1, 2, 3])) == ("list", 1, [2, 3])
    assert kind(seg.dict()) == "mapping"
    assert kind(seg.set([1])) is None
