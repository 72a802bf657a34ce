"""Dead letters: messages set aside (ALL-1), stored whole, later messages of their ordering key behind them.

`setting_aside` is the consumer's side. `replay` and `discard` are an operator's actions; `operator` offers
them as commands and over HTTP, the same in every service that has dead letters.
"""

from chassis.dead_letters.placement import Placement
from chassis.dead_letters.setting_aside import DeadLetters

__all__ = ["DeadLetters", "Placement"]
