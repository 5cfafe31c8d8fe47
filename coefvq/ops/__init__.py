"""Operating the app: the doctor now; metrics, backup and retention build on it."""
