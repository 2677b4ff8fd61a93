"""The napari window: the only part of the package that knows of napari and Qt."""
