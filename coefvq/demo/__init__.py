"""The demo library: small clips made at first start from the media inside the gradio package."""
