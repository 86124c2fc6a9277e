"""Walks an object beside its shape and notes what does not fit."""

from __future__ import annotations

from typing import Any

from redcell.web.cds.judge.fhir import judge_resource
from redcell.web.cds.judge.outcome import Issue
from redcell.web.cds.judge.shapes import CONTEXTS, SHAPES, TOOLS, VERSION, Field, Rule, Shape
from redcell.web.cds.judge.types import PRIMITIVES, fault, kind_of, shown

EMPTY_OBJECT = "Object must have some content"
EMPTY_ARRAY = "Array cannot be empty - the property should not be present if it has no values"


class Walk:
    """Collects issues: those of reading first, then those of meaning, as HL7's validator does."""

    def __init__(self, form: str) -> None:
        self.form = form
        self.profile = f"{TOOLS}{form}|{VERSION}"
        self.reading: list[Issue] = []
        self.meaning: list[Issue] = []

    @property
    def issues(self) -> list[Issue]:
        """Everything that was found."""
        return [*self.reading, *self.meaning]

    def unread(self, text: str, path: str, severity: Any = "error") -> None:
        """The JSON is not what it has to be."""
        self.reading.append(Issue(severity, "invalid", text, path))

    def wrong(self, code: str, text: str, path: str) -> None:
        """The JSON is readable, but does not say what it has to say."""
        self.meaning.append(Issue("error", code, text, path, self.profile))

    # -- objects -----------------------------------------------------------------------------------

    def whole(self, item: dict[str, Any]) -> None:
        """The document from its root."""
        shape = SHAPES[self.form]
        if self.form == "CDSHooksRequest":
            context = CONTEXTS.get(str(item.get("hook")))
            self.object(item, shape, self.form, context)
        else:
            self.object(item, shape, self.form)

    def object(
        self, item: dict[str, Any], shape: Shape, path: str, context: Shape | None = None
    ) -> None:
        """One object: its conditions, what has to be there, then what each field holds."""
        for rule in shape.rules:
            self._rule(rule, item, path)
        for name, field in shape.fields.items():
            if field.required and name not in item:
                self._missing(name, path)
        for name, field in shape.fields.items():
            if name not in item:
                continue
            if field.kind == "context":
                self._context(item[name], context, f"{path}.{name}")
            else:
                self._field(item[name], name, field, path)

    def _missing(self, name: str, path: str) -> None:
        text = f"{path}.{name}: minimum required = 1, but only found 0 (from {self.profile})"
        self.wrong("structure", text, path)

    def _rule(self, rule: Rule, item: dict[str, Any], path: str) -> None:
        if not rule.holds(item):
            self.wrong("invariant", f"Constraint failed: {rule.key}: '{rule.text}'", path)

    def _context(self, value: Any, shape: Shape | None, path: str) -> None:
        if self._is_object(value, path) and shape is not None:
            self.object(value, shape, path)

    # -- fields ------------------------------------------------------------------------------------

    def _field(self, value: Any, name: str, field: Field, path: str) -> None:
        here = f"{path}.{name}"
        if value is None:
            self.unread(f"The property {name} must not be null", here)
        elif not field.many:
            self._value(value, field, here)
        elif not isinstance(value, list):
            self.unread(f"The property {name} must be an array, not a {kind_of(value)}", here)
        elif not value and not field.may_be_empty:
            self.unread(EMPTY_ARRAY, here)
            if field.required:
                self._missing(name, path)
        else:
            for number, one in enumerate(value):
                self._value(one, field, f"{here}[{number}]")

    def _value(self, value: Any, field: Field, path: str) -> None:
        if field.kind in PRIMITIVES:
            self._primitive(value, field, path)
        elif field.kind == "resource":
            judge_resource(self, value, path)
        elif field.kind == "prefetch":
            self._prefetch(value, path)
        elif field.kind == "templates":
            self._templates(value, path)
        elif self._is_object(value, path):
            self.object(value, SHAPES[field.kind], path)

    def _primitive(self, value: Any, field: Field, path: str) -> None:
        name = path.rpartition(".")[2]
        if isinstance(value, (dict, list)):
            text = f"The property {name} must be a simple value, not a {kind_of(value)}"
            self.unread(text, path)
            return
        said = fault(field.kind, value)
        if said:
            self.wrong("invalid", said, path)
        elif field.codes and value not in field.codes:
            known = ", ".join(field.codes)
            text = f"The value provided ({shown(value)}) is not one of the codes of {name}: {known}"
            self.wrong("code-invalid", text, path)

    def _is_object(self, value: Any, path: str) -> bool:
        if not isinstance(value, dict):
            name = path.rpartition(".")[2]
            self.unread(f"The property {name} must be an object, not a {kind_of(value)}", path)
            return False
        if not value:
            self.unread(EMPTY_OBJECT, path)
        return True

    def _prefetch(self, value: Any, path: str) -> None:
        """Keys with a resource each; null stands for a key that gave nothing."""
        if not self._is_object(value, path):
            return
        for number, found in enumerate(value.values()):
            if found is not None:
                judge_resource(self, found, f"{path}[{number}].value")

    def _templates(self, value: Any, path: str) -> None:
        if not self._is_object(value, path):
            return
        for number, template in enumerate(value.values()):
            self._primitive(template, Field("string"), f"{path}[{number}].value")
