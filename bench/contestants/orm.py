"""
(a) What people write: SQLAlchemy's ORM, `SELECT … FOR UPDATE`, a balance, an entry and an idempotency key. `orm.py URL callers|http PORT`.

`callers`: the handler's body in threads. `http`: the same behind FastAPI and uvicorn.
"""

import os
import sys
import threading
from typing import Any

from protocol import CUSTOMERS, customer, serve_threads
from sqlalchemy import BigInteger, String, create_engine, event, insert, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

URL = sys.argv[1]
IS_SQLITE = URL.startswith("sqlite")
THREADS_MAX = 40  # FastAPI's pool for sync handlers.
engine = create_engine(URL, pool_size=THREADS_MAX, max_overflow=0, connect_args={"timeout": 30} if IS_SQLITE else {})
WRITER = threading.Lock()


class Base(DeclarativeBase):
    pass


class Account(Base):
    __tablename__ = "orm_accounts"
    id: Mapped[str] = mapped_column(String, primary_key=True)
    balance: Mapped[int] = mapped_column(BigInteger)


class Movement(Base):
    __tablename__ = "orm_movements"
    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(__import__("sqlalchemy").Integer, "sqlite"), primary_key=True
    )
    account_id: Mapped[str] = mapped_column(String, index=True)
    delta: Mapped[int] = mapped_column(BigInteger)
    balance_after: Mapped[int] = mapped_column(BigInteger)


class UsedKey(Base):
    __tablename__ = "orm_keys"
    key: Mapped[str] = mapped_column(String, primary_key=True)
    balance_after: Mapped[int] = mapped_column(BigInteger)


@event.listens_for(engine, "connect")
def prepare(connection: Any, _record: Any) -> None:
    if IS_SQLITE:
        for pragma in ("journal_mode=WAL", "synchronous=FULL"):
            connection.execute(f"PRAGMA {pragma}")


def fill() -> None:
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        if session.get(Account, "u_0") is None:
            session.execute(insert(Account), [{"id": f"u_{number}", "balance": 10**12} for number in range(CUSTOMERS)])
            session.commit()


def decrease(name: str, key: str) -> int:
    with Session(engine) as session:
        known = session.get(UsedKey, key)
        if known is not None:
            return known.balance_after
        account = session.scalars(select(Account).where(Account.id == name).with_for_update()).one()
        if account.balance < 1:
            raise ValueError(name)
        account.balance -= 1
        session.add(Movement(account_id=name, delta=-1, balance_after=account.balance))
        session.add(UsedKey(key=key, balance_after=account.balance))
        after = account.balance
        session.commit()
        return after


def call(is_hot: bool) -> None:
    if IS_SQLITE:  # One writer: without a queue its callers would time out.
        with WRITER:
            decrease(f"u_{customer(is_hot)}", os.urandom(12).hex())
    else:
        decrease(f"u_{customer(is_hot)}", os.urandom(12).hex())


def serve_http(port: int) -> None:
    import uvicorn
    from fastapi import FastAPI, Header, HTTPException
    from pydantic import BaseModel

    app = FastAPI()

    class Decrease(BaseModel):
        quantity: int

    @app.post("/v1/customers/user/{name}/items/credits/decrease")
    def endpoint(
        name: str, body: Decrease, authorization: str = Header(), idempotency_key: str = Header()
    ) -> dict[str, Any]:
        if authorization != "Bearer secret":
            raise HTTPException(401)
        assert body.quantity == 1
        if IS_SQLITE:
            with WRITER:
                return {"quantity": decrease(name, idempotency_key)}
        return {"quantity": decrease(name, idempotency_key)}

    uvicorn.run(app, port=port, log_level="error", access_log=False)


if __name__ == "__main__":
    fill()
    if sys.argv[2] == "http":
        serve_http(int(sys.argv[3]))
    else:
        serve_threads(call, threads_max=THREADS_MAX)
