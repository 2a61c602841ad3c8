import subprocess
import sys

from click.testing import CliRunner

from rag.training.commands import reader
from tests.training.tiny import invented_examples, write_examples


def run(*arguments):
    result = CliRunner().invoke(reader, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_train_evaluate_and_export(options, tmp_path):
    data = write_examples(invented_examples(), tmp_path / "own.jsonl")
    run(
        "train", "--data", data, "--out", tmp_path / "run", "--start-from", options.start_from,
        "--epochs", 1, "--batch-tokens", 400, "--threads", 1, "--name", "tiny-1",
    )  # fmt: skip
    assert "F1" in run("eval", tmp_path / "run", "--data", data)
    out = tmp_path / "report.json"
    assert "AUROC" in run("eval", tmp_path / "run" / "export", "--data", data, "--out", out)
    assert out.exists()


def test_a_run_without_data_is_refused(tmp_path):
    result = CliRunner().invoke(reader, ["train", "--out", str(tmp_path)])
    assert result.exit_code == 2
    assert "--data" in result.output


def test_naming_the_commands_loads_nothing_heavy():
    code = "import sys, rag.training.commands; print({'torch', 'onnx'} & {*sys.modules})"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "set()"
