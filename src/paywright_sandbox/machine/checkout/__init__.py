"""
Checkout Sessions: what is sold (`lines`), how a session begins and ends (`sessions`), and what the buyer does (`paying`, `finishing`).

Nothing but the session exists until the buyer confirms. Then comes the Customer where one is needed, and a Payment Intent (a Setup Intent when
nothing is due yet but a card is wanted) that names the session as its `_owner`. A decline leaves the session open on the same intent. What
becomes of the intent is told to `finishing`, which completes the session; a subscription is made there, after the money.
"""
