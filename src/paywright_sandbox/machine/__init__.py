"""What happens: pure functions of (work, request or due act). See routing.py."""
