"""Commands of booking's command line: parse options, call a handler or pricing, print."""
