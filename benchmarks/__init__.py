"""Speeds on this machine; ``make bench`` runs them all."""
