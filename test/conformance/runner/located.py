"""YAML whose mappings and lists know their lines, so that whoever reads a scenario can say where a mistake is."""

import yaml


class Problem(Exception):
    """Something is wrong with a scenario file: `file:line: what, and what to do`."""

    def __init__(self, file, line, what):
        super().__init__(f"{file}:{line}: {what}")


class Mapping(dict):
    line = 0  # of the mapping; 0: not from a file

    def __init__(self, items=(), line=0, lines=None):
        super().__init__(items)
        self.line = line
        self.lines = lines or {}  # by key


class List(list):
    line = 0

    def __init__(self, items=(), line=0, lines=()):
        super().__init__(items)
        self.line = line
        self.lines = list(lines)  # by position


def load(path):
    """The file's one document, as Mapping and List all the way down."""
    loader = yaml.SafeLoader(path.read_text(encoding="utf-8"))
    try:
        node = loader.get_single_node()
        if node is None:
            raise Problem(path.name, 1, "is empty")
        return _value(loader, node, path.name)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise Problem(path.name, line, f"is no YAML: {error.problem}") from None
    finally:
        loader.dispose()


def _value(loader, node, file):
    line = node.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode):
        return List((_value(loader, item, file) for item in node.value), line,
                    [item.start_mark.line + 1 for item in node.value])
    if isinstance(node, yaml.MappingNode):
        mapping = Mapping(line=line)
        for key_node, value_node in node.value:
            key, key_line = loader.construct_object(key_node), key_node.start_mark.line + 1
            if key in mapping:
                raise Problem(file, key_line, f"'{key}' stands twice")
            mapping[key] = _value(loader, value_node, file)
            mapping.lines[key] = key_line
        return mapping
    return loader.construct_object(node)
