"""`python -m paywright` is `paywright`."""

from paywright.cli import main

main(prog_name="paywright")
