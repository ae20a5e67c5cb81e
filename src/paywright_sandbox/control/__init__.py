"""The control API under /_sandbox/: what no Stripe offers. JSON in, JSON out, any test key."""

from . import accounts, checkout, deliveries, disputes, faults, health, payments, portal, settings, state, time

LOADED = (accounts, checkout, deliveries, disputes, faults, health, payments, portal, settings, state, time)
