"""Many strings sought in one pass: the automaton of Aho and Corasick (1975), for short texts such as addresses."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable


class Automaton:
    """Finds which of many patterns stand in a text, in time linear in the text, whatever the number of patterns."""

    __slots__ = ("_children", "_ends", "_fallback")

    def __init__(self, patterns: Iterable[str]) -> None:
        self._children: list[dict[str, int]] = [{}]
        # The patterns that end at a state, those of its fallback states included.
        self._ends: list[frozenset[str]] = [frozenset()]
        for pattern in sorted(set(patterns) - {""}):
            self._add(pattern)
        self._fallback = [0] * len(self._children)
        self._link()

    def found(self, text: str) -> set[str]:
        """Return the distinct patterns that stand in a text."""
        state, found = 0, set[str]()
        for character in text:
            state = self._next(state, character)
            found |= self._ends[state]
        return found

    def _add(self, pattern: str) -> None:
        state = 0
        for character in pattern:
            if character not in self._children[state]:
                self._children[state][character] = len(self._children)
                self._children.append({})
                self._ends.append(frozenset())
            state = self._children[state][character]
        self._ends[state] = frozenset((pattern,))

    def _link(self) -> None:
        waiting = deque(self._children[0].values())
        while waiting:
            state = waiting.popleft()
            for character, child in self._children[state].items():
                self._fallback[child] = self._next(self._fallback[state], character)
                self._ends[child] |= self._ends[self._fallback[child]]
                waiting.append(child)

    def _next(self, state: int, character: str) -> int:
        while state and character not in self._children[state]:
            state = self._fallback[state]
        return self._children[state].get(character, 0)
