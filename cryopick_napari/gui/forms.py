"""A frozen configuration as a form of the window, and back.

Labels, tooltips, kinds of widget and defaults all come from the fields of the dataclass.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from magicgui.widgets import CheckBox, ComboBox, Container, LineEdit, SpinBox
from magicgui.widgets.bases import ValueWidget
from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import QLabel, QWidget

from cryopick_napari.errors import CryopickError

LARGEST_SHOWN = 2**32 - 1  # what a spin box lets through; what is allowed is the dataclass's to say
NOTHING = "none"  # shown where an empty field means None


@dataclass(eq=False)
class Row:
    """A setting and its widget, with the value it started from and how that was shown."""

    field: dataclasses.Field[Any]
    hint: Any
    widget: ValueWidget[Any]
    value: Any = None
    shown: Any = None

    def show(self, value: Any) -> None:
        """Start anew from a value."""
        self.value = value
        self.widget.value = number_text(value) if self._is_number() else value
        self.shown = self.widget.value

    def is_touched(self) -> bool:
        """Whether it shows something else than it started from."""
        return bool(self.widget.value != self.shown)

    def read(self) -> Any:
        """Read what is shown.

        Raises
        ------
        CryopickError
            If a number is none.
        """
        entered = self.widget.value
        if not self._is_number():
            return entered
        if not entered.strip() and type(None) in typing.get_args(self.hint):
            return None
        try:
            return float(entered)
        except ValueError:
            name = label_of(self.field).lower()
            raise CryopickError(f"{name}: {entered!r} is not a number; write 0.003 or 3e-3") from None

    def _is_number(self) -> bool:
        return float in (self.hint, *typing.get_args(self.hint))


@dataclass(frozen=True, eq=False)
class Form:
    """A form with one row a setting, made by `form_of`.

    Attributes
    ----------
    container : Container
        Its ``changed`` is emitted for edits of the user, not by `reset`.
    rows : dict of Row
        By the name of the setting.
    """

    container: Container[ValueWidget[Any]]
    rows: dict[str, Row]

    @property
    def native(self) -> QWidget:
        """The Qt widget."""
        native: QWidget = self.container.native
        return native

    def reset(self, values: Mapping[str, Any]) -> None:
        """Show these values, and the defaults of settings that have none; nothing is changed then."""
        with self.container.changed.blocked():
            for name, row in self.rows.items():
                row.show(values.get(name, row.field.default))

    def changed(self) -> dict[str, Any]:
        """Give the settings that differ from the values the form was built or reset with.

        Raises
        ------
        CryopickError
            If a number is none. Whether values make sense is for the dataclass to say.
        """
        # What was not touched keeps its value: the text of a number may hold fewer digits.
        read = {name: row.read() for name, row in self.rows.items() if row.is_touched()}
        return {name: value for name, value in read.items() if value != self.rows[name].value}


def form_of(kind: type, names: Sequence[str], values: Mapping[str, Any]) -> Form:
    """Build the form of a configuration.

    Parameters
    ----------
    kind : type
        `PickerConfig` or `TrainingConfig`.
    names : sequence of str
        The settings to show, from top to bottom.
    values : mapping
        What to show; a setting that is not among them shows its default, so that the values of a preset
        are enough.
    """
    hints = typing.get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind)}
    rows = {name: Row(fields[name], hints[name], _widget(fields[name], hints[name])) for name in names}
    container = Container(widgets=[row.widget for row in rows.values()])
    container.native.installEventFilter(_LabelColumn(container.native))
    guard = WheelGuard(container.native)
    for row in rows.values():
        row.widget.native.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        row.widget.native.installEventFilter(guard)
        if type(None) in typing.get_args(row.hint):
            row.widget.native.setPlaceholderText(NOTHING)
    form = Form(container, rows)
    form.reset(values)
    return form


def label_of(field: dataclasses.Field[Any]) -> str:
    """Name a setting as a person would, with its unit."""
    unit = field.metadata["unit"]
    return field.name.replace("_", " ").capitalize() + (f" ({unit})" if unit else "")


def number_text(value: float | None) -> str:
    """Write a number as a person would: 0.003, 1e-5; None is empty."""
    return "" if value is None else f"{value:.6g}".replace("e-0", "e-").replace("e+0", "e")


def _widget(field: dataclasses.Field[Any], hint: Any) -> ValueWidget[Any]:
    """Make the widget for a type."""
    usual = field.metadata["usual"]
    options = {
        "name": field.name,
        "label": label_of(field),
        "tooltip": field.metadata["help"] + (f"\nUsual: {usual}" if usual else ""),
    }
    if typing.get_origin(hint) is Literal:
        return ComboBox(choices=typing.get_args(hint), **options)
    if hint is bool:
        return CheckBox(**options)
    if hint is int:
        return SpinBox(min=0, max=LARGEST_SHOWN, **options)
    return LineEdit(**options)


class _LabelColumn(QObject):
    """Gives all labels the width of the widest, measured in the font that the window gave them."""

    def eventFilter(self, watched: QWidget, event: QEvent) -> bool:  # noqa: N802
        if event.type() == QEvent.Type.Show:
            labels = watched.findChildren(QLabel)
            for label in labels:
                label.setMinimumWidth(max(other.sizeHint().width() for other in labels))
        return False


class WheelGuard(QObject):
    """Leaves the wheel to the panel, which scrolls, unless the row was clicked first."""

    def eventFilter(self, watched: QWidget, event: QEvent) -> bool:  # noqa: N802
        """Stop the wheel on its way to a row that was not clicked."""
        if event.type() == QEvent.Type.Wheel and not watched.hasFocus():
            event.ignore()
            return True
        return False
