"""
Lives of shops, drawn from a seed: people who buy, spend, switch, cancel, are refunded and dispute, while Stripe, the deliveries, the database and the
server itself fail them. Whatever happened, the books are right at the end (`invariants.py`).

A failure names its seed; `pytest tests/simulation --lives 1 --first-seed SEED` lives that life again. `--lives 200` goes on for a night.
"""
