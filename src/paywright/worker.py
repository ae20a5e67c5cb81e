"""The background work (being written)."""

from paywright.engine.app import App
from paywright.environments.model import Environment


def waiting(app: App, environment: Environment) -> dict[str, int]:
    return {}
