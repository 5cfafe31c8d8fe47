"""Copies of videos: fingerprints, an index over them, matching with the proof. No store, no files.

Readable from ``match.py`` down. See docs/originality.md.
"""
