"""The Python side of tests/round_trip: reads a struct that Rust wrote, and writes other values.

A line has two literals: what all fields are now, and what they are to be. Each answer is "ok" or says
what is wrong.
"""

import ast
import enum
import sys
import traceback

import shm_py

#: How fields are written, field by field in turn.
DIRECT, UPDATED, IN_PLACE = range(3)


def known(node):
    """A literal; a bytearray is written as a call."""
    if isinstance(node, ast.Call):
        return {"bytearray": bytearray, "set": set}[node.func.id](*map(known, node.args))
    if isinstance(node, ast.Tuple):
        return tuple(map(known, node.elts))
    if isinstance(node, ast.List):
        return list(map(known, node.elts))
    if isinstance(node, ast.Set):
        return set(map(known, node.elts))
    if isinstance(node, ast.Dict):
        return dict(zip(map(known, node.keys), map(known, node.values)))
    return ast.literal_eval(node)


def plain(value):
    """What a field reads as, in the form of the literals."""
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, tuple):
        items = tuple(plain(item) for item in value)
        # A variant without fields.
        return items[0] if hasattr(value, "tag") and len(items) == 1 else items
    if isinstance(value, shm_py.Vec):
        return [plain(item) for item in value]
    if hasattr(value, "to_py"):
        return value.to_py()
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def same(found, expected):
    """Equal and of equal types at every depth; a dense vector reads as a tuple where it is copied."""
    if isinstance(expected, (list, tuple)):
        parts = isinstance(found, (list, tuple)) and len(found) == len(expected)
        return parts and all(map(same, found, expected))
    if isinstance(expected, dict):
        keys = isinstance(found, dict) and found.keys() == expected.keys()
        return keys and all(same(found[key], value) for key, value in expected.items())
    return type(found) is type(expected) and found == expected


def differences(found, expected, kind):
    for name, value in expected.items():
        if not same(found[name], value):
            yield f"{kind} of {name}: {found[name]!r} instead of {value!r}"


def given(root, name, value):
    """What a field is to be set to: links by their nodes, nested structs as tuples."""
    if name in ("link", "next"):
        return None if value is None else root[f"node {value['value']}"]
    if isinstance(value, dict) and name not in ("counts", "labels", "dict"):
        return tuple(given(root, "", part) for part in value.values())
    return value


def change_in_place(struct, name, old, new):
    """Changes what a field refers to, not the field; whether that is possible."""
    if name in ("samples", "levels"):
        vector = getattr(struct, name)
        vector.extend(new)
        del vector[: len(old)]
    elif name == "names" or name == "list":
        shared = getattr(struct, name)
        shared.extend(new)
        del shared[: len(old)]
    elif name in ("counts", "labels", "dict", "set"):
        shared = getattr(struct, name)
        shared.clear()
        shared.update(new)
    elif name in ("numbered", "both"):
        inner = getattr(struct, name)
        for part, value in new.items():
            setattr(inner, part, value)
    else:
        return False
    return True


def answer(root, line, number):
    now, new = known(ast.parse(line, mode="eval").body)
    struct = root["all"]
    faults = list(differences(struct.to_py(), now, "copy"))
    faults += differences({name: plain(getattr(struct, name)) for name in now}, now, "attribute")
    if faults:
        return "; ".join(faults)
    updated = {}
    for at, name in enumerate(new):
        way = (at + number) % 3
        if way == IN_PLACE and change_in_place(struct, name, now[name], new[name]):
            continue
        if name == "unit":
            continue
        if way == UPDATED:
            updated[name] = given(root, name, new[name])
        else:
            setattr(struct, name, given(root, name, new[name]))
    with struct.update() as change:
        for name, value in updated.items():
            setattr(change, name, value)
    return "; ".join(differences(struct.to_py(), new, "changed copy")) or "ok"


def main():
    with shm_py.attach(sys.argv[1]) as seg:
        for number, line in enumerate(sys.stdin):
            try:
                found = answer(seg.root, line, number)
            except Exception:
                found = traceback.format_exc().replace("\n", " | ")
            print("answer", found, flush=True)


main()
