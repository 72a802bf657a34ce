"""The demo: one business day through the front doors of a real stack, and what became of it.

`day` plans it, `play` lives it (`senders` are the outside world), `corrupt` tampers with stored prices,
`outcome` reads what the services made of it and checks it, `tables` shows it.
"""
