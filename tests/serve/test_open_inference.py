"""The Open Inference Protocol over TCP, by hand and with a client that others wrote."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest
from tests.economics.pair_artifact import pair_artifact

from payoff.core.errors import ArtifactError
from payoff.economics.desk import Desk
from payoff.learn.journal import Journal
from payoff.serve.app import create_app

from .conftest import answering

Serve = Callable[..., httpx.Client]
TEXTS = ["someone took my card", "我要退款", "charged twice"]


def tensor(data: list[Any], **changes: Any) -> dict[str, Any]:
    return {"name": "text", "shape": [len(data)], "datatype": "BYTES", "data": data} | changes


def outputs(response: httpx.Response) -> dict[str, dict[str, Any]]:
    assert response.status_code == 200, response.text
    return {one["name"]: one for one in response.json()["outputs"]}


def infer(client: httpx.Client, *inputs: dict[str, Any], **more: Any) -> httpx.Response:
    return client.post("/v2/models/tickets/infer", json={"inputs": list(inputs), **more})


def test_it_decides_as_the_desk_does(serve: Serve, desk: Desk, journal: Journal) -> None:
    client = serve(journal=journal)
    answer = infer(client, tensor(TEXTS), id="42")
    found = outputs(answer)
    assert list(found) == ["label", "action", "probabilities"]
    decisions = desk.decide_many(TEXTS)
    assert found["label"]["data"] == [one.label for one in decisions]
    assert found["action"]["data"] == [one.action for one in decisions]
    probabilities = found["probabilities"]
    assert (probabilities["shape"], probabilities["datatype"]) == ([3, 3], "FP64")
    rows = np.reshape(probabilities["data"], probabilities["shape"])
    assert np.abs(rows - desk.probabilities(TEXTS)).max() < 1e-9
    assert (answer.json()["id"], answer.json()["model_name"]) == ("42", "tickets")
    assert answer.json()["model_version"] == desk.artifact.sha256
    again = infer(client, tensor([[text] for text in TEXTS], shape=[3, 1]), id="42")
    assert outputs(again) == found
    assert journal.count() == 6  # an id of the protocol is no name for ever


def test_only_the_outputs_that_are_wanted(serve: Serve) -> None:
    client = serve()
    wanted = [{"name": "probabilities"}, {"name": "label"}]
    assert list(outputs(infer(client, tensor(["a"]), outputs=wanted))) == ["probabilities", "label"]
    assert outputs(infer(client, tensor(["a"]), outputs=[])) == {}
    assert outputs(infer(client, tensor([])))["label"]["data"] == []


def test_segments_and_pairs_go_beside_the_texts(serve: Serve, tmp_path: Any) -> None:
    segments = tensor(["big", "small", "big"], name="segment")
    assert len(outputs(infer(serve(), tensor(TEXTS), segments))["label"]["data"]) == 3
    from payoff.economics.desk import load

    with load(pair_artifact(tmp_path), threads=1) as pairs:
        with answering(create_app(pairs)) as client:
            address = f"/v2/models/{pairs.name}"
            names = [one["name"] for one in client.get(address).json()["inputs"]]
            assert names == ["text", "pair", "segment"]
            body = {"inputs": [tensor(["a b"]), tensor(["b c"], name="pair")]}
            found = outputs(client.post(f"{address}/infer", json=body))
        assert found["label"]["data"] == [pairs.decide("a b", pair="b c").label]


def test_health_and_metadata(serve: Serve, desk: Desk) -> None:
    client = serve()
    assert client.get("/v2").json()["extensions"] == []
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"ready": True}
    assert client.get("/v2/models/tickets/ready").json() == {"name": "tickets", "ready": True}
    model = client.get("/v2/models/tickets").json()
    assert model["versions"] == [desk.artifact.sha256]
    assert [one["name"] for one in model["inputs"]] == ["text", "segment"]
    assert model["outputs"][2]["shape"] == [-1, 3]
    assert model["parameters"]["labels"] == list(desk.labels)


BAD = [
    ([], "PF701 body.inputs: none (expected 'text'"),
    ([tensor(["a"], name="txt")], "PF701 body.inputs.txt: there is no such input"),
    ([tensor(["a"], datatype="FP32")], "PF701 body.inputs.text: datatype 'FP32'"),
    ([tensor(["a"], shape=[2])], "PF701 body.inputs.text: 1 values in shape [2]"),
    ([tensor(["a"], shape=[1, 2])], "PF701 body.inputs.text: shape [1, 2]"),
    ([tensor(["a"], shape=[])], "PF701 body.inputs.text: shape []"),
    ([tensor(["a"], shape=[-1])], "PF701 body.inputs.text: 1 values in shape [-1]"),
    ([tensor(["a", 1])], "PF701 body.inputs.text: data that is no text"),
    ([tensor([["a", "b"]])], "PF701 body.inputs.text: data that is no text"),
    ([tensor(["a"]), tensor(["b", "c"], name="segment")], "PF701 body.inputs: text, segment"),
    ([tensor(["a"], name="pair")], "PF701 body.inputs: pair"),
    ([tensor(["a"]), tensor(["b"])], "PF701 body.inputs: text, text (expected 'text' once"),
    ([tensor([" "])], "PF105 text 1"),
    ([tensor(["a"] * 5)], "PF702 body.texts: 5 texts"),
    ([tensor(["a" * 40])], "PF702 body: text 1 has 40 bytes"),
    ([{"name": "text"}], "problems"),
    ([tensor(["a"]) | {"data": "a"}], "PF701 body.inputs.0.data"),
]


def test_bad_requests_are_told_as_the_protocol_does(serve: Serve) -> None:
    client = serve(max_texts=4, max_text_bytes=30)
    for inputs, said in BAD:
        response = infer(client, *inputs)
        assert 400 <= response.status_code < 500
        assert list(response.json()) == ["error"]
        assert said in response.json()["error"]
    many = infer(client, *[tensor(["a"], name="x" * 300, shape=[10**40])] * 60)
    assert "20 problems" in many.json()["error"]
    twice = infer(client, *[tensor(["a"])] * 100)
    assert len(many.text) < 5000 > len(twice.text)


def test_other_refusals(serve: Serve, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    client = serve()
    nobody = client.post("/v2/models/ticket/infer", json={"inputs": [tensor(["a"])]})
    assert (nobody.status_code, nobody.json()["error"][:5]) == (404, "PF711")
    assert client.get("/v2/models/ticket/ready").status_code == 404
    assert client.post("/v2/models/tickets/infer", content=b"{").status_code == 422
    header = {"Inference-Header-Content-Length": "10"}
    binary = client.post("/v2/models/tickets/infer", content=b"{}", headers=header)
    assert "binary_data=False" in binary.json()["error"]
    named = infer(client, tensor(["a"]), outputs=[{"name": "labels"}])
    assert "Did you mean 'label'?" in named.json()["error"]

    def broken(*_: Any) -> None:
        raise ArtifactError("PF504", "model.onnx", "it is cut short")

    monkeypatch.setattr(desk.artifact, "runtime", broken)
    for address in ("health", "models/tickets"):
        response = client.get(f"/v2/{address}/ready")
        assert (response.status_code, response.json()["error"][:5]) == (503, "PF710")
    assert client.get("/ping").status_code == 503


def test_a_client_of_triton(serve: Serve, desk: Desk) -> None:
    triton = pytest.importorskip("tritonclient.http", reason="pip install 'tritonclient[http]'")
    address = urlsplit(str(serve().base_url)).netloc
    with triton.InferenceServerClient(url=address) as client:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("tickets")
        assert not client.is_model_ready("nobody")
        metadata = client.get_model_metadata("tickets")
        assert metadata["outputs"][0] == {"name": "label", "datatype": "BYTES", "shape": [-1]}
        texts = np.array(TEXTS, dtype=object)
        given = triton.InferInput("text", list(texts.shape), "BYTES")
        given.set_data_from_numpy(texts, binary_data=False)
        result = client.infer("tickets", [given], request_id="7")
        assert result.as_numpy("label").tolist() == [d.label for d in desk.decide_many(TEXTS)]
        found = result.as_numpy("probabilities")
        assert found.shape == (3, 3)
        assert np.abs(found - desk.probabilities(TEXTS)).max() < 1e-9
        assert result.get_response()["id"] == "7"
        given.set_data_from_numpy(texts)
        with pytest.raises(triton.InferenceServerException, match=r"PF701.*binary"):
            client.infer("tickets", [given])


def test_what_sagemaker_asks(serve: Serve, desk: Desk, journal: Journal) -> None:
    client = serve(journal=journal)
    assert client.get("/ping").status_code == 200
    answer = client.post("/invocations", json={"texts": TEXTS})
    assert answer.json()["decisions"] == [one.as_dict() for one in desk.decide_many(TEXTS)]
    assert client.post("/invocations", content=b"{").json()["error"]["code"] == "PF701"
    assert journal.count() == 3
