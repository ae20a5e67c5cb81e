"""Measurements. They print tables; nothing in the test suite is timed."""
