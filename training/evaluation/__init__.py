"""Measure models on test sets, image by image; a killed run goes on."""
