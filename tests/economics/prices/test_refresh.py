"""Refreshing from real HTTP over loopback: what is stated is read, and what is not is told."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from payoff.core.errors import EconomicsError
from payoff.economics.prices import Price, PriceBook
from payoff.economics.prices.price_file import write_prices
from payoff.economics.prices.refresh import AzureRetailPrices, PriceFileSource

DAY = date(2026, 11, 29)
Answer = Callable[[str], bytes]


@contextmanager
def serving(answer: Answer) -> Iterator[str]:
    """A server on a port of the system's choice that answers each path with some bytes."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = answer(self.path)
            self.send_response(200 if content else 503)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def machine(item: str, region: str, currency: str) -> Price:
    return Price(
        provider="azure", service="virtual-machines", kind="instance", item=item, region=region,
        unit="hour", currency=currency, price=Decimal("0.1"), as_of=date(2026, 1, 1),
        source="a page", vcpu=Decimal(2), memory_gib=Decimal(8),
    )  # fmt: skip


def row(item: str, price: str, **more: str) -> dict[str, object]:
    return {
        "currencyCode": "EUR", "retailPrice": float(price), "armRegionName": "westeurope",
        "effectiveStartDate": "2026-03-01T00:00:00Z", "meterName": "D2s v5",
        "productName": "Virtual Machines Dsv5 Series", "serviceName": "Virtual Machines",
        "unitOfMeasure": "1 Hour", "type": "Consumption", "armSkuName": item,
    } | more  # fmt: skip


BOOK = PriceBook((machine("Standard_D2s_v5", "westeurope", "EUR"),))


def test_azure_is_asked_for_what_the_book_has_and_its_pages_are_read() -> None:
    asked: list[dict[str, list[str]]] = []

    def answer(path: str) -> bytes:
        parts = urlsplit(path)
        if parts.path == "/second":
            page = {"Items": [row("Standard_D2s_v5", "0.031", meterName="D2s v5 Spot")]}
            return json.dumps(page | {"NextPageLink": None}).encode()
        asked.append(parse_qs(parts.query))
        items = [
            row("Standard_D2s_v5", "0.109"),
            row("Standard_D2s_v5", "0.2", productName="Virtual Machines Dsv5 Series Windows"),
            row("Standard_D2s_v5", "0.05", meterName="D2s v5 Low Priority"),
            row("Standard_D64s_v5", "3.3"),
            row("Standard_D2s_v5", "900", type="Reservation"),
        ]
        return json.dumps({"Items": items, "NextPageLink": f"{place[0]}/second"}).encode()

    place: list[str] = []
    with serving(answer) as address:
        place.append(address)
        found = AzureRetailPrices(f"{address}/prices").prices(BOOK, DAY)
    assert [(p.commitment, p.price) for p in found] == [
        ("on_demand", Decimal("0.109")),
        ("spot", Decimal("0.031")),
    ]
    rent = found[0]
    assert (rent.as_of, rent.region, rent.currency, rent.vcpu) == (DAY, "westeurope", "EUR", 2)
    assert "2026-03-01" in rent.note
    (question,) = asked
    assert question["currencyCode"] == ["'EUR'"]
    assert "armSkuName eq 'Standard_D2s_v5'" in question["$filter"][0]
    assert "armRegionName eq 'westeurope'" in question["$filter"][0]
    book = BOOK.with_prices(found)
    assert book.get(kind="instance", item="Standard_D2s_v5").price == Decimal("0.109")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>",
        b"[]",
        b'{"Items": [{"armSkuName": "Standard_D2s_v5"}]}',
        b'{"Items": [], "NextPageLink": "http://example.invalid/more"}',
    ],
)
def test_another_answer_than_prices_is_told(content: bytes) -> None:
    with (
        serving(lambda path: content) as address,
        pytest.raises(EconomicsError, match="PF628") as caught,
    ):
        AzureRetailPrices(f"{address}/prices").prices(BOOK, DAY)
    assert "Nothing was changed" in caught.value.mend


def test_a_price_file_is_read_from_an_address_and_from_a_path(tmp_path: Path) -> None:
    text = write_prices(BOOK)
    (tmp_path / "mine.csv").write_text(text, "utf-8")
    with serving(lambda path: text.encode()) as address:
        served = PriceFileSource(f"{address}/prices.csv").prices(PriceBook(), DAY)
    assert served == list(BOOK)
    assert PriceFileSource(str(tmp_path / "mine.csv")).prices(PriceBook(), DAY) == list(BOOK)


@pytest.mark.parametrize("address", ["ftp://example.invalid/a.csv", "no-such-file.csv"])
def test_what_cannot_be_reached_is_told(address: str) -> None:
    with pytest.raises(EconomicsError, match="PF628"):
        PriceFileSource(address).prices(PriceBook(), DAY)


def test_nobody_listening_is_told() -> None:
    with serving(lambda path: b"x") as address:
        pass  # its port is closed again
    with pytest.raises(EconomicsError, match="PF628"):
        PriceFileSource(f"{address}/prices.csv").prices(PriceBook(), DAY)
