"""Builders of the JSON of each object, every always-present key included. Pure."""
