"""The journal's tables as they are now; `migrations` brings older ones here."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

TABLES = MetaData()


def _number() -> Column[int]:
    """The order in which rows were written."""
    return Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True)


def _time() -> Column[str]:
    return Column("time_utc", String(32), nullable=False, index=True)


migrations = Table(
    "migrations",
    TABLES,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("name", String(200), nullable=False),
    Column("applied_utc", String(32), nullable=False),
)

decisions = Table(
    "decisions",
    TABLES,
    _number(),
    Column("request_id", String(200), nullable=False, unique=True),
    _time(),
    Column("artifact_sha256", String(64), nullable=False),
    Column("text_sha256", String(64), nullable=False),
    Column("action", String(1000), nullable=False),
    Column("label", String(1000), nullable=False),
    Column("probability", Float(53), nullable=False),
    Column("worth", Float(53), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("latency_ms", Float(53), nullable=False),
    # Since number 4.
    Column("customer", String(64), nullable=False, server_default="", index=True),
    Column("segment", String(1000), nullable=False, server_default=""),
    Column("tier", String(200), nullable=False, server_default=""),
    Column("cost", Float(53), nullable=False, server_default="0"),
    Column("experiment", String(100), nullable=False, server_default=""),
    Column("arm", String(100), nullable=False, server_default=""),
    Column("probabilities", LargeBinary, nullable=True),  # float32, little-endian, by label
    sqlite_autoincrement=True,  # else the numbers of rows that are forgotten come again
)

# One row a name: the secret that customers' names are hashed with.
settings = Table(
    "settings",
    TABLES,
    Column("name", String(100), primary_key=True),
    Column("value", Text, nullable=False),
)

# What came out: any number of rows a request, in whatever order they arrive.
feedback = Table(
    "feedback",
    TABLES,
    _number(),
    Column("feedback_id", String(200), nullable=False, unique=True),
    Column("request_id", String(200), nullable=False, index=True),
    _time(),
    Column("label", String(1000), nullable=False),  # what it truly was; empty where not known
    Column("correct", Integer, nullable=True),  # whether the action was right, where that is known
    Column("worth", Float(53), nullable=True),  # what it earned, where somebody knows the money
    Column("source", String(20), nullable=False),  # customer, person or system
    Column("person", String(200), nullable=False),  # who labelled, where a person did
    Column("seconds", Float(53), nullable=True),  # that the person took
    # Since number 9.
    Column("sent_by", String(200), nullable=False, server_default=""),  # the program's key
    sqlite_autoincrement=True,
)

# Which requests people were asked about by chance, and by which chance.
asked = Table(
    "asked",
    TABLES,
    _number(),
    Column("request_id", String(200), nullable=False, unique=True),
    _time(),
    Column("chance", Float(53), nullable=False),
    Column("round_id", BigInteger, nullable=False),
)

# One row a draw: of which decisions requests were drawn to be asked about.
audit_rounds = Table(
    "audit_rounds",
    TABLES,
    _number(),
    _time(),
    Column("labels_sha256", String(64), nullable=False, index=True),
    Column("until_id", BigInteger, nullable=False),  # row of the last decision of the draw
    Column("n_decisions", Integer, nullable=False),
    Column("n_asked", Integer, nullable=False),
    Column("audit_share", Float(53), nullable=False),
)

# The one table with what customers wrote: kept where the founder wants it, erased on request.
texts = Table(
    "texts",
    TABLES,
    Column("request_id", String(200), primary_key=True),
    Column("text", Text, nullable=False),
)


def _events(name: str, about: Column[str], *more: Column[str]) -> Table:
    """What happened to something, a row each."""
    facts = Column("facts", Text, nullable=False)  # JSON
    event = Column("event", String(20), nullable=False)
    return Table(name, TABLES, _number(), about, _time(), event, *more, facts)


# Events: started, ramped, promoted, stopped.
experiment_events = _events(
    "experiment_events", Column("experiment", String(100), nullable=False, index=True)
)

# Events: raised, told, untold, silenced, over.
alert_events = _events("alert_events", Column("alert", String(200), nullable=False, index=True))

# Events: made, released, withdrawn.
versions = _events(
    "version_events",
    Column("model", String(200), nullable=False, index=True),
    Column("artifact_sha256", String(64), nullable=False),
)

api_keys = Table(
    "api_keys",
    TABLES,
    Column("key_id", String(32), primary_key=True),
    Column("key_sha256", String(64), nullable=False, unique=True),
    Column("name", String(200), nullable=False),
    Column("scopes", String(200), nullable=False),
    Column("made_utc", String(32), nullable=False),
    Column("until_utc", String(32), nullable=False),  # empty for no end
    Column("withdrawn_utc", String(32), nullable=False),  # empty while it is good
)

costs = Table(
    "costs",
    TABLES,
    _number(),
    Column("booking_id", String(200), nullable=False, unique=True),
    _time(),
    Column("project", String(1000), nullable=False),
    Column("step", String(20), nullable=False),
    Column("what", String(1000), nullable=False),
    # Decimal text: a sum over the lines must be exact, and SQLite has no decimals.
    Column("quantity", String(64), nullable=False),
    Column("unit", String(64), nullable=False),
    Column("unit_price", String(64), nullable=False),
    Column("amount", String(64), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("as_of", String(10), nullable=True),
    Column("source", String(1000), nullable=False),
    Column("measured", Integer, nullable=False),
    Column("note", String(1000), nullable=False),
    Column("cpu_s", Float(53), nullable=True),
)

# What work under way may still spend: the one table whose rows are changed and taken away.
holds = Table(
    "holds",
    TABLES,
    Column("holder", String(200), primary_key=True),
    Column("project", String(1000), nullable=False, index=True),
    Column("what", String(1000), nullable=False),
    Column("amount", String(64), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("until_utc", String(32), nullable=False),
)
