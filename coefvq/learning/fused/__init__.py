"""Training of the fused model: the mixture, both phases, the readout, figures and ablations."""
