"""Trained models and frozen encoders, applied to new text."""
