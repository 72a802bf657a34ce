-- Dead letters are worked off: a replay that fails again updates error and attempts, each action is kept.
GRANT UPDATE (error, attempts) ON dead_letter TO booking;
GRANT SELECT, INSERT ON dead_letter_action TO booking;
