"""Commands of the reconciler's command line: parse options, call a handler, print."""
