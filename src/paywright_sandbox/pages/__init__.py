"""The hosted pages: HTML first, no script, no outside asset. What they do, the control API does too (control/)."""

from . import assets, authentication, checkout, console, invoice, onboarding, portal, receipt

LOADED = (assets, authentication, checkout, console, invoice, onboarding, portal, receipt)
