"""Labelled corrections in the formats that training tools read: one module a format."""
