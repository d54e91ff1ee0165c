"""`experiments.runs` as a person types it: lists, conditions, tags, and what is moved to the trash."""

import csv
import io
import json
import subprocess
import sys
from dataclasses import replace

import pytest
from made_runs import CONFIG, write_run

from experiments import runs as verb
from nnjax.api import runs_listing
from nnjax.cli import command_folders, compose
from nnjax.records import find, removal
from nnjax.records.labels import read_labels
from nnjax.reporting.console import RunConsole


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with three runs."""
    for module in (find, removal, compose, command_folders, runs_listing):
        monkeypatch.setattr(module, "project_root", lambda: tmp_path)
    monkeypatch.setenv("NNJAX_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    day = tmp_path / "outputs/train/2026-11-23"
    write_run(day / "a", accuracy=0.9)
    write_run(day / "b", accuracy=0.99, config=replace(CONFIG, seed=1))
    write_run(day / "c", status="diverged", test=None, config=replace(CONFIG, seed=2))
    return tmp_path


@pytest.fixture
def call(project, monkeypatch, capsys):
    """Runs the verb; returns the exit code, the output and the errors."""

    def called(*words):
        monkeypatch.setattr(sys, "argv", ["experiments/runs.py", *words])
        with pytest.raises(SystemExit) as ended:
            verb.main()
        return ended.value.code, *capsys.readouterr()

    return called


def names(said):
    """The folders' names at the lines' ends."""
    return [line.rpartition("/")[2] for line in said.splitlines() if "/" in line]


def test_the_runs_are_listed_and_no_folder_is_made(project, call):
    code, said, complained = call()
    assert (code, complained) == (0, "")
    head, *lines, last = said.splitlines()
    assert head.split() == ["started", "status", "model", "data", "seed", "test_accuracy", "seconds", "folder"]
    assert lines[1].split() == [
        *("2026-11-23", "14:05:09", "completed", "fnn", "digits", "1", "99.00%", "0:10"),
        "outputs/train/2026-11-23/b",
    ]
    assert last == "3 runs: 2 completed, 1 diverged"
    assert [path.name for path in (project / "outputs").iterdir()] == ["train"]


def test_conditions_order_and_limit(call):
    assert names(call("status=completed", "test_accuracy>0.95")[1]) == ["b"]
    assert names(call("sort=-test_accuracy")[1]) == ["b", "a", "c"]
    assert names(call("sort=[-seed]", "limit=1")[1]) == ["c"]
    assert call("sort=-seed", "limit=1")[1].splitlines()[-1].endswith("; 1 are shown, limit=all shows the others")
    assert names(call("where=['seed!=0']")[1]) == ["b", "c"]
    assert call("seed>1", "status=completed")[1] == "0 of 3 runs\n"


def test_a_condition_on_a_setting_shows_it(call):
    head, *_ = call("optimizer.learning_rate<0.1", "columns=+activation")[1].splitlines()
    assert head.split()[6:8] == ["optimizer.learning_rate", "activation"]


def test_columns_of_ones_own(call):
    _, said, _ = call("columns=name,num_params,training.duration", "seed=1")
    assert said.splitlines()[:2] == ["name  num_params  training.duration", "b           1234  3epochs"]


def test_folders_as_words(call, project):
    assert names(call("outputs/train/2026-11-23/b", "outputs/train/*/c")[1]) == ["b", "c"]
    code, _, complained = call("outputs/train/2026-11-32")
    assert (code, complained) == (
        2,
        "runs=outputs/train/2026-11-32: no such folder; did you mean outputs/train/2026-11-23?\n".replace(
            "outputs/train/2026-11-23?", f"{find.shown_path(project / 'outputs/train/2026-11-23')}?"
        ),
    )


def test_json_has_every_fact_and_nothing_else_is_printed(project, call):
    code, said, complained = call("format=json", "sort=seed")
    rows = json.loads(said)
    assert (code, complained, [row["name"] for row in rows]) == (0, "", ["a", "b", "c"])
    assert rows[0]["folder"] == str(project / "outputs/train/2026-11-23/a")
    assert rows[1]["test_accuracy"] == 0.99
    assert "test_accuracy" not in rows[2]
    assert json.loads(call("format=json", "columns=[name,test_accuracy]", "seed=2")[1]) == [
        {"name": "c", "test_accuracy": None}
    ]
    assert json.loads(call("format=json", "seed=9")[1]) == []


def test_csv_has_the_columns(call):
    call("seed=1", "tag=x,y")
    _, said, _ = call("format=csv", "columns=name,tags,test_accuracy", "sort=seed")
    assert list(csv.reader(io.StringIO(said))) == [
        ["name", "tags", "test_accuracy"],
        ["a", "", "0.9"],
        ["b", "x; y", "0.99"],
        ["c", "", ""],
    ]


def test_tags_and_notes(project, call):
    code, said, _ = call("test_accuracy>0.95", "tag=best,paper", "note=for 'the paper', see p. 3 [draft]: ${x}")
    assert (code, said.splitlines()[0]) == (0, "1 run changed")
    labels = read_labels(project / "outputs/train/2026-11-23/b")
    assert labels.tags == ("best", "paper")
    assert labels.notes == ("for 'the paper', see p. 3 [draft]: ${x}",)
    assert names(call("tags=best")[1]) == ["b"]
    call("tags=best", "tag=-best", "note=")
    assert read_labels(project / "outputs/train/2026-11-23/b").tags == ("paper",)
    assert read_labels(project / "outputs/train/2026-11-23/b").notes == ()


def test_a_limit_counts_for_changes_as_for_the_table(project, call):
    code, said, _ = call("sort=-test_accuracy", "limit=1", "tag=best", "note=x")
    assert (code, said.splitlines()[0], said.splitlines()[-1]) == (0, "1 run changed", "1 of 3 runs: 1 completed")
    assert names(said) == names(call("tags=best", "notes=x")[1]) == ["b"]
    assert call("seed<9", "limit=all", "tag=all")[1].startswith("3 runs changed")
    code, said, _ = call("sort=test_accuracy", "limit=1", "remove=runs", "yes=true")
    assert (code, names(said)[0], said.splitlines()[-1][:7]) == (0, "a", "1 run (")
    assert names(call("sort=seed")[1]) == ["b", "c"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["tag=best"], "tag=best: would change all 3 runs; add a condition, or name folders (set on the command line)"),
        (["remove=runs", "yes=true"], "remove=runs: would change all 3 runs; add a condition, or name folders"),
        (["tag=two words", "seed=1"], "tag=two words: must be a word of letters"),
        (["seed=9", "tag=x"], "tag=x: no run meets seed=9"),
        (["sttus=failed"], "where=sttus: no run has such a fact or setting; did you mean status?"),
        (["colums=name"], "where=colums: no run has such a fact or setting; did you mean columns?"),
        (["seconds>5s"], "where=seconds>5s: the value must be like those of the runs, such as seconds>"),
        (["sort=accuracy"], "sort=accuracy: no run has such a fact or setting"),
        (["test_accuracy>x"], "where=test_accuracy>x: x must be a number"),
        (["format=xml"], "format=xml: must be one of table, json, csv"),
        (["limit=0"], "limit=0: must be "),
        (["-m", "seed=1,2"], "-m: a list of runs is no sweep"),
        (["where=[seed=1]", "seed=2"], "where=[seed=1]: seed=2 is given, too"),
        (["runs=[outputs]", "outputs/train"], "runs=[outputs]: outputs/train is given, too"),
        (["seed=1", "remove=runs"], "remove=runs: moves or deletes nothing without yes=true, where nobody can be asked"),
        (["limit=3", "tag=best"], "tag=best: would change all 3 runs; add a condition, or name folders"),
        (["limit=1", "remove=trash"], "remove=trash: deletes the whole trash; leave out limit=1"),
        (["seed=1", "remove=trash"], "remove=trash: deletes the whole trash; leave out seed=1"),
    ],
)
def test_a_mistake_is_a_line_and_changes_nothing(project, call, words, line):
    code, _, complained = call(*words)
    assert (code, complained.splitlines()[0][: len(line)]) == (2, line)
    assert len(list(project.glob("outputs/train/*/*/summary.json"))) == 3
    assert not list(project.glob("outputs/**/labels.json"))


def test_runs_are_listed_before_they_are_moved_and_deleted_only_from_the_trash(project, call):
    code, said, _ = call("status=diverged", "remove=runs", "yes=true")
    assert code == 0
    head, line, moved = said.splitlines()
    assert head.split() == ["status", "size", "folder"]
    assert line.split()[0] == "diverged"
    assert line.endswith("outputs/train/2026-11-23/c")
    assert moved.startswith("1 run (")
    assert moved.endswith("; python -m experiments.runs remove=trash deletes for good")
    assert names(call()[1]) == ["a", "b"]
    [stamp] = [path for path in (project / "outputs/trash").iterdir() if path.is_dir()]
    assert (stamp / "train/2026-11-23/c/summary.json").exists()
    assert call("remove=trash")[0] == 2
    assert stamp.exists()
    code, said, _ = call("remove=trash", "yes=true")
    assert (code, said.splitlines()[-1].startswith("deleted ")) == (0, True)
    assert not (project / "outputs/trash").exists()
    assert call("remove=trash", "yes=true")[1] == "the trash is empty\n"
    assert names(call()[1]) == ["a", "b"]


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("YES\n", 0), ("n\n", 2), ("\n", 2), ("", 2), ("maybe\n", 2)])
def test_at_a_terminal_it_asks(project, call, monkeypatch, answer, code):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    class LiveConsole(RunConsole):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            self.live = True

    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    monkeypatch.setattr(runs_listing, "RunConsole", LiveConsole)
    ended, said, complained = call("seed=1", "remove=runs")
    assert (ended, "Move 1 run (" in said) == (code, True)
    assert (complained == "remove=runs: nothing was changed\n") == (code == 2)
    assert (project / "outputs/train/2026-11-23/b").exists() == (code == 2)


def test_checkpoints_alone_are_moved(project, call):
    code, said, _ = call("seed<2", "remove=checkpoints", "yes=true")
    assert code == 0
    assert said.splitlines()[-1].startswith("2 folders of checkpoints (2.00 kB) moved to ")
    assert sorted(path.parent.name for path in project.glob("outputs/train/*/*/checkpoints")) == ["c"]
    assert call("seed<2", "remove=checkpoints", "yes=true")[1] == "none of 2 runs has checkpoints\n"


def test_an_interrupted_move_says_how_many_were_moved(project, call, monkeypatch):
    moved, real = [], runs_listing.move_to_trash

    def interrupted(removal, stamp):
        if moved:
            raise KeyboardInterrupt
        moved.append(real(removal, stamp))
        return moved[0]

    monkeypatch.setattr(runs_listing, "move_to_trash", interrupted)
    code, said, _ = call("seed<2", "remove=runs", "yes=true")
    assert (code, said.splitlines()[-1]) == (130, "interrupted: 1 of 2 were moved")
    assert names(call()[1]) == ["b", "c"]


def test_programs_are_given_paths_and_people_words_for_a_shell(project, call):
    name = "=a b\x1b[31m"
    folder = write_run(project / "outputs/train/2026-11-24" / name)
    words = ("started=2026-11-23", "name~a b", "columns=[folder,name]")
    shown = call(*words)[1]
    assert "\x1b" not in shown
    assert "$'outputs/train/2026-11-24/=a b\\x1b[31m'" in shown
    assert json.loads(call(*words, "format=json")[1]) == [{"folder": str(folder), "name": name}]
    assert list(csv.reader(io.StringIO(call(*words, "format=csv")[1])))[1] == [str(folder), f"'{name}"]


def test_runs_elsewhere_have_a_trash_of_their_own(project, call):
    write_run(project / "mine/run")
    code, said, _ = call("mine", "remove=runs", "yes=true")
    folder = runs_listing.shown_path(project / "mine")
    assert (code, said.endswith(f"; python -m experiments.runs {folder} remove=trash deletes for good\n")) == (0, True)
    assert call("mine", "remove=trash", "yes=true")[0] == 0
    assert not (project / "mine/trash").exists()


def test_a_run_that_may_be_running_is_shown_and_stays(project, call):
    (project / "outputs/train/2026-11-23/b/metrics.jsonl").touch()
    code, said, _ = call("seed<2", "remove=runs", "yes=true")
    assert code == 0
    assert "it may be running on another machine" in said
    assert [path.name for path in (project / "outputs/train/2026-11-23").iterdir() if path.name != "c"] == ["b"]
    code, _, complained = call("seed=1", "remove=runs", "yes=true")
    assert (code, complained) == (1, "remove=runs: nothing can be moved now\n")


def test_damaged_runs_are_listed_with_the_reason(project, call):
    (project / "outputs/train/2026-11-23/a/summary.json").write_text("{")
    code, said, _ = call()
    counted, problem = said.splitlines()[-2:]
    assert (code, sorted(counted.removeprefix("3 runs: ").split(", "))) == (0, ["1 completed", "1 damaged", "1 diverged"])
    assert problem.startswith("problem: ")
    assert "summary.json: is damaged" in problem


def test_no_runs_yet(project, call):
    for path in list((project / "outputs").glob("train/*/*/config.yaml")):
        path.parent.rename(project / path.parent.name)
    assert call()[:2] == (0, "no runs yet in outputs; python -m experiments.train makes one\n")
    assert call("format=json")[1] == "[]\n"


def test_help_and_config_are_shown(call):
    assert call("--help")[1].startswith("Lists the runs in outputs/")
    assert "yes: false" in call("--cfg", "job")[1].replace("'", "")
    assert "conf/runs.yaml" in call("--explain", "yes")[1]


def test_a_list_loads_neither_jax_nor_numpy(project):
    program = (
        "import sys\nfrom nnjax.api.runs_listing import run_listing\nfrom nnjax.cli.compose import compose_config\n"
        "from nnjax.config.runs_options import RunsConfig\nrun_listing(compose_config('runs', [], RunsConfig))\n"
        "sys.exit(', '.join({'jax', 'numpy'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=project)
    assert (done.returncode, done.stderr) == (0, "")
