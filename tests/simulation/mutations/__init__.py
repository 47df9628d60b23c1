"""The rules taken out, one by one. Each time the simulation has to notice.

If it does not, the rule is superfluous, or another one makes up for it, or the simulation has a hole.
``python -m tests.simulation.mutation_run`` shows what catches each of them, and after how many steps.
"""

from tests.simulation.mutations import election, files, history, minority, office, promise, record, word
from tests.simulation.mutations.catalogue import MUTATIONS, Mutation, Swap

__all__ = [
    "MUTATIONS",
    "Mutation",
    "Swap",
    "election",
    "files",
    "history",
    "minority",
    "office",
    "promise",
    "record",
    "word",
]
