"""A small picker that was really trained, once for all tests of a run."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from cryopick_napari.gui.session import Session
from cryopick_napari.models import ModelRecord
from cryopick_napari.simulate import SAMPLE_DIAMETER, sample

if TYPE_CHECKING:
    from cryopick_napari.picker import Picker


@cache
def trained_picker(gate: str = "additive") -> Picker:
    """Train on all particles of the first sample, for a few seconds."""
    from cryopick_napari.config import PickerConfig, TrainingConfig
    from cryopick_napari.labels import Example, Labels
    from cryopick_napari.picker import Picker
    from cryopick_napari.training import completed, train

    micrograph, truth = sample(0)
    assert micrograph.spacing is not None
    size = {"diameter": SAMPLE_DIAMETER / micrograph.spacing, "spacing": micrograph.spacing}
    config = PickerConfig(**size, gate=gate, filter_channel=False)  # type: ignore[arg-type]
    example = Example(micrograph, Labels.of_whole_field(truth, micrograph.shape))
    plan = TrainingConfig(
        initial_epochs=4, epoch_crops=80, batch_size=8, device="cpu", precision="float32", first_look=False
    )
    return completed(train(Picker.new(config), [example], plan))


def use(session: Session, picker: Picker | None, name: str | None = "model 1") -> None:
    """Put a model in use, as a training (without a name) or the list of models does."""
    session.learning.picker = picker
    session.learning.record = None if name is None else ModelRecord(name)
    session.model_changed.emit()
