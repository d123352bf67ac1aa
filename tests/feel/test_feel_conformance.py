"""The DMN TCK and feel-scala's own tests, against the list of known failures."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.feel import conformance, scala_text
from tests.feel.conformance import Outcome


@pytest.fixture(scope="module")
def outcomes() -> list[Outcome]:
    return [outcome for path in conformance.files() for outcome in conformance.run_file(path)]


def test_what_must_pass_passes(outcomes: list[Outcome]) -> None:
    failed = [outcome for outcome in outcomes if outcome.is_required and outcome.problem]
    assert failed == []


def test_what_fails_is_listed(outcomes: list[Outcome]) -> None:
    listed = conformance.known_failures()
    unlisted = [outcome for outcome in outcomes if outcome.problem and outcome.case not in listed]
    assert unlisted == []


def test_what_passes_is_not_listed(outcomes: list[Outcome]) -> None:
    passed = {outcome.case for outcome in outcomes if not outcome.problem}
    assert passed & set(conformance.known_failures()) == set()


def test_all_cases_are_there(outcomes: list[Outcome]) -> None:
    assert len(outcomes) == 1_569 + 905


def test_other_files_of_that_form_can_be_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tck = [
        '{"expr": "a + 1", "ctx": {"a": {"t": "decimal", "v": "1"}},'
        ' "expected": {"t": "decimal", "v": "2"}, "error": false, "zeebe_passes": true}',
        '{"expr": "1", "ctx": {}, "expected": {"t": "decimal", "v": "2"}, "error": false,'
        ' "zeebe_passes": false}',
    ]
    scala = [
        '{"expr": "x", "fn": "eval", "extra_args_scala": ["Map(\\"x\\" -> 1)"], "expected": 1}',
        '{"expr": "x.y", "fn": "eval", "extra_args_scala": ["Map(\\"x\\" -> new A(2))"],'
        ' "expected": 1}',
    ]
    (tmp_path / "some-tck.jsonl").write_text("\n".join(tck) + "\n", encoding="utf-8")
    (tmp_path / "other.jsonl").write_text("\n".join(scala) + "\n", encoding="utf-8")
    monkeypatch.setenv("GREVY_FEEL", str(tmp_path))

    assert conformance.main([]) == 0

    assert capsys.readouterr().out.splitlines() == [
        "other.jsonl: 1 of 2 pass, of the ones that must: 1 of 1",
        "some-tck.jsonl: 1 of 2 pass, of the ones that must: 1 of 1",
    ]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('List(1, -2.5, "a" + "b", null, true)', "[1, -2.5, 'ab', None, True]"),
        ('Map[String, Any]("a" -> Seq(1L), "b" -> Map.empty)', "{'a': [1], 'b': {}}"),
        ("(1 to 3).toList", "[1, 2, 3]"),
        ("1 :: 2 :: Nil", "[1, 2]"),
        ('ValContext(Context.StaticContext(variables = Map("a" -> ValNumber(1))))', "{'a': 1}"),
        ("hugeList.take(2)", "[7, 8]"),
    ],
)
def test_scala_text_is_read(text: str, shown: str) -> None:
    value = scala_text.read(text, {"hugeList": [7, 8, 9]})

    assert str(value).replace("Decimal('", "").replace("')", "") == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("LocalDate.of(2026, 1, 31)", "2026-01-31"),
        ("LocalDateTime.of(2026, 1, 31, 10, 30)", "2026-01-31T10:30:00"),
        ('ZonedDateTime.of(LocalDateTime.parse("2026-01-31T10:30:00"), ZoneOffset.ofHours(-2))',
         "2026-01-31T10:30:00-02:00"),
        ('ZonedDateTime.of(LocalDateTime.parse("2026-07-31T10:30:00"), ZoneId.of("Europe/Paris"))',
         "2026-07-31T10:30:00@Europe/Paris"),
        ('OffsetTime.of(LocalTime.parse("10:30"), ZoneOffset.UTC)', "10:30:00Z"),
        ("Duration.ofHours(1).plusMinutes(30)", "PT1H30M"),
        ("Duration.ofHours(1).negated()", "-PT1H"),
        (
            'LocalDate.parse("2026-07-01").atStartOfDay().atZone(ZoneId.of("Europe/Paris"))',
            "2026-07-01T00:00:00@Europe/Paris",
        ),
        ("Period.ofYears(1).withMonths(6)", "P1Y6M"),
        ('ValDate(LocalDate.parse("2026-01-01").plusDays(1))', "2026-01-02"),
    ],
)  # fmt: skip
def test_scala_text_of_times_is_read(text: str, shown: str) -> None:
    assert str(scala_text.read(text)) == shown


@pytest.mark.parametrize("text", ["new A(2)", "context", "List(1", "f(1)", '"a" -> 1', "x.y", ""])
def test_other_scala_text_is_refused(text: str) -> None:
    with pytest.raises(scala_text.Unsupported):
        scala_text.read(text)
