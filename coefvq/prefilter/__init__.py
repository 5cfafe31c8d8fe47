"""The first stage: a small model over the cheap signals that sees every video."""
