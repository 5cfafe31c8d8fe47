"""Figures for leads, computed ahead: gathered in one pass over the store, kept as documents."""
