"""From decisions to frozen sets of labelled videos."""
