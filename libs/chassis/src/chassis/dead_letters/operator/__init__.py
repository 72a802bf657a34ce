"""Dead letters for operators: one set of actions, shown as command line and HTTP."""
