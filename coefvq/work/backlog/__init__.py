"""Score a whole backlog: from a folder or a table of files to Parquet, resumable."""
