"""Work that nobody waits for: leased jobs on one machine."""
