"""uvicorn's HTTP/1.1 protocol with limits."""
