"""The engine: tokens, batches, the encoder, the trunk cache and fine-tuning."""
