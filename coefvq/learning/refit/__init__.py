"""Refit of the prefilter: what people decided becomes an adjustment of the model that they saw."""
