"""Target ``onnx``: the bare graph, for whatever has onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from payoff.adapt.export.exported_model import ExportedModel
from payoff.adapt.export.shipped_files import ship
from payoff.artifact.artifact import Artifact
from payoff.artifact.target import Written
from payoff.core.files import whole_folder, write_bytes, write_json


class OnnxModel:
    """A folder with the graph, its tokenizer, its calibration and a program that runs them."""

    name = "onnx"
    title = "ONNX model with its tokenizer and an example program"
    options: Mapping[str, str] = {}

    def write(self, artifact: Artifact, out: Path, *, options: Mapping[str, str]) -> Written:
        """Write the folder; members that are packed are unpacked.

        Args:
            artifact: Opened.
            out: Folder to make.
            options: None.

        Raises:
            ArtifactError: PF506 where it is no single model over tokens.
            MachineError: PF801 or PF802 where it cannot be written.
        """
        model = ExportedModel.of(artifact, self.name)
        with whole_folder(out) as draft:
            write_bytes(draft / "model.onnx", model.graph)
            write_bytes(draft / "tokenizer.json", model.tokenizer)
            write_json(draft / "settings.json", model.settings())
            ship("calibration.py.txt", draft)
            ship("onnx_example.py.txt", draft, to="example.py")
            ship("onnx_readme.md.txt", draft, to="README.md", values={"name": model.name})
        fused = "It uses operators of onnxruntime (com.microsoft) that other runtimes may lack."
        return Written(out, (*model.notes(), fused), f'python {out / "example.py"} "a text"')
