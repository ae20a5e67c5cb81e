"""`python -m tests.contract.write_tables`: renews the two files of the sandbox that are derived, the catalogue and FIDELITY.md."""

from paywright_sandbox import fidelity
from tests.contract.sdk_parameters import CATALOGUE, catalogue_text

if __name__ == "__main__":
    CATALOGUE.write_text(catalogue_text(), encoding="utf-8")
    fidelity.PATH.write_text(fidelity.as_markdown(), encoding="utf-8")
