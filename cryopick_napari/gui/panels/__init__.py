"""The panels of the widget, one a step of the work."""
