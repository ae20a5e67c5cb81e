"""Migrating owners of a product to its newer version, as the API answers."""

from datetime import datetime
from typing import Literal

import msgspec

from paywright.kernel.model import Customer


class IncludedTerms(msgspec.Struct, frozen=True):
    quantity: int
    repeat: str
    expires: str


class ItemMove(msgspec.Struct, frozen=True):
    """What becomes of one included item; `before` None: new, `after` None: left out."""

    item_id: str
    change: Literal["added", "changed", "removed"]
    before: IncludedTerms | None = None
    after: IncludedTerms | None = None


class VersionOwners(msgspec.Struct, frozen=True):
    """Owners of one version as it was sold, and what a migration changes for each. `up_to_date`: nothing."""

    product_version: str
    owners: int
    up_to_date: bool
    items: list[ItemMove]


class OwnerMigration(msgspec.Struct, frozen=True):
    """
    A dry run (`id` None, `to_migrate` and `versions` filled) or a migration: of `owners` at its start so many are `migrated`, so many `unchanged`.
    """

    id: str | None
    product_id: str
    product_version: str
    dry_run: bool
    status: Literal["dry_run", "running", "completed"]
    owners: int
    to_migrate: int | None = None
    versions: list[VersionOwners] = []
    migrated: int = 0
    unchanged: int = 0
    created_at: datetime | None = None
    finished_at: datetime | None = None


class OwnerFilter(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which live owners; everything given must hold. `granted_before` is excluded."""

    source: Literal["checkout", "grant", "default", "test"] | None = None
    price_id: str | None = None
    granted_after: datetime | None = None
    granted_before: datetime | None = None
    customers: list[Customer] | None = None
