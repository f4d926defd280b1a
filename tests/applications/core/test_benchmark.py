"""The benchmark: its sums on made-up numbers, its workers on tiny cases. No time is asserted."""

import importlib.util
import json
import os
import statistics
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from applications.core.benchmark import case, command, contestants, driver, numbers, report, suites, worker
from applications.core.benchmark.case import Case
from applications.core.benchmark.driver import Measured
from applications.core.benchmark.run import run, with_names
from applications.core.benchmark.targets import TARGETS, Target

ROOT = Path(__file__).resolve().parents[3]
BACKEND = os.environ["KERAS_BACKEND"]
TINY = (2, 3, 4, 5)
OURS = Case("zoo", "LSTM", BACKEND, TINY)
THEIRS = replace(OURS, peer="keras")


@pytest.fixture(scope="module")
def libraries():
    with driver.Libraries(threads=1) as started:
        yield started


def silent(text):
    pass


# --- numbers ---------------------------------------------------------------------------------------------


def test_a_ratio_is_of_medians_and_its_spread_of_rounds():
    found = numbers.ratio([([2.0, 4.0, 9.0], [1.0, 2.0, 3.0])])
    assert found == numbers.Spread(4.0 / 2.0, 2.0, 2.5)


def test_a_ratio_is_the_geometric_mean_over_shapes():
    found = numbers.ratio([([1.0, 1.0], [2.0, 2.0]), ([8.0, 8.0], [1.0, 1.0])])
    assert found.value == found.low == found.high == pytest.approx(2.0)
    assert numbers.ratio([([1.0], [2.0]), ([8.0], [1.0])], [2.0, 0.5]).value == pytest.approx(2.0)


def test_rounds_that_do_not_match_are_no_ratio():
    with pytest.raises(ValueError):
        numbers.ratio([([1.0, 2.0], [1.0])])


def test_quartiles():
    assert numbers.median([5.0, 1.0, 2.0, 3.0, 4.0]) == numbers.Spread(3.0, 2.0, 4.0)
    assert numbers.median([7.0]) == numbers.Spread(7.0, 7.0, 7.0)


@pytest.mark.parametrize(
    ("must", "aim", "value", "verdict"),
    [
        (0.65, 0.4, 0.4, "met aim"),
        (0.65, 0.4, 0.65, "met must"),
        (0.65, 0.4, 0.66, "missed"),
        (1.1, None, 0.2, "met must"),
        (1.1, None, 1.2, "missed"),
    ],
)
def test_verdict(must, aim, value, verdict):
    assert Target("words", must, aim).verdict(value) == verdict


# --- suites ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("plan", [suites.Plan(), suites.Plan().quick()], ids=["full", "quick"])
def test_every_number_to_reach_has_a_comparison(plan):
    rows = [row for suite in suites.SUITES.values() for row in suite(plan)]
    assert {row.target for row in rows} - {None} == set(TARGETS)
    assert all(row.cases for row in rows)


def test_what_is_compared_is_in_one_group_and_in_no_other():
    a, b, c, d, e = (replace(OURS, layer=name) for name in "ABCDE")
    rows = [
        suites.Comparison("", {"jax": [(a, b)]}),
        suites.Comparison("", {"jax": [(c, d)]}),
        suites.Comparison("", {"jax": [(e, None)], "torch": [(b, c)]}),
    ]
    groups = [set(group) for group in suites.connected(rows)]
    assert sorted(map(len, groups)) == [1, 4]
    assert {e} in groups


def test_a_plan_of_one_backend_asks_for_no_other_of_ours():
    plan = suites.Plan(backends=("jax",), loops=("plain",))
    ours = [one for suite in suites.SUITES.values() for row in suite(plan) for one in row.cases]
    assert {one.backend for one in ours if one.peer in ("zoo", "keras", "import")} == {"jax"}
    assert "plain" in {one.loop for one in ours}


def test_labels():
    assert OURS.label == f"zoo.layers.LSTM on {BACKEND}"
    special = replace(OURS, loop="plain", padding="most", dropout=0.2)
    assert special.label.endswith(", loop=plain, padding=most, recurrent_dropout=0.2")
    values = json.loads(json.dumps(report.measurement("train", special, Measured())))
    assert Case.from_dict({name: values[name] for name in Case.__dataclass_fields__}) == special


# --- contestants and workers -----------------------------------------------------------------------------


@pytest.mark.parametrize("train", [True, False], ids=["train", "forward"])
@pytest.mark.parametrize("peer", ["keras", "zoo"])
def test_a_contestant_steps(peer, train):
    one = contestants.build(replace(OURS, peer=peer, train=train, padding="half", dropout=0.2 * train))
    one.step()
    assert one.products == 4 * (4 + 5) * 5
    assert one.device


@pytest.mark.backend("torch")
@pytest.mark.parametrize("layer", ["LSTM", "GRU"])
def test_torch_steps(layer):
    one = contestants.build(Case("torch", layer, "torch", TINY))
    one.step()
    assert one.products == {"LSTM": 4, "GRU": 3}[layer] * (4 + 5) * 5


def test_padding_is_to_the_right_and_of_the_lengths_it_says():
    for padding, (low, high) in (("half", (50, 100)), ("most", (1, 25))):
        mask = contestants.Data.of(Case("zoo", "LSTM", BACKEND, (64, 100, 1, 1), padding=padding)).mask
        lengths = mask.sum(1)
        assert low <= lengths.min() < lengths.max() <= high
        assert all(row[:length].all() for row, length in zip(mask, lengths, strict=True))
    assert contestants.Data.of(OURS).mask is None


def test_contestants_take_turns(libraries):
    said = []
    found = driver.race([OURS, THEIRS], libraries, 2, 0.0, said.append)
    assert list(found) == [OURS, THEIRS]
    for one in found.values():
        assert one.error is None
        assert len(one.rounds_ms) == 2
        assert one.steps == 2 * worker.LEAST_STEPS
        assert one.about["first_step_s"] > 0
        assert one.about["peak_mb"] >= one.about["before_mb"] > 1
    ours, theirs = OURS.label, THEIRS.label
    assert said[:2] == [f"{ours}: first step", f"{theirs}: first step"]
    assert [text.split(":")[0] for text in said[2:]] == [ours, theirs, theirs, ours]


def test_a_contestant_that_fails_is_a_row_and_the_others_go_on(libraries):
    wrong = [replace(OURS, layer="LSTN"), replace(OURS, loop="spiral")]
    found = driver.race([*wrong, OURS], libraries, 1, 0.0, silent)
    assert "LSTN" in found[wrong[0]].error
    assert "spiral" in found[wrong[1]].error
    assert found[OURS].error is None
    row = report.row("train", suites.Comparison("a against b", {BACKEND: [(wrong[0], OURS)]}, "gated"), found)
    assert row["verdict"] == "not measured"
    assert row["value"] is None
    assert "LSTN" in row["reason"]


def test_a_worker_that_dies_is_an_error_and_a_new_one_lives(libraries):
    first = libraries.worker("zoo", BACKEND)
    os.kill(first.pid, 9)
    with pytest.raises(driver.WorkerError, match="its process died: without a word"):
        first.ask("names", peer="zoo")
    first.close()
    second = libraries.worker("zoo", BACKEND)
    names = second.ask("names", peer="zoo")
    second.close()
    assert "LSTM" in names["gated"]
    assert "MinGRU" in set(names["layers"]) - set(names["gated"])


def test_a_worker_that_does_not_answer_is_ended(libraries):
    one = libraries.worker("zoo", BACKEND)
    one.channel.settimeout(0.01)
    with pytest.raises(driver.WorkerError, match="no answer"):
        one.ask("build", case=asdict(OURS))
    one.close()


def test_a_fresh_start_is_a_first_step_each_time(libraries):
    found = driver.start_afresh([OURS], libraries, 2, silent)[OURS]
    assert len(found.rounds_ms) == found.steps == 2
    assert found.rounds_ms[1] == pytest.approx(1000 * found.about["first_step_s"])


def test_a_peer_that_is_missing_says_so(monkeypatch):
    monkeypatch.setattr(worker, "find_spec", lambda name: None)
    fault = worker._imported("torchrecurrent", 1)
    assert fault == "torch is not installed"
    assert worker.Worker(fault).answer("build", case={}) == {"error": fault}


def test_a_peer_that_is_broken_says_so(tmp_path, monkeypatch):
    (tmp_path / "torchrecurrent.py").write_text("raise OSError('no such library')")
    (tmp_path / "torch.py").write_text("def set_num_threads(count): pass")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    broken = Case("torchrecurrent", "PeepholeLSTM", "torch", TINY)
    with driver.Libraries(threads=1) as started:
        found = driver.race([broken], started, 1, 0.0, silent)
    assert found[broken].error == "torchrecurrent cannot be imported: OSError: no such library"


def test_a_peer_whose_process_dies_says_so(tmp_path, monkeypatch):
    (tmp_path / "torch.py").write_text("import os; os._exit(3)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with driver.Libraries(threads=1) as started, pytest.raises(driver.WorkerError, match="died"):
        started.worker("torch", "torch")


def test_names_of_peers_have_modules():
    assert set(contestants.MODULES) | {"import"} == set(case.PACKAGES)


# --- the report ------------------------------------------------------------------------------------------

ROW = set("suite name what backend unit value spread numbers target must aim verdict reason".split())


def made_up(*rounds):
    return Measured({"products": 10, "first_step_s": 0.5, "peak_mb": 300.0, "device": "CPU"}, list(rounds), 9)


def test_row_of_a_ratio():
    comparison = suites.Comparison("a against b", {"jax": [(OURS, THEIRS)]}, "train_jax_keras")
    row = report.row("train", comparison, {OURS: made_up(2.0, 2.0), THEIRS: made_up(4.0, 4.0)})
    assert set(row) == ROW
    assert (row["value"], row["spread"], row["verdict"]) == (0.5, [0.5, 0.5], "met aim")
    assert row["numbers"] == [{"shape": list(TINY), "ms": 2.0, "against_ms": 4.0, "ratio": 0.5}]
    assert (row["target"], row["must"]) == (TARGETS["train_jax_keras"].words, 0.9)


def test_row_at_equal_work():
    small = made_up(1.0)
    small.about["products"] = 5
    comparison = suites.Comparison("", {"jax": [(OURS, THEIRS)]}, "gated", per_work=True)
    row = report.row("gated", comparison, {OURS: small, THEIRS: made_up(1.0)})
    assert (row["value"], row["numbers"][0]["ratio"], row["verdict"]) == (2.0, 2.0, "missed")


def test_row_of_the_best_backend_leaves_out_what_failed():
    cases = [replace(OURS, backend=name) for name in ("tensorflow", "jax", "torch")]
    found = {
        cases[0]: made_up(3.0),
        cases[1]: made_up(2.0),
        cases[2]: Measured(error="no"),
        THEIRS: made_up(1.0),
    }
    comparison = suites.Comparison("", {one.backend: [(one, THEIRS)] for one in cases}, "inference")
    row = report.row("inference", comparison, found)
    assert (row["backend"], row["value"], row["verdict"]) == ("jax", 2.0, "missed")


def test_row_of_seconds():
    comparison = suites.Comparison("", {"jax": [(OURS, None)]}, "compile")
    row = report.row("compile", comparison, {OURS: made_up(1500.0, 2500.0)})
    assert (row["unit"], row["value"], row["verdict"]) == ("s", 2.0, "met must")


def test_row_for_information_has_no_verdict():
    found = {OURS: made_up(1.0), THEIRS: made_up(1.0)}
    row = report.row("train", suites.Comparison("", {"jax": [(OURS, THEIRS)]}), found)
    assert (row["value"], row["verdict"], row["target"], row["name"]) == (1.0, None, None, "train")


def test_a_run_ends_in_json_and_tables(libraries, monkeypatch):
    monkeypatch.setitem(
        suites.SUITES, "train", lambda plan: [suites.Comparison("x", {BACKEND: [(OURS, THEIRS)]}, "gated")]
    )
    shown = []
    result = run(["train"], suites.Plan(rounds=2, seconds=0.0), libraries, silent, shown.append)
    result = json.loads(json.dumps(result))
    [row], measured = result["rows"], result["measurements"]
    assert set(row) == ROW
    assert row["numbers"][0]["ms"] == statistics.median(measured[0]["rounds_ms"])
    assert [one["label"] for one in measured] == [OURS.label, THEIRS.label]
    assert "# train" in shown[0]
    assert THEIRS.label in shown[0]


def test_names_come_from_the_layers_themselves(libraries):
    plan = with_names(suites.Plan(backends=(BACKEND,)), libraries)
    assert {"SimpleRNN", "LSTM", "CIFGLSTM"} <= set(plan.gated)
    assert "GRUResetBefore" not in plan.gated
    assert "LSTM" not in plan.shared


def test_import_is_timed():
    one = Case("import", "layers", BACKEND, ())
    found = driver.import_ours([one], 1, silent)[one]
    assert found.error is None
    assert found.rounds_ms[0] > 0


# --- the command -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--suite", "trian"], "did you mean 'train'"),
        (["--backend", "tensorflo"], "did you mean 'tensorflow'"),
        (["--rounds", "0"], "--rounds: found 0"),
        (["--json", "nowhere/x.json"], "there is no folder nowhere"),
        (["--json", "here.json"], "here.json exists"),
    ],
)
def test_mistakes_are_told_in_a_line(arguments, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here.json").write_text("")
    assert command.main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert words in printed.err


def test_list(capsys):
    assert command.main(["--list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(suites.SUITES)


@pytest.mark.parametrize("where", ["new.json", "-"])
def test_json(where, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = []
    monkeypatch.setattr(
        command, "run", lambda *given: asked.append(given) or {"rows": [], "measurements": []}
    )
    arguments = ["--suite", "train", "dropout", "--quick", "--rounds", "2", "--json", where]
    assert command.main([*arguments, "--loops", "plain"]) == 0
    [(names, plan, started, *_)] = asked
    assert (names, plan.rounds, plan.loops, started.threads) == (["train", "dropout"], 2, ("plain",), 2)
    text = capsys.readouterr().out if where == "-" else Path(where).read_text()
    found = json.loads(text)
    assert found["command"] == "scripts/benchmark.py --suite train dropout --quick --rounds 2 --loops plain"
    assert {"date", "threads", "machine", "versions", "minutes", "rounds", "rows"} <= set(found)
    assert {"processor", "cores", "memory_gb", "load_average"} <= set(found["machine"])


def test_interrupt(monkeypatch, capsys):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "run", stop)
    assert command.main(["--suite", "train"]) == 130


# --- the page --------------------------------------------------------------------------------------------


@pytest.fixture
def generate():
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs/generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_page_copies_the_numbers(generate, monkeypatch):
    plain = replace(OURS, loop="plain", train=False)
    found = {OURS: made_up(2.0), THEIRS: made_up(4.0), plain: Measured(error="a|b")}
    rows = [
        suites.Comparison("LSTM against Keras", {"jax": [(OURS, THEIRS)]}, "train_jax_keras"),
        suites.Comparison("Keras against LSTM", {"jax": [(THEIRS, OURS)]}),
        suites.Comparison("plain", {"jax": [(plain, OURS)]}),
    ]
    made = {
        "date": "2026-01-02",
        "command": "scripts/benchmark.py",
        "threads": 2,
        "minutes": 31.5,
        "rounds": 7,
        "machine": report.machine(),
        "versions": report.versions(),
        "rows": [report.row("train", row, found) for row in rows],
        "measurements": [report.measurement("train", *one) for one in found.items()],
    }
    monkeypatch.setattr(generate, "_speed", lambda: json.loads(json.dumps(made)))
    words = TARGETS["train_jax_keras"].words
    assert generate.speed_table().splitlines()[2:] == [
        f"| {words} | LSTM against Keras | jax | 0.50 | 0.50 to 0.50 | 0.9 | 0.6 | met aim |"
    ]
    assert generate.speed_others_table().splitlines()[2:] == [
        "| Keras against LSTM | jax | 2.00 | 2.00 to 2.00 |",
        rf"| plain | jax | - | {plain.label}: a\|b |",
    ]
    assert generate.speed_times_table().splitlines() == [
        "| step | contestant | 2×3×4×5 | first step, s | peak, MB |",
        "| --- | --- | ---: | ---: | ---: |",
        f"| training | {OURS.label} | 2.0 | 0.50 | 300 |",
        f"| training | {THEIRS.label} | 4.0 | 0.50 | 300 |",
        f"| forward | {plain.label} | - | - | - |",
    ]
    assert "2026-01-02" in generate.speed_machine()
    assert "on CPU" in generate.speed_machine()


def test_page_without_numbers_says_so(generate, monkeypatch):
    monkeypatch.setattr(generate, "_speed", lambda: None)
    tables = generate.BLOCKS["docs/guides/speed.md"].values()
    assert {table() for table in tables} == {generate.NOT_YET}
