-- The inbox forgets events that no provider sends again (`chassis.messaging.inbox_retention`).
GRANT DELETE ON inbox TO reconciler;
