"""Commands of audit's command line: parse options, call a handler or the domain, print."""
