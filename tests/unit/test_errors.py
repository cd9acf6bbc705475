"""One root, builtins that a caller expects, and errors that come through a pipe whole."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zbench import errors
from zbench.errors import RefusedError, UnknownNameError, ZbenchError

CLASSES = [getattr(errors, name) for name in errors.__all__]
BUILTINS = {
    "CodecError": ValueError,
    "DataError": OSError,
    "InsufficientSamplesError": ValueError,
    "LayoutError": ValueError,
    "PresetError": ValueError,
    "RefusedError": NotImplementedError,
    "ResultsError": ValueError,
    "UnknownNameError": LookupError,
    "VerificationError": ArithmeticError,
    "ZbenchError": Exception,
}


def by_name(cls):
    return cls.__name__


def test_every_error_class_is_public():
    defined = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)}
    assert defined == set(errors.__all__)


@pytest.mark.parametrize("cls", CLASSES, ids=by_name)
def test_an_error_is_caught_by_the_root_and_by_the_builtin_that_a_caller_expects(cls):
    assert issubclass(cls, ZbenchError)
    assert issubclass(cls, BUILTINS[cls.__name__])


@pytest.mark.parametrize("cls", CLASSES, ids=by_name)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_an_error_comes_through_a_pipe_whole(cls, protocol):
    raised = cls("Shards (3,) are not a multiple of chunks (2,).")
    raised.add_note("while storing")
    there = pickle.loads(pickle.dumps(raised, protocol))
    assert type(there) is cls
    assert (str(there), there.args) == (str(raised), raised.args)
    assert there.__notes__ == ["while storing"]
    assert type(copy.copy(raised)) is cls


@pytest.mark.parametrize("cls", CLASSES, ids=by_name)
@given(message=st.text())
def test_an_error_prints_its_message_and_nothing_else(cls, message):
    # KeyError would print quotes around it, OSError with two arguments a number in front of it.
    assert str(cls(message)) == message


def test_asv_takes_a_refusal_for_a_skip():
    from asv_runner.benchmarks.mark import SkipNotImplemented

    assert SkipNotImplemented.__base__ is NotImplementedError
    assert issubclass(RefusedError, NotImplementedError)


def test_an_unknown_name_is_told_the_nearest_one_and_all_that_exist():
    error = UnknownNameError.of(kind="dataset", name="blob", known=["noise", "blobs"])
    assert str(error) == "Unknown dataset 'blob'. Did you mean 'blobs'? Known datasets: blobs, noise."


def test_an_unknown_name_that_is_near_to_none_is_told_all_that_exist():
    error = UnknownNameError.of(kind="engine", name="qqq", known=iter(["zarrs", "tensorstore"]))
    assert str(error) == "Unknown engine 'qqq'. Known engines: tensorstore, zarrs."


def test_an_unknown_name_where_there_are_none_says_so():
    assert str(UnknownNameError.of(kind="preset", name="", known=[])) == "Unknown preset ''. Known presets: none."


def test_an_unknown_name_comes_through_a_pipe_whole():
    error = UnknownNameError.of(kind="dataset", name="blob", known=["blobs"])
    there = pickle.loads(pickle.dumps(error))
    assert (type(there), str(there)) == (UnknownNameError, str(error))
