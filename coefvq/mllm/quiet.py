"""Keeps the progress bars of the model libraries off stderr: progress there is our own."""

from __future__ import annotations


def quiet_libraries() -> None:
    """Turn off the progress bars of transformers and huggingface_hub in this process."""
    from huggingface_hub.utils import disable_progress_bars
    from transformers.utils import logging

    disable_progress_bars()
    logging.disable_progress_bar()
