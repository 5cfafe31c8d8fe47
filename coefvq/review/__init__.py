"""What reviewers do: queue, case view, decide, library, uploads, and who may do what."""
