"""The HTTP edge: one hand-written ASGI route for webhooks, ordinary ones for everything else."""
