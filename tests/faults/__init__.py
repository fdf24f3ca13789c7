"""Faults on demand, put between the proxy and a site."""
