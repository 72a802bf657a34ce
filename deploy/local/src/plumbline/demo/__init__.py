"""The demo: one business day through the HTTP endpoints of a real stack, checked at the end.

`day` plans the day, `play` sends its requests (`senders` are the webhook providers, `stripe_events` has
Stripe's messages), `corrupt` falsifies stored prices, `queue_work`
works the exceptions off, `outcome` reads the results from the services and checks them, `tables` prints them.
"""
