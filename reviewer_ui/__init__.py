"""The pages people work on: thin, over ``coefvq.review`` and ``coefvq.store``."""
