"""A gate as JUnit XML, which every CI system reads: what was not decided is skipped there, never passed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from zbench.model import Verdict
from zbench.report.gate.costs import undecided
from zbench.report.gate.nouns import GateCell
from zbench.report.gate.words import change, headline, numbers, ratio, verdict

if TYPE_CHECKING:
    from zbench.report.gate.nouns import GateContrast, GateReport

__all__ = ["junit", "junit_without_answer"]

_NO_ANSWER = 2
_ANSWER = "the question could be answered"
_FACTORS = "factor levels"
# What XML 1.0 cannot hold, not even written as a reference.
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_DECIDED = (Verdict.SAME, Verdict.FASTER)


def junit(report: GateReport) -> str:
    """Write a gate as JUnit XML.

    Parameters
    ----------
    report
        What was found.

    Returns
    -------
    str
        A suite for each environment with a case for each deciding metric of each benchmark, one with the factor
        levels, and one that says whether the gate could answer. Regressions are failures; what failed is an error;
        what says that it cannot be measured here, what is inconclusive and what was accepted are skipped.
    """
    root = _root(report.project)
    root.set("time", f"{report.spent_s:.3f}")
    _answered(root, headline(report) if report.status == _NO_ANSWER else "")
    environments = (*report.environments, *(one.environment for one in (*report.failed, *report.skipped)))
    for environment in dict.fromkeys(environments):
        _environment(root, report, environment)
    if report.contrasts:
        suite = _suite(root, _FACTORS)
        for contrast in report.contrasts:
            _judged(_case(suite, _FACTORS, contrast.name), contrast, _why_not(contrast))
    return _text(root)


def junit_without_answer(project: str, reason: str) -> str:
    """Write that a gate could not answer at all.

    Parameters
    ----------
    project
        Whose gate.
    reason
        Why.

    Returns
    -------
    str
        JUnit XML with one error.
    """
    root = _root(project)
    _answered(root, reason)
    return _text(root)


def _root(project: str) -> ET.Element:
    return ET.Element("testsuites", {"name": _legal(f"zbench gate of {project}")})


def _suite(root: ET.Element, name: str) -> ET.Element:
    return ET.SubElement(root, "testsuite", {"name": _legal(name)})


def _case(suite: ET.Element, group: str, name: str) -> ET.Element:
    return ET.SubElement(suite, "testcase", {"classname": _legal(group), "name": _legal(name)})


def _told(case: ET.Element, what: str, message: str, *, kind: str = "", text: str = "") -> None:
    element = ET.SubElement(case, what, {"message": _legal(message)} | ({"type": kind} if kind else {}))
    element.text = _legal(text) or None


def _legal(text: str) -> str:
    return _ILLEGAL.sub("\ufffd", text)


def _answered(root: ET.Element, reason: str) -> None:
    case = _case(_suite(root, "gate"), "gate", _ANSWER)
    if reason:
        _told(case, "error", reason, kind="no answer")


def _environment(root: ET.Element, report: GateReport, environment: str) -> None:
    suite = _suite(root, environment)
    for cell in report.cells:
        if cell.decides and cell.environment == environment:
            case = _case(suite, f"{environment}.{cell.benchmark}", f"{cell.cell} {cell.metric}")
            _judged(case, cell, undecided(cell, report))
    for one, what in (*((one, "error") for one in report.failed), *((one, "skipped") for one in report.skipped)):
        if one.environment == environment:
            case = _case(suite, f"{environment}.{one.cell.partition('(')[0]}", one.cell)
            _told(case, what, one.reason, kind="failed" if what == "error" else "")


def _judged(case: ET.Element, one: GateCell | GateContrast, why_not: str) -> None:
    comparison = one.comparison
    if one.is_regression:
        _told(case, "failure", _summary(one), kind="regression", text=_numbers(one))
    elif comparison.verdict is Verdict.SLOWER and one.accepted:
        _told(case, "skipped", f"accepted: {one.accepted}; {_summary(one)}")
    elif comparison.verdict is Verdict.SLOWER:
        _told(case, "skipped", f"{verdict(one)} {_summary(one)}; not certain enough to fail the gate")
    elif comparison.verdict not in _DECIDED:
        _told(case, "skipped", f"{comparison.verdict}: {why_not}")


def _summary(one: GateCell | GateContrast) -> str:
    if one.metric != "value":
        return change(one.comparison, one.metric)
    return f"ratio {ratio(one)}"


def _numbers(one: GateCell | GateContrast) -> str:
    if isinstance(one, GateCell):
        before, after = numbers(one)
        told = f"baseline {before}, candidate {after}"
    else:
        told = f"{one.cells} cells"
    p_value = "" if one.comparison.p_value is None else f", p {one.comparison.p_value:.2g}"
    pairs = f", {one.blocks} pairs" if one.blocks else ""
    return f"{told}, ratio {ratio(one)}{p_value}{pairs}"


def _why_not(contrast: GateContrast) -> str:
    return f"ratio {ratio(contrast)} over {contrast.cells} cells in {contrast.blocks} pairs"


def _text(root: ET.Element) -> str:
    """Count, as readers expect it of the writer, and write."""
    for suite in (*root, root):
        suite.set("tests", str(len(list(suite.iter("testcase")))))
        for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            suite.set(attribute, str(len(list(suite.iter(tag)))))
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'
