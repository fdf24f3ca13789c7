"""The cases: short functions that take a `Side` and ask it things, one file per topic.

A case never looks at which side it is on, and checks nothing itself: the answers are compared.
"""

import dataclasses
import importlib
import pkgutil
import typing


@dataclasses.dataclass(frozen=True)
class Case:
    """One of them; `name` is `topic.function`."""

    name: str
    run: typing.Callable


_CASES: list[Case] = []


def case(function):
    """Adds a function to the cases."""
    _CASES.append(Case(f"{function.__module__.removeprefix('cases.')}.{function.__name__}", function))
    return function


def cases(**variants):
    """Adds a function once per variant: `name=(arguments)`."""

    def add(function):
        for variant, arguments in variants.items():
            name = f"{function.__module__.removeprefix('cases.')}.{function.__name__}.{variant}"
            _CASES.append(Case(name, lambda side, given=arguments: function(side, *given)))
        return function

    return add


def all_of_them() -> list[Case]:
    """From all topics."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"cases.{module.name}")
    return _CASES
