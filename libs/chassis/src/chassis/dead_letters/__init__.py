"""Messages set aside (ALL-1): kept whole in the service's own table, later ones of their line behind them.

`setting_aside` is the consumer's side. `reading`, `replaying` and `discarding` are what an operator does;
`commands` and `routes` are the two ways to do it, the same in every service that has dead letters.
"""

from chassis.dead_letters.ordering import OrderingKey
from chassis.dead_letters.placement import Placement
from chassis.dead_letters.setting_aside import DeadLetters

__all__ = ["DeadLetters", "OrderingKey", "Placement"]
