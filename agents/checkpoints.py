"""Runs the loop from where its checkpointer says that it stands, until a stop rule holds."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from kernelwright.agents.graph import At, Search, build

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig


def run(search: Search, checkpoints: Path) -> None:
    """Search until a stop rule holds.

    Where the checkpointer does not know where it stood (its file is new, lost, broken or of an older
    form, or the last session ended), the loop enters at the oldest turn that the event log shows as
    open; what is finished there is not done again.
    """
    from langgraph.checkpoint.sqlite import SqliteSaver

    state = search.journal.state
    if not (state.done and _readable(checkpoints)):
        checkpoints.unlink(missing_ok=True)
    with closing(sqlite3.connect(checkpoints, check_same_thread=False)) as database:
        # It may fall behind the log in a power cut, which costs nothing: finished work is looked up.
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=NORMAL")
        graph = build(search, SqliteSaver(database))
        config: RunnableConfig = {
            "configurable": {"thread_id": "turns"},
            "recursion_limit": 1_000_000_000,
        }
        under_way = bool(graph.get_state(config).next)
        for number in state.turns.open if under_way else ():
            search.proposals.begin(number)
        graph.invoke(None if under_way else At(over=False), config, durability="sync")


def _readable(path: Path) -> bool:
    with closing(sqlite3.connect(path)) as database:
        try:
            return bool(database.execute("PRAGMA quick_check").fetchone() == ("ok",))
        except sqlite3.DatabaseError:
            return False
