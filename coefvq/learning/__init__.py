"""Training, datasets and the gate that promotes models."""
