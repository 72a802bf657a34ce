"""The demo: one business day through the HTTP endpoints of a real stack, checked at the end.

`day` plans the day, `play` sends its requests (`senders` are the webhook providers, `stripe_events` has
Stripe's messages), `corrupt` falsifies stored prices, `outcome` reads the
results from the services and checks them, `tables` prints them.
"""
