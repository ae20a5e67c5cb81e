"""What the tests stand on: real databases, a real browser, and a rule about what may be missing."""
