"""Files in, frames and sound out: the only place that opens media."""
