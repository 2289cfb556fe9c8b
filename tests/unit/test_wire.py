"""The message format: what is packed comes back, and what is not a message is refused with a reason."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from engine.types import Array, Problem
from engine.wire import DTYPES, pack, unpack

arrays = st.sampled_from(sorted(DTYPES)).flatmap(
    lambda kind: npst.arrays(np.dtype(kind), npst.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5))
)


@given(st.dictionaries(st.text(max_size=9), arrays, max_size=4), st.dictionaries(st.text(), st.integers(0, 9)))
def test_what_is_packed_comes_back(given_arrays: dict[str, Array], header: dict[str, int]) -> None:
    header.pop("arrays", None)
    got_header, got = unpack(pack(header, given_arrays))
    assert got_header == header
    assert got.keys() == given_arrays.keys()
    for name, array in given_arrays.items():
        assert got[name].dtype == array.dtype
        np.testing.assert_array_equal(got[name], array)


def test_arrays_lie_at_multiples_of_eight_so_that_a_browser_can_view_them() -> None:
    message = pack({"type": "x"}, {"a": np.zeros(3, np.uint8), "b": np.arange(2.0)})
    assert message.index(np.arange(2.0).tobytes()[8:]) % 8 == 0


def test_nan_and_infinity_travel_as_themselves() -> None:
    odd = np.array([np.nan, np.inf, -np.inf])
    np.testing.assert_array_equal(unpack(pack({}, {"odd": odd}))[1]["odd"], odd)


@given(st.binary(max_size=200))
def test_foreign_bytes_are_a_problem_never_a_crash(message: bytes) -> None:
    try:
        unpack(message)
    except Problem as problem:
        assert str(len(message)) in problem.en  # noqa: PT017


@given(st.data())
def test_a_damaged_message_never_reads_outside_itself(data: st.DataObject) -> None:
    message = bytearray(pack({"type": "scalars"}, {"a": np.arange(6.0).reshape(2, 3)}))
    for _ in range(3):
        message[data.draw(st.integers(0, len(message) - 1))] = data.draw(st.integers(0, 255))
    try:
        unpack(bytes(message))
    except Problem:
        return


def test_what_the_wire_does_not_carry_is_named() -> None:
    with pytest.raises(TypeError, match="complex128"):
        pack({}, {"z": np.zeros(1, np.complex128)})
