import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnjax.reporting.metrics import MetricWriter, read_metrics
from nnjax.reporting.metrics_repair import kept, repaired


def line(step, split="train", loss=0.5):
    return json.dumps({"step": step, "epoch": 1.0, "split": split, "loss": loss, "seconds": 1.0}).encode() + b"\n"


COPY = [line(step, split) for step in (10, 20, 30) for split in ("train", "validation")]
LATER = [line(40), line(40, "validation")]
WHOLE = b"".join(COPY)


@pytest.mark.parametrize(
    ("found", "notice"),
    [
        (WHOLE, ""),
        (WHOLE + b"".join(LATER), ""),
        (WHOLE + line(40)[:-9], ""),
        (None, "the file was missing: its 6 records are restored from the checkpoint"),
        (b"", "6 of 6 records were missing or damaged (steps 10 to 30): restored from the checkpoint"),
        (WHOLE[:-9], "1 of 6 records were missing or damaged (step 30): restored from the checkpoint"),
        (WHOLE[:-1], ""),  # only the line break is gone
        (
            b"".join(COPY[:1] + COPY[3:]),
            "2 of 6 records were missing or damaged (steps 10 to 20): restored from the checkpoint",
        ),
        (WHOLE.replace(b"0.5", b"0.6", 1), "1 of 6 records were missing or damaged (step 10): restored from the checkpoint"),
        (b"\xff" + WHOLE, "1 of 6 records were missing or damaged (step 10): restored from the checkpoint"),
        (b"".join(COPY[::-1]), "records were out of order or doubled: restored from the checkpoint"),
        (b"".join(COPY[:2] + COPY), "records were out of order or doubled: restored from the checkpoint"),
        (b"[" * 5000 + b"\n" + WHOLE, "records were out of order or doubled: restored from the checkpoint"),
    ],
)
def test_the_records_up_to_the_checkpoint_are_its_copy(found, notice):
    lines, said = repaired(found, WHOLE, 30)
    assert b"".join(lines) == WHOLE
    assert said == notice


def test_a_test_record_comes_after_the_last_checkpoint_and_stays(tmp_path):
    test, later_test = line(20, "test"), line(40, "test")
    assert repaired(WHOLE + test, WHOLE, 30) == ([*COPY, test], "")
    assert repaired(WHOLE + test + later_test, WHOLE, 30) == ([*COPY, test], "")
    assert repaired(b"".join(COPY[1:]) + test, WHOLE, 30)[0] == [*COPY, test]
    # The copy holds the test of an earlier session; it may have been replaced since.
    copy = b"".join([*COPY[:4], test, *COPY[4:]])
    assert repaired(copy, copy, 30) == ([*COPY[:4], test, *COPY[4:]], "")
    again = line(20, "test", loss=0.25)
    assert repaired(WHOLE + again, copy, 30) == ([*COPY, again], "")
    lines, notice = repaired(WHOLE, copy, 30)
    assert (b"".join(lines), notice[:9]) == (copy, "1 of 7 re")


@given(data=st.data())
def test_any_damage_is_repaired_and_said(data):
    found = bytearray(WHOLE)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(found)))
        kind = data.draw(st.sampled_from(["change", "cut", "insert"]))
        if kind == "insert":
            found[place:place] = data.draw(st.binary(min_size=1, max_size=5))
        elif kind == "cut":
            del found[place : place + data.draw(st.integers(1, 80))]
        elif place < len(found):
            found[place] ^= data.draw(st.integers(1, 255))
    lines, notice = repaired(bytes(found), WHOLE, 30)
    assert b"".join(lines) == WHOLE
    intact = bytes(found).startswith(WHOLE[:-1]) and bytes(found[len(WHOLE) - 1 :])[:1] in (b"", b"\n")
    assert bool(notice) != intact or found.splitlines()[:6] == WHOLE.splitlines()


def test_the_writer_continues_with_the_copy(tmp_path):
    (tmp_path / "metrics.jsonl").write_bytes(b"".join(COPY[2:] + LATER))
    with MetricWriter(tmp_path, resume_step=30, copy=WHOLE) as writer:
        assert "2 of 6 records" in writer.notice
        writer.write(step=40, epoch=1, split="train", metrics={"loss": 0.1}, seconds=2.0)
        assert writer.until(20) == b"".join(COPY[:4])
        assert writer.until(40).startswith(WHOLE)
    assert [record["step"] for record in read_metrics(tmp_path)] == [10, 10, 20, 20, 30, 30, 40]


def test_a_link_in_the_place_of_the_file_is_not_followed(tmp_path):
    outside = tmp_path / "outside"
    (tmp_path / "run").mkdir()
    (tmp_path / "run/metrics.jsonl").symlink_to(outside)
    with MetricWriter(tmp_path / "run", resume_step=0, copy=b"") as writer:
        writer.write(step=1, epoch=1, split="train", metrics={"loss": 0.1}, seconds=2.0)
    assert not outside.exists()


@pytest.mark.parametrize(
    ("found", "steps", "notice"),
    [
        (WHOLE + LATER[0], [10, 10, 20, 20, 30, 30], ""),
        (WHOLE[:-5], [10, 10, 20, 20, 30], ""),
        (None, [], "the file is missing, with all records up to step 35; the checkpoint holds no copy"),
        (b"".join(COPY[:2]), [10, 10], "the records after step 10 up to step 30 are missing; the checkpoint holds no copy"),
        (b"x\n" + WHOLE, [10, 10, 20, 20, 30, 30], "1 record cannot be read, and is left out; the checkpoint holds no copy"),
    ],
)
def test_without_a_copy_what_is_missing_is_named(found, steps, notice):
    lines, said = kept(found, 35, evaluated=30)
    assert [json.loads(line)["step"] for line in lines] == steps
    assert said == notice
