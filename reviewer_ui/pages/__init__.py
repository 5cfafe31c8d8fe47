"""One module a page: what it asks the services for, and how that goes on the screen."""
