"""What is measured against what, each in a process of its own."""
