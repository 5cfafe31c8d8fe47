"""Who is escalated. numpy only: no torch, no store."""
