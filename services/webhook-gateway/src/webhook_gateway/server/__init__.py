"""The gateway's HTTP/1.1 server: uvicorn with what a port on the internet needs (decision 0036)."""
