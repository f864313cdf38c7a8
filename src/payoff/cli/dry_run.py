"""``payoff tune --recipe api --dry-run``: what the job would cost, before anything is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from payoff.cli.terminal import Terminal

if TYPE_CHECKING:
    from payoff.data.dataset import Dataset
    from payoff.plan.job_price import JobPrice


def show_dry_run(terminal: Terminal, dataset: Dataset, recipe: str, **how: Any) -> None:
    """Price the job that the same command would begin, and show it.

    Raises:
        PayoffError: As `payoff.plan.job_price.job_price`.
    """
    from payoff.plan.job_price import job_price

    found = job_price(dataset, recipe, progress=terminal, **how)
    terminal.show(found.as_dict(), lambda: _show(terminal, found))


def _show(terminal: Terminal, found: JobPrice) -> None:
    job = found.job
    terminal.line(f"{found.model} at {found.base_url}", style="bold")
    terminal.line(
        f"{job.n_requests:,} requests for {job.n_texts:,} texts; {job.n_kept:,} of "
        f"{job.n_questions:,} questions are answered already. Nothing was sent."
    )
    terminal.table(
        ("", "expected", "at most"),
        [
            ("tokens read", f"{job.read:,}", f"{job.read_at_most:,}"),
            ("tokens written", f"{job.written:,}", f"{job.written_at_most:,}"),
            ("money", str(found.expected or "unknown"), str(found.at_most or "unknown")),
        ],
        right=("expected", "at most"),
    )
    if job.counted_by:
        terminal.line(f"Tokens are those of the tokenizer of {job.counted_by}.")
    else:
        terminal.line("The model's tokenizer is not here: bytes are counted, which are more.")
    if found.price is None:
        terminal.line(f"No price: {found.why}.")
    else:
        terminal.line(
            f"Price: {found.price.source}. If every request had to be sent again as often as any "
            f"may be, and each attempt were charged: {found.at_most_repeated}."
        )
    for budget in found.budgets:
        often = " a month" if budget.monthly else ""
        if budget.money is not None:
            terminal.line(f"Cap: {budget.money}{often}, {budget.money_used} used ({budget.path})")
        if budget.tokens:
            terminal.line(f"Cap: {budget.tokens:,} tokens{often}, {budget.tokens_used:,} used")
    if found.left is not None:
        terminal.line(f"Budget: {found.left.rounded()} are left this month. {_verdict(found)}")


def _verdict(found: JobPrice) -> str:
    if found.within_budget is None:
        return "Without a price it cannot be held: the job would be refused (PF629)."
    if found.within_budget:
        return "They hold the most that the job may cost."
    return "The most that the job may cost is more: it would be refused (PF620)."
