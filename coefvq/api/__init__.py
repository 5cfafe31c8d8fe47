"""The HTTP API under ``/api/v1``: thin, over the same services as the pages. See docs/api.md."""
