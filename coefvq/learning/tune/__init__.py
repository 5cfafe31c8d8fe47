"""Fine-tuning of the embedded MLLM from a snapshot of corrections."""
