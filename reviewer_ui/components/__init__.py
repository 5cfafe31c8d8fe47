"""Parts of pages: pure functions from views to escaped HTML, without the store."""
