"""Id of the payment that a fact belongs to: its intent, else its charge, invoice or session."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field

from booking.domain.facts import Fact, Kind, State


@dataclass(slots=True)
class _Neighbours:
    """Ids that all facts about an object name, and for an invoice the objects that name it."""

    intents: set[str] = field(default_factory=set[str])
    charges: set[str] = field(default_factory=set[str])
    invoices: set[str] = field(default_factory=set[str])


class PaymentIds:
    """The links within a closed set of facts."""

    def __init__(self, facts: Collection[Fact]) -> None:
        self._neighbours: dict[str, _Neighbours] = defaultdict(_Neighbours)
        self._out_of_band = {
            fact.object_id for fact in facts if fact.kind is Kind.INVOICE and fact.state is State.OUT_OF_BAND
        }
        for fact in facts:
            self._link(fact)

    def _link(self, fact: Fact) -> None:
        links = fact.links
        neighbours = self._neighbours[fact.object_id]
        neighbours.intents.update(links.intents)
        if links.charge is not None:
            neighbours.charges.add(links.charge)
            if fact.kind is Kind.INTENT:
                self._neighbours[links.charge].intents.add(fact.object_id)
        if links.invoice is not None:
            neighbours.invoices.add(links.invoice)
            invoice = self._neighbours[links.invoice]
            if fact.kind is Kind.INTENT:
                invoice.intents.add(fact.object_id)
            elif fact.kind is Kind.CHARGE:
                invoice.charges.add(fact.object_id)
            elif fact.kind is Kind.INVOICE_PAYMENT:
                invoice.intents.update(links.intents)
                invoice.charges.update(filter(None, (links.charge,)))

    def of(self, fact: Fact) -> tuple[str, ...]:
        """Return the ids of the payments; several for an invoice that was paid in parts."""
        match fact.kind:
            case Kind.INTENT | Kind.ENTRY:
                return (fact.object_id,)
            case Kind.INVOICE:
                return self._of_invoice(fact.object_id)
            case Kind.INVOICE_PAYMENT:
                return tuple(sorted(self._neighbours[fact.object_id].intents))
            case Kind.CHARGE:
                return (self._of_charge(fact.object_id),)
            case _:
                return self._of_neighbour(fact.object_id)

    def _of_neighbour(self, object_id: str) -> tuple[str, ...]:
        neighbours = self._neighbours[object_id]
        if neighbours.intents:
            return (min(neighbours.intents),)
        if neighbours.charges:
            return (self._of_charge(min(neighbours.charges)),)
        if neighbours.invoices:
            return self._of_invoice(min(neighbours.invoices))
        return (object_id,)

    def _of_charge(self, charge: str) -> str:
        neighbours = self._neighbours[charge]
        if neighbours.intents:
            return min(neighbours.intents)
        # Old API versions: the charge names its invoice only, and the invoice its intent.
        of_invoices = {
            intent for invoice in neighbours.invoices for intent in self._neighbours[invoice].intents
        }
        return of_invoices.pop() if len(of_invoices) == 1 else charge

    def _of_invoice(self, invoice: str) -> tuple[str, ...]:
        if invoice in self._out_of_band:
            return (invoice,)
        neighbours = self._neighbours[invoice]
        payments = neighbours.intents | {self._of_charge(charge) for charge in neighbours.charges}
        return tuple(sorted(payments)) or (invoice,)
