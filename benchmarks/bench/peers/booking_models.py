"""Tables of a booking service as tutorials declare them with SQLAlchemy. `Outbox` is the poller's table."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, BigInteger, DateTime, ForeignKey, Identity, UniqueConstraint, func, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

SCHEMA = "peer"
_GRANTS = (
    f"GRANT USAGE ON SCHEMA {SCHEMA} TO booking",
    f"GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA {SCHEMA} TO booking",
)


class Base(DeclarativeBase):
    pass


class Booking(Base):
    __tablename__ = "booking"
    __table_args__ = ({"schema": SCHEMA},)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    status: Mapped[str] = mapped_column(default="pending")
    payment_status: Mapped[str] = mapped_column(default="unpaid")
    version: Mapped[int] = mapped_column(default=1)
    total: Mapped[int] = mapped_column(BigInteger)
    captured: Mapped[int] = mapped_column(BigInteger, default=0)
    confirmed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    updated_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.now(), onupdate=func.now()
    )


class Payment(Base):
    __tablename__ = "payment"
    __table_args__ = ({"schema": SCHEMA},)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    booking_id: Mapped[UUID] = mapped_column(ForeignKey(Booking.id), index=True)
    provider_payment_id: Mapped[str] = mapped_column(unique=True)
    amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str]
    recorded_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class StatusHistory(Base):
    __tablename__ = "status_history"
    __table_args__ = (UniqueConstraint("booking_id", "version"), {"schema": SCHEMA})

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    booking_id: Mapped[UUID] = mapped_column(ForeignKey(Booking.id))
    version: Mapped[int]
    from_status: Mapped[str | None]
    to_status: Mapped[str]
    changed_by: Mapped[str]
    recorded_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class ProcessedEvent(Base):
    __tablename__ = "processed_event"
    __table_args__ = ({"schema": SCHEMA},)

    event_id: Mapped[str] = mapped_column(primary_key=True)
    processed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class Outbox(Base):
    __tablename__ = "poller_outbox"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    topic: Mapped[str]
    key: Mapped[str]
    payload: Mapped[bytes]
    headers: Mapped[dict[str, Any]] = mapped_column(JSON)


def dsn_of(dsn: str) -> str:
    """Return the same for SQLAlchemy's asyncpg driver."""
    return dsn.replace("postgresql://", "postgresql+asyncpg://", 1)


async def create_tables(admin_dsn: str) -> None:
    """Make every table but the poller's, which is there, and let the service use them."""
    engine = create_async_engine(dsn_of(admin_dsn))
    try:
        async with engine.begin() as connection:
            await connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))
            await connection.run_sync(Base.metadata.create_all)
            for grant in _GRANTS:
                await connection.execute(text(grant))
    finally:
        await engine.dispose()
