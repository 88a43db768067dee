"""A pretended device: arrays that refuse to mix with NumPy, and Thinc Ops over them.

There is no GPU in CI, so this stands in for CuPy. A `DeviceArray` wraps a NumPy array, is not one, and raises a
TypeError where CuPy raises, or would silently go through the host: a NumPy function or a NumPy array meets it, a NumPy
array indexes it or is assigned to it. The ways across are the explicit ones: `ops.asarray`, `ops.to_numpy`, `.get()`,
`ops.xp.asarray`, DLPack. It is stricter than CuPy in one way: NumPy functions that CuPy would take over are refused.

    with strict_device() as ops:
        model._to_ops(ops)
        Y, backprop = model(X, is_train=True)
        backprop(on_device(dY, ops))
        assert_on_device([Y, model])
"""

import contextlib
import operator
from typing import Any, Iterator
from unittest import mock

import numpy
import thinc.util
from thinc.api import Model, NumpyOps, Ops
from thinc.types import Padded, Ragged

HOST = NumpyOps()
UPLOADS = {"array", "asarray", "ascontiguousarray", "asfortranarray", "from_dlpack"}  # may take what lies on the host
ON_HOST = {"xp.split": 1, "xp.array_split": 1, "xp.repeat": 1, "xp.tile": 1}  # arguments that CuPy wants there
MISSING = {"vectorize", "frompyfunc", "char", "rec", "ma", "nditer", "ndenumerate", "matrix", "memmap", "recarray"}


class DeviceError(TypeError):
    """The device's data met the host's."""


class DeviceArray:
    """A NumPy array in hiding."""

    __array_ufunc__ = None  # so that NumPy's operators leave the work, and the refusal, to ours
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, host: Any) -> None:
        host = numpy.asarray(host)
        if host.dtype.kind not in "biufc":
            raise DeviceError(f"no such type on the device: {host.dtype}")
        self._host = host

    def get(self) -> numpy.ndarray:
        return self._host.copy()

    def __array__(self, *args: Any, **kwargs: Any) -> numpy.ndarray:
        raise DeviceError("implicit conversion to a NumPy array; use .get()")

    def __array_function__(self, function: Any, *args: Any) -> Any:
        raise DeviceError(f"numpy.{function.__name__} met an array of the device; use ops.xp")

    def __dlpack__(self, **kwargs: Any) -> Any:
        return self._host.__dlpack__(**kwargs)

    def __dlpack_device__(self) -> Any:
        return self._host.__dlpack_device__()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in ("data", "base", "ctypes", "numpy") or not hasattr(numpy.ndarray, name):
            raise AttributeError(f"an array of the device has no {name!r}")
        value = getattr(self._host, name)
        if name in ("tolist", "item", "tobytes"):
            return value
        return _on_device(name, value) if callable(value) else _wrap(value)

    def __getitem__(self, index: Any) -> "DeviceArray":
        return _wrap(self._host[_unwrap(index, "index")])

    def __setitem__(self, index: Any, value: Any) -> None:
        self._host[_unwrap(index, "index")] = _unwrap_operand(value, "assignment")

    def __len__(self) -> int:
        return len(self._host)

    def __iter__(self) -> Iterator["DeviceArray"]:
        return (self[i] for i in range(len(self._host)))

    def __bool__(self) -> bool:
        return bool(self._host)

    def __int__(self) -> int:
        return int(self._host)

    def __float__(self) -> float:
        return float(self._host)

    def __index__(self) -> int:
        return operator.index(self._host.item())

    def __repr__(self) -> str:
        return f"DeviceArray({self._host!r})"


def _add_operators() -> None:
    def binary(name: str) -> Any:
        def method(self: DeviceArray, other: Any) -> Any:
            return _wrap(getattr(self._host, name)(_unwrap_operand(other, name)))

        return method

    def in_place(name: str) -> Any:
        def method(self: DeviceArray, other: Any) -> Any:
            self._host = getattr(self._host, name)(_unwrap_operand(other, name))
            return self

        return method

    def unary(name: str) -> Any:
        return lambda self: _wrap(getattr(self._host, name)())

    for stem in (
        "add",
        "sub",
        "mul",
        "truediv",
        "floordiv",
        "mod",
        "pow",
        "matmul",
        "and",
        "or",
        "xor",
        "lshift",
        "rshift",
    ):
        setattr(DeviceArray, f"__{stem}__", binary(f"__{stem}__"))
        setattr(DeviceArray, f"__r{stem}__", binary(f"__r{stem}__"))
        setattr(DeviceArray, f"__i{stem}__", in_place(f"__i{stem}__"))
    for stem in ("lt", "le", "eq", "ne", "gt", "ge"):
        setattr(DeviceArray, f"__{stem}__", binary(f"__{stem}__"))
    for stem in ("neg", "pos", "abs", "invert"):
        setattr(DeviceArray, f"__{stem}__", unary(f"__{stem}__"))


def _wrap(value: Any) -> Any:
    if isinstance(value, (numpy.ndarray, numpy.generic)):
        return DeviceArray(value)
    if isinstance(value, (list, tuple)) and any(isinstance(each, numpy.ndarray) for each in value):
        return type(value)(map(_wrap, value))
    return value


def _unwrap(value: Any, what: str) -> Any:
    if isinstance(value, DeviceArray):
        return value._host
    if isinstance(value, numpy.ndarray):
        raise DeviceError(f"{what}: a NumPy array of shape {value.shape} met the device; use ops.asarray")
    if isinstance(value, (list, tuple)):
        return type(value)(_unwrap(each, what) for each in value)
    if isinstance(value, dict):
        return {key: _unwrap(each, what) for key, each in value.items()}
    return value


def _unwrap_operand(value: Any, what: str) -> Any:
    if isinstance(value, (list, tuple)):
        raise DeviceError(f"{what}: a {type(value).__name__} met the device; use ops.asarray")
    return _unwrap(value, what)


def _on_device(name: str, function: Any) -> Any:
    def call(*args: Any, **kwargs: Any) -> Any:
        sizes = ON_HOST.get(name)
        _demand(sizes is None or not isinstance(args[sizes], DeviceArray), f"{name}: sizes belong on the host")
        unwrapped = [arg if i == sizes else _unwrap(arg, name) for i, arg in enumerate(args)]
        result = function(*unwrapped, **_unwrap(kwargs, name))
        return _wrap(result) if kwargs.get("out") is None else kwargs["out"]

    return call


class _Namespace:
    """`ops.xp`: NumPy's functions (or those of one of its parts) over arrays of the device."""

    ndarray = DeviceArray

    def __init__(self, name: str, host: Any) -> None:
        self._name, self._host = name, host

    def __getattr__(self, name: str) -> Any:
        if name in MISSING:
            raise AttributeError(f"the device has no {name}")
        value, full = getattr(self._host, name), f"{self._name}.{name}"
        if name in ("random", "linalg", "fft"):
            return _Namespace(full, value)
        if name in UPLOADS:
            return _upload
        if isinstance(value, type) or not callable(value):
            return value  # dtypes, constants
        function = _on_device(full, value)
        if isinstance(value, numpy.ufunc):
            for method in ("at", "reduce", "accumulate", "outer", "reduceat"):
                setattr(function, method, _on_device(f"{full}.{method}", getattr(value, method)))
        return function


def _upload(data: Any, dtype: Any = None, **kwargs: Any) -> DeviceArray:
    if isinstance(data, (list, tuple)) and any(isinstance(each, (DeviceArray, numpy.ndarray)) for each in data):
        raise DeviceError("a list of arrays cannot be uploaded; use ops.xp.stack")
    if hasattr(data, "detach"):  # a tensor of torch
        data = data.detach().cpu().numpy()
    host = data._host if isinstance(data, DeviceArray) else data
    return DeviceArray(numpy.array(host, dtype=dtype, copy=True if not isinstance(data, DeviceArray) else None))


class StrictOps(Ops):
    """Ops of the pretended device. What CuPy's kernels demand of their arguments, these demand too."""

    name = "strict"
    xp = _Namespace("xp", numpy)

    def to_numpy(self, data: Any, *, byte_order: Any = None) -> numpy.ndarray:
        return HOST.to_numpy(data.get() if isinstance(data, DeviceArray) else data, byte_order=byte_order)

    def asarray(self, data: Any, *, dtype: Any = None) -> Any:
        return data if isinstance(data, DeviceArray) and dtype in (None, data.dtype) else _upload(data, dtype)

    def as_contig(self, data: Any, dtype: Any = None) -> Any:
        _demand(isinstance(data, DeviceArray), "as_contig: an array of the host")
        return DeviceArray(numpy.ascontiguousarray(data._host, dtype=dtype or data.dtype))

    def scatter_add(self, table: Any, indices: Any, values: Any) -> None:
        _demand(all(isinstance(x, DeviceArray) for x in (table, indices, values)), "scatter_add: an array of the host")
        numpy.add.at(table._host, indices._host, values._host)


def _demand(condition: bool, message: str) -> None:
    if not condition:
        raise DeviceError(message)


REDUCTIONS = [f"{way}reduce_{how}" for way in ("", "backprop_") for how in ("max", "mean", "sum", "first", "last")]
KERNELS = ["seq2col", "backprop_seq2col", "maxout", "backprop_maxout", "mish", "backprop_mish", "gather_add", "hash"]


def _add_kernels() -> None:
    """The loops of Thinc's CPU kernels, behind the checks of its CUDA kernels."""

    def kernel(name: str) -> Any:
        def method(self: StrictOps, *args: Any, **kwargs: Any) -> Any:
            host = any(isinstance(value, numpy.ndarray) for value in (*args, *kwargs.values()))
            _demand(not host, f"{name}: an array of the host")
            lengths = args[-1] if name in REDUCTIONS else kwargs.get("lengths")
            _demand(lengths is None or lengths.dtype == "int32", f"{name}: lengths are not int32")
            kwargs.pop("inplace", None)
            return _wrap(getattr(HOST, name)(*_unwrap(args, name), **_unwrap(kwargs, name)))

        return method

    for name in (*KERNELS, *REDUCTIONS):
        setattr(StrictOps, name, kernel(name))


_add_operators()
_add_kernels()


@contextlib.contextmanager
def strict_device() -> Iterator[StrictOps]:
    """Let Thinc take the pretended device for CuPy."""
    with mock.patch.multiple(thinc.util, has_cupy=True, cupy=StrictOps.xp):
        yield StrictOps()


def on_device(value: Any, ops: Ops) -> Any:
    """Arrays anywhere in lists, tuples, Ragged and Padded, moved by `ops`; all else as it is."""
    if isinstance(value, (list, tuple)):
        return type(value)(on_device(each, ops) for each in value)
    if isinstance(value, Ragged):
        return Ragged(on_device(value.dataXd, ops), on_device(value.lengths, ops))
    if isinstance(value, Padded):
        parts = (value.data, value.size_at_t, value.lengths, value.indices)
        return Padded(*[on_device(each, ops) for each in parts])
    return ops.asarray(value) if isinstance(value, numpy.ndarray) else value


def assert_on_device(value: Any) -> None:
    """Every array in the value, or among the parameters and gradients of a model, lies on the pretended device."""
    if isinstance(value, Model):
        for node in value.walk():
            assert_on_device([node.get_param(name) for name in node.param_names if node.has_param(name)])
            assert_on_device([node.get_grad(name) for name in node.grad_names])
    elif isinstance(value, Ragged):
        assert_on_device([value.data, value.lengths])
    elif isinstance(value, (list, tuple)):
        for each in value:
            assert_on_device(each)
    else:
        assert isinstance(value, DeviceArray), f"expected an array of the device, got {type(value)}"
