"""What a text is given: one class, any number of labels, a grade or a number.

All of them have one vector of outputs a text, so that recipes, the training loop and export are
the same; a `task.Task` says what the cells of a data file mean, where training starts, what it
minimises, and by which figures it is judged.
"""

from __future__ import annotations

from collections.abc import Sequence

from payoff.adapt.tasks.classes import Classes
from payoff.adapt.tasks.multi_label import MultiLabel
from payoff.adapt.tasks.ordinal import Ordinal
from payoff.adapt.tasks.regression import Regression
from payoff.adapt.tasks.task import Task
from payoff.core.errors import AdaptError, did_you_mean

TASKS: tuple[str, ...] = ("classes", "multi-label", "ordinal", "regression")
"""Names of the tasks with one vector of outputs a text."""

OTHERS: tuple[str, ...] = ("entities", "answers")
"""Tasks whose outputs are of another shape; each has a verb of its own in `payoff.plan`."""


def task_named(name: str, *, order: Sequence[str] = ()) -> Task:
    """The task of a name, before it has seen any rows.

    Args:
        name: One of `TASKS`.
        order: Grades from the lowest to the highest, for ``ordinal`` where they are no numbers.

    Raises:
        AdaptError: PF407 for an unknown name, or an order given to a task that has none.

    Example:
        >>> task_named("multi-label").name
        'multi-label'
        >>> task_named("multilabel")
        Traceback (most recent call last):
        ...
        payoff.core.errors.AdaptError: PF407 task 'multilabel': it is unknown\
 (expected classes, multi-label, ordinal, regression, entities or answers).\
 Did you mean 'multi-label'?
    """
    if name in OTHERS:
        raise AdaptError(
            "PF407",
            f"task '{name}'",
            "it does not give one vector of outputs a text",
            mend=f"Tune it by its own verb, as payoff tune --task {name} does.",
        )
    if name not in TASKS:
        known = (*TASKS, *OTHERS)
        raise AdaptError(
            "PF407",
            f"task '{name}'",
            "it is unknown",
            expected=f"{', '.join(known[:-1])} or {known[-1]}",
            mend=did_you_mean(name, known),
        )
    if order and name != "ordinal":
        raise AdaptError(
            "PF407",
            f"task '{name}'",
            f"it has no order, and one was given: {', '.join(order)}",
            mend="Leave the order out, or name the task 'ordinal'.",
        )
    tasks: dict[str, Task] = {
        "classes": Classes(),
        "multi-label": MultiLabel(),
        "ordinal": Ordinal(tuple(order)),
        "regression": Regression(),
    }
    return tasks[name]
