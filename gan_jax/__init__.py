"""Generative adversarial networks on JAX: a small, correct, fast core and an interactive course."""
